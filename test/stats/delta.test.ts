/**
 * Defends: rates between two snapshots are exact at any size, come from every counter that is declared and from nothing
 * else, count from 0 after a restart however it shows, and gauges of one epoch are never compared with another's.
 * Method: a document and copies of it changed in one place; every declared counter in turn is moved on and back.
 */
import { describe, expect, test } from "vitest";
import { InvalidTypeError, InvalidValueError } from "../../src/allocator/errors.js";
import { snapshotDelta } from "../../src/stats/delta.js";
import type { EpochStats, StatsDocument } from "../../src/stats/document/document.js";
import type { Field } from "../../src/stats/document/field.js";
import * as F from "../../src/stats/document/fields.js";
import { readStats } from "../../src/stats/document/parse.js";
import { benchFile, ourDocument, statsDump } from "./document/fixtures.js";

type Row = Record<string, unknown>;
const SECOND = 1_000_000_000n;

const later = (document: StatsDocument, change: Partial<StatsDocument> = {}, seconds = 2): StatsDocument => ({
  ...document,
  timestamp_ns: document.timestamp_ns + BigInt(seconds) * SECOND,
  ...change,
});

const isCounter = ({ kind, type }: Field): boolean => kind === "counter" && type === "count";
const parts = [
  ["totals", F.TOP_FIELDS, (document: StatsDocument) => document],
  ["classes", F.CLASS_DOCUMENT_FIELDS, (document: StatsDocument) => document.classes[2]],
  ["heap", F.HEAP_FIELDS, (document: StatsDocument) => document.heap],
  ["large", F.LARGE_FIELDS, (document: StatsDocument) => document.large],
  ["workers", F.WORKER_FIELDS, (document: StatsDocument) => document.workers?.[1]],
  ["latency", F.LATENCY_FIELDS, (document: StatsDocument) => document.latency?.alloc],
] as const;

describe.each(parts)("%s", (part, fields, rowOf) => {
  const before = ourDocument();
  const moved = (name: string, by: number): StatsDocument => {
    const after = later(structuredClone(before));
    const row = rowOf(after) as unknown as Row;
    row[name] = (row[name] as number) + by;
    return after;
  };
  const rowIn = (delta: ReturnType<typeof snapshotDelta>): Row => {
    const rows: Record<string, unknown> = {
      classes: delta.classes[2],
      workers: delta.workers?.[1],
      latency: delta.latency?.alloc,
    };
    return (rows[part] ?? delta[part]) as Row;
  };
  const counters = fields.filter(isCounter).map((field) => field.name as string);

  test("has exactly the declared counters", () => {
    const names = Object.entries(rowIn(snapshotDelta(before, later(before))))
      .filter(([, value]) => typeof value === "object" && value !== null && "perSec" in value)
      .map(([name]) => name);
    expect(names).toEqual(counters);
  });

  test.each(counters)("%s", (name) => {
    const forward = snapshotDelta(before, moved(name, 6));
    expect(forward.restarted).toBe(false);
    expect(rowIn(forward)[name]).toEqual({ delta: 6, perSec: 3 });
    const others = counters.filter((other) => other !== name);
    for (const other of others) expect(rowIn(forward)[other]).toEqual({ delta: 0, perSec: 0 });

    // Grows from 1 so that there is something to go back from.
    const high = moved(name, 1);
    const back = snapshotDelta(high, later(before, {}, 4));
    expect(back.restarted).toBe(true);
    expect(back.reason).toContain(`${name} went back`);
    const value = (rowOf(before) as unknown as Record<string, number>)[name] as number;
    expect(rowIn(back)[name]).toEqual({ delta: value, perSec: value / 2 });
  });
});

