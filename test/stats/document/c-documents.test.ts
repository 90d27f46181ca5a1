/**
 * Defends: documents of the C allocator, in both of its shapes, read as if this package had written them: each fault
 * listed in c-documents.ts is put right, and what can be told about our own keys is there.
 * Method: both shapes written by hand with the faults in them, changed in one place per test.
 */
import { describe, expect, test } from "vitest";
import { InvalidTypeError, InvalidValueError } from "../../../src/allocator/errors.js";
import { detectEpochLeaks } from "../../../src/stats/diagnostics/leaks.js";
import { analyzeReclamation } from "../../../src/stats/diagnostics/reclamation.js";
import { parseJsonExact, stringifyStats } from "../../../src/stats/document/json.js";
import { readStats } from "../../../src/stats/document/parse.js";
import { benchFile, MONOTONIC_NS, REAL_NS, SIZES, statsDump } from "./fixtures.js";

test.each([
  ["first shape", statsDump()],
  ["second shape", benchFile()],
])("%s: memory around a close is kept, of pages released meanwhile it says nothing", (_name, source) => {
  const facts = { rss_before_close: 9_000_000, rss_after_close: 5_000_000 };
  const document = readStats({ ...source, epochs: source.epochs.map((row) => ({ ...row, ...facts })) });
  expect(document.epochs[0]).toMatchObject({
    ...facts,
    madvise_bytes: 0,
    close_madvise_bytes: 0,
    cooperation_pct: null,
  });
  const report = analyzeReclamation(document);
  expect(report).toMatchObject({ warm_bytes: null, resident_bytes: null, heuristics: [] });
});

const epochOf = (document: ReturnType<typeof readStats>, id: number) =>
  document.epochs.find((epoch) => epoch.epoch_id === id);
/** The same document as text, read from there. */
const fromText = (source: object) => readStats(stringifyStats(source as never));

