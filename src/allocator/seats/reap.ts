/**
 * Recovering the seat of a thread that vanished at any instruction.
 *
 * Only with proof of death: a live thread past its PHASE check may store into a slab after its adopter has
 * scanned it, and nothing can repair that. The reaper holds the seat exclusively (REAPING with its own seat
 * in it); whoever reaps that reaper takes the work over. Pending words are left alone: stale bits are
 * harmless, a late clear could erase a successor's.
 */
import { C_ORPHANED_LIVE, S_REAPS } from "../counters/fields.js";
import { dropDamagedNotes } from "../counters/notes.js";
import { count } from "../counters/record.js";
import { finishChange } from "../counters/slab-changes.js";
import { finishCommit, foldCounts, liveCount } from "../counters/slab-counts.js";
import { tryAutoClose } from "../epochs/refs.js";
import { closeEra } from "../epochs/ring.js";
import { addSeq, casSeq, loadSeq, storeSeq } from "../memory/atomics.js";
import type { Attachment } from "../memory/attachment.js";
import { binAt, recordAt, seatAt } from "../memory/layout.js";
import {
  DEEP,
  LARGE_CLASS,
  PHASE,
  REC_BASE,
  REFS_BASE,
  RING_SIZE,
  SEAT_COUNTERS,
  SEAT_DEPTH,
  SEAT_SREF,
  SEAT_THREAD,
  SEAT_WORD,
  SLAB_RUN,
  SLAB_TAG,
} from "../memory/offsets.js";
import { setFree } from "../slabs/free-map.js";
import { freeTails } from "../slabs/large-run.js";
import type { ReapReport } from "../types.js";
import { compareEraTag, EPOCH_ACTIVE, packRec, REFS_CLOSED, recEra } from "../words/epoch-word.js";
import { releaseLabels } from "../words/label.js";
import {
  packSeat,
  SEAT_FREE,
  SEAT_REAPING,
  seatIncarnation,
  seatState,
  seatWho,
} from "../words/seat-word.js";
import {
  retag,
  TAG_CLAIMED,
  TAG_FREE,
  TAG_LARGE,
  TAG_ORPHANED,
  TAG_OWNED,
  TAG_RELEASING,
  TAG_TAIL,
  tagClass,
  tagOwner,
  tagState,
} from "../words/slab-tag.js";
import { sync } from "./sync.js";

interface Work {
  slabsOrphaned: number;
  claimsUndone: number;
}

/** Recovers `seat` if it still has `incarnation`, then syncs (which adopts what was orphaned). */
export function reapSeat(a: Attachment, seat: number, incarnation: number): ReapReport {
  const work: Work = { slabsOrphaned: 0, claimsUndone: 0 };
  const status = takeAndReap(a, seat, incarnation, 0, work);
  if (status === "reaped") count(a.m, a.seatBase + SEAT_COUNTERS + S_REAPS, 1);
  sync(a, false);
  return { seat, incarnation, status, ...work };
}

/** `deadReaper`: seat of a dead thread that was reaping this one (0: nobody). */
function takeAndReap(
  a: Attachment,
  seat: number,
  incarnation: number | undefined,
  deadReaper: number,
  work: Work,
): ReapReport["status"] {
  const { m, layout } = a;
  const index = seatAt(layout, seat) + SEAT_WORD;
  let held = 0;
  for (;;) {
    const word = loadSeq(m, index);
    if (seatState(word) === SEAT_FREE) return "free";
    held = seatIncarnation(word);
    if (incarnation !== undefined && held !== incarnation) return "stale";
    if (seatState(word) === SEAT_REAPING && seatWho(word) !== deadReaper) return "busy";
    if (casSeq(m, index, word, packSeat(held, a.seat, SEAT_REAPING))) break;
  }
  // Seats the dead thread was reaping first: nobody else is responsible for them.
  for (let other = 1; other <= layout.maxWorkers; other++) {
    if (other === seat) continue;
    const word = loadSeq(m, seatAt(layout, other) + SEAT_WORD);
    if (seatState(word) === SEAT_REAPING && seatWho(word) === seat) {
      takeAndReap(a, other, undefined, seat, work);
    }
  }
  orphanSlabs(a, seat, work);
  leaveEpochs(a, seat);
  releaseLabels(m, seat);
  // DEEP before PHASE: whoever sees the new PHASE looks for orphans.
  addSeq(m, DEEP, 1);
  addSeq(m, PHASE, 1);
  storeSeq(m, seatAt(layout, seat) + SEAT_THREAD, 0);
  // Last: a successor must not find slabs of its predecessor under its own number.
  storeSeq(m, index, packSeat(held, 0, SEAT_FREE));
  return "reaped";
}

