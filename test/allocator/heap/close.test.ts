/**
 * Defends: a close or discard reports exactly what the calling thread found and gave back, and who is meant by an id and
 * by a ref; what it did is written down for readers; slabs of other threads and of other epochs are theirs to drain.
 * Method: one or two seats with a known number of slabs per epoch; every field of the report compared. What a ref may
 * look like, and which epochs stay open, is in epochs/ring.test.ts.
 */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type CloseFacts, readClose } from "../../../src/allocator/counters/epoch-facts.js";
import { C_CLOSE_CALLS, E_CLOSE_CALLS, EPOCH_SHARD_WORDS } from "../../../src/allocator/counters/fields.js";
import { readCounter } from "../../../src/allocator/counters/record.js";
import type { SlabHeap } from "../../../src/allocator/heap/heap.js";
import { RING_SIZE } from "../../../src/allocator/memory/layout.js";
import { epochShard } from "../../../src/allocator/slabs/slab.js";
import type { CloseReport, EpochRef, Handle } from "../../../src/allocator/types.js";
import {
  allCounters,
  another,
  classCounter,
  epochId,
  expectMetadata,
  expectWholeMemoryBack,
  freeAll,
  lap,
  metadata,
  SLAB,
  smallHeap,
} from "../support.js";

let heap: SlabHeap;
let other: SlabHeap;
beforeEach(() => {
  heap = smallHeap();
  other = another(heap);
  heap.poll();
});
afterEach(() => {
  vi.restoreAllMocks();
  expectWholeMemoryBack(heap, other);
  other.detach();
  heap.detach();
});

/** A report but for its duration, which is checked to be a whole number of nanoseconds. */
function facts(report: CloseReport): Omit<CloseReport, "durationNs"> {
  const { durationNs, ...rest } = report;
  expect(Number.isInteger(durationNs) && durationNs >= 0).toBe(true);
  return rest;
}

function nothing(epoch: EpochRef, reason: CloseReport["reason"]): CloseReport {
  const none = {
    slabsScanned: 0,
    slabsRecycled: 0,
    bytesRecycled: 0,
    bytesReleased: 0,
    objectsDiscarded: 0,
    durationNs: 0,
  };
  return { epoch, applied: false, reason, ...none };
}

/** Three slabs of 1024-byte objects and one run of two, in the open epoch; two slabs are empty again. */
function someSlabs(): { live: Handle[]; epoch: EpochRef } {
  const objects = Array.from({ length: 12 }, () => heap.alloc(1024));
  const run = heap.alloc(2 * SLAB);
  freeAll(heap, objects.slice(0, 8));
  return { live: [...objects.slice(8), run], epoch: heap.currentEpoch };
}

describe("the report of a close", () => {
  test("empty slabs go back at once, the others with their last object", () => {
    const { live, epoch } = someSlabs();
    expect(facts(heap.closeEpoch(epoch))).toEqual({
      epoch,
      applied: true,
      reason: "closed",
      slabsScanned: 5,
      slabsRecycled: 2,
      bytesRecycled: 2 * SLAB,
      bytesReleased: 0,
      objectsDiscarded: 0,
    });
    expect(heap.epochInfo(epoch.id)).toMatchObject({ liveObjects: 5, slabs: 2, state: "CLOSING" });
    freeAll(heap, live);
    expect(heap.verify().slabs).toBe(0);
  });

  test("again, by id and by ref: already closed, and the slabs that still hold objects are not looked at again", () => {
    const { live, epoch } = someSlabs();
    heap.closeEpoch(epoch);
    for (const again of [epoch, epoch.id]) {
      expect(facts(heap.closeEpoch(again))).toMatchObject({
        epoch,
        applied: false,
        reason: "already-closed",
      });
    }
    for (const handle of live) expect(heap.isLive(handle)).toBe(true);
  });

  test("counts this thread's slabs only; the others follow at their next operation", () => {
    const { epoch } = someSlabs();
    freeAll(other, [other.alloc(64), other.alloc(128)]);
    const report = heap.closeEpoch(epoch);
    expect(report).toMatchObject({ slabsScanned: 5, slabsRecycled: 2 });
    expect(heap.verify().slabs).toBe(5);
    other.poll();
    expect(heap.verify().slabs).toBe(3);
  });

  test("is about this close only: what others closed before is honoured first, and not counted", () => {
    heap.free(heap.alloc(64));
    other.closeEpoch(other.currentEpoch);
    expect(facts(heap.closeEpoch(heap.currentEpoch))).toMatchObject({
      applied: true,
      slabsScanned: 0,
      slabsRecycled: 0,
      bytesRecycled: 0,
      bytesReleased: 0,
    });
    expect(heap.verify().slabs).toBe(0);
  });

  test("of another thread's epoch says closed with nothing scanned here", () => {
    const handle = heap.alloc(64);
    const epoch = heap.currentEpoch;
    expect(other.closeEpoch(epoch)).toMatchObject({ applied: true, reason: "closed", slabsScanned: 0 });
    expect(heap.free(handle)).toBe(true);
    expect(heap.verify().slabs).toBe(0);
  });

  test("leaves slabs of other epochs and of other eras of the ring slot alone", () => {
    const old = heap.alloc(1024);
    const oldEpoch = heap.currentEpoch;
    lap(heap);
    const { epoch } = someSlabs();
    expect(epoch.id).toBe(oldEpoch.id);
    const report = heap.closeEpoch(epoch);
    // The old era's slab sits in the same list, but is not what was asked about.
    expect(report).toMatchObject({ slabsScanned: 5, slabsRecycled: 2 });
    expect(heap.epochOf(old)).toEqual(oldEpoch);
    expect(heap.epochInfo(epoch.id)).toMatchObject({ olderLiveObjects: 1, oldestEra: oldEpoch.era });
  });
});

