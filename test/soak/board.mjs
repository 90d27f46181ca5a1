// What the threads of a soak share besides the heap: a row of words per thread, the floor of the eras, a ring of handles.
// Plain JavaScript because worker threads load it without a transform; board.d.mts has the types. The words live in the
// control buffer of test/threads, which brings the stop word and the text of the first failure.
export { Control, newControl, Random, stamp, stampProblem } from "../threads/workers/shared.mjs";

/** Objects of eras below this one may be discarded by anybody; only ever raised, and before the discard. */
export const FLOOR = 16;
/** When the floor was last raised, in ms modulo 2^31. */
export const FLOOR_AT = 17;
const ROWS = 64;
const ROW_WORDS = 24;
/** Row 0 is the controller's. */
export const ROW_COUNT = 40;

/** One word each in a row. Its thread alone writes them, right after what they count, so that a death loses one at most. */
export const TALLIES = [
  "operations",
  "allocs",
  "frees",
  "refusals", // NULL_HANDLE from the alloc of a domain: an object may have been allocated and freed on the way
  "outOfMemory",
  "opened",
  "closed",
  "discarded",
  "domains",
  "reaps",
  "attaches",
  "handed",
  "received",
  "checked",
  "snapshots",
  "reports",
  "fills", // how often the heap was filled up
  "samplings",
];
const BEAT = TALLIES.length;
const PATTERN = BEAT + 1;

/** What a thread can be doing, for the watchdog's message. */
const PATTERNS = [
  "starting",
  "attaching",
  "serving messages",
  "giving everything back",
  "waiting for the controller's goodbye",
  "reading statistics",
  "health and doctor",
  "pairs",
  "LIFO",
  "FIFO",
  "mixed sizes",
  "check kept objects",
  "large runs",
  "fill up",
  "stale and double frees",
  "hand over by ring",
  "hand over by message",
  "request",
  "nested domains",
  "frame",
  "batch",
  "drop old epochs",
  "references",
  "labels and figures",
  "leave and come back",
  "second seat",
  "sampling",
  "refused reaping",
];

/** Only letters repeated: a torn label shows. More labels than the heap can register. */
export const LABELS = Array.from({ length: 20 }, (_, i) =>
  String.fromCharCode(65 + i).repeat(1 + ((i * 11) % 31)),
);
export const LABEL = /^(([A-T])\2*|\(other\)|)$/;

/** A thread's row. */
export class Row {
  constructor(control, row) {
    this.words = control.words.subarray(ROWS + row * ROW_WORDS, ROWS + (row + 1) * ROW_WORDS);
  }

  add(tally, by = 1) {
    const i = TALLIES.indexOf(tally);
    this.words[i] = (this.words[i] + by) | 0;
  }

  /** A sign of life, and what the thread is at. */
  beat(pattern) {
    if (pattern !== undefined) this.words[PATTERN] = pattern;
    Atomics.add(this.words, BEAT, 1);
  }

  get beats() {
    return Atomics.load(this.words, BEAT);
  }

  get pattern() {
    return PATTERNS[Atomics.load(this.words, PATTERN)];
  }

  tally(name) {
    return Atomics.load(this.words, TALLIES.indexOf(name));
  }
}

export function patternNumber(name) {
  const number = PATTERNS.indexOf(name);
  if (number < 0) throw new Error(`no pattern is called ${name}`);
  return number;
}

/** May objects of this era end at any time? Read it after having found one gone. */
export function isDoomed(control, era) {
  return era % 4 === 3 || era < control.get(FLOOR);
}

/** Raises the floor, at most once in `everyMs`; false when it is not the time. */
export function raiseFloor(control, era, everyMs) {
  const now = Date.now() & 0x7fffffff;
  const before = control.get(FLOOR_AT);
  if (now - before < everyMs && now >= before) return false;
  if (Atomics.compareExchange(control.words, FLOOR_AT, before, now) !== before) return false;
  for (let floor = control.get(FLOOR); floor < era; floor = control.get(FLOOR)) {
    if (Atomics.compareExchange(control.words, FLOOR, floor, era) === floor) break;
  }
  return true;
}

/**
 * Handles in a ring of cells that nobody ever waits for: whoever puts one in takes out what was there, and a thread that
 * dies between taking its ticket and the exchange leaves an empty cell.
 */
export class HandleRing {
  constructor(buffer) {
    this.tickets = new Int32Array(buffer, 0, 2);
    this.cells = new BigInt64Array(buffer, 8);
  }

  /** Returns the handle that was never taken, or 0. */
  put(handle) {
    return this.exchange(0, handle);
  }

  take() {
    return this.exchange(1, 0);
  }

  exchange(end, handle) {
    const ticket = Atomics.add(this.tickets, end, 1) >>> 0;
    return Number(Atomics.exchange(this.cells, ticket % this.cells.length, BigInt(handle)));
  }

  /** Everything that is still inside. */
  drain() {
    return Array.from(this.cells, (_, cell) => Number(Atomics.exchange(this.cells, cell, 0n))).filter(
      (h) => h !== 0,
    );
  }
}

export function newRing(cells) {
  return new SharedArrayBuffer(8 + cells * 8);
}
