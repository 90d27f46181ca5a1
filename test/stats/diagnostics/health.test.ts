/**
 * Defends: each threshold changes the status of its own component exactly when it is reached; leaks and old failures
 * never fail liveness or readiness; a document that is missing or contradicts itself fails liveness, whatever it says;
 * mistakes in thresholds are refused.
 * Method: documents one step below and at every threshold; sound and contradictory documents.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InvalidTypeError, InvalidValueError } from "../../../src/allocator/errors.js";
import { type HealthComponentName, health } from "../../../src/stats/diagnostics/health.js";
import { DEFAULT_HEALTH_THRESHOLDS } from "../../../src/stats/diagnostics/thresholds.js";
import type { StatsDocument } from "../../../src/stats/document/document.js";
import {
  anyDocument,
  cDocument,
  classRow,
  documentWith,
  epochRow,
  eraRow,
  heapRow,
  largeRow,
  NOW_NS,
  workerRow,
} from "./builder.js";

const BEFORE = documentWith({ timestamp_ns: NOW_NS - 10n ** 9n });

/** So many leak candidates, one per class. */
const leaks = (count: number): Partial<StatsDocument> => ({
  epochs: [
    epochRow({
      age_sec: 60,
      eras: Array.from({ length: count }, (_, i) =>
        eraRow({ epoch_era: 28, class_index: i, total_full_slabs: 1, live_objects: 1 }),
      ),
    }),
  ],
});
const committed = (percent: number): Partial<StatsDocument> => ({
  heap: heapRow({ capacity_bytes: 1000, committed_bytes: 10 * percent }),
});
const refused = (count: number): Partial<StatsDocument> => ({
  heap: heapRow({ alloc_failures_out_of_memory: count }),
});
const slow = (hits: number): Partial<StatsDocument> => ({
  total_slow_path_hits: hits,
  total_bitmap_alloc_attempts: 1000,
});
const failed = (count: number): Partial<StatsDocument> => ({ total_madvise_failures: count });
const seats = (taken: number): Partial<StatsDocument> => ({
  heap: heapRow({ max_workers: 10, attached_workers: taken }),
});
const lag = (changes: number): Partial<StatsDocument> => ({
  workers: [workerRow({ owned_slabs: 1, phase_lag: changes })],
});
const dead = (state: string): Partial<StatsDocument> => ({ workers: [workerRow({ seat: 2, state })] });

test("a healthy heap", () => {
  const report = health(documentWith());
  expect(report).toMatchObject({
    version: 1,
    status: "ok",
    live: true,
    ready: true,
    timestamp: "2026-01-01T00:00:00.000Z",
    uptime_sec: 3600,
    issues: [],
  });
  expect(Object.keys(report.components)).toEqual(["heap", "slowPath", "epochs", "reclamation", "workers"]);
  for (const component of Object.values(report.components)) {
    expect(component.status).toBe("ok");
    expect(component.message).toMatch(/\.$/);
    for (const [name, value] of Object.entries(component.thresholds)) {
      expect(value).toBe(DEFAULT_HEALTH_THRESHOLDS[name as keyof typeof DEFAULT_HEALTH_THRESHOLDS]);
    }
  }
});

test("every threshold is shown by the component it belongs to", () => {
  const shown = Object.values(health(documentWith()).components).flatMap((c) => Object.keys(c.thresholds));
  expect(shown.sort()).toEqual(Object.keys(DEFAULT_HEALTH_THRESHOLDS).sort());
});

type Case = [HealthComponentName, string, Partial<StatsDocument>, "ok" | "degraded" | "unhealthy", boolean];

