/** A document as the metrics look at it: which rows are shown, and under which labels. */
import {
  type ClassStats,
  detectEpochLeaks,
  type EpochStats,
  type HealthReport,
  health,
  LATENCY_METRICS,
  type StatsDocument,
} from "../stats/index.js";
import { type LabelSet, labelSet, NO_LABELS } from "./labels.js";
import type { CheckedOptions } from "./options.js";

export interface RowView<Row = object> {
  readonly row: Row;
  readonly labels: LabelSet;
}

/** Size classes of one object size. */
export interface SizeView {
  readonly rows: readonly ClassStats[];
  readonly labels: LabelSet;
}

export class View {
  readonly document: StatsDocument;
  readonly options: CheckedOptions;
  readonly hasManyClasses: boolean;
  readonly classes: readonly RowView<ClassStats>[];
  readonly sizes: readonly SizeView[];
  readonly epochs: readonly RowView<EpochStats>[];
  private readonly rows: Readonly<Record<string, readonly RowView[]>>;

  constructor(document: StatsDocument, options: CheckedOptions) {
    this.document = document;
    this.options = options;
    const all = distinct(document.classes, (row) => row.class_index);
    this.hasManyClasses = all.length > MANY;
    const classes = this.hasManyClasses ? all.filter(wasUsed) : all;
    this.classes = classes.map((row) => ({
      row,
      labels: labelSet({ class: String(row.class_index), object_size: String(row.object_size) }),
    }));
    this.sizes = sizesOf(classes);
    this.epochs = epochsOf(document, options);
    const one = (row: object | null | undefined): RowView[] => (row ? [{ row, labels: NO_LABELS }] : []);
    this.rows = {
      "": one(document),
      classes: this.classes,
      epochs: this.epochs,
      heap: one(document.heap),
      large: one(document.large),
      last_epoch_close_context: one(document.last_epoch_close_context),
      workers: distinct(document.workers ?? [], (row) => row.seat).map((row) => ({
        row,
        labels: labelSet({ seat: String(row.seat) }),
      })),
      latency: LATENCY_METRICS.flatMap(({ latency: operation }) => {
        const row = document.latency?.[operation];
        return row === undefined ? [] : [{ row, labels: labelSet({ operation }) }];
      }),
    };
  }

  /** Rows of a section of the document; see `STATS_SECTIONS`. */
  rowsOf(section: string): readonly RowView[] {
    return this.rows[section] ?? [];
  }

  health(): HealthReport {
    return health(this.document, this.options.thresholds, this.options.previous);
  }

  leakCount(): number {
    return detectEpochLeaks(this.document, { thresholdSec: this.options.leakThresholdSec, top: 0 })
      .candidate_count;
  }
}

/** The first row of each key: two would make the same series twice, which no server takes. */
function distinct<Row>(rows: readonly Row[], keyOf: (row: Row) => unknown): Row[] {
  const seen = new Set<unknown>();
  return rows.filter((row) => {
    const key = keyOf(row);
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

/**
 * More classes than this are many: of those that were never used nothing is said, nor that a rare event never happened.
 * The C allocator has 8, a heap with the default sizes 40, and 50 series each, most of them 0 for ever.
 */
const MANY = 16;

const wasUsed = (row: ClassStats): boolean =>
  row.bitmap_alloc_attempts > 0 || row.slow_path_hits > 0 || row.net_slabs > 0;

function sizesOf(classes: readonly ClassStats[]): SizeView[] {
  const bySize = new Map<number, ClassStats[]>();
  for (const row of classes) {
    const rows = bySize.get(row.object_size);
    if (rows === undefined) bySize.set(row.object_size, [row]);
    else rows.push(row);
  }
  return [...bySize].map(([size, rows]) => ({ rows, labels: labelSet({ size_class: String(size) }) }));
}

/**
 * Epochs that hold something, and the current one. An idle ring slot would only say zeros. Slabs of older eras count: they
 * are what is found when nobody has looked for long.
 */
function epochsOf(document: StatsDocument, { slots, eraLabel }: CheckedOptions): RowView<EpochStats>[] {
  // First those of the heap's own registry, in its order: whoever has a slot there has one here.
  for (const label of Object.values(document.label_registry?.labels ?? {})) slots.nameOf(label);
  const shown = document.epochs.filter(
    (epoch) =>
      epoch.epoch_id === document.current_epoch ||
      epoch.refcount > 0 ||
      epoch.total_partial_slabs > 0 ||
      epoch.total_full_slabs > 0 ||
      epoch.older_slabs > 0,
  );
  return distinct(shown, (epoch) => epoch.epoch_id).map((row) => ({
    row,
    labels: epochLabels(row, slots.nameOf(row.label), eraLabel),
  }));
}

/** The same labels in the same order on all series of an epoch: `A and B` and A / B match by all of them. */
export function epochLabels(epoch: EpochStats, label: string, era: boolean): LabelSet {
  return labelSet({
    epoch: String(epoch.epoch_id),
    ...(era && { era: String(epoch.epoch_era) }),
    state: epoch.state,
    label,
  });
}