describe("restarts", () => {
  const ours = ourDocument();
  const theirs = readStats(statsDump());
  const heap = (id: string) => ({ heap: { ...(ours.heap as NonNullable<StatsDocument["heap"]>), id } });
  const busier = { total_slow_path_hits: 58 };

  test.each([
    ["another heap", ours, later(ours, { ...heap("h2"), ...busier }), "heap.id differs"],
    ["ours after theirs", theirs, later(ours, busier), "heap.id differs"],
    ["another process", theirs, later(theirs, { pid: 5, ...busier }), "pid differs"],
    ["a clock from boot", theirs, later(theirs, busier, -5), "timestamp_ns went back"],
    [
      "fewer classes",
      theirs,
      later(theirs, { classes: theirs.classes.slice(1), ...busier }),
      "number of size",
    ],
    [
      "other classes",
      theirs,
      later(theirs, { classes: theirs.classes.map((row) => ({ ...row, object_size: 8 })), ...busier }),
      "size class 0 differs",
    ],
    [
      "an older era",
      theirs,
      later(theirs, { epochs: theirs.epochs.map((row) => ({ ...row, epoch_era: row.epoch_id })), ...busier }),
      "era of epoch 0 went back",
    ],
  ])("%s: counts from 0", (_name, before, after, reason) => {
    const delta = snapshotDelta(before, after);
    expect(delta.restarted).toBe(true);
    expect(delta.reason).toContain(reason);
    expect(delta.totals.total_slow_path_hits.delta).toBe(58);
    expect(delta.totals.total_slow_path_hits.perSec).toBe(delta.seconds > 0 ? 29 : null);
    expect(delta.classes.map((row) => row.bitmap_alloc_attempts.delta)).toEqual(
      after.classes.map((row) => row.bitmap_alloc_attempts),
    );
    expect(delta.epochs.map((epoch) => epoch.status)).toEqual(Array(16).fill("new"));
  });

  test.each([
    ["the same heap", ours, later(ours)],
    ["the same process", theirs, later(theirs)],
    ["an unknown process", { ...theirs, pid: 0 }, later(theirs)],
    ["another process of the same heap", ours, later(ours, { pid: 5 })],
    ["a seat that is gone", ours, later(ours, { workers: ours.workers?.slice(1) as never })],
  ])("%s is none", (_name, before, after) => {
    const delta = snapshotDelta(before, after);
    expect(delta.restarted).toBe(false);
    expect(delta).not.toHaveProperty("reason");
    expect(delta.totals.total_slow_path_hits).toEqual({ delta: 0, perSec: 0 });
  });

  test("arguments of one heap in the wrong order are refused", () => {
    const after = later(ours, busier);
    expect(() => snapshotDelta(after, ours)).toThrow(InvalidValueError);
    expect(() => snapshotDelta(after, ours)).toThrow("2 s older than the first one of the same heap");
  });

  test("a clock set back is no restart, but no rate can be told", () => {
    const delta = snapshotDelta(ours, later(ours, busier, -3600));
    expect(delta).toMatchObject({ restarted: false, seconds: -3600 });
    expect(delta.totals.total_slow_path_hits).toEqual({ delta: 8, perSec: null });
  });

  test("no time, no rate", () => {
    const delta = snapshotDelta(ours, { ...ours, ...busier });
    expect(delta.totals.total_slow_path_hits).toEqual({ delta: 8, perSec: null });
    expect(delta.heap?.syncs).toEqual({ delta: 0, perSec: null });
  });

  test("what is no document is refused", () => {
    const json = JSON.parse('{"timestamp_ns": 5, "classes": []}');
    expect(() => snapshotDelta(json, ours)).toThrow(InvalidTypeError);
    expect(() => snapshotDelta(ours, undefined as never)).toThrow("second snapshot is no stats document");
  });
});

describe("differences", () => {
  const before = ourDocument();

  test("are exact beyond 2^53, also of fractions of a second", () => {
    const huge = 2n ** 63n;
    const first = { ...before, total_madvise_bytes: huge };
    const second = {
      ...first,
      timestamp_ns: first.timestamp_ns + 1n,
      total_madvise_bytes: huge + 3n,
      total_slabs_recycled: 2n ** 60n,
    };
    const { totals, seconds } = snapshotDelta(first, second);
    expect(seconds).toBe(1e-9);
    expect(totals.total_madvise_bytes).toEqual({ delta: 3, perSec: 3 / 1e-9 });
    expect(totals.total_slabs_recycled.delta).toBe(2n ** 60n - 50n);
  });

  test("a new seat counts from 0", () => {
    const [first] = before.workers ?? [];
    const row = { ...(first as NonNullable<typeof first>), seat: 3, alloc_count: 40 };
    const workers = snapshotDelta(
      before,
      later(before, { workers: [...(before.workers ?? []), row] }),
    ).workers;
    expect(workers?.map((worker) => [worker.seat, worker.alloc_count.delta])).toEqual([
      [1, 0],
      [2, 0],
      [3, 40],
    ]);
  });

  test("latency buckets, where anything was added", () => {
    const after = structuredClone(later(before)) as StatsDocument;
    Object.assign(after.latency?.alloc as object, {
      count: 15,
      buckets: [
        [0, 1],
        [96, 7],
        [1024, 7],
      ],
    });
    const { latency } = snapshotDelta(before, after);
    expect(latency?.alloc.count).toEqual({ delta: 10, perSec: 5 });
    expect(latency?.alloc.buckets).toEqual([
      [96, 3],
      [1024, 7],
    ]);
    expect(latency?.slow_path.buckets).toEqual([]);
  });

  test("parts that a document lacks are lacking", () => {
    const theirs = readStats(statsDump());
    const delta = snapshotDelta(theirs, later(theirs));
    for (const part of ["heap", "large", "workers", "latency"]) expect(delta).not.toHaveProperty(part);
  });
});

