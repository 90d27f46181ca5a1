/**
 * Defends: sampling measures the operations it was asked for, the same ones in every run, at the rate it was asked for
 * whatever the pattern of use; a heap that is not sampled never touches a histogram; bad options are refused
 * with what they may be; it ends when told, by whoever began it last, and with the attachment.
 * Method: histogram words compared around all kinds of work; counts of two runs of one random script; counted allocations
 * against samples for slabs filled once, pairs and churn.
 */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { HISTOGRAM_FIELDS, HISTOGRAM_SHARD_WORDS } from "../../../src/allocator/counters/fields.js";
import { addHistogram, emptyHistogram, histogramAt } from "../../../src/allocator/counters/histogram.js";
import { HeapDetachedError, InvalidTypeError, InvalidValueError } from "../../../src/allocator/errors.js";
import type { SlabHeap } from "../../../src/allocator/heap/heap.js";
import { type SamplingOptions, startSampling } from "../../../src/allocator/heap/sampling.js";
import { seatAt } from "../../../src/allocator/memory/layout.js";
import type { Handle, HeapOptions } from "../../../src/allocator/types.js";
import { another, expectHealthy, freeAll, randomFrom, SLAB, smallHeap } from "../support.js";

let open: SlabHeap[] = [];
afterEach(() => {
  vi.unstubAllGlobals();
  for (const heap of open.reverse()) if (!heap._a.detached) heap.detach();
  open = [];
});

/** Two seats of a heap; the second one's objects are there for remote frees. */
function pair(options: HeapOptions = {}): [SlabHeap, SlabHeap] {
  const heap = smallHeap({ capacity: 256 * SLAB, ...options });
  const other = another(heap);
  heap.poll();
  open.push(heap, other);
  return [heap, other];
}

type Name = (typeof HISTOGRAM_FIELDS)[number]["name"];

function samples(heap: SlabHeap, name: Name): { count: number; cpuCount: number } {
  const which = HISTOGRAM_FIELDS.findIndex((field) => field.name === name);
  const sum = emptyHistogram();
  addHistogram(heap._a.m, histogramAt(heap._a.layout, heap.seat, which), sum);
  return { count: sum.count, cpuCount: sum.cpuCount };
}
function allSamples(heap: SlabHeap): number[] {
  return (["alloc", "slow_path", "remote_free"] as const).map((name) => samples(heap, name).count);
}

function histogramWords(heap: SlabHeap): Int32Array {
  const { m, layout } = heap._a;
  const at = seatAt(layout, heap.seat) + layout.seatHistograms;
  return m.slice(at, at + HISTOGRAM_SHARD_WORDS);
}

/** Allocations and frees of all kinds; the same for the same seed. */
function work(heap: SlabHeap, other: SlabHeap, steps: number, seed = 7): void {
  const random = randomFrom(seed);
  const live: Handle[] = [];
  for (let i = 0; i < steps; i++) {
    const kind = Math.floor(random() * 10);
    if (kind < 5 || live.length === 0) {
      const handle = (kind === 4 ? other : heap).alloc(
        kind === 3 ? 2 * SLAB : 1 + Math.floor(random() * 1024),
      );
      if (handle !== 0) live.push(handle);
    } else {
      heap.free(live.splice(Math.floor(random() * live.length), 1)[0]);
    }
    if (i % 500 === 499) heap.advanceEpoch();
  }
  freeAll(heap, live);
}

describe("off", () => {
  test.each<[string, (heap: SlabHeap) => void]>([
    ["never on", () => {}],
    ["stopped", (heap) => startSampling(heap, { slowPathInterval: 1, remoteFreeInterval: 1 }).stop()],
    ["disposed of", (heap) => startSampling(heap, { slowPathInterval: 1 })[Symbol.dispose]()],
  ])(
    "%s: no word of a histogram changes, though allocations leave the fast path for it",
    (_name, prepare) => {
      const [heap, other] = pair();
      prepare(heap);
      const before = [heap, other].map(histogramWords);
      work(heap, other, 20_000);
      for (let i = 0; i < 4000; i++) heap.free(heap.alloc(64));
      expect([heap, other].map(histogramWords)).toEqual(before);
      expectHealthy(heap, other);
    },
  );

  test("another seat's sampling is its own", () => {
    const [heap, other] = pair();
    startSampling(other, { slowPathInterval: 1, remoteFreeInterval: 1 });
    const before = histogramWords(heap);
    work(heap, other, 5000);
    expect(histogramWords(heap)).toEqual(before);
    expect(samples(other, "slow_path").count).toBeGreaterThan(10);
  });
});

