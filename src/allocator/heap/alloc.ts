/**
 * Allocation off the fast path. Every step but the last two is bounded independently of the heap's size:
 *
 *   sync if PHASE moved | refill the current slab's list | check the epoch record | partial slab |
 *   collect remote frees | hinted free slab | own empty slabs | confirming scan of all tags | ask the others
 */
import {
  BIN_CURRENT,
  C_CLOSED,
  C_COLLECTED,
  C_CONTENDED,
  C_CURRENT_FULL,
  C_CURRENT_NULL,
  C_FIRST_TRY,
  C_OOM,
  C_SLOW,
  C_TO_FULL,
  CLASS_SHARD_WORDS,
  COUNT_ALLOC,
  FOLD_MASK,
  S_CONFIRMING,
  S_PRESSURE,
} from "../counters/fields.js";
import { count } from "../counters/record.js";
import { foldCounts } from "../counters/slab-counts.js";
import { InvalidTypeError, InvalidValueError } from "../errors.js";
import { addSeq, changesSeq, loadSeq } from "../memory/atomics.js";
import {
  type Attachment,
  FAILURE_EPOCH_CLOSED,
  FAILURE_NONE,
  FAILURE_OUT_OF_MEMORY,
} from "../memory/attachment.js";
import { damaged } from "../memory/damage.js";
import { recordAt } from "../memory/layout.js";
import {
  CLASS_MAP_BASE,
  DUMMY_SLAB,
  ERA,
  FAST_SIZE_LIMIT,
  PHASE,
  PRESSURE,
  REC_BASE,
  RING_SIZE,
  SEAT_COUNTERS,
  SEAT_EPOCH,
  SEAT_ERA,
  SLAB_BIN,
  SLAB_COUNTS,
  SLAB_TAG,
  WANTED,
} from "../memory/offsets.js";
import { describe } from "../memory/size-classes.js";
import { giveBackEmpty, poll, sync } from "../seats/sync.js";
import { adoptSlab, isAdoptable } from "../slabs/adopt.js";
import { findFree, findFreeRun, hasFreeHint, repairFree } from "../slabs/free-map.js";
import { claimRun, RUN_CLOSED, RUN_NONE } from "../slabs/large-run.js";
import { collect } from "../slabs/remote-free.js";
import { CLAIM_CLOSED, CLAIM_WON, carve, claimSlab, firstSlot, nextPartial, popSlot } from "../slabs/slab.js";
import { EPOCH_ACTIVE, packRec, ringOf } from "../words/epoch-word.js";
import { TAG_FREE, TAG_RELEASING, tagState } from "../words/slab-tag.js";
import { SLOT_ALLOC } from "../words/slot-word.js";

const FOUND = 1;
const CLOSED = 2;
const NONE = 3;

/** How often an alloc without an explicit epoch follows the ring before it gives up: each retry means a new era. */
const MAX_ERA_CHASES = 64;
/** Ask the other threads for their empty slabs at most this often. */
const PRESSURE_INTERVAL_MS = 5;
/** Looks at one slab whose pages another thread releases: 1 to 2 ms, many times what a batch takes. */
const RELEASE_LOOKS = 150_000;
/** Searches after such a wait: somebody may have begun to release other slabs by then. */
const RELEASE_ROUNDS = 4;

/**
 * Allocates `size` bytes; returns the slot word's index, now ALLOC, or 0 with `lastFailure` set.
 * Throws on a size or epoch that no heap of this layout could serve.
 */
export function allocSlow(a: Attachment, size: unknown, epoch: unknown): number {
  const bytes = checkSize(a, size);
  if (epoch !== undefined) checkEpoch(epoch);
  poll(a);
  if (a.detached) return 0;
  const { m, layout } = a;
  const large = bytes > layout.maxSmallSize;
  const bin = a.binBase + binOffset(a, bytes);

  for (let chase = 0; chase < MAX_ERA_CHASES && !a.detached; chase++) {
    const era = m[a.seatBase + SEAT_ERA] as number;
    const wanted = era !== 0 && (epoch === undefined || epoch === m[a.seatBase + SEAT_EPOCH]);
    if (!wanted && epoch !== undefined) {
      // An era whose opener has not got to its PHASE bump is open all the same: honour it once.
      const newest = loadSeq(m, ERA);
      if (chase > 0 || newest === era || ringOf(newest) !== epoch) return fail(a, bin, FAILURE_EPOCH_CLOSED);
    }
    if (wanted) {
      const slotWord = large ? allocRun(a, bin, bytes, era) : allocSmall(a, bin, era);
      if (slotWord > 0) {
        a.lastFailure = FAILURE_NONE;
        return slotWord;
      }
      if (slotWord === -NONE) return fail(a, bin, FAILURE_OUT_OF_MEMORY);
      if (epoch !== undefined) return fail(a, bin, FAILURE_EPOCH_CLOSED);
    }
    // The ring moved on while we looked: follow it.
    sync(a, false);
  }
  return a.detached ? 0 : fail(a, bin, FAILURE_EPOCH_CLOSED);
}

