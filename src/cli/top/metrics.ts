/** What rows can be ranked by: every amount of a size class, counters also per second; four amounts of an epoch. */
import { type Count, type Field, STATS_SECTIONS } from "../../stats.js";
import { UsageError } from "../args.js";
import { printable } from "../format.js";
import { suggestion } from "../words.js";
import { EPOCH_METRICS, type EpochMetric } from "./epochs.js";

export type Kind = "classes" | "epochs";

export interface ClassMetric {
  /** As given with --by. */
  readonly name: string;
  /** Key in `classes[]`. */
  readonly field: Field;
  /** How fast the field counts rather than how far it has counted. */
  readonly perSec: boolean;
}

/** The first is the default. */
const CHIEF_CLASS_METRICS = ["slow_path_hits", "new_slab_count", "madvise_bytes", "net_slabs"] as const;

const CLASS_FIELDS: readonly Field[] = (
  STATS_SECTIONS.find(({ key }) => key === "classes") as (typeof STATS_SECTIONS)[number]
).fields.filter(({ kind }) => kind !== "info");

const isCounter = ({ kind }: Field): boolean => kind === "counter";

/**
 * Every name there is. A counter's rate is its name with `_rate`; what only says that it counts may be left out, so that
 * slow_path_rate is that of slow_path_hits. A field that is called so itself goes first.
 */
const CLASS_METRICS: ReadonlyMap<string, ClassMetric> = new Map<string, ClassMetric>([
  ...CLASS_FIELDS.filter(isCounter).flatMap((field) =>
    [field.name, field.name.replace(/_(hits|count|calls)$/, "")].map(
      (stem) => [`${stem}_rate`, { name: `${stem}_rate`, field, perSec: true }] as const,
    ),
  ),
  ...CLASS_FIELDS.map((field) => [field.name, { name: field.name, field, perSec: false }] as const),
]);

/** In the order in which the keys of the interactive display go through them. */
export const CLASS_CHOICES: readonly string[] = [
  ...CHIEF_CLASS_METRICS,
  "live_bytes",
  "bitmap_alloc_attempts",
  "bitmap_free_attempts",
  "remote_free_count",
  "bitmap_alloc_cas_retries",
];
export const RATE_CHOICES: readonly string[] = [
  "slow_path_rate",
  "new_slab_rate",
  "madvise_bytes_rate",
  "bitmap_alloc_attempts_rate",
  "bitmap_free_attempts_rate",
];

export const DEFAULT_METRIC: Readonly<Record<Kind, string>> = {
  classes: CHIEF_CLASS_METRICS[0],
  epochs: EPOCH_METRICS[0],
};

/** The metric of that name. Throws `UsageError`, which says what else there is. */
export function classMetric(given: string): ClassMetric {
  const metric = CLASS_METRICS.get(normal(given));
  if (metric !== undefined) return metric;
  if (isEpochMetric(normal(given))) {
    throw new UsageError(`--by: ${printable(given)} is a metric of epochs; add --epochs`);
  }
  const known = `${CHIEF_CLASS_METRICS.join(", ")}, or any other counter of classes[], also with _rate`;
  throw unknown(given, "classes", [...CLASS_METRICS.keys()], known);
}

export function epochMetric(given: string): EpochMetric {
  const name = normal(given);
  if (isEpochMetric(name)) return name;
  if (CLASS_METRICS.has(name)) {
    throw new UsageError(
      `--by: ${printable(given)} is a metric of classes; use --classes instead of --epochs`,
    );
  }
  throw unknown(given, "epochs", EPOCH_METRICS, EPOCH_METRICS.join(", "));
}

const isEpochMetric = (name: string): name is EpochMetric =>
  (EPOCH_METRICS as readonly string[]).includes(name);

const normal = (name: string): string => name.trim().toLowerCase().replaceAll("-", "_");

function unknown(given: string, kind: Kind, names: readonly string[], known: string): UsageError {
  const hint = suggestion(normal(given), names, `; known: ${known}`);
  return new UsageError(`--by: "${printable(given)}" is no metric of ${kind}${hint}`);
}

/** Rows in order: the largest value first, or the smallest if `ascending`; of equal ones the lowest id; unknown ones last. */
export function ranked<Row>(
  rows: readonly Row[],
  value: (row: Row) => Count | null,
  compareIds: (a: Row, b: Row) => number,
  ascending: boolean,
): Row[] {
  return [...rows].sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    if (x === null || y === null) return Number(x === null) - Number(y === null) || compareIds(a, b);
    // Numbers and bigints compare exactly; their difference need not be exact.
    if (x === y || (!(x < y) && !(x > y))) return compareIds(a, b);
    return x < y === ascending ? -1 : 1;
  });
}
