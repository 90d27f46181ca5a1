/** Closing and discarding, with a report of what this thread found. */

import { noteClose } from "../counters/epoch-facts.js";
import {
  C_CLOSE_CALLS,
  C_CLOSE_NS,
  CLASS_SHARD_WORDS,
  E_CLOSE_CALLS,
  E_CLOSE_NS,
  HISTOGRAM_EPOCH_CLOSE,
  HISTOGRAM_EPOCH_LIFETIME,
} from "../counters/fields.js";
import { histogramAt, recordDuration } from "../counters/histogram.js";
import { count, countLarge } from "../counters/record.js";
import { closeEra, discardEra, discardErasBefore } from "../epochs/ring.js";
import { InvalidTypeError, InvalidValueError } from "../errors.js";
import { loadSeq } from "../memory/atomics.js";
import type { Attachment } from "../memory/attachment.js";
import { COMMITTED, ERA, FIRST_ERA, MAX_ERA, REC_BASE, RING_SIZE } from "../memory/offsets.js";
import { processRssBytes } from "../memory/process.js";
import { describe } from "../memory/size-classes.js";
import { poll, sync } from "../seats/sync.js";
import { type DrainTally, newTally } from "../slabs/drain.js";
import { epochShard } from "../slabs/slab.js";
import type { CloseReport, EpochId, EpochRef } from "../types.js";
import { openedAt } from "../words/epoch-table.js";
import { recEra, ringOf } from "../words/epoch-word.js";
import { checkEpoch } from "./alloc.js";

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
  checkEpoch(id);
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
  return timed(a, target.ref, newTally(target.ref.era, target.ref.era), (tally) => {
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
  return timed(a, target.ref, newTally(target.ref.era, target.ref.era), (tally) => {
    const discarded = discardEra(a, target.ref.era);
    sync(a, false, tally);
    return discarded ? "discarded" : "already-discarded";
  });
}

export function discardBefore(a: Attachment, epoch: unknown): CloseReport {
  const ref = checkRef(epoch);
  if (ref.era > loadSeq(a.m, ERA)) return refused(ref, "never-opened");
  poll(a);
  return timed(a, ref, newTally(0, ref.era - 1), (tally) => {
    const discarded = discardErasBefore(a, ref.era);
    sync(a, false, tally);
    return discarded ? "discarded" : "already-discarded";
  });
}

function refused(ref: EpochRef, reason: "stale" | "never-opened"): CloseReport {
  return {
    epoch: ref,
    applied: false,
    reason,
    slabsScanned: 0,
    slabsRecycled: 0,
    bytesRecycled: 0,
    objectsDiscarded: 0,
    durationNs: 0,
  };
}

/** An epoch that this thread's leaving has closed: its part of the draining, reported like that of a close it asked for. */
export function finishAutoClose(a: Attachment, era: number): void {
  timed(a, epochRef(era), newTally(era, era), (tally) => {
    sync(a, false, tally);
    return "closed";
  });
}

function timed(
  a: Attachment,
  ref: EpochRef,
  tally: DrainTally,
  work: (tally: DrainTally) => "closed" | "already-closed" | "discarded" | "already-discarded",
): CloseReport {
  const { m, layout } = a;
  const measureRss = mayMeasureRss();
  const rssBefore = measureRss ? processRssBytes() : 0;
  const committedBefore = loadSeq(m, COMMITTED);
  const start = performance.now();
  const reason = work(tally);
  const durationNs = Math.round((performance.now() - start) * 1e6);
  const applied = reason === "closed" || reason === "discarded";
  if (!a.detached) {
    record(a, ref, durationNs, applied);
    noteClose(m, epochShard(a, ref.id), ref.era, {
      atMs: Date.now(),
      committedBefore,
      committedAfter: loadSeq(m, COMMITTED),
      rssBefore,
      rssAfter: measureRss ? processRssBytes() : 0,
    });
  }
  return {
    epoch: ref,
    applied,
    reason,
    slabsScanned: tally.slabsScanned,
    slabsRecycled: tally.slabsRecycled,
    bytesRecycled: tally.slabsRecycled * layout.slabSize,
    objectsDiscarded: tally.objectsDiscarded,
    durationNs,
  };
}

function record(a: Attachment, ref: EpochRef, durationNs: number, applied: boolean): void {
  const { m, layout } = a;
  const shard = epochShard(a, ref.id);
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
  const openedMs = openedAt(m, ref.era);
  if (!applied || openedMs === 0) return;
  const lifetimeNs = Math.max(0, Date.now() - openedMs) * 1e6;
  recordDuration(m, histogramAt(layout, a.seat, HISTOGRAM_EPOCH_LIFETIME), lifetimeNs, -1);
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
