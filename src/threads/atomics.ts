/**
 * The door to `Atomics` for the layers above the allocator; same names and meaning as `allocator/memory/atomics.ts`.
 *
 * All of these are sequentially consistent. A plain `m[i]` elsewhere in these layers is a word only its owner writes, or
 * a read whose staleness is argued at the line.
 */

/** Reads a word in the total order. Plain reads after it are not early; it publishes nothing. */
export function loadSeq(m: Int32Array, i: number): number {
  return Atomics.load(m, i);
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
