/** Closing and discarding, with a report of what this thread found. */

import { type CloseFacts, noteClose } from "../counters/epoch-facts.js";
import {
  C_CLOSE_CALLS,
  C_CLOSE_NS,
  CLASS_SHARD_WORDS,
  E_CLOSE_CALLS,
  E_CLOSE_NS,
  EF_CLOSE_ERA,
  EPOCH_SHARD_WORDS,
  HISTOGRAM_EPOCH_CLOSE,
  HISTOGRAM_EPOCH_LIFETIME,
} from "../counters/fields.js";
import { histogramAt, recordDuration } from "../counters/histogram.js";
import { count, countLarge } from "../counters/record.js";
import { committedSlabs } from "../counters/slab-changes.js";
import { closeEra, discardEra, discardErasBefore } from "../epochs/ring.js";
import { InvalidTypeError, InvalidValueError } from "../errors.js";
import { loadSeq } from "../memory/atomics.js";
import type { Attachment } from "../memory/attachment.js";
import { seatAt } from "../memory/layout.js";
import { ERA, FIRST_ERA, MAX_ERA, REC_BASE, RING_SIZE } from "../memory/offsets.js";
import { processRssBytes } from "../memory/process.js";
import { describe } from "../memory/size-classes.js";
import { poll, sync } from "../seats/sync.js";
import { type DrainTally, newTally } from "../slabs/drain.js";
import { newReleaseTally, releaseGivenBack } from "../slabs/release.js";
import { epochShard } from "../slabs/slab.js";
import type { CloseReport, EpochId, EpochRef } from "../types.js";
import { openedAt } from "../words/epoch-table.js";
import { EPOCH_DISCARD, recEra, recState, ringOf } from "../words/epoch-word.js";
import { checkEpoch } from "./alloc.js";
import { checkInteger } from "./check.js";

export function epochRef(era: number): EpochRef {
  return { id: ringOf(era) as EpochId, era };
}

interface Target {
  readonly ref: EpochRef;
  /** Why nothing can be done, or undefined. */
  readonly refusal: "stale" | "never-opened" | undefined;
}

/** What an id or ref means now: an id names the era in that ring slot. */
function resolve(a: Attachment, epoch: unknown, allowWrapped: boolean): Target {
  if (typeof epoch === "number") {
    const era = recEra(loadSeq(a.m, REC_BASE + checkEpoch(epoch)));
    return { ref: epochRef(era), refusal: era < FIRST_ERA ? "never-opened" : undefined };
  }
  const ref = checkRef(epoch);
  if (ref.era < FIRST_ERA || ref.era > loadSeq(a.m, ERA)) return { ref, refusal: "never-opened" };
  const held = recEra(loadSeq(a.m, REC_BASE + ref.id));
  return { ref, refusal: held > ref.era && !allowWrapped ? "stale" : undefined };
}

/** A well-formed (id, era), or a typed error. */
export function checkRef(epoch: unknown): EpochRef {
  if (typeof epoch !== "object" || epoch === null) {
    throw new InvalidTypeError(
      `epoch must be a ring slot (0..${RING_SIZE - 1}) or an EpochRef {id, era}; got ${describe(epoch)}.`,
    );
  }
  const { id, era } = epoch as EpochRef;
  checkInteger("EpochRef.id", id, 0, RING_SIZE - 1);
  if (typeof era !== "number") {
    throw new InvalidTypeError(`EpochRef.era must be a number; got ${describe(era)}.`);
  }
  if (!Number.isInteger(era) || era < 0 || era > MAX_ERA || ringOf(era) !== id) {
    throw new InvalidValueError(
      `EpochRef {id: ${id}, era: ${era}} is not one of this heap: eras are whole numbers up to ${MAX_ERA} and id is era % ${RING_SIZE}.`,
    );
  }
  return { id, era };
}

export function closeEpoch(a: Attachment, epoch: unknown): CloseReport {
  const target = resolve(a, epoch, false);
  if (target.refusal !== undefined) return refused(target.ref, target.refusal);
  poll(a); // earlier changes first, so that the report is about this call only
  return timed(a, target.ref, newTally(target.ref.era, target.ref.era), [target.ref.era], (tally) => {
    const closed = closeEra(a, target.ref.era);
    sync(a, false, tally);
    return closed ? "closed" : "already-closed";
  });
}

export function discardEpoch(a: Attachment, epoch: unknown): CloseReport {
  // A ref of an era whose ring slot was reused still names its objects.
  const target = resolve(a, epoch, true);
  if (target.refusal !== undefined) return refused(target.ref, target.refusal);
  poll(a); // earlier changes first, so that the report is about this call only
  return timed(a, target.ref, newTally(target.ref.era, target.ref.era), [target.ref.era], (tally) => {
    const discarded = discardEra(a, target.ref.era);
    sync(a, false, tally);
    return discarded ? "discarded" : "already-discarded";
  });
}

export function discardBefore(a: Attachment, epoch: unknown): CloseReport {
  const ref = checkRef(epoch);
  if (ref.era > loadSeq(a.m, ERA)) return refused(ref, "never-opened");
  poll(a);
  return timed(a, ref, newTally(0, ref.era - 1), erasBefore(a, ref.era), (tally) => {
    const discarded = discardErasBefore(a, ref.era);
    sync(a, false, tally);
    return discarded ? "discarded" : "already-discarded";
  });
}

