/**
 * The ring of 16 epochs: opening, closing, discarding.
 *
 * ERA says how far the ring has gone; rec[j] follows it. Whoever sees ERA ahead of the records brings them up
 * (`normalise`), so an advancer that stalls or dies half-way holds nobody up. Records move by CAS and only upward,
 * so a late closer can neither reopen an epoch nor overwrite a newer era. After every change PHASE is bumped;
 * the caller then syncs, like every other thread will.
 */
import { S_ADVANCES } from "../counters/fields.js";
import { count } from "../counters/record.js";
import { EpochClosedError } from "../errors.js";
import { addSeq, casSeq, loadSeq } from "../memory/atomics.js";
import type { Attachment } from "../memory/attachment.js";
import { recordAt } from "../memory/layout.js";
import {
  DOOMS,
  ERA,
  FIRST_ERA,
  MAX_ERA,
  PHASE,
  REC_BASE,
  REFS_BASE,
  RETAINS_BASE,
  RING_SIZE,
  SEAT_COUNTERS,
  SLAB_DOOM,
  SLAB_ERA,
  SLAB_TAG,
} from "../memory/offsets.js";
import { recordOpening } from "../words/epoch-table.js";
import {
  compareEraTag,
  EPOCH_ACTIVE,
  EPOCH_CLOSING,
  EPOCH_DISCARD,
  packRec,
  packRefs,
  packRetains,
  recEra,
  recState,
  ringOf,
} from "../words/epoch-word.js";
import { mayHoldObjects, TAG_CLAIMED, tagRing, tagState } from "../words/slab-tag.js";

/** Writes the ring of a fresh heap: era 16 is open in slot 0, the other slots hold eras that never were. */
export function initRing(m: Int32Array): void {
  m[ERA] = FIRST_ERA;
  for (let ring = 0; ring < RING_SIZE; ring++) m[REC_BASE + ring] = packRec(ring, EPOCH_CLOSING);
  m[REC_BASE] = packRec(FIRST_ERA, EPOCH_ACTIVE);
  recordOpening(m, FIRST_ERA);
}

/** Brings every record up to era `newest`; fills `seen` with what each record then held. */
export function normalise(
  m: Int32Array,
  layout: Attachment["layout"],
  newest: number,
  seen?: Int32Array,
): void {
  for (let ring = 0; ring < RING_SIZE; ring++) {
    const era = newest - ((newest - ring) & (RING_SIZE - 1));
    for (;;) {
      const rec = loadSeq(m, REC_BASE + ring);
      if (seen !== undefined) seen[ring] = rec;
      const held = recEra(rec);
      if (held > era) break;
      if (held === era && (era === newest || recState(rec) !== EPOCH_ACTIVE)) break;
      // The record is about to forget a discard that owners may not have carried out yet.
      if (held < era && recState(rec) === EPOCH_DISCARD) markDoom(m, layout, held);
      const next = packRec(era, era === newest ? EPOCH_ACTIVE : EPOCH_CLOSING);
      if (casSeq(m, REC_BASE + ring, rec, next)) {
        if (seen !== undefined) seen[ring] = next;
        renewTags(m, ring, era);
        if (era === newest) recordOpening(m, era);
        break;
      }
    }
  }
}

/**
 * Keeps the 16 era bits of the reference words near the era: words left behind by half of their range would look
 * newer, and by all of it like this very era's.
 */
function renewTags(m: Int32Array, ring: number, era: number): void {
  const refs = loadSeq(m, REFS_BASE + ring);
  if (compareEraTag(refs, era) < 0) casSeq(m, REFS_BASE + ring, refs, packRefs(era, 0, 0));
  const retains = loadSeq(m, RETAINS_BASE + ring);
  if (compareEraTag(retains, era) < 0) casSeq(m, RETAINS_BASE + ring, retains, packRetains(era, 0));
}

/** Opens the next era and returns it; another thread may have opened one after it already. The caller syncs. */
export function advance(a: Attachment): number {
  const era = loadSeq(a.m, ERA);
  refuseLastEra(era);
  const next = addSeq(a.m, ERA, 1) + 1;
  normalise(a.m, a.layout, next);
  addSeq(a.m, PHASE, 1);
  count(a.m, a.seatBase + SEAT_COUNTERS + S_ADVANCES, 1);
  return next;
}

