/**
 * What a slab's owner counts in the slab itself, so that the hot path writes one word per operation and no more.
 *
 *   live objects and remote frees not collected yet = ALLOCS - FREES + BALANCE          (all modulo 2^32)
 *   to be added to the owner's counters             = ALLOCS - ALLOCS_FOLDED, FREES - FREES_FOLDED
 *
 * Recycling needs the live count anyway; splitting it into two words that only grow makes the allocation and free
 * counters free of charge. They are folded into the class's counters when the slab changes hands. A reader adds
 * what is not folded yet; taking the counters first and the slabs after them, it may miss what is folded in between
 * but never counts anything twice, and so never has to take a figure back (stats/reader does the rest).
 *
 * A thread may vanish between any two stores, and the counters are exact all the same:
 *   alloc counts before it makes the slot ALLOC, free after it made the slot FREE: whatever is half-done, ALLOCS -
 *   FREES + BALANCE is never below the number of occupied slots, and the excess is what whoever adopts the slab has
 *   to count (`slabs/adopt.ts`);
 *   a counter and the word that says so change together through `commit`, which leaves a note that the reaper completes.
 * Only owners' counts say how many objects ended: a remote free counts when it is taken back, and until then its slot
 * shows it. What the freer counts besides tells who freed, and may miss the one it died in.
 */
import { loadSeq } from "../memory/atomics.js";
import {
  SEAT_COMMIT_CELL,
  SEAT_COMMIT_TARGET,
  SEAT_COMMIT_VALUE,
  SEAT_COMMIT_WORD,
  SLAB_ALLOCS,
  SLAB_ALLOCS_FOLDED,
  SLAB_BALANCE,
  SLAB_COLLECTING,
  SLAB_FREES,
  SLAB_FREES_FOLDED,
} from "../memory/offsets.js";
import { C_ALLOCS, C_LOCAL_FREES, C_NEW_SLAB } from "./fields.js";
import { count, finishCarry } from "./record.js";

/** Slots that are not FREE, as the owner counts them. Plain: for the owner, or whoever holds the slab instead. */
export function liveCount(m: Int32Array, record: number): number {
  return (
    ((m[record + SLAB_ALLOCS] as number) -
      (m[record + SLAB_FREES] as number) +
      (m[record + SLAB_BALANCE] as number)) |
    0
  );
}

/** A slab's counts as another thread sees them. */
export interface SlabCounts {
  /** Slots that are not FREE; while the owner works it may be off by the operations under way. Never negative. */
  occupied: number;
  /** Allocations and frees that are not in the owner's counters yet. */
  unfoldedAllocs: number;
  unfoldedFrees: number;
}

/**
 * Reads the counts from any thread; take the class's counters first. One load each, close together: every one may have to
 * fetch the cache line back from the owner. FOLDED last: a fold moves it only, an allocation ALLOCS only, so nothing is
 * ever taken for unfolded that was not.
 */
export function readSlabCounts(m: Int32Array, record: number, counts: SlabCounts): void {
  const frees = loadSeq(m, record + SLAB_FREES);
  const balance = loadSeq(m, record + SLAB_BALANCE);
  const allocs = loadSeq(m, record + SLAB_ALLOCS);
  const allocsFolded = loadSeq(m, record + SLAB_ALLOCS_FOLDED);
  const freesFolded = loadSeq(m, record + SLAB_FREES_FOLDED);
  counts.occupied = Math.max(0, (allocs - frees + balance) | 0);
  counts.unfoldedAllocs = Math.max(0, (allocs - allocsFolded) | 0);
  counts.unfoldedFrees = Math.max(0, (frees - freesFolded) | 0);
}

/**
 * Makes the counts of a slab that is CLAIMED and has no object yet consistent. Nobody reads them in that state, so a
 * claimer may die in between; the tag's next change publishes them.
 *
 * Every 1024th allocation of a slab leaves the fast path (to be sampled, and for the counters' sake). Slabs start at
 * places spread evenly over those 1024, or else slabs that are filled once would always be looked at in the same slot.
 */
export function startCounts(m: Int32Array, record: number, bin: number): void {
  const start = Math.imul(m[bin + C_NEW_SLAB] as number, -1640531535) >>> 22;
  m[record + SLAB_ALLOCS] = start;
  m[record + SLAB_ALLOCS_FOLDED] = start;
  m[record + SLAB_FREES] = 0;
  m[record + SLAB_FREES_FOLDED] = 0;
  m[record + SLAB_BALANCE] = -start;
  m[record + SLAB_COLLECTING] = 0;
}

/** Moves what a slab has counted into its holder's counters. */
export function foldCounts(m: Int32Array, seatBase: number, record: number, shard: number): void {
  const allocs = m[record + SLAB_ALLOCS] as number;
  const allocated = (allocs - (m[record + SLAB_ALLOCS_FOLDED] as number)) >>> 0;
  if (allocated !== 0) commit(m, seatBase, shard + C_ALLOCS, allocated, record + SLAB_ALLOCS_FOLDED, allocs);
  const frees = m[record + SLAB_FREES] as number;
  const freed = (frees - (m[record + SLAB_FREES_FOLDED] as number)) >>> 0;
  if (freed !== 0) commit(m, seatBase, shard + C_LOCAL_FREES, freed, record + SLAB_FREES_FOLDED, frees);
}

/**
 * Adds `amount` (0..2^31) to a counter cell of the seat and stores `value` in `word`, so that a thread that dies on
 * the way has either done both or leaves a note of what is missing. `word` before the cell: a reader that takes the
 * cell first never counts twice.
 */
export function commit(
  m: Int32Array,
  seatBase: number,
  cell: number,
  amount: number,
  word: number,
  value: number,
): void {
  m[seatBase + SEAT_COMMIT_TARGET] = ((m[cell] as number) + amount) | 0;
  m[seatBase + SEAT_COMMIT_WORD] = word;
  m[seatBase + SEAT_COMMIT_VALUE] = value;
  m[seatBase + SEAT_COMMIT_CELL] = cell;
  m[word] = value;
  count(m, cell, amount);
  m[seatBase + SEAT_COMMIT_CELL] = 0;
}

/** Completes a commit its thread died in. For its reaper. */
export function finishCommit(m: Int32Array, seatBase: number): void {
  const cell = m[seatBase + SEAT_COMMIT_CELL] as number;
  if (cell === 0) return;
  m[m[seatBase + SEAT_COMMIT_WORD] as number] = m[seatBase + SEAT_COMMIT_VALUE] as number;
  finishCarry(m, cell);
  count(m, cell, ((m[seatBase + SEAT_COMMIT_TARGET] as number) - (m[cell] as number)) >>> 0);
  m[seatBase + SEAT_COMMIT_CELL] = 0;
}
