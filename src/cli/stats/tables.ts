/** The tables of the summary: size classes, epochs that hold something, threads, latencies. */
import { type LatencyStats, percentileNs, type StatsDocument } from "../../stats.js";
import { ageText, formatBytes, formatCount, formatNs, formatShare } from "../format.js";
import { type Column, type Page, tableSection } from "../tables/index.js";

/** A page is read from top to bottom; whoever wants all rows asks for --json. */
const MOST_ROWS = 64;

const bytes = (value: number | bigint): string => formatBytes(Number(value));

/** Classes nothing was ever allocated in are left out. */
export function classTable(document: StatsDocument, page: Page): string[] {
  const { large } = document;
  const rows = document.classes.filter((row) => Number(row.slow_path_hits) > 0 || Number(row.net_slabs) > 0);
  const isOurs = document.heap !== undefined;
  type Row = (typeof rows)[number];
  const columns: readonly Column<Row>[] = [
    { title: "class", cell: (row) => String(row.class_index) },
    { title: "object", cell: (row) => bytes(row.object_size) },
    { title: "slabs", cell: (row) => formatCount(row.net_slabs) },
    { title: "partial", cell: (row) => formatCount(row.total_partial_slabs), rank: 3 },
    { title: "full", cell: (row) => formatCount(row.total_full_slabs), rank: 3 },
    ...(isOurs
      ? [
          { title: "live", cell: (row: Row) => formatCount(row.live_objects) },
          { title: "live bytes", cell: (row: Row) => bytes(row.live_bytes), rank: 2 },
        ]
      : []),
    { title: "allocated", cell: (row) => formatCount(row.bitmap_alloc_attempts), rank: 1 },
    { title: "slow path", cell: (row) => formatCount(row.slow_path_hits) },
    { title: "new slabs", cell: (row) => formatCount(row.new_slab_count), rank: 2 },
    { title: "recycled", cell: (row) => formatCount(row.empty_slab_recycled), rank: 2 },
    { title: "cached", cell: (row) => formatCount(row.cache_size), rank: 4 },
  ];
  const lines = tableSection("Size classes", columns, rows, page, MOST_ROWS);
  if (large === undefined || Number(large.alloc_count) === 0) return lines;
  const objects = `${formatCount(large.live_objects)} live in ${formatCount(large.slabs)} slabs (${bytes(large.live_bytes)})`;
  const refused = Number(large.failures) > 0 ? `, ${formatCount(large.failures)} REFUSED` : "";
  return [...lines, "", `Large objects: ${objects}, ${formatCount(large.alloc_count)} allocated${refused}`];
}

/** Ring slots with slabs or references, and the current one. */
export function epochTable(document: StatsDocument, page: Page): string[] {
  const rows = document.epochs.filter(
    (row) =>
      row.epoch_id === document.current_epoch ||
      row.refcount > 0 ||
      Number(row.estimated_rss_bytes) > 0 ||
      row.older_slabs > 0,
  );
  type Row = (typeof rows)[number];
  const columns: readonly Column<Row>[] = [
    { title: "epoch", cell: (row) => String(row.epoch_id) },
    { title: "era", cell: (row) => formatCount(row.epoch_era), rank: 2 },
    {
      title: "state",
      align: "left",
      cell: (row) => (row.discarded ? "DISCARDED" : row.state),
      style: (text, row) => (row.state === "ACTIVE" ? page.colors.green(text) : text),
    },
    { title: "age", cell: (row) => (row.opened ? ageText(row.age_sec) : "") },
    { title: "refs", cell: (row) => formatCount(row.refcount) },
    { title: "slabs", cell: (row) => formatCount(row.total_partial_slabs + row.total_full_slabs) },
    { title: "bytes", cell: (row) => bytes(row.estimated_rss_bytes), rank: 1 },
    { title: "live", cell: (row) => formatCount(row.live_objects) },
    { title: "older slabs", cell: (row) => formatCount(row.older_slabs), rank: 3 },
    { title: "oldest", cell: (row) => (row.oldest_age_sec > 0 ? ageText(row.oldest_age_sec) : ""), rank: 3 },
    { title: "label", align: "left", cell: (row) => row.label, shrinkTo: 8 },
  ];
  return tableSection("Epochs that hold something, and the current one", columns, rows, page, MOST_ROWS);
}

export function workerTable(document: StatsDocument, page: Page): string[] {
  const rows = (document.workers ?? []).filter((row) => row.state !== "FREE" || row.owned_slabs > 0);
  type Row = (typeof rows)[number];
  const columns: readonly Column<Row>[] = [
    { title: "seat", cell: (row) => String(row.seat) },
    {
      title: "state",
      align: "left",
      cell: (row) => row.state,
      style: (text, row) => (row.state === "LIVE" ? text : page.colors.red(text)),
    },
    { title: "thread", cell: (row) => (row.thread_id < 0 ? "" : String(row.thread_id)), rank: 1 },
    { title: "allocated", cell: (row) => formatCount(row.alloc_count) },
    { title: "freed", cell: (row) => formatCount(row.free_count) },
    { title: "for others", cell: (row) => formatCount(row.remote_free_count), rank: 2 },
    { title: "slow path", cell: (row) => share(row.slow_path_hits, row.alloc_count), rank: 2 },
    { title: "slabs", cell: (row) => formatCount(row.owned_slabs) },
    { title: "behind", cell: (row) => formatCount(row.phase_lag), rank: 3 },
  ];
  return tableSection("Threads", columns, rows, page, MOST_ROWS);
}

export function latencyTable({ latency }: StatsDocument, page: Page): string[] {
  const rows = Object.entries<LatencyStats>(latency ?? {}).filter(([, row]) => Number(row.count) > 0);
  type Row = (typeof rows)[number];
  const at = (percent: number): Column<Row> => ({
    title: percent === 50 ? "median" : `p${percent}`,
    cell: ([, row]) => formatNs(percentileNs(row, percent) ?? 0),
    ...(percent === 95 && { rank: 1 }),
  });
  const columns: readonly Column<Row>[] = [
    { title: "operation", align: "left", cell: ([name]) => name.replaceAll("_", " ") },
    { title: "recorded", cell: ([, row]) => formatCount(row.count) },
    at(50),
    at(95),
    at(99),
    at(99.9),
  ];
  return tableSection("Latency", columns, rows, page, MOST_ROWS);
}

const share = (part: number | bigint, whole: number | bigint): string =>
  Number(whole) > 0 ? formatShare(Number(part) / Number(whole)) : "";
