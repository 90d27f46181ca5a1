/** What `watch` shows: each figure declared once, for the screen, for lines and for JSON. */
import {
  type ClassStats,
  type Count,
  detectEpochLeaks,
  type Rate,
  type SnapshotDelta,
  type StatsDocument,
} from "../../stats.js";
import { countsFrees } from "../stats/allocations.js";
import { largestCount, sumCounts } from "./counts.js";

export type Unit = "count" | "bytes" | "percent";

interface FigureBase {
  /** Key in the JSON. */
  readonly key: string;
  readonly name: string;
  readonly unit: Unit;
  /** When the screen is too low, figures with higher numbers are left out first; 0: never. */
  readonly rank: number;
  /** One of the reasons for the figure above it. */
  readonly isCause?: boolean;
  /** Title of its column in the output line by line; without one it is not there. */
  readonly column?: string;
}

/** Counts on and on: interesting is how much in an interval. Undefined: documents of the C allocator do not have it. */
export interface CounterFigure extends FigureBase {
  readonly kind: "counter";
  readonly total: (document: StatsDocument) => Count | undefined;
  readonly rate: (delta: SnapshotDelta) => Rate | undefined;
}

/** Is what it is now. `delta` undefined: nothing to compare with yet. Null: not known. */
export interface GaugeFigure extends FigureBase {
  readonly kind: "gauge";
  readonly value: (document: StatsDocument, delta: SnapshotDelta | undefined) => Count | null;
}

export type Figure = CounterFigure | GaugeFigure;

type ClassCounter = {
  [Name in keyof ClassStats]: Name extends keyof SnapshotDelta["classes"][number]
    ? SnapshotDelta["classes"][number][Name] extends Rate
      ? Name
      : never
    : never;
}[keyof ClassStats] &
  keyof SnapshotDelta["classes"][number];

type Sources = Pick<CounterFigure, "total" | "rate">;

/** Several rates as one. */
export function sumRates(rates: readonly Rate[]): Rate {
  const seconds = rates.map(({ perSec }) => perSec);
  const known = seconds.every((perSec) => perSec !== null);
  return {
    delta: sumCounts(rates.map(({ delta }) => delta)),
    perSec: known ? seconds.reduce<number>((sum, perSec) => sum + (perSec ?? 0), 0) : null,
  };
}

const ofTop = (name: keyof SnapshotDelta["totals"]): Sources => ({
  total: (document) => document[name],
  rate: (delta) => delta.totals[name],
});

/** The sum over all size classes. */
const ofClasses = (name: ClassCounter): Sources => ({
  total: (document) => sumCounts(document.classes.map((row) => row[name] as Count)),
  rate: (delta) => sumRates(delta.classes.map((row) => row[name] as Rate)),
});

/** Of the heap, large objects included; `other` for documents without one. */
const ofHeap = (name: keyof NonNullable<SnapshotDelta["heap"]>, other?: Sources): Sources => ({
  total: (document) => document.heap?.[name] ?? other?.total(document),
  rate: (delta) => delta.heap?.[name] ?? other?.rate(delta),
});

/** Only for our documents: in those of the C allocator it would always be 0. */
const ours = ({ total, rate }: Sources): Sources => ({
  total: (document) => (document.heap === undefined ? undefined : total(document)),
  rate: (delta) => (delta.heap === undefined ? undefined : rate(delta)),
});

/** A class counts the closes that reached its slabs, so the largest number is the nearest one. Ours are all timed. */
const closes: Sources = {
  total: (document) =>
    document.latency?.epoch_close.count ?? largestCount(document.classes.map((row) => row.epoch_close_calls)),
  rate: (delta) =>
    delta.latency?.epoch_close.count ??
    delta.classes.reduce<Rate | undefined>(
      (most, row) =>
        most === undefined || row.epoch_close_calls.delta > most.delta ? row.epoch_close_calls : most,
      undefined,
    ),
};

const outOfMemory: Sources = {
  total: ({ classes, large }) =>
    sumCounts([...classes.map((row) => row.slow_path_out_of_memory), large?.failures ?? 0]),
  rate: ({ classes, large }) =>
    sumRates([...classes.map((row) => row.slow_path_out_of_memory), ...(large ? [large.failures] : [])]),
};

const counter = (
  key: string,
  name: string,
  sources: Sources,
  more: Partial<Pick<FigureBase, "rank" | "isCause" | "column" | "unit">> = {},
): CounterFigure => ({ kind: "counter", unit: "count", rank: 1, key, name, ...sources, ...more });

const cause = (key: string, name: string, sources: Sources, rank: number): CounterFigure =>
  counter(key, name, sources, { isCause: true, rank });

const gauge = (
  key: string,
  name: string,
  unit: Unit,
  value: GaugeFigure["value"],
  more: Partial<Pick<FigureBase, "rank" | "column">> = {},
): GaugeFigure => ({ kind: "gauge", unit, rank: 1, key, name, value, ...more });

