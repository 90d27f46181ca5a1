/** Objects that another thread has freed and the owner has not taken back yet. */
import { loadSeq } from "../memory/atomics.js";
import { type Layout, seatAt } from "../memory/layout.js";
import { SLAB_CARVED } from "../memory/offsets.js";
import { TAG_LARGE, TAG_ORPHANED, tagOwner, tagState } from "./slab-tag.js";

/**
 * Counts them in one slab whose tag was read as `tag`: from any thread, at most `slots` loads. Only a slab whose owner
 * was told, or that has no owner, can have any; all others cost one load.
 */
export function countRemoteFreed(
  m: Int32Array,
  layout: Layout,
  slab: number,
  record: number,
  tag: number,
  slots: number,
): number {
  const owner = tagOwner(tag);
  // No such seat: the tag was overwritten, and nobody was told of anything.
  if (owner > layout.maxWorkers) return 0;
  if (owner !== 0) {
    const pending = loadSeq(m, seatAt(layout, owner) + layout.seatPending + (slab >> 5));
    if ((pending & (1 << (slab & 31))) === 0) return 0;
  }
  const first = layout.slotBase + (slab << layout.slotsShift);
  const state = tagState(tag);
  const carved = state === TAG_ORPHANED || state === TAG_LARGE ? slots : loadSeq(m, record + SLAB_CARVED);
  const end = first + Math.max(0, Math.min(slots, carved));
  let freed = 0;
  // Plain reads: a slot that changes meanwhile may be seen before or after. REMOTE_FREED is binary 10; without a branch,
  // as there may be millions to look at.
  for (let slot = first; slot < end; slot++) {
    const word = m[slot] as number;
    freed += (word >>> 1) & ~word & 1;
  }
  return freed;
}
