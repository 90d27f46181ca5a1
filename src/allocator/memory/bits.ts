/** Small arithmetic on powers of two and 32-bit words. */

/** Smallest multiple of `unit` that is at least `value`. Exact up to 2^53. */
export function alignUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}

/** True for 1, 2, 4, 8, ... */
export function isPowerOfTwo(value: number): boolean {
  return value > 0 && Number.isInteger(Math.log2(value));
}

/** Exponent of the smallest power of two that is at least `value` (1..2^31). */
export function log2Ceil(value: number): number {
  return value <= 1 ? 0 : 32 - Math.clz32(value - 1);
}

/** Index of the lowest set bit; the word must not be 0. */
export function lowestBit(word: number): number {
  return 31 - Math.clz32(word & -word);
}

/** Number of set bits. */
export function popcount(word: number): number {
  let v = word - ((word >>> 1) & 0x55555555);
  v = (v & 0x33333333) + ((v >>> 2) & 0x33333333);
  return (((v + (v >>> 4)) & 0x0f0f0f0f) * 0x01010101) >>> 24;
}
