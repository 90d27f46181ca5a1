/**
 * Defends: durations that threads sample arrive in the document: as many as are due by count, in buckets that add up, from
 * all seats and from seats that are given back; percentiles lie in the bucket they should.
 * Method: exact numbers of operations on a small heap; two seats; percentiles against a sorted list of the same durations.
 */
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { HISTOGRAM_FIELDS, HISTOGRAM_REMOTE_FREE } from "../../../src/allocator/counters/fields.js";
import { histogramAt, recordDuration } from "../../../src/allocator/counters/histogram.js";
import { InvalidTypeError, InvalidValueError } from "../../../src/allocator/errors.js";
import type { SlabHeap } from "../../../src/allocator/heap/heap.js";
import { type LatencyStats, percentileNs, StatsReader } from "../../../src/stats/index.js";
import { startSampling } from "../../../src/stats.js";
import { another, smallHeap } from "../../allocator/support.js";

let heap: SlabHeap;
let reader: StatsReader;
beforeEach(() => {
  heap = smallHeap();
  reader = StatsReader.open(heap);
});
afterEach(() => {
  heap.detach();
});

const latency = () => reader.snapshot().latency;
const countOf = (row: LatencyStats): number => row.buckets.reduce((sum, [, n]) => sum + Number(n), 0);

function churn(seat: SlabHeap, pairs: number): void {
  for (let i = 0; i < pairs; i++) seat.free(seat.alloc(64));
}

describe("sampling", () => {
  test("nothing is recorded without it", () => {
    churn(heap, 10_000);
    for (const { name } of HISTOGRAM_FIELDS) expect(latency()[name]).toMatchObject({ count: 0, buckets: [] });
  });

  test("one allocation of a slab in 1024, from every seat that samples, and none after stop", () => {
    const other = another(heap);
    const mine = startSampling(heap);
    churn(heap, 10 * 1024);
    const theirs = startSampling(other);
    churn(other, 5 * 1024);
    expect(latency().alloc.count).toBe(15);
    theirs.stop();
    churn(other, 5 * 1024);
    expect(latency().alloc.count).toBe(15);
    other.detach();
    churn(heap, 2 * 1024);
    expect(latency().alloc.count).toBe(17);
    mine[Symbol.dispose]();
    churn(heap, 2 * 1024);
    const { alloc } = latency();
    expect(alloc.count).toBe(17);
    expect(countOf(alloc)).toBe(17);
    expect(Number(alloc.sum_ns)).toBeGreaterThan(0);
    expect(alloc).toMatchObject({ cpu_count: 0, cpu_sum_ns: 0 });
  });

  test("remote frees and slow paths by their own count", () => {
    const other = another(heap);
    const handles = Array.from({ length: 60 }, () => heap.alloc(1024)).slice(0, 60);
    const sampling = startSampling(other, { remoteFreeInterval: 10, slowPathInterval: 1 });
    for (const handle of handles) expect(other.free(handle)).toBe(true);
    expect(latency().remote_free.count).toBe(6);
    const hits = other._a.slowHits;
    for (let i = 0; i < 5; i++) other.alloc(64 * 1024);
    other.alloc(128);
    expect(other._a.slowHits).toBeGreaterThan(hits);
    expect(latency().slow_path.count).toBe(other._a.slowHits - hits);
    sampling.stop();
    other.detach();
  });

  test("closes and lifetimes are always recorded", () => {
    heap.closeEpoch(heap.currentEpoch);
    heap.discardEpoch(heap.currentEpoch);
    const { epoch_close, epoch_lifetime } = latency();
    expect([epoch_close.count, epoch_lifetime.count]).toEqual([2, 2]);
    expect([countOf(epoch_close), countOf(epoch_lifetime)]).toEqual([2, 2]);
  });
});

/** Durations as a list, sorted, and what the document says of them. */
function record(byseat: readonly (readonly [SlabHeap, readonly number[]])[]): LatencyStats {
  for (const [seat, durations] of byseat) {
    const at = histogramAt(seat._a.layout, seat.seat, HISTOGRAM_REMOTE_FREE);
    for (const ns of durations) recordDuration(seat._a.m, at, ns, ns % 3 === 0 ? ns : -1);
  }
  return latency().remote_free;
}

describe("histograms", () => {
  const durations = fc.array(fc.oneof(fc.nat(40), fc.nat(10_000), fc.nat(2 ** 40)), {
    minLength: 1,
    maxLength: 60,
  });

  test("merge over seats; percentiles are those of the list, at most a quarter too long", () => {
    fc.assert(
      fc.property(durations, durations, (first, second) => {
        heap.detach();
        heap = smallHeap();
        reader = StatsReader.open(heap);
        const other = another(heap);
        const row = record([
          [heap, first],
          [other, second],
        ]);
        other.detach();
        const all = [...first, ...second].sort((a, b) => a - b);
        const cpu = all.filter((ns) => ns % 3 === 0);
        const sum = (list: readonly number[]): number => list.reduce((s, ns) => s + ns, 0);
        expect(row).toMatchObject({
          count: all.length,
          sum_ns: sum(all),
          cpu_count: cpu.length,
          cpu_sum_ns: sum(cpu),
        });
        expect(countOf(row)).toBe(all.length);
        const starts = row.buckets.map(([start]) => start);
        expect(starts).toEqual([...starts].sort((a, b) => a - b));
        expect(new Set(starts).size).toBe(starts.length);
        for (const percent of [0, 1, 50, 90, 99, 100]) {
          const exact = all[Math.max(0, Math.ceil((percent / 100) * all.length) - 1)];
          const said = percentileNs(row, percent) as number;
          expect(said).toBeGreaterThan(exact);
          expect(said).toBeLessThanOrEqual(Math.max(exact + 1, exact * 1.25 + 1));
        }
      }),
      { numRuns: 60 },
    );
  });

  test("a percentile of nothing is undefined; one that is none is refused", () => {
    const empty = latency().remote_free;
    expect(percentileNs(empty, 50)).toBeUndefined();
    for (const percent of [-1, 100.1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => percentileNs(empty, percent)).toThrow(InvalidValueError);
    }
    for (const percent of [undefined, null, "50", [50], {}, Object.create(null), Symbol("x"), 50n]) {
      expect(() => percentileNs(empty, percent as number)).toThrow(InvalidTypeError);
      expect(() => percentileNs(empty, percent as number)).toThrow(/percent must be .* from 0 to 100; got/);
    }
  });

  test("a percentile of what is no histogram is refused", () => {
    const pairs = [
      5,
      null,
      [],
      [1],
      ["1", 1],
      [1, Symbol("x")],
      [-1, 1],
      [Infinity, 1],
      [1, Number.NaN],
      [1, -1n],
    ];
    const rows = [
      undefined,
      null,
      5,
      Symbol("x"),
      {},
      { buckets: {} },
      { buckets: "ab" },
      { buckets: new Array(2) },
    ];
    for (const row of [...rows, ...pairs.map((pair) => ({ buckets: [[0, 1], pair] }))]) {
      expect(() => percentileNs(row as never, 50)).toThrow(InvalidTypeError);
      expect(() => percentileNs(row as never, 50)).toThrow(/percentileNs: latency.* must .*; got/);
    }
    expect(percentileNs({ buckets: [[4, 2n]] } as never, 50)).toBe(5);
  });
});
