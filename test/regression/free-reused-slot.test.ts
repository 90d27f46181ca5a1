/**
 * Defends: a handle frees, measures and locates the object it was issued for or nothing, even if that object ends and its
 * slot is used again while the call is under way. A free that looked at its slot twice freed the new object.
 * Method: the call is stopped before each of its accesses in turn, and there the slot's owner ends the object, by freeing
 * it or by discarding its epoch, and allocates in the same slot again.
 */
import { describe, expect, test } from "vitest";
import { StaleHandleError } from "../../src/allocator/errors.js";
import type { SlabHeap } from "../../src/allocator/heap/heap.js";
import type { EpochRef, Handle } from "../../src/allocator/types.js";
import { handleSlot } from "../../src/allocator/words/handle.js";
import { another, expectHealthy, expectWholeMemoryBack, smallHeap } from "../allocator/support.js";
import { atEveryAccess, type Seats } from "./interleave.js";

interface World extends Seats {
  readonly old: Handle;
  /** What the owner made of the slot while the other seat was busy. */
  reused: Handle;
  ended: boolean;
}

function build(): World {
  const b = smallHeap();
  const a = another(b);
  const old = b.alloc(1024);
  a.poll();
  return { a, b, old, reused: 0 as Handle, ended: false };
}

const ENDINGS: Record<string, (b: SlabHeap, old: Handle) => boolean> = {
  "its owner freed it": (b, old) => b.free(old),
  "its epoch was discarded": (b) => b.discardEpoch(b.currentEpoch).applied,
};

describe.each(Object.keys(ENDINGS))("%s and the slot was taken again", (name) => {
  function reuse(world: World, size = 1024): void {
    const { b, old } = world;
    world.ended = ENDINGS[name](b, old);
    b.poll();
    world.reused = b.alloc(size);
    b.view(world.reused).fill(7);
  }

  test("a free under way frees the old object or nothing", () => {
    let sameSlot = 0;
    const accesses = atEveryAccess<World, boolean>({
      build,
      act: ({ a, old }) => a.free(old),
      meanwhile: reuse,
      check({ a, b, old, reused, ended }, { result, error }) {
        expect(error).toBeUndefined();
        if (handleSlot(reused) === handleSlot(old)) sameSlot++;
        if (name === "its owner freed it") expect(Number(ended) + Number(result)).toBe(1);
        expect(b.isLive(old)).toBe(false);
        expect(b.isLive(reused)).toBe(true);
        expect(b.view(reused).every((byte) => byte === 7)).toBe(true);
        expect(b.alloc(1024)).not.toBe(reused);
        expectHealthy(a, b);
        expect(b.free(reused)).toBe(true);
        expectWholeMemoryBack(b, a);
      },
    });
    expect(accesses).toBeGreaterThan(8);
    expect(sameSlot).toBeGreaterThan(6);
  });

  const QUESTIONS: Record<string, (a: SlabHeap, old: Handle) => unknown> = {
    sizeOf: (a, old) => a.sizeOf(old),
    byteOffset: (a, old) => a.byteOffset(old),
    view: (a, old) => a.view(old).byteLength,
    epochOf: (a, old): EpochRef => a.epochOf(old),
  };

  test.each(Object.keys(QUESTIONS))("%s answers for the old object or says that it is stale", (question) => {
    const ask = QUESTIONS[question];
    const world = build();
    const truth = ask(world.a, world.old);
    for (const heap of [world.a, world.b]) heap.detach();
    const accesses = atEveryAccess<World, unknown>({
      build,
      act: ({ a, old }) => ask(a, old),
      // Another class, so that size, place and epoch of the successor differ where they can.
      meanwhile: (racing) => reuse(racing, 128),
      check(_world, { result, error }) {
        if (error === undefined) expect(result).toEqual(truth);
        else expect(error).toBeInstanceOf(StaleHandleError);
      },
    });
    expect(accesses).toBeGreaterThan(3);
  });
});
