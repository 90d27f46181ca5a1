/**
 * Recording and reading counter cells: 64 bits wide to the reader, never torn, single writer.
 *
 *   cell + 0  lo         low 32 bits, plain stores
 *   cell + 1  announced  high half, stored before lo wraps
 *   cell + 2  done       high half, stored after lo wrapped
 *
 * A reader takes done, lo, announced in that order (all `Atomics`): equal halves mean that no wrap began
 * before the last read and none was unfinished at the first, so lo belongs to that high half.
 * JavaScript promises no untorn plain 64-bit access; 32-bit words are never torn.
 */
import { loadSeq, storeSeq } from "../memory/atomics.js";

const TWO_31 = 2147483648;
const TWO_32 = 4294967296;

/** Adds `amount` (0..2^31) to a cell of the calling thread's own shard. */
export function count(m: Int32Array, cell: number, amount: number): void {
  const before = m[cell] as number;
  const lo = (before + amount) | 0;
  if (lo >>> 0 < before >>> 0) carry(m, cell, lo);
  else m[cell] = lo;
}

/** Adds a whole number of any safe size; nothing where it is below 1 or no number. A reader may see it in two parts. */
export function countLarge(m: Int32Array, cell: number, amount: number): void {
  if (!(amount >= 1)) return;
  if (amount < TWO_31) {
    count(m, cell, amount);
    return;
  }
  let lo = (m[cell] as number) >>> 0;
  let rest = Math.min(amount, 2 ** 62);
  // The low word must wrap from its upper half to its lower one: that tells how far a writer got that died in it.
  if (lo < TWO_31) {
    rest -= TWO_31 - lo;
    lo = TWO_31;
    m[cell] = lo;
  }
  let highs = Math.floor(rest / TWO_32);
  lo += rest - highs * TWO_32;
  if (lo >= TWO_32) {
    lo -= TWO_32;
    highs++;
  }
  if (highs > 0) carry(m, cell, lo < TWO_31 ? lo : 0, highs);
  m[cell] = lo;
}

/** Wraps the low word, `highs` times: the order of the three stores is what a reader relies on. */
export function carry(m: Int32Array, cell: number, lo: number, highs = 1): void {
  const high = ((m[cell + 2] as number) + highs) | 0;
  storeSeq(m, cell + 1, high);
  storeSeq(m, cell, lo);
  storeSeq(m, cell + 2, high);
}

/** Completes a carry whose writer died in it: until then a reader has to guess. For whoever holds the cell's seat. */
export function finishCarry(m: Int32Array, cell: number): void {
  if (m[cell + 1] !== m[cell + 2] && (m[cell] as number) >>> 0 < 0x80000000) {
    storeSeq(m, cell + 2, m[cell + 1] as number);
  }
}

/** Lets a counter grow until its low word is `target`. For the reaper of the thread that was about to count. */
export function reach(m: Int32Array, cell: number, target: number): void {
  finishCarry(m, cell);
  count(m, cell, (target - (m[cell] as number)) >>> 0);
}

/**
 * Reads a cell from any thread without a lock; exact up to 2^53. A writer that died between the stores of
 * a wrap leaves the halves unequal for good, so after a few tries the lower half-pair decides.
 */
export function readCounter(m: Int32Array, cell: number): number {
  for (let attempt = 0; attempt < 4; attempt++) {
    const done = loadSeq(m, cell + 2);
    const lo = loadSeq(m, cell) >>> 0;
    if (loadSeq(m, cell + 1) === done) return (done >>> 0) * TWO_32 + lo;
  }
  const done = loadSeq(m, cell + 2) >>> 0;
  const lo = loadSeq(m, cell) >>> 0;
  // Wrap announced but not done: a small lo has wrapped already.
  return (lo < TWO_31 ? loadSeq(m, cell + 1) >>> 0 : done) * TWO_32 + lo;
}
