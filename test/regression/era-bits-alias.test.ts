/**
 * Defends: domains and references work however many epochs have gone by since the last ones. The words that count them keep
 * 16 bits of the era: left behind for 2^19 epochs they seemed newer than the open epoch, and no domain could be
 * opened; left behind for 2^20 they seemed to be of the open epoch, with its references and its decision to close.
 * Method: the era is put forward by hand in long strides, at the end of each of which every record of the ring follows as
 * it does after one step; with so many epochs in between, domains are opened in a whole round of the ring.
 */
import { describe, expect, test } from "vitest";
import type { SlabHeap } from "../../src/allocator/heap/heap.js";
import { ERA, RING_SIZE } from "../../src/allocator/memory/layout.js";
import { another, expectHealthy, expectWholeMemoryBack, smallHeap } from "../allocator/support.js";

/** Eight times as many epochs as this are where an order of the 16 bits would turn round. */
const STRIDE = 2 ** 16;
const AHEAD = [
  2 ** 15,
  2 ** 19 - RING_SIZE,
  2 ** 19,
  2 ** 19 + 2 ** 18,
  2 ** 20 - RING_SIZE,
  2 ** 20,
  2 ** 21,
];

/** As advancing `epochs` times. */
function advance(heap: SlabHeap, epochs: number): void {
  for (let left = epochs; left > 0; ) {
    const step = Math.min(left, STRIDE);
    heap._a.m[ERA] += step - 1;
    heap.advanceEpoch();
    left -= step;
  }
}

/** Calls `visit` in each of the next 16 epochs, so in every place of the ring. */
function inEveryRingSlot(heap: SlabHeap, visit: () => void): void {
  for (let i = 0; i < RING_SIZE; i++) {
    visit();
    heap.advanceEpoch();
  }
}

describe.each(AHEAD)("%i epochs without a domain", (epochs) => {
  function later(prepare: (heap: SlabHeap) => void): SlabHeap {
    const heap = smallHeap();
    inEveryRingSlot(heap, () => prepare(heap));
    const { era } = heap.currentEpoch;
    advance(heap, epochs - RING_SIZE);
    expect(heap.currentEpoch.era).toBe(era + epochs - RING_SIZE);
    return heap;
  }

  test.each<[string, (heap: SlabHeap) => void]>([
    ["none at all before", () => {}],
    ["domains before", (heap) => heap.openDomain().exit()],
    // Closing moves the ring on by itself: one round has only every second epoch then.
    ["domains that closed their epochs before", (heap) => heap.openDomain({ autoClose: true }).exit()],
  ])("%s", (_name, prepare) => {
    const heap = later(prepare);
    const other = another(heap);
    inEveryRingSlot(heap, () => {
      const { id, era } = heap.currentEpoch;
      expect(heap.epochInfo(id)).toMatchObject({ state: "ACTIVE", refcount: 0 });
      const domain = heap.openDomain();
      expect(domain.epoch.era).toBe(era);
      expect(domain.alloc(64)).not.toBe(0);
      const second = other.openDomain({ autoClose: true });
      expect(heap.epochInfo(id).refcount).toBe(2);
      second.exit();
      expect(heap.epochInfo(id)).toMatchObject({ era, state: "ACTIVE", refcount: 1 });
      domain.exit();
      expect(heap.epochInfo(id)).toMatchObject({ era, state: "CLOSING", refcount: 0 });
    });
    expectHealthy(heap, other);
    expectWholeMemoryBack(heap, other);
    for (const each of [heap, other]) each.detach();
  });

  test("references that were never dropped end with their epoch", () => {
    const heap = later((early) => {
      expect(early.retainEpoch(early.currentEpoch.id)).toBe(1);
    });
    inEveryRingSlot(heap, () => {
      const { id, era } = heap.currentEpoch;
      expect(heap.epochInfo(id)).toMatchObject({ era, refcount: 0 });
      const domain = heap.openDomain({ autoClose: true });
      expect(heap.retainEpoch(id)).toBe(2);
      expect(heap.releaseEpoch(id)).toBe(1);
      domain.exit();
      expect(heap.epochInfo(id)).toMatchObject({ era, state: "CLOSING", refcount: 0 });
    });
    expectHealthy(heap);
    heap.detach();
  });
});
