/**
 * Who is inside an epoch, and closing it with the last one out.
 *
 * Membership is one word per seat and ring slot (`SEAT_SREF`: the era the seat is inside), so the death of a
 * member is repaired by clearing its words; a shared counter could only leak or underflow. `refs` decides who
 * closes: it counts entries (never down) and has a CLOSED bit, which exactly one CAS sets, and only if nobody
 * entered since the membership words were scanned.
 *
 *   enter: check that the record is open | store my word | CAS entries + 1 (fails if CLOSED or newer) | check again
 *   exit:  store 0       | read refs | scan every seat's word | CAS refs -> CLOSED | close
 *
 * That order, without retry, is what makes it exact: whoever leaves last sees nobody.
 */
import { casSeq, loadSeq, storeSeq } from "../memory/atomics.js";
import type { Attachment } from "../memory/attachment.js";
import { seatAt } from "../memory/layout.js";
import { MAX_ERA, REC_BASE, REFS_BASE, RETAINS_BASE, SEAT_DEPTH, SEAT_SREF } from "../memory/offsets.js";
import { memberLevels } from "../words/epoch-table.js";
import {
  bumpEntries,
  compareEraTag,
  EPOCH_ACTIVE,
  MAX_RETAINS,
  packRec,
  packRefs,
  packRetains,
  REFS_AUTO,
  REFS_CLOSED,
  recEra,
  refsEntries,
  retainsCount,
  ringOf,
} from "../words/epoch-word.js";
import { closeEra } from "./ring.js";

/**
 * Enters an open era; false when it is closed. Nested entries of one thread only deepen the count.
 * `auto` asks that the era be closed with the last member's exit.
 */
export function enterEra(a: Attachment, era: number, auto: boolean): boolean {
  const { m } = a;
  const ring = ringOf(era);
  const sref = a.seatBase + SEAT_SREF + ring;
  // Before any store: the era of an old domain would hide this thread's membership in a newer one.
  if (loadSeq(m, REC_BASE + ring) !== packRec(era, EPOCH_ACTIVE)) return false;
  // A member of an older era of the same ring slot is displaced: that era is long closed, membership in it
  // decides nothing any more.
  const displaced = m[sref] as number;
  const nested = displaced === era;
  if (!nested) storeSeq(m, sref, era);
  const flags = auto ? REFS_AUTO : 0;
  for (;;) {
    const refs = loadSeq(m, REFS_BASE + ring);
    const age = compareEraTag(refs, era);
    if (age > 0 || (age === 0 && (refs & REFS_CLOSED) !== 0)) {
      if (!nested) storeSeq(m, sref, displaced);
      // Whoever set CLOSED may be stalled, or dead, before its close: finish it.
      if (age === 0) closeEra(a, era);
      return false;
    }
    const next =
      age < 0
        ? packRefs(era, 1, flags)
        : packRefs(era, bumpEntries(refsEntries(refs)), (refs & REFS_AUTO) | flags);
    if (casSeq(m, REFS_BASE + ring, refs, next)) break;
  }
  if (loadSeq(m, REC_BASE + ring) !== packRec(era, EPOCH_ACTIVE)) {
    if (!nested) {
      storeSeq(m, sref, displaced);
      tryAutoClose(a, ring, era);
    }
    return false;
  }
  setDepth(a, ring, nested ? (a.depth[ring] as number) + 1 : 1);
  return true;
}

/** Leaves one level of an era this thread is inside; returns whether that closed the era. */
export function exitEra(a: Attachment, era: number): boolean {
  const ring = ringOf(era);
  const sref = a.seatBase + SEAT_SREF + ring;
  if (a.m[sref] !== era) return false; // displaced by a newer era of the ring slot
  const depth = (a.depth[ring] as number) - 1;
  setDepth(a, ring, depth);
  if (depth > 0) return false;
  storeSeq(a.m, sref, 0);
  return tryAutoClose(a, ring, era);
}

function setDepth(a: Attachment, ring: number, depth: number): void {
  a.depth[ring] = depth;
  storeSeq(a.m, a.seatBase + SEAT_DEPTH + ring, depth);
}

/** Closes an era that wanted it when nobody is inside any more. One attempt: whoever interferes takes over. */
export function tryAutoClose(a: Attachment, ring: number, era: number): boolean {
  const { m } = a;
  const refs = loadSeq(m, REFS_BASE + ring);
  if (compareEraTag(refs, era) !== 0 || (refs & REFS_CLOSED) !== 0 || (refs & REFS_AUTO) === 0) return false;
  // The last era stays open for good: nothing could be opened after it.
  if (refsEntries(refs) === 0 || era >= MAX_ERA - 1) return false;
  for (let seat = 1; seat <= a.layout.maxWorkers; seat++) {
    if (loadSeq(m, seatAt(a.layout, seat) + SEAT_SREF + ring) === era) return false;
  }
  if (retainsCount(loadSeq(m, RETAINS_BASE + ring), era) > 0) return false;
  if (!casSeq(m, REFS_BASE + ring, refs, refs | REFS_CLOSED)) return false;
  closeEra(a, era);
  return true;
}

/** Adds an explicit reference to the era now in the ring slot; returns the new refcount. */
export function retain(a: Attachment, ring: number): number {
  return changeRetains(a, ring, 1);
}

/**
 * Drops an explicit reference, at least to 0; closes the era if it wanted that and this was the last reference, and
 * then calls `closed`.
 */
export function release(a: Attachment, ring: number, closed: (era: number) => void): number {
  const left = changeRetains(a, ring, -1);
  const era = recEra(loadSeq(a.m, REC_BASE + ring));
  if (left === 0 && tryAutoClose(a, ring, era)) closed(era);
  return left;
}

function changeRetains(a: Attachment, ring: number, by: number): number {
  const { m } = a;
  for (;;) {
    const era = recEra(loadSeq(m, REC_BASE + ring));
    const word = loadSeq(m, RETAINS_BASE + ring);
    const next = Math.min(MAX_RETAINS, Math.max(0, retainsCount(word, era) + by));
    if (casSeq(m, RETAINS_BASE + ring, word, packRetains(era, next))) {
      if (by > 0) interruptExit(a, ring, era);
      return next + memberLevels(m, a.layout, ring, era);
    }
  }
}

/**
 * Makes the closing CAS of an exit fail that has read the retains before ours. An exit that has won already gets its
 * close finished here, so that the caller sees a closed epoch rather than an open one that closes all the same.
 */
function interruptExit(a: Attachment, ring: number, era: number): void {
  const { m } = a;
  for (;;) {
    const refs = loadSeq(m, REFS_BASE + ring);
    const entries = refsEntries(refs);
    if (compareEraTag(refs, era) !== 0 || entries === 0) return;
    if ((refs & REFS_CLOSED) !== 0) {
      closeEra(a, era);
      return;
    }
    if (casSeq(m, REFS_BASE + ring, refs, packRefs(era, bumpEntries(entries), refs & REFS_AUTO))) return;
  }
}
