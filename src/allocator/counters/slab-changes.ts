/**
 * How many slabs are in use, exact however threads die.
 *
 * Each seat counts in SEAT_COMMITTED the slabs it has taken minus those it has given back (below 0 where it gave back
 * what others took); the sum over all seats is the number of slabs that are not FREE. A tag and a count cannot change
 * in one step, so whoever is about to change the tag leaves a note of what the counts will be then:
 *
 *   note | CAS of the tag | counts as noted | note withdrawn
 *
 * All plain stores; the CAS publishes the note. Its thread may vanish anywhere: the tag tells the reaper whether the CAS
 * was made, because nobody but the reaper takes a slab from a dead owner, and bringing counts to noted values
 * twice does no harm. Never in a note that nobody can tell: a slab that is only CLAIMED counts as not taken.
 */
import { loadSeq } from "../memory/atomics.js";
import { type Layout, seatAt } from "../memory/layout.js";
import {
  SEAT_CHANGE_CELL,
  SEAT_CHANGE_COMMITTED,
  SEAT_CHANGE_RECORD,
  SEAT_CHANGE_TARGET,
  SEAT_COMMITTED,
  SLAB_TAG,
} from "../memory/offsets.js";
import { isHeldBy } from "../words/slab-tag.js";
import { count, reach } from "./record.js";

/**
 * Call before the CAS that makes a slab, or the head of a run, this seat's (`slabs` above 0) or takes it from this seat
 * (below 0). `cell` counts them.
 */
export function noteChange(
  m: Int32Array,
  seatBase: number,
  record: number,
  slabs: number,
  cell: number,
): void {
  m[seatBase + SEAT_CHANGE_COMMITTED] = (m[seatBase + SEAT_COMMITTED] as number) + slabs;
  m[seatBase + SEAT_CHANGE_CELL] = cell;
  m[seatBase + SEAT_CHANGE_TARGET] = ((m[cell] as number) + Math.abs(slabs)) | 0;
  // Last: a note that is there is whole.
  m[seatBase + SEAT_CHANGE_RECORD] = slabs > 0 ? record : -record;
}

/** Call after it: counts what the note says. */
export function countChange(m: Int32Array, seatBase: number, slabs: number): void {
  m[seatBase + SEAT_COMMITTED] = m[seatBase + SEAT_CHANGE_COMMITTED] as number;
  count(m, m[seatBase + SEAT_CHANGE_CELL] as number, slabs);
  m[seatBase + SEAT_CHANGE_RECORD] = 0;
}

/** For the reaper of a seat, before it touches the seat's slabs. */
export function finishChange(m: Int32Array, seat: number, seatBase: number): void {
  const noted = m[seatBase + SEAT_CHANGE_RECORD] as number;
  if (noted === 0) return;
  const held = isHeldBy(loadSeq(m, Math.abs(noted) + SLAB_TAG), seat);
  if (held === noted > 0) {
    m[seatBase + SEAT_COMMITTED] = m[seatBase + SEAT_CHANGE_COMMITTED] as number;
    reach(m, m[seatBase + SEAT_CHANGE_CELL] as number, m[seatBase + SEAT_CHANGE_TARGET] as number);
  }
  m[seatBase + SEAT_CHANGE_RECORD] = 0;
}

/** Slabs in use, from any thread; it may lag behind changes under way. */
export function committedSlabs(m: Int32Array, layout: Layout): number {
  let slabs = 0;
  for (let seat = 1; seat <= layout.maxWorkers; seat++)
    slabs += loadSeq(m, seatAt(layout, seat) + SEAT_COMMITTED);
  return Math.max(0, slabs);
}
