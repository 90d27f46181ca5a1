/**
 * Stats documents for tests: complete ones, with every field that is declared. What a test does not name is 0, "" or
 * false, so that a document says nothing but what the test is about.
 */
import fc from "fast-check";
import type {
  ClassStats,
  EpochStats,
  EraStats,
  HeapStats,
  LargeStats,
  LatencyName,
  LatencyStats,
  StatsDocument,
  WorkerStats,
} from "../../../src/stats/document/document.js";
import type { Field } from "../../../src/stats/document/field.js";
import {
  CLASS_DOCUMENT_FIELDS,
  EPOCH_DOCUMENT_FIELDS,
  ERA_FIELDS,
  HEAP_FIELDS,
  LARGE_FIELDS,
  LATENCY_FIELDS,
  LATENCY_NAMES,
  TOP_FIELDS,
  WORKER_FIELDS,
} from "../../../src/stats/document/fields.js";

export const SLAB = 65_536;
export const MIB = 1024 * 1024;
/** 2026-01-01T00:00:00Z. */
export const NOW_NS = 1_767_225_600_000_000_000n;

const ZERO = {
  count: 0,
  "count|null": 0,
  integer: 0,
  "integer|null": 0,
  ns: 0n,
  float: 0,
  "float|null": null,
  string: "",
  boolean: false,
} as const;

function blank<Row>(fields: readonly Field[], values: Partial<Row>): Row {
  const row = fields
    .filter((f) => f.type !== "object")
    .map((f) => [f.name, ZERO[f.type as keyof typeof ZERO]]);
  return { ...Object.fromEntries(row), ...values } as Row;
}

export const classRow = (values: Partial<ClassStats> = {}): ClassStats =>
  blank<ClassStats>(CLASS_DOCUMENT_FIELDS, { version: 2, object_size: 128, ...values });

/** Slabs of one era and class; bytes follow from the slabs. */
export function eraRow(values: Partial<EraStats> = {}): EraStats {
  const row = blank<EraStats>(ERA_FIELDS, { object_size: 128, ...values });
  const bytes = (row.total_partial_slabs + row.total_full_slabs) * SLAB;
  return { ...row, estimated_rss_bytes: values.estimated_rss_bytes ?? bytes };
}

/** A closed epoch in ring slot 12, unless told otherwise; totals are those of its present era's rows. */
export function epochRow(values: Partial<EpochStats> = {}): EpochStats {
  const own = (values.eras ?? []).filter((row) => row.epoch_era === (values.epoch_era ?? 28));
  const total = (name: "total_partial_slabs" | "total_full_slabs" | "total_reclaimable_slabs"): number =>
    own.reduce((sum, row) => sum + row[name], 0);
  return blank<EpochStats>(EPOCH_DOCUMENT_FIELDS, {
    epoch_id: 12,
    epoch_era: 28,
    state: "CLOSING",
    opened: true,
    total_partial_slabs: total("total_partial_slabs"),
    total_full_slabs: total("total_full_slabs"),
    total_reclaimable_slabs: total("total_reclaimable_slabs"),
    estimated_rss_bytes: own.reduce((sum, row) => sum + Number(row.estimated_rss_bytes), 0),
    live_objects: own.reduce((sum, row) => sum + Number(row.live_objects), 0),
    eras: [],
    ...values,
  });
}

export const heapRow = (values: Partial<HeapStats> = {}): HeapStats =>
  blank<HeapStats>(HEAP_FIELDS, {
    id: "heap-1",
    created_timestamp_ns: NOW_NS - 3_600_000_000_000n,
    capacity_bytes: 64 * MIB,
    slab_bytes: SLAB,
    slab_count: 1024,
    max_workers: 64,
    attached_workers: 1,
    ...values,
  });

export const workerRow = (values: Partial<WorkerStats> = {}): WorkerStats =>
  blank<WorkerStats>(WORKER_FIELDS, { seat: 1, incarnation: 1, state: "LIVE", ...values });

export const largeRow = (values: Partial<LargeStats> = {}): LargeStats =>
  blank<LargeStats>(LARGE_FIELDS, values);

