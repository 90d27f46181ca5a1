// What thread tests and their workers have in common: control words, stamps, mailboxes, random numbers.
// Plain JavaScript because worker threads load it without a transform; shared.d.mts has the types.

/** Control words: one Int32Array in a SharedArrayBuffer per test. */
export const STOP = 0; // 1: finish and exit
export const PAUSE = 1; // 1: rest (asleep in Atomics.wait) until it is 0 again
export const RESTING = 2; // how many workers rest
export const READY = 3; // how many workers are set up
export const FAILURES = 4; // how many checks failed
export const DROP = 5; // bumped: free every object before the next rest
const TEXT_LENGTH = 6; // bytes of the first failure's description
/** Words from here on belong to the test: counters, phases. */
export const CUSTOM = 16;
const TEXT_BYTES = 4096;
const CONTROL_WORDS = 1024;

export function newControl() {
  return new SharedArrayBuffer(CONTROL_WORDS * 4 + TEXT_BYTES);
}

export class Control {
  constructor(buffer) {
    this.words = new Int32Array(buffer, 0, CONTROL_WORDS);
    this.text = new Uint8Array(buffer, CONTROL_WORDS * 4, TEXT_BYTES);
  }

  get(word) {
    return Atomics.load(this.words, word);
  }

  set(word, value) {
    Atomics.store(this.words, word, value);
    Atomics.notify(this.words, word);
  }

  add(word, by = 1) {
    const before = Atomics.add(this.words, word, by);
    Atomics.notify(this.words, word);
    return before + by;
  }

  get stopped() {
    return Atomics.load(this.words, STOP) !== 0;
  }

  /** Counts a failed check; the first one keeps its words, which survive the thread. */
  fail(what) {
    const bytes = new TextEncoder().encode(String(what)).subarray(0, TEXT_BYTES);
    // The words before the count: whoever sees that something failed finds what.
    if (Atomics.compareExchange(this.words, TEXT_LENGTH, 0, -1) === 0) {
      this.text.set(bytes);
      this.set(TEXT_LENGTH, bytes.length);
    }
    this.add(FAILURES);
  }

  /** "" while nothing failed. */
  failure() {
    const count = this.get(FAILURES);
    if (count === 0) return "";
    return `${count} failed checks, first: ${new TextDecoder().decode(this.text.slice(0, Math.max(0, this.get(TEXT_LENGTH))))}`;
  }

  /** Sleeps, unless asked to rest or stop meanwhile. */
  pause(ms) {
    if (this.get(PAUSE) === 0 && !this.stopped) Atomics.wait(this.words, PAUSE, 0, ms);
  }

  /** Sleeps while PAUSE is set; `before` runs once on the way to bed. */
  restIfAsked(before) {
    if (this.get(PAUSE) === 0) return;
    before?.();
    this.add(RESTING, 1);
    while (this.get(PAUSE) !== 0) Atomics.wait(this.words, PAUSE, 1, 1000);
    this.add(RESTING, -1);
  }
}

/** Small fast generator (xorshift). */
export class Random {
  constructor(seed) {
    this.state = Math.imul(seed | 1, 0x9e3779b1) | 1;
  }

  next() {
    let x = this.state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.state = x;
    return x >>> 0;
  }

  below(n) {
    return this.next() % n;
  }
}

// -- stamps ------------------------------------------------------------------------------------------------
// word 0 = owner, word 1 = serial, all others follow from both: whoever finds an object can check all of it.

function filler(owner, serial, word) {
  return (Math.imul(owner ^ Math.imul(serial, 0x9e3779b1), 0x85ebca6b) + Math.imul(word, 0xc2b2ae35)) | 1;
}

export function stamp(i32, offset, bytes, owner, serial) {
  const base = offset >>> 2;
  i32[base] = owner;
  i32[base + 1] = serial;
  for (let w = 2; w < bytes >>> 2; w++) i32[base + w] = filler(owner, serial, w);
}

/** Stamps the first two words and the last: what tight loops can afford. A full stamp has the same words there. */
export function stampEnds(i32, offset, bytes, owner, serial) {
  const base = offset >>> 2;
  const last = (bytes >>> 2) - 1;
  i32[base] = owner;
  i32[base + 1] = serial;
  i32[base + last] = filler(owner, serial, last);
}

/** Whether first and last words belong together. */
export function endsMatch(i32, offset, bytes) {
  const base = offset >>> 2;
  const last = (bytes >>> 2) - 1;
  return i32[base + last] === filler(i32[base], i32[base + 1], last);
}

/** "" when the whole object carries one stamp (that of `owner` and `serial`, when given). */
export function stampProblem(i32, offset, bytes, owner, serial) {
  const base = offset >>> 2;
  const foundOwner = i32[base];
  const foundSerial = i32[base + 1];
  if (owner !== undefined && (foundOwner !== owner || foundSerial !== serial)) {
    return `object at ${offset} (${bytes} bytes) is stamped ${foundOwner}/${foundSerial} instead of ${owner}/${serial}`;
  }
  for (let w = 2; w < bytes >>> 2; w++) {
    if (i32[base + w] !== filler(foundOwner, foundSerial, w)) {
      return `object ${foundOwner}/${foundSerial} at ${offset} (${bytes} bytes) is damaged at byte ${w * 4}: ${i32[base + w]}`;
    }
  }
  return "";
}

// -- mailboxes ---------------------------------------------------------------------------------------------

/** Cells that hold one handle each. Swapping is atomic, so a handle has one holder, and publishes the object's bytes. */
export class Mailbox {
  constructor(buffer) {
    this.cells = new BigInt64Array(buffer);
  }

  /** Puts `handle` (0: nothing) into a cell; returns what was there. */
  swap(cell, handle) {
    return Number(Atomics.exchange(this.cells, cell % this.cells.length, BigInt(handle)));
  }
}

export function newMailbox(cells) {
  return new SharedArrayBuffer(cells * 8);
}
