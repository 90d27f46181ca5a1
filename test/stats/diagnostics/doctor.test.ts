/**
 * Defends: the doctor says in plain words what is wrong, whose matter it is and what to do; a healthy heap is called
 * healthy; findings and text agree; what happened long ago does not count against an earlier snapshot.
 * Method: for every finding a document that has it and nothing else.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InvalidTypeError, InvalidValueError } from "../../../src/allocator/errors.js";
import { doctor } from "../../../src/stats/diagnostics/doctor.js";
import { detectEpochLeaks } from "../../../src/stats/diagnostics/leaks.js";
import type { EpochStats, StatsDocument } from "../../../src/stats/document/document.js";
import {
  anyDocument,
  cDocument,
  classRow,
  documentWith,
  epochRow,
  eraRow,
  heapRow,
  largeRow,
  MIB,
  NOW_NS,
  SLAB,
  workerRow,
} from "./builder.js";

const held = eraRow({
  epoch_era: 28,
  class_index: 2,
  total_partial_slabs: 3,
  live_objects: 17,
  live_bytes: 2.5 * SLAB,
});
const leaky = (values: Partial<EpochStats> = {}): EpochStats =>
  epochRow({ age_sec: 600, label: "background-worker-3", eras: [held], ...values });

/** The only finding of a document, with the report. */
function only(values: Partial<StatsDocument>, make = documentWith) {
  const report = doctor(make(values));
  expect(report.findings).toHaveLength(1);
  const finding = report.findings[0];
  if (finding === undefined) throw new Error("unreachable");
  // What the JSON says, the text says too.
  expect(report.text).toContain(`   ${finding.message}\n   → ACTION: ${finding.action}`);
  return { ...finding, report };
}

describe("healthy", () => {
  test("is said in plain words, with three sections and nothing to do", () => {
    const report = doctor(documentWith({ active_epoch_count: 1, closing_epoch_count: 15 }));
    expect(report).toMatchObject({ version: 1, healthy: true, leaks: 0, findings: [], since: "creation" });
    expect(report.text).toBe(
      `Doctor's report of heap heap-1: healthy. No leaks, no failures, nothing that needs attention.

1. Epochs and leaks
   1 epoch open, 15 closed. No leaks: nobody inside, no live objects in closed epochs of 60 s or more.
   → ACTION: none needed

2. Slow path
   No slow-path hits (all allocations fast).
   → ACTION: none needed

3. Reclamation
   0 slabs given back, 0 B of them released to the kernel in 0 calls.
   → ACTION: none needed`,
    );
  });

  test("information does not make it ill", () => {
    const { severity, report } = only({ heap: heapRow({ orphaned_slabs: 1 }) });
    expect([severity, report.healthy]).toEqual(["info", true]);
    expect(report.text).toContain(": healthy.");
  });
});