describe("first shape", () => {
  test("reads the same from text, with every digit of the time", () => {
    const document = fromText(statsDump());
    expect(document).toEqual(readStats(statsDump()));
    expect(document.timestamp_ns).toBe(REAL_NS);
    expect(document.classes).toHaveLength(8);
    expect(document.epochs.map((epoch) => epoch.epoch_id)).toEqual(Array.from({ length: 16 }, (_, i) => i));
    expect(document.classes[2]?.contention_by_label).toEqual({ lock_contended: { "0": 4, "1": 6 } });
    expect(document.label_registry.labels).toEqual({ "0": "(unlabeled)", "1": "worker" });
    expect([document.heap, document.workers, document.benchmark]).toEqual([undefined, undefined, undefined]);
  });

  test("once repaired, it is one of our documents and is not repaired again", () => {
    const once = readStats(statsDump());
    expect(readStats(stringifyStats(once))).toEqual(once);
  });

  test("current_epoch is a ring slot", () => {
    expect(readStats(statsDump()).current_epoch).toBe(10002 % 16);
    expect(readStats({ ...statsDump(), current_epoch: 2 ** 32 - 1 }).current_epoch).toBe(15);
  });

  test("net_slabs and what follows from it are what the lists hold", () => {
    const document = readStats(statsDump());
    expect(document.classes[2]).toMatchObject({
      net_slabs: 5,
      estimated_rss_bytes: 5 * 4096,
      committed_bytes: 5 * 4096,
    });
    expect(document).toMatchObject({ net_slabs: 5, estimated_slab_rss_bytes: 5 * 4096, slab_bytes: 4096 });
    // Not above its new slabs, but the cache makes that difference wrong just as well.
    const dump = statsDump();
    Object.assign(dump.classes[2] as object, {
      new_slab_count: 57,
      net_slabs: 7,
      estimated_rss_bytes: 28672,
    });
    expect(readStats(dump).net_slabs).toBe(5);
  });

  test("net_slabs of a class without lists stays", () => {
    const dump = statsDump();
    dump.classes[2] = { ...dump.classes[2], net_slabs: 7, total_partial_slabs: undefined };
    expect(readStats(dump).classes[2]).toMatchObject({ net_slabs: 7, estimated_rss_bytes: 7 * 4096 });
  });

  test.each([4294967262, 2 ** 31, 8589934550, 18446744073709551615n])(
    "%s slabs or references are none",
    (value) => {
      const dump = statsDump();
      const names = ["refcount", "total_partial_slabs", "total_full_slabs", "total_reclaimable_slabs"];
      for (const name of names) {
        const row = { ...dump.epochs[5], [name]: value };
        const epoch = epochOf(fromText({ ...dump, epochs: [row] }), 5);
        expect(epoch).toHaveProperty(name, 0);
      }
      const row = { ...dump.epochs[5], total_reclaimable_slabs: 2 ** 31 - 1 };
      expect(epochOf(readStats({ ...dump, epochs: [row] }), 5)?.total_reclaimable_slabs).toBe(2 ** 31 - 1);
    },
  );

  test("recycle_rate_pct is kept, and where missing recycled / (recycled + overflowed)", () => {
    const dump = statsDump();
    const row = dump.classes[2] as Record<string, unknown>;
    row.recycle_rate_pct = 12.5;
    expect(readStats(dump).classes[2]?.recycle_rate_pct).toBe(12.5);
    delete row.recycle_rate_pct;
    row.empty_slab_overflowed = 150;
    expect(readStats(dump).classes[2]?.recycle_rate_pct).toBe(25);
    expect(readStats(dump).classes[2]).toMatchObject({
      avg_alloc_cas_retries_per_attempt: 0.02,
      avg_free_cas_retries_per_attempt: 0,
      lock_contention_rate: 0.25,
    });
  });

  test("totals that are missing are class sums, those that are there stay", () => {
    const document = readStats({ ...statsDump(), total_bitmap_free_attempts: 7 });
    expect(document.total_bitmap_alloc_attempts).toBe(800);
    expect(document.total_bitmap_alloc_cas_retries).toBe(28);
    expect(document.total_bitmap_free_attempts).toBe(7);
  });

  test("after a wrap 15 slots were opened and closed, and one is open", () => {
    const document = readStats({ ...statsDump(), active_epoch_count: 99, closing_epoch_count: 99 });
    expect([document.active_epoch_count, document.closing_epoch_count]).toEqual([1, 15]);
    expect(document.epochs.every((epoch) => epoch.opened)).toBe(true);
  });

  test("a domain that was never left keeps its epoch, its slabs and its age", () => {
    const document = readStats(statsDump());
    expect(epochOf(document, 12)).toMatchObject({
      state: "CLOSING",
      opened: true,
      refcount: 2,
      age_sec: 600,
      oldest_age_sec: 600,
      oldest_era: 9996,
      live_objects: 3,
      older_slabs: 0,
      discarded: false,
      label: "background-worker-3",
    });
    // Entered, though nothing was allocated.
    const dump = statsDump();
    dump.epochs[12] = { ...dump.epochs[12], total_partial_slabs: 0 };
    expect(epochOf(readStats(dump), 12)).toMatchObject({
      live_objects: 0,
      oldest_era: 0,
      oldest_age_sec: 600,
    });
    // Nothing left in it.
    expect(epochOf(document, 13)).toMatchObject({ live_objects: 0, oldest_era: 0, oldest_age_sec: 0 });
  });

  test("live objects of a class are allocations minus frees, never below zero", () => {
    const dump = statsDump();
    Object.assign(dump.classes[1] as object, { bitmap_alloc_attempts: 5, bitmap_free_attempts: 6 });
    const document = readStats(dump);
    expect(document.classes[2]).toMatchObject({ live_objects: 10, live_bytes: 1280 });
    expect(document.classes[1]).toMatchObject({ live_objects: 0, live_bytes: 0 });
  });

  test("in a fresh allocator slot 0 is open, and no other", () => {
    const fresh = { epoch_era: 0, state: "ACTIVE", age_sec: 0, refcount: 0 };
    const epochs = Array.from({ length: 16 }, (_, epoch_id) => ({ epoch_id, ...fresh }));
    const document = readStats({ ...statsDump(), current_epoch: 0, active_epoch_count: 16, epochs });
    expect(document.epochs.map((epoch) => epoch.opened)).toEqual([true, ...Array(15).fill(false)]);
    expect([document.active_epoch_count, document.closing_epoch_count]).toEqual([1, 0]);
  });

  test("very old documents without eras, epochs and contention counters", () => {
    const { epochs, label_registry: _, ...dump } = statsDump();
    const bare = readStats(dump);
    expect(bare.epochs).toEqual([]);
    expect([bare.active_epoch_count, bare.closing_epoch_count]).toEqual([1, 15]);

    const unstamped = epochs.map((epoch) => ({ ...epoch, epoch_era: 0 }));
    const document = readStats({ ...dump, epochs: unstamped });
    // Age 0 stays: without eras nothing says that this slot is older than the one of 600 s.
    expect(epochOf(document, 0)).toMatchObject({ opened: true, age_sec: 0 });
    expect(epochOf(document, 12)).toMatchObject({ opened: true, age_sec: 600, oldest_age_sec: 600 });
  });
});

