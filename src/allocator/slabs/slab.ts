/**
 * The owner's work on its slabs: free list, current slab, taking and giving back.
 *
 * Everything in this file except `claimSlab`'s and `recycleSlab`'s tag changes is plain access to words that
 * only the owner writes. The free list of a slab runs through the link words; slots beyond SLAB_CARVED have not
 * been linked yet, so that taking a slab does not cost a pass over all its slots.
 */

import { noteRecycled } from "../counters/epoch-facts.js";
import {
  BIN_CURRENT,
  BIN_PARTIAL,
  C_ACQUIRE_FAILS,
  C_ACQUIRE_TRIES,
  C_CACHE_MISS,
  C_CLAIM_RETRIES,
  C_NEW_SLAB,
  C_RECYCLED,
  C_REUSED,
  C_TO_PARTIAL,
  CLASS_SHARD_WORDS,
  EPOCH_SHARD_WORDS,
  S_REFILLS,
} from "../counters/fields.js";
import { count } from "../counters/record.js";
import { countChange, noteChange } from "../counters/slab-changes.js";
import { foldCounts, startCounts } from "../counters/slab-counts.js";
import { casSeq, loadSeq, storeSeq } from "../memory/atomics.js";
import { type Attachment, loseSeat } from "../memory/attachment.js";
import { isPowerOfTwo } from "../memory/bits.js";
import { damaged } from "../memory/damage.js";
import { binAt, isRecord, recordAt, slabOfRecord } from "../memory/layout.js";
import {
  DUMMY_SLAB,
  LABEL_NONE,
  REC_BASE,
  SEAT_COUNTERS,
  SEAT_GIVEN_BACK,
  SEAT_OWN,
  SEAT_WORD,
  SLAB_BIN,
  SLAB_CARVED,
  SLAB_ERA,
  SLAB_FAST_OWNER,
  SLAB_HEAD,
  SLAB_LABEL,
  SLAB_LAST_CLASS,
  SLAB_OBJECT_SIZE,
  SLAB_OPENED_SEC,
  SLAB_OWN_NEXT,
  SLAB_OWN_PREV,
  SLAB_PARTIAL_NEXT,
  SLAB_SIZE_SHIFT,
  SLAB_SLOTS,
  SLAB_TAG,
} from "../memory/offsets.js";
import { openedAt } from "../words/epoch-table.js";
import { EPOCH_ACTIVE, packRec, ringOf } from "../words/epoch-word.js";
import { isHeldBy, packTag, TAG_CLAIMED, TAG_FREE, TAG_OWNED, tagClass, tagRing } from "../words/slab-tag.js";
import { SLOT_FREE, SLOT_STATE_MASK } from "../words/slot-word.js";
import { clearFree, setFree } from "./free-map.js";
import { useSlabs } from "./use.js";

/** SLAB_PARTIAL_NEXT of a slab that is in no partial list. */
export const NOT_LISTED = -1;

/** Slots linked at a time: bounds the cost of one slow alloc while keeping refills rare. */
const CARVE_SLOTS = 32;

/** Word index of a slab's first slot. */
export function firstSlot(a: Attachment, record: number): number {
  return a.layout.slotBase + (slabOfRecord(record) << a.layout.slotsShift);
}

/** Slots of the slab's class; 0 for a class that does not exist. */
export function slotCount(a: Attachment, tag: number): number {
  return a.layout.classSlots[tagClass(tag)] ?? 0;
}

/** Slots of an own small slab that may be in use. Bounded by its class: whoever goes over them stores into them. */
export function carvedSlots(a: Attachment, record: number, tag: number): number {
  const carved = a.m[record + SLAB_CARVED] as number;
  if (carved >>> 0 > slotCount(a, tag)) damaged(`slab ${slabOfRecord(record)}: ${carved} slots carved`);
  return carved;
}

/**
 * Counter shard of a tag's class in this thread's seat; large runs share one after the last class. Safe for any tag: a
 * remote freer may read one of a slab that was given back since, whose class bits mean something else.
 */
export function classShard(a: Attachment, tag: number): number {
  return binAt(a.layout, a.seat, Math.min(tagClass(tag), a.layout.classCount));
}

/** Counter shard of a ring slot in this thread's seat. */
export function epochShard(a: Attachment, ring: number): number {
  return a.seatBase + a.layout.seatEpochShards + ring * EPOCH_SHARD_WORDS;
}

/** Links a FREE slot at the head of its slab's list. */
export function pushSlot(a: Attachment, record: number, slotWord: number): void {
  a.m[slotWord + a.layout.linkDelta] = a.m[record + SLAB_HEAD] as number;
  a.m[record + SLAB_HEAD] = slotWord;
}

