/**
 * Giving the pages of free slabs back to the system.
 *
 *   FREE -> RELEASING(me) | resident? | pages released | resident bit off | RELEASING -> FREE
 *
 * Between the two CAS the slab is this thread's, so nobody can be given a slab that is about to lose its contents, and
 * two threads never release the same pages. The resident bit is read again once the slab is held: the hint that led here
 * may be older than another thread's release. It goes off before the slab is FREE, or it could wipe out the bit of
 * whoever takes it next. The free hint stays on all the while: a claimer that follows it loses a CAS and goes on, and a
 * thread that dies here leaves no slab that nobody finds. A reaper makes the dead thread's RELEASING slabs FREE.
 *
 * Neighbours are released in one call, because a call costs as much as a page or two whatever its length. From the
 * top of the heap down: single slabs are claimed from the bottom up, so what stays warm is what is taken next.
 */
import { noteReleased } from "../counters/epoch-facts.js";
import {
  C_MADVISE_BYTES,
  C_MADVISE_CALLS,
  C_MADVISE_FAILURES,
  CLASS_SHARD_WORDS,
} from "../counters/fields.js";
import { count, countLarge } from "../counters/record.js";
import { casSeq, loadSeq } from "../memory/atomics.js";
import { type Attachment, loseSeat } from "../memory/attachment.js";
import { alignUp } from "../memory/bits.js";
import { recordAt } from "../memory/layout.js";
import {
  FIRST_ERA,
  SEAT_GIVEN_BACK,
  SLAB_ERA,
  SLAB_LAST_CLASS,
  SLAB_TAG,
  WANTED,
} from "../memory/offsets.js";
import { ringOf } from "../words/epoch-word.js";
import { clearResident, countWarm, highestWarm, isResident, isWarm } from "../words/resident-map.js";
import { packTag, TAG_FREE, TAG_RELEASING } from "../words/slab-tag.js";
import { epochShard } from "./slab.js";

/** Held at once at most: longer calls save nothing worth having, and an alloc may have to wait for these slabs. */
const BATCH_BYTES = 1024 * 1024;

/** Share of a range beyond which it counts as released. */
const MOSTLY = 0.87;

/** After a call that the system refused: how long this thread leaves it alone, doubled each time. */
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 60_000;

/** Equal to no sum of slabs given back. */
const MORE_TO_RELEASE = Number.NaN;

/** What a thread releases at once where nobody asked for it to take time: some 4 ms. */
export const IDLE_BYTES = 32 * 1024 * 1024;

/** What some releasing came to. */
export interface ReleaseTally {
  slabs: number;
  bytes: number;
  calls: number;
  failures: number;
}

export function newReleaseTally(): ReleaseTally {
  return { slabs: 0, bytes: 0, calls: 0, failures: 0 };
}

/**
 * Releases what is warm beyond the reserve, where the thread's policy says so and any thread has given slabs back since
 * this one last released: after a call that closes, in `poll()`, and while the thread is idle. At most about `maxBytes`;
 * the next call goes on.
 */
export function releaseGivenBack(a: Attachment, tally: ReleaseTally, maxBytes: number): void {
  if (!a.rules.onClose || !mayRelease(a)) return;
  if (givenBackByAll(a) !== a.givenBackAtRelease) releaseWarm(a, a.rules.reserveSlabs, tally, maxBytes);
}

/** Slabs given back by all threads so far, modulo 2^32. Plain reads: what is not seen now is seen at the next look. */
function givenBackByAll({ m, layout }: Attachment): number {
  const { seatBase, seatWords, maxWorkers } = layout;
  let slabs = 0;
  for (let seat = 0; seat < maxWorkers; seat++) {
    slabs = (slabs + (m[seatBase + seat * seatWords + SEAT_GIVEN_BACK] as number)) | 0;
  }
  return slabs;
}

/** False while the thread has no releaser, or its last call was refused not long ago. */
export function mayRelease(a: Attachment): boolean {
  if (a.rules.releaser === undefined) return false;
  return a.releaseRetryMs === 0 || performance.now() >= a.releaseRetryAtMs;
}

/**
 * Releases warm slabs until at most `keepSlabs` are left. Stops before that after `maxBytes`, at a call that the system
 * refuses, and when another thread is waiting for slabs. Linear in the heap's slabs, 32 at a time, and in what it releases.
 */
export function releaseWarm(a: Attachment, keepSlabs: number, tally: ReleaseTally, maxBytes: number): void {
  const { m, layout } = a;
  if (a.rules.releaser === undefined || a.detached) return;
  // Before the look at the maps: what is given back after it is still to be released.
  a.givenBackAtRelease = givenBackByAll(a);
  const wanted = loadSeq(m, WANTED);
  const batch = Math.max(1, BATCH_BYTES / layout.slabSize);
  let excess = countWarm(m, layout) - keepSlabs;
  let left = maxBytes;
  let end = layout.slabCount;
  while (excess > 0) {
    const top = highestWarm(m, layout, end);
    if (top < 0 || a.detached) return;
    if (left <= 0 || loadSeq(m, WANTED) !== wanted) {
      a.givenBackAtRelease = MORE_TO_RELEASE;
      return;
    }
    const first = takeWarm(a, top, Math.min(batch, excess));
    end = Math.min(first, top);
    // What somebody else took, or is releasing, is not warm any more.
    excess -= Math.max(1, top + 1 - first);
    if (first > top) continue;
    left -= (top + 1 - first) * layout.slabSize;
    if (!releaseHeld(a, first, top + 1, tally)) return;
    // Others release too: together not more than each would alone.
    excess = Math.min(excess, countWarm(m, layout) - keepSlabs);
  }
}

