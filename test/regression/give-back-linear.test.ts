/**
 * Defends: giving empty slabs back under memory pressure costs a thread an effort in proportion to its slabs. Each slab was
 * taken out of its list by walking that list, which with tens of thousands of slabs stopped the thread for seconds.
 * Method: all objects of all slabs are freed, newest slab first, so that every slab waits at the far end of the list; then
 * a larger object is asked for, by the same thread or by another one, and accesses to shared words are counted at one size
 * and at four times that size.
 */
import { expect, test } from "vitest";
import type { SlabHeap } from "../../src/allocator/heap/heap.js";
import { another, expectHealthy, fill, SLAB, smallHeap } from "../allocator/support.js";
import { countAccesses } from "./interleave.js";

interface Emptied {
  readonly owner: SlabHeap;
  readonly asker: SlabHeap;
}

/** `slabs` slabs of the open epoch, all of them the owner's, in its lists, with `keptIn` of every four not quite empty. */
function emptied(slabs: number, keptIn: number): Emptied {
  const owner = smallHeap({ capacity: slabs * SLAB, sizeClasses: [1024] });
  const asker = another(owner);
  const handles = fill(owner, 1024);
  expect(handles).toHaveLength(slabs * 4);
  for (let i = handles.length - 1; i >= 0; i--) {
    const slab = i >> 2;
    if ((i & 3) !== 0 || slab % 4 >= keptIn) owner.free(handles[i]);
  }
  for (const heap of [owner, asker]) heap.poll();
  return { owner, asker };
}

const ACTS: Record<string, (world: Emptied) => { heap: SlabHeap; act: () => unknown }> = {
  "an allocation of its own": ({ owner }) => ({ heap: owner, act: () => owner.alloc(2 * SLAB) }),
  "another thread's need": ({ owner, asker }) => {
    expect(asker.alloc(1024)).toBe(0);
    return { heap: owner, act: () => owner.poll() };
  },
};

test.each(Object.keys(ACTS).flatMap((name) => [0, 2].map((kept) => [name, kept] as const)))(
  "%s, %i of 4 slabs still in use",
  (name, kept) => {
    const efforts = [256, 1024].map((slabs) => {
      const world = emptied(slabs, kept);
      const { heap, act } = ACTS[name](world);
      const accesses = countAccesses(heap, act);
      expect(world.owner.verify().slabs).toBeLessThan(slabs / 2 + 3);
      expectHealthy(world.owner, world.asker);
      if (kept > 0) {
        // What waited with room goes on waiting: three free objects in each slab that stayed.
        const more = fill(world.owner, 1024);
        expect(more.length).toBeGreaterThan(3 * (slabs / 2));
      }
      for (const each of [world.owner, world.asker]) each.detach();
      return accesses;
    });
    expect(efforts[0]).toBeGreaterThan(256);
    expect(efforts[1] / efforts[0]).toBeLessThan(8);
  },
);
