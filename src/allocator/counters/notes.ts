/** Are a dead seat's notes (slab-counts.ts, slab-changes.ts) such as its thread can have left? */
import { loadSeq } from "../memory/atomics.js";
import { binAt, isRecord, type Layout, seatAt } from "../memory/layout.js";
import {
  SEAT_CHANGE_CELL,
  SEAT_CHANGE_RECORD,
  SEAT_COMMIT_CELL,
  SEAT_COMMIT_RECORD,
  SEAT_COMMIT_SHARD,
  SLAB_TAG,
} from "../memory/offsets.js";
import { isHeldBy } from "../words/slab-tag.js";
import { C_DISCARDED, C_NEW_SLAB, C_RECYCLED, C_REMOTE_COLLECTED, CLASS_SHARD_WORDS } from "./fields.js";

/**
 * Drops those that are not: completing a note stores where it says, and after a stray write to it that may be anywhere.
 * For the reaper, before it completes them. What is lost with a note is one step of the statistics.
 */
export function dropDamagedNotes(m: Int32Array, layout: Layout, seat: number): void {
  const base = seatAt(layout, seat);
  if (m[base + SEAT_COMMIT_RECORD] !== 0 && !isCommit(m, layout, seat)) m[base + SEAT_COMMIT_RECORD] = 0;
  if (m[base + SEAT_CHANGE_RECORD] !== 0 && !isChange(m, layout, seat)) m[base + SEAT_CHANGE_RECORD] = 0;
}

function isCommit(m: Int32Array, layout: Layout, seat: number): boolean {
  const base = seatAt(layout, seat);
  const record = m[base + SEAT_COMMIT_RECORD] as number;
  const cell = m[base + SEAT_COMMIT_CELL] as number;
  return (
    isRecord(layout, record) &&
    // Whoever commits holds the slab, and a dead seat's slabs are its own until its notes are done.
    isHeldBy(loadSeq(m, record + SLAB_TAG), seat) &&
    isClassShard(layout, seat, m[base + SEAT_COMMIT_SHARD] as number) &&
    (cell === 0 || cell === C_REMOTE_COLLECTED || cell === C_DISCARDED)
  );
}

function isChange(m: Int32Array, layout: Layout, seat: number): boolean {
  const base = seatAt(layout, seat);
  const noted = m[base + SEAT_CHANGE_RECORD] as number;
  const cell = m[base + SEAT_CHANGE_CELL] as number;
  return (
    isRecord(layout, Math.abs(noted)) &&
    isClassShard(layout, seat, cell - (noted > 0 ? C_NEW_SLAB : C_RECYCLED))
  );
}

function isClassShard(layout: Layout, seat: number, word: number): boolean {
  const at = word - binAt(layout, seat, 0);
  return at >= 0 && at <= layout.classCount * CLASS_SHARD_WORDS && at % CLASS_SHARD_WORDS === 0;
}
