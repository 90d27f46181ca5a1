/** Taking a seat and giving it back. */
import {
  BIN_PARTIAL,
  C_ORPHANED_LIVE,
  CELL_WORDS,
  CLASS_SHARD_WORDS,
  EF_MADVISE_BYTES,
  EPOCH_HEADER_WORDS,
  EPOCH_SHARD_WORDS,
  SEAT_SHARD_WORDS,
} from "../counters/fields.js";
import { finishHistograms } from "../counters/histogram.js";
import { count, finishCarry } from "../counters/record.js";
import { foldCounts, liveCount } from "../counters/slab-counts.js";
import { tryAutoClose } from "../epochs/refs.js";
import { SeatsExhaustedError } from "../errors.js";
import { addSeq, casSeq, loadSeq, storeSeq } from "../memory/atomics.js";
import { Attachment } from "../memory/attachment.js";
import { type Layout, seatAt } from "../memory/layout.js";
import {
  DEEP,
  PHASE,
  RING_SIZE,
  SEAT_CHANGE_RECORD,
  SEAT_COMMIT_RECORD,
  SEAT_COUNTERS,
  SEAT_DEPTH,
  SEAT_ERA,
  SEAT_OWN,
  SEAT_PHASE,
  SEAT_SREF,
  SEAT_THREAD,
  SEAT_WORD,
  SLAB_FAST_OWNER,
  SLAB_TAG,
} from "../memory/offsets.js";
import { RELEASE_NOTHING, type ReleaseConfig } from "../memory/release-config.js";
import { releaseRun } from "../slabs/large-run.js";
import { newReleaseTally, releaseGivenBack } from "../slabs/release.js";
import { collect, collectSlab } from "../slabs/remote-free.js";
import { classShard, recycleSlab, removeFromBin, resetBins, unlinkOwn } from "../slabs/slab.js";
import { nextIncarnation, packSeat, SEAT_FREE, SEAT_LIVE, seatState, WHO_MASK } from "../words/seat-word.js";
import { isHeldBy, retag, TAG_LARGE, TAG_ORPHANED, tagRing, tagState } from "../words/slab-tag.js";
import { abandonSeat } from "./reap.js";
import { forEachOwn, sync } from "./sync.js";

/** Runtime thread id + 1, or minus a ref token; 0 = unknown. */
export type ThreadTag = number;

/** The part of a thread's identity that fits the seat word. */
export function whoOf(thread: ThreadTag): number {
  return Math.abs(thread) & WHO_MASK;
}

/** Takes a free seat and syncs. Throws {@link SeatsExhaustedError}, or `HeapFormatError` where that sync does. */
export function takeSeat(
  buffer: SharedArrayBuffer,
  layout: Layout,
  thread: ThreadTag,
  release: ReleaseConfig = RELEASE_NOTHING,
): Attachment {
  const m = new Int32Array(buffer, 0, layout.metadataWords);
  for (let seat = 1; seat <= layout.maxWorkers; seat++) {
    const index = seatAt(layout, seat) + SEAT_WORD;
    const word = loadSeq(m, index);
    if (seatState(word) !== SEAT_FREE) continue;
    const incarnation = nextIncarnation(word);
    const taken = packSeat(incarnation, whoOf(thread), SEAT_LIVE);
    if (!casSeq(m, index, word, taken)) continue;
    const a = new Attachment(buffer, layout, seat, incarnation, taken, release);
    storeSeq(m, a.seatBase + SEAT_THREAD, thread);
    try {
      settleIn(a);
      sync(a, true);
    } catch (error) {
      // A heap that cannot be used keeps no seat.
      abandonSeat(a);
      throw error;
    }
    return a;
  }
  throw new SeatsExhaustedError(
    `All ${layout.maxWorkers} seats of the heap are taken; create it with a larger maxWorkers (up to 255), detach threads that are done, or reap dead ones.`,
  );
}

