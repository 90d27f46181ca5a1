/**
 * Free map: which slabs are probably FREE. Hints only; the tags are the truth.
 *
 * Level 0 has a bit per slab, level k+1 a bit per word of level k ("some bit in there is set"), so a free slab
 * is found in a handful of reads however large and full the heap is. All writes are atomic OR/AND. A bit is
 * set after its slab became FREE and cleared only by the thread that claimed the slab: a loser of the claim
 * must not clear it, or a slab freed in between is forgotten. A thread killed between the two steps leaves
 * a wrong hint, never a wrong tag: a set bit costs a failed claim, a missing one is repaired by deep syncs and
 * by the tag scan that precedes out-of-memory.
 */
import { andSeq, loadSeq, orSeq } from "../memory/atomics.js";
import { lowestBit } from "../memory/bits.js";
import type { Layout } from "../memory/layout.js";

/** Announces a FREE slab. Call after the tag says FREE. */
export function setFree(m: Int32Array, layout: Layout, slab: number): void {
  raise(m, layout, 0, slab);
}

function raise(m: Int32Array, layout: Layout, fromLevel: number, bit: number): void {
  let i = bit;
  for (let level = fromLevel; level < layout.freeLevels.length; level++) {
    const before = orSeq(m, (layout.freeLevels[level] as number) + (i >> 5), 1 << (i & 31));
    // Whoever made the word non-zero raises the level above.
    if (before !== 0) return;
    i >>= 5;
  }
}

/** Sets the hint and every summary above it, also where a killed thread left one out. */
export function repairFree(m: Int32Array, layout: Layout, slab: number): void {
  let i = slab;
  for (let level = 0; level < layout.freeLevels.length; level++) {
    orSeq(m, (layout.freeLevels[level] as number) + (i >> 5), 1 << (i & 31));
    i >>= 5;
  }
}

/** Withdraws the hint of a slab this thread has just claimed. */
export function clearFree(m: Int32Array, layout: Layout, slab: number): void {
  let i = slab;
  for (let level = 0; level < layout.freeLevels.length; level++) {
    const bit = 1 << (i & 31);
    const word = (layout.freeLevels[level] as number) + (i >> 5);
    const left = andSeq(m, word, ~bit) & ~bit;
    if (level > 0) {
      // A bit set below between our two clears saw this bit still set and left it to us: look again, also where
      // other bits of the word remain.
      const below = (layout.freeLevels[level - 1] as number) + i;
      if (loadSeq(m, below) !== 0) {
        raise(m, layout, level, i);
        return;
      }
    }
    if (left !== 0) return;
    i >>= 5;
  }
}

/**
 * True when a search finds the hint of `slab` (plain reads): its bit and every summary bit above it. A thread killed
 * between two levels leaves a bit that no search gets to.
 */
export function hasFreeHint(m: Int32Array, layout: Layout, slab: number): boolean {
  let i = slab;
  for (let level = 0; level < layout.freeLevels.length; level++) {
    const word = m[(layout.freeLevels[level] as number) + (i >> 5)] as number;
    if (((word >>> (i & 31)) & 1) === 0) return false;
    i >>= 5;
  }
  return true;
}

/** Bits of a level's last word that stand for nothing. */
function tailBits(layout: Layout, level: number): number {
  const bits = level === 0 ? layout.slabCount : (layout.freeLevelWords[level - 1] as number);
  return (bits & 31) === 0 ? 0 : -1 << (bits & 31);
}

function lastWord(layout: Layout, level: number): number {
  return (layout.freeLevels[level] as number) + (layout.freeLevelWords[level] as number) - 1;
}

/** Lowest level with a bit that stands for no slab, or -1. */
export function levelWithTailBits(m: Int32Array, layout: Layout): number {
  return layout.freeLevels.findIndex(
    (_, level) => (loadSeq(m, lastWord(layout, level)) & tailBits(layout, level)) !== 0,
  );
}

/** Clears them. A summary bit above may stay: a hint like any other. */
export function clearTailBits(m: Int32Array, layout: Layout): void {
  for (let level = 0; level < layout.freeLevels.length; level++) {
    const tail = tailBits(layout, level);
    if ((loadSeq(m, lastWord(layout, level)) & tail) !== 0) andSeq(m, lastWord(layout, level), ~tail);
  }
}

/** Lowest hinted slab that is at least `from`, or -1. */
export function findFree(m: Int32Array, layout: Layout, from: number): number {
  const top = layout.freeLevels.length - 1;
  let level = 0;
  let i = from;
  for (;;) {
    const word = i >> 5;
    if (word >= (layout.freeLevelWords[level] as number)) return -1;
    const bits = (m[(layout.freeLevels[level] as number) + word] as number) & (-1 << (i & 31));
    if (bits !== 0) {
      i = (word << 5) + lowestBit(bits);
      // The last word has bits that stand for no slab; nothing sets them but a stray write.
      if (level === 0) return i < layout.slabCount ? i : -1;
      level--;
      i <<= 5;
    } else {
      if (level === top) return -1;
      level++;
      i = word + 1;
    }
  }
}

/**
 * First slab of the highest run of `length` hinted slabs that ends below `end`, or -1.
 *
 * Runs are taken from the top of the heap and single slabs from the bottom, so that the two mix late.
 * Full words are crossed 32 slabs at a time, and where the summary shows nothing free, 1024 at a time.
 */
export function findFreeRun(m: Int32Array, layout: Layout, length: number, end: number): number {
  const base = layout.freeLevels[0] as number;
  const summary = layout.freeLevels[1];
  let run = 0;
  let word = (end - 1) >> 5;
  let mask = end & 31 ? (1 << (end & 31)) - 1 : -1;
  while (word >= 0) {
    const bits = (m[base + word] as number) & mask;
    mask = -1;
    if (bits === -1) {
      run += 32;
      if (run >= length) return word * 32 + run - length;
    } else if (bits === 0) {
      run = 0;
      if (summary !== undefined && (word & 31) === 31 && m[summary + (word >> 5)] === 0) word -= 31;
    } else {
      // Walk the stretches of ones and zeros from the top bit down.
      let at = 32;
      while (at > 0) {
        const rest = bits << (32 - at);
        const ones = Math.min(Math.clz32(~rest), at);
        run += ones;
        if (run >= length) return word * 32 + at - ones + run - length;
        at -= ones;
        if (at === 0) break;
        run = 0;
        at -= Math.min(Math.clz32(bits << (32 - at)), at);
      }
    }
    word--;
  }
  return -1;
}
