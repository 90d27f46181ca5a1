/**
 * Reads stats documents: our own, older ones of ours, and both shapes that the C allocator of the same name writes. What
 * is wrong or missing in the latter is put right here (see `c-documents.ts`), so that nobody further on need ask where
 * a document came from.
 */
import { checkSlot, foldRows, isFolded, repairDocument, withoutUnderflow } from "./c-documents.js";
import { add, ratio, sumOf } from "./count.js";
import type {
  ClassStats,
  EpochStats,
  LabelRegistry,
  LatencyName,
  LatencyStats,
  StatsDocument,
} from "./document.js";
import type { Count, Field, RowOf } from "./field.js";
import {
  CLASS_DOCUMENT_FIELDS,
  CLOSE_CONTEXT_FIELDS,
  EPOCH_DOCUMENT_FIELDS,
  ERA_FIELDS,
  HEAP_FIELDS,
  LARGE_FIELDS,
  LATENCY_FIELDS,
  LATENCY_NAMES,
  SCHEMA_VERSION,
  TOP_FIELDS,
  WORKER_FIELDS,
} from "./fields.js";
import { parseJsonExact } from "./json.js";
import {
  countAt,
  floatAt,
  type JsonObject,
  listAt,
  missing,
  objectAt,
  readRow,
  recordAt,
  textAt,
  wrongType,
  wrongValue,
} from "./rows.js";

/**
 * A stats document from its JSON text or from the value that was parsed from it (which may have lost digits beyond 2^53
 * on the way; text has not). Unknown keys are ignored, missing optional ones filled in.
 *
 * @throws {@link InvalidValueError} when the text is no JSON, a required key is missing, or a value is not allowed;
 * {@link InvalidTypeError} when a value has the wrong type. Both name the key, as in `classes[3].object_size`.
 */
export function readStats(input: unknown): StatsDocument {
  const source = objectAt(typeof input === "string" ? parseJsonExact(input) : input, "");
  // First: in a document of another version nothing else need be as expected.
  if (source.schema_version !== SCHEMA_VERSION) {
    const allowed = `${SCHEMA_VERSION}, the version this package reads`;
    throw wrongValue("schema_version", source.schema_version, allowed);
  }
  const top = readRow(source, "", TOP_FIELDS);
  const classes = listAt(source.classes, "classes").map((row, i) => readClass(row, `classes[${i}]`));
  const document: StatsDocument = {
    ...top,
    ...missing(source, totalsOf(classes)),
    // The C allocator writes its raw counter; ours is in range already.
    current_epoch: top.current_epoch % top.epoch_count,
    label_registry: readLabels(source.label_registry),
    classes,
    epochs: readEpochs(source, top),
    ...readHeap(source),
    ...readBenchmark(source),
  };
  return isForeign(source) ? repairDocument(document, source) : document;
}

/** Written by another program: every version of this package says how large a slab is. */
function isForeign(source: JsonObject): boolean {
  return source.slab_bytes === undefined;
}

/** Totals of the counters that older documents have per class only. */
function totalsOf(classes: readonly ClassStats[]): Readonly<Record<string, Count>> {
  const optional = TOP_FIELDS.filter((field) => field.name.startsWith("total_") && !field.required);
  return Object.fromEntries(
    optional.map(({ name }) => {
      const counter = name.slice("total_".length) as keyof ClassStats;
      return [name, sumOf(classes, (row) => row[counter] as Count)];
    }),
  );
}

function readClass(value: unknown, path: string): ClassStats {
  const source = objectAt(value, path);
  const row = readRow(source, path, CLASS_DOCUMENT_FIELDS);
  const filled = { ...row, ...missing(source, ratiosOf(row)) };
  if (source.contention_by_label === undefined) return filled;
  const readCounts = (counts: unknown, at: string) => recordAt(counts, at, countAt);
  const contention = recordAt(source.contention_by_label, `${path}.contention_by_label`, readCounts);
  return { ...filled, contention_by_label: contention };
}

