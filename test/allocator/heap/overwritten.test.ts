/**
 * Defends: calls on a heap whose metadata was overwritten answer with a typed error, or as on a sound heap; they come to
 * an end, and store nothing where they have no business.
 * Method: single words overwritten by hand. That no word was forgotten is for test/fuzz.
 */
import { expect, test } from "vitest";
import { BIN_CURRENT, BIN_PARTIAL } from "../../../src/allocator/counters/fields.js";
import { HeapFormatError, StaleHandleError } from "../../../src/allocator/errors.js";
import {
  binAt,
  CLASS_SIZE_BASE,
  CLASS_SLOTS_BASE,
  LARGE_CLASS,
  recordAt,
  SEAT_WORD,
  SLAB_BIN,
  SLAB_HEAD,
  SLAB_PARTIAL_NEXT,
  SLAB_RUN,
  SLAB_SLOTS,
  SLAB_TAG,
} from "../../../src/allocator/memory/layout.js";
import { abandonSeat } from "../../../src/allocator/seats/reap.js";
import { SEAT_FREE, seatState } from "../../../src/allocator/words/seat-word.js";
import { packTag, TAG_LARGE, TAG_OWNED } from "../../../src/allocator/words/slab-tag.js";
import { StatsReader } from "../../../src/stats.js";
import { another, expectHealthy, expectWholeMemoryBack, SLAB, slabOf, smallHeap } from "../support.js";

const OVERWRITTEN = /metadata was overwritten/;

test.each([0, -1, 4, 2 ** 30])("a run of %i slabs that does not fit has no size and no view", (slabs) => {
  const heap = smallHeap();
  const handle = heap.alloc(3 * SLAB);
  heap._a.m[recordAt(slabOf(heap, handle)) + SLAB_RUN] = slabs;
  expect(() => heap.view(handle)).toThrow(OVERWRITTEN);
  expect(() => heap.sizeOf(handle)).toThrow(HeapFormatError);
  expect(heap.byteOffset(handle)).toBe(heap._a.layout.payloadOffset + 13 * SLAB);
});

test("an object of a class that does not exist, or behind its class's slots, has no place", () => {
  const heap = smallHeap();
  const [first, second] = [heap.alloc(64), heap.alloc(64)];
  for (let n = 0; n < 5; n++) heap.alloc(64);
  const last = heap.alloc(64);
  heap._a.m[recordAt(0) + SLAB_TAG] = packTag(TAG_OWNED, 1, 9, 0);
  for (const handle of [first, second]) expect(() => heap.view(handle)).toThrow(OVERWRITTEN);
  expect(() => heap.byteOffset(second)).toThrow(HeapFormatError);
  // Class 2 has four slots.
  heap._a.m[recordAt(0) + SLAB_TAG] = packTag(TAG_OWNED, 1, 2, 0);
  expect(() => heap.byteOffset(last)).toThrow(/^byteOffset: place of an object in slab 0: .* overwritten/);
  heap._a.m[recordAt(0) + SLAB_TAG] = packTag(TAG_OWNED, 1, 0, 0);
  expect(heap.free(last)).toBe(true);
  expect(() => heap.byteOffset(last)).toThrow(StaleHandleError);
  expectHealthy(heap);
});

test("sizes and slot counts are those of the layout, whatever the buffer says later", () => {
  const heap = smallHeap();
  const handle = heap.alloc(128);
  const other = another(heap);
  const orphaned = other.alloc(64);
  const { m } = heap._a;
  m[CLASS_SIZE_BASE + 1] = 2 ** 30;
  m[CLASS_SLOTS_BASE] = 2 ** 30;
  m[CLASS_SLOTS_BASE + 1] = -1;
  expect(heap.view(handle).length).toBe(128);
  other.detach();
  heap.poll();
  expect(heap.counters().adoptedSlabs).toBe(1);
  expect(heap.isLive(orphaned)).toBe(true);
  expect([heap.free(handle), heap.free(orphaned)]).toEqual([true, true]);
  expect(heap.counters().liveObjects).toBe(0);
});

test.each([
  ["a small slab", packTag(TAG_OWNED, 200, 0, 0)],
  ["a run", packTag(TAG_LARGE, 200, LARGE_CLASS, 0)],
])("freeing in %s of a seat that does not exist marks no slot, and it can be read", (_name, tag) => {
  const heap = smallHeap();
  const handle = heap.alloc(64);
  const { m, layout } = heap._a;
  m[recordAt(0) + SLAB_TAG] = tag;
  m[heap._a.seatBase + 16]--;
  const slots = m.slice(layout.slotBase + 1);
  heap.free(handle);
  expect(m.slice(layout.slotBase + 1)).toEqual(slots);
  expect(heap.counters().allocCount).toBe(1);
  expect(() => StatsReader.open(heap.buffer).snapshot()).not.toThrow();
});

test.each<[string, number, number]>([
  ["a partial slab that is none", BIN_PARTIAL, 77],
  ["a partial slab of another bin", BIN_PARTIAL, recordAt(9)],
  ["a current slab that is none", BIN_CURRENT, 77],
])("alloc takes no slot through %s", (_name, word, value) => {
  const heap = smallHeap();
  for (let n = 0; n < 4; n++) heap.alloc(1024);
  heap._a.m[binAt(heap._a.layout, 1, 2) + word] = value;
  const before = heap._a.m.slice(heap._a.layout.slotBase);
  expect(() => heap.alloc(1024)).toThrow(OVERWRITTEN);
  expect(heap._a.m.slice(heap._a.layout.slotBase)).toEqual(before);
});

test("more slots than a slab can have are not carved", () => {
  const heap = smallHeap();
  heap.alloc(1024);
  heap._a.m[recordAt(0) + SLAB_HEAD] = 0;
  heap._a.m[recordAt(0) + SLAB_SLOTS] = 2 ** 31 - 1;
  expect(() => heap.alloc(1024)).toThrow(/^slab 0: 4 of 2147483647 slots carved: .* overwritten/);
});

test("a slab that takes itself for a listed one is not searched for without end", () => {
  const heap = smallHeap();
  for (let n = 0; n < 5; n++) heap.alloc(1024);
  const { m, layout } = heap._a;
  m[recordAt(0) + SLAB_PARTIAL_NEXT] = 0;
  m[binAt(layout, 1, 2) + BIN_PARTIAL] = recordAt(1);
  m[recordAt(1) + SLAB_PARTIAL_NEXT] = recordAt(1);
  expect(() => heap.advanceEpoch()).toThrow(OVERWRITTEN);
  m[recordAt(1) + SLAB_BIN] = binAt(layout, 1, 2);
  expect(() => heap.detach()).toThrow(OVERWRITTEN);
});

test("a seat whose attach failed is free again, and what it had adopted goes to others", () => {
  const heap = smallHeap();
  const failed = another(heap);
  heap.poll();
  const handle = failed.alloc(64);
  abandonSeat(failed._a);
  expect(seatState(failed._a.m[failed._a.seatBase + SEAT_WORD])).toBe(SEAT_FREE);
  expect(heap.isLive(handle)).toBe(true);
  expectHealthy(heap);
  expect(heap.free(handle)).toBe(true);
  expectWholeMemoryBack(heap);
});
