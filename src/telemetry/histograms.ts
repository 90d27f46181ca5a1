/**
 * Latency histograms as Prometheus has them: cumulative, with the same few bounds always.
 *
 * The heap's buckets are [lower, upper) of whole nanoseconds, four to an octave, and Prometheus' include their upper bound,
 * so a bound is written as the last nanosecond before the next bucket: `le="1.023e-6"` holds what is below 1024 ns, exactly.
 */
import { LATENCY_METRICS } from "../stats/index.js";
import type { FamilySource, Series } from "./family.js";
import { type LabelSet, labelSet, NO_LABELS } from "./labels.js";
import { numberText, plus, valueText } from "./values.js";
import type { View } from "./view.js";

type Operation = (typeof LATENCY_METRICS)[number]["latency"];

const NS_PER_SECOND = 1e9;

interface Bound {
  /** First nanosecond beyond it. */
  readonly endNs: number;
  readonly labels: LabelSet;
}

/** `perOctave`: 1 or 2 bounds, each of which ends a bucket of the heap. */
function bounds(fromExponent: number, toExponent: number, perOctave: 1 | 2): readonly Bound[] {
  const ends: number[] = [];
  for (let exponent = fromExponent; exponent <= toExponent; exponent++) {
    ends.push(2 ** exponent);
    if (perOctave === 2 && exponent < toExponent) ends.push(1.5 * 2 ** exponent);
  }
  return ends.map((endNs) => ({ endNs, labels: labelSet({ le: numberText((endNs - 1) / NS_PER_SECOND) }) }));
}

/** 32 ns to 17 ms; what takes longer was interrupted. */
const OPERATIONS = bounds(5, 24, 2);
const BOUNDS: Readonly<Record<Operation, readonly Bound[]>> = {
  alloc: OPERATIONS,
  slow_path: OPERATIONS,
  remote_free: OPERATIONS,
  /** 1 us to 1 s. */
  epoch_close: bounds(10, 30, 2),
  /** 1 ms to 19 hours. */
  epoch_lifetime: bounds(20, 46, 1),
};
const INFINITE = labelSet({ le: "+Inf" });

export const HISTOGRAM_FAMILIES: readonly FamilySource[] = LATENCY_METRICS.map(({ latency, name, help }) => ({
  name,
  type: "histogram",
  help,
  unit: "seconds",
  labels: [],
  from: `latency.${latency}`,
  seriesOf: (view) => seriesOf(view, latency),
}));

function seriesOf({ document }: View, operation: Operation): Series[] {
  const row = document.latency?.[operation];
  if (row === undefined) return [];
  const found: Series[] = [];
  const { buckets } = row;
  let below: number | bigint = 0;
  let next = 0;
  for (const { endNs, labels } of BOUNDS[operation]) {
    for (; next < buckets.length && (buckets[next]?.[0] as number) < endNs; next++) {
      below = plus(below, buckets[next]?.[1]);
    }
    found.push({ suffix: "_bucket", labels, value: String(below) });
  }
  for (; next < buckets.length; next++) below = plus(below, buckets[next]?.[1]);
  // The last bucket and the count are one figure, even in a document in which they are not.
  const count = String(below > row.count ? below : row.count);
  found.push(
    { suffix: "_bucket", labels: INFINITE, value: count },
    { suffix: "_sum", labels: NO_LABELS, value: valueText(row.sum_ns, NS_PER_SECOND) ?? "0" },
    { suffix: "_count", labels: NO_LABELS, value: count },
  );
  return found;
}
