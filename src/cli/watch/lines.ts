/** What `watch` prints where nothing can be redrawn: a line per interval, for pipes and logs, or JSON for programs. */
import { utcTime } from "../format.js";
import { jsonLine } from "../json.js";
import { type Column, tableLines } from "../tables/index.js";
import type { Interval, Reading } from "./interval.js";
import { amountText, perSecText, UNKNOWN } from "./text.js";

/** Titles are printed again after so many lines. */
const TITLES_EVERY = 20;
/** Wide enough that lines printed one by one stand below each other. */
const WIDTHS: Readonly<Record<string, number>> = { count: 9, bytes: 10, percent: 6 };

/** Lines of one table, printed as they come. */
export class LineTable {
  #printed = 0;

  /** The lines for one interval: titles now and then, the figures, restarts in words. */
  next(interval: Interval, width: number): string[] {
    const shown = interval.readings.filter(({ figure }) => figure.column !== undefined);
    const columns: Column<Interval>[] = [
      { title: "time", align: "left", cell: ({ document }) => timeText(document.timestamp_ns), minWidth: 8 },
      ...shown.map((reading) => columnOf(reading)),
    ];
    const header = this.#printed % TITLES_EVERY === 0;
    this.#printed++;
    const lines = tableLines(columns, [interval], { header, width });
    return interval.restarted === undefined
      ? lines
      : [`# restarted: ${interval.restarted}; counted anew from here`, ...lines];
  }
}

function columnOf(reading: Reading): Column<Interval> {
  const { figure } = reading;
  const title = figure.column ?? "";
  return {
    title,
    minWidth: Math.max(title.length, WIDTHS[figure.unit] ?? 0),
    rank: figure.rank,
    cell: () => (figure.kind === "counter" ? perSecText(reading) : amountText(reading.now, figure.unit)),
  };
}

/** The time of day in UTC, which is that of the logs around it as often as not. */
function timeText(timestampNs: bigint): string {
  const [, time = UNKNOWN] = utcTime(timestampNs) ?? [];
  return time;
}

/** One object per interval. Counters in `total` are since the heap was created; `delta` and `per_sec` are of the interval. */
export function intervalJson(interval: Interval): string {
  const { document, readings, seconds, restarted } = interval;
  const counters = readings.filter(({ figure }) => figure.kind === "counter");
  const gauges = readings.filter(({ figure }) => figure.kind === "gauge");
  const pick = (from: readonly Reading[], value: (reading: Reading) => unknown) =>
    Object.fromEntries(from.map((reading) => [reading.figure.key, value(reading)]));
  return jsonLine({
    version: 1,
    timestamp_ms: Number(document.timestamp_ns / 1_000_000n),
    heap_id: document.heap?.id ?? null,
    pid: document.pid,
    seconds,
    restarted: restarted !== undefined,
    reason: restarted,
    per_sec: pick(counters, ({ perSec }) => perSec),
    delta: pick(counters, ({ change }) => change),
    total: pick(counters, ({ now }) => now),
    gauges: pick(gauges, ({ now }) => now),
    change: pick(
      gauges.filter(({ figure }) => figure.unit !== "percent"),
      ({ change }) => change,
    ),
  });
}

/** For an interval of which nothing is known. */
export function errorJson(error: string, nowMs: number): string {
  return jsonLine({ version: 1, timestamp_ms: nowMs, error });
}
