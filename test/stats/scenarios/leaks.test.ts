/**
 * Defends: the two mistakes that keep memory from coming back are found in a real heap and told apart: a domain entered and
 * never left, and an object never freed, in the ring or long after its ring slot went on; a healthy heap is called healthy.
 * Method: each mistake is made in a small heap whose clock is set forward by hand; the leak detector and the doctor read
 * it through a reader.
 */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { SlabHeap } from "../../../src/allocator/heap/heap.js";
import { reapSeat } from "../../../src/allocator/seats/reap.js";
import { detectEpochLeaks, doctor, StatsReader } from "../../../src/stats/index.js";
import { another, SLAB, smallHeap } from "../../allocator/support.js";

const START = 1_790_000_000_000;

let heap: SlabHeap;
let reader: StatsReader;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: START });
  heap = smallHeap();
  reader = StatsReader.open(heap);
});
afterEach(() => {
  heap.detach();
  vi.useRealTimers();
});

const pass = (seconds: number): void => {
  vi.setSystemTime(Date.now() + seconds * 1000);
};
const leaks = () => detectEpochLeaks(reader);
const findings = () =>
  doctor(reader).findings.filter(({ code }) => code === "domain-leak" || code === "object-leak");

/** What a well-behaved program does: every request in its own epoch, everything freed or discarded. */
function healthyWork(requests: number): void {
  for (let i = 0; i < requests; i++) {
    using request = heap.openDomain({ label: "request", autoClose: true });
    const objects = Array.from({ length: 20 }, (_, k) => request.alloc(1 + k * 50));
    if (i % 3 === 0) heap.discardEpoch(request.epoch);
    else for (const object of objects) heap.free(object);
    pass(5);
  }
}

describe("a domain entered twice and never left", () => {
  beforeEach(() => {
    for (let i = 0; i < 12; i++) heap.advanceEpoch();
    const domain = heap.openDomain({ label: "background-worker-3" }).enter();
    domain.alloc(100);
    heap.advanceEpoch();
  });

  test("is named with epoch, label, age and both references", () => {
    pass(600);
    expect(leaks()).toMatchObject({ candidate_count: 1, top_count: 1, threshold_sec: 60 });
    expect(leaks().candidates[0]).toMatchObject({
      kind: "domain",
      epoch_id: 12,
      epoch_era: 28,
      label: "background-worker-3",
      age_sec: 600,
      refcount: 2,
      alloc_count: 2,
      class_index: 1,
      object_size: 128,
      live_objects: 1,
      estimated_rss_bytes: SLAB,
    });
    const diagnosis = doctor(reader);
    expect(diagnosis).toMatchObject({ healthy: false, leaks: 1 });
    expect(diagnosis.text).toContain(
      "epoch 12 (background-worker-3) open 10 min, refcount=2: entered twice, never exited",
    );
    expect(findings()).toMatchObject([{ code: "domain-leak", origin: "application", data: { refcount: 2 } }]);
  });

  test("is no leak before the threshold, nor once it was left and emptied", () => {
    pass(59);
    expect(leaks().candidates).toEqual([]);
    pass(1);
    expect(leaks().candidate_count).toBe(1);
    heap.domains[0].exit();
    expect(leaks().candidates[0]).toMatchObject({ kind: "domain", refcount: 1 });
    heap.domains[0].exit();
    expect(leaks().candidates[0]).toMatchObject({ kind: "object", refcount: 0, alloc_count: 1 });
    heap.discardEpoch({ id: reader.epochs()[12].epoch_id as never, era: 28 });
    expect(leaks().candidates).toEqual([]);
  });

  test("of a thread that died is no leak after it was reaped", () => {
    const other = another(heap);
    other.openDomain({ label: "died inside" });
    heap.advanceEpoch();
    pass(100);
    expect(
      leaks()
        .candidates.map((row) => row.label)
        .sort(),
    ).toEqual(["background-worker-3", "died inside"]);
    reapSeat(heap._a, other.seat, other.incarnation);
    other.poll();
    expect(leaks().candidates.map((row) => row.label)).toEqual(["background-worker-3"]);
  });
});

test("a reference retained and never released is a domain leak too", () => {
  heap.retainEpoch(heap.currentEpoch.id);
  heap.advanceEpoch();
  pass(61);
  expect(leaks().candidates).toMatchObject([{ kind: "domain", refcount: 1, age_sec: 61, live_objects: 0 }]);
  heap.releaseEpoch(0 as never);
  expect(leaks().candidates).toEqual([]);
});

