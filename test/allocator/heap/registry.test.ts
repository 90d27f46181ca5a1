/**
 * Defends: a thread knows exactly which seats it holds in which heap, whatever object of the memory it is asked through,
 * so that attaching twice and reaping oneself are refused and everything else is not.
 * Method: seats of two heaps taken, given back and lost to a reaper; the registry asked after each step.
 */
import { expect, test } from "vitest";
import type { SlabHeap } from "../../../src/allocator/heap/heap.js";
import { heldSeats, noteHeld, noteReleased } from "../../../src/allocator/heap/registry.js";
import { reapSeat } from "../../../src/allocator/seats/reap.js";
import { another, smallHeap } from "../support.js";

const held = (heap: SlabHeap): number[] => heldSeats(heap._a.m).map((a) => a.seat);

test("holds seats from attach to detach, heap by heap", () => {
  const [one, two] = [smallHeap(), smallHeap()];
  const [second, third] = [another(one), another(one)];
  expect([held(one), held(two)]).toEqual([[1, 2, 3], [1]]);
  second.detach();
  expect([held(one), held(two)]).toEqual([[1, 3], [1]]);
  one.detach();
  const again = another(third);
  expect(held(third).sort()).toEqual([1, 3]);
  for (const heap of [third, again]) heap.detach();
  expect([held(one), held(two)]).toEqual([[], [1]]);
  two.detach();
  expect(held(two)).toEqual([]);
});

test("knows the heap through any view of its memory", () => {
  const heap = smallHeap();
  expect(heldSeats(new Int32Array(heap.buffer)).map((a) => a.seat)).toEqual([1]);
  expect(heldSeats(new Int32Array(new SharedArrayBuffer(heap.buffer.byteLength)))).toEqual([]);
  heap.detach();
});

test("a seat lost to a reaper is not held any more, once its loss was noticed", () => {
  const heap = smallHeap();
  const lost = another(heap);
  expect(reapSeat(heap._a, lost.seat, lost.incarnation).status).toBe("reaped");
  expect(held(heap)).toEqual([1, 2]);
  lost.poll();
  expect(held(heap)).toEqual([1]);
  heap.detach();
});

test("noting twice, or releasing what is not held, does no harm", () => {
  const heap = smallHeap();
  noteHeld(heap._a);
  expect(held(heap)).toEqual([1]);
  noteReleased(heap._a);
  noteReleased(heap._a);
  expect(held(heap)).toEqual([]);
  noteHeld(heap._a);
  expect(held(heap)).toEqual([1]);
  heap.detach();
  expect(held(heap)).toEqual([]);
});
