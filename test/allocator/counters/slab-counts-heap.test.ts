import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  C_ALLOCS,
  C_DISCARDED,
  C_LOCAL_FREES,
  C_NEW_SLAB,
  C_REMOTE_COLLECTED,
  SAMPLE_INTERVAL,
} from "../../../src/allocator/counters/fields.js";
import { readCounter } from "../../../src/allocator/counters/record.js";
import {
  commit,
  liveCount,
  type SlabCounts,
  startCounts,
} from "../../../src/allocator/counters/slab-counts.js";
import { SlabHeap } from "../../../src/allocator/heap/heap.js";
import { recordAt } from "../../../src/allocator/memory/layout.js";
import { SLAB_COLLECTING, SLAB_COUNTS, SLAB_FOLDED } from "../../../src/allocator/memory/offsets.js";
import type { Handle } from "../../../src/allocator/types.js";
import { watchWords } from "../../regression/interleave.js";
import { another, expectCountersExact, expectHealthy, freeAll, slabOf, smallHeap } from "../support.js";
import {
  alloc,
  BIN,
  CELLS,
  free,
  MOST_LIVE,
  m,
  packed,
  RECORD,
  readCells,
  SEAT,
  seen,
  setCell,
  start,
  TWO_14,
  TWO_32,
} from "./slab-counts-words.js";

/** Allocations of a slab after which its counts are folded. */
const FOLD_INTERVAL = 4096;

describe("a reader that is held up between its looks", () => {
  /** What the owner has done since the reader began, and the most that was not folded at any time. */
  interface Truth {
    allocs: number;
    frees: number;
    mostAllocs: number;
    mostFrees: number;
  }
  let truth: Truth;
  let unfolded: { allocs: number; frees: number };
  let live: number;
  let position: number;
  function begin(at: number): void {
    start(at, 0, 0);
    truth = { allocs: 0, frees: 0, mostAllocs: 0, mostFrees: 0 };
    unfolded = { allocs: 0, frees: 0 };
    live = 0;
    position = at;
  }
  /** The owner goes on: up to `keep` objects live, the oldest freed or taken back from others. */
  function work(allocs: number, keep: number): void {
    for (let n = 0; n < allocs; n++) {
      alloc();
      truth.allocs++;
      unfolded.allocs++;
      position++;
      live++;
      truth.mostAllocs = Math.max(truth.mostAllocs, unfolded.allocs);
      if (position % FOLD_INTERVAL === 0) unfolded = { allocs: 0, frees: 0 };
      if (live <= keep) continue;
      live--;
      if (n % 97 === 0) {
        commit(m, SEAT, RECORD, BIN, C_REMOTE_COLLECTED, 1);
        unfolded = { allocs: 0, frees: 0 };
      } else {
        free();
        truth.frees++;
        truth.mostFrees = Math.max(truth.mostFrees, ++unfolded.frees);
      }
    }
  }
  /** Reads with a pause before each access; what it gives together with the counters taken first. */
  function read(pauses: readonly number[], keep: number): { counts: SlabCounts; figures: number[] } {
    const [allocs, frees] = readCells();
    let at = 0;
    const counts = watchWords(m, seen, () => {
      const pause = pauses[at++] ?? 0;
      // The owner's own accesses are not the reader's: they go to the words themselves.
      if (pause > 0) work(pause, keep);
    });
    return { counts, figures: [allocs + counts.unfoldedAllocs, frees + counts.unfoldedFrees] };
  }
  function expectNotTooMuch(pauses: readonly number[], keep: number, at: number): void {
    begin(at);
    work(300, keep);
    const { counts, figures } = read(pauses, keep);
    const why = `pauses of ${pauses.join(", ")} allocations, ${keep} live, from ${at}`;
    expect(counts.unfoldedAllocs, why).toBeLessThanOrEqual(truth.mostAllocs);
    expect(counts.unfoldedFrees, why).toBeLessThanOrEqual(truth.mostFrees);
    expect(figures[0], why).toBeLessThanOrEqual(truth.allocs);
    expect(figures[1], why).toBeLessThanOrEqual(truth.frees);
  }
  const keeps = [0, 64, MOST_LIVE];
  const starts = [0, 700, TWO_14 / 2 - 10, TWO_14 - 400];

  test("for as long as the 14 bits can tell older from newer", () => {
    const lengths = [1, 300, 723, 724, 725, 1024, 2000, 4096, 7000, TWO_14 / 2 - 300, TWO_14 / 2];
    for (const keep of keeps) {
      for (const at of starts) {
        for (const length of lengths) {
          for (let access = 0; access < 4; access++) {
            expectNotTooMuch([...Array<number>(access).fill(0), length], keep, at);
          }
        }
      }
    }
  });

  test("for longer than that", () => {
    const lengths = [8193, 8900, 10_000, 12_000, 15_900, TWO_14 - 1, TWO_14, TWO_14 + 500, 26_000, 33_000];
    for (const keep of keeps) {
      for (const at of starts) {
        for (const length of lengths) {
          for (let access = 0; access < 4; access++) {
            expectNotTooMuch([...Array<number>(access).fill(0), length], keep, at);
          }
        }
      }
    }
  });

  test("operations under way never make anything negative", () => {
    start(5, 9, 0);
    m[RECORD + SLAB_COUNTS] = packed(4, 10);
    expect(seen()).toEqual({ occupied: 10, unfoldedAllocs: 0, unfoldedFrees: 0 });
  });
});

