/**
 * Defends: what was counted and what is guessed never mix; every epoch that was closed or gave something back has one row
 * with its figures; and each reason why memory stays is given when it holds, and only then.
 * Method: for every rule a document with the reason and one without it.
 */
import { describe, expect, test } from "vitest";
import { analyzeReclamation } from "../../../src/stats/diagnostics/reclamation.js";
import type { EpochStats, HeapStats, StatsDocument } from "../../../src/stats/document/document.js";
import {
  cDocument,
  classRow,
  documentWith,
  epochRow,
  eraRow,
  heapRow,
  largeRow,
  MIB,
  SLAB,
  workerRow,
} from "./builder.js";

const kinds = (values: Partial<StatsDocument>) =>
  analyzeReclamation(documentWith(values)).heuristics.map((hint) => hint.kind);
const verdict = (values: Partial<StatsDocument>, kind: string) =>
  analyzeReclamation(documentWith(values)).heuristics.find((hint) => hint.kind === kind)?.verdict;

describe("facts", () => {
  test("a closed epoch with its figures", () => {
    const epoch = epochRow({
      label: "frame",
      slabs_recycled: 40,
      madvise_bytes: 32 * SLAB,
      close_madvise_bytes: 30 * SLAB,
      rss_before_close: 100 * MIB,
      rss_after_close: 98 * MIB,
      committed_before_close: 50 * SLAB,
      committed_after_close: 10 * SLAB,
    });
    expect(analyzeReclamation(documentWith({ epochs: [epoch] }))).toMatchObject({
      version: 1,
      epoch_count: 1,
      epochs: [
        {
          class_index: -1,
          epoch_id: 12,
          epoch_era: 28,
          slabs_recycled: 40,
          bytes_madvised: 32 * SLAB,
          bytes_madvised_at_close: 30 * SLAB,
          rss_before: 100 * MIB,
          rss_after: 98 * MIB,
          rss_delta: -2 * MIB,
          committed_delta: -40 * SLAB,
          label: "frame",
          was_closed: true,
        },
      ],
    });
  });

  test.each<[string, Partial<EpochStats>, boolean]>([
    ["closed", {}, true],
    ["open", { state: "ACTIVE" }, false],
    ["never opened", { opened: false }, false],
    ["open, with slabs given back", { state: "ACTIVE", slabs_recycled: 1 }, true],
    ["open, with pages released", { state: "ACTIVE", madvise_bytes: 1 }, true],
  ])("a row for an epoch that is %s", (_, values, expected) => {
    const report = analyzeReclamation(documentWith({ epochs: [epochRow(values)] }));
    expect(report.epochs.length).toBe(expected ? 1 : 0);
    expect(report.epoch_count).toBe(report.epochs.length);
    if (expected) expect(report.epochs[0]?.was_closed).toBe(values.state !== "ACTIVE");
  });

  test("what is resident now; null where the document does not say", () => {
    const heap = heapRow({ warm_bytes: 2 * SLAB, resident_bytes: 5 * SLAB });
    expect(analyzeReclamation(documentWith({ heap }))).toMatchObject({
      warm_bytes: 2 * SLAB,
      resident_bytes: 5 * SLAB,
    });
    expect(analyzeReclamation(cDocument())).toMatchObject({ warm_bytes: null, resident_bytes: null });
  });

  test("no difference of memory that was not measured", () => {
    const report = analyzeReclamation(documentWith({ epochs: [epochRow({ rss_before_close: 5 * MIB })] }));
    expect(report.epochs[0]).toMatchObject({ rss_before: 5 * MIB, rss_after: 0, rss_delta: 0 });
  });

  test.each([0, 15])(
    "calls for runs of large objects count once, in the document's totals (%i) or not",
    (total) => {
      const classes = [classRow({ madvise_calls: 10, madvise_bytes: 10, madvise_failures: 10 })];
      const large = largeRow({ madvise_calls: 5, madvise_bytes: 5, madvise_failures: 5 });
      const totals = {
        total_madvise_calls: total,
        total_madvise_bytes: total,
        total_madvise_failures: total,
      };
      expect(analyzeReclamation(documentWith({ classes, large, ...totals }))).toMatchObject({
        total_madvise_calls: 15,
        total_madvise_bytes: 15,
        total_madvise_failures: 15,
      });
    },
  );
});

