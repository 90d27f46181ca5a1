/** A stats document on one page. Labels and names in it come from other programs and are made printable on the way. */
import type { StatsDocument } from "../../stats.js";
import { ageText, formatBytes, formatCount, formatShare, plural, printable, utcTime } from "../format.js";
import type { Page } from "../tables/index.js";
import { allocations, countsFrees } from "./allocations.js";
import { classTable, epochTable, latencyTable, workerTable } from "./tables.js";

/** The page, with a line end. Figures the document does not have are left out rather than shown as 0. */
export function renderSummary(document: StatsDocument, description: string, page: Page): string {
  return [
    page.colors.bold(headline(document, description)),
    "",
    ...factLines(document, page),
    ...classTable(document, page),
    ...epochTable(document, page),
    ...workerTable(document, page),
    ...latencyTable(document, page),
    "",
  ].join("\n");
}

function headline(document: StatsDocument, description: string): string {
  const { heap, pid } = document;
  const who = heap === undefined ? "Heap of the C allocator" : `Heap ${printable(heap.id)}`;
  const process = pid > 0 ? `, process ${pid}` : "";
  return `${who}${process}, from ${description}${takenAt(document)}`;
}

function takenAt({ timestamp_ns: ns }: StatsDocument): string {
  const taken = utcTime(ns);
  return taken === undefined ? "" : `, ${taken.join(" ")} UTC`;
}

type Fact = readonly [name: string, text: string];

function factLines(document: StatsDocument, { colors }: Page): string[] {
  const facts = [
    memory(document),
    traffic(document),
    slowPath(document),
    failures(document),
    epochs(document),
    release(document),
    ...benchmark(document),
  ].filter((fact) => fact !== undefined);
  const width = Math.max(...facts.map(([name]) => name.length)) + 2;
  return facts.map(([name, text]) => colors.dim(name.padEnd(width)) + text);
}

function memory(document: StatsDocument): Fact {
  const { heap, rss_bytes_current: rss, estimated_slab_rss_bytes: slabs, net_slabs } = document;
  const resident = Number(rss) > 0 ? `process RSS ${bytes(rss)}` : "process RSS not known";
  if (heap === undefined) {
    return ["Memory", `${plural(net_slabs, "slab")} of size classes, ${bytes(slabs)}; ${resident}`];
  }
  const share = formatShare(Number(heap.committed_bytes) / Math.max(1, Number(heap.capacity_bytes)));
  return [
    "Memory",
    `${bytes(heap.committed_bytes)} committed of ${bytes(heap.capacity_bytes)} (${share}), ` +
      `${bytes(heap.live_bytes)} live in ${plural(heap.live_objects, "object")}; ` +
      `${formatCount(heap.free_slabs)} of ${formatCount(heap.slab_count)} slabs of ${bytes(heap.slab_bytes)} free; ${resident}`,
  ];
}

function traffic(document: StatsDocument): Fact {
  const { heap, classes, total_bitmap_alloc_attempts: allocs, total_bitmap_free_attempts: frees } = document;
  if (heap === undefined) {
    const freed = countsFrees(document) ? `, ${formatCount(frees)} freed` : "";
    return ["Traffic", `${formatCount(allocs)} allocated${freed}`];
  }
  const remote = classes.reduce((sum, row) => sum + Number(row.remote_free_count), 0);
  const share = formatShare(remote / Math.max(1, Number(heap.free_count)));
  return [
    "Traffic",
    `${formatCount(heap.alloc_count)} allocated, ${formatCount(heap.free_count)} freed (${share} by another thread), ` +
      `${formatCount(heap.discarded_count)} discarded with their epoch`,
  ];
}

function slowPath(document: StatsDocument): Fact {
  const hits = Number(document.total_slow_path_hits);
  const allocs = allocations(document);
  const share = allocs > 0 ? `, ${formatShare(hits / allocs)} of all allocations` : "";
  const fresh = formatCount(document.total_slow_cache_miss);
  return [
    "Slow path",
    `${formatCount(document.total_slow_path_hits)} times${share}; ${fresh} took a slab never used before`,
  ];
}

function failures({ heap, total_slow_epoch_closed: closed }: StatsDocument): Fact {
  const reasons = [
    [heap?.alloc_failures_out_of_memory ?? 0, "out of memory"],
    [heap?.alloc_failures_epoch_closed ?? closed, "in a closed epoch"],
    [heap?.invalid_frees_null ?? 0, "frees of the null handle"],
    [heap?.invalid_frees_stale ?? 0, "frees of a stale handle"],
  ] as const;
  const found = reasons.filter(([number]) => Number(number) > 0);
  const text = found.map(([number, what]) => `${formatCount(number)} ${what}`).join(", ");
  return ["Refused", text === "" ? "nothing" : text];
}

function epochs(document: StatsDocument): Fact {
  const { current_epoch: current, epochs: rows, active_epoch_count, closing_epoch_count } = document;
  const row = rows.find((epoch) => epoch.epoch_id === current);
  const era = row === undefined ? "" : ` (era ${formatCount(row.epoch_era)}, ${ageText(row.age_sec)} old)`;
  const open = `${active_epoch_count} open, ${closing_epoch_count} closed`;
  return ["Epochs", `current ${current}${era}; of ${document.epoch_count} ring slots ${open}`];
}

function release(document: StatsDocument): Fact {
  const { total_madvise_calls: calls, total_madvise_failures: failed } = document;
  const recycled = `${formatCount(document.total_slabs_recycled)} slabs recycled`;
  if (Number(calls) === 0) return ["Release", `${recycled}, no pages given back to the kernel`];
  const failures = Number(failed) > 0 ? `, ${formatCount(failed)} FAILED` : "";
  const given = `${bytes(document.total_madvise_bytes)} given back to the kernel`;
  return ["Release", `${recycled}, ${given} in ${plural(calls, "call")}${failures}`];
}

function benchmark(document: StatsDocument): Fact[] {
  const entries = Object.entries(document.benchmark ?? {});
  if (entries.length === 0) return [];
  const words = (key: string): string => printable(key.replace(/^benchmark_/, "").replaceAll("_", " "));
  return [["Benchmark", entries.map(([key, value]) => `${words(key)} ${formatCount(value)}`).join(", ")]];
}

const bytes = (value: number | bigint): string => formatBytes(Number(value));
