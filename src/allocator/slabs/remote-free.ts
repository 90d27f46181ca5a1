/**
 * Freeing from another thread, and taking those frees back.
 *
 *   freer:      CAS slot ALLOC -> REMOTE_FREED | read tag | set the owner's pending bit unless it is set (2-3 Atomics)
 *   collector:  swap pending word with 0       | read it again | scan those slabs for REMOTE_FREED
 *
 * The tag is read after the slot's CAS: a tag read before it may name an owner that died or gave the slab up
 * in between, and then nobody is told. The pending word is swapped before the scan: a bit set later stays for
 * the next collect, one set earlier has its slot visible. A freer that finds the bit set leaves it: the swap that
 * takes it comes later, and so does its scan. The second read of the pending word keeps the scan's plain reads behind
 * the swap where that is a load and a store (LL/SC); without it they could precede the freer's CAS.
 * No owner: the adopter scans every slot anyway.
 */
import {
  C_FREE_RETRIES,
  C_REMOTE_COLLECTED,
  C_REMOTE_FREES,
  COUNT_FREE,
  S_COLLECTS,
} from "../counters/fields.js";
import { count } from "../counters/record.js";
import { commit, liveCount } from "../counters/slab-counts.js";
import { casSeq, exchangeSeq, loadSeq, orSeq } from "../memory/atomics.js";
import type { Attachment } from "../memory/attachment.js";
import { recordAt, seatAt } from "../memory/layout.js";
import { SEAT_COUNTERS, SLAB_COLLECTING, SLAB_COUNTS, SLAB_HEAD, SLAB_TAG } from "../memory/offsets.js";
import { isHeld, isHeldBy, TAG_LARGE, tagOwner, tagState } from "../words/slab-tag.js";
import { nextFree, SLOT_ALLOC, SLOT_FREE, SLOT_REMOTE_FREED, SLOT_STATE_MASK } from "../words/slot-word.js";
import { releaseRun } from "./large-run.js";
import {
  carvedSlots,
  classShard,
  firstSlot,
  isDraining,
  noteRoom,
  pushSlot,
  recycleSlab,
  zeroObject,
} from "./slab.js";

/** Pending words looked at per slow path: keeps it independent of the size of the heap. */
const BOUNDED_WORDS = 64;

/** Frees an object in a slab of another thread, or of nobody. `word` is the slot's ALLOC word. */
export function freeRemote(a: Attachment, slab: number, slotWord: number, word: number): boolean {
  const { m } = a;
  const record = recordAt(slab);
  // Before the free: the object keeps the slab in its class; afterwards it may be of another already.
  const shard = classShard(a, m[record + SLAB_TAG] as number);
  if (!casSeq(m, slotWord, word, word - SLOT_ALLOC + SLOT_REMOTE_FREED)) {
    count(m, shard + C_FREE_RETRIES, 1);
    return false;
  }
  const tag = loadSeq(m, record + SLAB_TAG);
  if (isHeld(tag)) {
    // Bounded: behind the last seat lie the slots. A bit too many is harmless.
    const owner = Math.min(tagOwner(tag), a.layout.maxWorkers);
    const pending = seatAt(a.layout, owner) + a.layout.seatPending;
    const bit = 1 << (slab & 31);
    // The plain read is not early: it follows the atomic one of the tag.
    if (((m[pending + (slab >> 5)] as number) & bit) === 0) orSeq(m, pending + (slab >> 5), bit);
  }
  // Who frees; that it was freed is counted by whoever takes the slot back.
  count(m, shard + C_REMOTE_FREES, 1);
  return true;
}

/**
 * Takes back what others freed in our slabs; returns the number of slots. Looks at a bounded part of the
 * pending words in turn, or at all of them.
 */
export function collect(a: Attachment, all: boolean): number {
  const { m, layout } = a;
  const words = layout.pendingWords;
  const base = a.seatBase + layout.seatPending;
  const looks = all ? words : Math.min(words, BOUNDED_WORDS);
  let at = a.pendingCursor;
  let collected = 0;
  for (let n = 0; n < looks; n++) {
    // Plain peek: a bit that is not visible yet is found by a later collect.
    if (m[base + at] !== 0) collected += collectWord(a, base + at, at * 32);
    at = at + 1 === words ? 0 : at + 1;
  }
  a.pendingCursor = at;
  return collected;
}