describe("slabs start at places spread over the interval between two samples", () => {
  function startAfter(slabs: number): number {
    m[BIN + C_NEW_SLAB] = slabs;
    m[RECORD + SLAB_COUNTS] = packed(77, 3);
    m[RECORD + SLAB_FOLDED] = packed(3, 77);
    m[RECORD + SLAB_COLLECTING] = 1;
    startCounts(m, RECORD, BIN);
    expect(seen()).toEqual({ occupied: 0, unfoldedAllocs: 0, unfoldedFrees: 0 });
    expect(liveCount(m, RECORD)).toBe(0);
    expect(m[RECORD + SLAB_COLLECTING]).toBe(0);
    expect(m[RECORD + SLAB_FOLDED]).toBe(m[RECORD + SLAB_COUNTS]);
    const place = m[RECORD + SLAB_COUNTS] / 2 ** 18;
    expect(Number.isInteger(place) && place >= 0 && place < SAMPLE_INTERVAL).toBe(true);
    return place;
  }

  test.each([0, 100_000, 2 ** 31 - 512, TWO_32 - 512])("from slab %i on", (first) => {
    const starts = Array.from({ length: 1024 }, (_, n) => startAfter(first + n));
    const shares = (part: number[], of: number): number[] =>
      Array.from(
        { length: of },
        (_, i) => part.filter((place) => Math.floor((place * of) / 1024) === i).length,
      );
    for (const share of shares(starts, 32)) expect(Math.abs(share - 32)).toBeLessThanOrEqual(4);
    // Also the few slabs that a small program fills.
    for (let n = 0; n + 16 <= starts.length; n++) {
      const few = shares(starts.slice(n, n + 16), 4);
      expect(Math.max(...few.map((share) => Math.abs(share - 4)))).toBeLessThanOrEqual(2);
    }
  });

  test("does not depend on the rest of the shard, and leaves it alone", () => {
    const place = startAfter(5);
    for (const cell of CELLS) setCell(BIN + cell, 99);
    const words = m.slice();
    expect(startAfter(5)).toBe(place);
    expect(m).toEqual(words);
  });
});