/** Takes the head of the slab's list, or 0. */
export function popSlot(a: Attachment, record: number): number {
  const { m } = a;
  const slotWord = m[record + SLAB_HEAD] as number;
  if (slotWord !== 0) m[record + SLAB_HEAD] = m[slotWord + a.layout.linkDelta] as number;
  return slotWord;
}

/** Links the next few untouched slots, in address order; returns whether the list has any now. */
export function carve(a: Attachment, record: number): boolean {
  const { m } = a;
  const total = m[record + SLAB_SLOTS] as number;
  const first = firstSlot(a, record);
  let carved = m[record + SLAB_CARVED] as number;
  while (m[record + SLAB_HEAD] === 0 && carved < total) {
    if (carved < 0 || total > a.layout.positionMask + 1) {
      damaged(`slab ${slabOfRecord(record)}: ${carved} of ${total} slots carved`);
    }
    const end = Math.min(total, carved + CARVE_SLOTS);
    for (let i = end - 1; i >= carved; i--) {
      if (((m[first + i] as number) & SLOT_STATE_MASK) === SLOT_FREE) pushSlot(a, record, first + i);
    }
    carved = end;
    m[record + SLAB_CARVED] = carved;
    count(m, a.seatBase + SEAT_COUNTERS + S_REFILLS, 1);
  }
  return m[record + SLAB_HEAD] !== 0;
}

/**
 * A full slab of ours got a free slot (callers check that its list was empty before, so it is in no partial
 * list): make it current, so that the next alloc takes the slot just freed, which is still in the cache.
 * The slab that was current waits in the partial list if it has room.
 */
export function noteRoom(a: Attachment, record: number): void {
  const { m } = a;
  const bin = m[record + SLAB_BIN] as number;
  if (bin === 0) return;
  const current = m[bin + BIN_CURRENT] as number;
  if (current === record) return;
  m[bin + BIN_CURRENT] = record;
  count(m, bin + C_TO_PARTIAL, 1);
  // A full slab without untouched slots, the usual case, is simply forgotten until it gets room again.
  if (hasRoom(m, current)) listIfRoom(a, current);
}

/** True when the slab can hand out a slot, possibly after carving. */
export function hasRoom(m: Int32Array, record: number): boolean {
  return m[record + SLAB_HEAD] !== 0 || m[record + SLAB_CARVED] !== m[record + SLAB_SLOTS];
}

/**
 * Lists an own slab that is in no list, unless it is current. Slabs wait with a free list, so one that waits never
 * gets its first free slot.
 */
export function listIfRoom(a: Attachment, record: number): void {
  const { m } = a;
  const bin = m[record + SLAB_BIN] as number;
  if (bin !== 0 && m[bin + BIN_CURRENT] !== record && carve(a, record)) listPartial(a, bin, record);
}

/** Puts an own slab with a free list into its bin's partial list. */
export function listPartial(a: Attachment, bin: number, record: number): void {
  const { m } = a;
  m[record + SLAB_PARTIAL_NEXT] = m[bin + BIN_PARTIAL] as number;
  m[bin + BIN_PARTIAL] = record;
}

/** Takes the first partial slab of a bin and makes it current; returns its record, or 0. */
export function nextPartial(a: Attachment, bin: number): number {
  const { m } = a;
  const record = m[bin + BIN_PARTIAL] as number;
  if (record === 0) return 0;
  if (!isRecord(a.layout, record) || m[record + SLAB_BIN] !== bin) damaged(partialList(a, bin));
  m[bin + BIN_PARTIAL] = m[record + SLAB_PARTIAL_NEXT] as number;
  m[record + SLAB_PARTIAL_NEXT] = NOT_LISTED;
  m[bin + BIN_CURRENT] = record;
  return record;
}

function partialList(a: Attachment, bin: number): string {
  return `seat ${a.seat}'s partial slabs of class ${(bin - a.binBase) / CLASS_SHARD_WORDS}`;
}

/** Forgets current and partial slabs of every class: their epoch is no longer the one we allocate in. */
export function resetBins(a: Attachment): void {
  clearPartials(a);
  for (let c = 0; c <= a.layout.classCount; c++) a.m[binAt(a.layout, a.seat, c) + BIN_CURRENT] = DUMMY_SLAB;
}

/** Empties the partial lists; current slabs stay. */
export function clearPartials(a: Attachment): void {
  const { m, layout } = a;
  for (let c = 0; c <= layout.classCount; c++) {
    const head = binAt(layout, a.seat, c) + BIN_PARTIAL;
    let record = m[head] as number;
    m[head] = 0;
    while (record !== 0) {
      // Ends a circle too: what was listed once is NOT_LISTED, which is no record.
      if (!isRecord(layout, record)) damaged(partialList(a, head - BIN_PARTIAL));
      const next = m[record + SLAB_PARTIAL_NEXT] as number;
      m[record + SLAB_PARTIAL_NEXT] = NOT_LISTED;
      record = next;
    }
  }
}

