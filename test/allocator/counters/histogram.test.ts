/**
 * Defends: every duration has one bucket, whose bounds it lies between and which is at most a quarter wide; histograms of
 * several seats add up to what was recorded; a histogram only grows, and a reader between any two accesses finds as
 * many samples in the buckets as in their count.
 * Method: random durations up to far beyond the last bucket and every bound itself, against bounds computed here; sums
 * against plain collections; a stand-in for the words that lets a reader look at every access.
 */
import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import {
  CELL_WORDS,
  H_BUCKETS,
  HISTOGRAM_BUCKETS,
  HISTOGRAM_FIELDS,
  HISTOGRAM_SHARD_WORDS,
  HISTOGRAM_WORDS,
} from "../../../src/allocator/counters/fields.js";
import {
  addHistogram,
  bucketOf,
  bucketStart,
  emptyHistogram,
  finishHistograms,
  type HistogramSum,
  histogramAt,
  recordDuration,
} from "../../../src/allocator/counters/histogram.js";
import { readCounter } from "../../../src/allocator/counters/record.js";
import { watchWords } from "../../regression/interleave.js";
import { smallHeap } from "../support.js";

const LAST = HISTOGRAM_BUCKETS - 1;
/** Uniform in the exponent, so that every octave is met. */
const durations = fc
  .tuple(fc.double({ min: 0, max: 52, noNaN: true }), fc.boolean())
  .map(([exponent, whole]) => (whole ? Math.round(2 ** exponent) : 2 ** exponent));

