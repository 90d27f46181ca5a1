/**
 * The words main thread and workers share beside the heap: the phase of the run, the request
 * counter that drives the epoch policy, and one row of tallies per worker slot.
 *
 * Written by  PHASE: the main thread. REQUESTS: any worker, by add. A row: the worker in that slot
 *             (one at a time; a replacement goes on from its predecessor's figures).
 * Read by     the main thread, for progress and report; figures may lag by one slice of work.
 */

/** Workers are attaching. */
export const PHASE_READY = 0;
export const PHASE_RUN = 1;
/** Finish the request at hand, free what is held, then wait. */
export const PHASE_STOP = 2;
/** Nobody hands anything over any more: free what is still in the rings and end. */
export const PHASE_DRAIN = 3;

const PHASE = 0;
const REQUESTS = 16;
/** Never changes: something to wait on. */
const NOTHING = 17;
const HEADER_BYTES = 128;

/** What a worker counts; one f64 each, in this order. */
export const TALLY_FIELDS = [
  "requests",
  "repeats",
  "allocs",
  "frees",
  "foreign_frees",
  "handed_over",
  "handoff_full",
  "out_of_memory",
  "epoch_closed",
  "checked_full",
  "close_calls",
  "advances",
  "slabs_scanned",
  "slabs_recycled",
  "damage",
] as const;

export type TallyField = (typeof TALLY_FIELDS)[number];

/** The figures of one worker, or of all of them together. */
export type Tally = Record<TallyField, number>;

/** 16 values: two cache lines per row. */
const ROW_VALUES = 16;

export function emptyTally(): Tally {
  return Object.fromEntries(TALLY_FIELDS.map((field) => [field, 0])) as Tally;
}

/** The shared control block, in whichever thread. */
export class Control {
  readonly shared: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #rows: Float64Array;

  constructor(shared: SharedArrayBuffer) {
    this.shared = shared;
    this.#words = new Int32Array(shared, 0, HEADER_BYTES / 4);
    this.#rows = new Float64Array(shared, HEADER_BYTES);
  }

  static create(threads: number): Control {
    return new Control(new SharedArrayBuffer(HEADER_BYTES + threads * ROW_VALUES * 8));
  }

  get phase(): number {
    return Atomics.load(this.#words, PHASE);
  }

  /** Enters a phase and wakes every worker that sleeps. */
  enter(phase: number): void {
    Atomics.store(this.#words, PHASE, phase);
    Atomics.notify(this.#words, PHASE);
  }

  /** Sleeps until the phase is no longer `phase`, at most `ms` milliseconds. Workers only. */
  sleepWhile(phase: number, ms: number): void {
    Atomics.wait(this.#words, PHASE, phase, ms);
  }

  /** Sleeps for `ms` milliseconds. Workers only. */
  pause(ms: number): void {
    Atomics.wait(this.#words, NOTHING, 0, ms);
  }

  /** Counts a request of any worker; true for every `every`th one. */
  countRequest(every: number): boolean {
    const before = Atomics.add(this.#words, REQUESTS, 1);
    return every > 0 && ((before + 1) >>> 0) % every === 0;
  }

  publish(slot: number, tally: Tally): void {
    const start = slot * ROW_VALUES;
    TALLY_FIELDS.forEach((field, i) => {
      this.#rows[start + i] = tally[field];
    });
  }

  row(slot: number): Tally {
    const start = slot * ROW_VALUES;
    const tally = emptyTally();
    TALLY_FIELDS.forEach((field, i) => {
      tally[field] = this.#rows[start + i];
    });
    return tally;
  }

  /** All rows added up. */
  total(threads: number): Tally {
    const sum = emptyTally();
    for (let slot = 0; slot < threads; slot++) {
      const row = this.row(slot);
      for (const field of TALLY_FIELDS) sum[field] += row[field];
    }
    return sum;
  }
}