/** Takes a slab out of its bin (current slab and partial list). */
export function removeFromBin(a: Attachment, record: number): void {
  const { m, layout } = a;
  const bin = m[record + SLAB_BIN] as number;
  if (bin === 0) return;
  if (bin !== classShard(a, m[record + SLAB_TAG] as number)) {
    damaged(`slab ${slabOfRecord(record)}: its bin is ${bin}`);
  }
  if (m[bin + BIN_CURRENT] === record) m[bin + BIN_CURRENT] = DUMMY_SLAB;
  if (m[record + SLAB_PARTIAL_NEXT] !== NOT_LISTED) {
    let link = bin + BIN_PARTIAL;
    for (let left = layout.slabCount; m[link] !== record; left--) {
      if (left === 0) damaged(partialList(a, bin));
      link = (m[link] as number) + SLAB_PARTIAL_NEXT;
    }
    m[link] = m[record + SLAB_PARTIAL_NEXT] as number;
    m[record + SLAB_PARTIAL_NEXT] = NOT_LISTED;
  }
  m[record + SLAB_BIN] = 0;
}

/** Adds a slab to this seat's own list of its ring slot. */
export function linkOwn(a: Attachment, record: number, ring: number): void {
  const { m } = a;
  const head = a.seatBase + SEAT_OWN + ring;
  const next = m[head] as number;
  if (next !== 0 && !isRecord(a.layout, next)) damaged(ownList(a, ring));
  m[record + SLAB_OWN_NEXT] = next;
  m[record + SLAB_OWN_PREV] = 0;
  if (next !== 0) m[next + SLAB_OWN_PREV] = record;
  m[head] = record;
}

export function unlinkOwn(a: Attachment, record: number, ring: number): void {
  const { m } = a;
  const next = m[record + SLAB_OWN_NEXT] as number;
  const previous = m[record + SLAB_OWN_PREV] as number;
  // Both neighbours must name it: what is written through a wrong link could be anything.
  const linked =
    (previous === 0
      ? m[a.seatBase + SEAT_OWN + ring] === record
      : isRecord(a.layout, previous) && m[previous + SLAB_OWN_NEXT] === record) &&
    (next === 0 || (isRecord(a.layout, next) && m[next + SLAB_OWN_PREV] === record));
  if (!linked) damaged(ownList(a, ring));
  if (previous === 0) m[a.seatBase + SEAT_OWN + ring] = next;
  else m[previous + SLAB_OWN_NEXT] = next;
  if (next !== 0) m[next + SLAB_OWN_PREV] = previous;
}

function ownList(a: Attachment, ring: number): string {
  return `seat ${a.seat}'s list of epoch ${ring}`;
}

/**
 * Calls `visit` with every own slab of a ring slot; it may give the slab back. Ends at a link that leads out of the
 * list, or round in it: there is nothing right to do with what follows.
 */
export function forEachOwnIn(a: Attachment, ring: number, visit: (record: number) => void): void {
  const { m, layout } = a;
  let record = m[a.seatBase + SEAT_OWN + ring] as number;
  for (let left = layout.slabCount; record !== 0 && !a.detached; left--) {
    if (left === 0 || !isRecord(layout, record)) damaged(ownList(a, ring));
    if (!isHeldBy(m[record + SLAB_TAG] as number, a.seat)) {
      // Taken from us by a reaper; or never ours.
      if (loadSeq(m, a.seatBase + SEAT_WORD) === a.seatWord) damaged(ownList(a, ring));
      loseSeat(a);
      return;
    }
    const next = m[record + SLAB_OWN_NEXT] as number;
    visit(record);
    record = next;
  }
}

/** Owner words that depend only on the class and on how this heap frees. */
export function setUpOwned(a: Attachment, record: number, classIndex: number, active: boolean): void {
  const { m, layout } = a;
  const size = layout.sizeClasses[classIndex] as number;
  m[record + SLAB_OBJECT_SIZE] = size;
  m[record + SLAB_SIZE_SHIFT] = isPowerOfTwo(size) ? Math.log2(size) : -1;
  m[record + SLAB_SLOTS] = layout.classSlots[classIndex] as number;
  m[record + SLAB_PARTIAL_NEXT] = NOT_LISTED;
  m[record + SLAB_BIN] = active ? binAt(layout, a.seat, classIndex) : 0;
  m[record + SLAB_FAST_OWNER] = active && !layout.zeroOnFree ? a.me : 0;
}

/** What stays known of a slab's era when its ring slot has gone on. For the claimer, while CLAIMED. */
export function noteEra(m: Int32Array, record: number, era: number): void {
  m[record + SLAB_OPENED_SEC] = Math.floor(openedAt(m, era) / 1000);
  m[record + SLAB_LABEL] = LABEL_NONE;
}