describe("in a heap, near where the fields wrap", () => {
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

  /** Moves the slab's place, as if so many objects had come and gone and been folded. */
  function move(allocs: number): void {
    const { m: words } = heap._a;
    const by = (packed(allocs, 0) - (words[record + SLAB_COUNTS] & ~0x3ffff)) | 0;
    words[record + SLAB_COUNTS] += by;
    words[record + SLAB_FOLDED] += by;
  }
  /** Allocations of the slab that are in nobody's counters yet, told from the bare words. */
  function unfolded(): number {
    const { m: words } = heap._a;
    return ((words[record + SLAB_COUNTS] >>> 18) - (words[record + SLAB_FOLDED] >>> 18)) & (TWO_14 - 1);
  }

  const places = [FOLD_INTERVAL, TWO_14 / 2, TWO_14 / 2 + FOLD_INTERVAL, TWO_14];
  test.each(places)("at %i: pairs stay exact, and the counts are folded there", (at) => {
    move(at - 20);
    const { m: words, binBase } = heap._a;
    const folded = readCounter(words, binBase + C_ALLOCS);
    for (let i = 1; i <= 40; i++) {
      const handle = heap.alloc(64);
      expect(heap.free(handle)).toBe(true);
      const { allocCount, freeCount, liveObjects } = heap.counters();
      expect([allocCount, freeCount, liveObjects]).toEqual([10 + i, i, 10]);
      // The 20th allocation is the one that leaves the fast path: it folds itself and all before it.
      expect(readCounter(words, binBase + C_ALLOCS) - folded).toBe(i < 20 ? 0 : 30);
      expect(liveCount(words, record)).toBe(10);
    }
    freeAll(heap, handles);
    expect(heap.counters().liveObjects).toBe(0);
  });

  test.each(places)("at %i: remote frees taken back there, and a discard, end what they should", (at) => {
    const b = another(heap);
    move(at - 2);
    for (let i = 0; i < 4; i++) handles.push(heap.alloc(64));
    freeAll(b, handles.splice(3, 5));
    expectCountersExact(heap, b);
    heap.advanceEpoch();
    expect(liveCount(heap._a.m, record)).toBe(14 - 5);
    heap.discardEpoch(heap.epochOf(handles[0]));
    const { m: words, binBase } = heap._a;
    const figures = CELLS.map((cell) => readCounter(words, binBase + cell));
    expect(figures).toEqual([14, 0, 5, 9]);
    expectCountersExact(heap, b);
    expect(heap.verify().slabs).toBe(0);
    b.detach();
  });

  test.each(places)("at %i: a slab that is given back there folds everything", (at) => {
    move(at - 5);
    heap.advanceEpoch();
    freeAll(heap, handles);
    expect(heap.verify().slabs).toBe(0);
    const { m: words, binBase } = heap._a;
    expect(readCounter(words, binBase + C_ALLOCS)).toBe(10);
    expect(readCounter(words, binBase + C_LOCAL_FREES)).toBe(10);
  });

  test("a slab that lives through several times 2^14 allocations: exact, at most 4096 of them not folded", () => {
    const b = another(heap);
    const total = 3 * TWO_14 + 500;
    let most = 0;
    let collected = 0;
    for (let i = 1; i <= total; i++) {
      // Pairs by handle and by offset, and now and then one that another seat frees.
      if (i % 3 === 0) {
        const offset = heap.allocOffset(64);
        most = Math.max(most, unfolded());
        if (!heap.freeOffset(offset)) throw new Error(`free ${i}`);
      } else {
        const handle = heap.alloc(64);
        most = Math.max(most, unfolded());
        const remote = i % 4000 === 1;
        if (remote) collected++;
        if (!(remote ? b : heap).free(handle)) throw new Error(`free ${i}`);
      }
      if (i % 1511 !== 0) continue;
      const { allocCount, freeCount, liveObjects } = heap.counters();
      expect([allocCount, freeCount, liveObjects]).toEqual([10 + i, i, 10]);
    }
    expect(heap.counters().newSlabs, "all in one slab").toBe(1);
    expect(most).toBeGreaterThan(FOLD_INTERVAL - 3);
    expect(most).toBeLessThanOrEqual(FOLD_INTERVAL);
    b.detach();
    freeAll(heap, handles);
    heap.advanceEpoch();
    const { m: words, binBase } = heap._a;
    expect(readCounter(words, binBase + C_ALLOCS)).toBe(10 + total);
    expect(readCounter(words, binBase + C_LOCAL_FREES)).toBe(10 + total - collected);
    expect(readCounter(words, binBase + C_REMOTE_COLLECTED)).toBe(collected);
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

describe("the fullest slab there is: 1 MiB of objects of 8 bytes", () => {
  let heap: SlabHeap;
  let handles: Handle[];
  let record: number;
  beforeEach(() => {
    const MIB = 2 ** 20;
    heap = SlabHeap.create({ capacity: 2 * MIB, slabSize: MIB, maxWorkers: 2, sizeClasses: [8, 1024] });
    handles = Array.from({ length: MOST_LIVE }, () => heap.alloc(8));
    record = recordAt(slabOf(heap, handles[0]));
    expect(slabOf(heap, handles[MOST_LIVE - 1])).toBe(slabOf(heap, handles[0]));
    expectExact(MOST_LIVE, 0);
  });
  afterEach(() => {
    expectHealthy(heap);
    heap.detach();
  });
  function expectExact(live: number, freed: number): void {
    expect(liveCount(heap._a.m, record)).toBe(live);
    const { allocCount, freeCount, liveObjects } = heap.counters();
    expect([allocCount, freeCount, liveObjects]).toEqual([MOST_LIVE, freed, MOST_LIVE - freed]);
  }
  const free = (by: SlabHeap): number => handles.filter((handle) => by.free(handle)).length;

  test("freed by its owner, none of it folded before the end", () => {
    expect(free(heap)).toBe(MOST_LIVE);
    expectExact(0, MOST_LIVE);
    heap.advanceEpoch();
    expect(readCounter(heap._a.m, heap._a.binBase + C_LOCAL_FREES)).toBe(MOST_LIVE);
    expectCountersExact(heap);
  });

  test("freed by another, taken back at once", () => {
    const b = another(heap);
    expect(free(b)).toBe(MOST_LIVE);
    expectExact(MOST_LIVE, MOST_LIVE);
    const filled = heap.currentEpoch;
    heap.advanceEpoch();
    heap.closeEpoch(filled);
    expect(readCounter(heap._a.m, heap._a.binBase + C_REMOTE_COLLECTED)).toBe(MOST_LIVE);
    expect(heap.verify().slabs).toBe(0);
    expectCountersExact(heap, b);
    b.detach();
  });

  test("discarded", () => {
    heap.discardEpoch(heap.currentEpoch);
    const { m: words, binBase } = heap._a;
    expect(readCounter(words, binBase + C_DISCARDED)).toBe(MOST_LIVE);
    expect(readCounter(words, binBase + C_LOCAL_FREES)).toBe(0);
    expectCountersExact(heap);
  });
});
