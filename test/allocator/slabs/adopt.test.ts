/**
 * Defends: when a thread leaves, its objects stay valid for everybody, and whoever syncs next takes its slabs over:
 * live objects, free slots and what was freed in between are all accounted for; nothing of a closed or discarded
 * epoch comes back to life.
 * Method: a second seat in the same thread allocates, frees and detaches; the adopter's view is compared with an oracle.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { C_ACQUIRE_FAILS, C_ADOPTED } from "../../../src/allocator/counters/fields.js";
import type { SlabHeap } from "../../../src/allocator/heap/heap.js";
import { recordAt, SLAB_CARVED, SLAB_COUNTS, SLAB_HEAD } from "../../../src/allocator/memory/layout.js";
import { adoptSlab, isAdoptable } from "../../../src/allocator/slabs/adopt.js";
import type { Handle } from "../../../src/allocator/types.js";
import { TAG_ORPHANED, TAG_OWNED, tagOwner, tagState } from "../../../src/allocator/words/slab-tag.js";
import {
  another,
  classCounter,
  expectHealthy,
  expectWholeMemoryBack,
  fill,
  freeAll,
  slabOf,
  smallHeap,
  tagAt,
  withSeed,
} from "../support.js";

let heap: SlabHeap;
let leaver: SlabHeap;
beforeEach(() => {
  heap = smallHeap();
  leaver = another(heap);
  heap.poll();
});
afterEach(() => {
  expectWholeMemoryBack(heap);
  heap.detach();
});

test("objects stay live, with their contents, before and after adoption", () => {
  const handles = [64, 128, 1024, 1000].map((size, i) => {
    const handle = leaver.alloc(size);
    leaver.view(handle).fill(i + 1);
    return handle;
  });
  const offsets = handles.map((handle) => leaver.byteOffset(handle));
  leaver.detach();
  expect(tagState(tagAt(heap, slabOf(heap, handles[0])))).toBe(TAG_ORPHANED);
  // The first look adopts; a seat taken later finds nothing left to adopt.
  handles.forEach((handle, i) => {
    expect(heap.byteOffset(handle)).toBe(offsets[i]);
    expect(heap.view(handle).every((byte) => byte === i + 1)).toBe(true);
  });
  for (const handle of handles) {
    expect(tagState(tagAt(heap, slabOf(heap, handle)))).toBe(TAG_OWNED);
    expect(tagOwner(tagAt(heap, slabOf(heap, handle)))).toBe(heap.seat);
  }
  expectHealthy(heap);
  freeAll(heap, handles);
});

test("empty slabs are given back, not left as orphans", () => {
  freeAll(leaver, [leaver.alloc(64), leaver.alloc(1024)]);
  leaver.detach();
  expect(heap.verify()).toMatchObject({ ok: true, slabs: 0 });
});

test("slots freed by others, before or after the owner left, are free for the adopter", () => {
  const handles = Array.from({ length: 64 }, () => leaver.alloc(64));
  freeAll(heap, handles.slice(0, 10)); // collected by the leaver
  leaver.detach();
  const third = another(heap); // adopts at once
  freeAll(third, handles.slice(10, 20));
  heap.poll();
  freeAll(heap, handles.slice(20, 30)); // remote: the third owns the slab
  expectHealthy(heap, third);
  const again = Array.from({ length: 30 }, () => third.alloc(64));
  expect(again.every((handle) => slabOf(heap, handle) === slabOf(heap, handles[0]))).toBe(true);
  expect(third.verify().liveObjects).toBe(64);
  third.detach();
});

test("a remote free between the owner's leaving and the adoption is taken back by the adopter", () => {
  const handles = [leaver.alloc(64), leaver.alloc(64)];
  const other = another(heap);
  leaver.detach();
  // `other` frees through its own sync, which adopts; free without it to hit the gap.
  const { m } = heap._a;
  const slotWord = heap._a.layout.slotBase + slabOf(heap, handles[0]) * 2 ** heap._a.layout.slotsShift;
  m[slotWord] += 1; // ALLOC -> REMOTE_FREED: nobody to tell
  heap.poll();
  expect(heap.isLive(handles[0])).toBe(false);
  expect(heap.isLive(handles[1])).toBe(true);
  expect(heap.verify()).toMatchObject({ ok: true, liveObjects: 1 });
  other.detach();
});

test("adopted slabs of the open epoch are allocated from; full ones come back when they get room", () => {
  const handles = fill(leaver, 1024);
  leaver.detach();
  expect(heap.alloc(1024)).toBe(0);
  expect(classCounter(heap, 2, C_ADOPTED)).toBe(16);
  for (const handle of [handles[5], handles[40]]) {
    const offset = heap.byteOffset(handle);
    heap.free(handle);
    expect(heap.byteOffset(heap.alloc(1024))).toBe(offset);
  }
});

test("the former owner's private words are not believed", () => {
  const handle = leaver.alloc(64);
  const record = recordAt(slabOf(heap, handle));
  leaver.detach();
  heap._a.m[record + SLAB_COUNTS] = 4711;
  heap._a.m[record + SLAB_HEAD] = 3;
  heap._a.m[record + SLAB_CARVED] = -5;
  heap.poll();
  expect(heap.verify()).toMatchObject({ ok: true, liveObjects: 1 });
});

describe("epochs that ended", () => {
  test("an orphan of a closed epoch drains with its adopter", () => {
    const handle = leaver.alloc(64);
    const era = leaver.currentEpoch;
    leaver.advanceEpoch();
    leaver.detach();
    heap.poll();
    expect(heap.epochOf(handle)).toEqual(era);
    expect(slabOf(heap, heap.alloc(64))).not.toBe(slabOf(heap, handle));
    heap.free(handle);
    expect(tagAt(heap, slabOf(heap, handle))).toBe(0);
  });

  test("an orphan of a discarded epoch is emptied by its adopter", () => {
    const handles = [leaver.alloc(64), leaver.alloc(1024), leaver.alloc(9000)];
    const era = leaver.currentEpoch;
    leaver.detach();
    heap.discardEpoch(era); // adopts and wipes
    for (const handle of handles) expect(heap.isLive(handle)).toBe(false);
    expect(heap.verify()).toMatchObject({ ok: true, slabs: 0 });
  });

  test("an orphan whose ring slot was reused is emptied when its era is discarded", () => {
    const handle = leaver.alloc(64);
    const era = leaver.currentEpoch;
    for (let i = 0; i < 20; i++) leaver.advanceEpoch();
    leaver.detach();
    heap.poll();
    expect(heap.isLive(handle)).toBe(true);
    expect(heap.discardEpoch(era).objectsDiscarded).toBe(1);
    expect(heap.verify()).toMatchObject({ ok: true, slabs: 0 });
  });
});

test("two adopters: one wins, the other is told and counts it", () => {
  const handle = leaver.alloc(64);
  const rival = another(heap);
  leaver.detach();
  const record = recordAt(slabOf(heap, handle));
  const tag = tagAt(heap, slabOf(heap, handle));
  expect(isAdoptable(tag)).toBe(true);
  expect(adoptSlab(rival._a, record, tag)).toBe(true);
  expect(adoptSlab(heap._a, record, tag)).toBe(false);
  expect(classCounter(heap, 0, C_ACQUIRE_FAILS)).toBe(1);
  expect(isAdoptable(tagAt(heap, slabOf(heap, handle)))).toBe(false);
  expectHealthy(heap, rival);
  rival.detach();
});

test("the last thread out leaves a heap that the next one can use and free from", () => {
  leaver.detach();
  const handles = [heap.alloc(64), heap.alloc(5000), heap.alloc(1024)];
  const ref = heap.share();
  heap.detach();
  heap = (heap.constructor as typeof SlabHeap).attach(ref);
  for (const handle of handles) expect(heap.isLive(handle)).toBe(true);
  freeAll(heap, handles);
});

test("random: threads come, work and leave; every live object survives with its contents", () => {
  leaver.detach();
  withSeed((random) => {
    const live = new Map<Handle, number>();
    for (let generation = 0; generation < 60; generation++) {
      const worker = another(heap);
      for (let step = 0; step < 100; step++) {
        const by = random() < 0.7 ? worker : heap;
        const [first] = live.keys();
        if (random() < 0.6 || first === undefined) {
          const handle = by.alloc(1 + Math.floor(random() * (random() < 0.05 ? 9000 : 1024)));
          if (handle === 0) continue;
          by.view(handle).fill(generation);
          live.set(handle, generation);
        } else {
          expect(by.view(first).every((byte) => byte === live.get(first))).toBe(true);
          expect(by.free(first)).toBe(true);
          live.delete(first);
        }
      }
      worker.detach();
      if (generation % 10 === 0) {
        expectHealthy(heap);
        expect(heap.verify().liveObjects).toBe(live.size);
      }
    }
    for (const [handle, stamp] of live) {
      expect(heap.view(handle).every((byte) => byte === stamp)).toBe(true);
    }
  });
});