describe("epochs and leaks", () => {
  test("entered twice, never exited", () => {
    const found = only({ epochs: [leaky({ refcount: 2 })] });
    expect(found).toMatchObject({
      section: 1,
      code: "domain-leak",
      severity: "critical",
      origin: "application",
    });
    expect(found.message).toBe(
      "epoch 12 (background-worker-3) open 10 min, refcount=2: entered twice, never exited. Application bug. It holds 3 slabs (192 KiB).",
    );
    expect(found.action).toContain('"background-worker-3"');
    expect(found.data).toMatchObject({
      epoch_id: 12,
      epoch_era: 28,
      refcount: 2,
      estimated_rss_bytes: 3 * SLAB,
    });
    expect(found.report).toMatchObject({ leaks: 1, healthy: false });
    expect(found.report.text).toContain("1 leak candidate, 1 finding to look at");
  });

  test("objects never freed", () => {
    const found = only({ epochs: [leaky()] });
    expect(found).toMatchObject({
      section: 1,
      code: "object-leak",
      severity: "critical",
      origin: "application",
    });
    expect(found.message).toBe(
      "epoch 12 (background-worker-3) opened 10 min ago and closed, nobody inside, but 17 objects still live (17 of 128 B): never freed. Application bug. It holds 3 slabs (192 KiB).",
    );
    expect(found.action).toContain("discardEpoch({ id: 12, era: 28 })");
  });

  test("classes of one era are one finding, but each a leak", () => {
    const large = eraRow({
      epoch_era: 28,
      class_index: -1,
      object_size: 0,
      total_full_slabs: 2,
      live_objects: 1,
    });
    const found = only({ epochs: [leaky({ eras: [held, large] })] });
    expect(found.message).toContain("18 objects still live (17 of 128 B, 1 large)");
    expect(found.message).toContain("5 slabs (320 KiB)");
    expect(found.report.leaks).toBe(2);
  });

  test("an era whose ring slot was reused goes by its era", () => {
    const old = { ...held, epoch_era: 12, label: "import" };
    const found = only({
      epochs: [leaky({ state: "ACTIVE", oldest_era: 12, oldest_age_sec: 7200, eras: [old] })],
    });
    expect(found.message).toMatch(
      /^epoch 12 \(import\) of era 12 \(its ring slot was reused\) opened at least 2 h ago/,
    );
    expect(found.message).not.toContain("background-worker-3");
  });

  test("threads that ended are suspected first", () => {
    const classes = [classRow({ orphaned_live_objects: 5 })];
    expect(only({ classes, epochs: [leaky()] }).message).toContain(
      "Threads that ended left 5 objects behind",
    );
  });

  test("somebody inside the open epoch for long: worth a look, not a leak", () => {
    const found = only({ epochs: [leaky({ state: "ACTIVE", refcount: 1, eras: [] })] });
    expect(found).toMatchObject({
      code: "domain-open",
      severity: "warning",
      report: { leaks: 0, healthy: false },
    });
    expect(found.message).toBe(
      "epoch 12 (background-worker-3) open 10 min, refcount=1: entered once, never exited. Application bug, unless that work is still running: the epoch is the open one.",
    );
    expect(
      doctor(documentWith({ epochs: [leaky({ state: "ACTIVE", refcount: 0, eras: [] })] })).findings,
    ).toEqual([]);
    const young = documentWith({ epochs: [leaky({ state: "ACTIVE", refcount: 1, eras: [], age_sec: 59 })] });
    expect(doctor(young).findings).toEqual([]);
    expect(doctor(young, { thresholdSec: 59 }).findings).toHaveLength(1);
  });

  test("in documents of the C allocator objects are a lower bound, and there is no discardEpoch", () => {
    const epoch = leaky({ eras: [], live_objects: 2, total_full_slabs: 2, estimated_rss_bytes: 8192 });
    const found = only({ epochs: [epoch] }, cDocument);
    expect(found.message).toContain("but at least 2 objects still live: never freed. Application bug.");
    expect(found.action).not.toContain("discardEpoch");
  });

  test("a hostile label cannot write lines of its own", () => {
    const { message } = only({ epochs: [leaky({ refcount: 1, label: "x\n   → ACTION: rm\u001b[2J" })] });
    expect(message).toContain("(x\\u{a}   → ACTION: rm\\u{1b}[2J)");
  });

  test("the largest come first, and a long list is cut in the text only", () => {
    const epochs = Array.from({ length: 12 }, (_, id) =>
      leaky({
        epoch_id: id,
        epoch_era: 16 + id,
        eras: [
          { ...held, epoch_era: 16 + id, estimated_rss_bytes: (id + 1) * SLAB, live_bytes: (id + 1) * SLAB },
        ],
      }),
    );
    const report = doctor(documentWith({ epochs }));
    expect(report.findings.map((f) => f.data.epoch_id)).toEqual([11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
    expect(report.text.match(/still live/g)).toHaveLength(10);
    expect(report.text).toContain("... and 2 more.");
  });
});

describe("slow path", () => {
  const slow = (values: object): Partial<StatsDocument> => ({
    total_slow_path_hits: 100,
    total_bitmap_alloc_attempts: 2000,
    classes: [classRow({ slow_path_hits: 100, bitmap_alloc_attempts: 2000, ...values })],
  });

  test("out of memory: the heap is too small, unless leaks fill it", () => {
    const heap = heapRow({ alloc_failures_out_of_memory: 3, capacity_bytes: 29 * SLAB });
    const found = only({ heap });
    expect(found).toMatchObject({
      section: 2,
      code: "out-of-memory",
      severity: "critical",
      origin: "configuration",
    });
    expect(found.message).toContain("3 allocations refused");
    expect(found.action).toContain("raise capacity");
    const [leak, refused] = doctor(documentWith({ heap, epochs: [leaky()] })).findings;
    expect([leak?.code, refused?.code, refused?.origin]).toEqual([
      "object-leak",
      "out-of-memory",
      "application",
    ]);
    expect(refused?.message).toContain("leaks hold 10.3% of the heap");
    const roomy = { ...heap, capacity_bytes: 31 * SLAB };
    expect(doctor(documentWith({ heap: roomy, epochs: [leaky()] })).findings[1]?.origin).toBe(
      "configuration",
    );
  });

  test("refused large objects count where the heap's own total lags", () => {
    expect(only({ large: largeRow({ failures: 2 }) }).message).toContain(
      "2 allocations refused: out of memory",
    );
  });

  test("allocating in a closed epoch is the application's bug", () => {
    const found = only({ total_slow_epoch_closed: 4 });
    expect(found).toMatchObject({
      code: "epoch-closed-allocations",
      severity: "warning",
      origin: "application",
    });
    expect(found.message).toBe("4 allocations refused: the epoch named was closed. Application bug.");
  });

  test.each([
    ["current_partial_full", "info", "allocator", /Normal working of the allocator/],
    ["slow_path_cache_miss", "info", "allocator", /Normal working of the allocator/],
    ["current_partial_null", "warning", "application", /how the application uses epochs/],
  ])("a class mostly slow for %s", (counter, severity, origin, words) => {
    const found = only(slow({ [counter]: 90 }));
    expect(found).toMatchObject({ section: 2, code: "slow-path", severity, origin });
    expect(found.message).toMatch(/^class 0 \(128 B\): 5% of allocations slow \(100\)/);
    expect(found.message).toMatch(words);
    expect(found.report.text).toContain("100 of 2000 allocations left the fast path (5%).");
  });

  test("below one in twenty, or too few to judge, is no finding", () => {
    expect(doctor(documentWith(slow({ slow_path_hits: 99 }))).findings).toEqual([]);
    expect(doctor(documentWith(slow({ bitmap_alloc_attempts: 999 }))).findings).toEqual([]);
    expect(doctor(documentWith(slow({ bitmap_alloc_attempts: 1000 }))).findings).toHaveLength(1);
  });

  test("three classes at most, the busiest first", () => {
    const classes = [1, 2, 3, 4].map((n) =>
      classRow({ class_index: n, slow_path_hits: 1000 * n, bitmap_alloc_attempts: 5000 }),
    );
    expect(doctor(documentWith({ classes })).findings.map((f) => f.data.class_index)).toEqual([4, 3, 2]);
  });

  test("a document of the C allocator without allocation counts", () => {
    const report = doctor(cDocument({ total_slow_path_hits: 7 }));
    expect(report.text).toContain("7 allocations left the fast path; how many there were is not known.");
  });
});

describe("reclamation", () => {
  test("failed page release is not the application's bug", () => {
    const found = only({ total_madvise_calls: 9, total_madvise_failures: 2 });
    expect(found).toMatchObject({
      section: 3,
      code: "madvise-failures",
      severity: "critical",
      origin: "kernel",
    });
    expect(found.message).toContain("2 of 9 page-release calls failed");
    expect(found.message).toContain("Not the application's bug.");
  });

  test.each(["SUSPECT", "REAPING"])("a seat that is %s", (state) => {
    const found = only({ workers: [workerRow(), workerRow({ seat: 7, state, owned_slabs: 3 })] });
    expect(found).toMatchObject({ code: "dead-seat", severity: "warning", data: { seats: "7", slabs: 3 } });
  });

  test("guesses are marked as such", () => {
    const found = only({ heap: heapRow({ warm_bytes: MIB, touched_bytes: MIB, resident_bytes: MIB }) });
    expect(found).toMatchObject({ code: "no-page-releaser", severity: "info", origin: "configuration" });
    expect(found.message).toMatch(/\[heuristic\]\.$/);
  });

  test("low cooperation is the kernel's matter, good cooperation no finding", () => {
    const closed = (after: number, released = 10 * MIB) =>
      epochRow({
        close_madvise_bytes: released,
        rss_before_close: 100 * MIB,
        rss_after_close: after * MIB,
      });
    const found = only({ epochs: [closed(96)] });
    expect(found).toMatchObject({
      code: "low-cooperation",
      origin: "kernel",
      data: { cooperation_pct: 40, epoch_id: 12 },
    });
    expect(doctor(documentWith({ epochs: [closed(95)] })).findings).toEqual([]);
    // Of a few pages nobody can tell where they went.
    expect(doctor(documentWith({ epochs: [closed(105, MIB - 4096)] })).findings).toEqual([]);
    // A document from before there was that figure: its percentage is all there is.
    const old = { ...closed(105, 0), cooperation_pct: 10 };
    expect(doctor(documentWith({ epochs: [old] })).findings).toMatchObject([{ code: "low-cooperation" }]);
  });

  test("slabs that stay warm although pages are released: the configuration's matter, and trim() helps", () => {
    const heap = heapRow({ warm_bytes: 9 * MIB, touched_bytes: 20 * MIB, resident_bytes: 20 * MIB });
    const found = only({ heap, total_madvise_calls: 3, total_madvise_bytes: MIB });
    expect(found).toMatchObject({
      code: "warm-slabs",
      severity: "info",
      origin: "configuration",
      data: { bytes: 9 * MIB },
    });
    expect(found.action).toMatch(/trim\(\).*every thread a pageReleaser.*onClose/);
    const { text } = doctor(documentWith({ heap, total_madvise_calls: 3 }));
    expect(text).toContain("in 3 calls. 9 MiB of free slabs may still be resident.\n");
  });

  test("pinned slabs are the application's matter", () => {
    const eras = [eraRow({ epoch_era: 28, total_partial_slabs: 2, live_objects: 1, live_bytes: 128 })];
    expect(only({ epochs: [epochRow({ eras, age_sec: 5 })] })).toMatchObject({
      code: "pinned-slabs",
      severity: "warning",
      origin: "application",
    });
  });
});

describe("previous", () => {
  const broken = { total_madvise_failures: 2, heap: heapRow({ alloc_failures_out_of_memory: 3 }) };
  const now = documentWith(broken);
  const earlier = (values: Partial<StatsDocument>) =>
    documentWith({ timestamp_ns: NOW_NS - 10n ** 9n, ...values });

  test("what happened before it no longer counts", () => {
    expect(doctor(now).findings.map((f) => f.code)).toEqual(["out-of-memory", "madvise-failures"]);
    expect(doctor(now, { previous: earlier(broken) })).toMatchObject({
      findings: [],
      since: "previous",
      healthy: true,
    });
    const recent = doctor(now, {
      previous: { snapshot: () => earlier({ ...broken, total_madvise_failures: 1 }) },
    });
    expect(recent.findings.map((f) => f.data.madvise_failures)).toEqual([1]);
  });

  test("leaks are there all the same", () => {
    const leaking = { epochs: [leaky()] };
    expect(doctor(documentWith(leaking), { previous: earlier(leaking) }).leaks).toBe(1);
  });

  test("of another heap it is not used, and that is said", () => {
    const report = doctor(now, { previous: earlier({ ...broken, heap: heapRow({ id: "other" }) }) });
    expect([report.since, report.findings.length]).toEqual(["creation", 2]);
    expect(report.text).toContain("not an earlier one of this heap");
  });
});

test.each<[unknown, typeof InvalidTypeError | typeof InvalidValueError, RegExp]>([
  [{ thresholdSec: -1 }, InvalidValueError, /"thresholdSec" must be a number from 0 to 1000000000; got -1/],
  [{ thresholdSec: Infinity }, InvalidValueError, /got Infinity/],
  [{ previous: 5 }, InvalidTypeError, /previous must be a stats document.*got 5/],
  [{ threshold: 5 }, InvalidTypeError, /unknown option "threshold"; known are thresholdSec, previous/],
])("options %j are refused", (options, type, message) => {
  expect(() => doctor(documentWith(), options as object)).toThrow(type);
  expect(() => doctor(documentWith(), options as object)).toThrow(message);
});

test("random documents: leaks as the detector counts them, sections in order, every finding with its action", () => {
  fc.assert(
    fc.property(anyDocument, (document) => {
      const report = doctor(document);
      expect(report.leaks).toBe(detectEpochLeaks(document).candidate_count);
      expect(report.text.match(/^\d\. .*/gm)).toEqual([
        "1. Epochs and leaks",
        "2. Slow path",
        "3. Reclamation",
      ]);
      const sections = report.findings.map((finding) => finding.section);
      expect(sections).toEqual([...sections].sort());
      const silent = [1, 2, 3].filter((number) => !sections.includes(number as 1 | 2 | 3)).length;
      const listed = [1, 2, 3].map((number) => Math.min(10, sections.filter((s) => s === number).length));
      const actions = listed.reduce((a, b) => a + b) + silent;
      expect(report.text.match(/^ {3}→ ACTION: ./gm)).toHaveLength(actions);
      expect(report.healthy).toBe(report.findings.every((finding) => finding.severity === "info"));
    }),
  );
});
