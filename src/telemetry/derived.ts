/** Families that are not one field of the stats document: sums under another name, identities, judgements. */
import type { ClassStats, EpochStats, StatsDocument } from "../stats/index.js";
import { type FamilySource, type MetricFamily, type Series, series } from "./family.js";
import { labelSet, NO_LABELS } from "./labels.js";
import { counterText, plus, valueText } from "./values.js";
import { VERSION } from "./version.js";
import { epochLabels, type RowView, type View } from "./view.js";

const EPOCH = ["epoch", "state", "label"];
const CLASS = ["class", "object_size"];
const SIZE = ["size_class"];

type Declared = Pick<MetricFamily, "name" | "help" | "from"> & Partial<Pick<MetricFamily, "labels" | "unit">>;

function counter(declared: Declared, seriesOf: (view: View) => Series[]): FamilySource {
  return { type: "counter", unit: "", labels: [], ...declared, seriesOf };
}

function gauge(declared: Declared, seriesOf: (view: View) => Series[]): FamilySource {
  return { type: "gauge", unit: "", labels: [], ...declared, seriesOf };
}

/** One series without labels; none where the value is not known. */
function single(value: unknown, text: typeof valueText = valueText): Series[] {
  const written = text(value, 1);
  return written === undefined ? [] : [series(NO_LABELS, written)];
}

function perRow<Row>(rows: readonly RowView<Row>[], of: (row: Row) => unknown): Series[] {
  return rows.flatMap(({ row, labels }) => {
    const written = valueText(of(row), 1);
    return written === undefined ? [] : [series(labels, written)];
  });
}

const sum = (values: readonly unknown[]): number | bigint => values.reduce<number | bigint>(plus, 0);

// -- The heap as a whole -------------------------------------------------------------------------------------

export const TOTALS: readonly FamilySource[] = [
  counter(
    {
      name: "new_slab_count_total",
      help: "Slabs claimed, recycled or never used",
      unit: "slabs",
      from: "sum of classes[].new_slab_count",
    },
    ({ document }) => single(sum(document.classes.map((row) => row.new_slab_count)), counterText),
  ),
  gauge(
    {
      name: "label_registry_labels",
      help: "Labels in the registry, (unlabeled) included",
      from: "label_registry.count",
    },
    ({ document }) => (hasRegistry(document) ? single(document.label_registry.count) : []),
  ),
  gauge(
    {
      name: "label_registry_max_labels",
      help: "Most labels the registry holds",
      from: "label_registry.max_labels",
    },
    ({ document }) => (hasRegistry(document) ? single(document.label_registry.max_labels) : []),
  ),
];

const hasRegistry = ({ label_registry: registry }: StatsDocument): boolean => registry?.max_labels > 0;

// -- Size classes --------------------------------------------------------------------------------------------

const LOCK_ACQUISITIONS = "Slow-path acquisitions, contended or not";
const acquisitions = (row: ClassStats) => sum([row.lock_fast_acquire, row.lock_contended]);

const CONTENTION = [
  ["lock_fast_acquire", "Slow-path acquisitions whose first compare-and-swap won, by label"],
  ["lock_contended", "Slow-path acquisitions that had to retry, by label"],
  ["bitmap_alloc_cas_retries", "Claims of a slab lost to another thread, by label"],
  ["bitmap_free_cas_retries", "Remote frees that lost a race for the slot, by label"],
] as const;

/** No heap of ours has locks, so nobody ever waited for one; other documents do not say. */
function lockTime(name: string, help: string): FamilySource {
  return counter({ name, help, unit: "seconds", labels: SIZE, from: "0: there are no locks" }, (view) =>
    view.options.lockTimes && view.document.heap !== undefined
      ? view.sizes.map(({ labels }) => series(labels, "0"))
      : [],
  );
}

export const OF_CLASSES: readonly FamilySource[] = [
  counter(
    {
      name: "class_lock_acquisitions_total",
      help: LOCK_ACQUISITIONS,
      labels: CLASS,
      from: "classes[].lock_fast_acquire + lock_contended",
    },
    (view) => perRow(view.classes, acquisitions),
  ),
  counter(
    {
      name: "lock_acquisitions_total",
      help: LOCK_ACQUISITIONS,
      labels: SIZE,
      from: "classes[].lock_fast_acquire + lock_contended",
    },
    (view) => view.sizes.map(({ rows, labels }) => series(labels, String(sum(rows.map(acquisitions))))),
  ),
  lockTime("lock_wait_time_seconds_total", "Time spent waiting for locks"),
  lockTime("lock_hold_time_seconds_total", "Time locks were held"),
  ...CONTENTION.map(([name, help]) =>
    counter(
      {
        name: `class_${name}_by_label_total`,
        help,
        labels: [...CLASS, "label"],
        from: `classes[].contention_by_label.${name}`,
      },
      (view) => (view.options.contentionByLabel ? byLabel(view, name) : []),
    ),
  ),
];