/** A document of this allocator. Epochs given are put into their ring slots, the others were never opened. */
export function documentWith(values: Partial<StatsDocument> = {}): StatsDocument {
  const latency = LATENCY_NAMES.map((name) => [name, blank<LatencyStats>(LATENCY_FIELDS, { buckets: [] })]);
  return {
    ...cDocument(values),
    heap: heapRow(),
    large: largeRow(),
    workers: [],
    last_epoch_close_context: null,
    latency: Object.fromEntries(latency) as Record<LatencyName, LatencyStats>,
    slab_bytes: SLAB,
    ...values,
    epochs: Array.from({ length: 16 }, (_, id) => slot(values.epochs ?? [], id)),
  };
}

/** A document of the C allocator, as it is after reading. */
export function cDocument(values: Partial<StatsDocument> = {}): StatsDocument {
  return {
    ...blank<StatsDocument>(TOP_FIELDS, {
      schema_version: 1,
      version: 2,
      timestamp_ns: NOW_NS,
      pid: 4242,
      page_size: 4096,
      epoch_count: 16,
      slab_bytes: 4096,
      ...values,
    }),
    label_registry: { count: 0, max_labels: 16, labels: {} },
    classes: values.classes ?? [classRow()],
    epochs: Array.from({ length: 16 }, (_, id) => slot(values.epochs ?? [], id)),
  };
}

const slot = (epochs: readonly EpochStats[], id: number): EpochStats =>
  epochs.find((epoch) => epoch.epoch_id === id) ?? epochRow({ epoch_id: id, epoch_era: id, opened: false });

// -- Any document ------------------------------------------------------------------------------------------

const ANY_OF = {
  count: fc.oneof(fc.nat(), fc.constant(0), fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n })),
  "count|null": fc.option(fc.oneof(fc.nat(), fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n }))),
  integer: fc.oneof(fc.nat(), fc.constant(0)),
  "integer|null": fc.option(fc.nat()),
  ns: fc.bigInt({ min: 0n, max: 2n ** 64n }),
  float: fc.double({ min: 0, max: 1e12, noNaN: true }),
  "float|null": fc.option(fc.double({ min: -1e6, max: 1e6, noNaN: true })),
  string: fc.string({ unit: "binary", maxLength: 31 }),
  boolean: fc.boolean(),
} as const;

function anyRow<Row>(
  fields: readonly Field[],
  more: Record<string, fc.Arbitrary<unknown>> = {},
): fc.Arbitrary<Row> {
  const plain = fields.filter((f) => f.type !== "object");
  const values = plain.map((f) => [f.name, ANY_OF[f.type as keyof typeof ANY_OF]] as const);
  return fc.record({ ...Object.fromEntries(values), ...more }) as fc.Arbitrary<Row>;
}

/** Eras near each other, so that rows often are of the ring slot's present one. */
const era = fc.integer({ min: 16, max: 20 });
const anyEpoch = anyRow<EpochStats>(EPOCH_DOCUMENT_FIELDS, {
  epoch_id: fc.nat(15),
  epoch_era: era,
  state: fc.constantFrom("ACTIVE", "CLOSING"),
  eras: fc.array(
    anyRow<EraStats>(ERA_FIELDS, { epoch_era: era, class_index: fc.integer({ min: -1, max: 7 }) }),
    {
      maxLength: 4,
    },
  ),
});

/** Every field of every section takes any value of its type; half of them are as the C allocator's. */
export const anyDocument: fc.Arbitrary<StatsDocument> = anyRow<StatsDocument>(TOP_FIELDS, {
  classes: fc.array(anyRow(CLASS_DOCUMENT_FIELDS), { maxLength: 4 }),
  epochs: fc.array(anyEpoch, { maxLength: 6 }),
  label_registry: fc.constant({ count: 0, max_labels: 16, labels: {} }),
  heap: fc.option(anyRow<HeapStats>(HEAP_FIELDS), { nil: undefined }),
  large: fc.option(anyRow<LargeStats>(LARGE_FIELDS), { nil: undefined }),
  workers: fc.option(
    fc.array(
      anyRow<WorkerStats>(WORKER_FIELDS, { state: fc.constantFrom("FREE", "LIVE", "SUSPECT", "REAPING") }),
      {
        maxLength: 4,
      },
    ),
    { nil: undefined },
  ),
});