describe("cooperation", () => {
  const closed = (before: number, after: number, pct: number | null = null): EpochStats =>
    epochRow({
      // Of whatever epoch, during the close: what else was released of this one is no part of it.
      close_madvise_bytes: 10 * MIB,
      madvise_bytes: 77 * MIB,
      rss_before_close: before * MIB,
      rss_after_close: after * MIB,
      cooperation_pct: pct,
    });

  test.each<[number, number, RegExp]>([
    [100, 91, /fell by 90% .*the kernel cooperates \(10 MiB released\)/],
    [100, 95, /fell by 50% .*the kernel cooperates/],
    [100, 95.5, /fell by only 45%/],
    [100, 80, /fell by 200% .*other memory was freed/],
    [100, 101, /grew all the same/],
  ])("resident memory from %d to %d MiB", (before, after, words) => {
    const { heuristics } = analyzeReclamation(documentWith({ epochs: [closed(before, after)] }));
    expect(heuristics).toMatchObject([{ kind: "cooperation", heuristic: true, epoch_id: 12, epoch_era: 28 }]);
    expect(heuristics[0]?.cooperation_pct).toBeCloseTo((before - after) * 10);
    expect(heuristics[0]?.verdict).toMatch(words);
  });

  test("the document's own figure is kept", () => {
    const { heuristics } = analyzeReclamation(cDocument({ epochs: [closed(0, 0, 77)] }));
    expect(heuristics).toMatchObject([{ cooperation_pct: 77 }]);
  });

  test("of a document from before there was a figure for the close, without a figure", () => {
    const old = { ...closed(0, 0, 77), close_madvise_bytes: 0 };
    const { heuristics } = analyzeReclamation(documentWith({ epochs: [old] }));
    expect(heuristics).toMatchObject([{ cooperation_pct: 77, bytes: 0 }]);
    expect(heuristics[0]?.verdict).toMatch(/fell by 77% of what was released: the kernel cooperates$/);
  });

  test("a few pages say nothing", () => {
    const few = { ...closed(100, 99), close_madvise_bytes: MIB - 1 };
    const { heuristics } = analyzeReclamation(documentWith({ epochs: [few] }));
    expect(heuristics[0]?.cooperation_pct).toBeCloseTo(100);
    expect(heuristics[0]?.verdict).toMatch(/changed by -100% .*too little was released to tell anything/);
  });

  test("nothing to say without release or measurement", () => {
    expect(kinds({ epochs: [epochRow({ ...closed(100, 90), close_madvise_bytes: 0 })] })).toEqual([]);
    const unreleased = epochRow({ rss_before_close: MIB, rss_after_close: MIB });
    expect(kinds({ epochs: [unreleased] })).toEqual([]);
    expect(kinds({ epochs: [closed(0, 0)] })).toEqual([]);
  });
});

