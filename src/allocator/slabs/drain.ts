/** Draining: what the owner does to slabs whose epoch is no longer open. */
import {
  C_CLOSE_RECYCLED,
  C_CLOSE_SCANNED,
  C_DISCARDED,
  E_CLOSE_RECYCLED,
  E_CLOSE_SCANNED,
  E_DISCARDED,
} from "../counters/fields.js";
import { count } from "../counters/record.js";
import { commit, liveCount } from "../counters/slab-counts.js";
import { loadSeq } from "../memory/atomics.js";
import type { Attachment } from "../memory/attachment.js";
import {
  MAX_ERA,
  SLAB_DOOM,
  SLAB_ERA,
  SLAB_FAST_OWNER,
  SLAB_LABEL,
  SLAB_RUN,
  SLAB_TAG,
} from "../memory/offsets.js";
import { EPOCH_DISCARD, recEra, recState, ringOf } from "../words/epoch-word.js";
import { readLabelNumber } from "../words/label.js";
import { TAG_LARGE, tagState } from "../words/slab-tag.js";
import { FAST_FREE_MASK, isOccupied, nextFree, SLOT_ALLOC, SLOT_STATE_MASK } from "../words/slot-word.js";
import { releaseRun } from "./large-run.js";
import { takeBack } from "./remote-free.js";
import {
  carvedSlots,
  classShard,
  epochShard,
  firstSlot,
  forEachOwnIn,
  isDraining,
  recycleSlab,
  removeFromBin,
  zeroObject,
} from "./slab.js";

/** What turns an ALLOC word into the FREE word of the next generation, before the last one. */
const FREED = nextFree(SLOT_ALLOC) - SLOT_ALLOC;

/** Sums of one drain pass, for a report about eras from `fromEra` to `toEra`. */
export interface DrainTally {
  readonly fromEra: number;
  readonly toEra: number;
  slabsScanned: number;
  slabsRecycled: number;
  objectsDiscarded: number;
}

export function newTally(fromEra = 0, toEra = MAX_ERA): DrainTally {
  return { fromEra, toEra, slabsScanned: 0, slabsRecycled: 0, objectsDiscarded: 0 };
}

/**
 * Looks at every own slab of a ring slot: those of a closed era leave the bins, lose their objects when the era
 * was discarded, and go back when empty. Linear in the slabs this thread owns in that ring slot.
 */
export function drainRing(a: Attachment, ring: number, tally: DrainTally): void {
  const { m } = a;
  forEachOwnIn(a, ring, (record) => {
    if (!isDraining(a, record)) return;
    const tag = m[record + SLAB_TAG] as number;
    const slabs = tagState(tag) === TAG_LARGE ? loadSeq(m, record + SLAB_RUN) : 1;
    const shard = classShard(a, tag);
    const epoch = epochShard(a, ring);
    count(m, shard + C_CLOSE_SCANNED, slabs);
    count(m, epoch + E_CLOSE_SCANNED, slabs);
    const era = m[record + SLAB_ERA] as number;
    const asked = era >= tally.fromEra && era <= tally.toEra;
    if (asked) tally.slabsScanned += slabs;
    if (drainSlab(a, record, asked ? tally : newTally())) {
      count(m, shard + C_CLOSE_RECYCLED, slabs);
      count(m, epoch + E_CLOSE_RECYCLED, slabs);
      if (asked) tally.slabsRecycled += slabs;
    }
  });
}

/** One own slab of a closed era; returns whether it was given back. */
export function drainSlab(a: Attachment, record: number, tally: DrainTally): boolean {
  const { m } = a;
  removeFromBin(a, record);
  m[record + SLAB_FAST_OWNER] = 0;
  const era = m[record + SLAB_ERA] as number;
  const label = readLabelNumber(m, ringOf(era), era);
  if (label >= 0) m[record + SLAB_LABEL] = label;
  if (isDiscarded(a, record)) tally.objectsDiscarded += wipeSlab(a, record);
  if (liveCount(m, record) !== 0) return false;
  if (tagState(m[record + SLAB_TAG] as number) === TAG_LARGE) releaseRun(a, record);
  else recycleSlab(a, record);
  return true;
}

/**
 * Was the era of this own slab discarded? The record says so while the era is still in the ring; once the
 * ring slot went on to a newer era, the discard is kept in the slab's doom. Full eras are compared:
 * ring slots repeat.
 */
export function isDiscarded(a: Attachment, record: number): boolean {
  const { m } = a;
  const era = m[record + SLAB_ERA] as number;
  const rec = a.rec[ringOf(era)] as number;
  if (recEra(rec) === era) return recState(rec) === EPOCH_DISCARD;
  return loadSeq(m, record + SLAB_DOOM) === era;
}

/**
 * Ends every object of an own slab; returns how many were live. The free list is left as it is: the slab is given
 * back next, and whoever takes it starts a new one.
 */
function wipeSlab(a: Attachment, record: number): number {
  const { m } = a;
  const tag = m[record + SLAB_TAG] as number;
  const first = firstSlot(a, record);
  const large = tagState(tag) === TAG_LARGE;
  const end = first + (large ? 1 : carvedSlots(a, record, tag));
  // A run is zeroed as a whole when it is given back.
  if (a.layout.zeroOnFree && !large) {
    for (let slot = first; slot < end; slot++) {
      if (isOccupied(m[slot] as number)) zeroObject(a, record, slot);
    }
  }
  const ended = endObjects(m, first, end);
  if (ended > 0) {
    commit(m, a.seatBase, record, classShard(a, tag), C_DISCARDED, ended);
    count(m, epochShard(a, ringOf(m[record + SLAB_ERA] as number)) + E_DISCARDED, ended);
  }
  // The rest had been freed by other threads already, which have not told us yet.
  if (liveCount(m, record) > 0) takeBack(a, record, tag);
  return ended;
}

/** The whole cost of a discard. Four at a time while all four are live, which in a discarded slab is the usual case. */
function endObjects(m: Int32Array, first: number, end: number): number {
  let ended = 0;
  let slot = first;
  for (; slot + 3 < end; slot += 4) {
    const a = m[slot] as number;
    const b = m[slot + 1] as number;
    const c = m[slot + 2] as number;
    const d = m[slot + 3] as number;
    if (
      (a & FAST_FREE_MASK) === SLOT_ALLOC &&
      (b & FAST_FREE_MASK) === SLOT_ALLOC &&
      (c & FAST_FREE_MASK) === SLOT_ALLOC &&
      (d & FAST_FREE_MASK) === SLOT_ALLOC
    ) {
      m[slot] = a + FREED;
      m[slot + 1] = b + FREED;
      m[slot + 2] = c + FREED;
      m[slot + 3] = d + FREED;
      ended += 4;
    } else {
      ended += endEach(m, slot, slot + 4);
    }
  }
  return ended + endEach(m, slot, end);
}

function endEach(m: Int32Array, first: number, end: number): number {
  let ended = 0;
  for (let slot = first; slot < end; slot++) {
    const word = m[slot] as number;
    if ((word & SLOT_STATE_MASK) !== SLOT_ALLOC) continue;
    m[slot] = nextFree(word);
    ended++;
  }
  return ended;
}