/** Offset of the bin that serves `bytes`; the class map covers the fast path's sizes only. */
function binOffset(a: Attachment, bytes: number): number {
  const { m, layout } = a;
  if (bytes <= FAST_SIZE_LIMIT) return m[CLASS_MAP_BASE + ((bytes + 7) >> 3)] as number;
  let classIndex = layout.classCount;
  while (classIndex > 0 && (layout.sizeClasses[classIndex - 1] as number) >= bytes) classIndex--;
  return classIndex * CLASS_SHARD_WORDS;
}

/** An alloc that found its epoch closed after all: counted and explained as one that failed. */
export function failClosed(a: Attachment, bytes: number): void {
  fail(a, a.binBase + binOffset(a, bytes), FAILURE_EPOCH_CLOSED);
}

function fail(a: Attachment, bin: number, why: 1 | 2): number {
  a.lastFailure = why;
  countSlow(a, bin);
  count(a.m, bin + (why === FAILURE_OUT_OF_MEMORY ? C_OOM : C_CLOSED), 1);
  return 0;
}

function countSlow(a: Attachment, bin: number): void {
  a.slowHits = (a.slowHits + 1) | 0;
  count(a.m, bin + C_SLOW, 1);
}

/** Slot word index, or minus CLOSED or NONE. */
function allocSmall(a: Attachment, bin: number, era: number): number {
  const { m } = a;
  const current = m[bin + BIN_CURRENT] as number;
  if (current !== DUMMY_SLAB) {
    if (m[current + SLAB_BIN] !== bin) damaged(`seat ${a.seat}'s current slab at word ${current}`);
    if (carve(a, current)) return takeSlot(a, bin, current);
  }

  if (current === DUMMY_SLAB) {
    count(m, bin + C_CURRENT_NULL, 1);
  } else {
    count(m, bin + C_CURRENT_FULL, 1);
    count(m, bin + C_TO_FULL, 1);
  }
  // Bounds how long an alloc can miss a close: one slab's worth.
  if (loadSeq(m, REC_BASE + ringOf(era)) !== packRec(era, EPOCH_ACTIVE)) return -CLOSED;
  if (!takeListed(a, bin)) {
    const collected = collect(a, false);
    if (a.detached) return -CLOSED;
    let found = takeAvailable(a, bin, era);
    if (collected > 0 && found === FOUND) count(m, bin + C_COLLECTED, 1);
    if (found === NONE) found = searchHarder(a, bin, era, 0);
    if (found !== FOUND) return -found;
  }
  countSlow(a, bin);
  return takeSlot(a, bin, m[bin + BIN_CURRENT] as number);
}

/** Makes a slab with a free slot current: one we have, or a hinted one. */
function takeAvailable(a: Attachment, bin: number, era: number): number {
  const { m } = a;
  const classIndex = (bin - a.binBase) / CLASS_SHARD_WORDS;
  const current = m[bin + BIN_CURRENT] as number;
  if (current !== DUMMY_SLAB && carve(a, current)) return FOUND;
  if (takeListed(a, bin)) return FOUND;
  let tries = 0;
  for (let slab = findFree(m, a.layout, 0); slab >= 0; slab = findFree(m, a.layout, slab + 1)) {
    tries++;
    const claim = claimSlab(a, slab, classIndex, era);
    if (claim === CLAIM_CLOSED) return CLOSED;
    if (claim !== CLAIM_WON) continue;
    // A slab whose slots are all retired stays ours, empty, until its epoch closes.
    if (!carve(a, recordAt(slab))) continue;
    count(m, bin + (tries === 1 ? C_FIRST_TRY : C_CONTENDED), 1);
    return FOUND;
  }
  return NONE;
}

/** Makes a slab of the bin's partial list current; false when none waits. */
function takeListed(a: Attachment, bin: number): boolean {
  for (let record = nextPartial(a, bin); record !== 0; record = nextPartial(a, bin)) {
    if (carve(a, record)) return true;
  }
  return false;
}

function takeSlot(a: Attachment, bin: number, record: number): number {
  const { m } = a;
  const counts = ((m[record + SLAB_COUNTS] as number) + COUNT_ALLOC) | 0;
  // Before the slot becomes ALLOC: see counters/slab-counts.ts.
  m[record + SLAB_COUNTS] = counts;
  const slotWord = popSlot(a, record);
  m[slotWord] = (m[slotWord] as number) + SLOT_ALLOC;
  if ((counts & FOLD_MASK) === 0) foldCounts(m, a.seatBase, record, bin);
  return slotWord;
}

/** Slot word index of a run's head, or minus CLOSED or NONE. */
function allocRun(a: Attachment, bin: number, bytes: number, era: number): number {
  const slabs = Math.ceil(bytes / a.layout.slabSize);
  collect(a, false);
  if (a.detached) return -CLOSED;
  let head = claimRun(a, slabs, era);
  if (head === RUN_NONE) {
    const found = searchHarder(a, bin, era, slabs);
    if (found !== FOUND) return -found;
    head = a.foundRun;
  }
  if (head === RUN_CLOSED) return -CLOSED;
  countSlow(a, bin);
  return firstSlot(a, recordAt(head));
}

