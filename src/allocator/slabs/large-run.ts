/**
 * Objects larger than the largest size class: runs of contiguous slabs.
 *
 *   head   FREE -> CLAIMED(me) -> LARGE(me)      carries owner, era, length; its slot 0 is the object's slot
 *   tails  FREE -> TAIL(head)                    carry the head's index and no owner
 *
 * The head is claimed first and the tails in ascending order, so of several overlapping claimers the one with
 * the highest head always gets through. When giving back, the head leaves LARGE before any tail is touched
 * and becomes FREE last: nobody ever sees a LARGE head with missing tails, and a tail always has somebody
 * responsible for it.
 */

import { noteRecycled } from "../counters/epoch-facts.js";
import {
  C_CACHE_MISS,
  C_CLAIM_RETRIES,
  C_NEW_SLAB,
  C_RECYCLED,
  C_REUSED,
  COUNT_ALLOC,
} from "../counters/fields.js";
import { count } from "../counters/record.js";
import { countChange, noteChange } from "../counters/slab-changes.js";
import { foldCounts, startCounts } from "../counters/slab-counts.js";
import { casSeq, loadSeq, storeSeq } from "../memory/atomics.js";
import { type Attachment, loseSeat } from "../memory/attachment.js";
import { binAt, recordAt, slabOfRecord } from "../memory/layout.js";
import {
  LARGE_CLASS,
  REC_BASE,
  SLAB_BIN,
  SLAB_CARVED,
  SLAB_COUNTS,
  SLAB_ERA,
  SLAB_FAST_OWNER,
  SLAB_HEAD,
  SLAB_LAST_CLASS,
  SLAB_OBJECT_SIZE,
  SLAB_PARTIAL_NEXT,
  SLAB_RUN,
  SLAB_SIZE_SHIFT,
  SLAB_SLOTS,
  SLAB_TAG,
} from "../memory/offsets.js";
import { EPOCH_ACTIVE, packRec, ringOf } from "../words/epoch-word.js";
import { packTag, packTail, TAG_CLAIMED, TAG_FREE, TAG_LARGE, tagRing } from "../words/slab-tag.js";
import { SLOT_ALLOC, SLOT_FREE, SLOT_STATE_MASK } from "../words/slot-word.js";
import { clearFree, findFreeRun, setFree } from "./free-map.js";
import {
  classShard,
  epochShard,
  firstSlot,
  linkOwn,
  NOT_LISTED,
  noteEra,
  noteGivenBack,
  unlinkOwn,
} from "./slab.js";
import { useSlabs } from "./use.js";

export const RUN_NONE = -1;
export const RUN_CLOSED = -2;
/** The head's only slot has used up its generations. */
const HEAD_RETIRED = -3;

/**
 * Claims a run of `length` slabs where the free map shows one; returns its head slab, RUN_NONE when no run could
 * be had, or RUN_CLOSED. On success the object is live: its slot word is the head's first.
 */
export function claimRun(a: Attachment, length: number, era: number): number {
  const { layout } = a;
  let end = layout.slabCount;
  while (end >= length) {
    const head = findFreeRun(a.m, layout, length, end);
    if (head < 0) return RUN_NONE;
    const taken = tryRun(a, head, length, era);
    if (taken === length) return head;
    if (taken === RUN_CLOSED) return RUN_CLOSED;
    // A retired head can be a tail. Otherwise the slab at head + taken is not ours to have: look below it.
    end = taken === HEAD_RETIRED ? head + length - 1 : head + taken;
  }
  return RUN_NONE;
}

/**
 * Claims exactly [head, head + length); returns `length`, or how many were free before the conflict, or RUN_CLOSED,
 * or HEAD_RETIRED.
 */
