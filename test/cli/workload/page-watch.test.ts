/**
 * Defends: intervals of a run lose nothing when they are merged, and stay few however long the run is; only closes that
 * RSS can show are measured; no close is counted twice.
 * Method: random intervals against plain sums (fast-check); a real heap with a releaser that says it has released.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { pageReport } from "../../../src/cli/workload/page-report.js";
import { mergeIntervals, type PageInterval, PageWatch } from "../../../src/cli/workload/page-watch.js";
import { SlabHeap } from "../../../src/index.js";

const SUMS = [
  "closes",
  "madvise_calls",
  "madvise_bytes",
  "madvise_failures",
  "measured_closes",
  "measured_madvise_bytes",
  "measured_rss_drop_bytes",
] as const;
const LEVELS = ["at_sec", "warm_bytes", "rss_bytes", "rss_high_bytes", "rss_low_bytes"] as const;

const interval: fc.Arbitrary<PageInterval> = fc.record(
  Object.fromEntries([...SUMS, ...LEVELS].map((name) => [name, fc.nat(2 ** 40)])),
) as unknown as fc.Arbitrary<PageInterval>;

const total = (rows: readonly PageInterval[], name: (typeof SUMS)[number]): number =>
  rows.reduce((sum, row) => sum + row[name], 0);

describe("mergeIntervals", () => {
  it("keeps sums, extremes and the state at the end", () => {
    fc.assert(
      fc.property(
        fc.array(interval, { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 1, max: 50 }),
        (rows, n) => {
          const merged = mergeIntervals(rows, n);
          expect(merged).toHaveLength(Math.ceil(rows.length / n));
          for (const name of SUMS) expect(total(merged, name)).toBe(total(rows, name));
          merged.forEach((row, i) => {
            const part = rows.slice(i * n, (i + 1) * n);
            expect(row.rss_high_bytes).toBe(Math.max(...part.map((each) => each.rss_high_bytes)));
            expect(row.rss_low_bytes).toBe(Math.min(...part.map((each) => each.rss_low_bytes)));
            const { at_sec, warm_bytes, rss_bytes } = part.at(-1) as PageInterval;
            expect(row).toMatchObject({ at_sec, warm_bytes, rss_bytes });
          });
        },
      ),
    );
  });
});

describe("PageWatch", () => {
  const options = {
    capacity: 16 * 1024 ** 2,
    pageReleaser: { release: (_: SharedArrayBuffer, _offset: number, length: number) => length },
    releasePolicy: { reserveBytes: 0 },
  };

  /** Uses `bytes` in an epoch and closes it. */
  function request(heap: SlabHeap, bytes: number): number {
    const domain = heap.openDomain();
    const handles = Array.from({ length: bytes / heap.slabSize }, () => heap.alloc(heap.slabSize));
    for (const handle of handles) heap.free(handle);
    domain.exit();
    return heap.closeEpoch(domain.epoch).bytesReleased;
  }

  it("measures large closes once each, and adds up to what the heap counted", () => {
    using heap = SlabHeap.create(options);
    const watch = new PageWatch(heap);
    watch.begin();
    const large = request(heap, 4 * 1024 ** 2);
    watch.look(0.1, 1);
    watch.look(0.2, 1);
    const small = request(heap, 128 * 1024);
    watch.look(0.3, 2);
    watch.finish(2);
    const record = watch.record();
    expect(large).toBe(4 * 1024 ** 2);
    expect(record.intervals.map((row) => row.closes)).toEqual([1, 0, 1]);
    expect(record.intervals.map((row) => row.madvise_bytes)).toEqual([large, 0, small]);
    expect(record.intervals.map((row) => row.measured_closes)).toEqual([1, 0, 0]);
    expect(record.madviseBytes).toBe(large + small);
    expect(record.warmBytesAtEnd).toBe(0);
    expect(record.lastClose?.madvise_bytes).toBe(small);
    expect(record.rssAtBegin).toBeGreaterThan(0);
    expect(record.peakRss).toBeGreaterThanOrEqual(record.rssAtEnd);
    const { cooperation } = pageReport({ backend: "koffi", reason: "", advice: "MADV_DONTNEED" }, record);
    expect(cooperation).toMatchObject({ closes: 1, madvise_bytes: large });
    expect(cooperation.pct).toBe((100 * cooperation.rss_drop_bytes) / large);
  });

  it("has few intervals however often it looks, and what happens after the last look is in the last one", () => {
    using heap = SlabHeap.create(options);
    const watch = new PageWatch(heap);
    watch.begin();
    for (let i = 1; i <= 300; i++) watch.look(i, i);
    const bytes = request(heap, 1024 ** 2);
    watch.finish(301);
    const { intervals } = watch.record();
    expect(intervals.length).toBeLessThanOrEqual(64);
    expect(intervals.length).toBeGreaterThan(16);
    expect(total(intervals, "closes")).toBe(301);
    expect(intervals.at(-1)).toMatchObject({ at_sec: 300, madvise_bytes: bytes });
  });
});
