/**
 * Defends: an epoch's refcount is its members plus its retains; it closes by itself exactly when somebody asked for
 * that and the last reference goes, never while anybody is inside, and a member of an old lap does not count for a
 * new era. Counts stop at 0 and at their maximum.
 * Method: several seats in one thread enter and leave; reference words at their limits are written directly.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { enterEra, exitEra, tryAutoClose } from "../../../src/allocator/epochs/refs.js";
import type { SlabHeap } from "../../../src/allocator/heap/heap.js";
import {
  REFS_BASE,
  RETAINS_BASE,
  RING_SIZE,
  SEAT_DEPTH,
  SEAT_SREF,
  seatAt,
} from "../../../src/allocator/memory/layout.js";
import { refcount } from "../../../src/allocator/words/epoch-table.js";
import {
  MAX_RETAINS,
  packRefs,
  packRetains,
  REFS_AUTO,
  REFS_CLOSED,
  refsEntries,
} from "../../../src/allocator/words/epoch-word.js";
import { another, epochId, expectHealthy, smallHeap } from "../support.js";

let heap: SlabHeap;
beforeEach(() => {
  heap = smallHeap();
});
afterEach(() => {
  if (heap._a.detached) return;
  expectHealthy(heap);
  heap.detach();
});

const state = (id = 0): string => heap.epochInfo(epochId(id)).state;

describe("explicit references", () => {
  test("count up and down, and stop at 0", () => {
    const { id } = heap.currentEpoch;
    expect(heap.releaseEpoch(id)).toBe(0);
    expect(heap.retainEpoch(id)).toBe(1);
    expect(heap.retainEpoch(id)).toBe(2);
    expect(heap.epochInfo(id).refcount).toBe(2);
    expect(heap.releaseEpoch(id)).toBe(1);
    expect(heap.releaseEpoch(id)).toBe(0);
    expect(heap.releaseEpoch(id)).toBe(0);
    expect(heap.epochInfo(id).refcount).toBe(0);
    expect(state()).toBe("ACTIVE");
  });

  test("are the heap's, not a thread's", () => {
    const other = another(heap);
    heap.retainEpoch(epochId(0));
    expect(other.retainEpoch(epochId(0))).toBe(2);
    other.detach();
    expect(heap.epochInfo(epochId(0)).refcount).toBe(2);
    expect(heap.releaseEpoch(epochId(0))).toBe(1);
  });

  test("stop at their maximum instead of spilling into the era", () => {
    heap._a.m[RETAINS_BASE] = packRetains(16, MAX_RETAINS - 1);
    expect(heap.retainEpoch(epochId(0))).toBe(MAX_RETAINS);
    expect(heap.retainEpoch(epochId(0))).toBe(MAX_RETAINS);
    expect(heap.releaseEpoch(epochId(0))).toBe(MAX_RETAINS - 1);
  });

  test("belong to one era: a new lap starts at 0", () => {
    heap.retainEpoch(epochId(0));
    for (let i = 0; i < RING_SIZE; i++) heap.advanceEpoch();
    expect(heap.epochInfo(epochId(0)).refcount).toBe(0);
    expect(heap.retainEpoch(epochId(0))).toBe(1);
  });

  test("of a closed epoch are counted as well", () => {
    heap.advanceEpoch();
    expect(heap.retainEpoch(epochId(0))).toBe(1);
    expect(heap.releaseEpoch(epochId(0))).toBe(0);
    expect(heap.retainEpoch(epochId(9))).toBe(1); // never opened: harmless
  });
});

describe("closing with the last one out", () => {
  test("one member", () => {
    expect(enterEra(heap._a, 16, true)).toBe(true);
    expect(refcount(heap._a.m, heap._a.layout, 0, 16)).toBe(1);
    expect(exitEra(heap._a, 16)).toBe(true);
    expect(state()).toBe("CLOSING");
    expect(heap.currentEpoch.era).toBe(17);
  });

  test("nobody asked for it: the epoch stays open", () => {
    enterEra(heap._a, 16, false);
    expect(exitEra(heap._a, 16)).toBe(false);
    expect(state()).toBe("ACTIVE");
  });

  test("several seats: only the last one out closes, whoever asked", () => {
    const others = [another(heap), another(heap)];
    enterEra(heap._a, 16, true);
    for (const other of others) expect(enterEra(other._a, 16, false)).toBe(true);
    expect(heap.epochInfo(epochId(0)).refcount).toBe(3);
    expect(exitEra(heap._a, 16)).toBe(false);
    expect(exitEra(others[0]._a, 16)).toBe(false);
    expect(state()).toBe("ACTIVE");
    expect(exitEra(others[1]._a, 16)).toBe(true);
    expect(state()).toBe("CLOSING");
    for (const other of others) other.detach();
  });

  test("nested levels of one seat count, and only the outermost leaves", () => {
    for (let level = 1; level <= 3; level++) {
      enterEra(heap._a, 16, true);
      expect(heap.epochInfo(epochId(0)).refcount).toBe(level);
    }
    expect([exitEra(heap._a, 16), exitEra(heap._a, 16)]).toEqual([false, false]);
    expect(state()).toBe("ACTIVE");
    expect(exitEra(heap._a, 16)).toBe(true);
  });

  test("a retain holds it open, and its release closes it", () => {
    heap.retainEpoch(epochId(0));
    enterEra(heap._a, 16, true);
    expect(exitEra(heap._a, 16)).toBe(false);
    expect(state()).toBe("ACTIVE");
    expect(heap.releaseEpoch(epochId(0))).toBe(0);
    expect(state()).toBe("CLOSING");
    expect(heap.currentEpoch.era).toBe(17);
  });

  test("a retain released while somebody is inside does not close it", () => {
    heap.retainEpoch(epochId(0));
    enterEra(heap._a, 16, true);
    expect(heap.releaseEpoch(epochId(0))).toBe(1);
    expect(state()).toBe("ACTIVE");
    expect(exitEra(heap._a, 16)).toBe(true);
  });

  test("releasing without anybody ever having entered closes nothing", () => {
    heap.retainEpoch(epochId(0));
    heap.releaseEpoch(epochId(0));
    expect(tryAutoClose(heap._a, 0, 16)).toBe(false);
    expect(state()).toBe("ACTIVE");
  });

  test("nobody enters once it is decided", () => {
    enterEra(heap._a, 16, true);
    exitEra(heap._a, 16);
    expect(enterEra(heap._a, 16, true)).toBe(false);
    expect(heap._a.m[heap._a.seatBase + SEAT_SREF]).toBe(0);
    expect(heap.epochInfo(epochId(0)).refcount).toBe(0);
  });

  test("an entry between a leaver's look and its decision stops it", () => {
    const other = another(heap);
    enterEra(heap._a, 16, true);
    heap._a.m[heap._a.seatBase + SEAT_DEPTH] = 0;
    heap._a.m[heap._a.seatBase + SEAT_SREF] = 0; // out, but has not decided yet
    expect(enterEra(other._a, 16, false)).toBe(true);
    expect(tryAutoClose(heap._a, 0, 16)).toBe(false);
    expect(exitEra(other._a, 16)).toBe(true);
    other.detach();
  });

  test("leaving by detach closes as well, and the next thread is not held up", () => {
    const other = another(heap);
    enterEra(other._a, 16, true);
    enterEra(other._a, 16, true);
    other.detach();
    expect(state()).toBe("CLOSING");
    expect(heap.epochInfo(epochId(0)).refcount).toBe(0);
  });
});

describe("limits and laps", () => {
  test("entries wrap without being taken for nobody", () => {
    heap._a.m[REFS_BASE] = packRefs(16, 0x3fff, REFS_AUTO);
    enterEra(heap._a, 16, false);
    expect(refsEntries(heap._a.m[REFS_BASE])).toBe(1);
    expect(exitEra(heap._a, 16)).toBe(true);
  });

  test("a word of an older lap is replaced, one of a newer lap refuses", () => {
    heap._a.m[REFS_BASE] = packRefs(0, 77, REFS_AUTO | REFS_CLOSED);
    expect(enterEra(heap._a, 16, false)).toBe(true);
    expect(heap._a.m[REFS_BASE]).toBe(packRefs(16, 1, 0));
    exitEra(heap._a, 16);
    heap._a.m[REFS_BASE] = packRefs(32, 1, 0);
    expect(enterEra(heap._a, 16, false)).toBe(false);
    expect(heap._a.m[heap._a.seatBase + SEAT_SREF]).toBe(0);
    heap._a.m[REFS_BASE] = 0;
  });

  test("an era that is not open is refused, and leaves no membership behind", () => {
    heap.advanceEpoch();
    expect(enterEra(heap._a, 16, true)).toBe(false);
    expect(enterEra(heap._a, 5, true)).toBe(false);
    expect(heap._a.m[seatAt(heap._a.layout, heap.seat) + SEAT_SREF]).toBe(0);
    expect(heap.epochInfo(epochId(0)).refcount).toBe(0);
  });

  test("a member of an era whose slot was reused is displaced by entering the new one, and leaves quietly", () => {
    enterEra(heap._a, 16, true);
    for (let i = 0; i < RING_SIZE; i++) heap.advanceEpoch();
    expect(heap.epochInfo(epochId(0)).refcount).toBe(0);
    expect(enterEra(heap._a, 32, true)).toBe(true);
    expect(exitEra(heap._a, 16)).toBe(false);
    expect(heap.epochInfo(epochId(0)).refcount).toBe(1);
    expect(exitEra(heap._a, 32)).toBe(true);
    expect(heap.currentEpoch.era).toBe(33);
  });

  test("an old member leaving late does not close the new era", () => {
    enterEra(heap._a, 16, true);
    const other = another(heap);
    for (let i = 0; i < RING_SIZE; i++) heap.advanceEpoch();
    enterEra(other._a, 32, true);
    expect(exitEra(heap._a, 16)).toBe(false);
    expect(state()).toBe("ACTIVE");
    expect(exitEra(other._a, 32)).toBe(true);
    other.detach();
  });
});
