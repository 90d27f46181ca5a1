/** The rows that `top` shows, in order. */
import {
  type ClassStats,
  type Count,
  type SnapshotDelta,
  type StatsDocument,
  snapshotDelta,
} from "../../stats.js";
import { byEpochId, type EpochMetric, type EpochRow, epochRows } from "./epochs.js";
import { type ClassMetric, ranked } from "./metrics.js";

/** What to rank, and how. */
export type Order =
  | { readonly kind: "classes"; readonly by: ClassMetric; readonly n: number; readonly ascending: boolean }
  | { readonly kind: "epochs"; readonly by: EpochMetric; readonly n: number; readonly ascending: boolean };

/** Two documents of one heap, some time apart. */
export interface Span {
  readonly seconds: number;
  readonly delta: SnapshotDelta;
}

/** Undefined when no time lies between them, or they are not of one heap. Throws what `snapshotDelta` throws. */
export function spanOf(before: StatsDocument, after: StatsDocument): Span | undefined {
  const delta = snapshotDelta(before, after);
  return delta.restarted || !(delta.seconds > 0) ? undefined : { seconds: delta.seconds, delta };
}

export interface ClassRow {
  readonly row: ClassStats;
  /** What it is ranked by; null for a rate without a span. */
  readonly value: Count | null;
}

export interface RankedEpoch {
  readonly row: EpochRow;
  readonly value: Count;
}

export function rankClasses(
  document: StatsDocument,
  { by, n, ascending }: Extract<Order, { kind: "classes" }>,
  span: Span | undefined,
): ClassRow[] {
  const rows = document.classes.map((row) => ({
    row,
    value: by.perSec ? perSecOf(span, row.class_index, by.field.name) : fieldOf(row, by.field.name),
  }));
  return ranked(
    rows,
    ({ value }) => value,
    (a, b) => a.row.class_index - b.row.class_index,
    ascending,
  ).slice(0, n);
}

export function rankEpochs(
  document: StatsDocument,
  { by, n, ascending }: Extract<Order, { kind: "epochs" }>,
): RankedEpoch[] {
  const rows = epochRows(document).map((row) => ({ row, value: row[by] }));
  return ranked(
    rows,
    ({ value }) => value,
    (a, b) => byEpochId(a.row, b.row),
    ascending,
  ).slice(0, n);
}

export const fieldOf = (row: ClassStats, name: string): Count =>
  (row as unknown as Readonly<Record<string, Count>>)[name] ?? 0;

/** Per second over the span; null without one. */
export function perSecOf(span: Span | undefined, classIndex: number, name: string): number | null {
  const found = span?.delta.classes.find((row) => row.class_index === classIndex);
  const rate = (found as unknown as Readonly<Record<string, { perSec: number | null }>> | undefined)?.[name];
  return rate?.perSec ?? null;
}
