/**
 * Adopting a slab that nobody owns any more.
 *
 * The slot words are the truth; everything the former owner kept (list, live count, flags) is rebuilt.
 * Each slot is read atomically after the tag's CAS: a remote free writes slot then reads tag, we write tag
 * then read slot, so either we see its REMOTE_FREED or it sees us as owner and sets our pending bit. With plain
 * reads both can miss on processors whose CAS does not order later loads.
 */
import {
  C_ACQUIRE_FAILS,
  C_ACQUIRE_TRIES,
  C_ADOPTED,
  C_ADOPTED_LIVE,
  C_DISCARDED,
  C_REMOTE_COLLECTED,
  COUNT_ALLOC,
  COUNT_FREE,
  E_DISCARDED,
} from "../counters/fields.js";
import { count } from "../counters/record.js";
import { commit, liveCount } from "../counters/slab-counts.js";
import { casSeq, loadSeq } from "../memory/atomics.js";
import type { Attachment } from "../memory/attachment.js";
import {
  FIRST_ERA,
  SEAT_ERA,
  SLAB_BIN,
  SLAB_CARVED,
  SLAB_COLLECTING,
  SLAB_COUNTS,
  SLAB_ERA,
  SLAB_HEAD,
  SLAB_TAG,
} from "../memory/offsets.js";
import {
  retag,
  TAG_LARGE,
  TAG_ORPHANED,
  TAG_OWNED,
  tagClass,
  tagOwner,
  tagRing,
  tagState,
} from "../words/slab-tag.js";
import {
  isOccupied,
  nextFree,
  SLOT_ALLOC,
  SLOT_FREE,
  SLOT_REMOTE_FREED,
  SLOT_STATE_MASK,
} from "../words/slot-word.js";
import { drainSlab, isDiscarded, newTally } from "./drain.js";
import { releaseRun, setUpRun } from "./large-run.js";
import { endCollecting } from "./remote-free.js";
import {
  classShard,
  epochShard,
  firstSlot,
  isDraining,
  linkOwn,
  listPartial,
  pushSlot,
  setUpOwned,
  slotCount,
  zeroObject,
} from "./slab.js";

/** ORPHANED, or a LARGE run whose owner is gone. */
export function isAdoptable(tag: number): boolean {
  const state = tagState(tag);
  return state === TAG_ORPHANED || (state === TAG_LARGE && tagOwner(tag) === 0);
}

/** Tries to adopt the slab whose tag was read as `tag`; returns whether this thread did. */
export function adoptSlab(a: Attachment, record: number, tag: number): boolean {
  const { m } = a;
  const large = tagState(tag) === TAG_LARGE;
  // Words that were overwritten: without a class its slots cannot be told apart, without an era it would pass for
  // discarded. Left as it is, for verify() to report.
  if (!large && tagClass(tag) >= a.layout.classCount) return false;
  if ((m[record + SLAB_ERA] as number) < FIRST_ERA) return false;
  const shard = classShard(a, tag);
  count(m, shard + C_ACQUIRE_TRIES, 1);
  if (!casSeq(m, record + SLAB_TAG, tag, retag(tag, large ? TAG_LARGE : TAG_OWNED, a.seat))) {
    count(m, shard + C_ACQUIRE_FAILS, 1);
    return false;
  }
  count(m, shard + C_ADOPTED, 1);
  if (large) adoptRun(a, record, tag);
  else adoptSlots(a, record, tag);
  return true;
}

function adoptSlots(a: Attachment, record: number, tag: number): void {
  const { m } = a;
  const ring = tagRing(tag);
  const era = loadSeq(m, record + SLAB_ERA);
  const first = firstSlot(a, record);
  const total = slotCount(a, tag);
  countUnfinished(a, record, tag, first, total);
  // The former owner's other words are worthless: it may have died between any two of its stores.
  setUpOwned(a, record, tagClass(tag), false);
  m[record + SLAB_HEAD] = 0;
  linkOwn(a, record, ring);
  m[record + SLAB_CARVED] = total;
  let live = 0;
  let collected = 0;
  m[record + SLAB_COLLECTING] = 1;
  for (let i = total - 1; i >= 0; i--) {
    const slot = first + i;
    let word = loadSeq(m, slot);
    if ((word & SLOT_STATE_MASK) === SLOT_REMOTE_FREED) {
      word = nextFree(word);
      // Before the slot is FREE, as in takeBack.
      if (a.layout.zeroOnFree) zeroObject(a, record, slot);
      m[slot] = word;
      collected++;
    }
    const state = word & SLOT_STATE_MASK;
    if (state === SLOT_FREE) pushSlot(a, record, slot);
    else if (state === SLOT_ALLOC) live++;
  }
  endCollecting(a, record, tag, collected);
  count(m, classShard(a, tag) + C_ADOPTED_LIVE, live);
  if (isDraining(a, record) || era !== m[a.seatBase + SEAT_ERA]) {
    drainSlab(a, record, newTally());
    return;
  }
  setUpOwned(a, record, tagClass(tag), true);
  if (m[record + SLAB_HEAD] !== 0) listPartial(a, m[record + SLAB_BIN] as number, record);
}

/**
 * Counts what the former owner did and died before counting. Its slab never counts fewer objects than slots are
 * occupied; the excess are frees (an alloc counted before its slot was ALLOC goes for an object that came and went), or
 * objects of a discarded epoch, or remote frees whose freers have counted them already. Before anything is changed:
 * should we die in turn, the next adopter finds the same excess or none.
 */
function countUnfinished(a: Attachment, record: number, tag: number, first: number, total: number): void {
  const { m } = a;
  let occupied = 0;
  for (let slot = first; slot < first + total; slot++) if (isOccupied(m[slot] as number)) occupied++;
  const excess = liveCount(m, record) - occupied;
  if (excess === 0) return;
  const shard = classShard(a, tag);
  if (excess > 0 && m[record + SLAB_COLLECTING] === 1) {
    commit(m, a.seatBase, record, shard, C_REMOTE_COLLECTED, excess);
  } else if (excess > 0 && isDiscarded(a, record)) {
    commit(m, a.seatBase, record, shard, C_DISCARDED, excess);
    count(m, epochShard(a, tagRing(tag)) + E_DISCARDED, excess);
  } else {
    // Frees; or allocations, which no order of our stores leads to: damaged words are put right all the same.
    const each = excess > 0 ? COUNT_FREE : COUNT_ALLOC;
    m[record + SLAB_COUNTS] = (m[record + SLAB_COUNTS] as number) - excess * each;
  }
}

function adoptRun(a: Attachment, record: number, tag: number): void {
  const { m } = a;
  const slot = firstSlot(a, record);
  countUnfinished(a, record, tag, slot, 1);
  setUpRun(a, record, tagRing(tag));
  const word = loadSeq(m, slot);
  const freed = (word & SLOT_STATE_MASK) === SLOT_REMOTE_FREED;
  m[record + SLAB_COLLECTING] = 1;
  if (freed) m[slot] = nextFree(word);
  endCollecting(a, record, tag, freed ? 1 : 0);
  if ((word & SLOT_STATE_MASK) !== SLOT_ALLOC) {
    releaseRun(a, record);
    return;
  }
  count(m, classShard(a, tag) + C_ADOPTED_LIVE, 1);
  if (isDraining(a, record)) drainSlab(a, record, newTally());
}
