/**
 * Defends: whatever instruction a thread died at, `reap` recovers its seat: live objects stay live, half-done claims are
 * undone, memberships end, epochs it was about to close are closed, and a dead reaper's work is taken over. A seat
 * that is free, has a new holder, or is known to be alive is not touched.
 * Method: a second seat in the same thread simply stops, and the words a kill would leave are written by hand; reapSeat
 * is called directly, because `reap` rightly refuses seats of its own thread. Every case ends with verify and with the
 * whole payload in one allocation.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { C_ORPHANED_LIVE, S_REAPS } from "../../../src/allocator/counters/fields.js";
import { InvalidTypeError, InvalidValueError, SeatAliveError } from "../../../src/allocator/errors.js";
import type { SlabHeap } from "../../../src/allocator/heap/heap.js";
import {
  EP_LABEL_SEQ,
  EPOCH_BASE,
  EPOCH_WORDS,
  LARGE_CLASS,
  REFS_BASE,
  recordAt,
  SEAT_SREF,
  SLAB_COUNTS,
  SLAB_ERA,
  SLAB_HEAD,
  SLAB_RUN,
} from "../../../src/allocator/memory/layout.js";
import { reapSeat } from "../../../src/allocator/seats/reap.js";
import { clearFree, hasFreeHint } from "../../../src/allocator/slabs/free-map.js";
import type { ReapReport } from "../../../src/allocator/types.js";
import { REFS_CLOSED } from "../../../src/allocator/words/epoch-word.js";
import { packSeat, SEAT_REAPING, SEAT_SUSPECT } from "../../../src/allocator/words/seat-word.js";
import { packTag, packTail, TAG_CLAIMED, TAG_FREE, tagOwner } from "../../../src/allocator/words/slab-tag.js";
import {
  another,
  classCounter,
  epochId,
  expectHealthy,
  expectWholeMemoryBack,
  fill,
  freeAll,
  liveAt,
  SLAB,
  seatCounter,
  seatWordIndex,
  setTag,
  slabOf,
  slotWordOf,
  smallHeap,
  tagAt,
} from "../support.js";

let heap: SlabHeap;
let dead: SlabHeap;
beforeEach(() => {
  heap = smallHeap();
  dead = another(heap);
  heap.poll();
});
afterEach(() => {
  if (heap._a.detached) return;
  expectWholeMemoryBack(heap);
  heap.detach();
});

const reap = (by = heap): ReapReport => reapSeat(by._a, dead.seat, dead.incarnation);
function expectReaped(orphaned: number, undone = 0): void {
  expect(reap()).toEqual({
    seat: dead.seat,
    incarnation: dead.incarnation,
    status: "reaped",
    slabsOrphaned: orphaned,
    claimsUndone: undone,
  });
  expect(heap.seats()[1]).toMatchObject({
    seat: 2,
    state: "FREE",
    incarnation: dead.incarnation,
    threadId: -1,
  });
  expectHealthy(heap);
}

describe("objects of a dead thread", () => {
  test("stay live with their contents, become the reaper's, and can be freed", () => {
    const handles = [64, 128, 1024, 3 * SLAB].map((size, i) => {
      const handle = dead.alloc(size);
      dead.view(handle).fill(i + 1);
      return handle;
    });
    expectReaped(4);
    handles.forEach((handle, i) => {
      expect(heap.view(handle).every((byte) => byte === i + 1)).toBe(true);
      expect(tagOwner(tagAt(heap, slabOf(heap, handle)))).toBe(heap.seat);
    });
    expect(seatCounter(heap, S_REAPS)).toBe(1);
    expect(classCounter(heap, 0, C_ORPHANED_LIVE, dead.seat)).toBe(1);
    freeAll(heap, handles);
  });

  test("free slots of its slabs are allocated from, and its seat is taken again", () => {
    fill(dead, 64);
    freeAll(dead, fill(heap, 64)); // nothing left for heap: an empty list
    expect(heap.alloc(64)).toBe(0);
    const first = heap._a.layout.slotBase;
    for (let i = 0; i < 10; i++) heap._a.m[first + i] += 1; // remote-freed, nobody told
    expectReaped(16);
    expect(fill(heap, 64)).toHaveLength(10);
    const successor = another(heap);
    expect([successor.seat, successor.incarnation]).toEqual([dead.seat, dead.incarnation + 1]);
    successor.detach();
  });

  test("killed in alloc: ALLOC stored but not counted, or taken off the list but not stored", () => {
    const handle = dead.alloc(64);
    const record = recordAt(slabOf(heap, handle));
    const slot = slotWordOf(heap, handle);
    heap._a.m[slot + 5] += 1; // ALLOC, live count behind
    heap._a.m[record + SLAB_HEAD] = slot + 9; // popped further than stored
    expectReaped(1);
    expect(heap.verify().liveObjects).toBe(2);
    expect(fill(heap, 64)).toHaveLength(16 * 64 - 2);
  });

  test("killed in free: slot freed but not linked, or live count ahead", () => {
    const handles = [dead.alloc(64), dead.alloc(64)];
    const slot = slotWordOf(heap, handles[0]);
    heap._a.m[slot] += 3; // FREE of the next generation, on no list
    heap._a.m[recordAt(slabOf(heap, handles[0])) + SLAB_COUNTS] = -7;
    expectReaped(1);
    expect(heap.isLive(handles[0])).toBe(false);
    expect(heap.isLive(handles[1])).toBe(true);
    expect(heap.verify().liveObjects).toBe(1);
  });

  test("killed in a remote free before it could set the pending bit", () => {
    const handle = heap.alloc(64);
    heap._a.m[slotWordOf(heap, handle)] += 1;
    expectReaped(0); // everybody looks at all of their slots after a reap
    expect(heap.verify()).toMatchObject({ ok: true, liveObjects: 0 });
    expect(liveAt(heap, slabOf(heap, handle))).toBe(0);
  });

  test("go with their epoch when that was discarded and the owner never noticed", () => {
    const handles = [dead.alloc(64), dead.alloc(2 * SLAB)];
    heap.discardEpoch(heap.currentEpoch);
    expect(heap.verify().slabs).toBe(3);
    expectReaped(2);
    for (const handle of handles) expect(heap.isLive(handle)).toBe(false);
    expect(heap.verify().slabs).toBe(0);
  });
});

describe("killed in a claim", () => {
  /** The slab as a thread leaves it between taking the tag and owning it. */
  function claimed(slab: number, classIndex: number, hintCleared: boolean): void {
    setTag(heap, slab, packTag(TAG_CLAIMED, dead.seat, classIndex, 0));
    if (hintCleared) clearFree(heap._a.m, heap._a.layout, slab);
  }

  test.each([false, true])("of a single slab, hint cleared: %s", (hintCleared) => {
    claimed(3, 1, hintCleared);
    expect(heap.verify().problems[0]).toContain("slab 3: left CLAIMED by seat 2");
    expectReaped(0, 1);
    expect(tagAt(heap, 3)).toBe(TAG_FREE);
    expect(hasFreeHint(heap._a.m, heap._a.layout, 3)).toBe(true);
  });

  test("freed the tag but not yet the hint", () => {
    clearFree(heap._a.m, heap._a.layout, 5);
    expectReaped(0);
    expect(hasFreeHint(heap._a.m, heap._a.layout, 5)).toBe(true);
  });

  test("freed the tag and set the hint, but not yet the summary above it", () => {
    const big = smallHeap({ capacity: 64 * SLAB });
    const killed = another(big);
    big.poll();
    const { m, layout } = big._a;
    const slab = slabOf(killed, killed.alloc(4000));
    fill(big, 1024);
    // What giving the empty slab back leaves when the thread dies after the first of two ORs.
    m[layout.slotBase + slab * 2 ** layout.slotsShift] += 3;
    setTag(big, slab, TAG_FREE);
    m[layout.freeLevels[0] + (slab >> 5)] |= 1 << (slab & 31);
    expect(m[layout.freeLevels[1]]).toBe(0);
    expect(reapSeat(big._a, killed.seat, killed.incarnation).status).toBe("reaped");
    expect(big.alloc(1024)).not.toBe(0);
    big.detach();
  });

  test.each([0, 1, 3])("of a run with %i of 4 tails, beside a run of somebody else", (tails) => {
    const neighbour = heap.alloc(2 * SLAB); // slabs 14 and 15
    expect(slabOf(heap, neighbour)).toBe(14);
    const head = 9;
    claimed(head, LARGE_CLASS, true);
    heap._a.m[recordAt(head) + SLAB_RUN] = 7; // longer than what was free: reaches into the neighbour
    heap._a.m[recordAt(head) + SLAB_ERA] = 16;
    for (let i = 1; i <= tails; i++) {
      setTag(heap, head + i, packTail(head));
      if (i > 1) clearFree(heap._a.m, heap._a.layout, head + i);
    }
    expectReaped(0, 1);
    for (let slab = head; slab < 14; slab++) expect(tagAt(heap, slab)).toBe(TAG_FREE);
    expect(heap.isLive(neighbour)).toBe(true);
    expect(heap.alloc(14 * SLAB)).not.toBe(0);
  });

  test("of a run being given back: head no longer LARGE, some tails free already", () => {
    const run = dead.alloc(5 * SLAB);
    const head = slabOf(heap, run);
    heap._a.m[slotWordOf(heap, run)] += 3;
    setTag(heap, head, packTag(TAG_CLAIMED, dead.seat, LARGE_CLASS, 0));
    for (let i = 1; i <= 2; i++) setTag(heap, head + i, TAG_FREE);
    expectReaped(0, 1);
    expect(heap.verify()).toMatchObject({ ok: true, slabs: 0 });
    expect(heap.isLive(run)).toBe(false);
  });

  test("between LARGE and ALLOC: a run without an object is given back by its adopter", () => {
    const run = dead.alloc(3 * SLAB);
    heap._a.m[slotWordOf(heap, run)] -= 1;
    expectReaped(1);
    expect(heap.verify()).toMatchObject({ ok: true, slabs: 0 });
  });
});

