/**
 * What giving pages back does to the process while a run goes on: the heap's own figures beside the resident set, look
 * by look. Of single closes it sees those that are still in the ring when it looks, which is a sample of them.
 */
import type { SlabHeap } from "../../index.js";
import { type HeapSnapshot, StatsReader } from "../../stats.js";

/**
 * A close that gave back less says nothing about the resident set. Linux counts the pages of a process by processor and
 * shows what these counts have in common: up to 32 pages each, more on large machines, are not in it yet.
 */
export const MEASURABLE_BYTES = 1024 ** 2;

/** With more than that, neighbours become one: a long run has coarser intervals, not more of them. */
const MAX_INTERVALS = 64;

/** One interval of the run. */
export interface PageInterval {
  /** Its end, counted from the start of the run. */
  readonly at_sec: number;
  /** Calls of close, those included that found the epoch closed already: they give back what the thread had in it. */
  readonly closes: number;
  readonly madvise_calls: number;
  readonly madvise_bytes: number;
  readonly madvise_failures: number;
  /** Free slabs whose pages were still resident at its end. */
  readonly warm_bytes: number;
  /** Of the process: at its end, and the most and the least seen, closes included. */
  readonly rss_bytes: number;
  readonly rss_high_bytes: number;
  readonly rss_low_bytes: number;
  /** Of the closes looked at those that gave back enough for the resident set to show it, and what that came to. */
  readonly measured_closes: number;
  readonly measured_madvise_bytes: number;
  readonly measured_rss_drop_bytes: number;
}

/** One close whose resident set was measured. */
export interface MeasuredClose {
  readonly epoch_era: number;
  readonly timestamp_ms: number;
  /** Given back during the close, whichever epoch the pages were of. */
  readonly madvise_bytes: number;
  readonly rss_before_bytes: number;
  readonly rss_after_bytes: number;
}

/** Page release of a whole run. */
export interface PageRecord {
  readonly madviseCalls: number;
  readonly madviseBytes: number;
  readonly madviseFailures: number;
  readonly warmBytesAtEnd: number;
  /** Of the process: when work began, at most, and when all was freed, the threads still there. */
  readonly rssAtBegin: number;
  readonly rssAtEnd: number;
  readonly peakRss: number;
  readonly lastClose: MeasuredClose | undefined;
  readonly intervals: readonly PageInterval[];
}

/** Totals since the heap was made. */
interface Totals {
  readonly calls: number;
  readonly bytes: number;
  readonly failures: number;
}

export class PageWatch {
  readonly #reader: StatsReader;
  readonly #intervals: PageInterval[] = [];
  /** Looks that make one interval now, and those of the current one. */
  #looksPerInterval = 1;
  #current: PageInterval[] = [];
  /** By ring slot: the close that was last looked at. */
  readonly #seen: MeasuredClose[] = [];
  #lastClose: MeasuredClose | undefined;
  #totals: Totals = { calls: 0, bytes: 0, failures: 0 };
  #closes = 0;
  #atSec = 0;
  #warmBytes = 0;
  #rss = 0;
  #rssAtBegin = 0;
  #peakRss = 0;

  constructor(heap: SlabHeap) {
    this.#reader = StatsReader.open(heap);
  }

  /** Work begins. */
  begin(): void {
    this.noteRss();
    this.#rssAtBegin = this.#rss;
  }

  get madviseBytes(): number {
    return this.#totals.bytes;
  }

  /** Notices a peak of the resident set between two looks. */
  noteRss(): void {
    this.#rss = process.memoryUsage.rss();
    this.#peakRss = Math.max(this.#peakRss, this.#rss);
  }

  /** Takes a look; `closes` is how many closes there have been by now. Returns the milliseconds it took. */
  look(atSec: number, closes: number): number {
    const start = performance.now();
    this.noteRss();
    this.#add(this.#lookNow(atSec, closes));
    return performance.now() - start;
  }

  /**
   * The threads have ended: what they gave back meanwhile belongs to the last interval. Their resident set does not: it
   * fell by what each thread had beside the heap.
   */
  finish(closes: number): void {
    const rest = this.#lookNow(this.#atSec, closes);
    const list = this.#current.length > 0 ? this.#current : this.#intervals;
    const last = list.pop();
    list.push(last === undefined ? rest : mergeTwo(last, rest));
  }

