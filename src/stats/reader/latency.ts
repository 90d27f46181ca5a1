/** Latency histograms of the document: what they hold, and percentiles of them. */
import { bucketOf, bucketStart, type HistogramSum } from "../../allocator/counters/histogram.js";
import { InvalidTypeError, InvalidValueError } from "../../allocator/errors.js";
import { describe } from "../../allocator/memory/size-classes.js";
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
 * in, at most a quarter too long; undefined for an empty histogram. Throws `InvalidValueError` for a number that is no
 * percentage, `InvalidTypeError` for anything else that is no percentage, or no row of a document's `latency`.
 */
export function percentileNs(latency: LatencyStats, percent: number): number | undefined {
  if (typeof percent !== "number") {
    throw new InvalidTypeError(
      `percentileNs: percent must be a number from 0 to 100; got ${describe(percent)}.`,
    );
  }
  if (!(percent >= 0 && percent <= 100)) {
    throw new InvalidValueError(`percentileNs: percent must be a number from 0 to 100; got ${percent}.`);
  }
  const buckets = bucketsOf(latency);
  const total = buckets.reduce((sum, [, count]) => sum + count, 0);
  if (total === 0) return undefined;
  let left = Math.max(1, Math.ceil((percent / 100) * total));
  for (const [startNs, count] of buckets) {
    left -= count;
    if (left <= 0) return bucketStart(bucketOf(startNs) + 1);
  }
  return undefined;
}

/** The buckets as plain numbers. Documents may come from anywhere: an endless duration would keep `bucketOf` busy for ever. */
function bucketsOf(latency: unknown): (readonly [startNs: number, count: number])[] {
  const buckets: unknown = (latency as Partial<LatencyStats> | null | undefined)?.buckets;
  if (!Array.isArray(buckets)) {
    throw new InvalidTypeError(
      `percentileNs: latency must be a row of a document's latency, with a list of buckets; got ${describe(latency)}.`,
    );
  }
  return Array.from(buckets, (pair: unknown) => {
    const [startNs, given]: readonly unknown[] = Array.isArray(pair) ? pair : [];
    const count = typeof given === "bigint" ? Number(given) : given;
    if (isAmount(startNs) && isAmount(count)) return [startNs, count] as const;
    throw new InvalidTypeError(
      `percentileNs: latency.buckets must hold pairs [startNs, count] of numbers that are not negative; got ${describe(pair)}.`,
    );
  });
}

function isAmount(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value < Infinity;
}