describe("the report of a discard", () => {
  test("counts objects and slabs, runs with all of theirs", () => {
    const { live, epoch } = someSlabs();
    expect(facts(heap.discardEpoch(epoch.id))).toEqual({
      epoch,
      applied: true,
      reason: "discarded",
      slabsScanned: 5,
      slabsRecycled: 5,
      bytesRecycled: 5 * SLAB,
      bytesReleased: 0,
      objectsDiscarded: 5,
    });
    for (const handle of live) expect(heap.isLive(handle)).toBe(false);
    expect(heap.epochInfo(epoch.id)).toMatchObject({ discarded: true, state: "CLOSING", slabs: 0 });
  });

  test("of an epoch closed before finds what was left", () => {
    const { epoch } = someSlabs();
    heap.closeEpoch(epoch);
    expect(facts(heap.discardEpoch(epoch))).toMatchObject({
      applied: true,
      slabsScanned: 3,
      slabsRecycled: 3,
      objectsDiscarded: 5,
    });
    expect(heap.discardEpoch(epoch)).toMatchObject({ applied: false, reason: "already-discarded" });
  });

  test("objects of other threads are stale at once, and counted by nobody else's report", () => {
    const handle = other.alloc(64);
    const epoch = heap.currentEpoch;
    expect(heap.discardEpoch(epoch)).toMatchObject({ applied: true, objectsDiscarded: 0, slabsScanned: 0 });
    expect([heap.isLive(handle), other.isLive(handle)]).toEqual([false, false]);
  });

  test("an id means the era that is in the ring slot now, a ref the era it names", () => {
    const old = heap.alloc(64);
    const oldEpoch = heap.currentEpoch;
    lap(heap);
    const young = heap.alloc(64);
    expect(heap.discardEpoch(oldEpoch)).toMatchObject({
      epoch: oldEpoch,
      applied: true,
      objectsDiscarded: 1,
    });
    expect([heap.isLive(old), heap.isLive(young)]).toEqual([false, true]);
    expect(heap.epochInfo(oldEpoch.id)).toMatchObject({ discarded: false, state: "ACTIVE" });
    const now = heap.currentEpoch;
    expect(heap.discardEpoch(oldEpoch.id)).toMatchObject({ epoch: now, applied: true, objectsDiscarded: 1 });
    expect(heap.isLive(young)).toBe(false);
  });

  test("discardBefore takes every older era, wrapped ones included, in one report", () => {
    const handles: Handle[] = [];
    for (let i = 0; i < 40; i++) {
      if (i % 4 === 0) handles.push(heap.alloc(64));
      heap.advanceEpoch();
    }
    const limit = heap.epochOf(handles[7]);
    const report = heap.discardBefore(limit);
    expect(report).toMatchObject({ epoch: limit, applied: true, reason: "discarded" });
    expect(report).toMatchObject({ slabsRecycled: 7, bytesRecycled: 7 * SLAB, objectsDiscarded: 7 });
    // Slabs of younger closed epochs are looked at on the way, but are not what was asked about.
    expect(report.slabsScanned).toBe(7);
    expect(handles.map((handle) => heap.isLive(handle))).toEqual(handles.map((_, i) => i >= 7));
  });
});