  #lookNow(atSec: number, closes: number): PageInterval {
    const document = this.#reader.snapshot();
    const fresh = this.#freshCloses(document);
    const measured = fresh.filter((close) => close.madvise_bytes >= MEASURABLE_BYTES);
    const levels = fresh
      .flatMap((close) => [close.rss_before_bytes, close.rss_after_bytes])
      .concat(this.#rss);
    const totals = totalsOf(document);
    this.#warmBytes = Number(document.heap.warm_bytes);
    const high = Math.max(...levels);
    this.#peakRss = Math.max(this.#peakRss, high);
    const interval: PageInterval = {
      at_sec: atSec,
      closes: closes - this.#closes,
      madvise_calls: totals.calls - this.#totals.calls,
      madvise_bytes: totals.bytes - this.#totals.bytes,
      madvise_failures: totals.failures - this.#totals.failures,
      warm_bytes: this.#warmBytes,
      rss_bytes: this.#rss,
      rss_high_bytes: high,
      rss_low_bytes: Math.min(...levels),
      measured_closes: measured.length,
      measured_madvise_bytes: sum(measured, (close) => close.madvise_bytes),
      measured_rss_drop_bytes: sum(measured, (close) => close.rss_before_bytes - close.rss_after_bytes),
    };
    this.#totals = totals;
    this.#closes = closes;
    this.#atSec = atSec;
    return interval;
  }

  /** What all looks came to. */
  record(): PageRecord {
    const { calls, bytes, failures } = this.#totals;
    return {
      madviseCalls: calls,
      madviseBytes: bytes,
      madviseFailures: failures,
      warmBytesAtEnd: this.#warmBytes,
      rssAtBegin: this.#rssAtBegin,
      rssAtEnd: this.#rss,
      peakRss: this.#peakRss,
      lastClose: this.#lastClose,
      intervals: [...this.#intervals, ...mergeIntervals(this.#current, this.#current.length)],
    };
  }

  /** Closes with a measured resident set that no look has seen yet. */
  #freshCloses({ epochs }: HeapSnapshot): MeasuredClose[] {
    const fresh: MeasuredClose[] = [];
    for (const epoch of epochs) {
      const close: MeasuredClose = {
        epoch_era: epoch.epoch_era,
        timestamp_ms: Number(BigInt(epoch.closed_timestamp_ns) / 1_000_000n),
        madvise_bytes: Number(epoch.close_madvise_bytes),
        rss_before_bytes: Number(epoch.rss_before_close),
        rss_after_bytes: Number(epoch.rss_after_close),
      };
      const seen = this.#seen[epoch.epoch_id];
      // An era may be closed again by a thread that was still in it: that close gives back what the thread held.
      const isNew = seen?.epoch_era !== close.epoch_era || seen.timestamp_ms !== close.timestamp_ms;
      this.#seen[epoch.epoch_id] = close;
      if (!isNew || close.rss_before_bytes === 0 || close.rss_after_bytes === 0) continue;
      fresh.push(close);
      if (close.timestamp_ms >= (this.#lastClose?.timestamp_ms ?? 0)) this.#lastClose = close;
    }
    return fresh;
  }

  #add(look: PageInterval): void {
    this.#current.push(look);
    if (this.#current.length < this.#looksPerInterval) return;
    this.#intervals.push(...mergeIntervals(this.#current, this.#looksPerInterval));
    this.#current = [];
    if (this.#intervals.length < MAX_INTERVALS) return;
    this.#intervals.push(...mergeIntervals(this.#intervals.splice(0), 2));
    this.#looksPerInterval *= 2;
  }
}

/** Makes one interval of every `count` neighbours, and one of what remains. */
export function mergeIntervals(intervals: readonly PageInterval[], count: number): PageInterval[] {
  const merged: PageInterval[] = [];
  for (let i = 0; i < intervals.length; i += count) {
    merged.push(intervals.slice(i, i + count).reduce(mergeTwo));
  }
  return merged;
}

function mergeTwo(a: PageInterval, b: PageInterval): PageInterval {
  return {
    // Levels as they are at the later end.
    ...b,
    closes: a.closes + b.closes,
    madvise_calls: a.madvise_calls + b.madvise_calls,
    madvise_bytes: a.madvise_bytes + b.madvise_bytes,
    madvise_failures: a.madvise_failures + b.madvise_failures,
    rss_high_bytes: Math.max(a.rss_high_bytes, b.rss_high_bytes),
    rss_low_bytes: Math.min(a.rss_low_bytes, b.rss_low_bytes),
    measured_closes: a.measured_closes + b.measured_closes,
    measured_madvise_bytes: a.measured_madvise_bytes + b.measured_madvise_bytes,
    measured_rss_drop_bytes: a.measured_rss_drop_bytes + b.measured_rss_drop_bytes,
  };
}

/** The document's totals are of size classes; large objects are counted apart. */
function totalsOf({
  large,
  total_madvise_calls,
  total_madvise_bytes,
  total_madvise_failures,
}: HeapSnapshot): Totals {
  return {
    calls: Number(total_madvise_calls) + Number(large.madvise_calls),
    bytes: Number(total_madvise_bytes) + Number(large.madvise_bytes),
    failures: Number(total_madvise_failures) + Number(large.madvise_failures),
  };
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}
