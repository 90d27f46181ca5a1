/**
 * One thread's hold on a heap: its seat, and what it remembers privately.
 *
 * Everything here belongs to the thread alone. Words of the buffer that it alone writes (bins, own lists)
 * live in its seat's area and are re-initialised at attach: a former holder's are never trusted.
 */
import { type Layout, seatAt } from "./layout.js";
import { H_HEAP_ID, HEAP_ID_BITS, RING_SIZE, SEAT_PHASE } from "./offsets.js";
import { RELEASE_NOTHING, type ReleaseConfig, type ReleaseRules, releaseRules } from "./release-config.js";

export type FailureCode = 0 | 1 | 2;
export const FAILURE_NONE = 0;
export const FAILURE_OUT_OF_MEMORY = 1;
export const FAILURE_EPOCH_CLOSED = 2;

/** A thread that measures some of its operations (heap/sampling.ts). Intervals count operations; `Left` those until the next. */
export interface Sampler {
  /** In units of SAMPLE_INTERVAL allocations of a slab: that is how often they leave the fast path. */
  readonly allocTicks: number;
  allocTicksLeft: number;
  readonly slowInterval: number;
  slowLeft: number;
  readonly remoteFreeInterval: number;
  remoteFreeLeft: number;
  /** Processor time of the thread in nanoseconds; below 0 when not wanted or not known. */
  cpuNs(): number;
}
export type AllocKind = "handle" | "offset";

/**
 * Told of every object that was allocated: what the caller is about to get and the size it asked for. `hook` is the
 * function through which it was allocated: what called that one is the caller. Must not throw: the object exists
 * already, and nobody else would know.
 */
export type AfterAlloc = (kind: AllocKind, value: number, size: number, hook: AllocHook) => void;

/** One of the two functions that stand in for `alloc` and `allocOffset`. */
export type AllocHook = (...args: never[]) => number;

export class Attachment {
  readonly buffer: SharedArrayBuffer;
  /** All metadata; never covers payload, and never re-created. */
  readonly m: Int32Array;
  readonly u8: Uint8Array;
  readonly layout: Layout;
  readonly heapId: number;

  readonly seat: number;
  readonly incarnation: number;
  /** Exact word in our seat while we live; anything else means that somebody reaped or suspects us. */
  readonly seatWord: number;
  readonly seatBase: number;
  readonly binBase: number;
  /** Value of SLAB_FAST_OWNER in our slabs: names seat and incarnation, so a predecessor's stale word never matches. */
  readonly me: number;
  /** Added to an ALLOC word to make a handle; see words/handle.ts. */
  readonly handleBias: number;
  /** How this thread gives pages back. */
  readonly rules: ReleaseRules;

  /** Epoch records as of the last sync; a slab whose era is not ACTIVE here is draining for us. */
  readonly rec: Int32Array = new Int32Array(RING_SIZE);
  deepSeen = 0;
  doomsSeen = 0;
  pressureSeen = 0;
  /** PHASE at which a full scan found no free slab; NaN when there may be one. */
  exhaustedPhase = Number.NaN;
  /** PHASE at which waiting for slabs whose pages are being released took too long; NaN when it did not. */
  stuckPhase = Number.NaN;
  /** Head of the run that a search before out-of-memory claimed. */
  foundRun = -1;
  /** When (milliseconds, Date.now) we last asked the others for empty slabs. */
  pressureAtMs = 0;
  lastFailure: FailureCode = FAILURE_NONE;
  /** Where the next bounded look at our pending words starts. */
  pendingCursor = 0;
  /** Set when the seat is no longer ours: given back, or taken by a reaper. */
  detached = false;
  /** Domain levels entered per ring slot on this thread: only the outermost touches shared words. */
  readonly depth: Int32Array = new Int32Array(RING_SIZE);
  /** Allocations of this thread that left the fast path, for whoever measures one. */
  slowHits = 0;
  /** Set while operations are sampled. */
  sampler: Sampler | undefined = undefined;
  /** Sum of all SEAT_GIVEN_BACK when this thread last released pages; NaN after it was refused. */
  givenBackAtRelease = 0;
  /** After a refused release: when to try again (performance.now()), and how long that was put off; 0 = the last one was not refused. */
  releaseRetryAtMs = 0;
  releaseRetryMs = 0;
  /** Called once when the seat is lost to a reaper. */
  onLost: () => void = () => {};
  /** While allocations are intercepted (heap/intercept.ts). */
  afterAlloc: AfterAlloc | undefined = undefined;

  constructor(
    buffer: SharedArrayBuffer,
    layout: Layout,
    seat: number,
    incarnation: number,
    seatWord: number,
    release: ReleaseConfig = RELEASE_NOTHING,
  ) {
    this.buffer = buffer;
    this.layout = layout;
    this.m = new Int32Array(buffer, 0, layout.metadataWords);
    this.u8 = new Uint8Array(buffer, 0, layout.bufferBytes);
    this.heapId = (this.m[H_HEAP_ID] as number) & (2 ** HEAP_ID_BITS - 1);
    this.handleBias = 3 + 4 * this.heapId;
    this.seat = seat;
    this.incarnation = incarnation;
    this.seatWord = seatWord;
    this.seatBase = seatAt(layout, seat);
    this.binBase = this.seatBase + layout.seatBins;
    this.me = (incarnation << 8) | seat;
    this.rules = releaseRules(release, layout);
  }

  get phaseIndex(): number {
    return this.seatBase + SEAT_PHASE;
  }
}

/** Marks the seat as gone; further operations fail. */
export function loseSeat(a: Attachment): void {
  if (a.detached) return;
  a.detached = true;
  a.onLost();
}