describe("epochs of a dead thread", () => {
  test("memberships end; what it alone held open with autoClose closes", () => {
    dead.openDomain({ autoClose: true });
    dead.openDomain();
    heap.advanceEpoch();
    dead.poll();
    dead.openDomain({ autoClose: true });
    expectReaped(0);
    for (const id of [0, 1]) {
      expect(heap.epochInfo(epochId(id))).toMatchObject({ refcount: 0, state: "CLOSING" });
    }
    expect(heap.currentEpoch.era).toBe(18);
  });

  test("what others are inside of stays open, and what they retain", () => {
    dead.openDomain({ autoClose: true });
    const domain = heap.openDomain();
    expectReaped(0);
    expect(heap.epochInfo(epochId(0))).toMatchObject({ refcount: 1, state: "ACTIVE" });
    domain.exit();
    expect(heap.epochInfo(epochId(0)).state).toBe("CLOSING");
  });

  test("died between leaving and deciding: the reaper decides", () => {
    dead.openDomain({ autoClose: true });
    heap._a.m[dead._a.seatBase + SEAT_SREF] = 0;
    expectReaped(0);
    expect(heap.epochInfo(epochId(0)).state).toBe("CLOSING");
  });

  test("died between deciding and closing: the reaper closes", () => {
    dead.openDomain({ autoClose: true });
    heap._a.m[dead._a.seatBase + SEAT_SREF] = 0;
    heap._a.m[REFS_BASE] |= REFS_CLOSED;
    expect(heap.epochInfo(epochId(0)).state).toBe("ACTIVE");
    expectReaped(0);
    expect(heap.epochInfo(epochId(0)).state).toBe("CLOSING");
    expect(heap.openDomain().epoch.era).toBe(17);
  });

  test("died writing a label: the old one stays and the next can be written", () => {
    heap.setEpochLabel(epochId(0), "old");
    heap._a.m[EPOCH_BASE + EP_LABEL_SEQ] |= (dead.seat << 1) | 1;
    heap.setEpochLabel(epochId(0), "lost");
    expect(heap.epochInfo(epochId(0)).label).toBe("old");
    expectReaped(0);
    heap.setEpochLabel(epochId(0), "new");
    expect(heap.epochInfo(epochId(0)).label).toBe("new");
    expect(EPOCH_WORDS).toBeGreaterThan(EP_LABEL_SEQ);
  });
});