const percent = (part: Count, whole: Count): number | null =>
  whole > 0 ? Math.min(100, (100 * Number(part)) / Number(whole)) : null;

const classSum = (name: "committed_bytes" | "live_bytes" | "live_objects") => (document: StatsDocument) =>
  document.heap?.[name] ?? sumCounts(document.classes.map((row) => row[name]));

const slowPath = ofTop("total_slow_path_hits");
const allocs = ofHeap("alloc_count", ofTop("total_bitmap_alloc_attempts"));
const anyFrees = ofHeap("free_count", ofTop("total_bitmap_free_attempts"));
const frees: Sources = {
  ...anyFrees,
  total: (document) => (countsFrees(document) ? anyFrees.total(document) : undefined),
};

export const FIGURES: readonly Figure[] = [
  counter("allocs", "allocs", allocs, { rank: 0, column: "allocs/s" }),
  counter("frees", "frees", frees, { rank: 0, column: "frees/s" }),
  counter("remote_frees", "remote frees", ours(ofClasses("remote_free_count")), { rank: 3 }),
  counter("discarded", "discarded objects", ofHeap("discarded_count"), { rank: 5 }),
  counter("slow_path", "slow path", slowPath, { rank: 0, column: "slow/s" }),
  cause("slow_partial_null", "no slab at hand", ofClasses("current_partial_null"), 4),
  cause("slow_partial_full", "slab full", ofClasses("current_partial_full"), 4),
  cause("slow_reused", "drained slab used again", ours(ofClasses("slow_path_reused")), 6),
  cause("slow_collected", "remote frees collected", ours(ofClasses("slow_path_collected")), 6),
  cause("slow_adopted", "slab of a dead thread adopted", ours(ofClasses("slow_path_adopted")), 7),
  cause("slow_cache_miss", "slab never used before", ofTop("total_slow_cache_miss"), 4),
  cause("slow_epoch_closed", "epoch closed (refused)", ofTop("total_slow_epoch_closed"), 3),
  cause("slow_out_of_memory", "out of memory (refused)", ours(outOfMemory), 3),
  gauge(
    "slow_path_pct",
    "slow share of allocs",
    "percent",
    (_, delta) => {
      const slow = delta === undefined ? undefined : slowPath.rate(delta);
      const all = delta === undefined ? undefined : allocs.rate(delta);
      return slow === undefined || all === undefined ? null : percent(slow.delta, all.delta);
    },
    { rank: 2, column: "slow%" },
  ),
  gauge("net_slabs", "slabs in use", "count", (document) => document.net_slabs, { column: "slabs" }),
  counter("slabs_allocated", "slabs taken", ofTop("total_slabs_allocated"), { rank: 3 }),
  counter("slabs_recycled", "slabs given back", ofTop("total_slabs_recycled"), { rank: 3 }),
  gauge("committed_bytes", "committed", "bytes", classSum("committed_bytes"), {
    rank: 0,
    column: "committed",
  }),
  gauge("live_bytes", "live", "bytes", classSum("live_bytes"), { rank: 0, column: "live" }),
  gauge("live_objects", "live objects", "count", classSum("live_objects"), { rank: 2 }),
  gauge("rss_bytes", "process RSS", "bytes", rssOf, { column: "rss" }),
  counter("closes", "epoch closes", closes, { column: "closes/s" }),
  gauge("close_yield_pct", "yield of closes", "percent", closeYield, { rank: 2, column: "yield%" }),
  counter("madvise_calls", "page releases", ofTop("total_madvise_calls"), { rank: 5 }),
  counter("madvise_bytes", "released to the kernel", ofTop("total_madvise_bytes"), {
    rank: 4,
    unit: "bytes",
    column: "released/s",
  }),
  counter("madvise_failures", "failed page releases", ofTop("total_madvise_failures"), { rank: 5 }),
  gauge("leaks", "leaking epochs", "count", leakingEpochs, { rank: 0, column: "leaks" }),
];

/** 0 means that the runtime could not tell. */
function rssOf({ rss_bytes_current: rss }: StatsDocument): Count | null {
  return rss > 0 ? rss : null;
}

/** Of the slabs that the interval's closes looked at, those that went back. */
function closeYield(_: StatsDocument, delta: SnapshotDelta | undefined): number | null {
  if (delta === undefined) return null;
  const sum = (name: "epoch_close_scanned_slabs" | "epoch_close_recycled_slabs"): Count =>
    sumCounts(delta.classes.map((row) => row[name].delta));
  return percent(sum("epoch_close_recycled_slabs"), sum("epoch_close_scanned_slabs"));
}

/** Epochs that `doctor` would call a leak; however many size classes they hold. */
function leakingEpochs(document: StatsDocument): number {
  const { candidates } = detectEpochLeaks(document, { top: Number.MAX_SAFE_INTEGER });
  return new Set(candidates.map((found) => `${found.epoch_id}/${found.epoch_era}`)).size;
}
