/**
 * Defends: what a slab counts in two words that wrap is exact wherever they stand, reaches its class's counters once, and
 * a thread that dies between any two stores has either counted or left a note that completes the count.
 * Method: the words are put near every place where they wrap or change sign; folds and commits are stopped before each of
 * their accesses, finished as a reaper would, also twice and by a reaper that dies in its turn.
 */
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { C_ALLOCS, C_LOCAL_FREES, C_NEW_SLAB, SAMPLE_MASK } from "../../../src/allocator/counters/fields.js";
import { readCounter } from "../../../src/allocator/counters/record.js";
import {
  commit,
  finishCommit,
  foldCounts,
  liveCount,
  readSlabCounts,
  type SlabCounts,
  startCounts,
} from "../../../src/allocator/counters/slab-counts.js";
import type { SlabHeap } from "../../../src/allocator/heap/heap.js";
import {
  recordAt,
  SEAT_COMMIT_CELL,
  SLAB_ALLOCS,
  SLAB_ALLOCS_FOLDED,
  SLAB_BALANCE,
  SLAB_FREES,
  SLAB_FREES_FOLDED,
} from "../../../src/allocator/memory/layout.js";
import type { Handle } from "../../../src/allocator/types.js";
import { watchWords } from "../../regression/interleave.js";
import { expectCountersExact, expectHealthy, freeAll, slabOf, smallHeap } from "../support.js";

const TWO_32 = 2 ** 32;
/** Places in the words of a bare array: a seat, a shard with a bin header, a slab record. */
const SEAT = 0;
const BIN = 64;
const RECORD = 256;

let m: Int32Array;
beforeEach(() => {
  m = new Int32Array(new SharedArrayBuffer(4 * 320));
});

function set(record: number, words: Readonly<Record<number, number>>): void {
  for (const [word, value] of Object.entries(words)) m[record + Number(word)] = value;
}
function setCell(cell: number, value: number): void {
  m[cell] = value;
  m[cell + 1] = m[cell + 2] = Math.floor(value / TWO_32);
}

/** The counts as another thread sees them. */
function seen(): SlabCounts {
  const counts = { occupied: -1, unfoldedAllocs: -1, unfoldedFrees: -1 };
  readSlabCounts(m, RECORD, counts);
  return counts;
}

const words32 = fc.oneof(
  fc.constantFrom(0, 2 ** 30, 2 ** 31, TWO_32).chain((at) => fc.integer({ min: at - 5, max: at + 5 })),
  fc.integer({ min: 0, max: TWO_32 - 1 }),
);

test("the live count is exact wherever the counts stand, and read from outside the same", () => {
  fc.assert(
    fc.property(words32, words32, fc.integer({ min: 0, max: 65536 }), (allocs, frees, live) => {
      set(RECORD, { [SLAB_ALLOCS]: allocs, [SLAB_FREES]: frees, [SLAB_BALANCE]: live - (allocs - frees) });
      expect(liveCount(m, RECORD)).toBe(live);
      expect(seen().occupied).toBe(live);
    }),
  );
});

test("from outside, an operation under way never makes it negative", () => {
  set(RECORD, { [SLAB_ALLOCS]: 5, [SLAB_FREES]: 6, [SLAB_BALANCE]: 0 });
  expect([liveCount(m, RECORD), seen().occupied]).toEqual([-1, 0]);
  set(RECORD, { [SLAB_ALLOCS]: 5, [SLAB_ALLOCS_FOLDED]: 6, [SLAB_FREES_FOLDED]: 9 });
  expect(seen()).toMatchObject({ unfoldedAllocs: 0, unfoldedFrees: 0 });
});

