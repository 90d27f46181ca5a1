/**
 * What a slab's owner counts in the slab itself, so that the hot path writes one word per operation and no more.
 *
 *   COUNTS   31              18 17                0
 *            |  allocations   |   live objects    |      alloc adds 1 to both, free takes 1 from the second
 *   FOLDED   COUNTS as they were when they last went into the owner's counters
 *
 *   live      slots that are not FREE: objects, and remote frees not taken back yet. Recycling needs it anyway.
 *   unfolded  allocations = those of COUNTS - those of FOLDED (modulo 2^14, at most 4096)
 *             own frees   = unfolded allocations + live of FOLDED - live of COUNTS
 *
 * Every 1024th allocation leaves the fast path, every 4096th folds; so does a slab that changes hands. A reader adds what is not
 * folded yet; taking the counters first and the slabs after them it may miss what moves meanwhile but never counts
 * anything twice, and so never has to take a figure back (stats/reader does the rest).
 *
 * A thread may vanish between any two stores, and the counters are exact all the same:
 *   alloc counts before it makes the slot ALLOC, free after it made the slot FREE: whatever is half-done, live is never
 *   below the number of occupied slots, and the excess is what whoever adopts the slab counts (`slabs/adopt.ts`);
 *   counters and the words that say so change together through `commit`, which leaves a note that the reaper completes.
 * Only owners' counts say how many objects ended: a remote free counts when it is taken back, and until then its slot
 * shows it. What the freer counts besides tells who freed, and may miss the one it died in.
 */
import { loadSeq, storeSeq } from "../memory/atomics.js";
import {
  SEAT_COMMIT_ALLOCS,
  SEAT_COMMIT_CELL,
  SEAT_COMMIT_COUNTS,
  SEAT_COMMIT_FREES,
  SEAT_COMMIT_RECORD,
  SEAT_COMMIT_SHARD,
  SEAT_COMMIT_TARGET,
  SLAB_COLLECTING,
  SLAB_COUNTS,
  SLAB_FOLDED,
  SLAB_OPENED_SEC,
} from "../memory/offsets.js";
import { C_ALLOCS, C_LOCAL_FREES, C_NEW_SLAB } from "./fields.js";
import { count, reach } from "./record.js";

/** A slab has at most 2^17 slots (1 MiB of 8 bytes). */
const LIVE_BITS = 18;
const LIVE_MASK = 0x3ffff;

/** Slots that are not FREE, as the owner counts them. Plain: for the owner, or whoever holds the slab instead. */
export function liveCount(m: Int32Array, record: number): number {
  return (m[record + SLAB_COUNTS] as number) & LIVE_MASK;
}

/** Allocations from one value of COUNTS to a later one; negative if it is the earlier one. Small integers all the way. */
function allocsSince(folded: number, counts: number): number {
  return (((counts >> LIVE_BITS) - (folded >> LIVE_BITS)) << LIVE_BITS) >> LIVE_BITS;
}

/** Own frees from one value of COUNTS to a later one, if nothing else has ended objects in between. */
function freesSince(folded: number, counts: number): number {
  return allocsSince(folded, counts) + (folded & LIVE_MASK) - (counts & LIVE_MASK);
}

/** A slab's counts as another thread sees them. */
export interface SlabCounts {
  /** Slots that are not FREE; while the owner works it may be off by the operations under way. */
  occupied: number;
  /** Allocations and frees that are not in the owner's counters yet. */
  unfoldedAllocs: number;
  unfoldedFrees: number;
}

/**
 * Reads the counts from any thread; take the class's counters first. FOLDED before and after COUNTS: where the slab was
 * folded meanwhile (the reader may have been held up for long, and 14 bits come round) nothing counts as unfolded.
 */
export function readSlabCounts(m: Int32Array, record: number, slab: SlabCounts): void {
  const before = loadSeq(m, record + SLAB_FOLDED);
  const counts = loadSeq(m, record + SLAB_COUNTS);
  const folded = loadSeq(m, record + SLAB_FOLDED) === before ? before : counts;
  slab.occupied = counts & LIVE_MASK;
  slab.unfoldedAllocs = Math.max(0, allocsSince(folded, counts));
  slab.unfoldedFrees = Math.max(0, freesSince(folded, counts));
}

