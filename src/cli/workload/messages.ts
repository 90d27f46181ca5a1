/** What the main thread hands a worker, and what a worker tells the main thread. */
import type { HeapRef } from "../../index.js";
import type { WorkloadPlan } from "./plan.js";
import type { ReleaserRecord } from "./release.js";

/** A worker's `workerData`. */
export interface WorkerTask {
  readonly heap: HeapRef;
  readonly control: SharedArrayBuffer;
  readonly claims: SharedArrayBuffer;
  readonly rings: SharedArrayBuffer;
  /** Place among the threads, kept by a replacement. */
  readonly slot: number;
  /** Running number of this worker in the run, never reused. */
  readonly worker: number;
  readonly plan: WorkloadPlan;
  readonly trace: { readonly events: Int32Array; readonly slots: number } | undefined;
}

/** Ways in which a run can find the heap wrong. */
export type DamageKind =
  /** An object's contents are not what its allocator wrote. */
  | "stamp"
  /** Two live objects share bytes. */
  | "overlap"
  /** `free` refused a handle that was never freed. */
  | "free-refused"
  /** A handle that was never freed is not live any more. */
  | "stale-handle"
  /** An object is misplaced: outside the heap, misaligned or too small. */
  | "misplaced";

/** One finding, ready to print. */
export interface Damage {
  readonly kind: DamageKind;
  readonly handle: number;
  /** Byte offset in the heap's buffer; -1 when the handle could not be resolved. */
  readonly offset: number;
  readonly length: number;
  /** First damaged byte, counted from the object's start. */
  readonly at: number;
  readonly expected: string;
  readonly found: string;
  /** Which worker noticed. */
  readonly noticed_by: number;
}

/** Leaked objects of one epoch. */
export interface LeakedEpoch {
  readonly epoch_id: number;
  readonly epoch_era: number;
  readonly age_sec: number;
  readonly label: string;
  readonly live_objects: number;
  readonly bytes: number;
}

export type WorkerMessage =
  | { readonly type: "ready"; readonly releaser: ReleaserRecord }
  | { readonly type: "damage"; readonly damage: Damage }
  /** Holds nothing but leaks, hands nothing over any more. */
  | { readonly type: "stopped" }
  | { readonly type: "done"; readonly leaked: WorkerLeaks };

/** What a worker leaves behind on purpose. */
export interface LeakSummary {
  readonly live_objects: number;
  readonly bytes: number;
  readonly epochs: number;
  /** The oldest epochs first, at most `OLDEST_EPOCHS`. */
  readonly oldest: readonly LeakedEpoch[];
}

/** The same of one worker: eras rather than their number, because workers leak into the same ones. */
export interface WorkerLeaks extends Omit<LeakSummary, "epochs"> {
  readonly eras: readonly number[];
}

export const OLDEST_EPOCHS = 16;
