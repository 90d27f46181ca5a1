/** What is done after every 1024th allocation of a slab, by the fast path and the slow one. */
import { FOLD_MASK } from "../counters/fields.js";
import { foldCounts } from "../counters/slab-counts.js";
import type { Attachment } from "../memory/attachment.js";
import { PHASE, SEAT_PHASE, SLAB_BIN, SLAB_COUNTS } from "../memory/offsets.js";

/**
 * Folds the counts of the slab every fourth time, and sees to it that the thread's next allocation is measured if it
 * samples: with SEAT_PHASE one behind, that one leaves the fast path (as does a free before it, to no effect).
 */
export function afterTick(a: Attachment, record: number): void {
  const { m, sampler } = a;
  if (((m[record + SLAB_COUNTS] as number) & FOLD_MASK) === 0) {
    foldCounts(m, a.seatBase, record, m[record + SLAB_BIN] as number);
  }
  if (sampler === undefined || --sampler.allocTicksLeft > 0) return;
  sampler.allocTicksLeft = sampler.allocTicks;
  const phase = m[a.seatBase + SEAT_PHASE] as number;
  // Behind already: the next operation has to sync, and whatever it takes is not that of an allocation.
  if (a.armed || phase !== m[PHASE]) return;
  a.phaseHonoured = phase;
  a.armed = true;
  m[a.seatBase + SEAT_PHASE] = (phase - 1) | 0;
}

/** Ends the wait for an allocation to measure; false when there was none. */
export function disarm(a: Attachment): boolean {
  if (!a.armed) return false;
  a.armed = false;
  a.m[a.seatBase + SEAT_PHASE] = a.phaseHonoured;
  return true;
}