describe("refusals", () => {
  test("stale and never opened refs are answered without touching anything", () => {
    const stale = heap.currentEpoch;
    lap(heap);
    heap.alloc(64);
    const before = metadata(heap);
    const future: EpochRef = { id: epochId(3), era: 99 * RING_SIZE + 3 };
    const past: EpochRef = { id: epochId(3), era: 3 };
    expect(heap.closeEpoch(stale)).toEqual(nothing(stale, "stale"));
    for (const ref of [future, past]) {
      expect(heap.closeEpoch(ref)).toEqual(nothing(ref, "never-opened"));
      expect(heap.discardEpoch(ref)).toEqual(nothing(ref, "never-opened"));
    }
    expect(heap.discardBefore(future)).toEqual(nothing(future, "never-opened"));
    expectMetadata(heap, before);
  });

  test("an id whose ring slot was never opened", () => {
    const fresh = smallHeap();
    const before = metadata(fresh);
    for (const id of [1, 9, 15]) {
      const ref = { id: epochId(id), era: id };
      expect(fresh.closeEpoch(ref.id)).toEqual(nothing(ref, "never-opened"));
      expect(fresh.discardEpoch(ref.id)).toEqual(nothing(ref, "never-opened"));
    }
    expectMetadata(fresh, before);
    fresh.detach();
  });
});