/** Takes up to `limit` neighbouring warm slabs, the highest of them `top`; returns the lowest, top + 1 when there is none. */
function takeWarm(a: Attachment, top: number, limit: number): number {
  let first = top + 1;
  while (first > 0 && top + 1 - first < limit && isWarm(a.m, a.layout, first - 1) && take(a, first - 1)) {
    first--;
  }
  return first;
}

function take(a: Attachment, slab: number): boolean {
  const { m } = a;
  if (!casSeq(m, recordAt(slab) + SLAB_TAG, TAG_FREE, packTag(TAG_RELEASING, a.seat, 0, 0))) return false;
  // What led here may be older than another thread's release; now that the slab is held it is exact.
  if (isResident(m, a.layout, slab)) return true;
  giveBack(a, slab);
  return false;
}

function giveBack(a: Attachment, slab: number): void {
  const held = packTag(TAG_RELEASING, a.seat, 0, 0);
  if (!casSeq(a.m, recordAt(slab) + SLAB_TAG, held, TAG_FREE)) loseSeat(a);
}

/** Releases the pages of held slabs [first, end) and gives the slabs back; returns false when the system refused. */
function releaseHeld(a: Attachment, first: number, end: number, tally: ReleaseTally): boolean {
  const { m, layout } = a;
  const { pageBytes } = a.rules;
  const { payloadOffset, slabSize } = layout;
  // Pages may be larger than slabs: one that is shared with a neighbour in use must stay.
  const from = alignUp(payloadOffset + first * slabSize, pageBytes);
  const to = Math.floor((payloadOffset + end * slabSize) / pageBytes) * pageBytes;
  // Slabs whose pages all lie within: without one the next look would find the same again.
  const firstWhole = Math.ceil((from - payloadOffset) / slabSize);
  const endWhole = Math.floor((to - payloadOffset) / slabSize);
  const bytes = firstWhole < endWhole ? callReleaser(a, from, to - from) : 0;
  countCall(a, first, bytes, tally);
  // A buffer that does not begin on a page keeps a page at the ends. Where that is much of the range, the slabs stay warm:
  // together with neighbours they may go another time.
  const released = bytes > (to - from) * MOSTLY;
  let rest = Math.max(0, bytes);
  for (let slab = first; slab < end; slab++) {
    if (released && slab >= firstWhole && slab < endWhole) {
      clearResident(m, layout, slab);
      tally.slabs++;
    }
    const share = Math.round(rest / (end - slab));
    rest -= share;
    if (share > 0) countReleased(a, slab, share);
    giveBack(a, slab);
  }
  return bytes >= 0;
}

/** Bytes released, below 0 when the system refused: the caller of close() could do nothing about an error. */
function callReleaser(a: Attachment, byteOffset: number, byteLength: number): number {
  try {
    const bytes = a.rules.releaser?.release(a.buffer, byteOffset, byteLength);
    return typeof bytes === "number" && bytes >= 0 ? Math.min(Math.floor(bytes), byteLength) : -1;
  } catch {
    return -1;
  }
}

function countCall(a: Attachment, first: number, bytes: number, tally: ReleaseTally): void {
  // There was no whole page in the range: the system was not asked.
  if (bytes === 0) return;
  const shard = lastShard(a, first);
  tally.calls++;
  count(a.m, shard + C_MADVISE_CALLS, 1);
  if (bytes > 0) {
    tally.bytes += bytes;
    a.releaseRetryMs = 0;
    return;
  }
  tally.failures++;
  count(a.m, shard + C_MADVISE_FAILURES, 1);
  a.givenBackAtRelease = MORE_TO_RELEASE;
  a.releaseRetryMs = Math.min(LAST_RETRY_MS, Math.max(FIRST_RETRY_MS, a.releaseRetryMs * 2));
  a.releaseRetryAtMs = performance.now() + a.releaseRetryMs;
}

/** Counts bytes where the slab was last used: with its class, and with its era. */
function countReleased(a: Attachment, slab: number, bytes: number): void {
  const { m } = a;
  countLarge(m, lastShard(a, slab) + C_MADVISE_BYTES, bytes);
  const era = m[recordAt(slab) + SLAB_ERA] as number;
  if (era >= FIRST_ERA) noteReleased(m, epochShard(a, ringOf(era)), era, bytes);
}

/** Counter shard of the class a held slab last served. */
function lastShard(a: Attachment, slab: number): number {
  const { m, layout } = a;
  const last = m[recordAt(slab) + SLAB_LAST_CLASS] as number;
  const classIndex = last >= 0 && last <= layout.classCount ? last : layout.classCount;
  return a.binBase + classIndex * CLASS_SHARD_WORDS;
}
