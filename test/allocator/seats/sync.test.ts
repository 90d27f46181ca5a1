/**
 * Defends: a thread honours what others changed at its next operation, whichever that is, or by its timer while it is
 * idle; under memory pressure it gives empty slabs back; a suspected thread that lives answers; one whose seat was
 * taken stops at once and says why.
 * Method: a second seat in the same thread that does nothing until the step under test; fake timers for the idle one.
 */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { HeapDetachedError } from "../../../src/allocator/errors.js";
import type { SlabHeap } from "../../../src/allocator/heap/heap.js";
import { PHASE, SEAT_PHASE } from "../../../src/allocator/memory/layout.js";
import { clearFree, hasFreeHint } from "../../../src/allocator/slabs/free-map.js";
import {
  packSeat,
  SEAT_LIVE,
  SEAT_SUSPECT,
  seatState,
  seatWho,
} from "../../../src/allocator/words/seat-word.js";
import {
  another,
  eraAt,
  expectHealthy,
  expectWholeMemoryBack,
  fill,
  freeAll,
  newestEra,
  phase,
  seatWordIndex,
  slabOf,
  smallHeap,
  tagAt,
} from "../support.js";

let heap: SlabHeap;
let other: SlabHeap;
beforeEach(() => {
  heap = smallHeap();
  other = another(heap);
  heap.poll();
});
afterEach(() => {
  vi.useRealTimers();
  if (!heap._a.detached) {
    expectHealthy(heap);
    heap.detach();
  }
  other.detach();
});

const upToDate = (h: SlabHeap): boolean => h._a.m[h._a.seatBase + SEAT_PHASE] === phase(h);

describe("changes are honoured", () => {
  test.each<[string, (h: SlabHeap) => unknown]>([
    ["alloc", (h) => h.alloc(64)],
    ["allocOffset", (h) => h.allocOffset(64)],
    ["a large alloc", (h) => h.alloc(9000)],
    ["free", (h) => h.free(0 as never)],
    ["freeOffset", (h) => h.freeOffset(0)],
    ["isLive", (h) => h.isLive(0 as never)],
    ["poll", (h) => h.poll()],
    ["verify", (h) => h.verify()],
    ["openDomain", (h) => h.openDomain().exit()],
    ["closeEpoch", (h) => h.closeEpoch(h.currentEpoch)],
    ["detach", (h) => h.detach()],
  ])("by %s: an empty slab of an epoch another thread closed goes back", (_name, step) => {
    const handle = other.alloc(64);
    other.free(handle);
    const slab = slabOf(other, handle);
    heap.advanceEpoch();
    expect(tagAt(heap, slab)).not.toBe(0);
    step(other);
    // Free, or taken again for the epoch that is open now.
    expect(tagAt(heap, slab) === 0 || eraAt(heap, slab) === newestEra(heap)).toBe(true);
    expect(other._a.detached || upToDate(other)).toBe(true);
  });

  test("by the timer, while the event loop turns", () => {
    vi.useFakeTimers();
    const idle = another(heap);
    const handle = idle.alloc(64);
    idle.free(handle);
    heap.advanceEpoch();
    expect(upToDate(idle)).toBe(false);
    vi.advanceTimersByTime(200);
    expect(upToDate(idle)).toBe(true);
    expect(tagAt(heap, slabOf(heap, handle))).toBe(0);
    idle.detach();
    expect(vi.getTimerCount()).toBe(0);
  });

  test("nothing is done twice: a poll without a change is one comparison", () => {
    heap.poll();
    const before = heap._a.m.slice();
    heap.poll();
    expect(heap._a.m).toEqual(before);
  });
});

describe("memory pressure", () => {
  test("what a thread freed in one class, it can use in every other", () => {
    for (const size of [64, 128, 1024, 5000, 64]) {
      const handles = fill(heap, size);
      expect(heap.verify().slabs).toBe(16);
      freeAll(heap, handles);
    }
    expectWholeMemoryBack(heap, other);
  });

  test("empty slabs another thread sits on come back after it polled", () => {
    const theirs = fill(other, 64);
    freeAll(other, theirs);
    expect(other.verify().slabs).toBe(16);
    expect(heap.alloc(1024)).toBe(0);
    expect(heap.lastFailure).toBe("out-of-memory");
    other.poll();
    expect(heap.alloc(1024)).not.toBe(0);
    expect(heap.alloc(5000)).not.toBe(0);
  });

  test("slabs with objects are kept", () => {
    const theirs = fill(other, 1024);
    freeAll(other, theirs.slice(1));
    expect(heap.alloc(64)).toBe(0);
    other.poll();
    expect(fill(heap, 1024)).toHaveLength(15 * 4);
    expect(other.isLive(theirs[0])).toBe(true);
  });
});

