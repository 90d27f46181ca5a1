/** The tables of `top`. Titles of columns are the names of metrics, so that one can be ranked by what one sees. */
import type { Count, Field, StatsDocument } from "../../stats.js";
import type { CommandStreams } from "../command.js";
import { formatBytes, formatCount, formatRate } from "../format.js";
import { type Column, tableLines } from "../tables/index.js";
import type { EpochMetric } from "./epochs.js";
import { classMetric } from "./metrics.js";
import {
  type ClassRow,
  fieldOf,
  type Order,
  perSecOf,
  type RankedEpoch,
  rankClasses,
  rankEpochs,
  type Span,
} from "./ranking.js";

type Colors = CommandStreams["colors"];

export interface TopTableOptions {
  readonly width: number;
  readonly colors: Colors;
}

/** The C program's message said what to do about it; so does this. */
export const NO_EPOCHS =
  "this document has no epochs[]: it is of a version that did not list them; --classes ranks size classes";

/** Heading and table; a sentence where there is nothing to rank. */
export function topLines(
  document: StatsDocument,
  order: Order,
  span: Span | undefined,
  options: TopTableOptions,
): string[] {
  if (order.kind === "epochs") {
    if (document.epochs.length === 0) return [NO_EPOCHS];
    const heading = options.colors.bold(`top epochs by ${order.by}${direction(order)}`);
    return [heading, ...epochTable(rankEpochs(document, order), order.by, options)];
  }
  const over = span === undefined ? "" : `, rates over ${span.seconds.toFixed(1)}s`;
  const heading = options.colors.bold(`top classes by ${order.by.name}${direction(order)}${over}`);
  return [heading, ...classTable(rankClasses(document, order, span), order.by.name, span, options)];
}

const direction = ({ ascending }: Order): string => (ascending ? ", smallest first" : "");

/** Columns, their order and the form of ages and sizes are those of the C program. */
function epochTable(
  rows: readonly RankedEpoch[],
  by: EpochMetric,
  { width, colors }: TopTableOptions,
): string[] {
  const own = (metric: EpochMetric) => ({
    style: (text: string) => (metric === by ? colors.bold(text) : text),
  });
  const columns: Column<RankedEpoch>[] = [
    { title: "epoch", align: "left", cell: ({ row }) => String(row.epoch_id) },
    { title: "era", align: "left", cell: ({ row }) => String(row.epoch_era) },
    {
      title: "state",
      align: "left",
      cell: ({ row }) => row.state,
      style: (text, { row }) => (row.state === "ACTIVE" ? colors.green(text) : text),
      rank: 1,
    },
    { title: "age", align: "left", cell: ({ row }) => `${Math.floor(row.age_sec)}s`, ...own("age_sec") },
    { title: "refcount", align: "left", cell: ({ row }) => String(row.refcount), ...own("refcount") },
    { title: "rss", align: "left", cell: ({ row }) => megabytes(row.rss_bytes), ...own("rss_bytes") },
    ...(by === "reclaimable_bytes"
      ? [
          {
            title: "reclaimable",
            align: "left" as const,
            cell: ({ row }: RankedEpoch) => megabytes(row.reclaimable_bytes),
            ...own("reclaimable_bytes"),
          },
        ]
      : []),
    { title: "label", align: "left", cell: ({ row }) => row.label, shrinkTo: 8, rank: 2 },
  ];
  return tableLines(columns, rows, { width, headerStyle: colors.underline });
}

/** 4194304 -> "4.00MB", whatever the size: figures of one column compare at a glance. */
const megabytes = (bytes: Count): string => `${(Number(bytes) / (1024 * 1024)).toFixed(2)}MB`;

/** Beside what it is ranked by. */
const CLASS_COLUMNS = [
  "slow_path_hits",
  "new_slab_count",
  "net_slabs",
  "live_bytes",
  "madvise_bytes",
] as const;
const RATE_COLUMNS = ["bitmap_alloc_attempts_rate", "slow_path_rate", "new_slab_rate"] as const;

function classTable(
  rows: readonly ClassRow[],
  by: string,
  span: Span | undefined,
  { width, colors }: TopTableOptions,
): string[] {
  const others = [...(span === undefined ? [] : RATE_COLUMNS), ...CLASS_COLUMNS].filter(
    (name) => name !== by,
  );
  const columns: Column<ClassRow>[] = [
    { title: "class", cell: ({ row }) => String(row.class_index) },
    { title: "object_size", cell: ({ row }) => String(row.object_size), rank: 1 },
    metricColumn(by, span, { style: colors.bold }),
    ...others.map((name, i) => metricColumn(name, span, { rank: i + 2 })),
  ];
  return tableLines(columns, rows, { width, headerStyle: colors.underline });
}

function metricColumn(
  name: string,
  span: Span | undefined,
  more: Partial<Pick<Column<ClassRow>, "rank" | "style">>,
): Column<ClassRow> {
  const { field, perSec } = classMetric(name);
  return {
    title: name,
    cell: ({ row }) =>
      perSec
        ? rateText(perSecOf(span, row.class_index, field.name), field)
        : amountText(fieldOf(row, field.name), field),
    ...more,
  };
}

function amountText(value: Count, { unit, type }: Field): string {
  if (unit === "bytes") return formatBytes(Number(value));
  if (unit === "percent") return `${Number(value).toFixed(1)}%`;
  if (unit === "ns") return `${(Number(value) / 1e6).toFixed(1)} ms`;
  return type === "float" ? Number(value).toFixed(4) : formatCount(value);
}

function rateText(perSec: number | null, { unit }: Field): string {
  if (perSec === null) return "-";
  if (unit === "bytes") return `${formatBytes(Math.round(perSec))}/s`;
  if (unit === "ns") return `${(perSec / 1e6).toFixed(1)} ms/s`;
  return `${perSec > 0 && perSec < 10 ? perSec.toFixed(1) : formatRate(perSec)}/s`;
}
