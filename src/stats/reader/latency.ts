/** Latency histograms of the document: what they hold, and percentiles of them. */
import { bucketOf, bucketStart, type HistogramSum } from "../../allocator/counters/histogram.js";
import { InvalidValueError } from "../../allocator/errors.js";
import type { LatencyStats } from "../document/document.js";

export function latencyRow(sum: HistogramSum | undefined): LatencyStats {
  const buckets: [number, number][] = [];
  sum?.buckets.forEach((count, bucket) => {
    if (count > 0) buckets.push([bucketStart(bucket), count]);
  });
  return {
    count: sum?.count ?? 0,
    sum_ns: sum?.sumNs ?? 0,
    cpu_count: sum?.cpuCount ?? 0,
    cpu_sum_ns: sum?.cpuSumNs ?? 0,
    buckets,
  };
}

/**
 * A duration in nanoseconds that `percent` (0..100) of the recorded ones do not exceed: the end of the bucket they lie
 * in, at most a quarter too long; undefined for an empty histogram. Throws `InvalidValueError`.
 */
export function percentileNs(latency: LatencyStats, percent: number): number | undefined {
  if (!(percent >= 0 && percent <= 100)) {
    throw new InvalidValueError(`percentileNs: percent must be a number from 0 to 100; got ${percent}.`);
  }
  const total = latency.buckets.reduce((sum, [, count]) => sum + Number(count), 0);
  if (total === 0) return undefined;
  let left = Math.max(1, Math.ceil((percent / 100) * total));
  for (const [startNs, count] of latency.buckets) {
    left -= Number(count);
    if (left <= 0) return bucketStart(bucketOf(startNs) + 1);
  }
  return undefined;
}
