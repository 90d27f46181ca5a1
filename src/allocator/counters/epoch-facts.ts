/**
 * What a seat knows of single eras: what it gave back of one, what its close of one found. Unlike counters these are
 * about the newest era of the ring slot only, so that "what did closing this epoch give back" has an answer although
 * ring slots repeat.
 *
 * Written by the seat's holder alone. The era is 0 while the facts change, so a reader that finds the era it asks for
 * before and after has facts of that era.
 */
import { loadSeq, storeSeq } from "../memory/atomics.js";
import { loadWide, storeWide } from "../memory/wide.js";
import {
  EF_CLOSE_ERA,
  EF_CLOSE_MADVISE,
  EF_CLOSE_MS,
  EF_COMMITTED_AFTER,
  EF_COMMITTED_BEFORE,
  EF_ERA,
  EF_MADVISE_BYTES,
  EF_RECYCLED,
  EF_RSS_AFTER,
  EF_RSS_BEFORE,
} from "./fields.js";
import { countLarge, readCounter } from "./record.js";

/** Adds slabs of `era` that were given back; those of an era older than the facts are left to the counters. */
export function noteRecycled(m: Int32Array, epochShard: number, era: number, slabs: number): void {
  if (!beAbout(m, epochShard, era)) return;
  m[epochShard + EF_RECYCLED] = (m[epochShard + EF_RECYCLED] as number) + slabs;
}

/** Adds bytes of slabs of `era` whose pages were released; likewise. */
export function noteReleased(m: Int32Array, epochShard: number, era: number, bytes: number): void {
  if (beAbout(m, epochShard, era)) countLarge(m, epochShard + EF_MADVISE_BYTES, bytes);
}

/** Makes `era` the one the facts are about, unless they are about a newer one. */
function beAbout(m: Int32Array, epochShard: number, era: number): boolean {
  const held = m[epochShard + EF_ERA] as number;
  if (era > held) {
    storeSeq(m, epochShard + EF_ERA, 0);
    m[epochShard + EF_RECYCLED] = 0;
    m.fill(0, epochShard + EF_MADVISE_BYTES, epochShard + EF_MADVISE_BYTES + 3);
    storeSeq(m, epochShard + EF_ERA, era);
  }
  return era >= held;
}

/** Adds a seat's facts about `era` to `sum`, if it has any. From any thread. */
export function addEpochFacts(
  m: Int32Array,
  epochShard: number,
  era: number,
  sum: { slabsRecycled: number; madviseBytes: number },
): void {
  if (loadSeq(m, epochShard + EF_ERA) !== era) return;
  const slabs = loadSeq(m, epochShard + EF_RECYCLED);
  const bytes = readCounter(m, epochShard + EF_MADVISE_BYTES);
  if (loadSeq(m, epochShard + EF_ERA) !== era) return;
  sum.slabsRecycled += slabs;
  sum.madviseBytes += bytes;
}

/** What a close or discard found, as the thread that asked for it saw it. */
export interface CloseFacts {
  /** Unix milliseconds at its end. */
  readonly atMs: number;
  readonly committedBefore: number;
  readonly committedAfter: number;
  /** Resident bytes of the process, 0 when not measured. */
  readonly rssBefore: number;
  readonly rssAfter: number;
  /** Bytes released to the system meanwhile, by this thread and in this call, of whatever epoch. */
  readonly releasedBytes: number;
}

/** Keeps the facts about a close of `era`; those of an era older than the last one are left out. */
export function noteClose(m: Int32Array, epochShard: number, era: number, facts: CloseFacts): void {
  if (era < (m[epochShard + EF_CLOSE_ERA] as number)) return;
  storeSeq(m, epochShard + EF_CLOSE_ERA, 0);
  m[epochShard + EF_COMMITTED_BEFORE] = facts.committedBefore;
  m[epochShard + EF_COMMITTED_AFTER] = facts.committedAfter;
  storeWide(m, epochShard + EF_CLOSE_MS, facts.atMs);
  storeWide(m, epochShard + EF_RSS_BEFORE, facts.rssBefore);
  storeWide(m, epochShard + EF_RSS_AFTER, facts.rssAfter);
  storeWide(m, epochShard + EF_CLOSE_MADVISE, facts.releasedBytes);
  storeSeq(m, epochShard + EF_CLOSE_ERA, era);
}

/** A seat's facts about its close of `era`, if it has any. From any thread. */
export function readClose(m: Int32Array, epochShard: number, era: number): CloseFacts | undefined {
  if (loadSeq(m, epochShard + EF_CLOSE_ERA) !== era) return undefined;
  const facts = {
    atMs: loadWide(m, epochShard + EF_CLOSE_MS),
    committedBefore: loadSeq(m, epochShard + EF_COMMITTED_BEFORE),
    committedAfter: loadSeq(m, epochShard + EF_COMMITTED_AFTER),
    rssBefore: loadWide(m, epochShard + EF_RSS_BEFORE),
    rssAfter: loadWide(m, epochShard + EF_RSS_AFTER),
    releasedBytes: loadWide(m, epochShard + EF_CLOSE_MADVISE),
  };
  return loadSeq(m, epochShard + EF_CLOSE_ERA) === era ? facts : undefined;
}