describe("epochs", () => {
  const before = ourDocument();
  const withEpoch = (id: number, change: Partial<EpochStats>): StatsDocument =>
    later(before, {
      epochs: before.epochs.map((epoch) => (epoch.epoch_id === id ? { ...epoch, ...change } : epoch)),
    });
  const deltaOf = (first: StatsDocument, second: StatsDocument, id: number) =>
    snapshotDelta(first, second).epochs.find((epoch) => epoch.epoch_id === id);

  test("the same one: how its gauges changed", () => {
    const after = withEpoch(12, { age_sec: 602.5, refcount: 1, live_bytes: 2n ** 60n, state: "ACTIVE" });
    expect(deltaOf(before, after, 12)).toMatchObject({
      status: "same",
      epoch_era: 9996,
      previous_era: 9996,
      state: "ACTIVE",
      previous_state: "CLOSING",
      label: "background-worker-3",
      age_sec: { value: 602.5, change: 2.5 },
      refcount: { value: 1, change: -1 },
      live_bytes: { value: 2n ** 60n, change: 2n ** 60n },
      total_partial_slabs: { value: 3, change: 0 },
    });
    expect(snapshotDelta(before, after).restarted).toBe(false);
  });

  test.each([16, 48, 16 * 2 ** 16])("the slot went round, %i eras later: nothing is subtracted", (eras) => {
    const after = withEpoch(12, {
      epoch_era: 9996 + eras,
      age_sec: 0.5,
      refcount: 0,
      total_partial_slabs: 9,
    });
    expect(deltaOf(before, after, 12)).toMatchObject({
      status: "advanced",
      epoch_era: 9996 + eras,
      previous_era: 9996,
      age_sec: { value: 0.5, change: null },
      total_partial_slabs: { value: 9, change: null },
    });
    expect(snapshotDelta(before, after).restarted).toBe(false);
  });

  test("a slot that held none before is new, one that holds none is left out", () => {
    const unopened = withEpoch(12, { opened: false, epoch_era: 12 });
    expect(deltaOf(unopened, later(before, {}, 5), 12)).toMatchObject({
      status: "new",
      previous_era: null,
      previous_state: null,
      refcount: { value: 2, change: null },
    });
    expect(deltaOf(unopened, later(unopened), 12)).toBeUndefined();
    expect(snapshotDelta({ ...before, epochs: [] }, later(before)).epochs).toHaveLength(16);
  });

  test("have exactly the declared gauges, times aside", () => {
    const [epoch] = snapshotDelta(before, later(before)).epochs;
    const names = Object.entries(epoch as object).filter(
      ([, value]) => typeof value === "object" && value !== null,
    );
    const gauges = F.EPOCH_DOCUMENT_FIELDS.filter((field) => field.kind === "gauge" && field.type !== "ns");
    expect(names.map(([name]) => name)).toEqual(gauges.map((field) => field.name));
  });

  test("of the C allocator's benchmark file, over a wrap", () => {
    const first = readStats(benchFile());
    const source = benchFile();
    source.timestamp_ns = (source.timestamp_ns as bigint) + 10n * SECOND;
    for (const row of source.epochs) {
      if (row.epoch_id === 1) Object.assign(row, { epoch_era: 17, open_since_ns: source.timestamp_ns });
    }
    const delta = snapshotDelta(first, readStats(source));
    expect(delta).toMatchObject({ seconds: 10, restarted: false });
    expect(delta.epochs.map((epoch) => epoch.status)).toEqual(["same", "advanced", "same", "same"]);
    expect(delta.epochs[2]?.age_sec).toEqual({ value: 40, change: 10 });
  });
});
