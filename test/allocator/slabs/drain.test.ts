/**
 * Defends: slabs of an epoch that ended leave the allocating bins, go back when their last object is freed, and lose
 * every object at once when the epoch is discarded; the report says exactly what this thread found.
 * Method: a known number of slabs per class, closed or discarded, with the report compared field by field.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { SlabHeap } from "../../../src/allocator/heap/heap.js";
import type { Handle } from "../../../src/allocator/types.js";
import {
  another,
  expectHealthy,
  expectWholeMemoryBack,
  freeAll,
  SLAB,
  slabOf,
  smallHeap,
  tagAt,
} from "../support.js";

let heap: SlabHeap;
beforeEach(() => {
  heap = smallHeap();
});
afterEach(() => {
  expectWholeMemoryBack(heap);
  heap.detach();
});
const allocs = (n: number, size: number): Handle[] => Array.from({ length: n }, () => heap.alloc(size));

describe("close", () => {
  test("gives empty slabs back at once and the others with their last object", () => {
    const full = allocs(64, 64);
    const part = allocs(3, 128);
    freeAll(heap, allocs(4, 1024));
    const report = heap.closeEpoch(heap.currentEpoch);
    expect(report).toMatchObject({
      applied: true,
      reason: "closed",
      slabsScanned: 3,
      slabsRecycled: 1,
      bytesRecycled: SLAB,
      objectsDiscarded: 0,
    });
    expect(heap.verify()).toMatchObject({ ok: true, slabs: 2, liveObjects: 67 });
    freeAll(heap, part);
    expect(heap.verify().slabs).toBe(1);
    freeAll(heap, full);
    expect(heap.verify().slabs).toBe(0);
  });

  test("new objects never land in a draining slab, also when it has room", () => {
    const old = allocs(3, 64);
    heap.advanceEpoch();
    heap.free(old[0]);
    const fresh = allocs(70, 64);
    expect(fresh.map((handle) => slabOf(heap, handle))).not.toContain(slabOf(heap, old[1]));
    heap.free(old[1]);
    expect(tagAt(heap, slabOf(heap, old[1]))).not.toBe(0);
    heap.free(old[2]);
    expect(tagAt(heap, slabOf(heap, old[2]))).toBe(0);
  });
});

describe("discard", () => {
  test("ends every object and gives every slab back, in one report", () => {
    const handles = [...allocs(65, 64), ...allocs(3, 128), ...allocs(1, 1024)];
    heap.free(handles[3]);
    const report = heap.discardEpoch(heap.currentEpoch);
    expect(report).toMatchObject({
      applied: true,
      reason: "discarded",
      slabsScanned: 4,
      slabsRecycled: 4,
      bytesRecycled: 4 * SLAB,
      objectsDiscarded: 68,
    });
    for (const handle of handles) {
      expect(heap.isLive(handle)).toBe(false);
      expect(heap.free(handle)).toBe(false);
    }
    expect(heap.verify()).toMatchObject({ ok: true, slabs: 0, liveObjects: 0 });
  });

  test("handles of a discarded epoch stay stale when their slots are used again", () => {
    const old = allocs(200, 64);
    heap.discardEpoch(heap.currentEpoch);
    const fresh = allocs(200, 64);
    expect(fresh.map((handle) => heap.byteOffset(handle))[0]).toBe(heap._a.layout.payloadOffset);
    for (const handle of old) expect(heap.free(handle)).toBe(false);
    for (const handle of fresh) expect(heap.isLive(handle)).toBe(true);
  });

  test("counts remote frees that were not collected as objects that are gone, once", () => {
    const other = another(heap);
    heap.poll();
    const handles = allocs(10, 64);
    freeAll(other, handles.slice(0, 4));
    expect(heap.discardEpoch(heap.currentEpoch).objectsDiscarded).toBe(6);
    expectHealthy(heap, other);
    other.detach();
  });

  test("leaves other epochs alone", () => {
    const first = allocs(5, 64);
    const era = heap.currentEpoch;
    heap.advanceEpoch();
    const second = allocs(5, 64);
    heap.discardEpoch(era);
    for (const handle of first) expect(heap.isLive(handle)).toBe(false);
    for (const handle of second) expect(heap.isLive(handle)).toBe(true);
  });

  test("zeroes what it ends where the heap was made so", () => {
    const zeroing = smallHeap({ zeroOnFree: true });
    const handle = zeroing.alloc(128);
    zeroing.view(handle).fill(0xff);
    zeroing.discardEpoch(zeroing.currentEpoch);
    const payload = new Uint8Array(zeroing.buffer, zeroing._a.layout.payloadOffset);
    expect(payload.every((byte) => byte === 0)).toBe(true);
    zeroing.detach();
  });
});