test.each<Case>([
  ["heap", "pressure 84.9%", committed(84.9), "ok", true],
  ["heap", "pressure 85%", committed(85), "degraded", true],
  ["heap", "pressure 94.9%", committed(94.9), "degraded", true],
  ["heap", "pressure 95%", committed(95), "unhealthy", false],
  ["heap", "no failures", refused(0), "ok", true],
  ["heap", "1 failure", refused(1), "degraded", true],
  ["heap", "1 large failure", { large: largeRow({ failures: 1 }) }, "degraded", true],
  ["heap", "99 failures", refused(99), "degraded", true],
  ["heap", "100 failures", refused(100), "unhealthy", false],
  ["slowPath", "4.9%", slow(49), "ok", true],
  ["slowPath", "5%", slow(50), "degraded", true],
  ["slowPath", "19.9%", slow(199), "degraded", true],
  ["slowPath", "20%", slow(200), "unhealthy", true],
  ["slowPath", "all of too few", { total_slow_path_hits: 999, total_bitmap_alloc_attempts: 999 }, "ok", true],
  ["epochs", "no leak", leaks(0), "ok", true],
  ["epochs", "1 leak", leaks(1), "degraded", true],
  ["epochs", "99 leaks", leaks(99), "degraded", true],
  ["epochs", "100 leaks", leaks(100), "unhealthy", true],
  ["reclamation", "no failures", failed(0), "ok", true],
  ["reclamation", "1 failure", failed(1), "degraded", true],
  ["reclamation", "99 failures", failed(99), "degraded", true],
  ["reclamation", "100 failures", failed(100), "unhealthy", true],
  ["workers", "8 of 10 seats", seats(8), "ok", true],
  ["workers", "9 of 10 seats", seats(9), "degraded", true],
  ["workers", "10 of 10 seats", seats(10), "degraded", true],
  ["workers", "lag 9999", lag(9999), "ok", true],
  ["workers", "lag 10000", lag(10_000), "degraded", true],
  ["workers", "lag without slabs", { workers: [workerRow({ phase_lag: 10_000 })] }, "ok", true],
  ["workers", "a free seat", dead("FREE"), "ok", true],
  ["workers", "a suspect", dead("SUSPECT"), "degraded", true],
  ["workers", "a seat being reaped", dead("REAPING"), "degraded", true],
])("%s: %s", (name, _, values, status, ready) => {
  const report = health(documentWith(values), {}, BEFORE);
  expect(report.components[name].status).toBe(status);
  expect(report).toMatchObject({ status, live: true, ready });
  const issue = { component: name, status, message: report.components[name].message };
  expect(report.issues).toEqual(status === "ok" ? [] : [issue]);
});

test("without an earlier snapshot, what once failed degrades but no more", () => {
  for (const values of [refused(10_000), failed(10_000)]) {
    expect(health(documentWith(values))).toMatchObject({ status: "degraded", ready: true });
    const same = documentWith({ ...values, timestamp_ns: NOW_NS - 1n });
    expect(health(documentWith(values), {}, same).status).toBe("ok");
  }
});

test("metrics are what was compared", () => {
  const { components } = health(documentWith({ ...committed(90), ...slow(40), ...leaks(2), ...lag(7) }));
  expect(components.heap.metrics).toMatchObject({
    committed_bytes: 900,
    capacity_bytes: 1000,
    pressure_pct: 90,
  });
  expect(components.slowPath.metrics).toEqual({ slow_path_hits: 40, allocations: 1000, slow_path_pct: 4 });
  expect(components.epochs.metrics).toMatchObject({ leak_candidates: 2, object_leaks: 2, domain_leaks: 0 });
  expect(components.workers.metrics).toMatchObject({ phase_lag: 7, dead_seats: 0 });
});

test("the worst component decides, and comes first", () => {
  const report = health(documentWith({ ...committed(99), ...leaks(1), ...failed(1) }));
  expect(report.status).toBe("unhealthy");
  expect(report.issues.map((issue) => issue.component)).toEqual(["heap", "epochs", "reclamation"]);
});

test("a document of the C allocator: what it does not say is not held against it", () => {
  const report = health(cDocument(slow(50)));
  expect(report).toMatchObject({ status: "degraded", live: true, ready: true, uptime_sec: null });
  expect(report.components.heap.metrics.pressure_pct).toBeNull();
  expect(report.components.workers).toMatchObject({ status: "ok", metrics: { dead_seats: null } });
});

