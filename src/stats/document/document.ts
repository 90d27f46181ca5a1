/** The stats document: everything a snapshot says, as plain data. Field meanings: docs/stats-reference.md. */
import type { HISTOGRAM_FIELDS } from "../../allocator/counters/fields.js";
import type { Count, RowOf } from "./field.js";
import type {
  CLASS_DOCUMENT_FIELDS,
  CLOSE_CONTEXT_FIELDS,
  EPOCH_DOCUMENT_FIELDS,
  ERA_FIELDS,
  HEAP_FIELDS,
  LARGE_FIELDS,
  LATENCY_FIELDS,
  TOP_FIELDS,
  WORKER_FIELDS,
} from "./fields.js";

/** One size class. */
export type ClassStats = RowOf<typeof CLASS_DOCUMENT_FIELDS> & {
  /** Documents of the C allocator only: counts by label number. */
  readonly contention_by_label?: Readonly<Record<string, Readonly<Record<string, Count>>>>;
};
/** Slabs of one (era, class) of a ring slot. */
export type EraStats = RowOf<typeof ERA_FIELDS>;
/** One ring slot. */
export type EpochStats = RowOf<typeof EPOCH_DOCUMENT_FIELDS> & { readonly eras: readonly EraStats[] };
export type HeapStats = RowOf<typeof HEAP_FIELDS>;
export type LargeStats = RowOf<typeof LARGE_FIELDS>;
export type WorkerStats = RowOf<typeof WORKER_FIELDS>;
export type CloseContext = RowOf<typeof CLOSE_CONTEXT_FIELDS>;
/** A latency histogram: `buckets` holds [lower bound in ns, count] of every bucket that is not empty, ascending. */
export type LatencyStats = RowOf<typeof LATENCY_FIELDS> & {
  readonly buckets: readonly (readonly [startNs: number, count: Count])[];
};
export type LatencyName = (typeof HISTOGRAM_FIELDS)[number]["name"];

export interface LabelRegistry {
  readonly count: number;
  readonly max_labels: number;
  /** Label by number; 0 is "(unlabeled)". */
  readonly labels: Readonly<Record<string, string>>;
}

/**
 * What a heap looked like at one moment. Keys a document did not have are filled in with 0, "", null or empty lists, so
 * that documents of the C allocator and of older versions read like new ones.
 */
export type StatsDocument = RowOf<typeof TOP_FIELDS> & {
  readonly label_registry: LabelRegistry;
  readonly classes: readonly ClassStats[];
  readonly epochs: readonly EpochStats[];
  /** Undefined in documents of the C allocator, as are the following. */
  readonly heap?: HeapStats;
  readonly large?: LargeStats;
  readonly workers?: readonly WorkerStats[];
  readonly last_epoch_close_context?: CloseContext | null;
  readonly latency?: Readonly<Record<LatencyName, LatencyStats>>;
  /** Figures of a benchmark run (`benchmark_requests_completed` and so on), where the document came from one. */
  readonly benchmark?: Readonly<Record<string, Count>>;
};
