/**
 * Latency histograms in the buffer: one set per seat, written by its holder alone, merged by whoever reads.
 *
 * Buckets are log-spaced, four to an octave: a bucket is at most a quarter wider than its lower bound, from 1 ns to
 * six and a half days, with the same bounds in every heap, so that histograms of threads, heaps and processes
 * add up bucket by bucket. Values below 4 ns have a bucket each; longer ones than the last bound go to the last bucket.
 *
 *   shard  | histogram 0 | histogram 1 | ...
 *   each   | count | sum of ns | CPU count | CPU sum of ns | bucket 0 | bucket 1 | ...     a counter cell each
 */
import type { Layout } from "../memory/layout.js";
import { seatAt } from "../memory/layout.js";
import { CELL_WORDS, H_BUCKETS, HISTOGRAM_BUCKETS, HISTOGRAM_FIELDS, HISTOGRAM_WORDS } from "./fields.js";
import { count, countLarge, finishCarry, readCounter } from "./record.js";

const SUB_BUCKETS = 4;

/** Bucket of a duration in nanoseconds (whole or not, at least 0). */
export function bucketOf(ns: number): number {
  if (!(ns >= SUB_BUCKETS)) return ns > 0 ? ns | 0 : 0;
  // Shifts work on 32 bits: scale long durations down first. 2^26 keeps the quarter of the octave exact.
  let scaled = ns;
  let octave = 0;
  while (scaled >= 0x40000000) {
    scaled /= 0x4000000;
    octave += 26;
  }
  const exponent = 31 - Math.clz32(scaled);
  const quarter = ((scaled | 0) >> (exponent - 2)) & 3;
  return Math.min(HISTOGRAM_BUCKETS - 1, (octave + exponent - 1) * SUB_BUCKETS + quarter);
}

/** Smallest duration in nanoseconds of a bucket; that of the bucket after the last ends the last one's range. */
export function bucketStart(bucket: number): number {
  if (bucket < SUB_BUCKETS) return bucket;
  const exponent = Math.floor(bucket / SUB_BUCKETS) + 1;
  return 2 ** exponent * (1 + (bucket % SUB_BUCKETS) / SUB_BUCKETS);
}

/** First word of one histogram of a seat. `which` is its place in HISTOGRAM_FIELDS. */
export function histogramAt(layout: Layout, seat: number, which: number): number {
  return seatAt(layout, seat) + layout.seatHistograms + which * HISTOGRAM_WORDS;
}

/** Adds one duration to a histogram of the calling thread's own seat. `cpuNs` below 0: not measured. */
export function recordDuration(m: Int32Array, histogram: number, wallNs: number, cpuNs: number): void {
  const ns = Math.max(0, Math.round(wallNs));
  count(m, histogram + H_BUCKETS + bucketOf(ns) * CELL_WORDS, 1);
  countLarge(m, histogram + CELL_WORDS, ns);
  if (cpuNs >= 0) {
    count(m, histogram + 2 * CELL_WORDS, 1);
    countLarge(m, histogram + 3 * CELL_WORDS, Math.round(cpuNs));
  }
  // Last: a reader that takes the count first never finds fewer samples in the buckets.
  count(m, histogram, 1);
}

/** A histogram being summed up by a reader. */
export interface HistogramSum {
  count: number;
  sumNs: number;
  cpuCount: number;
  cpuSumNs: number;
  /** Durations per bucket; empty as long as there are none. */
  buckets: Float64Array;
}

const NO_BUCKETS = new Float64Array(0);

export function emptyHistogram(): HistogramSum {
  return { count: 0, sumNs: 0, cpuCount: 0, cpuSumNs: 0, buckets: NO_BUCKETS };
}

/** Adds one seat's histogram to `sum`. From any thread; one load where the seat has no sample. */
export function addHistogram(m: Int32Array, histogram: number, sum: HistogramSum): void {
  const samples = readCounter(m, histogram);
  if (samples === 0) return;
  if (sum.buckets.length === 0) sum.buckets = new Float64Array(HISTOGRAM_BUCKETS);
  sum.sumNs += readCounter(m, histogram + CELL_WORDS);
  sum.cpuCount += readCounter(m, histogram + 2 * CELL_WORDS);
  sum.cpuSumNs += readCounter(m, histogram + 3 * CELL_WORDS);
  // The buckets decide the count: a sample recorded meanwhile must not be in one and missing in the other.
  for (let bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
    const n = readCounter(m, histogram + H_BUCKETS + bucket * CELL_WORDS);
    sum.buckets[bucket] = (sum.buckets[bucket] as number) + n;
    sum.count += n;
  }
}

/** Completes carries a former holder of the seat died in; one look per histogram that was never used. */
export function finishHistograms(m: Int32Array, layout: Layout, seat: number): void {
  for (let which = 0; which < HISTOGRAM_FIELDS.length; which++) {
    const histogram = histogramAt(layout, seat, which);
    if (m[histogram] === 0 && m[histogram + 1] === 0) continue;
    for (let cell = 0; cell < HISTOGRAM_WORDS; cell += CELL_WORDS) finishCarry(m, histogram + cell);
  }
}
