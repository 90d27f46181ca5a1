/**
 * Defends: a slab hands out each of its slots once, lowest address first and the slot freed last next; it stays
 * reachable when it fills up and empties; retired slots are skipped for good.
 * Method: one small heap; slots near their last generation are written directly.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { SlabHeap } from "../../../src/allocator/heap/heap.js";
import type { Handle } from "../../../src/allocator/types.js";
import { LAST_GENERATION, SLOT_RETIRED, slotState } from "../../../src/allocator/words/slot-word.js";
import {
  another,
  expectHealthy,
  expectWholeMemoryBack,
  fill,
  freeAll,
  SLAB,
  slabOf,
  slotWordOf,
  smallHeap,
} from "../support.js";

let heap: SlabHeap;
beforeEach(() => {
  heap = smallHeap();
});
afterEach(() => {
  const { m, layout } = heap._a;
  // An object of the whole heap begins in slab 0's first slot, which some tests below use up for good.
  if (slotState(m[layout.slotBase]) !== SLOT_RETIRED) {
    expectWholeMemoryBack(heap);
  } else {
    heap.discardEpoch(heap.currentEpoch);
    expectHealthy(heap);
    expect(heap.alloc(15 * SLAB)).not.toBe(0);
  }
  heap.detach();
});

const allocs = (n: number, size: number): Handle[] => Array.from({ length: n }, () => heap.alloc(size));

describe("free list", () => {
  test("hands out every slot of a fresh slab once, in address order", () => {
    for (const size of [64, 128, 1024]) {
      const handles = allocs(SLAB / size, size);
      const offsets = handles.map((handle) => heap.byteOffset(handle));
      expect(offsets).toEqual(offsets.map((_, i) => offsets[0] + i * size));
      expect(new Set(handles.map((handle) => slabOf(heap, handle))).size).toBe(1);
    }
  });

  test("hands the slot freed last out first", () => {
    const [a, b, c] = allocs(3, 64).map((handle) => [handle, heap.byteOffset(handle)] as const);
    for (const [handle] of [a, c, b]) heap.free(handle);
    expect(allocs(3, 64).map((handle) => heap.byteOffset(handle))).toEqual([b[1], c[1], a[1]]);
  });

  test("a full slab that gets room is allocated from next, and the one before it is not forgotten", () => {
    const first = allocs(64, 64);
    const second = allocs(10, 64);
    heap.free(first[7]);
    expect(slabOf(heap, heap.alloc(64))).toBe(0);
    const rest = allocs(54, 64);
    expect(rest.every((handle) => slabOf(heap, handle) === slabOf(heap, second[0]))).toBe(true);
    expectHealthy(heap);
  });

  test("many full slabs with one hole each are all found again before a new slab is taken", () => {
    const handles = allocs(10 * 64, 64);
    for (let i = 5; i < handles.length; i += 64) heap.free(handles[i]);
    const slabs = new Set(allocs(10, 64).map((handle) => slabOf(heap, handle)));
    expect(slabs.size).toBe(10);
    expect(heap.counters().newSlabs).toBe(10);
  });
});

describe("the last generation", () => {
  /** Brings the first slots of slab 0 (class 64) to their last generation. */
  function age(slots: number, generation = LAST_GENERATION): void {
    freeAll(heap, [heap.alloc(64)]);
    for (let i = 0; i < slots; i++) heap._a.m[heap._a.layout.slotBase + i] = generation << 2;
  }

  test("a slot is used once more, then retires and is never handed out again", () => {
    age(1);
    const last = heap.alloc(64);
    expect(Number.isSafeInteger(last)).toBe(true);
    expect(heap.isLive(last)).toBe(true);
    heap.view(last).fill(3);
    expect(heap.free(last)).toBe(true);
    expect(slotState(heap._a.m[slotWordOf(heap, last)])).toBe(SLOT_RETIRED);
    expect(heap.free(last)).toBe(false);
    expect(heap.isLive(last)).toBe(false);
    const all = fill(heap, 64);
    expect(all).toHaveLength(16 * 64 - 1);
    expect(all).not.toContain(last);
    expect(all.map((handle) => slotWordOf(heap, handle))).not.toContain(slotWordOf(heap, last));
    expect(heap.isLive(last)).toBe(false);
    expectHealthy(heap);
  });

  test("two generations before, a slot still goes round", () => {
    age(1, LAST_GENERATION - 2);
    const seen = new Set<Handle>();
    for (let i = 0; i < 3; i++) {
      const handle = heap.alloc(64);
      expect(slotWordOf(heap, handle)).toBe(heap._a.layout.slotBase);
      seen.add(handle);
      heap.free(handle);
    }
    expect(seen.size).toBe(3);
    for (const handle of seen) expect(heap.free(handle)).toBe(false);
    expect(slotWordOf(heap, heap.alloc(64))).not.toBe(heap._a.layout.slotBase);
  });

  test("allocOffset and freeOffset retire the slot as well", () => {
    age(1);
    const offset = heap.allocOffset(64);
    expect(heap.freeOffset(offset)).toBe(true);
    expect(heap.freeOffset(offset)).toBe(false);
    expect(heap.allocOffset(64)).not.toBe(offset);
  });

  test("discarding retires as a free does", () => {
    age(3);
    const handles = allocs(3, 64);
    heap.discardEpoch(heap.currentEpoch);
    for (const handle of handles) expect(slotState(heap._a.m[slotWordOf(heap, handle)])).toBe(SLOT_RETIRED);
    expect(fill(heap, 64)).toHaveLength(16 * 64 - 3);
  });

  test("a slab whose slots are all retired serves nobody, and the heap goes on without it", () => {
    age(64);
    freeAll(heap, allocs(64, 64));
    expect(fill(heap, 64)).toHaveLength(15 * 64);
    expectHealthy(heap);
  });

  test("an adopter does not link retired slots", () => {
    const leaver = another(heap);
    leaver.alloc(64);
    const { layout, m } = heap._a;
    m[layout.slotBase + 1] = (LAST_GENERATION << 2) | SLOT_RETIRED;
    leaver.detach();
    heap.poll();
    expectHealthy(heap);
    expect(fill(heap, 64)).toHaveLength(16 * 64 - 2);
  });
});