describe("why memory stays", () => {
  /** 10 MiB in use, and as many bytes warm. */
  const warm = (bytes: number, values: Partial<HeapStats> = {}): HeapStats =>
    heapRow({
      touched_bytes: 40 * MIB,
      resident_bytes: 10 * MIB + bytes,
      committed_bytes: 10 * MIB,
      warm_bytes: bytes,
      ...values,
    });

  test("a heap at rest gives no reason", () => {
    expect(kinds({})).toEqual([]);
  });

  test("no page releaser", () => {
    expect(verdict({ heap: warm(20 * MIB) }, "no_page_releaser")).toMatch(
      /^no pages were ever released although 20 MiB of free slabs may still be resident.*leave 512 KiB$/,
    );
    expect(kinds({ heap: warm(20 * MIB), large: largeRow({ madvise_calls: 1 }) })).not.toContain(
      "no_page_releaser",
    );
    expect(analyzeReclamation(cDocument({ total_slabs_recycled: 5 })).heuristics).toEqual([]);
  });

  test("a document that does not say what is warm gives no reason", () => {
    const heap = warm(0, { warm_slabs: null, warm_bytes: null, resident_bytes: null });
    expect(kinds({ heap })).toEqual([]);
    expect(kinds({ heap, total_madvise_calls: 1 })).toEqual([]);
    expect(analyzeReclamation(documentWith({ heap }))).toMatchObject({
      warm_bytes: null,
      resident_bytes: null,
    });
  });

  test("a heap whose reserve was never exceeded may have a releaser", () => {
    // 1/128 of 64 MiB; at most 1 MiB.
    expect(kinds({ heap: warm(512 * 1024), total_slabs_recycled: 500 })).toEqual([]);
    expect(kinds({ heap: warm(512 * 1024 + SLAB) })).toEqual(["no_page_releaser"]);
    const big = { capacity_bytes: 4096 * MIB };
    expect(kinds({ heap: warm(MIB, big) })).toEqual([]);
    expect(kinds({ heap: warm(MIB + SLAB, big) })).toEqual(["no_page_releaser"]);
  });

  test("slabs stay warm although pages are released", () => {
    const calls = { total_madvise_calls: 7, total_madvise_bytes: 3 * MIB };
    expect(verdict({ heap: warm(20 * MIB), ...calls }, "warm_slabs")).toMatch(
      /^20 MiB of free slabs .*\(3 MiB in 7 calls so far\): threads .*no page releaser, releasePolicy.onClose false/,
    );
    expect(kinds({ heap: warm(20 * MIB), ...calls })).toEqual(["warm_slabs"]);
    expect(kinds({ heap: warm(MIB), ...calls }), "four reserves").toEqual([]);
    expect(verdict({ heap: warm(20 * MIB), ...calls, total_madvise_failures: 2 }, "warm_slabs")).toMatch(
      /2 of the calls were refused/,
    );
  });

  test("a heap that was touched at creation is to stay resident", () => {
    // Whether every slab was used since or not.
    for (const touched_bytes of [8 * MIB, 64 * MIB]) {
      const prefault = warm(20 * MIB, { touched_bytes, resident_bytes: 64 * MIB, prefault: true });
      expect(kinds({ heap: prefault })).toEqual([]);
      expect(kinds({ heap: prefault, total_madvise_calls: 1 })).toEqual([]);
    }
  });

  test("few live objects pin many slabs", () => {
    const row = { committed_bytes: 100 * SLAB, live_bytes: 10 * SLAB };
    const heap = heapRow({ committed_bytes: 100 * SLAB });
    expect(verdict({ heap, classes: [classRow(row)] }, "pinned_slabs")).toMatch(
      /640 KiB .*6.25 MiB .*are 10% of/,
    );
    // Full enough; mostly empty slabs; no more than one slab for every thread at work.
    expect(kinds({ heap, classes: [classRow({ ...row, live_bytes: 50 * SLAB })] })).toEqual([]);
    expect(kinds({ heap, classes: [classRow({ ...row, empty_slabs_count: 85 })] })).toEqual([]);
    const crowd = heapRow({ committed_bytes: 100 * SLAB, attached_workers: 90 });
    expect(kinds({ heap: crowd, classes: [classRow(row)] })).toEqual([]);
  });

  test("objects in closed epochs pin slabs, however few; those of a discarded epoch are gone", () => {
    const eras = [eraRow({ epoch_era: 28, total_partial_slabs: 2, live_objects: 3, live_bytes: 384 })];
    expect(verdict({ epochs: [epochRow({ eras })] }, "pinned_slabs")).toMatch(
      /384 B .*128 KiB of slabs in closed/,
    );
    expect(kinds({ epochs: [epochRow({ eras, discarded: true })] })).toEqual(["owners_behind"]);
    expect(kinds({ epochs: [epochRow({ eras, state: "ACTIVE" })] })).toEqual([]);
    const full = [{ ...(eras[0] ?? eraRow()), live_bytes: SLAB }];
    expect(kinds({ epochs: [epochRow({ eras: full })] })).toEqual([]);
  });

  const empties = [eraRow({ epoch_era: 28, total_partial_slabs: 4, total_reclaimable_slabs: 4 })];

  test("the open epoch keeps its empty slabs", () => {
    expect(verdict({ epochs: [epochRow({ state: "ACTIVE", eras: empties })] }, "open_epoch")).toMatch(
      /^4 empty slabs \(256 KiB\) kept ready by the open epoch: normal/,
    );
  });

  test("owners have not come by yet; those that lag are named", () => {
    const epochs = [epochRow({ eras: empties })];
    const workers = [
      workerRow({ seat: 1, owned_slabs: 4 }),
      workerRow({ seat: 3, owned_slabs: 4, phase_lag: 9 }),
      workerRow({ seat: 4, phase_lag: 9 }),
      workerRow({ seat: 5, state: "FREE", owned_slabs: 1, phase_lag: 9 }),
    ];
    expect(verdict({ epochs, workers }, "owners_behind")).toMatch(
      /^4 empty slabs \(256 KiB\).*owners \(seat 3\)$/,
    );
  });

  test("nobody has adopted what a dead thread left", () => {
    expect(verdict({ heap: heapRow({ orphaned_slabs: 1 }) }, "orphaned_slabs")).toMatch(/^1 slab \(64 KiB\)/);
  });
});