describe("objects never freed", () => {
  test("are counted by class, with the label of their epoch", () => {
    {
      using request = heap.openDomain({ label: "GET /users", autoClose: true });
      const objects = Array.from({ length: 40 }, () => request.alloc(64));
      for (const object of objects.slice(3)) heap.free(object);
      for (let i = 0; i < 5; i++) request.alloc(1000);
      request.alloc(3 * SLAB);
    }
    pass(90);
    const { candidates } = leaks();
    expect(
      candidates.map((row) => [row.class_index, row.object_size, row.live_objects, row.estimated_rss_bytes]),
    ).toEqual([
      [-1, 0, 1, 3 * SLAB],
      [2, 1024, 5, 2 * SLAB],
      [0, 64, 3, SLAB],
    ]);
    for (const row of candidates) {
      expect(row).toMatchObject({
        kind: "object",
        label: "GET /users",
        age_sec: 90,
        refcount: 0,
        epoch_era: 16,
      });
      expect(row.alloc_count).toBe(row.live_objects);
    }
    expect(detectEpochLeaks(reader, { top: 1 })).toMatchObject({ candidate_count: 3, top_count: 1 });
    const [finding] = findings();
    expect(finding).toMatchObject({ code: "object-leak", origin: "application", data: { live_objects: 9 } });
    expect(finding.message).toContain("GET /users");
    expect(finding.message).toContain("5 of 1024 B");
    expect(finding.message).toContain("3 of 64 B");
  });

  test("of an era whose ring slot was reused keep era, label and age, apart from the newer era's", () => {
    heap.setEpochLabel(heap.currentEpoch.id, "old one");
    heap.alloc(64);
    heap.alloc(64);
    for (let i = 0; i < 16; i++) {
      pass(10);
      heap.advanceEpoch();
    }
    heap.setEpochLabel(heap.currentEpoch.id, "new one");
    heap.alloc(64);
    const epoch = reader.epochs()[0];
    expect(epoch).toMatchObject({
      epoch_era: 32,
      state: "ACTIVE",
      label: "new one",
      age_sec: 0,
      live_objects: 1,
      older_live_objects: 2,
      older_slabs: 1,
      oldest_era: 16,
      oldest_age_sec: 160,
    });
    expect(epoch.eras.map((row) => [row.epoch_era, row.label, row.age_sec, row.live_objects])).toEqual([
      [32, "new one", 0, 1],
      [16, "old one", 160, 2],
    ]);
    // The newer era is open: only the older one is a leak.
    expect(leaks().candidates).toMatchObject([
      { kind: "object", epoch_id: 0, epoch_era: 16, label: "old one", age_sec: 160, live_objects: 2 },
    ]);
    expect(findings()[0].message).toContain("old one");
    heap.discardBefore(heap.currentEpoch);
    expect(leaks().candidates).toEqual([]);
    expect(reader.epochs()[0]).toMatchObject({ older_live_objects: 0, older_slabs: 0, oldest_era: 32 });
  });

  test("of several older eras of one ring slot are told apart", () => {
    for (let round = 1; round <= 3; round++) {
      heap.setEpochLabel(0 as never, `round ${round}`);
      for (let i = 0; i < round; i++) heap.alloc(1024);
      pass(100);
      for (let i = 0; i < 16; i++) heap.advanceEpoch();
    }
    expect(reader.epochs()[0]).toMatchObject({ epoch_era: 64, older_live_objects: 6, oldest_era: 16 });
    const told = leaks().candidates.map((row) => [row.epoch_era, row.label, row.live_objects, row.age_sec]);
    expect(told.sort()).toEqual([
      [16, "round 1", 1, 300],
      [32, "round 2", 2, 200],
      [48, "round 3", 3, 100],
    ]);
  });

  test("left behind by a dead thread are found where nobody owns them and after adoption", () => {
    const other = another(heap);
    heap.setEpochLabel(heap.currentEpoch.id, "died");
    for (let i = 0; i < 5; i++) other.alloc(1024);
    heap.advanceEpoch();
    pass(70);
    reapSeat(heap._a, other.seat, other.incarnation);
    other.poll();
    expect(leaks().candidates).toMatchObject([
      { kind: "object", label: "died", live_objects: 5, age_sec: 70 },
    ]);
    expect(findings()[0].message).toContain("Threads that ended left 5 objects behind");
  });
});

describe("healthy heaps", () => {
  test("nothing was ever done", () => {
    pass(10_000);
    expect(leaks().candidates).toEqual([]);
    expect(doctor(reader)).toMatchObject({ healthy: true, leaks: 0 });
  });

  test("much was done, and all of it ended", () => {
    healthyWork(200);
    pass(600);
    expect(heap.currentEpoch.era).toBeGreaterThan(100);
    expect(leaks().candidates).toEqual([]);
    expect(findings()).toEqual([]);
    expect(doctor(reader).leaks).toBe(0);
    // One forgotten object among all of that is found.
    heap.alloc(64);
    heap.advanceEpoch();
    pass(61);
    expect(leaks().candidate_count).toBe(1);
  });

  test("a discard that an owner has not carried out yet is no leak", () => {
    const other = another(heap);
    other.alloc(64);
    heap.discardEpoch(heap.currentEpoch);
    pass(600);
    expect(reader.epochs()[0]).toMatchObject({ discarded: true, total_reclaimable_slabs: 1 });
    expect(leaks().candidates).toEqual([]);
    other.detach();
  });
});
