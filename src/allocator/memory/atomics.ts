/**
 * The one door to `Atomics`.
 *
 * Names state the ordering. All of these are sequentially consistent (JavaScript has nothing weaker);
 * a plain `m[i]` elsewhere in the sources is always an owner-only word, a hint, or a read whose staleness
 * is argued at the line. Because every synchronising access goes through this file, a test can replace it
 * and drive the shipped sources one access at a time.
 */

/** Reads a word in the total order. Plain reads after it are not early; it publishes nothing. */
export function loadSeq(m: Int32Array, i: number): number {
  return Atomics.load(m, i);
}

/**
 * Reads a word up to `looks` times, until it is no longer `value`; answers whether it changed. For what another thread
 * finishes soon, and where failing is the alternative.
 */
export function changesSeq(m: Int32Array, i: number, value: number, looks: number): boolean {
  for (let look = 0; look < looks; look++) {
    if (Atomics.load(m, i) !== value) return true;
  }
  return false;
}

/** Writes a word in the total order and publishes every earlier plain store of this thread. */
export function storeSeq(m: Int32Array, i: number, value: number): void {
  Atomics.store(m, i, value);
}

/** Compare-and-swap; answers whether this thread made the change. Publishes earlier plain stores either way. */
export function casSeq(m: Int32Array, i: number, expected: number, next: number): boolean {
  return Atomics.compareExchange(m, i, expected, next) === expected;
}

/** Sets bits; returns the word before. */
export function orSeq(m: Int32Array, i: number, bits: number): number {
  return Atomics.or(m, i, bits);
}

/** Keeps only `bits`; returns the word before. */
export function andSeq(m: Int32Array, i: number, bits: number): number {
  return Atomics.and(m, i, bits);
}

/** Adds; returns the word before. */
export function addSeq(m: Int32Array, i: number, amount: number): number {
  return Atomics.add(m, i, amount);
}

/** Swaps in a value; returns the word before. */
export function exchangeSeq(m: Int32Array, i: number, value: number): number {
  return Atomics.exchange(m, i, value);
}