function orphanSlabs(a: Attachment, seat: number, work: Work): void {
  const { m, layout } = a;
  const base = seatAt(layout, seat);
  dropDamagedNotes(m, layout, seat);
  // First: what they note may concern a slab that has another holder after this.
  finishCommit(m, base);
  finishChange(m, seat, base);
  for (let slab = 0; slab < layout.slabCount; slab++) {
    const record = recordAt(slab);
    const tag = loadSeq(m, record + SLAB_TAG);
    const state = tagState(tag);
    if (state === TAG_FREE || state === TAG_TAIL || tagOwner(tag) !== seat) continue;
    if (state === TAG_CLAIMED) {
      freeTails(m, layout, slab, loadSeq(m, record + SLAB_RUN));
      if (casSeq(m, record + SLAB_TAG, tag, TAG_FREE)) setFree(m, layout, slab);
      work.claimsUndone++;
    } else if (state === TAG_RELEASING) {
      // Its pages may be gone or not; the resident bit, if still on, says that they may be there.
      if (casSeq(m, record + SLAB_TAG, tag, TAG_FREE)) setFree(m, layout, slab);
    } else if (state === TAG_OWNED || state === TAG_LARGE) {
      const large = state === TAG_LARGE;
      const classIndex = tagClass(tag) === LARGE_CLASS ? layout.classCount : tagClass(tag);
      // The dead seat's shards have no other writer while it is REAPING.
      const shard = binAt(layout, seat, classIndex);
      foldCounts(m, base, record, shard);
      const live = liveCount(m, record);
      if (casSeq(m, record + SLAB_TAG, tag, retag(tag, large ? TAG_LARGE : TAG_ORPHANED, 0))) {
        work.slabsOrphaned++;
        count(m, shard + C_ORPHANED_LIVE, Math.max(0, live));
      }
    }
  }
}

/** Gives up a seat whose attach failed, trusting no list. */
export function abandonSeat(a: Attachment): void {
  a.detached = true;
  orphanSlabs(a, a.seat, { slabsOrphaned: 0, claimsUndone: 0 });
  addSeq(a.m, DEEP, 1);
  addSeq(a.m, PHASE, 1);
  storeSeq(a.m, a.seatBase + SEAT_THREAD, 0);
  storeSeq(a.m, a.seatBase + SEAT_WORD, packSeat(a.incarnation, 0, SEAT_FREE));
}

/** Ends the dead thread's memberships; closes what it, as last one out, was about to close. */
function leaveEpochs(a: Attachment, seat: number): void {
  const { m, layout } = a;
  const base = seatAt(layout, seat);
  for (let ring = 0; ring < RING_SIZE; ring++) {
    storeSeq(m, base + SEAT_DEPTH + ring, 0);
    if (loadSeq(m, base + SEAT_SREF + ring) !== 0) storeSeq(m, base + SEAT_SREF + ring, 0);
    // Also where it was not inside any more: it may have died between leaving and closing.
    const rec = loadSeq(m, REC_BASE + ring);
    const era = recEra(rec);
    const refs = loadSeq(m, REFS_BASE + ring);
    if (compareEraTag(refs, era) !== 0) continue;
    if ((refs & REFS_CLOSED) === 0) tryAutoClose(a, ring, era);
    else if (rec === packRec(era, EPOCH_ACTIVE)) closeEra(a, era);
  }
}