test("the same work gives the same counts, whatever the time it takes", () => {
  const options: SamplingOptions = { allocInterval: 1024, slowPathInterval: 3, remoteFreeInterval: 5 };
  const counts = [1, 2].map(() => {
    const [heap, other] = pair();
    startSampling(heap, options);
    work(heap, other, 30_000);
    return allSamples(heap);
  });
  expect(counts[0]).toEqual(counts[1]);
  for (const count of counts[0].slice(1)) expect(count).toBeGreaterThan(100);
});

describe("rates", () => {
  const ALLOCS = 200_000;
  const patterns: [string, (heap: SlabHeap) => void][] = [
    [
      "slabs filled once",
      (heap) => {
        for (let n = 0; n < ALLOCS; n++) {
          heap.alloc(64);
          if (n % 10_000 === 9999) heap.discardEpoch(heap.currentEpoch);
        }
      },
    ],
    [
      "pairs",
      (heap) => {
        for (let n = 0; n < ALLOCS; n++) heap.free(heap.alloc(64));
      },
    ],
    [
      "churn",
      (heap) => {
        const random = randomFrom(5);
        const live = Array.from({ length: 5000 }, () => heap.alloc(64));
        for (let n = live.length; n < ALLOCS; n++) {
          const i = Math.floor(random() * live.length);
          heap.free(live[i]);
          live[i] = heap.alloc(64);
        }
      },
    ],
  ];
  test.each(patterns.flatMap(([name, run]) => [1024, 8192].map((interval) => ({ name, run, interval }))))(
    "one of $interval allocations: $name",
    ({ run, interval }) => {
      const [heap] = pair();
      startSampling(heap, { allocInterval: interval });
      run(heap);
      expect(heap.counters().allocCount).toBe(ALLOCS);
      const { count } = samples(heap, "alloc");
      expect(count).toBeGreaterThan((ALLOCS / interval) * 0.5);
      expect(count).toBeLessThan((ALLOCS / interval) * 2);
      expect(samples(heap, "remote_free").count).toBe(0);
    },
  );

  test.each([1, 4, 16])("one of %i slow paths, and of remote frees", (interval) => {
    const [heap, other] = pair();
    startSampling(heap, { slowPathInterval: interval, remoteFreeInterval: interval });
    const handles = Array.from({ length: 333 }, () => other.alloc(64));
    freeAll(heap, handles);
    const before = heap.counters().slowPathHits;
    // Whole slabs: every allocation of one leaves the fast path.
    const mine = Array.from({ length: 100 }, () => heap.alloc(SLAB));
    expect(mine).not.toContain(0);
    expect(heap.counters().slowPathHits - before).toBe(100);
    expect(samples(heap, "slow_path").count).toBe(Math.floor(100 / interval));
    expect(samples(heap, "remote_free").count).toBe(Math.floor(333 / interval));
  });

  test("by default one of 1024, 16 and 1024", () => {
    const [heap, other] = pair();
    startSampling(heap);
    freeAll(
      heap,
      Array.from({ length: 2100 }, () => other.alloc(64)),
    );
    for (let i = 0; i < 33; i++) heap.free(heap.alloc(SLAB));
    for (let i = 0; i < 10 * 1024; i++) heap.free(heap.alloc(64));
    expect(samples(heap, "remote_free").count).toBe(2);
    expect(samples(heap, "slow_path").count).toBe(2);
    expect(samples(heap, "alloc").count).toBe(10);
  });

  test("allocations that fail are slow paths, and no sampled allocations", () => {
    const [heap] = pair({ capacity: 4 * SLAB });
    while (heap.alloc(1024) !== 0);
    startSampling(heap, { slowPathInterval: 1 });
    for (let i = 0; i < 5; i++) expect(heap.alloc(1024)).toBe(0);
    expect(allSamples(heap)).toEqual([0, 5, 0]);
  });
});

describe("processor time", () => {
  test("is taken where asked for and known", () => {
    const [heap] = pair();
    vi.stubGlobal("process", {
      threadCpuUsage: () => ({ user: 5, system: 5 }),
      memoryUsage: process.memoryUsage,
    });
    const sampling = startSampling(heap, { slowPathInterval: 1, cpuTime: true });
    expect(sampling.measuresCpuTime).toBe(true);
    heap.alloc(SLAB);
    expect(samples(heap, "slow_path")).toEqual({ count: 1, cpuCount: 1 });
    vi.stubGlobal("process", {});
    const without = startSampling(heap, { slowPathInterval: 1, cpuTime: true });
    expect(without.measuresCpuTime).toBe(false);
    heap.alloc(SLAB);
    expect(samples(heap, "slow_path")).toEqual({ count: 2, cpuCount: 1 });
  });

  test("is not taken where not asked for", () => {
    const [heap] = pair();
    vi.stubGlobal("process", {
      threadCpuUsage: () => {
        throw new Error("asked");
      },
    });
    expect(startSampling(heap, { slowPathInterval: 1 }).measuresCpuTime).toBe(false);
    heap.alloc(SLAB);
    expect(samples(heap, "slow_path")).toEqual({ count: 1, cpuCount: 0 });
  });
});