function collectWord(a: Attachment, pendingWord: number, firstSlab: number): number {
  let bits = exchangeSeq(a.m, pendingWord, 0);
  loadSeq(a.m, pendingWord); // for its ordering alone: see the head of this file
  let collected = 0;
  while (bits !== 0) {
    const bit = 31 - Math.clz32(bits);
    bits &= ~(1 << bit);
    if (firstSlab + bit >= a.layout.slabCount) continue;
    const record = recordAt(firstSlab + bit);
    // A bit left by a former holder of the seat, or for a slab given back since: nothing of ours.
    if (isHeldBy(a.m[record + SLAB_TAG] as number, a.seat)) collected += collectSlab(a, record);
  }
  return collected;
}

/** Takes back every remote free of one own slab; gives the slab back when that empties a closed epoch's. */
export function collectSlab(a: Attachment, record: number): number {
  const { m } = a;
  const tag = m[record + SLAB_TAG] as number;
  const wasFull = m[record + SLAB_HEAD] === 0;
  const collected = takeBack(a, record, tag);
  count(m, a.seatBase + SEAT_COUNTERS + S_COLLECTS, 1);
  if (collected === 0) return 0;
  if (tagState(tag) === TAG_LARGE) releaseRun(a, record);
  else if (liveCount(m, record) === 0 && isDraining(a, record)) recycleSlab(a, record);
  else if (wasFull && m[record + SLAB_HEAD] !== 0) noteRoom(a, record);
  return collected;
}

/** Makes every REMOTE_FREED slot of an own slab FREE, and counts them; returns how many there were. */
export function takeBack(a: Attachment, record: number, tag: number): number {
  const { m } = a;
  const large = tagState(tag) === TAG_LARGE;
  const first = firstSlot(a, record);
  const end = first + (large ? 1 : carvedSlots(a, record, tag));
  let collected = 0;
  m[record + SLAB_COLLECTING] = 1;
  for (let slot = first; slot < end; slot++) {
    const seen = m[slot] as number;
    if ((seen & SLOT_STATE_MASK) !== SLOT_REMOTE_FREED) continue;
    // The atomic load orders the former holder's payload accesses before the slot's next use.
    const word = loadSeq(m, slot);
    if ((word & SLOT_STATE_MASK) !== SLOT_REMOTE_FREED) continue;
    const next = nextFree(word);
    // Before the slot is FREE: whoever adopts it from us, dead, hands it out as it is.
    if (a.layout.zeroOnFree && !large) zeroObject(a, record, slot);
    m[slot] = next;
    collected++;
    if (large) continue;
    if ((next & SLOT_STATE_MASK) === SLOT_FREE) pushSlot(a, record, slot);
  }
  endCollecting(a, record, tag, collected);
  return collected;
}

/** Counts the remote frees of an own slab that were taken back since SLAB_COLLECTING was set. */
export function endCollecting(a: Attachment, record: number, tag: number, collected: number): void {
  const { m } = a;
  if (collected > 0) commit(m, a.seatBase, record, classShard(a, tag), C_REMOTE_COLLECTED, collected);
  m[record + SLAB_COLLECTING] = 0;
}

/** Frees an object in one of our own slabs outside the fast path: draining, zeroing, last generation, large. */
export function freeOwnSlow(a: Attachment, record: number, slotWord: number, word: number): void {
  const { m } = a;
  const next = nextFree(word);
  if (tagState(m[record + SLAB_TAG] as number) === TAG_LARGE) {
    m[slotWord] = next;
    m[record + SLAB_COUNTS] = (m[record + SLAB_COUNTS] as number) - COUNT_FREE;
    releaseRun(a, record);
    return;
  }
  if (a.layout.zeroOnFree) zeroObject(a, record, slotWord);
  m[slotWord] = next;
  const wasFull = m[record + SLAB_HEAD] === 0;
  if ((next & SLOT_STATE_MASK) === SLOT_FREE) pushSlot(a, record, slotWord);
  m[record + SLAB_COUNTS] = (m[record + SLAB_COUNTS] as number) - COUNT_FREE;
  if (liveCount(m, record) === 0 && isDraining(a, record)) recycleSlab(a, record);
  else if (wasFull && m[record + SLAB_HEAD] !== 0) noteRoom(a, record);
}