describe("lost hints", () => {
  test("a free slab the map does not show is found before out-of-memory is answered", () => {
    for (let slab = 0; slab < 16; slab++) clearFree(heap._a.m, heap._a.layout, slab);
    expect(fill(heap, 1024)).toHaveLength(64);
  });

  test("and by the next deep sync", () => {
    clearFree(heap._a.m, heap._a.layout, 7);
    expect(heap.verify().problems).toEqual(["slab 7: FREE, but the free map does not show it"]);
    another(heap).detach();
    heap.poll();
    expect(hasFreeHint(heap._a.m, heap._a.layout, 7)).toBe(true);
  });
});

describe("suspicion", () => {
  test("a live thread answers at its next sync, and goes on", () => {
    const handle = other.alloc(64);
    const index = seatWordIndex(heap, other.seat);
    heap._a.m[index] = packSeat(other.incarnation, 0, SEAT_SUSPECT);
    heap._a.m[PHASE]++;
    expect(heap.seats()[1].state).toBe("SUSPECT");
    expect(other.free(handle)).toBe(true);
    expect(seatState(heap._a.m[index])).toBe(SEAT_LIVE);
    expect(heap.seats()[1].state).toBe("LIVE");
    expect(other.alloc(64)).not.toBe(0);
  });

  test("of another incarnation is not answered: the seat is lost", () => {
    const index = seatWordIndex(heap, other.seat);
    heap._a.m[index] = packSeat(other.incarnation + 1, 0, SEAT_SUSPECT);
    heap._a.m[PHASE]++;
    other.poll();
    expect(() => other.alloc(64)).toThrow(HeapDetachedError);
    heap._a.m[index] = packSeat(other.incarnation + 1, 0, 0);
  });
});

describe("a seat that was taken away", () => {
  test.each<[string, (h: SlabHeap, handle: never) => unknown]>([
    ["alloc", (h) => h.alloc(64)],
    ["a large alloc", (h) => h.alloc(9000)],
    ["allocOffset", (h) => h.allocOffset(64)],
    ["free", (h, handle) => h.free(handle)],
  ])("%s does nothing in the buffer any more, and later calls throw", (_name, step) => {
    const handle = other.alloc(64);
    heap._a.m[seatWordIndex(heap, other.seat)] = packSeat(
      other.incarnation + 1,
      seatWho(other._a.seatWord),
      SEAT_LIVE,
    );
    heap._a.m[PHASE]++;
    const before = heap._a.m.slice();
    expect([0, false]).toContain(step(other, handle as never));
    expect(heap._a.m).toEqual(before);
    expect(other._a.detached).toBe(true);
    expect(() => step(other, handle as never)).toThrow(HeapDetachedError);
    expect(() => other.poll()).toThrow(/lost it to a reaper|gave its seat/);
    other.detach(); // quiet
    heap._a.m[seatWordIndex(heap, other.seat)] = other._a.seatWord;
    heap.discardEpoch(heap.currentEpoch);
  });

  test("allocOrThrow says that the seat is gone, not that memory is", () => {
    heap._a.m[seatWordIndex(heap, other.seat)] = packSeat(
      other.incarnation + 1,
      seatWho(other._a.seatWord),
      SEAT_LIVE,
    );
    heap._a.m[PHASE]++;
    expect(() => other.allocOrThrow(64)).toThrow(HeapDetachedError);
  });

  test.each([0, 1])(
    "detach is quiet and does nothing in the buffer, PHASE changed %i times since",
    (phases) => {
      other.alloc(64);
      const index = seatWordIndex(heap, other.seat);
      const word = heap._a.m[index];
      heap._a.m[index] = packSeat(other.incarnation + 1, seatWho(word), SEAT_LIVE);
      heap._a.m[PHASE] += phases;
      const before = heap._a.m.slice();
      other.detach();
      expect(heap._a.m).toEqual(before);
      expect(other._a.detached).toBe(true);
      expect(() => other.alloc(64)).toThrow(HeapDetachedError);
      heap._a.m[index] = word;
      heap.discardEpoch(heap.currentEpoch);
    },
  );

  test("the thread may attach again", () => {
    heap._a.m[seatWordIndex(heap, other.seat)] = packSeat(other.incarnation, 0, 0);
    heap._a.m[PHASE]++;
    other.poll();
    const again = another(heap);
    expect(again.seat).toBe(other.seat);
    expect(again.alloc(64)).not.toBe(0);
    again.detach();
  });
});