describe("beginning and ending", () => {
  let heap: SlabHeap;
  beforeEach(() => {
    [heap] = pair();
  });
  const slow = (): number => {
    const before = samples(heap, "slow_path").count;
    for (let i = 0; i < 12; i++) heap.free(heap.alloc(SLAB));
    return samples(heap, "slow_path").count - before;
  };

  test("stopping twice is stopping once; what was recorded stays", () => {
    const sampling = startSampling(heap, { slowPathInterval: 1 });
    expect(slow()).toBe(12);
    sampling.stop();
    sampling.stop();
    sampling[Symbol.dispose]();
    expect(slow()).toBe(0);
    expect(samples(heap, "slow_path").count).toBe(12);
  });

  test("a later one replaces an earlier one, whose stop then does nothing", () => {
    const first = startSampling(heap, { slowPathInterval: 1 });
    const second = startSampling(heap, { slowPathInterval: 4 });
    expect(slow()).toBe(3);
    first.stop();
    expect(slow()).toBe(3);
    second.stop();
    expect(slow()).toBe(0);
  });

  test("after detach it cannot begin, and stopping does no harm", () => {
    const sampling = startSampling(heap);
    heap.detach();
    sampling.stop();
    expect(() => startSampling(heap)).toThrow(HeapDetachedError);
    expect(() => startSampling(heap)).toThrow("attach again");
  });

  test("the seat's next holder does not sample on", () => {
    startSampling(heap, { slowPathInterval: 1 });
    const { seat } = heap;
    const [, other] = open;
    heap.detach();
    heap = another(other);
    open.push(heap);
    expect(heap.seat).toBe(seat);
    expect(slow()).toBe(0);
  });

  test.each<[string, unknown, RegExp]>([
    ["allocInterval", 0, /"allocInterval".*multiple of 1024 up to 1048576; got 0/],
    ["allocInterval", 1000, /"allocInterval".*multiple of 1024.*got 1000/],
    ["allocInterval", 2 ** 21, /"allocInterval".*got 2097152/],
    ["allocInterval", Number.NaN, /"allocInterval".*got NaN/],
    ["slowPathInterval", 0, /"slowPathInterval".*from 1 to 1048576; got 0/],
    ["slowPathInterval", 1.5, /"slowPathInterval".*got 1.5/],
    ["slowPathInterval", 2 ** 20 + 1, /"slowPathInterval".*got 1048577/],
    ["remoteFreeInterval", -1, /"remoteFreeInterval".*from 1 to 1048576; got -1/],
    ["remoteFreeInterval", Number.POSITIVE_INFINITY, /"remoteFreeInterval".*got Infinity/],
  ])("%s: %s is refused by value", (name, value, message) => {
    const start = (): unknown => startSampling(heap, { [name]: value });
    expect(start).toThrow(InvalidValueError);
    expect(start).toThrow(message);
    expect(slow()).toBe(0);
  });

  test.each<[string, unknown, RegExp]>([
    [
      "allocInterval",
      "1024",
      /"allocInterval" must be a number that is a multiple of 1024 up to 1048576; got/,
    ],
    ["slowPathInterval", null, /"slowPathInterval" must be a number from 1 to 1048576; got null/],
    ["remoteFreeInterval", 16n, /"remoteFreeInterval" must be a number/],
    ["cpuTime", 1, /"cpuTime" must be true or false; got/],
    ["cpuTime", null, /"cpuTime" must be true or false; got null/],
  ])("%s: %s is refused by type", (name, value, message) => {
    const start = (): unknown => startSampling(heap, { [name]: value } as never);
    expect(start).toThrow(InvalidTypeError);
    expect(start).toThrow(message);
    expect(slow()).toBe(0);
  });

  test.each([null, 5, "x"])("options %j are refused", (options) => {
    expect(() => startSampling(heap, options as never)).toThrow(InvalidTypeError);
    expect(() => startSampling(heap, options as never)).toThrow("options must be an object; got");
  });

  test("what is no heap is refused", () => {
    for (const value of [
      undefined,
      null,
      5,
      "heap",
      Symbol("x"),
      1n,
      {},
      { _a: {} },
      { _a: null },
      () => 0,
    ]) {
      const start = (): unknown => startSampling(value as never);
      expect(start).toThrow(InvalidTypeError);
      expect(start).toThrow("startSampling: heap must be a SlabHeap; got");
    }
  });

  test.each([1024, 2048, 2 ** 20])("an allocInterval of %i is taken", (allocInterval) => {
    startSampling(heap, { allocInterval, slowPathInterval: 2 ** 20, remoteFreeInterval: 1 });
    expect(slow()).toBe(0);
  });
});