describe("folding", () => {
  test("moves what is not folded, once, across every wrap of both words and of the counter", () => {
    const amounts = fc.oneof(fc.integer({ min: 0, max: 5 }), fc.constantFrom(2 ** 30, 2 ** 31 - 1));
    const cells = fc.constantFrom(0, 3, TWO_32 - 2, 2 ** 31 - 1, TWO_32 * 7 - 1);
    fc.assert(
      fc.property(words32, amounts, words32, amounts, cells, (allocs, allocated, frees, freed, from) => {
        m.fill(0);
        set(RECORD, {
          [SLAB_ALLOCS]: allocs + allocated,
          [SLAB_ALLOCS_FOLDED]: allocs,
          [SLAB_FREES]: frees + freed,
          [SLAB_FREES_FOLDED]: frees,
        });
        setCell(BIN + C_ALLOCS, from);
        setCell(BIN + C_LOCAL_FREES, from);
        expect(seen()).toMatchObject({ unfoldedAllocs: allocated, unfoldedFrees: freed });
        for (let twice = 0; twice < 2; twice++) {
          foldCounts(m, SEAT, RECORD, BIN);
          expect(readCounter(m, BIN + C_ALLOCS)).toBe(from + allocated);
          expect(readCounter(m, BIN + C_LOCAL_FREES)).toBe(from + freed);
          expect(seen()).toMatchObject({ unfoldedAllocs: 0, unfoldedFrees: 0 });
        }
        expect(m[SEAT + SEAT_COMMIT_CELL]).toBe(0);
      }),
    );
  });

  test.each([0, 7, TWO_32 - 3])("died at any access from %i on, finished by reapers that die too", (from) => {
    const CUT = "cut";
    const prepare = (): void => {
      m.fill(0);
      set(RECORD, { [SLAB_ALLOCS]: 3, [SLAB_ALLOCS_FOLDED]: -7, [SLAB_FREES]: 6, [SLAB_BALANCE]: 5 });
      setCell(BIN + C_ALLOCS, from);
      setCell(BIN + C_LOCAL_FREES, from);
    };
    /** Runs `step` up to its n-th access; false when it ended before. */
    const upTo = (n: number, step: (words: Int32Array) => void): boolean => {
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
    };
    let deaths = 0;
    let second = 0;
    for (let n = 0; ; n++) {
      for (let k = 0; ; k++) {
        prepare();
        if (!upTo(n, (words) => foldCounts(words, SEAT, RECORD, BIN))) {
          expect(deaths).toBeGreaterThan(20);
          expect(second).toBeGreaterThan(deaths);
          return;
        }
        deaths++;
        const died = upTo(k, (words) => finishCommit(words, SEAT));
        finishCommit(m, SEAT);
        foldCounts(m, SEAT, RECORD, BIN);
        expect(readCounter(m, BIN + C_ALLOCS)).toBe(from + 10);
        expect(readCounter(m, BIN + C_LOCAL_FREES)).toBe(from + 6);
        expect(m[SEAT + SEAT_COMMIT_CELL]).toBe(0);
        if (!died) break;
        second++;
        deaths--;
      }
    }
  });

  test("a reader who takes the counter first never counts anything twice", () => {
    set(RECORD, { [SLAB_ALLOCS]: 10, [SLAB_FREES]: 6 });
    const totals: number[] = [];
    watchWords(
      m,
      (words) => foldCounts(words, SEAT, RECORD, BIN),
      () => {
        const counted = readCounter(m, BIN + C_ALLOCS) + readCounter(m, BIN + C_LOCAL_FREES);
        const { unfoldedAllocs, unfoldedFrees } = seen();
        totals.push(counted + unfoldedAllocs + unfoldedFrees);
      },
    );
    expect(totals[0]).toBe(16);
    expect(Math.max(...totals)).toBe(16);
  });
});

describe("notes", () => {
  test("a commit that was only announced is done whole, amounts up to 2^31", () => {
    for (const amount of [1, 1000, 2 ** 31 - 1, 2 ** 31]) {
      m.fill(0);
      setCell(BIN + 4, TWO_32 - 1);
      const announced = m.slice();
      watchWords(
        m,
        (words) => commit(words, SEAT, BIN + 4, amount, RECORD, 99),
        () => {
          if (m[SEAT + SEAT_COMMIT_CELL] !== 0 && m[RECORD] === 0) announced.set(m);
        },
      );
      m.set(announced);
      finishCommit(m, SEAT);
      expect(m[RECORD]).toBe(99);
      expect(readCounter(m, BIN + 4)).toBe(TWO_32 - 1 + amount);
    }
  });
});