describe("what is written down", () => {
  const written = (seat: SlabHeap, { id, era }: EpochRef): CloseFacts | undefined =>
    readClose(heap._a.m, epochShard(seat._a, id), era);

  test("this thread's last close of a ring slot: time, slabs before and after, resident bytes", () => {
    const now = 1_900_000_000_123;
    vi.spyOn(Date, "now").mockReturnValue(now);
    vi.spyOn(performance, "now").mockReturnValue(1e12); // long after the last close: resident bytes are measured
    const rss = vi
      .spyOn(process.memoryUsage, "rss")
      .mockReturnValueOnce(2 ** 33 + 5)
      .mockReturnValue(4096);
    const { epoch } = someSlabs();
    heap.closeEpoch(epoch);
    const sizes = { rssBefore: 2 ** 33 + 5, rssAfter: 4096, releasedBytes: 0 };
    expect(written(heap, epoch)).toEqual({ atMs: now, committedBefore: 5, committedAfter: 3, ...sizes });
    heap.discardEpoch(epoch);
    expect(written(heap, epoch)).toMatchObject({ committedBefore: 3, committedAfter: 0, rssBefore: 4096 });
    expect(written(heap, heap.currentEpoch)).toBeUndefined();
    expect(written(other, epoch)).toBeUndefined();
    expect(rss).toHaveBeenCalledTimes(4);
  });

  test("resident bytes are measured for a burst of closes only, as it takes longer than the close", () => {
    const clock = vi.spyOn(performance, "now").mockReturnValue(2e12);
    const rss = vi.spyOn(process.memoryUsage, "rss").mockReturnValue(4096);
    const measured = (): boolean => {
      const epoch = heap.currentEpoch;
      heap.closeEpoch(epoch);
      const { rssBefore, rssAfter } = written(heap, epoch) as CloseFacts;
      expect(rssBefore).toBe(rssAfter);
      return rssBefore !== 0;
    };
    const burst = Array.from({ length: 20 }, measured);
    expect(burst).toEqual(burst.map((_, i) => i < 16));
    expect(rss).toHaveBeenCalledTimes(2 * 16);
    clock.mockReturnValue(2e12 + 7);
    expect(measured()).toBe(false);
    clock.mockReturnValue(2e12 + 9);
    expect([measured(), measured()]).toEqual([true, false]);
    expect(rss).toHaveBeenCalledTimes(2 * 17);
  });

  test.each<[string, (h: SlabHeap) => EpochRef]>([
    [
      "the last domain out",
      (h) => {
        const domain = h.openDomain({ autoClose: true });
        domain.exit();
        return domain.epoch;
      },
    ],
    [
      "the last release",
      (h) => {
        const { id } = h.currentEpoch;
        h.retainEpoch(id);
        const domain = h.openDomain({ autoClose: true });
        domain.exit();
        expect(h.epochInfo(id).state).toBe("ACTIVE");
        expect(h.releaseEpoch(id)).toBe(0);
        return domain.epoch;
      },
    ],
  ])("a close by %s is counted, timed and written down like one that was asked for", (_name, leave) => {
    const { live } = someSlabs();
    const before = allCounters(heap);
    const epoch = leave(heap);
    expect(heap.epochInfo(epoch.id).state).toBe("CLOSING");
    expect(written(heap, epoch)).toMatchObject({ committedBefore: 5, committedAfter: 3 });
    const after = allCounters(heap);
    const grown = (name: string): number => (after.get(name) as number) - (before.get(name) as number);
    expect(grown(`seat 1 epoch ${epoch.id} epoch_close_calls`)).toBe(1);
    expect(grown(`seat 1 epoch ${epoch.id} epoch_close_recycled_slabs`)).toBe(2);
    expect(grown("seat 1 epoch_close")).toBe(1);
    expect(grown("seat 1 epoch_lifetime")).toBe(1);
    expect(heap.counters().epochCloses).toBe(1);
    freeAll(heap, live);
  });

  test("an epoch's life ends once, with the first call by whichever thread; closes are timed in any case", () => {
    const epoch = heap.currentEpoch;
    heap.advanceEpoch();
    heap.closeEpoch(epoch);
    other.closeEpoch(epoch);
    heap.discardEpoch(epoch);
    const all = allCounters(heap);
    expect([all.get("seat 1 epoch_close"), all.get("seat 1 epoch_lifetime")]).toEqual([2, 1]);
    expect([all.get("seat 2 epoch_close"), all.get("seat 2 epoch_lifetime")]).toEqual([1, 0]);
  });

  test("calls are counted in the calling thread's shards, refusals are not", () => {
    const epoch = heap.currentEpoch;
    const calls = (h: SlabHeap, id: number): number =>
      readCounter(
        h._a.m,
        h._a.seatBase + h._a.layout.seatEpochShards + id * EPOCH_SHARD_WORDS + E_CLOSE_CALLS,
      );
    heap.closeEpoch(epoch);
    heap.discardEpoch(epoch);
    heap.closeEpoch({ id: epochId(2), era: 34 });
    other.closeEpoch(other.currentEpoch);
    expect([calls(heap, 0), calls(heap, 1), calls(heap, 2), calls(other, 1)]).toEqual([2, 0, 0, 1]);
    expect([0, 1, 2].map((c) => classCounter(heap, c, C_CLOSE_CALLS))).toEqual([2, 2, 2]);
    expect(heap.counters().epochCloses).toBe(3);
  });
});

describe("domains", () => {
  test("do not hold up a close or a discard by others, and end with an epoch that is closed", () => {
    const domain = other.openDomain({ autoClose: true });
    const handle = domain.alloc(64);
    expect(heap.closeEpoch(domain.epoch)).toMatchObject({ applied: true, reason: "closed" });
    expect(heap.epochInfo(domain.epoch.id)).toMatchObject({ refcount: 1, state: "CLOSING", liveObjects: 1 });
    expect(domain.alloc(64)).toBe(0);
    domain.exit();
    expect(heap.epochInfo(domain.epoch.id).refcount).toBe(0);
    expect(other.isLive(handle)).toBe(true);
  });

  test("a close of what the last domain closed already is told so", () => {
    const domain = heap.openDomain({ autoClose: true });
    domain.exit();
    expect(heap.closeEpoch(domain.epoch)).toMatchObject({ applied: false, reason: "already-closed" });
    expect(heap.currentEpoch.era).toBe(domain.epoch.era + 1);
  });

  test("leaving a domain of a discarded epoch closes nothing else", () => {
    const domain = heap.openDomain({ autoClose: true });
    heap.discardEpoch(domain.epoch);
    const open = heap.currentEpoch;
    domain.exit();
    expect(heap.currentEpoch).toEqual(open);
    expect(heap.epochInfo(open.id).state).toBe("ACTIVE");
    expect(heap.epochInfo(domain.epoch.id)).toMatchObject({ discarded: true, refcount: 0 });
  });
});