/** One more try at a slab with room (`slabs` is 0) or at a run of `slabs`, whose head goes to `foundRun`. */
function attempt(a: Attachment, bin: number, era: number, slabs: number): number {
  if (a.detached) return CLOSED;
  if (slabs === 0) return takeAvailable(a, bin, era);
  a.foundRun = claimRun(a, slabs, era);
  if (a.foundRun === RUN_CLOSED) return CLOSED;
  return a.foundRun === RUN_NONE ? NONE : FOUND;
}

/**
 * Before out-of-memory: own empty slabs, then the truth (every tag), then the other threads' empty slabs.
 * The result of the scan is remembered until PHASE moves or this thread gives a slab back, so a full heap
 * answers quickly; what others give back shows in the free map.
 */
function searchHarder(a: Attachment, bin: number, era: number, slabs: number): number {
  const { m } = a;
  collect(a, true);
  giveBackEmpty(a);
  let found = attempt(a, bin, era, slabs);
  if (found !== NONE) return found;
  const phase = loadSeq(m, PHASE);
  if (a.exhaustedPhase !== phase) {
    confirmTags(a);
    found = attempt(a, bin, era, slabs);
    if (found !== NONE) return found;
    a.exhaustedPhase = phase;
  }
  // Hints stay where pages are being released: a full heap has none.
  for (let round = 0; round < RELEASE_ROUNDS && a.stuckPhase !== phase && seemsFree(a, slabs); round++) {
    addSeq(m, WANTED, 1);
    if (!awaitReleases(a)) a.stuckPhase = phase;
    found = attempt(a, bin, era, slabs);
    if (found !== NONE) return found;
  }
  const now = Date.now();
  if (now - a.pressureAtMs < PRESSURE_INTERVAL_MS && now >= a.pressureAtMs) return NONE;
  a.pressureAtMs = now;
  count(m, a.seatBase + SEAT_COUNTERS + S_PRESSURE, 1);
  addSeq(m, PRESSURE, 1);
  addSeq(m, PHASE, 1);
  return NONE;
}

/** Do the hints show a slab, or a run of `slabs`, that could not be had? */
function seemsFree({ m, layout }: Attachment, slabs: number): boolean {
  return slabs === 0 ? findFree(m, layout, 0) >= 0 : findFreeRun(m, layout, slabs, layout.slabCount) >= 0;
}

/**
 * Waits a moment for the slabs whose pages other threads are giving back right now: they are free, and a heap must not
 * look full because it is being trimmed. They know that somebody waits, and begin no others. Bounded: false when a slab
 * took too long, as its thread died, or sleeps, in the middle of it; nobody waits again then before PHASE moves.
 */
function awaitReleases(a: Attachment): boolean {
  const { m, layout } = a;
  for (let slab = findFree(m, layout, 0); slab >= 0; slab = findFree(m, layout, slab + 1)) {
    const at = recordAt(slab) + SLAB_TAG;
    const tag = loadSeq(m, at);
    if (tagState(tag) === TAG_RELEASING && !changesSeq(m, at, tag, RELEASE_LOOKS)) return false;
  }
  return true;
}

/** Reads every tag: restores lost hints of FREE slabs and adopts what nobody owns. */
function confirmTags(a: Attachment): void {
  const { m, layout } = a;
  count(m, a.seatBase + SEAT_COUNTERS + S_CONFIRMING, 1);
  for (let slab = 0; slab < layout.slabCount && !a.detached; slab++) {
    const tag = loadSeq(m, recordAt(slab) + SLAB_TAG);
    if (tag === TAG_FREE) {
      if (!hasFreeHint(m, layout, slab)) repairFree(m, layout, slab);
    } else if (isAdoptable(tag)) {
      adoptSlab(a, recordAt(slab), tag);
    }
  }
}

/** A size some heap of this layout could serve, or a typed error. */
export function checkSize(a: Attachment, size: unknown): number {
  const limit = a.layout.capacityBytes;
  if (typeof size !== "number") {
    throw new InvalidTypeError(
      `alloc: size must be a number of bytes from 1 to ${limit}; got ${describe(size)}.`,
    );
  }
  if (!Number.isInteger(size) || size < 1 || size > limit) {
    throw new InvalidValueError(
      `alloc: size must be a whole number of bytes from 1 to ${limit} (the heap's payload); got ${size}.`,
    );
  }
  return size;
}

/** A ring slot, or a typed error. */
export function checkEpoch(epoch: unknown): number {
  if (typeof epoch !== "number") {
    throw new InvalidTypeError(`epoch must be a number from 0 to ${RING_SIZE - 1}; got ${describe(epoch)}.`);
  }
  if (!Number.isInteger(epoch) || epoch < 0 || epoch >= RING_SIZE) {
    throw new InvalidValueError(`epoch must be a whole number from 0 to ${RING_SIZE - 1}; got ${epoch}.`);
  }
  return epoch;
}