describe("second shape", () => {
  test("128 rows become 16 epochs", () => {
    const source = benchFile();
    expect(source.epochs).toHaveLength(128);
    const document = fromText(source);
    expect(document).toEqual(readStats(source));
    expect(document.epochs.map((epoch) => epoch.epoch_id)).toEqual(Array.from({ length: 16 }, (_, i) => i));
    expect(document.timestamp_ns).toBe(MONOTONIC_NS);
  });

  test("rows of any order and number are folded by ring slot", () => {
    const source = benchFile();
    const shuffled = { ...source, epochs: [...source.epochs].reverse() };
    expect(readStats(shuffled).epochs).toEqual(readStats(source).epochs);
    const few = readStats({ ...source, epochs: source.epochs.slice(1, 3) });
    expect(few.epochs.map((epoch) => epoch.epoch_id)).toEqual([1, 2]);
  });

  test("sums by slot, rows with slabs as its eras", () => {
    const epoch = epochOf(readStats(benchFile()), 1);
    expect(epoch).toMatchObject({
      epoch_era: 1,
      state: "CLOSING",
      label: "leaky",
      total_partial_slabs: 8,
      total_full_slabs: 2,
      total_reclaimable_slabs: 4,
      estimated_rss_bytes: 40960,
      rss_before_close: 1000000,
      rss_after_close: 900000,
      live_objects: 6,
      live_bytes: 3 * 128 + 3 * 384,
      oldest_era: 1,
      oldest_age_sec: 90.5,
    });
    const era = {
      epoch_era: 1,
      label: "leaky",
      age_sec: 90.5,
      total_partial_slabs: 4,
      total_full_slabs: 1,
      total_reclaimable_slabs: 2,
      live_objects: 3,
    };
    expect(epoch?.eras).toEqual([
      { ...era, class_index: 2, object_size: 128, estimated_rss_bytes: 20480, live_bytes: 384 },
      { ...era, class_index: 5, object_size: 384, estimated_rss_bytes: 20480, live_bytes: 1152 },
    ]);
    expect(epochOf(readStats(benchFile()), 2)?.eras).toEqual([]);
  });

  test("age comes from open_since_ns, on the clock of timestamp_ns", () => {
    const document = readStats(benchFile());
    expect(document.epochs.slice(1, 4).map((epoch) => epoch.age_sec)).toEqual([90.5, 30, 0.008]);
    const later = { ...benchFile(), timestamp_ns: 5 };
    expect(readStats(later).epochs.map((epoch) => epoch.age_sec)).toEqual(Array(16).fill(0));
  });

  test("alloc_count is the refcount, and wraps below zero like it", () => {
    const source = benchFile();
    expect(epochOf(readStats(source), 3)?.refcount).toBe(1);
    for (const row of source.epochs) row.alloc_count = 18446744073709551615n;
    expect(epochOf(fromText(source), 3)?.refcount).toBe(0);
    for (const row of source.epochs) row.reclaimable_slab_count = 4294967262;
    expect(epochOf(fromText(source), 1)).toMatchObject({ total_reclaimable_slabs: 0, live_objects: 10 });
  });

  test("epoch 0 is as old as the oldest epoch after it; slots that were never opened are told apart", () => {
    const document = readStats(benchFile());
    expect(epochOf(document, 0)).toMatchObject({
      opened: true,
      state: "CLOSING",
      epoch_era: 0,
      age_sec: 90.5,
    });
    const source = benchFile();
    Object.assign(source.epochs[0] as object, { full_slab_count: 1, estimated_rss_bytes: 4096 });
    expect(epochOf(readStats(source), 0)).toMatchObject({ oldest_age_sec: 90.5, eras: [{ age_sec: 90.5 }] });
    expect(document.epochs.map((epoch) => epoch.opened)).toEqual(
      Array.from({ length: 16 }, (_, id) => id <= 3),
    );
    expect(epochOf(document, 9)).toMatchObject({ state: "ACTIVE", age_sec: 0, oldest_age_sec: 0 });
    expect([document.active_epoch_count, document.closing_epoch_count]).toEqual([1, 3]);
  });

  test("an allocation into a slot that was never advanced to counts as opened", () => {
    const source = benchFile();
    const row = source.epochs.find((epoch) => epoch.epoch_id === 9 && epoch.class_index === 4);
    Object.assign(row as object, { partial_slab_count: 1, estimated_rss_bytes: 4096 });
    expect(epochOf(readStats(source), 9)).toMatchObject({ opened: true, live_objects: 1 });
  });

  test("rows that were written while the epoch changed follow the newest one", () => {
    const source = benchFile();
    const rows = source.epochs.filter((epoch) => epoch.epoch_id === 1);
    for (const row of rows.slice(0, 3)) Object.assign(row, { state: "ACTIVE", label: "early" });
    expect(epochOf(readStats(source), 1)).toMatchObject({ state: "CLOSING", label: "leaky" });
    for (const row of rows.slice(6)) Object.assign(row, { epoch_era: 17, state: "ACTIVE", label: "next" });
    const epoch = epochOf(readStats(source), 1);
    expect(epoch).toMatchObject({ epoch_era: 17, state: "ACTIVE", label: "next" });
    expect(epoch?.eras.map((era) => era.epoch_era)).toEqual([17, 17]);
  });

  test("live objects of a class come from its slabs, as there are no frees", () => {
    const { classes } = readStats(benchFile());
    expect(classes[2]).toMatchObject({ live_objects: 3, live_bytes: 384, empty_slabs_count: 2 });
    expect(classes[3]).toMatchObject({ live_objects: 0, empty_slabs_count: 0 });
    expect(classes[2]?.avg_alloc_cas_retries_per_attempt).toBe(70 / 280000);
  });

  test("figures of the benchmark are kept by their names, and survive being written", () => {
    const document = readStats(benchFile());
    expect(document.benchmark).toEqual({
      benchmark_requests_completed: 2000,
      benchmark_objects_allocated: 280000,
      benchmark_objects_freed: 279980,
      benchmark_objects_leaked: 20,
    });
    expect(readStats(stringifyStats(document))).toEqual(document);
    expect(parseJsonExact(stringifyStats(document))).not.toHaveProperty("benchmark_objects_leaked");
  });

  test.each([
    ["epoch_id", 16, InvalidValueError, "must be below epoch_count, 16"],
    ["epoch_id", undefined, InvalidValueError, "must be a whole number from 0"],
    ["class_index", undefined, InvalidValueError, "must be a whole number from 0"],
    ["state", "OPEN", InvalidValueError, 'must be "ACTIVE" or "CLOSING"'],
    ["open_since_ns", "soon", InvalidTypeError, "must be a whole number from 0"],
    ["alloc_count", "none", InvalidTypeError, "must be a whole number from 0"],
    ["partial_slab_count", -1, InvalidValueError, "must be a whole number from 0"],
  ])("%s = %s is refused with its path", (name, value, error, message) => {
    const source = benchFile();
    (source.epochs[37] as Record<string, unknown>)[name] = value;
    expect(() => readStats(source)).toThrow(error);
    expect(() => readStats(source)).toThrow(
      new RegExp(`^stats document: epochs\\[37\\]\\.${name} is .*; it ${message}`),
    );
  });
});

test("both shapes list the eight classes", () => {
  for (const source of [statsDump(), benchFile()]) {
    expect(readStats(source).classes.map((row) => row.object_size)).toEqual(SIZES);
  }
});

test("leaks that the C allocator's own detector misses are found: it asks for references only", () => {
  const { candidates } = detectEpochLeaks(readStats(benchFile()));
  const found = candidates.map(({ kind, epoch_id, class_index, age_sec, label }) => [
    kind,
    epoch_id,
    class_index,
    age_sec,
    label,
  ]);
  expect(found).toEqual([
    ["object", 1, 2, 90.5, "leaky"],
    ["object", 1, 5, 90.5, "leaky"],
  ]);
  const domains = detectEpochLeaks(readStats(statsDump())).candidates;
  expect(domains).toMatchObject([{ kind: "domain", epoch_id: 12, alloc_count: 2, age_sec: 600 }]);
});
