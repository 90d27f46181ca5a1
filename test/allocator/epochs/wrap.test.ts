/**
 * Defends: when the ring comes round to a slot whose old epoch still has objects, the two eras are never mixed: each
 * object keeps its own era, no slab holds two, discarding one leaves the other alone, and a discard asked for before
 * the wrap is not lost by it.
 * Method: one object (or slab) per era over several laps, the tags and eras of all slabs compared with the handles.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { SlabHeap } from "../../../src/allocator/heap/heap.js";
import { RING_SIZE, recordAt, SLAB_DOOM } from "../../../src/allocator/memory/layout.js";
import type { EpochRef, Handle } from "../../../src/allocator/types.js";
import { TAG_FREE, tagRing } from "../../../src/allocator/words/slab-tag.js";
import {
  another,
  eraAt,
  expectHealthy,
  expectWholeMemoryBack,
  freeAll,
  lap,
  SLAB,
  slabOf,
  smallHeap,
  tagAt,
  withSeed,
} from "../support.js";

let heap: SlabHeap;
beforeEach(() => {
  heap = smallHeap({ capacity: 128 * SLAB });
});
afterEach(() => {
  expectWholeMemoryBack(heap);
  heap.detach();
});

/** One object per era for `count` eras; the last one's epoch is the current one. */
function onePerEra(count: number, size = 64): { handle: Handle; epoch: EpochRef }[] {
  return Array.from({ length: count }, (_, i) => {
    if (i > 0) heap.advanceEpoch();
    return { handle: heap.alloc(size), epoch: heap.currentEpoch };
  });
}

describe("objects of several eras in one ring slot", () => {
  test("keep their own era and their own slabs, over four laps", () => {
    const objects = onePerEra(4 * RING_SIZE);
    for (const { handle, epoch } of objects) {
      expect(heap.epochOf(handle)).toEqual(epoch);
      expect(eraAt(heap, slabOf(heap, handle))).toBe(epoch.era);
      expect(tagRing(tagAt(heap, slabOf(heap, handle)))).toBe(epoch.id);
    }
    expect(new Set(objects.map(({ handle }) => slabOf(heap, handle))).size).toBe(objects.length);
    expectHealthy(heap);
  });

  test("are told apart by epochInfo", () => {
    const objects = onePerEra(2 * RING_SIZE + 1);
    const { id, era } = heap.currentEpoch;
    expect(heap.epochInfo(id)).toMatchObject({
      era,
      state: "ACTIVE",
      liveObjects: 1,
      slabs: 1,
      olderLiveObjects: 2,
      oldestEra: objects[0].epoch.era,
    });
    freeAll(heap, [objects[0].handle]);
    expect(heap.epochInfo(id)).toMatchObject({
      olderLiveObjects: 1,
      oldestEra: objects[RING_SIZE].epoch.era,
    });
  });

  test("a slab with room left over from the last lap is not allocated from", () => {
    const old = heap.alloc(64);
    lap(heap);
    const fresh = heap.alloc(64);
    expect(slabOf(heap, fresh)).not.toBe(slabOf(heap, old));
    heap.free(old);
    expect(tagAt(heap, slabOf(heap, old))).toBe(TAG_FREE);
    expect(heap.isLive(fresh)).toBe(true);
  });
});

describe("discarding an era whose ring slot was reused", () => {
  test("by ref: its objects go, those of the new era stay", () => {
    const old = [heap.alloc(64), heap.alloc(1024), heap.alloc(2 * SLAB)];
    const ref = heap.currentEpoch;
    lap(heap);
    const fresh = [heap.alloc(64), heap.alloc(1024), heap.alloc(2 * SLAB)];
    expect(heap.currentEpoch.id).toBe(ref.id);
    expect(heap.discardEpoch(ref)).toMatchObject({
      epoch: ref,
      applied: true,
      reason: "discarded",
      objectsDiscarded: 3,
    });
    for (const handle of old) expect(heap.isLive(handle)).toBe(false);
    for (const handle of fresh) expect(heap.isLive(handle)).toBe(true);
    expect(heap.verify()).toMatchObject({ ok: true, liveObjects: 3 });
    expect(heap.discardEpoch(ref)).toMatchObject({ applied: false, reason: "already-discarded" });
  });

  test("by id means the era that is there now", () => {
    const old = heap.alloc(64);
    lap(heap);
    const fresh = heap.alloc(64);
    heap.discardEpoch(heap.currentEpoch.id);
    expect(heap.isLive(fresh)).toBe(false);
    expect(heap.isLive(old)).toBe(true);
  });

  test("the newer of two old eras first, then the older", () => {
    const a = heap.alloc(64);
    lap(heap);
    const b = heap.alloc(64);
    lap(heap);
    const c = heap.alloc(64);
    const eras = [a, b, c].map((handle) => heap.epochOf(handle));
    heap.discardEpoch(eras[1]);
    expect([a, b, c].map((handle) => heap.isLive(handle))).toEqual([true, false, true]);
    heap.discardEpoch(eras[0]);
    expect([a, b, c].map((handle) => heap.isLive(handle))).toEqual([false, false, true]);
    expectHealthy(heap);
  });

  test("is in force for everybody although the owner has not synced", () => {
    const other = another(heap);
    const theirs = other.alloc(64);
    const ref = heap.currentEpoch;
    lap(heap);
    expect(heap.discardEpoch(ref).applied).toBe(true);
    expect(heap._a.m[recordAt(slabOf(heap, theirs)) + SLAB_DOOM]).toBe(ref.era);
    expect(heap.isLive(theirs)).toBe(false);
    expect(heap.free(theirs)).toBe(false);
    expect(other.free(theirs)).toBe(false);
    expectHealthy(heap, other);
    expect(tagAt(heap, slabOf(heap, theirs))).toBe(TAG_FREE);
    other.detach();
  });
});

