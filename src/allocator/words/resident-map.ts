/**
 * Resident map: a bit per slab, "its pages may be resident".
 *
 * Changed only by who holds the slab's tag (claimed, owned or releasing), so a holder's plain read of its slab's bit is
 * exact: whoever held the slab before changed the bit before its CAS of the tag. Other slabs' bits in the word change at
 * any time, hence the atomic OR and AND. The bit goes on before anything is written to the payload, and off only after
 * the pages were released, before the slab is FREE again: a slab with resident pages never goes unnoticed, however
 * threads die. One that died in between leaves the bit on over released pages, which costs one more call.
 *
 * A FREE slab whose bit is on is *warm*: taking it costs no page faults, and releasing it lowers resident memory.
 */
import { andSeq, orSeq } from "../memory/atomics.js";
import { popcount } from "../memory/bits.js";
import type { Layout } from "../memory/layout.js";

/** True when pages of a slab that the caller holds may be resident. */
export function isResident(m: Int32Array, layout: Layout, slab: number): boolean {
  return (((m[layout.residentBase + (slab >> 5)] as number) >>> (slab & 31)) & 1) !== 0;
}

/** For who holds the slab, before it writes to the payload. Returns false when it was on: the usual case, without an atomic. */
export function setResident(m: Int32Array, layout: Layout, slab: number): boolean {
  if (isResident(m, layout, slab)) return false;
  orSeq(m, layout.residentBase + (slab >> 5), 1 << (slab & 31));
  return true;
}

/** For who holds the slab, after its pages were released and before it is FREE. */
export function clearResident(m: Int32Array, layout: Layout, slab: number): void {
  andSeq(m, layout.residentBase + (slab >> 5), ~(1 << (slab & 31)));
}

/** The slabs of one word that seem warm: hinted free and resident. Plain reads of what changes at any time. */
function warmBits(m: Int32Array, layout: Layout, word: number): number {
  return (m[(layout.freeLevels[0] as number) + word] as number) & (m[layout.residentBase + word] as number);
}

/** Does the slab seem warm? */
export function isWarm(m: Int32Array, layout: Layout, slab: number): boolean {
  return ((warmBits(m, layout, slab >> 5) >>> (slab & 31)) & 1) !== 0;
}

/** How many slabs are warm, from any thread; near enough while others take slabs or give them back. */
export function countWarm(m: Int32Array, layout: Layout): number {
  const words = layout.freeLevelWords[0] as number;
  const free = layout.freeLevels[0] as number;
  const { residentBase } = layout;
  let warm = 0;
  for (let word = 0; word < words; word++) {
    const bits = (m[free + word] as number) & (m[residentBase + word] as number);
    if (bits !== 0) warm += popcount(bits);
  }
  return warm;
}

/** Highest slab below `end`, at most the number of slabs, that seems warm; or -1. */
export function highestWarm(m: Int32Array, layout: Layout, end: number): number {
  let mask = (end & 31) === 0 ? -1 : (1 << (end & 31)) - 1;
  for (let word = (end - 1) >> 5; word >= 0; word--) {
    const bits = warmBits(m, layout, word) & mask;
    if (bits !== 0) return word * 32 + 31 - Math.clz32(bits);
    mask = -1;
  }
  return -1;
}

/** Every page has been touched: for a heap nobody uses yet. */
export function fillResident(m: Int32Array, layout: Layout): void {
  const words = layout.freeLevelWords[0] as number;
  m.fill(-1, layout.residentBase, layout.residentBase + words);
  if ((layout.slabCount & 31) !== 0) m[layout.residentBase + words - 1] = (1 << (layout.slabCount & 31)) - 1;
}