/** Resets what only the holder writes; a former holder's words are worthless. Its pending bits stay: stale ones are harmless. */
function settleIn(a: Attachment): void {
  const { m, layout } = a;
  for (let ring = 0; ring < RING_SIZE; ring++) {
    m[a.seatBase + SEAT_OWN + ring] = 0;
    m[a.seatBase + SEAT_DEPTH + ring] = 0;
    m[a.seatBase + SEAT_SREF + ring] = 0;
  }
  m[a.seatBase + SEAT_ERA] = 0;
  m[a.seatBase + SEAT_COMMIT_RECORD] = 0;
  m[a.seatBase + SEAT_CHANGE_RECORD] = 0;
  // Never equal to PHASE before the first sync is through.
  m[a.seatBase + SEAT_PHASE] = ((m[PHASE] as number) - 1) | 0;
  for (let c = 0; c <= layout.classCount; c++) {
    // A former partial list leads into slabs of others: forget it before resetBins follows it.
    m[a.binBase + c * CLASS_SHARD_WORDS + BIN_PARTIAL] = 0;
    finishCarries(m, a.binBase + c * CLASS_SHARD_WORDS + CELL_WORDS, CLASS_SHARD_WORDS - CELL_WORDS);
  }
  finishCarries(m, a.seatBase + SEAT_COUNTERS, SEAT_SHARD_WORDS);
  for (let ring = 0; ring < RING_SIZE; ring++) {
    const shard = a.seatBase + layout.seatEpochShards + ring * EPOCH_SHARD_WORDS;
    finishCarry(m, shard + EF_MADVISE_BYTES);
    finishCarries(m, shard + EPOCH_HEADER_WORDS, EPOCH_SHARD_WORDS - EPOCH_HEADER_WORDS);
  }
  finishHistograms(m, layout, a.seat);
  resetBins(a);
}

/** Completes carries whose writer died in them (see counters/record.ts): a reader tells them apart for a while only. */
function finishCarries(m: Int32Array, firstCell: number, words: number): void {
  for (let cell = firstCell; cell < firstCell + words; cell += CELL_WORDS) finishCarry(m, cell);
}

/**
 * Gives the seat back. Empty slabs become FREE, the others ORPHANED for any thread to adopt; objects in them stay
 * valid. Domains still entered are left. Idempotent.
 */
export function leaveSeat(a: Attachment): void {
  if (a.detached) return;
  const { m } = a;
  sync(a, false);
  if (a.detached) return;
  for (let ring = 0; ring < RING_SIZE; ring++) {
    const sref = a.seatBase + SEAT_SREF + ring;
    const era = m[sref] as number;
    if (era === 0) continue;
    storeSeq(m, a.seatBase + SEAT_DEPTH + ring, 0);
    storeSeq(m, sref, 0);
    tryAutoClose(a, ring, era);
  }
  collect(a, true);
  // From here on nothing is allocated: taking slabs out of the bins one by one would walk long lists.
  resetBins(a);
  forEachOwn(a, (record) => giveUp(a, record));
  // While the seat is still ours: whoever reaps it would give back what we hold.
  releaseGivenBack(a, newReleaseTally(), Number.POSITIVE_INFINITY);
  a.detached = true;
  addSeq(m, DEEP, 1);
  addSeq(m, PHASE, 1);
  storeSeq(m, a.seatBase + SEAT_THREAD, 0);
  storeSeq(m, a.seatBase + SEAT_WORD, packSeat(a.incarnation, 0, SEAT_FREE));
}

function giveUp(a: Attachment, record: number): void {
  const { m } = a;
  // Frees whose pending bit is still on its way: taken here or by the adopter.
  collectSlab(a, record);
  const tag = m[record + SLAB_TAG] as number;
  // collectSlab gave it back, and it may have a new owner already.
  if (!isHeldBy(tag, a.seat)) return;
  const live = liveCount(m, record);
  const large = tagState(tag) === TAG_LARGE;
  if (live === 0) {
    if (large) releaseRun(a, record);
    else recycleSlab(a, record);
    return;
  }
  // Out of our lists before anybody can adopt it: its list words are the adopter's then, and taking one of
  // its neighbours out of our list would write to them.
  m[record + SLAB_FAST_OWNER] = 0;
  removeFromBin(a, record);
  unlinkOwn(a, record, tagRing(tag));
  foldCounts(m, a.seatBase, record, classShard(a, tag));
  count(m, classShard(a, tag) + C_ORPHANED_LIVE, live);
  casSeq(m, record + SLAB_TAG, tag, retag(tag, large ? TAG_LARGE : TAG_ORPHANED, 0));
}