/**
 * Makes the counts of a slab that is CLAIMED and has no object yet consistent; before `noteEra`.
 *
 * A slab that was used before was folded when it was given back and goes on with the counts it had: a reader that met it
 * in its former life may still be between the two words, and would count the step from one start to another as
 * allocations. In a slab's first life nobody can be: the tag's next change publishes the words, and a claimer may die
 * in between. First lives start at places spread evenly over the 1024 allocations between two that leave the fast path,
 * or else slabs that are filled once would always be sampled in the same slot.
 */
export function startCounts(m: Int32Array, record: number, bin: number): void {
  m[record + SLAB_COLLECTING] = 0;
  const counts = m[record + SLAB_COUNTS] as number;
  // Anything but a whole fold without live objects is damage, and must not become this life's.
  const isFolded = counts === m[record + SLAB_FOLDED] && (counts & LIVE_MASK) === 0;
  if (isFolded && m[record + SLAB_OPENED_SEC] !== 0) return;
  const start = (Math.imul(m[bin + C_NEW_SLAB] as number, -1640531535) >>> 22) << LIVE_BITS;
  m[record + SLAB_COUNTS] = start;
  m[record + SLAB_FOLDED] = start;
}

/** Moves what a slab has counted into its holder's counters. */
export function foldCounts(m: Int32Array, seatBase: number, record: number, shard: number): void {
  if (m[record + SLAB_COUNTS] !== m[record + SLAB_FOLDED]) commit(m, seatBase, record, shard, 0, 0);
}

/**
 * Folds, and counts `ended` objects that its owner did not free itself (taken back, or discarded) in cell `cell` of the
 * shard: all of it, or, if the thread dies on the way, a note of what is missing. The words before the counters: a
 * reader that takes the counters first never counts twice.
 */
export function commit(
  m: Int32Array,
  seatBase: number,
  record: number,
  shard: number,
  cell: number,
  ended: number,
): void {
  const counts = m[record + SLAB_COUNTS] as number;
  const folded = m[record + SLAB_FOLDED] as number;
  // Never negative but for words that were overwritten: counters must not go back even then.
  const allocs = Math.max(0, allocsSince(folded, counts));
  const frees = Math.max(0, freesSince(folded, counts));
  m[seatBase + SEAT_COMMIT_SHARD] = shard;
  m[seatBase + SEAT_COMMIT_COUNTS] = counts - ended;
  m[seatBase + SEAT_COMMIT_ALLOCS] = (m[shard + C_ALLOCS] as number) + allocs;
  m[seatBase + SEAT_COMMIT_FREES] = (m[shard + C_LOCAL_FREES] as number) + frees;
  m[seatBase + SEAT_COMMIT_CELL] = cell;
  m[seatBase + SEAT_COMMIT_TARGET] = (m[shard + cell] as number) + ended;
  m[seatBase + SEAT_COMMIT_RECORD] = record;
  m[record + SLAB_FOLDED] = counts - ended;
  // Atomic: both are seen before the counters, on processors that reorder stores too.
  storeSeq(m, record + SLAB_COUNTS, counts - ended);
  count(m, shard + C_ALLOCS, allocs);
  count(m, shard + C_LOCAL_FREES, frees);
  if (cell !== 0) count(m, shard + cell, ended);
  m[seatBase + SEAT_COMMIT_RECORD] = 0;
}

/** Completes a commit its thread died in. For its reaper. */
export function finishCommit(m: Int32Array, seatBase: number): void {
  const record = m[seatBase + SEAT_COMMIT_RECORD] as number;
  if (record === 0) return;
  const counts = m[seatBase + SEAT_COMMIT_COUNTS] as number;
  m[record + SLAB_FOLDED] = counts;
  storeSeq(m, record + SLAB_COUNTS, counts);
  const shard = m[seatBase + SEAT_COMMIT_SHARD] as number;
  const cell = m[seatBase + SEAT_COMMIT_CELL] as number;
  reach(m, shard + C_ALLOCS, m[seatBase + SEAT_COMMIT_ALLOCS] as number);
  reach(m, shard + C_LOCAL_FREES, m[seatBase + SEAT_COMMIT_FREES] as number);
  if (cell !== 0) reach(m, shard + cell, m[seatBase + SEAT_COMMIT_TARGET] as number);
  m[seatBase + SEAT_COMMIT_RECORD] = 0;
}
