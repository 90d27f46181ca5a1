/** Pages that went back, for people: the figures of a run, and a table over time. */
import { formatBytes, formatCount, formatDuration, formatSeconds, plural } from "../format.js";
import { type Column, renderTable } from "../tables/index.js";
import { MEASURABLE_BYTES, mergeIntervals, type PageInterval } from "./page-watch.js";
import type { Parameters, WorkloadReport } from "./report.js";

/** Lines of the table at most. */
const MAX_ROWS = 12;
const ENOUGH = formatBytes(MEASURABLE_BYTES);
/** Requests of 24 MiB; one thread, because what others allocate and give back meanwhile is in the RSS too. */
export const LARGE_REQUESTS = "--threads 1 --objs-min 100000 --req-rate 10";
const NOT_KNOWN = `not known: no close was seen to give back ${ENOUGH}, which RSS would show; try ${LARGE_REQUESTS}`;

/** Rows of the summary: name and text. */
export function pageRows({ parameters, memory, page_release: pages }: WorkloadReport): [string, string][] {
  const rss: [string, string] = [
    "process RSS",
    `${formatBytes(memory.rss_bytes_at_begin)} when work began, ${formatBytes(memory.peak_rss_bytes)} at most, ` +
      `${formatBytes(memory.rss_bytes_at_end)} when all was freed`,
  ];
  if (pages.backend === "none") {
    const why = `none. ${pages.reason} Memory once used stays resident until the process ends.`;
    return [["page release", why], rss];
  }
  const rows: [string, string][] = [
    ["page release", `${pages.backend}, ${describePolicy(parameters)}. ${pages.reason}`],
    [
      "given back",
      `${formatBytes(pages.madvise_bytes)} in ${plural(pages.madvise_calls, "madvise call")}, ` +
        `${formatCount(pages.madvise_failures)} failed; ${formatBytes(pages.warm_bytes_at_end)} of free slabs still resident`,
    ],
    rss,
  ];
  const last = pages.last_close;
  if (last !== null) {
    const isTooLittle = last.madvise_bytes > 0 && last.madvise_bytes < MEASURABLE_BYTES;
    rows.push([
      "last close",
      `gave back ${formatBytes(last.madvise_bytes)}; RSS ${formatBytes(last.rss_before_bytes)} before, ` +
        `${formatBytes(last.rss_after_bytes)} after${isTooLittle ? " (too coarse to show so little)" : ""}`,
    ]);
  }
  const { cooperation } = pages;
  if (cooperation.pct !== null) rows.push(["cooperation", describeCooperation(cooperation)]);
  else if (parameters.pattern === "kernel" && parameters.release_on_close)
    rows.push(["cooperation", NOT_KNOWN]);
  return rows;
}

function describePolicy({
  release_on_close: onClose,
  reserve_bytes: reserve,
  decay_ms: decay,
}: Parameters): string {
  const kept = reserve === null ? "the heap's usual reserve" : formatBytes(reserve);
  const closes = onClose ? `closes keep ${kept}` : "not on close";
  return decay === 0 ? closes : `${closes}, decay in ${formatDuration(decay)}`;
}

function describeCooperation({
  closes,
  madvise_bytes: bytes,
  rss_drop_bytes: drop,
  pct,
}: WorkloadReport["page_release"]["cooperation"]): string {
  return (
    `${Number(pct).toFixed(0)}%: RSS fell by ${formatBytes(drop)} in ${plural(closes, "close")} of ${ENOUGH} and more, ` +
    `which gave back ${formatBytes(bytes)}`
  );
}

const TIME_COLUMNS: readonly Column<PageInterval>[] = [
  { title: "until", cell: (row) => formatSeconds(row.at_sec) },
  { title: "closes", cell: (row) => formatCount(row.closes) },
  { title: "given back", cell: (row) => formatBytes(row.madvise_bytes) },
  { title: "RSS high", cell: (row) => formatBytes(row.rss_high_bytes) },
  { title: "RSS low", cell: (row) => formatBytes(row.rss_low_bytes) },
];

const whereMeasured = (text: (row: PageInterval) => string) => (row: PageInterval) =>
  row.measured_closes === 0 ? "-" : text(row);

const MEASURED_COLUMNS: readonly Column<PageInterval>[] = [
  { title: "measured", cell: whereMeasured((row) => formatCount(row.measured_closes)) },
  { title: "gave back", cell: whereMeasured((row) => formatBytes(row.measured_madvise_bytes)) },
  { title: "RSS fell by", cell: whereMeasured((row) => formatSigned(row.measured_rss_drop_bytes)) },
];

/** What went back and the resident set, side by side over time. For the pattern that is about it. */
export function pageTable({ parameters, page_release: pages }: WorkloadReport): string[] {
  if (parameters.pattern !== "kernel" || pages.backend === "none") return [];
  const rows = mergeIntervals(pages.intervals, Math.ceil(pages.intervals.length / MAX_ROWS));
  const anyMeasured = pages.cooperation.closes > 0;
  const title = "Pages over time";
  return [
    "",
    anyMeasured ? `${title}; measured: closes of ${ENOUGH} and more that were looked at` : title,
    renderTable(anyMeasured ? [...TIME_COLUMNS, ...MEASURED_COLUMNS] : TIME_COLUMNS, rows),
  ];
}

function formatSigned(bytes: number): string {
  return bytes < 0 ? `-${formatBytes(-bytes)}` : formatBytes(bytes);
}