/** If `era` is the newest, opens the next one; returns whether this call did. */
function advancePast(a: Attachment, era: number): boolean {
  const { m } = a;
  if (loadSeq(m, ERA) !== era) return false;
  refuseLastEra(era);
  const moved = casSeq(m, ERA, era, era + 1);
  if (moved) count(m, a.seatBase + SEAT_COUNTERS + S_ADVANCES, 1);
  normalise(m, a.layout, loadSeq(m, ERA));
  return moved;
}

function refuseLastEra(era: number): void {
  if (era >= MAX_ERA - 1) {
    throw new EpochClosedError(
      `The heap has used up its ${MAX_ERA} eras; create a new heap (at a thousand epochs per second this takes 12 days).`,
    );
  }
}

/** Closes an era that has been opened; returns whether this call did it. The caller syncs. */
export function closeEra(a: Attachment, era: number): boolean {
  const { m } = a;
  let closed = advancePast(a, era);
  const index = REC_BASE + ringOf(era);
  if (loadSeq(m, index) === packRec(era, EPOCH_ACTIVE)) {
    // By CAS: a store could overwrite a newer era.
    closed = casSeq(m, index, packRec(era, EPOCH_ACTIVE), packRec(era, EPOCH_CLOSING)) || closed;
  }
  // Bumped even when somebody else closed it: that thread may have died before its own bump.
  addSeq(m, PHASE, 1);
  return closed;
}

/** Marks every object of an era that has been opened as gone; returns false when that was done before. The caller syncs. */
export function discardEra(a: Attachment, era: number): boolean {
  const { m } = a;
  advancePast(a, era);
  const index = REC_BASE + ringOf(era);
  let fresh = true;
  for (;;) {
    const rec = loadSeq(m, index);
    if (recEra(rec) < era) {
      normalise(m, a.layout, loadSeq(m, ERA));
    } else if (recEra(rec) > era) {
      // The ring slot has been reused: the discard is kept in the slabs themselves.
      fresh = markDoom(m, a.layout, era) > 0;
      break;
    } else {
      if (recState(rec) === EPOCH_DISCARD) {
        fresh = false;
        break;
      }
      if (casSeq(m, index, rec, packRec(era, EPOCH_DISCARD))) break;
    }
  }
  addSeq(m, PHASE, 1);
  return fresh;
}

/** Discards every era older than `era`, those whose ring slot was reused included. The caller syncs. */
export function discardErasBefore(a: Attachment, era: number): boolean {
  const { m } = a;
  let fresh = false;
  for (let ring = 0; ring < RING_SIZE; ring++) {
    const held = recEra(loadSeq(m, REC_BASE + ring));
    if (held < era && held >= FIRST_ERA) fresh = discardEra(a, held) || fresh;
  }
  const doomed = doomSlabs(m, a.layout, (slabEra, ring) => {
    return slabEra < era && recEra(loadSeq(m, REC_BASE + ring)) !== slabEra;
  });
  addSeq(m, PHASE, 1);
  return fresh || doomed > 0;
}

/** Keeps the discard of an era in its slabs' dooms, because its record is gone or going; returns how many slabs. */
function markDoom(m: Int32Array, layout: Attachment["layout"], era: number): number {
  return doomSlabs(m, layout, (slabEra) => slabEra === era);
}

function doomSlabs(
  m: Int32Array,
  layout: Attachment["layout"],
  hit: (slabEra: number, ring: number) => boolean,
): number {
  let doomed = 0;
  for (let slab = 0; slab < layout.slabCount; slab++) {
    const record = recordAt(slab);
    const tag = loadSeq(m, record + SLAB_TAG);
    const state = tagState(tag);
    // CLAIMED counts: its era is stored before its claimer checks the record.
    if (state !== TAG_CLAIMED && !mayHoldObjects(state)) continue;
    const era = loadSeq(m, record + SLAB_ERA);
    if (ringOf(era) !== tagRing(tag) || !hit(era, tagRing(tag))) continue;
    doomed++;
    // Maximum by CAS: the discard of an older era must not overwrite that of a newer one.
    for (let doom = loadSeq(m, record + SLAB_DOOM); doom < era; doom = loadSeq(m, record + SLAB_DOOM)) {
      if (casSeq(m, record + SLAB_DOOM, doom, era)) break;
    }
  }
  addSeq(m, DOOMS, 1);
  return doomed;
}