describe("liveness", () => {
  test.each<[string, Partial<StatsDocument>]>([
    ["heap committed_bytes is 1001, but capacity_bytes is 1000", committed(100.1)],
    ["heap free_slabs is 9, but slab_count is 8", { heap: heapRow({ free_slabs: 9, slab_count: 8 }) }],
    [
      "heap warm_slabs is 4, but free_slabs is 3",
      { heap: heapRow({ free_slabs: 3, warm_slabs: 4, slab_count: 8 }) },
    ],
    [
      "heap resident_bytes is 1001, but capacity_bytes is 1000",
      { heap: heapRow({ capacity_bytes: 1000, resident_bytes: 1001 }) },
    ],
    ["heap attached_workers is 65, but max_workers is 64", { heap: heapRow({ attached_workers: 65 }) }],
    ["current_epoch is 16, but epoch_count is 16", { current_epoch: 16 }],
    ["16 epochs are listed, but epoch_count is 17", { epoch_count: 17 }],
    ["net_slabs is -1", { net_slabs: -1 }],
    [
      "class 3 slow_path_hits is NaN",
      { classes: [classRow({ class_index: 3, slow_path_hits: Number.NaN })] },
    ],
    ["large live_objects is -5", { large: largeRow({ live_objects: -5n }) }],
  ])("%s", (sentence, values) => {
    const report = health(documentWith(values));
    expect(report).toMatchObject({ status: "unhealthy", live: false, ready: false });
    expect(report.issues[0]).toEqual({
      component: "document",
      status: "unhealthy",
      message: `The document contradicts itself: ${sentence}.`,
    });
  });

  test("a clock that somebody set says nothing about the heap", () => {
    expect(health(documentWith({ timestamp_ns: 5n }))).toMatchObject({ live: true, ready: true });
  });

  test("no snapshot", () => {
    const report = health({
      snapshot() {
        throw new RangeError("buffer gone");
      },
    });
    expect(report).toMatchObject({
      version: 1,
      status: "unhealthy",
      live: false,
      ready: false,
      uptime_sec: null,
    });
    expect(report.issues).toEqual([
      { component: "document", status: "unhealthy", message: "No snapshot could be taken: buffer gone" },
    ]);
    expect(Object.values(report.components).map((c) => c.status)).toEqual(Array(5).fill("unhealthy"));
  });
});

describe("thresholds", () => {
  test("given ones replace the defaults, and are shown", () => {
    const report = health(documentWith(committed(50)), { heapPressureWarnPct: 50, leakThresholdSec: 1 });
    expect(report.components.heap).toMatchObject({
      status: "degraded",
      thresholds: { heapPressureWarnPct: 50 },
    });
    expect(health(documentWith(leaks(1)), { leakThresholdSec: 60.5 }).status).toBe("ok");
  });

  test("Infinity switches one off", () => {
    const off = { leakCandidatesWarn: Infinity, leakCandidatesCritical: Infinity };
    expect(health(documentWith(leaks(100)), off).status).toBe("ok");
    const pressure = { heapPressureWarnPct: Infinity, heapPressureCriticalPct: Infinity };
    expect(health(documentWith(committed(100)), pressure)).toMatchObject({ status: "ok", ready: true });
  });

  test.each<[unknown, typeof InvalidTypeError | typeof InvalidValueError, RegExp]>([
    [{ heapPressure: 1 }, InvalidTypeError, /unknown option "heapPressure"; known are heapPressureWarnPct, /],
    [
      { slowPathWarnPct: "5" },
      InvalidTypeError,
      /"slowPathWarnPct" must be a number from 0 to 100, or Infinity.*"5"/,
    ],
    [{ slowPathWarnPct: 101 }, InvalidValueError, /"slowPathWarnPct".*got 101/],
    [{ deadSeatsWarn: 0.5 }, InvalidValueError, /"deadSeatsWarn" must be a whole number from 0 .*got 0.5/],
    [
      { leakThresholdSec: Infinity },
      InvalidValueError,
      /"leakThresholdSec" must be a number from 0 to 1000000000; got/,
    ],
    [
      { heapPressureWarnPct: 96 },
      InvalidValueError,
      /"heapPressureWarnPct" must be at most "heapPressureCriticalPct" \(95\)/,
    ],
    [{ leakCandidatesCritical: 0 }, InvalidValueError, /"leakCandidatesWarn" must be at most .*\(0\); got 1/],
    [5, InvalidTypeError, /must be an object; got 5/],
  ])("%j is refused", (thresholds, type, message) => {
    expect(() => health(documentWith(), thresholds as object)).toThrow(type);
    expect(() => health(documentWith(), thresholds as object)).toThrow(message);
  });

  test("previous must be a document", () => {
    expect(() => health(documentWith(), {}, {} as never)).toThrow(/^previous must be a stats document/);
  });
});

test("random documents: the status is the worst issue's, and nobody is ready who is not live", () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(anyDocument, (document) => {
      const { status, live, ready, issues, timestamp } = health(document);
      seen.add(`${status} ${live}`);
      expect(status).toBe(issues[0]?.status ?? "ok");
      expect(issues.some((issue) => issue.component === "document")).toBe(!live);
      expect(ready && !live).toBe(false);
      expect(new Date(timestamp).toISOString()).toBe(timestamp);
    }),
    { numRuns: 300 },
  );
  // Both kinds occur, or the above says nothing.
  expect([...seen].some((s) => s.endsWith("true"))).toBe(true);
  expect([...seen].some((s) => s.endsWith("false"))).toBe(true);
});
