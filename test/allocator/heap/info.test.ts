/**
 * Defends: epochInfo, seats and counters say what is so for every state an epoch or seat can be in, add up over all
 * threads, and change nothing.
 * Method: one or two seats, every field compared after known steps; counters against a count kept by the test. Which
 * event counts where is in counters/causes.test.ts.
 */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { SlabHeap } from "../../../src/allocator/heap/heap.js";
import {
  EP_OPEN_ERA,
  EPOCH_BASE,
  RING_SIZE,
  SEAT_THREAD,
  seatAt,
} from "../../../src/allocator/memory/layout.js";
import type { EpochInfo, Handle } from "../../../src/allocator/types.js";
import { packSeat, SEAT_LIVE, SEAT_REAPING, SEAT_SUSPECT } from "../../../src/allocator/words/seat-word.js";
import {
  another,
  epochId,
  expectMetadata,
  expectWholeMemoryBack,
  freeAll,
  lap,
  metadata,
  SLAB,
  seatWordIndex,
  smallHeap,
  withSeed,
} from "../support.js";

const NOW = 1_900_000_000_000;
let heap: SlabHeap;
let other: SlabHeap;
beforeEach(() => {
  vi.useFakeTimers({ now: NOW });
  heap = smallHeap();
  other = another(heap);
  heap.poll();
});
afterEach(() => {
  expectWholeMemoryBack(heap, other);
  other.detach();
  heap.detach();
  vi.useRealTimers();
});

const info = (id: number): EpochInfo => heap.epochInfo(epochId(id));

describe("epochInfo", () => {
  const FRESH = {
    discarded: false,
    refcount: 0,
    label: "",
    liveObjects: 0,
    slabs: 0,
    olderLiveObjects: 0,
    oldestEra: 0,
  };

  test("of the first epoch, and of ring slots that were never opened", () => {
    vi.setSystemTime(NOW + 2500);
    expect(info(0)).toEqual({ ...FRESH, id: 0, era: 16, state: "ACTIVE", openSince: NOW, ageSec: 2.5 });
    for (const id of [1, 8, 15]) {
      expect(info(id)).toEqual({ ...FRESH, id, era: id, state: "CLOSING", openSince: 0, ageSec: 0 });
    }
  });

  test("counts objects and slabs of all threads in every state of a slab", () => {
    const handles = [heap.alloc(64), heap.alloc(64), heap.alloc(1024), heap.alloc(3 * SLAB), other.alloc(64)];
    // A run counts as one slab here: the slab that carries the object.
    expect(info(0)).toMatchObject({ liveObjects: 5, slabs: 4 });
    heap.free(handles[4]);
    // Not collected by its owner yet.
    expect(info(0).liveObjects).toBe(5);
    other.poll();
    other.alloc(9000);
    expect(info(0)).toMatchObject({ liveObjects: 5, slabs: 5 });
    other.detach();
    // Nobody's for a moment.
    expect(heap.epochInfo(epochId(0)).liveObjects).toBe(5);
    other = another(heap);
  });

  test("tells the eras of one ring slot apart, back to the oldest", () => {
    heap.alloc(64);
    lap(heap);
    heap.alloc(64);
    heap.alloc(64);
    lap(heap);
    const newest = heap.alloc(64);
    expect(info(0)).toMatchObject({ era: 48, liveObjects: 1, slabs: 1, olderLiveObjects: 3, oldestEra: 16 });
    heap.discardEpoch({ id: epochId(0), era: 16 });
    expect(info(0)).toMatchObject({ liveObjects: 1, olderLiveObjects: 2, oldestEra: 32 });
    heap.free(newest);
    expect(info(0)).toMatchObject({ liveObjects: 0, slabs: 1, olderLiveObjects: 2 });
  });

  test("states: open, closed, discarded; the opening time is the era's own", () => {
    vi.setSystemTime(NOW + 1000);
    heap.advanceEpoch();
    vi.setSystemTime(NOW + 4000);
    expect(info(0)).toMatchObject({ state: "CLOSING", discarded: false, openSince: NOW, ageSec: 4 });
    expect(info(1)).toMatchObject({ state: "ACTIVE", discarded: false, openSince: NOW + 1000, ageSec: 3 });
    heap.discardEpoch(epochId(0));
    expect(info(0)).toMatchObject({ state: "CLOSING", discarded: true });
    lap(heap);
    expect(info(0)).toMatchObject({ state: "CLOSING", discarded: false, openSince: NOW + 4000 });
    expect(info(1)).toMatchObject({ state: "ACTIVE", openSince: NOW + 4000 });
  });

  test("an opening time that was never written is unknown; a clock set back gives age 0", () => {
    heap._a.m[EPOCH_BASE + EP_OPEN_ERA] = 0;
    expect(info(0)).toMatchObject({ openSince: 0, ageSec: 0 });
    heap.advanceEpoch();
    vi.setSystemTime(NOW - 60_000);
    expect(info(1)).toMatchObject({ openSince: NOW, ageSec: 0 });
  });

  test("refcount is domain levels of all threads plus retains; a label belongs to one era", () => {
    const domains = [heap.openDomain({ label: "job" }), heap.openDomain(), other.openDomain()];
    expect(heap.retainEpoch(epochId(0))).toBe(4);
    expect(info(0)).toMatchObject({ refcount: 4, label: "job" });
    heap.releaseEpoch(epochId(0));
    domains[2].exit();
    domains[1].exit();
    expect(info(0)).toMatchObject({ refcount: 1, label: "job" });
    domains[0].exit();
    lap(heap);
    expect(info(0)).toMatchObject({ refcount: 0, label: "" });
  });

  test("changes nothing, for any of the ring slots", () => {
    heap.alloc(64);
    heap.advanceEpoch();
    const before = metadata(heap);
    for (let id = 0; id < RING_SIZE; id++) info(id);
    heap.counters();
    heap.seats();
    expectMetadata(heap, before);
  });
});