export function tryRun(a: Attachment, head: number, length: number, era: number): number {
  const { m, layout } = a;
  const record = recordAt(head);
  const ring = ringOf(era);
  const shard = binAt(layout, a.seat, layout.classCount);
  const claimed = packTag(TAG_CLAIMED, a.seat, LARGE_CLASS, ring);
  if (!casSeq(m, record + SLAB_TAG, TAG_FREE, claimed)) {
    count(m, shard + C_CLAIM_RETRIES, 1);
    return 0;
  }
  clearFree(m, layout, head);
  // Length before tails: a reaper of this claim undoes the tails within it.
  storeSeq(m, record + SLAB_RUN, length);
  storeSeq(m, record + SLAB_ERA, era);
  const slotWord = firstSlot(a, record);
  const word = m[slotWord] as number;
  const retired = (word & SLOT_STATE_MASK) !== SLOT_FREE;
  startCounts(m, record, shard);
  noteEra(m, record, era);
  let taken = 1;
  const tail = packTail(head);
  while (!retired && taken < length) {
    if (!casSeq(m, recordAt(head + taken) + SLAB_TAG, TAG_FREE, tail)) break;
    clearFree(m, layout, head + taken);
    taken++;
  }
  const closed = !retired && taken === length && loadSeq(m, REC_BASE + ring) !== packRec(era, EPOCH_ACTIVE);
  if (retired || closed || taken < length) {
    if (!retired && !closed) count(m, shard + C_CLAIM_RETRIES, 1);
    freeTails(m, a.layout, head, taken);
    if (!casSeq(m, record + SLAB_TAG, claimed, TAG_FREE)) loseSeat(a);
    else setFree(m, layout, head);
    if (retired) return HEAD_RETIRED;
    return closed ? RUN_CLOSED : taken;
  }
  const fresh = useSlabs(a, head, length, shard);
  noteChange(m, a.seatBase, record, length, shard + C_NEW_SLAB);
  if (!casSeq(m, record + SLAB_TAG, claimed, packTag(TAG_LARGE, a.seat, LARGE_CLASS, ring))) {
    loseSeat(a);
    return RUN_CLOSED;
  }
  countChange(m, a.seatBase, length);
  setUpRun(a, record, ring);
  // ALLOC after LARGE: a claim undone by a reaper must not leave an object in a FREE slab.
  m[record + SLAB_COUNTS] = (m[record + SLAB_COUNTS] as number) + COUNT_ALLOC;
  m[slotWord] = word + SLOT_ALLOC;
  count(m, shard + C_CACHE_MISS, fresh);
  count(m, shard + C_REUSED, length - fresh);
  return length;
}

/** Owner words of a run this thread has taken or adopted. */
export function setUpRun(a: Attachment, record: number, ring: number): void {
  const { m } = a;
  m[record + SLAB_HEAD] = 0;
  m[record + SLAB_CARVED] = 0;
  m[record + SLAB_BIN] = 0;
  m[record + SLAB_SLOTS] = 0;
  m[record + SLAB_PARTIAL_NEXT] = NOT_LISTED;
  m[record + SLAB_FAST_OWNER] = 0;
  m[record + SLAB_OBJECT_SIZE] = 0;
  m[record + SLAB_SIZE_SHIFT] = -1;
  linkOwn(a, record, ring);
}

/** Slabs of the own run at `head`: as many as it says, but none that is not its tail, since all of them are overwritten. */
function runLength({ m, layout }: Attachment, head: number): number {
  const end = Math.min(head + loadSeq(m, recordAt(head) + SLAB_RUN), layout.slabCount);
  const tail = packTail(head);
  let slab = head + 1;
  while (slab < end && m[recordAt(slab) + SLAB_TAG] === tail) slab++;
  return slab - head;
}

/** Gives an own run back; its object's slot word is FREE or RETIRED already. */
export function releaseRun(a: Attachment, record: number): void {
  const { m, layout } = a;
  const tag = m[record + SLAB_TAG] as number;
  const head = slabOfRecord(record);
  const length = runLength(a, head);
  const era = m[record + SLAB_ERA] as number;
  unlinkOwn(a, record, tagRing(tag));
  if (layout.zeroOnFree) {
    const at = layout.payloadOffset + head * layout.slabSize;
    a.u8.fill(0, at, at + length * layout.slabSize);
  }
  const shard = classShard(a, tag);
  foldCounts(m, a.seatBase, record, shard);
  const claimed = packTag(TAG_CLAIMED, a.seat, LARGE_CLASS, tagRing(tag));
  noteChange(m, a.seatBase, record, -length, shard + C_RECYCLED);
  if (!casSeq(m, record + SLAB_TAG, tag, claimed)) {
    loseSeat(a);
    return;
  }
  countChange(m, a.seatBase, length);
  // For whoever releases the pages; a tail's words are its head's holder's. Published with each tag.
  for (let slab = head; slab < head + length; slab++) {
    m[recordAt(slab) + SLAB_LAST_CLASS] = layout.classCount;
    m[recordAt(slab) + SLAB_ERA] = era;
  }
  freeTails(m, layout, head, length);
  if (casSeq(m, record + SLAB_TAG, claimed, TAG_FREE)) setFree(m, layout, head);
  a.exhaustedPhase = Number.NaN;
  noteGivenBack(a, length);
  noteRecycled(m, epochShard(a, tagRing(tag)), era, length);
}

/** Frees the tails [head + 1, head + length) that still belong to `head`. */
export function freeTails(m: Int32Array, layout: Attachment["layout"], head: number, length: number): void {
  const tail = packTail(head);
  const end = Math.min(head + length, layout.slabCount);
  for (let slab = head + 1; slab < end; slab++) {
    if (casSeq(m, recordAt(slab) + SLAB_TAG, tail, TAG_FREE)) setFree(m, layout, slab);
  }
}