export const CLAIM_LOST = 0;
export const CLAIM_WON = 1;
export const CLAIM_CLOSED = 2;

/** Takes a FREE slab for (era, class). On CLAIM_WON the slab is the bin's current one with nothing carved. */
export function claimSlab(a: Attachment, slab: number, classIndex: number, era: number): number {
  const { m, layout } = a;
  const record = recordAt(slab);
  const ring = ringOf(era);
  const bin = binAt(layout, a.seat, classIndex);
  const claimed = packTag(TAG_CLAIMED, a.seat, classIndex, ring);
  count(m, bin + C_ACQUIRE_TRIES, 1);
  if (!casSeq(m, record + SLAB_TAG, TAG_FREE, claimed)) {
    count(m, bin + C_ACQUIRE_FAILS, 1);
    count(m, bin + C_CLAIM_RETRIES, 1);
    return CLAIM_LOST;
  }
  clearFree(m, layout, slab);
  // Atomic, because the next step is a load: a closer that scans the tags after CLOSING must find this era,
  // or we must find CLOSING. A plain store could be seen after the load.
  storeSeq(m, record + SLAB_ERA, era);
  if (loadSeq(m, REC_BASE + ring) !== packRec(era, EPOCH_ACTIVE)) {
    if (!casSeq(m, record + SLAB_TAG, claimed, TAG_FREE)) loseSeat(a);
    else setFree(m, layout, slab);
    return CLAIM_CLOSED;
  }
  startCounts(m, record, bin);
  noteEra(m, record, era);
  // Before the slab is OWNED: whoever adopts it from us, dead, writes to it without looking at that.
  const fresh = useSlabs(a, slab, 1, bin) === 1;
  noteChange(m, a.seatBase, record, 1, bin + C_NEW_SLAB);
  // The words below are the owner's; publishing OWNED before them is harmless, because an adopter rebuilds
  // all of them from the slot words and never reads them.
  if (!casSeq(m, record + SLAB_TAG, claimed, packTag(TAG_OWNED, a.seat, classIndex, ring))) {
    loseSeat(a);
    return CLAIM_CLOSED;
  }
  m[record + SLAB_HEAD] = 0;
  m[record + SLAB_CARVED] = 0;
  setUpOwned(a, record, classIndex, true);
  linkOwn(a, record, ring);
  m[bin + BIN_CURRENT] = record;
  countChange(m, a.seatBase, 1);
  count(m, bin + (fresh ? C_CACHE_MISS : C_REUSED), 1);
  return CLAIM_WON;
}

/** Gives an own, empty slab (not a large run) back. */
export function recycleSlab(a: Attachment, record: number): void {
  const { m, layout } = a;
  const tag = m[record + SLAB_TAG] as number;
  removeFromBin(a, record);
  unlinkOwn(a, record, tagRing(tag));
  m[record + SLAB_FAST_OWNER] = 0;
  const slab = slabOfRecord(record);
  const shard = classShard(a, tag);
  const era = m[record + SLAB_ERA] as number;
  foldCounts(m, a.seatBase, record, shard);
  // Published with the tag: for whoever releases the pages.
  m[record + SLAB_LAST_CLASS] = tagClass(tag);
  noteChange(m, a.seatBase, record, -1, shard + C_RECYCLED);
  // The CAS publishes the FREE slot words before the tag; a plain store could overtake them.
  if (!casSeq(m, record + SLAB_TAG, tag, TAG_FREE)) {
    loseSeat(a);
    return;
  }
  countChange(m, a.seatBase, 1);
  setFree(m, layout, slab);
  a.exhaustedPhase = Number.NaN;
  noteGivenBack(a, 1);
  noteRecycled(m, epochShard(a, tagRing(tag)), era, 1);
}

/** Counts slabs this thread gave back, for whoever decides on releasing their pages. */
export function noteGivenBack(a: Attachment, slabs: number): void {
  const at = a.seatBase + SEAT_GIVEN_BACK;
  a.m[at] = ((a.m[at] as number) + slabs) | 0;
}

/** Overwrites a freed object; called only where the heap was created with zeroOnFree. */
export function zeroObject(a: Attachment, record: number, slotWord: number): void {
  const size = a.m[record + SLAB_OBJECT_SIZE] as number;
  const { layout } = a;
  const at =
    layout.payloadOffset + slabOfRecord(record) * layout.slabSize + (slotWord - firstSlot(a, record)) * size;
  a.u8.fill(0, at, at + size);
}

/** True when the era of an own slab is not open any more, as far as this thread has synced. */
export function isDraining(a: Attachment, record: number): boolean {
  const era = a.m[record + SLAB_ERA] as number;
  return a.rec[ringOf(era)] !== packRec(era, EPOCH_ACTIVE);
}
