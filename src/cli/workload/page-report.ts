/** The part of a report about pages that went back to the system. */
import { type MeasuredClose, mergeIntervals, type PageInterval, type PageRecord } from "./page-watch.js";
import type { ReleaserRecord } from "./release.js";

export interface PageReport extends ReleaserRecord {
  readonly madvise_calls: number;
  readonly madvise_bytes: number;
  readonly madvise_failures: number;
  /** Free slabs whose pages were still resident when all workers had ended. */
  readonly warm_bytes_at_end: number;
  /** The last close whose resident set was measured; null without one. */
  readonly last_close: Omit<MeasuredClose, "timestamp_ms"> | null;
  readonly cooperation: Cooperation;
  readonly intervals: readonly PageInterval[];
}

/** A heuristic: other threads allocate and free while a close goes on. */
export interface Cooperation {
  /** Closes looked at that gave back enough for the resident set to show it, and what that came to. */
  readonly closes: number;
  readonly madvise_bytes: number;
  readonly rss_drop_bytes: number;
  /** Drop of the resident set per byte given back; null without such a close. */
  readonly pct: number | null;
}

export function pageReport(releaser: ReleaserRecord, pages: PageRecord): PageReport {
  return {
    ...releaser,
    madvise_calls: pages.madviseCalls,
    madvise_bytes: pages.madviseBytes,
    madvise_failures: pages.madviseFailures,
    warm_bytes_at_end: pages.warmBytesAtEnd,
    last_close: pages.lastClose === undefined ? null : withoutTime(pages.lastClose),
    cooperation: cooperationOf(pages.intervals),
    intervals: pages.intervals,
  };
}

function withoutTime({ timestamp_ms: _, ...close }: MeasuredClose): PageReport["last_close"] {
  return close;
}

function cooperationOf(intervals: readonly PageInterval[]): Cooperation {
  const [all] = mergeIntervals(intervals, Math.max(1, intervals.length));
  const bytes = all?.measured_madvise_bytes ?? 0;
  const drop = all?.measured_rss_drop_bytes ?? 0;
  return {
    closes: all?.measured_closes ?? 0,
    madvise_bytes: bytes,
    rss_drop_bytes: drop,
    pct: bytes > 0 ? (100 * drop) / bytes : null,
  };
}