describe("dead reapers", () => {
  const reaping = (seat: SlabHeap, by: SlabHeap): void => {
    heap._a.m[seatWordIndex(heap, seat.seat)] = packSeat(seat.incarnation, by.seat, SEAT_REAPING);
  };

  test("a seat somebody is reaping is left to them", () => {
    const reaper = another(heap);
    reaping(dead, reaper);
    expect(reap()).toMatchObject({ status: "busy", slabsOrphaned: 0 });
    expect(heap.verify().problems[0]).toContain("seat 2: left REAPING by seat 3");
    expect(reapSeat(heap._a, reaper.seat, reaper.incarnation).status).toBe("reaped");
    expectHealthy(heap);
  });

  test("reaping the reaper takes over what it was doing, along a chain", () => {
    const [second, third] = [another(heap), another(heap)];
    const handles = [dead.alloc(64), second.alloc(64), third.alloc(64)];
    reaping(dead, second);
    reaping(second, third);
    setTag(heap, 9, packTag(TAG_CLAIMED, dead.seat, 0, 0));
    const report = reapSeat(heap._a, third.seat, third.incarnation);
    expect(report).toMatchObject({ status: "reaped", slabsOrphaned: 3, claimsUndone: 1 });
    expect(heap.seats().map((seat) => seat.state)).toEqual(["LIVE", "FREE", "FREE", "FREE"]);
    for (const handle of handles) expect(heap.isLive(handle)).toBe(true);
    expectHealthy(heap);
  });

  test("killed at the very end of a reap: everything done, the seat not freed", () => {
    const reaper = another(heap);
    dead.alloc(64);
    reap(reaper);
    reaping(dead, reaper);
    expect(reapSeat(heap._a, reaper.seat, reaper.incarnation)).toMatchObject({
      status: "reaped",
      slabsOrphaned: 1,
    });
    expect(heap.seats().map((seat) => seat.state)).toEqual(["LIVE", "FREE", "FREE"]);
  });

  test("two live reapers: the second finds it done", () => {
    const reaper = another(heap);
    expect(reap(reaper).status).toBe("reaped");
    expect(reap().status).toBe("free");
    const successor = another(heap);
    expect(successor.seat).toBe(dead.seat);
    expect(reap().status).toBe("stale");
    expect(successor.alloc(64)).not.toBe(0);
    for (const h of [reaper, successor]) h.detach();
  });
});