/** The eras before `era` that are in the ring and not discarded yet. */
function erasBefore(a: Attachment, era: number): number[] {
  const recs = Array.from({ length: RING_SIZE }, (_, ring) => loadSeq(a.m, REC_BASE + ring));
  return recs
    .filter((rec) => recEra(rec) >= FIRST_ERA && recEra(rec) < era && recState(rec) !== EPOCH_DISCARD)
    .map(recEra);
}

function refused(ref: EpochRef, reason: "stale" | "never-opened"): CloseReport {
  return {
    epoch: ref,
    applied: false,
    reason,
    slabsScanned: 0,
    slabsRecycled: 0,
    bytesRecycled: 0,
    bytesReleased: 0,
    objectsDiscarded: 0,
    durationNs: 0,
  };
}

/** An epoch that this thread's leaving has closed: its part of the draining, reported like that of a close it asked for. */
export function finishAutoClose(a: Attachment, era: number): void {
  timed(a, epochRef(era), newTally(era, era), [era], (tally) => {
    sync(a, false, tally);
    return "closed";
  });
}

/** `eras`: those that the work closes or discards. */
function timed(
  a: Attachment,
  ref: EpochRef,
  tally: DrainTally,
  eras: readonly number[],
  work: (tally: DrainTally) => "closed" | "already-closed" | "discarded" | "already-discarded",
): CloseReport {
  const { m, layout } = a;
  const measureRss = mayMeasureRss();
  const rssBefore = measureRss ? processRssBytes() : 0;
  const committedBefore = committedSlabs(m, layout);
  const start = performance.now();
  const reason = work(tally);
  const released = newReleaseTally();
  releaseGivenBack(a, released, Number.POSITIVE_INFINITY);
  const durationNs = Math.round((performance.now() - start) * 1e6);
  if (!a.detached) {
    recordTime(a, ref.id, durationNs);
    const committedAfter = committedSlabs(m, layout);
    const rssAfter = measureRss ? processRssBytes() : 0;
    const releasedBytes = released.bytes;
    const facts = { atMs: Date.now(), committedBefore, committedAfter, rssBefore, rssAfter, releasedBytes };
    for (const era of eras) recordClose(a, era, facts);
  }
  return {
    epoch: ref,
    applied: reason === "closed" || reason === "discarded",
    reason,
    slabsScanned: tally.slabsScanned,
    slabsRecycled: tally.slabsRecycled,
    bytesRecycled: tally.slabsRecycled * layout.slabSize,
    bytesReleased: released.bytes,
    objectsDiscarded: tally.objectsDiscarded,
    durationNs,
  };
}

function recordTime(a: Attachment, ring: number, durationNs: number): void {
  const { m, layout } = a;
  const shard = epochShard(a, ring);
  count(m, shard + E_CLOSE_CALLS, 1);
  countLarge(m, shard + E_CLOSE_NS, durationNs);
  // One close concerns every class; its time is shared evenly among them so that the sum over classes is exact.
  const share = Math.floor(durationNs / layout.classCount);
  for (let c = 0; c < layout.classCount; c++) {
    const bin = a.binBase + c * CLASS_SHARD_WORDS;
    count(m, bin + C_CLOSE_CALLS, 1);
    countLarge(m, bin + C_CLOSE_NS, c === 0 ? durationNs - share * (layout.classCount - 1) : share);
  }
  recordDuration(m, histogramAt(layout, a.seat, HISTOGRAM_EPOCH_CLOSE), durationNs, -1);
}

function recordClose(a: Attachment, era: number, facts: CloseFacts): void {
  const { m, layout } = a;
  const openedMs = openedAt(m, era);
  // An epoch lives until somebody first closes or discards it; that the ring has advanced does not end it.
  if (openedMs !== 0 && !wasClosed(a, era)) {
    const lifetimeNs = Math.max(0, facts.atMs - openedMs) * 1e6;
    recordDuration(m, histogramAt(layout, a.seat, HISTOGRAM_EPOCH_LIFETIME), lifetimeNs, -1);
  }
  noteClose(m, epochShard(a, ringOf(era)), era, facts);
}

/** Has any thread's call closed or discarded the era before? */
function wasClosed({ m, layout }: Attachment, era: number): boolean {
  const shard = layout.seatEpochShards + ringOf(era) * EPOCH_SHARD_WORDS;
  for (let seat = 1; seat <= layout.maxWorkers; seat++) {
    if (loadSeq(m, seatAt(layout, seat) + shard + EF_CLOSE_ERA) === era) return true;
  }
  return false;
}

/** Reading the RSS twice takes 16 us and more: affordable for a burst of closes, then for one in 8 ms. */
const RSS_BURST = 16;
const RSS_PER_MS = 0.125;
let rssCredit = RSS_BURST;
let rssCreditAtMs = 0;

function mayMeasureRss(): boolean {
  const now = performance.now();
  rssCredit = Math.min(RSS_BURST, rssCredit + (now - rssCreditAtMs) * RSS_PER_MS);
  rssCreditAtMs = now;
  if (rssCredit < 1) return false;
  rssCredit -= 1;
  return true;
}
