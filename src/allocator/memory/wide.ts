/** Whole numbers up to 2^53 in two words, low half first. Not untorn by themselves: what guards them is said where they lie. */
import { loadSeq } from "./atomics.js";

const TWO_32 = 4294967296;

export function storeWide(m: Int32Array, at: number, value: number): void {
  m[at] = value | 0;
  m[at + 1] = Math.floor(value / TWO_32);
}

export function loadWide(m: Int32Array, at: number): number {
  return (loadSeq(m, at + 1) >>> 0) * TWO_32 + (loadSeq(m, at) >>> 0);
}
