/** The differences of two documents for people: what counts first, then tables of what changed. */
import type { ClassDelta, Count, EpochDelta, Rate, SnapshotDelta } from "../../stats.js";
import {
  ageText,
  formatBytes,
  formatCount,
  formatRate,
  formatSeconds,
  formatShare,
  printable,
} from "../format.js";
import type { OneSample } from "../sources/index.js";
import { countsFrees } from "../stats/allocations.js";
import { type Column, type Page, tableSection } from "../tables/index.js";
import type { Comparison } from "./compare.js";

/** With a line end. `all`: counters that did not change, too. */
export function renderDiff(
  before: OneSample,
  after: OneSample,
  comparison: Comparison,
  all: boolean,
  page: Page,
): string {
  const { colors } = page;
  const { delta, regressions } = comparison;
  const lines = [
    colors.bold(`${before.description} -> ${after.description}`),
    timeLine(delta),
    rateLine(comparison),
    ...regressions.map(({ message }) => colors.red(`REGRESSION: ${message}`)),
    ...counterTable(delta, all, page),
    ...classTable(delta, countsFrees(after.document), page),
    ...epochTable(delta, page),
  ];
  return `${lines.join("\n")}\n`;
}

function timeLine({ seconds, restarted, reason = "" }: SnapshotDelta): string {
  if (restarted) {
    return `Two heaps (${printable(reason)}): the second one's figures are counted from its start; no rates`;
  }
  return seconds > 0 ? `${formatSeconds(seconds)} between them` : "No time between them: no rates";
}

function rateLine({ slow_path_rate: { before, after, change_pct: change } }: Comparison): string {
  const shown = (rate: number | null): string => (rate === null ? "unknown" : formatShare(rate));
  const percent = change === null ? "" : `, ${change >= 0 ? "+" : ""}${change.toFixed(1)}%`;
  return `Slow paths of all allocations: ${shown(before)} before, ${shown(after)} after${percent}`;
}

/** Counters of the document and its sections that have no rows, by path. */
function counters(delta: SnapshotDelta): (readonly [name: string, rate: Rate])[] {
  const sections = [
    ["", delta.totals],
    ["heap.", delta.heap ?? {}],
    ["large.", delta.large ?? {}],
  ] as const;
  return sections.flatMap(([prefix, rates]) =>
    Object.entries(rates as Record<string, Rate>).map(([name, rate]) => [prefix + name, rate] as const),
  );
}

function counterTable(delta: SnapshotDelta, all: boolean, page: Page): string[] {
  const rows = counters(delta).filter(([, rate]) => all || Number(rate.delta) !== 0);
  if (rows.length === 0) return ["", "No counter changed."];
  type Row = (typeof rows)[number];
  const isBytes = (name: string): boolean => name.endsWith("_bytes");
  const columns: readonly Column<Row>[] = [
    { title: "counter", align: "left", cell: ([name]) => name },
    {
      title: "change",
      cell: ([name, { delta: change }]) => signed(change, isBytes(name) ? bytes : formatCount),
    },
    {
      title: "per second",
      cell: ([name, rate]) => perSecond(rate, isBytes(name) ? formatBytes : formatRate),
    },
  ];
  return tableSection("Counters", withRates(columns, delta), rows, page);
}

function classTable(delta: SnapshotDelta, frees: boolean, page: Page): string[] {
  const rows = delta.classes.filter(
    (row) => Number(row.bitmap_alloc_attempts.delta) > 0 || Number(row.slow_path_hits.delta) > 0,
  );
  const columns: readonly Column<ClassDelta>[] = [
    { title: "class", cell: (row) => String(row.class_index) },
    { title: "object", cell: (row) => formatBytes(row.object_size) },
    { title: "allocs/s", cell: (row) => perSecond(row.bitmap_alloc_attempts, formatRate) },
    ...(frees
      ? [
          {
            title: "frees/s",
            cell: (row: ClassDelta) => perSecond(row.bitmap_free_attempts, formatRate),
            rank: 1,
          },
        ]
      : []),
    { title: "slow path", cell: (row) => signed(row.slow_path_hits.delta, formatCount) },
    { title: "/s", cell: (row) => perSecond(row.slow_path_hits, formatRate) },
    { title: "new slabs", cell: (row) => signed(row.new_slab_count.delta, formatCount), rank: 2 },
    { title: "recycled", cell: (row) => signed(row.empty_slab_recycled.delta, formatCount), rank: 2 },
    { title: "contended", cell: (row) => signed(row.lock_contended.delta, formatCount), rank: 3 },
  ];
  return tableSection("Size classes at work", withRates(columns, delta), rows, page);
}

/** Epochs that were closed or hold more or less than before, and those new in their ring slot that hold something. */
function epochTable({ epochs, restarted }: SnapshotDelta, page: Page): string[] {
  const rows = epochs.filter((row) => {
    const holdsSomething = Number(row.estimated_rss_bytes.value) > 0 || Number(row.refcount.value) > 0;
    if (restarted || row.status !== "same") return holdsSomething;
    const isOther = row.state !== row.previous_state || Number(row.refcount.change) !== 0;
    return isOther || Number(row.estimated_rss_bytes.change) !== 0;
  });
  const columns: readonly Column<EpochDelta>[] = [
    { title: "epoch", cell: (row) => String(row.epoch_id) },
    { title: "era", cell: (row) => era(row), rank: 1 },
    { title: "what", align: "left", cell: what },
    { title: "age", cell: (row) => ageText(Number(row.age_sec.value)) },
    { title: "refs", cell: (row) => formatCount(row.refcount.value) },
    { title: "bytes", cell: (row) => bytes(row.estimated_rss_bytes.value) },
    { title: "change", cell: (row) => changed(row.estimated_rss_bytes.change) },
    { title: "label", align: "left", cell: (row) => row.label, shrinkTo: 8 },
  ];
  return tableSection("Epochs that changed", columns, rows, page);
}

/** Time between two heaps is no time of either of them. */
function withRates<Row>(
  columns: readonly Column<Row>[],
  { restarted }: SnapshotDelta,
): readonly Column<Row>[] {
  return restarted ? columns.filter(({ title }) => !/per second|\/s$/.test(title)) : columns;
}

function era({ epoch_era, previous_era }: EpochDelta): string {
  if (previous_era === null || previous_era === epoch_era) return formatCount(epoch_era);
  return `${formatCount(previous_era)} -> ${formatCount(epoch_era)}`;
}

function what({ status, state, previous_state }: EpochDelta): string {
  if (status === "new") return "opened";
  if (status === "advanced") return "another era";
  return state === previous_state ? "same" : `${previous_state} -> ${state}`;
}

const bytes = (value: Count): string => formatBytes(Number(value));

const signed = (value: Count, format: (value: Count) => string): string =>
  value > 0 ? `+${format(value)}` : format(value);

const changed = (change: Count | null): string => (change === null ? "" : signed(change, bytes));

const perSecond = ({ perSec }: Rate, format: (value: number) => string): string =>
  perSec === null ? "" : format(perSec);
