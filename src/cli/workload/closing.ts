/**
 * The end of a run, when all workers are gone: is the heap sound, does it hold exactly what it
 * should, and is all of its memory there again after everything was discarded?
 */
import {
  type EpochId,
  type EpochInfo,
  type Handle,
  type HeapCounters,
  NULL_HANDLE,
  RING_SIZE,
  type SlabHeap,
  type VerifyReport,
} from "../../index.js";
import type { Tally } from "./control.js";

/** What the workers say about the run. */
export interface WorkersAccount {
  /** Objects left live on purpose. */
  readonly leaked: number;
  readonly tally: Tally;
  /** Workers died: they took objects, and figures not yet published, with them. */
  readonly incomplete: boolean;
}

/** What the heap's own check said, in the words of the report. */
export interface VerifyRecord {
  readonly ok: boolean;
  readonly problems: readonly string[];
  readonly live_objects: number;
  readonly slabs: number;
}

/** One row of the per-epoch table, named as in the stats document. */
export interface EpochRow {
  readonly epoch_id: number;
  readonly epoch_era: number;
  readonly state: string;
  readonly age_sec: number;
  readonly refcount: number;
  readonly label: string;
  readonly live_objects: number;
  readonly slabs: number;
  /** Objects of older eras in the same ring slot, and the oldest of those eras. */
  readonly older_live_objects: number;
  readonly oldest_era: number;
}

export interface ClosingRecord {
  /** The heap as the workers left it. */
  readonly verify: VerifyRecord;
  readonly epochs: readonly EpochRow[];
  /** Objects the workers say they left live on purpose. */
  readonly expected_live_objects: number;
  /** Objects of terminated workers that nobody could free any more. */
  readonly lost_live_objects: number;
  readonly objects_discarded: number;
  /** The heap after every epoch was discarded. */
  readonly verify_after_discard: VerifyRecord;
  readonly capacity_bytes: number;
  /** Bytes that could be allocated again, slab by slab. */
  readonly reallocated_bytes: number;
  /** Whether one object of the whole capacity could be allocated. */
  readonly one_object_of_capacity: boolean;
  /** Everything that is not as it must be, in words. */
  readonly problems: readonly string[];
}

/** Checks, discards everything and checks again. */
export function closeDown(heap: SlabHeap, account: WorkersAccount): ClosingRecord {
  const problems: string[] = [];
  const expectedLive = account.leaked;
  heap.poll();
  problems.push(...disagreements(heap.counters(), account));
  const epochs = epochTable(heap);
  const verify = verified(heap, "after the run", problems);
  const lost = verify.live_objects - expectedLive;
  if (lost < 0 || (lost > 0 && !account.incomplete)) {
    problems.push(`${verify.live_objects} objects are live but the workers left ${expectedLive}`);
  }
  for (const row of epochs) {
    if (row.refcount !== 0) problems.push(`epoch ${row.epoch_id} still has refcount ${row.refcount}`);
  }
  const discarded = discardEverything(heap);
  const after = verified(heap, "after the discard", problems);
  if (after.live_objects !== 0)
    problems.push(`${after.live_objects} objects survived the discard of every epoch`);
  if (after.slabs !== 0) problems.push(`${after.slabs} slabs are in use although nothing is live`);
  const reallocated = allocateAll(heap);
  if (reallocated !== heap.capacity) {
    problems.push(`only ${reallocated} of ${heap.capacity} bytes could be allocated again`);
  }
  const whole = allocateWhole(heap);
  if (!whole) problems.push(`one object of ${heap.capacity} bytes could not be allocated in the empty heap`);
  verified(heap, "after allocating everything", problems);
  return {
    verify,
    epochs,
    expected_live_objects: expectedLive,
    lost_live_objects: Math.max(0, lost),
    objects_discarded: discarded,
    verify_after_discard: after,
    capacity_bytes: heap.capacity,
    reallocated_bytes: reallocated,
    one_object_of_capacity: whole,
    problems,
  };
}

/** The heap's counters and the workers' own must tell the same story. */
function disagreements(counters: HeapCounters, { tally, incomplete }: WorkersAccount): string[] {
  const pairs: [string, number, number][] = [
    ["allocations", counters.allocCount, tally.allocs],
    ["frees", counters.freeCount, tally.frees],
    ["allocations out of memory", counters.outOfMemory, tally.out_of_memory],
    ["allocations in a closed epoch", counters.epochClosed, tally.epoch_closed],
  ];
  const problems = pairs
    .filter(([, heap, workers]) => (incomplete ? heap < workers : heap !== workers))
    .map(([what, heap, workers]) => `the heap counted ${heap} ${what}, the workers ${workers}`);
  if (counters.invalidFrees > 0) problems.push(`the heap counted ${counters.invalidFrees} invalid frees`);
  return problems;
}

/** Seats still taken by somebody else than `heap`. */
export function foreignSeats(heap: SlabHeap): string[] {
  return heap
    .seats()
    .filter((info) => info.seat !== heap.seat && info.state !== "FREE")
    .map((info) => `seat ${info.seat} (thread ${info.threadId}) is still ${info.state}`);
}

function epochTable(heap: SlabHeap): EpochRow[] {
  return Array.from({ length: RING_SIZE }, (_, id) => epochRow(heap.epochInfo(id as EpochId)));
}

function epochRow(info: EpochInfo): EpochRow {
  return {
    epoch_id: info.id,
    epoch_era: info.era,
    state: info.state,
    age_sec: info.ageSec,
    refcount: info.refcount,
    label: info.label,
    live_objects: info.liveObjects,
    slabs: info.slabs,
    older_live_objects: info.olderLiveObjects,
    oldest_era: info.oldestEra,
  };
}

function verified(heap: SlabHeap, when: string, problems: string[]): VerifyRecord {
  const report: VerifyReport = heap.verify();
  if (!report.ok) problems.push(...report.problems.map((problem) => `verify ${when}: ${problem}`));
  if (!report.ok && report.problems.length === 0) problems.push(`verify ${when}: not ok`);
  const { ok, liveObjects, slabs } = report;
  return { ok, problems: report.problems, live_objects: liveObjects, slabs };
}

function discardEverything(heap: SlabHeap): number {
  const current = heap.currentEpoch;
  const older = heap.discardBefore(current);
  const last = heap.discardEpoch(current);
  heap.poll();
  return older.objectsDiscarded + last.objectsDiscarded;
}

/** Fills the heap with objects of a slab each, frees them again; returns the bytes it got. */
function allocateAll(heap: SlabHeap): number {
  const handles: Handle[] = [];
  for (let handle = heap.alloc(heap.slabSize); handle !== NULL_HANDLE; handle = heap.alloc(heap.slabSize)) {
    handles.push(handle);
  }
  const bytes = handles.reduce((sum, handle) => sum + heap.sizeOf(handle), 0);
  for (const handle of handles) heap.free(handle);
  discardEverything(heap);
  return bytes;
}

function allocateWhole(heap: SlabHeap): boolean {
  const handle = heap.alloc(heap.capacity);
  return handle !== NULL_HANDLE && heap.free(handle);
}