describe("seats", () => {
  test("names state, incarnation and thread of every seat ever taken", () => {
    const { m, layout } = heap._a;
    expect(heap.seats()).toEqual([
      { seat: 1, incarnation: 1, state: "LIVE", threadId: 0 },
      { seat: 2, incarnation: 1, state: "LIVE", threadId: 0 },
    ]);
    const index = seatWordIndex(heap, 4);
    for (const [state, name] of [
      [SEAT_LIVE, "LIVE"],
      [SEAT_SUSPECT, "SUSPECT"],
      [SEAT_REAPING, "REAPING"],
    ] as const) {
      m[index] = packSeat(7, 3, state);
      m[seatAt(layout, 4) + SEAT_THREAD] = 6;
      expect(heap.seats()[2]).toEqual({ seat: 4, incarnation: 7, state: name, threadId: 5 });
      // A browser's worker, named by its ref's token.
      m[seatAt(layout, 4) + SEAT_THREAD] = -1234;
      expect(heap.seats()[2].threadId).toBe(-1);
    }
    m[seatAt(layout, 4) + SEAT_THREAD] = 6;
    m[index] = packSeat(7, 0, 0);
    expect(heap.seats()[2]).toEqual({ seat: 4, incarnation: 7, state: "FREE", threadId: -1 });
    expect(heap.seats()).toHaveLength(3);
    expect(other.seats()).toEqual(heap.seats());
  });
});

describe("counters", () => {
  test("agree with what two seats did, at any time", () => {
    withSeed((random) => {
      const below = (n: number): number => Math.floor(random() * n);
      const live: { handle: Handle; owner: SlabHeap }[] = [];
      const did = { allocs: 0, frees: 0, remote: 0, invalid: 0, closed: 0 };
      for (let step = 0; step < 4000; step++) {
        const seat = below(2) === 0 ? heap : other;
        const kind = below(20);
        if (kind < 9 && live.length < 200) {
          const handle = seat.alloc(1 + below(below(10) === 0 ? 2 * SLAB : 1024));
          if (handle === 0) continue;
          did.allocs++;
          live.push({ handle, owner: seat });
        } else if (kind < 18 && live.length > 0) {
          const { handle, owner } = live.splice(below(live.length), 1)[0];
          expect(seat.free(handle)).toBe(true);
          did.frees++;
          if (seat !== owner) did.remote++;
          if (below(4) === 0) {
            expect(seat.free(handle)).toBe(false);
            did.invalid++;
          }
        } else if (kind === 18) {
          expect(seat.alloc(64, epochId((seat.currentEpoch.id + 5) % 16))).toBe(0);
          did.closed++;
        } else if (below(20) === 0) {
          seat.advanceEpoch();
        }
        if (step % 500 !== 0) continue;
        for (const h of [heap, other]) h.poll();
        // The owners have collected everything: the counts are exact.
        for (const h of [heap, other]) h.verify();
        const counters = heap.counters();
        expect(counters).toMatchObject({
          allocCount: did.allocs,
          freeCount: did.frees,
          remoteFrees: did.remote,
          invalidFrees: did.invalid,
          epochClosed: did.closed,
          liveObjects: live.length,
        });
        expect(counters.newSlabs - counters.recycledSlabs).toBe(counters.committedSlabs);
        expect(counters.newSlabs).toBe(counters.reusedSlabs + counters.peakCommittedSlabs);
        expect(other.counters()).toEqual(counters);
      }
      expect(did.remote).toBeGreaterThan(100);
      freeAll(
        heap,
        live.map(({ handle }) => handle),
      );
    });
  });

  test("go on when a seat is given back and taken again", () => {
    for (let i = 0; i < 5; i++) other.free(other.alloc(64));
    other.detach();
    other = another(heap);
    for (let i = 0; i < 3; i++) other.free(other.alloc(64));
    expect(heap.counters()).toMatchObject({ allocCount: 8, freeCount: 8 });
  });
});
