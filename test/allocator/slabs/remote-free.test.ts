/**
 * Defends: an object freed by another thread is stale at once for everybody, its slot comes back to its owner exactly
 * once, whatever the owner does in between, and no bit or tag left over from earlier tenants confuses it.
 * Method: two seats in one thread; pending words and slots are read and, for late or stale ones, written directly.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { C_REMOTE_COLLECTED, C_REMOTE_FREES } from "../../../src/allocator/counters/fields.js";
import { SlabHeap } from "../../../src/allocator/heap/heap.js";
import { seatAt } from "../../../src/allocator/memory/layout.js";
import { collect } from "../../../src/allocator/slabs/remote-free.js";
import type { Handle } from "../../../src/allocator/types.js";
import {
  LAST_GENERATION,
  SLOT_REMOTE_FREED,
  SLOT_RETIRED,
  slotState,
} from "../../../src/allocator/words/slot-word.js";
import {
  another,
  classCounter,
  expectHealthy,
  expectWholeMemoryBack,
  fill,
  freeAll,
  liveAt,
  SLAB,
  slabOf,
  slotWordOf,
  smallHeap,
  tagAt,
  withSeed,
} from "../support.js";

let owner: SlabHeap;
let other: SlabHeap;
beforeEach(() => {
  owner = smallHeap();
  other = another(owner);
  owner.poll();
});
afterEach(() => {
  expectWholeMemoryBack(owner, other);
  other.detach();
  owner.detach();
});

function pendingWord(slab: number): number {
  return seatAt(owner._a.layout, owner.seat) + owner._a.layout.seatPending + (slab >> 5);
}

test("the object is stale for both sides before the owner has noticed anything", () => {
  const handle = owner.alloc(64);
  expect(other.free(handle)).toBe(true);
  expect(slotState(owner._a.m[slotWordOf(owner, handle)])).toBe(SLOT_REMOTE_FREED);
  for (const heap of [owner, other]) {
    expect(heap.isLive(handle)).toBe(false);
    expect(heap.free(handle)).toBe(false);
    expect(() => heap.byteOffset(handle)).toThrow("names no live object");
  }
  expect(liveAt(owner, 0)).toBe(1); // counted until collected
  expect(owner.verify()).toMatchObject({ ok: true, liveObjects: 0 });
  expect(liveAt(owner, 0)).toBe(0);
});

test("one pending bit per slab tells the owner, and the collect takes it away", () => {
  const handles = [owner.alloc(64), owner.alloc(64), owner.alloc(128)];
  freeAll(other, handles);
  expect(owner._a.m[pendingWord(0)]).toBe(0b11);
  expect(collect(owner._a, true)).toBe(3);
  expect(owner._a.m[pendingWord(0)]).toBe(0);
  expect(collect(owner._a, true)).toBe(0);
  expect(classCounter(owner, 0, C_REMOTE_COLLECTED)).toBe(2);
  expect(classCounter(other, 0, C_REMOTE_FREES)).toBe(2);
  expect(classCounter(other, 1, C_REMOTE_FREES)).toBe(1);
});

test("a slot freed remotely is handed out again, once, with a new generation", () => {
  const handles = Array.from({ length: 64 }, () => owner.alloc(64));
  freeAll(other, handles);
  const again = Array.from({ length: 64 }, () => owner.alloc(64));
  expect(new Set(again.map((handle) => owner.byteOffset(handle))).size).toBe(64);
  expect(again.every((handle) => slabOf(owner, handle) === 0)).toBe(true);
  for (const old of handles) expect(owner.isLive(old)).toBe(false);
  for (const old of handles) expect(other.free(old)).toBe(false);
  expect(owner.verify().liveObjects).toBe(64);
});

test("the last remote free of a closed epoch's slab gives the slab back", () => {
  const handles = [owner.alloc(64), owner.alloc(64)];
  owner.advanceEpoch();
  freeAll(other, handles);
  expect(tagAt(owner, 0)).not.toBe(0);
  collect(owner._a, true);
  expect(tagAt(owner, 0)).toBe(0);
});

test("a full heap is emptied by another thread and filled again by its owner", () => {
  const handles = fill(owner, 1024);
  freeAll(other, handles);
  expect(fill(owner, 1024)).toHaveLength(handles.length);
});

test("frees reach every slab when there are many pending words", () => {
  const big = SlabHeap.create({ capacity: 5000 * SLAB, slabSize: SLAB, sizeClasses: [4096], maxWorkers: 2 });
  const helper = another(big);
  const handles: Handle[] = fill(big, SLAB);
  expect(handles).toHaveLength(5000);
  for (let i = 0; i < 5000; i += 7) helper.free(handles[i]);
  expect(fill(big, SLAB)).toHaveLength(Math.ceil(5000 / 7));
  expect(big.verify().problems).toEqual([]);
  helper.detach();
  big.detach();
});

describe("left-over bits and tags", () => {
  test("a bit for a slab given back, or for a slab of another seat, does nothing", () => {
    const theirs = other.alloc(64);
    owner._a.m[pendingWord(0)] = -1;
    expect(collect(owner._a, true)).toBe(0);
    expect(other.isLive(theirs)).toBe(true);
  });

  test("a bit that was never set is made up for by a deep sync", () => {
    const handle = owner.alloc(64);
    other.free(handle);
    owner._a.m[pendingWord(0)] = 0; // the freer died before it could tell
    expect(collect(owner._a, true)).toBe(0);
    another(owner).detach(); // whoever leaves asks for a deep look
    owner.poll();
    expect(liveAt(owner, 0)).toBe(0);
  });

  test("a bit set after the slab changed its class is harmless", () => {
    const handle = owner.alloc(64);
    owner.advanceEpoch();
    owner.free(handle);
    const tenant = owner.alloc(1024);
    expect(slabOf(owner, tenant)).toBe(slabOf(owner, handle));
    owner._a.m[pendingWord(0)] = 1;
    collect(owner._a, true);
    expect(owner.isLive(tenant)).toBe(true);
    expect(other.free(handle)).toBe(false);
  });
});

test("a remote free of the last generation retires the slot", () => {
  owner.alloc(1024);
  const slotWord = owner._a.layout.slotBase + 1;
  owner._a.m[slotWord] = LAST_GENERATION << 2;
  const last = owner.alloc(1024);
  expect(slotWordOf(owner, last)).toBe(slotWord);
  expect(other.free(last)).toBe(true);
  collect(owner._a, true);
  expect(slotState(owner._a.m[slotWord])).toBe(SLOT_RETIRED);
  expect(liveAt(owner, 0)).toBe(1);
  const rest = [owner.alloc(1024), owner.alloc(1024), owner.alloc(1024)];
  expect(rest.map((handle) => slabOf(owner, handle))).toEqual([0, 0, 1]);
  expect(owner.isLive(last)).toBe(false);
  expectHealthy(owner, other);
});

test("zeroOnFree: a remote free's bytes are zero when the slot is handed out again", () => {
  const zeroing = smallHeap({ zeroOnFree: true });
  const helper = another(zeroing);
  const handles = fill(zeroing, 1024);
  for (const handle of handles) zeroing.view(handle).fill(0xee);
  freeAll(helper, handles);
  for (const handle of fill(zeroing, 1024)) {
    expect(zeroing.view(handle).every((byte) => byte === 0)).toBe(true);
  }
  helper.detach();
  zeroing.detach();
});

test("random: two seats allocate and free each other's objects; contents and counts stay right", () => {
  withSeed((random) => {
    const live = new Map<Handle, number>();
    const keys: Handle[] = [];
    const heaps = [owner, other];
    for (let step = 0; step < 20_000; step++) {
      const heap = heaps[Math.floor(random() * 2)];
      if (random() < 0.52) {
        const handle = heap.alloc(random() < 0.02 ? 5000 : 1 + Math.floor(random() * 1024));
        if (handle === 0) continue;
        heap.view(handle).fill(step & 0xff);
        live.set(handle, step & 0xff);
        keys.push(handle);
      } else if (keys.length > 0) {
        const at = Math.floor(random() * keys.length);
        const handle = keys[at];
        keys[at] = keys[keys.length - 1];
        keys.pop();
        const stamp = live.get(handle);
        const view = heap.view(handle);
        expect(view[0] === stamp && view[view.length - 1] === stamp).toBe(true);
        expect(heap.free(handle)).toBe(true);
        expect(heaps[Math.floor(random() * 2)].free(handle)).toBe(false);
        live.delete(handle);
      }
      if (step % 4000 === 0) {
        expectHealthy(owner, other);
        expect(owner.verify().liveObjects).toBe(live.size);
      }
    }
    for (const [handle, stamp] of live) expect(owner.view(handle).every((byte) => byte === stamp)).toBe(true);
  });
});
