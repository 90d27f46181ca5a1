/** A slab and a seat as bare words, for the tests of `slab-counts.ts`; fresh for every test. */
import fc from "fast-check";
import { beforeEach, expect } from "vitest";
import {
  C_ALLOCS,
  C_DISCARDED,
  C_LOCAL_FREES,
  C_REMOTE_COLLECTED,
  COUNT_ALLOC,
  COUNT_FREE,
  SAMPLE_INTERVAL,
  SAMPLE_MASK,
} from "../../../src/allocator/counters/fields.js";
import { readCounter } from "../../../src/allocator/counters/record.js";
import { foldCounts, readSlabCounts, type SlabCounts } from "../../../src/allocator/counters/slab-counts.js";
import {
  SEAT_COMMIT_ALLOCS,
  SEAT_COMMIT_CELL,
  SEAT_COMMIT_COUNTS,
  SEAT_COMMIT_FREES,
  SEAT_COMMIT_RECORD,
  SEAT_COMMIT_SHARD,
  SEAT_COMMIT_TARGET,
  SLAB_COUNTS,
  SLAB_FOLDED,
} from "../../../src/allocator/memory/offsets.js";
import { watchWords } from "../../regression/interleave.js";

export const TWO_32 = 2 ** 32;
/** Allocations after which the upper field is where it was. */
export const TWO_14 = 2 ** 14;
/** Slots of a slab of 1 MiB with objects of 8 bytes. */
export const MOST_LIVE = 2 ** 17;
/** Places in the words of a bare array: a seat, a shard with a bin header, a slab record. */
export const SEAT = 0;
export const BIN = 64;
export const RECORD = 256;
export const CELLS = [C_ALLOCS, C_LOCAL_FREES, C_REMOTE_COLLECTED, C_DISCARDED];
export const NOTE = [
  SEAT_COMMIT_RECORD,
  SEAT_COMMIT_COUNTS,
  SEAT_COMMIT_SHARD,
  SEAT_COMMIT_ALLOCS,
  SEAT_COMMIT_FREES,
  SEAT_COMMIT_CELL,
  SEAT_COMMIT_TARGET,
];

export let m: Int32Array;
beforeEach(() => {
  m = new Int32Array(new SharedArrayBuffer(4 * 320));
});

/** The packed word, put together without a look at how the source does it. */
export function packed(allocs: number, live: number): number {
  return ((allocs % TWO_14) * 2 ** 18 + live) | 0;
}

export function setCell(cell: number, value: number): void {
  m[cell] = value;
  m[cell + 1] = m[cell + 2] = Math.floor(value / TWO_32);
}

/** A slab that has folded `allocs` allocations, and counters that stand at `from`. Old notes are left in the seat. */
export function start(allocs: number, live: number, from: number): void {
  m.fill(0);
  for (const word of NOTE) m[SEAT + word] = 12345;
  m[SEAT + SEAT_COMMIT_RECORD] = 0;
  m[RECORD + SLAB_COUNTS] = m[RECORD + SLAB_FOLDED] = packed(allocs, live);
  for (const cell of CELLS) setCell(BIN + cell, from);
}

/** What the fast paths store, and what the slow one does at every 1024th allocation. */
export function alloc(): void {
  const counts = (m[RECORD + SLAB_COUNTS] + COUNT_ALLOC) | 0;
  m[RECORD + SLAB_COUNTS] = counts;
  if ((counts & SAMPLE_MASK) === 0) foldCounts(m, SEAT, RECORD, BIN);
}
export function free(): void {
  m[RECORD + SLAB_COUNTS] = m[RECORD + SLAB_COUNTS] - COUNT_FREE;
}

export function readCells(): number[] {
  return CELLS.map((cell) => readCounter(m, BIN + cell));
}

/** The counts as another thread sees them. */
export function seen(words = m): SlabCounts {
  const counts = { occupied: -1, unfoldedAllocs: -1, unfoldedFrees: -1 };
  readSlabCounts(words, RECORD, counts);
  return counts;
}

/** Runs `step` up to its n-th access to the words; false when it ended before. */
export function upTo(n: number, step: (words: Int32Array) => void): boolean {
  const CUT = "cut";
  let at = 0;
  try {
    watchWords(m, step, () => {
      if (at++ === n) throw new Error(CUT);
    });
  } catch (error) {
    expect((error as Error).message).toBe(CUT);
    return true;
  }
  return false;
}

/** Where the upper field stands: near its ends, where the word changes its sign, near a fold, or anywhere. */
export const positions = fc.oneof(
  fc
    .constantFrom(0, SAMPLE_INTERVAL, TWO_14 / 2, TWO_14 - SAMPLE_INTERVAL)
    .chain((at) => fc.integer({ min: at - 3, max: at + 3 }).map((n) => (n + TWO_14) % TWO_14)),
  fc.integer({ min: 0, max: TWO_14 - 1 }),
);
export const occupancies = fc.oneof(
  fc.integer({ min: 0, max: 3 }),
  fc.constantFrom(MOST_LIVE / 2, MOST_LIVE - 1, MOST_LIVE),
  fc.integer({ min: 0, max: MOST_LIVE }),
);
/** Where the class's counters stand: their low words wrap or change sign soon. */
export const counters = fc.constantFrom(0, 3, 2 ** 31 - 5, TWO_32 - 700, TWO_32 - 2, TWO_32 * 7 - 1);
