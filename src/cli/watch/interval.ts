/** One interval: two documents compared, and what there is to say about it. */
import {
  type Count,
  InvalidValueError,
  type SnapshotDelta,
  type StatsDocument,
  snapshotDelta,
} from "../../stats.js";
import { FIGURES, type Figure } from "./figures.js";

/** A figure in one interval. */
export interface Reading {
  readonly figure: Figure;
  /** Counters: since the heap was created. Null: not known. */
  readonly now: Count | null;
  /** Counters: in the interval. Gauges: more or less than before. Null: nothing to compare with. */
  readonly change: Count | null;
  /** Of counters; null like `change`, and when no time has passed. */
  readonly perSec: number | null;
}

export interface Interval {
  readonly document: StatsDocument;
  /** Between the documents; null for the first one and after a restart. */
  readonly seconds: number | null;
  /** Why this document cannot be of the same heap as the one before; undefined when it is. */
  readonly restarted: string | undefined;
  readonly readings: readonly Reading[];
}

/** `before` undefined: the first look. After a restart nothing is compared: the new heap is the new baseline. */
export function intervalOf(before: StatsDocument | undefined, document: StatsDocument): Interval {
  const compared = before === undefined ? undefined : snapshotDelta(before, document);
  const delta = compared?.restarted === false ? compared : undefined;
  return {
    document,
    seconds: delta?.seconds ?? null,
    restarted: compared?.restarted === true ? (compared.reason ?? "another heap") : undefined,
    readings: FIGURES.flatMap((figure) =>
      readingOf(figure, delta === undefined ? undefined : before, document, delta),
    ),
  };
}

/** Whether `snapshotDelta` refused the documents: of one heap, and in the wrong order. */
export function isStale(error: unknown): error is InvalidValueError {
  return error instanceof InvalidValueError;
}

function readingOf(
  figure: Figure,
  before: StatsDocument | undefined,
  document: StatsDocument,
  delta: SnapshotDelta | undefined,
): Reading | readonly [] {
  if (figure.kind === "counter") {
    const now = figure.total(document);
    if (now === undefined) return [];
    const rate = delta === undefined ? undefined : figure.rate(delta);
    return { figure, now, change: rate?.delta ?? null, perSec: rate?.perSec ?? null };
  }
  const now = figure.value(document, delta);
  const old = before === undefined || figure.unit === "percent" ? null : figure.value(before, undefined);
  return { figure, now, change: now === null || old === null ? null : subtract(now, old), perSec: null };
}

function subtract(a: Count, b: Count): Count {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return BigInt(a) - BigInt(b);
}