describe("buckets", () => {
  test("contain their durations, also those beyond the last bound", () => {
    fc.assert(
      fc.property(durations, (ns) => {
        const bucket = bucketOf(ns);
        expect(Number.isInteger(bucket) && bucket >= 0 && bucket <= LAST).toBe(true);
        expect(bucketStart(bucket)).toBeLessThanOrEqual(ns);
        if (bucket < LAST) expect(ns).toBeLessThan(bucketStart(bucket + 1));
        else expect(ns).toBeGreaterThanOrEqual(bucketStart(LAST));
      }),
      { numRuns: 5000 },
    );
  });

  test("grow with the duration", () => {
    fc.assert(
      fc.property(durations, durations, (x, y) => {
        expect(Math.sign(bucketOf(Math.max(x, y)) - bucketOf(Math.min(x, y)))).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  test("start where they say, one after another, and are at most a quarter wide", () => {
    for (let bucket = 0; bucket <= LAST; bucket++) {
      const [start, next] = [bucketStart(bucket), bucketStart(bucket + 1)];
      expect(bucketOf(start)).toBe(bucket);
      expect(next).toBeGreaterThan(start);
      expect(bucketOf(Math.min(next - 1, next * (1 - 2 ** -50)))).toBe(bucket);
      if (bucket >= 4) expect(next / start).toBeLessThanOrEqual(1.25);
    }
    expect(bucketStart(LAST + 1)).toBe(2 ** 49);
  });

  test("take what is no duration, and what no bucket is long enough for", () => {
    for (const none of [0, -0, -1, -1e9, Number.NaN]) expect(bucketOf(none)).toBe(0);
    for (const long of [2 ** 49, 2 ** 52, 2 ** 60, 1e30]) expect(bucketOf(long)).toBe(LAST);
    expect([1, 2, 3, 4, 0.9, 3.99].map(bucketOf)).toEqual([1, 2, 3, 4, 0, 3]);
  });
});

test("the words of a seat's histograms do not overlap", () => {
  expect(H_BUCKETS).toBe(4 * CELL_WORDS);
  expect(HISTOGRAM_WORDS).toBe(H_BUCKETS + HISTOGRAM_BUCKETS * CELL_WORDS);
  expect(HISTOGRAM_SHARD_WORDS).toBe(HISTOGRAM_FIELDS.length * HISTOGRAM_WORDS);
  expect(new Set(HISTOGRAM_FIELDS.map(({ name }) => name)).size).toBe(5);
});

const SHARDS = 3;
let m: Int32Array;
beforeEach(() => {
  m = new Int32Array(new SharedArrayBuffer(4 * SHARDS * HISTOGRAM_WORDS));
});

function sumOf(...shards: number[]): HistogramSum {
  const sum = emptyHistogram();
  for (const shard of shards) addHistogram(m, shard * HISTOGRAM_WORDS, sum);
  return sum;
}

describe("recording", () => {
  const sample = fc.record({
    shard: fc.integer({ min: 0, max: SHARDS - 1 }),
    wall: fc.oneof(fc.integer({ min: 0, max: 2 ** 50 }), fc.double({ min: 0, max: 1e6, noNaN: true })),
    cpu: fc.oneof(fc.constant(-1), fc.integer({ min: 0, max: 2 ** 40 })),
  });

  test("adds up over shards in any order: counts, sums, buckets", () => {
    fc.assert(
      fc.property(fc.array(sample, { maxLength: 30 }), (samples) => {
        m.fill(0);
        const buckets = new Float64Array(HISTOGRAM_BUCKETS);
        let [sumNs, cpuCount, cpuSumNs] = [0, 0, 0];
        for (const { shard, wall, cpu } of samples) {
          recordDuration(m, shard * HISTOGRAM_WORDS, wall, cpu);
          buckets[bucketOf(Math.round(wall))]++;
          sumNs += Math.round(wall);
          if (cpu >= 0) {
            cpuCount++;
            cpuSumNs += cpu;
          }
        }
        for (const order of [
          [0, 1, 2],
          [2, 0, 1],
        ]) {
          const sum = sumOf(...order);
          expect(sum).toMatchObject({ count: samples.length, sumNs, cpuCount, cpuSumNs });
          expect([...sum.buckets]).toEqual(samples.length === 0 ? [] : [...buckets]);
        }
      }),
    );
  });

  test("never goes back, and time that ran backwards is none", () => {
    let before = sumOf(0);
    for (const wall of [5, 0, -3, 2 ** 49, 2 ** 20, 7.5]) {
      recordDuration(m, 0, wall, wall);
      const now = sumOf(0);
      expect(now.count).toBe(before.count + 1);
      expect(now.sumNs).toBeGreaterThanOrEqual(before.sumNs);
      expect(now.cpuCount).toBe(before.cpuCount + (wall >= 0 ? 1 : 0));
      const shrunk = [...before.buckets].filter((n, bucket) => n > now.buckets[bucket]);
      expect(shrunk).toEqual([]);
      before = now;
    }
    expect(before.buckets[0]).toBe(2);
  });

  test("a reader at any access finds what its count promises", () => {
    recordDuration(m, 0, 100, 5);
    const seen: [number, number][] = [];
    const look = (): void => {
      const count = readCounter(m, 0);
      seen.push([count, sumOf(0).count]);
    };
    watchWords(m, (watched) => recordDuration(watched, 0, 3e9, 5), look);
    look();
    expect(seen.length).toBeGreaterThan(8);
    for (const [count, inBuckets] of seen) {
      expect(inBuckets).toBeGreaterThanOrEqual(count);
      expect(inBuckets).toBeLessThanOrEqual(2);
    }
    expect(seen.at(-1)).toEqual([2, 2]);
  });
});

test("carries that a holder died in are finished by the next one, in used histograms of that seat only", () => {
  const heap = smallHeap();
  const { m: words, layout } = heap._a;
  const [mine, unused, other] = [
    histogramAt(layout, 1, 2),
    histogramAt(layout, 1, 3),
    histogramAt(layout, 2, 2),
  ];
  for (const at of [mine, other]) words[at] = 7;
  for (const at of [mine, unused, other]) {
    words[at + CELL_WORDS] = 5; // wrapped, not done
    words[at + CELL_WORDS + 1] = 1;
  }
  finishHistograms(words, layout, 1);
  expect([mine, unused, other].map((at) => words[at + CELL_WORDS + 2])).toEqual([1, 0, 0]);
  heap.detach();
});
