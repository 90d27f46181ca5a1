/**
 * Defends: the report of closing or discarding one epoch is about that epoch: slabs of others that the thread looks at on
 * the way, because a discard of an era no longer in the ring makes it look at every closed epoch, are not in it.
 * Method: slabs of several epochs kept by live objects; a close or discard that sets off such a look; the report compared
 * with what that epoch alone had.
 */
import { afterEach, beforeEach, expect, test } from "vitest";
import { C_CLOSE_SCANNED } from "../../src/allocator/counters/fields.js";
import type { SlabHeap } from "../../src/allocator/heap/heap.js";
import { RING_SIZE } from "../../src/allocator/memory/layout.js";
import type { EpochRef, Handle } from "../../src/allocator/types.js";
import {
  another,
  classCounter,
  expectHealthy,
  expectWholeMemoryBack,
  SLAB,
  smallHeap,
} from "../allocator/support.js";

let heap: SlabHeap;
beforeEach(() => {
  heap = smallHeap({ capacity: 32 * SLAB });
});
afterEach(() => {
  expectHealthy(heap);
  expectWholeMemoryBack(heap);
  heap.detach();
});

interface Kept {
  readonly epoch: EpochRef;
  readonly handles: readonly Handle[];
}

/** An epoch with a slab of small objects and a run of three, then the next one. */
function keep(): Kept {
  const epoch = heap.currentEpoch;
  const handles = [64, 64, 3 * SLAB].map((size) => heap.alloc(size));
  heap.advanceEpoch();
  return { epoch, handles };
}

const OF_ONE = { slabsScanned: 4, slabsRecycled: 4, bytesRecycled: 4 * SLAB, objectsDiscarded: 3 };

test("discarding an era that is no longer in the ring", () => {
  const first = keep();
  const second = keep();
  const third = keep();
  for (let i = 0; i < RING_SIZE; i++) heap.advanceEpoch();
  expect(heap.discardEpoch(second.epoch)).toMatchObject({ applied: true, reason: "discarded", ...OF_ONE });
  for (const handle of second.handles) expect(heap.isLive(handle)).toBe(false);
  for (const handle of [...first.handles, ...third.handles]) expect(heap.isLive(handle)).toBe(true);
  // The counters tell what was looked at, whatever for.
  expect(classCounter(heap, 0, C_CLOSE_SCANNED)).toBeGreaterThan(3);
  expect(heap.discardEpoch(first.epoch)).toMatchObject(OF_ONE);
  expect(heap.discardEpoch(third.epoch)).toMatchObject(OF_ONE);
});

test("closing an epoch that pushes a discarded one, not cleared up by its owner yet, out of the ring", () => {
  const owner = another(heap);
  owner.alloc(64);
  const { era } = heap.currentEpoch;
  heap.discardEpoch(heap.currentEpoch);
  const kept = [keep(), keep()];
  while (heap.currentEpoch.era < era + RING_SIZE - 1) heap.advanceEpoch();
  const current = heap.currentEpoch;
  for (let i = 0; i < 5; i++) heap.alloc(1024); // two slabs
  expect(heap.closeEpoch(current)).toMatchObject({
    applied: true,
    slabsScanned: 2,
    slabsRecycled: 0,
    objectsDiscarded: 0,
  });
  owner.detach();
  for (const { handles } of kept) for (const handle of handles) expect(heap.isLive(handle)).toBe(true);
});

test("closing an epoch while the look at a wrapped discard by another thread is still due", () => {
  const other = another(heap);
  const first = keep();
  const second = keep();
  for (let i = 0; i < RING_SIZE; i++) heap.advanceEpoch();
  const last = keep();
  other.discardEpoch(first.epoch);
  expect(heap.closeEpoch(last.epoch)).toMatchObject({
    reason: "already-closed",
    slabsScanned: 0,
    objectsDiscarded: 0,
  });
  for (const handle of first.handles) expect(heap.isLive(handle)).toBe(false);
  for (const handle of [...second.handles, ...last.handles]) expect(heap.isLive(handle)).toBe(true);
  other.detach();
});

test("discarding everything before an epoch reports all of that and nothing later", () => {
  const old = [keep(), keep()];
  const limit = heap.currentEpoch;
  const young = [keep(), keep()];
  for (let i = 0; i < RING_SIZE; i++) heap.advanceEpoch();
  expect(heap.discardBefore(limit)).toMatchObject({
    slabsScanned: 2 * OF_ONE.slabsScanned,
    slabsRecycled: 2 * OF_ONE.slabsRecycled,
    bytesRecycled: 2 * OF_ONE.bytesRecycled,
    objectsDiscarded: 2 * OF_ONE.objectsDiscarded,
  });
  for (const { handles } of old) for (const handle of handles) expect(heap.isLive(handle)).toBe(false);
  for (const { handles } of young) for (const handle of handles) expect(heap.isLive(handle)).toBe(true);
});
