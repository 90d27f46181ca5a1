/**
 * What the metrics of a document must be, worked out the other way round: from the name of a metric and the key it says it
 * comes from, by looking the key up in the document. Exact: values are compared as decimal texts.
 */
import type { StatsDocument } from "../../src/stats/index.js";
import type { MetricFamily } from "../../src/telemetry/index.js";

type Row = Readonly<Record<string, unknown>>;

/** Series as `{a="b"} text`, without the name. */
export type ExpectedSeries = ReadonlyMap<string, string>;

const KEY = /^(?:(classes|epochs|workers)\[\]\.|(heap|large|last_epoch_close_context)\.)?([a-z_]+)$/;

/** Epochs that are shown, by ring slot; the first row of a slot. */
export function shownEpochs(document: StatsDocument): StatsDocument["epochs"] {
  const held = document.epochs.filter((epoch) => {
    const slabs = epoch.total_partial_slabs + epoch.total_full_slabs + epoch.older_slabs;
    return slabs > 0 || epoch.refcount > 0 || epoch.epoch_id === document.current_epoch;
  });
  return held.filter((epoch, i) => held.findIndex((other) => other.epoch_id === epoch.epoch_id) === i);
}

/** The series of a family that shows one key of the document row by row; undefined for others. */
export function expectedSeries(
  family: MetricFamily,
  document: StatsDocument,
  labelOf: (text: string) => string,
): ExpectedSeries | undefined {
  const [, list, object, key = ""] = KEY.exec(family.from) ?? [];
  if (key === "" || key === "epoch_era" || key === "state" || key.startsWith("benchmark")) return undefined;
  if (family.labels.includes("size_class")) return undefined;
  const source = document as unknown as Row;
  const expected = new Map<string, string>();
  const put = (row: Row, labels: object): void => {
    const text = textOf(row[key], family);
    if (text !== undefined) expected.set(JSON.stringify(labels), text);
  };
  if (list === "classes") {
    for (const row of firstOf(document.classes, "class_index")) {
      put(row as unknown as Row, { class: `${row.class_index}`, object_size: `${row.object_size}` });
    }
  } else if (list === "workers") {
    for (const row of firstOf(document.workers ?? [], "seat"))
      put(row as unknown as Row, { seat: `${row.seat}` });
  } else if (list === "epochs") {
    for (const row of shownEpochs(document)) {
      put(row as unknown as Row, { epoch: `${row.epoch_id}`, state: row.state, label: labelOf(row.label) });
    }
  } else {
    const row = object === undefined ? source : (source[object] as Row | null | undefined);
    if (row !== null && row !== undefined) put(row, {});
  }
  return expected;
}

export function firstOf<Item>(rows: readonly Item[], key: keyof Item): readonly Item[] {
  return rows.filter((row, i) => rows.findIndex((other) => other[key] === row[key]) === i);
}

/** Metrics that say nothing at 0. */
const NOT_KNOWN_AT_0 = [
  "epoch_madvise_bytes",
  "epoch_close_madvise_bytes",
  "epoch_rss_before_close",
  "epoch_rss_after_close",
  "epoch_close_rss_before_bytes",
  "epoch_close_rss_after_bytes",
  "epoch_closed_timestamp_seconds",
  "epoch_oldest_era",
];

function textOf(value: unknown, { name, type, from }: MetricFamily): string | undefined {
  if (value === null || value === undefined) return undefined;
  if (typeof value === "boolean") return value ? "1" : "0";
  if (NOT_KNOWN_AT_0.some((zero) => name.endsWith(zero)) && Number(value) === 0) return undefined;
  if (typeof value === "number" && type === "counter" && !(value >= 0)) return undefined;
  if (from.endsWith("_ns")) return nanoseconds(BigInt(value as number | bigint));
  const number = value as number | bigint;
  if (from.endsWith("_pct")) return String((number as number) / 100);
  return String(number);
}

/** As a decimal fraction with all digits. */
export function nanoseconds(ns: bigint): string {
  const digits = ns.toString().padStart(10, "0");
  return `${digits.slice(0, -9)}.${digits.slice(-9)}`.replace(/\.?0+$/, "") || "0";
}

/** The same number: as text where it is whole or has more digits than a number keeps. */
export function sameNumber(a: string, b: string): boolean {
  return a === b || Number(a) === Number(b);
}