function ratiosOf(row: ClassStats) {
  const recycledOrNot = add(row.empty_slab_recycled, row.empty_slab_overflowed);
  return {
    avg_alloc_cas_retries_per_attempt: ratio(row.bitmap_alloc_cas_retries, row.bitmap_alloc_attempts),
    avg_free_cas_retries_per_attempt: ratio(row.bitmap_free_cas_retries, row.bitmap_free_attempts),
    current_partial_cas_failure_rate: ratio(
      row.current_partial_cas_failures,
      row.current_partial_cas_attempts,
    ),
    lock_contention_rate: ratio(row.lock_contended, add(row.lock_fast_acquire, row.lock_contended)),
    // As the C code has it; its documentation says recycled / new.
    recycle_rate_pct: 100 * ratio(row.empty_slab_recycled, recycledOrNot),
  };
}

function readEpochs(source: JsonObject, top: RowOf<typeof TOP_FIELDS>): readonly EpochStats[] {
  const rows = listOrNone(source.epochs, "epochs");
  if (isFolded(rows)) return foldRows(rows, top.epoch_count, top.timestamp_ns);
  return rows.map((value, i) => {
    const path = `epochs[${i}]`;
    const row = withoutUnderflow(objectAt(value, path));
    const epoch = readRow(row, path, EPOCH_DOCUMENT_FIELDS);
    checkSlot(epoch.epoch_id, top.epoch_count, path);
    return { ...epoch, eras: readRows(row.eras, `${path}.eras`, ERA_FIELDS) };
  });
}

function readLabels(value: unknown): LabelRegistry {
  if (value === undefined) return { count: 0, max_labels: 0, labels: {} };
  const path = "label_registry";
  const source = objectAt(value, path);
  return {
    count: Number(countAt(source.count ?? 0, `${path}.count`)),
    max_labels: Number(countAt(source.max_labels ?? 0, `${path}.max_labels`)),
    labels: recordAt(source.labels ?? {}, `${path}.labels`, (label, at) => textAt(label, at)),
  };
}

/** What only documents of this package have; absent stays absent. */
function readHeap(source: JsonObject): Partial<StatsDocument> {
  const { heap, large, workers, last_epoch_close_context: close, latency } = source;
  return {
    ...(heap !== undefined && { heap: readRow(heap, "heap", HEAP_FIELDS) }),
    ...(large !== undefined && { large: readRow(large, "large", LARGE_FIELDS) }),
    ...(workers !== undefined && { workers: readRows(workers, "workers", WORKER_FIELDS) }),
    ...(close !== undefined && {
      last_epoch_close_context:
        close === null ? null : readRow(close, "last_epoch_close_context", CLOSE_CONTEXT_FIELDS),
    }),
    ...(latency !== undefined && { latency: readLatencies(latency) }),
  };
}

function readLatencies(value: unknown): Readonly<Record<LatencyName, LatencyStats>> {
  const source = objectAt(value, "latency");
  const entries = LATENCY_NAMES.map((name) => [name, readLatency(source[name] ?? {}, `latency.${name}`)]);
  return Object.fromEntries(entries) as Record<LatencyName, LatencyStats>;
}

function readLatency(value: unknown, path: string): LatencyStats {
  let last = -1;
  const buckets = listOrNone(objectAt(value, path).buckets, `${path}.buckets`).map((pair, i) => {
    const at = `${path}.buckets[${i}]`;
    if (!Array.isArray(pair) || pair.length !== 2) {
      throw wrongType(at, pair, "a pair [lower bound in ns, count]");
    }
    const start = floatAt(pair[0], `${at}[0]`, "a number");
    if (!(start > last)) throw wrongValue(`${at}[0]`, start, "above 0 and the bucket before it");
    last = start;
    return [start, countAt(pair[1], `${at}[1]`)] as const;
  });
  return { ...readRow(value, path, LATENCY_FIELDS), buckets };
}

/** The C allocator's synthetic_bench puts its figures beside the others; we keep them together. */
function readBenchmark(source: JsonObject): Partial<StatsDocument> {
  const loose = Object.entries(source).filter(([key]) => key.startsWith("benchmark_"));
  if (source.benchmark === undefined && loose.length === 0) return {};
  const kept = source.benchmark === undefined ? {} : recordAt(source.benchmark, "benchmark", countAt);
  return { benchmark: { ...kept, ...recordAt(Object.fromEntries(loose), "", countAt) } };
}

function readRows<const Fields extends readonly Field[]>(value: unknown, path: string, fields: Fields) {
  return listOrNone(value, path).map((row, i) => readRow(row, `${path}[${i}]`, fields));
}

const listOrNone = (value: unknown, path: string): readonly unknown[] =>
  value === undefined ? [] : listAt(value, path);
