/**
 * Defends: a live state says of every ring slot, class, rate and leak what the document says; it is plain JSON whatever
 * the document is, the C allocator's in both shapes included.
 * Method: states of arbitrary documents against sums computed here; heaps driven through known work; the C fixtures.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type LiveState, liveState } from "../../src/http.js";
import { InvalidTypeError, SlabHeap } from "../../src/index.js";
import { readStats, StatsReader } from "../../src/stats.js";
import {
  anyDocument,
  classRow,
  documentWith,
  epochRow,
  eraRow,
  heapRow,
  NOW_NS,
} from "../stats/diagnostics/builder.js";
import { benchFile, statsDump } from "../stats/document/fixtures.js";

const total = (map: LiveState["slabMap"]): number => map.flat().reduce((sum, count) => sum + count, 0);

test("any document makes a state that survives JSON", () => {
  fc.assert(
    fc.property(anyDocument, anyDocument, (document, previous) => {
      const small = { ...document, epoch_count: document.epoch_count % 64 };
      const state = liveState(small, previous);
      expect(JSON.parse(JSON.stringify(state))).toEqual(state);
      expect(state.epochs.map(({ id }) => id)).toEqual(
        Array.from({ length: small.epoch_count }, (_, id) => id),
      );
      for (const map of [state.slabMap, state.slabMapLive]) {
        expect(map).toHaveLength(state.classes.length);
        for (const row of map) expect(row).toHaveLength(state.epochCount);
      }
      expect(state.leaks.length).toBe(Math.min(10, state.leakCount));
    }),
    { numRuns: 100 },
  );
});

test("of a heap that does known work", () => {
  const heap = SlabHeap.create({ capacity: 4 * 1024 * 1024 });
  const reader = StatsReader.open(heap);
  const domain = heap.openDomain({ label: "job" });
  const handles = Array.from({ length: 3000 }, () => domain.alloc(128));
  const large = heap.alloc(300_000);
  const before = reader.snapshot();
  const closed = heap.currentEpoch;
  domain.exit();
  heap.closeEpoch(closed);
  for (const handle of handles.slice(0, 1000)) heap.free(handle);
  const after = reader.snapshot();
  const first = liveState(before);
  expect(first).toMatchObject({
    version: 1,
    source: "temporal-slab",
    heapId: before.heap.id,
    pid: process.pid,
    rates: null,
    epochCount: 16,
    leaks: [],
    leakCount: 0,
    health: { status: "ok", live: true, ready: true },
  });
  expect(first.classes.at(-1)).toEqual({ index: -1, objectSize: 0 });
  const row = first.classes.findIndex(({ objectSize }) => objectSize === 128);
  expect(first.slabMapLive[row]?.[closed.id]).toBe(3000);
  expect(total(first.slabMap)).toBe(Number(before.heap.committed_bytes) / before.slab_bytes);
  expect(first.epochs[closed.id]).toMatchObject({
    state: "ACTIVE",
    current: true,
    refcount: 1,
    label: "job",
  });
  expect(first.epochs.filter(({ state }) => state === "UNUSED")).toHaveLength(15);

  const second = liveState(after, before, { thresholds: { leakThresholdSec: 0 } });
  const { rates } = second;
  const seconds = rates?.seconds ?? 0;
  expect(seconds).toBeCloseTo(Number(after.timestamp_ns - before.timestamp_ns) / 1e9, 9);
  expect((rates?.freesPerSec ?? 0) * seconds).toBeCloseTo(1000, 6);
  expect((rates?.closesPerSec ?? 0) * seconds).toBeCloseTo(1, 6);
  expect(rates?.allocsPerSec).toBe(0);
  expect(second.epochs[closed.id]).toMatchObject({ state: "CLOSING", current: false, refcount: 0 });
  expect(second.leaks).toHaveLength(1);
  expect(second.leaks[0]).toMatchObject({
    kind: "object",
    epochId: closed.id,
    era: closed.era,
    liveObjects: 2001,
  });
  expect(second.leaks[0]?.sentence).toContain("never freed");
  expect(second.heap).toMatchObject({
    capacityBytes: heap.capacity,
    liveObjects: 2001,
    attachedWorkers: 1,
    residentBytes: after.heap.resident_bytes,
    warmBytes: after.heap.warm_bytes,
  });
  expect(heap.isLive(large)).toBe(true);
});

describe("rates", () => {
  const at = (second: number, id: string, allocs: number) =>
    documentWith({
      timestamp_ns: NOW_NS + BigInt(second) * 10n ** 9n,
      heap: heapRow({ id, alloc_count: allocs }),
      classes: [classRow({ epoch_close_scanned_slabs: allocs * 4, epoch_close_recycled_slabs: allocs })],
    });
  const rates = (before: ReturnType<typeof at>, after: ReturnType<typeof at>) =>
    liveState(after, before).rates;

  test("are per second of the time between", () => {
    expect(rates(at(0, "a", 10), at(2, "a", 30))).toMatchObject({
      seconds: 2,
      allocsPerSec: 10,
      closeYieldPct: 25,
    });
    expect(rates(at(0, "a", 10), at(2, "a", 10))?.closeYieldPct).toBeNull();
  });

  test("are null where nothing can be compared: a restart, no time, the wrong order", () => {
    expect(rates(at(0, "a", 10), at(2, "b", 30))).toBeNull();
    expect(rates(at(1, "a", 10), at(1, "a", 10))).toBeNull();
    expect(rates(at(2, "a", 30), at(0, "a", 10))).toBeNull();
    expect(liveState(at(0, "a", 10)).rates).toBeNull();
  });
});

test("ten leaks are listed, all are counted", () => {
  const epochs = Array.from({ length: 16 }, (_, id) =>
    epochRow({
      epoch_id: id,
      epoch_era: 16 + id,
      age_sec: 100,
      label: `job-${id}`,
      eras: [0, 1].map((class_index) =>
        eraRow({ epoch_era: 16 + id, class_index, total_full_slabs: id + 1, live_objects: 1 }),
      ),
    }),
  );
  const state = liveState(documentWith({ epoch_count: 16, current_epoch: 3, epochs }));
  expect([state.leakCount, state.leaks.length]).toEqual([16, 10]);
  expect(state.leaks[0]).toMatchObject({ epochId: 15, label: "job-15" });
});

describe("documents of the C allocator", () => {
  test.each([
    ["first shape", statsDump()],
    ["second shape", benchFile()],
  ])("%s", (_name, json) => {
    const document = readStats(json);
    const state = liveState(document);
    expect(state).toMatchObject({ source: "c", uptimeSec: null, epochCount: document.epoch_count });
    expect(state.heap).toMatchObject({
      capacityBytes: null,
      slabCount: null,
      attachedWorkers: null,
      residentBytes: null,
      warmBytes: null,
    });
    const slabs = document.epochs.reduce(
      (sum, row) => sum + row.total_partial_slabs + row.total_full_slabs,
      0,
    );
    expect(total(state.slabMap)).toBe(slabs);
    expect(JSON.parse(JSON.stringify(state))).toEqual(state);
  });
});

test("what is no document is refused", () => {
  for (const value of [undefined, null, {}, "x", { ...documentWith(), timestamp_ns: 1 }]) {
    expect(() => liveState(value as never)).toThrow(InvalidTypeError);
  }
  expect(() => liveState(documentWith(), undefined, { threshold: {} } as never)).toThrow(InvalidTypeError);
});