test("slabs start at places spread evenly over the interval between two samples, with nothing live or unfolded", () => {
  const starts: number[] = [];
  for (let n = 0; n < 1024; n++) {
    m[BIN + C_NEW_SLAB] = n;
    set(RECORD, { [SLAB_FREES]: 77, [SLAB_FREES_FOLDED]: 3, [SLAB_BALANCE]: 9 });
    startCounts(m, RECORD, BIN);
    expect(seen()).toEqual({ occupied: 0, unfoldedAllocs: 0, unfoldedFrees: 0 });
    expect(liveCount(m, RECORD)).toBe(0);
    starts.push(m[RECORD + SLAB_ALLOCS]);
  }
  expect(Math.min(...starts)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...starts)).toBeLessThanOrEqual(SAMPLE_MASK);
  const eighths = Array.from({ length: 8 }, (_, i) => starts.filter((start) => start >> 7 === i).length);
  for (const share of eighths) {
    expect(share).toBeGreaterThan(1024 / 8 / 2);
    expect(share).toBeLessThan((1024 / 8) * 2);
  }
});

describe("in a heap, near where the words wrap", () => {
  let heap: SlabHeap;
  let handles: Handle[];
  let record: number;
  beforeEach(() => {
    heap = smallHeap();
    handles = Array.from({ length: 10 }, () => heap.alloc(64));
    record = recordAt(slabOf(heap, handles[0]));
  });
  afterEach(() => {
    expectHealthy(heap);
    expectCountersExact(heap);
    heap.detach();
  });

  /** Moves both counts of the slab, as if that many objects had come and gone and been folded. */
  function move(allocs: number, frees: number): void {
    const { m: words } = heap._a;
    const by = [(allocs - words[record + SLAB_ALLOCS]) | 0, (frees - words[record + SLAB_FREES]) | 0];
    words[record + SLAB_ALLOCS] += by[0];
    words[record + SLAB_ALLOCS_FOLDED] += by[0];
    words[record + SLAB_FREES] += by[1];
    words[record + SLAB_FREES_FOLDED] += by[1];
    words[record + SLAB_BALANCE] -= by[0] - by[1];
  }

  const places = [2 ** 30, 2 ** 31, 3 * 2 ** 30, TWO_32];
  test.each(places)("at %i: pairs, remote or not, stay exact, and the counts are folded there", (at) => {
    move(at - 20, at - 20);
    const { m: words, binBase } = heap._a;
    const folded = readCounter(words, binBase + C_ALLOCS);
    for (let i = 1; i <= 40; i++) {
      const handle = heap.alloc(64);
      expect(heap.free(handle)).toBe(true);
      const { allocCount, freeCount, liveObjects } = heap.counters();
      expect([allocCount, freeCount, liveObjects]).toEqual([10 + i, i, 10]);
      // The 20th allocation is the one whose number is a multiple of 2^30: it folds itself and all before it.
      expect(readCounter(words, binBase + C_ALLOCS) - folded).toBe(i < 20 ? 0 : 30);
      expect(liveCount(words, record)).toBe(10);
    }
    freeAll(heap, handles);
    expect(heap.counters().liveObjects).toBe(0);
  });

  test.each(places)("at %i: a slab that is given back there folds everything", (at) => {
    move(at - 5, at - 3);
    heap.advanceEpoch();
    freeAll(heap, handles);
    expect(heap.verify().slabs).toBe(0);
    const { m: words, binBase } = heap._a;
    expect(readCounter(words, binBase + C_ALLOCS)).toBe(10);
    expect(readCounter(words, binBase + C_LOCAL_FREES)).toBe(10);
  });

  test("a class counter that wraps in a fold", () => {
    const { m: words, binBase } = heap._a;
    words[binBase + C_ALLOCS] = -4;
    const before = heap.counters().allocCount;
    expect(before).toBe(TWO_32 - 4 + 10);
    words[binBase + C_LOCAL_FREES] = -4;
    heap.discardEpoch(heap.currentEpoch);
    expect(readCounter(words, binBase + C_ALLOCS)).toBe(before);
    expect(words[binBase + C_ALLOCS + 1]).toBe(1);
    expect(heap.counters()).toMatchObject({ allocCount: before, liveObjects: 0 });
  });
});