describe("what reap refuses", () => {
  test("its own seat, and a seat this thread holds through another object", () => {
    expect(() => heap.reap(heap.seat, heap.incarnation)).toThrow(SeatAliveError);
    expect(() => heap.reap(dead.seat, dead.incarnation)).toThrow(SeatAliveError);
    expect(() => heap.reap(dead.seat, dead.incarnation)).toThrow("use detach()");
    expect(dead.alloc(64)).not.toBe(0);
    dead.detach();
  });

  test("nothing to do: free seats, earlier and later incarnations", () => {
    expect(heap.reap(4, 0)).toEqual({
      seat: 4,
      incarnation: 0,
      status: "free",
      slabsOrphaned: 0,
      claimsUndone: 0,
    });
    expect(heap.reap(dead.seat, dead.incarnation + 1).status).toBe("stale");
    expect(heap.reap(heap.seat, heap.incarnation + 1).status).toBe("stale");
    dead.detach();
    expect(heap.reap(dead.seat, dead.incarnation).status).toBe("free");
    const successor = another(heap);
    expect(heap.reap(successor.seat, dead.incarnation).status).toBe("stale");
    expect(successor.alloc(64)).not.toBe(0);
    successor.detach();
  });

  test("seats and incarnations that cannot be", () => {
    for (const seat of [0, 5, -1, 1.5, Number.NaN]) {
      expect(() => heap.reap(seat, 1)).toThrow(InvalidValueError);
      expect(() => heap.reap(seat, 1)).toThrow(`from 1 to 4; got ${seat}`);
    }
    for (const incarnation of [-1, 65536, 0.5]) {
      expect(() => heap.reap(2, incarnation)).toThrow(`from 0 to 65535; got ${incarnation}`);
    }
    for (const wrong of ["1", null, undefined, 1n]) {
      expect(() => heap.reap(wrong as never, 1)).toThrow(InvalidTypeError);
      expect(() => heap.reap(1, wrong as never)).toThrow(InvalidTypeError);
    }
    dead.detach();
  });
});

test("a suspected seat is reaped like a live one", () => {
  const handle = dead.alloc(64);
  heap._a.m[seatWordIndex(heap, dead.seat)] = packSeat(dead.incarnation, 1, SEAT_SUSPECT);
  expectReaped(1);
  expect(heap.isLive(handle)).toBe(true);
});

test("a thread wrongly taken for dead stops at its next operation and harms nothing", () => {
  const handle = dead.alloc(64);
  expectReaped(1);
  expect(dead.free(handle)).toBe(false);
  expect(() => dead.alloc(64)).toThrow("attach again");
  expect(heap.isLive(handle)).toBe(true);
  expectHealthy(heap);
});