/** Label numbers that end up under one label, "(other)" for instance, add up: they are one series. */
function byLabel(view: View, name: string): Series[] {
  const names = view.document.label_registry?.labels ?? {};
  return view.classes.flatMap(({ row, labels }) => {
    const totals = new Map<string, number | bigint>();
    for (const [id, count] of Object.entries(row.contention_by_label?.[name] ?? {})) {
      const label = view.options.slots.nameOf(names[id] ?? "(other)");
      totals.set(label, plus(totals.get(label) ?? 0, count));
    }
    return [...totals].map(([label, total]) => series(labelSet({ ...labels.values, label }), String(total)));
  });
}

// -- Epochs --------------------------------------------------------------------------------------------------

/** What one slab is in bytes; documents of the C allocator have it filled in on reading. */
const slabBytes = (document: StatsDocument): number => document.slab_bytes || document.page_size;

export const OF_EPOCHS: readonly FamilySource[] = [
  gauge(
    {
      name: "epoch_rss_bytes",
      help: "Slabs of the ring slot, older eras included, times the size of a slab",
      unit: "bytes",
      labels: EPOCH,
      from: "epochs[].estimated_rss_bytes + older_slabs * slab_bytes",
    },
    (view) => {
      const size = slabBytes(view.document);
      return perRow(view.epochs, (row) => plus(row.estimated_rss_bytes, (row.older_slabs || 0) * size));
    },
  ),
  gauge(
    {
      name: "epoch_reclaimable_bytes",
      help: "Slabs without any live object times the size of a slab",
      unit: "bytes",
      labels: EPOCH,
      from: "epochs[].total_reclaimable_slabs * slab_bytes",
    },
    (view) => {
      const size = slabBytes(view.document);
      return perRow(view.epochs, (row) => row.total_reclaimable_slabs * size);
    },
  ),
  gauge(
    { name: "epoch_state", help: "1: the epoch is in this state", labels: EPOCH, from: "epochs[].state" },
    (view) => perRow(view.epochs, () => 1),
  ),
  gauge(
    {
      name: "epoch_info",
      help: "1: the epoch in this ring slot is of this era",
      labels: ["epoch", "era", "state", "label"],
      from: "epochs[].epoch_era",
    },
    (view) => view.epochs.map(({ row, labels }) => series(withEra(row, labels.values.label ?? ""), "1")),
  ),
];

const withEra = (row: EpochStats, label: string) => epochLabels(row, label, true);

// -- Judgements and identities -------------------------------------------------------------------------------

const HEALTH = { ok: 0, degraded: 1, unhealthy: 2 } as const;

export const JUDGEMENTS: readonly FamilySource[] = [
  gauge(
    {
      name: "leak_candidates",
      help: "Closed epochs that have been holding something for longer than the threshold, by class",
      from: "detectEpochLeaks()",
    },
    (view) => single(view.leakCount()),
  ),
  gauge({ name: "health_status", help: "0 ok, 1 degraded, 2 unhealthy", from: "health()" }, (view) =>
    single(HEALTH[view.health().status]),
  ),
];

export const SAMPLES: readonly FamilySource[] = [
  counter(
    {
      name: "alloc_samples_total",
      help: "Allocations whose duration was sampled",
      from: "latency.alloc.count",
    },
    ({ document }) => single(document.latency?.alloc?.count, counterText),
  ),
];

export const BUILD_INFO: FamilySource = gauge(
  {
    name: "build_info",
    help: "1: versions of this exporter and of the document, and whose it is",
    labels: ["version", "schema_version", "stats_version", "source"],
    from: "schema_version, version",
  },
  ({ document }) => [
    series(
      labelSet({
        version: VERSION,
        schema_version: String(document.schema_version),
        stats_version: String(document.version),
        source: document.heap === undefined ? "c" : "temporal-slab",
      }),
      "1",
    ),
  ],
);

/** What the C allocator's benchmark program adds to its documents. */
export const BENCHMARK: readonly FamilySource[] = [
  ["requests_completed", "Requests a benchmark run completed"],
  ["objects_allocated", "Objects a benchmark run allocated"],
  ["objects_freed", "Objects a benchmark run freed"],
  ["objects_leaked", "Objects a benchmark run did not free"],
].map(([name, help]) =>
  counter(
    { name: `benchmark_${name}_total`, help: help as string, from: `benchmark_${name}` },
    ({ document }) => single(document.benchmark?.[`benchmark_${name}`], counterText),
  ),
);