test("a discard is not lost when the ring wraps before its owner has carried it out", () => {
  const other = another(heap);
  const theirs = [other.alloc(64), other.alloc(2 * SLAB)];
  const ref = heap.currentEpoch;
  heap.discardEpoch(ref);
  lap(heap);
  lap(heap); // the record of ref's slot has been overwritten twice
  for (const handle of theirs) {
    expect(heap.isLive(handle)).toBe(false);
    expect(heap.free(handle)).toBe(false);
  }
  other.poll();
  expect(other.verify()).toMatchObject({ ok: true, slabs: 0 });
  other.detach();
});

test("a slab reused after a doom is not hit by the old one", () => {
  const old = heap.alloc(64);
  const ref = heap.currentEpoch;
  lap(heap);
  heap.discardEpoch(ref);
  const fresh = heap.alloc(64);
  expect(slabOf(heap, fresh)).toBe(slabOf(heap, old));
  expect(heap.isLive(fresh)).toBe(true);
  lap(heap);
  lap(heap);
  expect(heap.isLive(fresh)).toBe(true);
  expect(heap.discardEpoch(ref)).toMatchObject({ applied: false });
  expect(heap.isLive(fresh)).toBe(true);
  expect(heap.epochOf(fresh).era).toBe(ref.era + RING_SIZE);
});

test("discardBefore reaches eras of every lap and stops at the given one", () => {
  const objects = onePerEra(3 * RING_SIZE + 3);
  const limit = objects[RING_SIZE + 5].epoch;
  const report = heap.discardBefore(limit);
  expect(report).toMatchObject({ applied: true, reason: "discarded", objectsDiscarded: RING_SIZE + 5 });
  for (const { handle, epoch } of objects) expect(heap.isLive(handle)).toBe(epoch.era >= limit.era);
  expectHealthy(heap);
  expect(heap.discardBefore(heap.currentEpoch).objectsDiscarded).toBe(2 * RING_SIZE - 3);
  expect(heap.isLive(objects[objects.length - 1].handle)).toBe(true);
});

test("discardBefore reaches slabs of other threads and of nobody", () => {
  const other = another(heap);
  const leaver = another(heap);
  const handles = [other.alloc(64), leaver.alloc(64), leaver.alloc(2 * SLAB)];
  const next = heap.advanceEpoch();
  leaver.detach();
  heap.discardBefore(next);
  for (const handle of handles) {
    expect(heap.isLive(handle)).toBe(false);
    expect(other.isLive(handle)).toBe(false);
  }
  expectHealthy(heap, other);
  expect(heap.verify().slabs).toBe(0);
  other.detach();
});

test("random advances, discards by wrapped refs and frees agree with an oracle", () => {
  withSeed((random) => {
    const other = another(heap);
    const live = new Map<Handle, number>();
    const gone: Handle[] = [];
    const drop = (dead: (era: number) => boolean): void => {
      for (const [handle, era] of live) {
        if (!dead(era)) continue;
        live.delete(handle);
        gone.push(handle);
      }
    };
    for (let step = 0; step < 1500; step++) {
      const by = random() < 0.5 ? heap : other;
      const dice = random();
      if (dice < 0.6) {
        const handle = by.alloc(random() < 0.1 ? 2 * SLAB : 64);
        if (handle !== 0) live.set(handle, by.epochOf(handle).era);
      } else if (dice < 0.8) {
        by.advanceEpoch();
      } else {
        const { era } = heap.currentEpoch;
        const target = Math.max(RING_SIZE, era - Math.floor(random() * 40));
        const ref = { id: target % RING_SIZE, era: target } as EpochRef;
        if (dice < 0.9) {
          by.discardEpoch(ref);
          drop((e) => e === target);
        } else if (dice < 0.93) {
          by.discardBefore(ref);
          drop((e) => e < target);
        } else {
          by.closeEpoch(ref);
          const [first] = live.keys();
          if (first !== undefined) {
            expect(by.free(first)).toBe(true);
            live.delete(first);
            gone.push(first);
          }
        }
      }
      const checker = random() < 0.5 ? heap : other;
      for (const handle of gone.slice(-20)) expect(checker.isLive(handle)).toBe(false);
      if (step % 50 === 0) {
        for (const [handle, era] of live) expect(checker.epochOf(handle).era).toBe(era);
        expectHealthy(heap, other);
        expect(heap.verify().liveObjects).toBe(live.size);
      }
    }
    expectWholeMemoryBack(heap, other);
    other.detach();
  });
});
