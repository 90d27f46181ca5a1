/**
 * Defends: exactly one epoch is open; eras only grow; closing and discarding by id or ref do what they report, once,
 * and a stale or impossible ref does nothing; nothing is allocated in an epoch seen closed; a discard is in force
 * for every thread before any of them has honoured it.
 * Method: reports compared field by field; a second seat that has not synced; records and ERA written by hand to stand
 * for an advancer that died half-way and for a heap near its last era.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { normalise } from "../../../src/allocator/epochs/ring.js";
import { EpochClosedError, InvalidTypeError, InvalidValueError } from "../../../src/allocator/errors.js";
import type { SlabHeap } from "../../../src/allocator/heap/heap.js";
import {
  ERA,
  FIRST_ERA,
  MAX_ERA,
  REC_BASE,
  REFS_BASE,
  RING_SIZE,
} from "../../../src/allocator/memory/layout.js";
import { sync } from "../../../src/allocator/seats/sync.js";
import type { EpochRef } from "../../../src/allocator/types.js";
import {
  EPOCH_ACTIVE,
  EPOCH_CLOSING,
  EPOCH_DISCARD,
  packRec,
  packRefs,
  recEra,
  recState,
} from "../../../src/allocator/words/epoch-word.js";
import {
  another,
  epochId,
  eraAt,
  expectHealthy,
  expectWholeMemoryBack,
  newestEra,
  recAt,
  slabOf,
  smallHeap,
} from "../support.js";

let heap: SlabHeap;
beforeEach(() => {
  heap = smallHeap();
});
afterEach(() => heap.detach());

const states = (): string[] =>
  Array.from({ length: RING_SIZE }, (_, id) => heap.epochInfo(epochId(id)).state);

describe("advance", () => {
  test("a fresh heap has era 16 open in slot 0 and nothing else", () => {
    expect(heap.currentEpoch).toEqual({ id: 0, era: FIRST_ERA });
    expect(states()).toEqual(["ACTIVE", ...new Array(15).fill("CLOSING")]);
  });

  test("each advance opens the next ring slot with an era one higher; exactly one is open", () => {
    for (let i = 1; i <= 50; i++) {
      const ref = heap.advanceEpoch();
      expect(ref).toEqual({ id: (FIRST_ERA + i) % RING_SIZE, era: FIRST_ERA + i });
      expect(heap.currentEpoch).toEqual(ref);
      expect(states().filter((state) => state === "ACTIVE")).toHaveLength(1);
      expect(heap.epochInfo(ref.id)).toMatchObject({ state: "ACTIVE", era: ref.era });
    }
    expectHealthy(heap);
  });

  test("objects live on, and new ones belong to the new era", () => {
    const before = heap.currentEpoch;
    const old = heap.alloc(64);
    const after = heap.advanceEpoch();
    const fresh = heap.alloc(64);
    expect(heap.epochOf(old)).toEqual(before);
    expect(heap.epochOf(fresh)).toEqual(after);
    expect(eraAt(heap, slabOf(heap, old))).toBe(before.era);
    expect(slabOf(heap, old)).not.toBe(slabOf(heap, fresh));
    expectHealthy(heap);
  });

  test("another seat follows at its next allocation", () => {
    const other = another(heap);
    other.alloc(64);
    const ref = heap.advanceEpoch();
    expect(other.epochOf(other.alloc(64))).toEqual(ref);
    expectWholeMemoryBack(heap, other);
    other.detach();
  });

  test("an advancer that died after bumping ERA is helped by whoever syncs", () => {
    const ref = heap.currentEpoch;
    heap._a.m[ERA] += 1;
    sync(heap._a, false);
    expect(heap.currentEpoch.era).toBe(ref.era + 1);
    expect(heap.epochInfo(ref.id).state).toBe("CLOSING");
    expect(heap.epochOf(heap.alloc(64)).era).toBe(ref.era + 1);
    expectHealthy(heap);
  });

  test("records left far behind are brought up at once", () => {
    heap._a.m[ERA] += 40;
    normalise(heap._a.m, heap._a.layout, newestEra(heap));
    for (let id = 0; id < RING_SIZE; id++) {
      const era = recEra(recAt(heap, id));
      expect(era % RING_SIZE).toBe(id);
      expect(newestEra(heap) - era).toBeLessThan(RING_SIZE);
      expect(recState(recAt(heap, id)) === EPOCH_ACTIVE).toBe(era === newestEra(heap));
    }
    sync(heap._a, false);
    expectHealthy(heap);
  });

  test("records never go back: a late helper changes nothing", () => {
    for (let i = 0; i < 20; i++) heap.advanceEpoch();
    const before = Array.from({ length: RING_SIZE }, (_, id) => recAt(heap, id));
    for (let late = FIRST_ERA; late < newestEra(heap); late++) normalise(heap._a.m, heap._a.layout, late);
    expect(Array.from({ length: RING_SIZE }, (_, id) => recAt(heap, id))).toEqual(before);
  });
});

describe("the last era", () => {
  /** Moves the whole ring so that `newest` is open. */
  function jumpTo(newest: number): void {
    heap._a.m[ERA] = newest;
    // Kept near the era on the way there.
    for (let ring = 0; ring < RING_SIZE; ring++) heap._a.m[REFS_BASE + ring] = packRefs(newest - 16, 0, 0);
    normalise(heap._a.m, heap._a.layout, newest);
    sync(heap._a, false);
  }

  test("eras use all 30 bits: allocation, epochOf and discard work right up to the end", () => {
    jumpTo(MAX_ERA - 3);
    for (let i = 0; i < 2; i++) {
      const handle = heap.alloc(64);
      expect(heap.epochOf(handle)).toEqual(heap.currentEpoch);
      heap.advanceEpoch();
      expectHealthy(heap);
      heap.discardEpoch(heap.epochOf(handle));
      expect(heap.isLive(handle)).toBe(false);
    }
  });

  test("advance and closing the current epoch are refused with a clear error, and change nothing", () => {
    jumpTo(MAX_ERA - 1);
    const handle = heap.alloc(64);
    for (const step of [() => heap.advanceEpoch(), () => heap.closeEpoch(heap.currentEpoch)]) {
      expect(step).toThrow(EpochClosedError);
      expect(step).toThrow("create a new heap");
    }
    expect(heap.currentEpoch.era).toBe(MAX_ERA - 1);
    expect(heap.isLive(handle)).toBe(true);
    expect(heap.alloc(64)).not.toBe(0);
    expectHealthy(heap);
  });
});

describe("close", () => {
  test("by ref and by id: reported once, then as done before", () => {
    const first = heap.currentEpoch;
    heap.advanceEpoch();
    heap.advanceEpoch();
    expect(heap.closeEpoch(first)).toMatchObject({ epoch: first, applied: false, reason: "already-closed" });
    expect(heap.closeEpoch(first.id)).toMatchObject({
      epoch: first,
      applied: false,
      reason: "already-closed",
    });
  });

  test("of the current epoch advances first", () => {
    const ref = heap.currentEpoch;
    expect(heap.closeEpoch(ref)).toMatchObject({ epoch: ref, applied: true, reason: "closed" });
    expect(heap.currentEpoch).toEqual({ id: 1, era: ref.era + 1 });
    expect(heap.epochInfo(ref.id)).toMatchObject({ state: "CLOSING", discarded: false });
    expect(heap.closeEpoch(heap.currentEpoch.id)).toMatchObject({ applied: true, epoch: { id: 1 } });
    expect(heap.currentEpoch.era).toBe(ref.era + 2);
  });

  test("of a stale ref has no effect and says so, whatever its ring slot holds now", () => {
    const stale = heap.currentEpoch;
    for (let i = 0; i < RING_SIZE; i++) heap.advanceEpoch();
    const open = heap.currentEpoch;
    expect(open.id).toBe(stale.id);
    const handle = heap.alloc(64);
    expect(heap.closeEpoch(stale)).toMatchObject({
      epoch: stale,
      applied: false,
      reason: "stale",
      slabsScanned: 0,
    });
    expect(heap.currentEpoch).toEqual(open);
    expect(heap.isLive(handle)).toBe(true);
  });

  test("of an epoch never opened says so", () => {
    const future: EpochRef = { id: epochId(1), era: 33 };
    for (const epoch of [epochId(5), future, { id: epochId(3), era: 3 }]) {
      expect(heap.closeEpoch(epoch)).toMatchObject({ applied: false, reason: "never-opened" });
      expect(heap.discardEpoch(epoch)).toMatchObject({ applied: false, reason: "never-opened" });
    }
    expect(heap.currentEpoch.era).toBe(FIRST_ERA);
  });

  test("allocation in a closed epoch is refused, not redirected", () => {
    const closed = heap.currentEpoch;
    expect(heap.alloc(64, closed.id)).not.toBe(0);
    heap.closeEpoch(closed);
    for (const size of [64, 1024, 9000]) {
      expect(heap.alloc(size, closed.id)).toBe(0);
      expect(heap.lastFailure).toBe("epoch-closed");
      expect(() => heap.allocOrThrow(size, closed.id)).toThrow(EpochClosedError);
    }
    expect(heap.alloc(64, heap.currentEpoch.id)).not.toBe(0);
    expect(heap.alloc(64, epochId(9))).toBe(0);
  });

  test("a thread that has not noticed the close allocates at most what its slab holds, never in a new slab", () => {
    const other = another(heap);
    other.alloc(1024);
    heap.poll();
    const era = heap.currentEpoch.era;
    // The record alone, without the PHASE that tells others: what another thread sees of a close in the making.
    heap._a.m[ERA] = era + 1;
    normalise(heap._a.m, heap._a.layout, era + 1);
    const eras = Array.from({ length: 8 }, () => other.epochOf(other.alloc(1024)).era);
    expect(eras).toEqual([era, era, era, era + 1, era + 1, era + 1, era + 1, era + 1]);
    other.detach();
  });
});

describe("discard", () => {
  test("is in force for a thread that has not honoured it yet, and for handles its owner still counts as live", () => {
    const other = another(heap);
    heap.poll();
    const mine = heap.alloc(64);
    const theirs = other.alloc(64);
    const run = other.alloc(9000);
    const ref = heap.currentEpoch;
    const before = heap._a.m.slice();
    heap.discardEpoch(ref);
    expect(heap._a.m).not.toEqual(before);
    // `other` has done nothing since; its slots still say ALLOC.
    for (const handle of [mine, theirs, run]) {
      expect(heap.isLive(handle)).toBe(false);
      expect(heap.free(handle)).toBe(false);
      expect(() => heap.byteOffset(handle)).toThrow("names no live object");
      expect(() => heap.view(handle)).toThrow("discarded");
      expect(heap.freeOffset(heap._a.layout.payloadOffset)).toBe(false);
    }
    for (const handle of [mine, theirs, run]) {
      expect(other.free(handle)).toBe(false);
      expect(other.isLive(handle)).toBe(false);
    }
    expectWholeMemoryBack(heap, other);
    other.detach();
  });

  test("the owner's first operation after a discard, a free, is refused", () => {
    const other = another(heap);
    const theirs = other.alloc(64);
    heap.discardEpoch(heap.currentEpoch);
    expect(other.free(theirs)).toBe(false);
    other.detach();
  });

  test("is reported once; repeating it does nothing", () => {
    heap.alloc(64);
    const ref = heap.currentEpoch;
    expect(heap.discardEpoch(ref)).toMatchObject({ applied: true, reason: "discarded", objectsDiscarded: 1 });
    expect(heap.discardEpoch(ref)).toMatchObject({
      applied: false,
      reason: "already-discarded",
      objectsDiscarded: 0,
    });
    expect(heap.discardEpoch(ref.id)).toMatchObject({ applied: false, reason: "already-discarded" });
    expect(heap.closeEpoch(ref)).toMatchObject({ applied: false, reason: "already-closed" });
    expect(heap.epochInfo(ref.id)).toMatchObject({ discarded: true, state: "CLOSING", liveObjects: 0 });
  });

  test("of a closed epoch ends what is left of it", () => {
    const handle = heap.alloc(64);
    const ref = heap.currentEpoch;
    heap.closeEpoch(ref);
    expect(heap.isLive(handle)).toBe(true);
    expect(heap.discardEpoch(ref.id)).toMatchObject({
      applied: true,
      reason: "discarded",
      objectsDiscarded: 1,
    });
    expect(heap.isLive(handle)).toBe(false);
  });

  test("before an epoch: every older one, that one not", () => {
    const handles = Array.from({ length: 5 }, () => {
      const handle = heap.alloc(64);
      heap.advanceEpoch();
      return handle;
    });
    const limit = heap.epochOf(handles[3]);
    expect(heap.discardBefore(limit)).toMatchObject({
      applied: true,
      reason: "discarded",
      objectsDiscarded: 3,
    });
    expect(handles.map((handle) => heap.isLive(handle))).toEqual([false, false, false, true, true]);
    expect(heap.discardBefore(limit)).toMatchObject({ applied: false, reason: "already-discarded" });
    expect(heap.discardBefore({ id: epochId(0), era: FIRST_ERA })).toMatchObject({ applied: false });
    expect(heap.discardBefore({ id: epochId(1), era: 33 })).toMatchObject({
      applied: false,
      reason: "never-opened",
    });
    expectHealthy(heap);
  });

  test("a discard whose caller died after marking the record takes effect at the next sync", () => {
    const handle = heap.alloc(64);
    const ref = heap.currentEpoch;
    heap.advanceEpoch();
    heap._a.m[REC_BASE + ref.id] = packRec(ref.era, EPOCH_DISCARD);
    sync(heap._a, false);
    expect(heap.isLive(handle)).toBe(false);
    expect(heap.verify()).toMatchObject({ ok: true, slabs: 0 });
  });
});

describe("arguments", () => {
  const methods = (): [string, (epoch: never) => unknown][] => [
    ["closeEpoch", (epoch) => heap.closeEpoch(epoch)],
    ["discardEpoch", (epoch) => heap.discardEpoch(epoch)],
    ["epochInfo", (epoch) => heap.epochInfo(epoch)],
    ["retainEpoch", (epoch) => heap.retainEpoch(epoch)],
    ["releaseEpoch", (epoch) => heap.releaseEpoch(epoch)],
    ["setEpochLabel", (epoch) => heap.setEpochLabel(epoch, "x")],
    ["openDomain", (epoch) => heap.openDomain({ epoch })],
    ["alloc", (epoch) => heap.alloc(64, epoch)],
  ];

  test("an id outside 0..15 is out of range everywhere", () => {
    for (const [name, call] of methods()) {
      for (const id of [-1, 16, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
        expect(() => call(id as never), `${name}(${id})`).toThrow(InvalidValueError);
        expect(() => call(id as never), `${name}(${id})`).toThrow(`got ${id}`);
      }
    }
  });

  test("what is no id and no ref is a wrong type everywhere", () => {
    for (const [name, call] of methods()) {
      for (const id of ["0", null, true, 1n, () => 0]) {
        expect(() => call(id as never), `${name}(${String(id)})`).toThrow(InvalidTypeError);
      }
    }
    for (const call of [heap.closeEpoch, heap.discardEpoch, heap.discardBefore]) {
      expect(() => call.call(heap, undefined as never)).toThrow(InvalidTypeError);
    }
  });

  test("a ref must be of this ring: id is era modulo 16", () => {
    for (const call of [heap.closeEpoch, heap.discardEpoch, heap.discardBefore]) {
      const of = (id: unknown, era: unknown) => () => call.call(heap, { id, era } as never);
      expect(of(1, 16)).toThrow(InvalidValueError);
      expect(of(0, 16.5)).toThrow(InvalidValueError);
      expect(of(0, -16)).toThrow(InvalidValueError);
      expect(of(0, 2 ** 30)).toThrow(InvalidValueError);
      expect(of(0, Number.NaN)).toThrow(InvalidValueError);
      expect(of(16, 16)).toThrow(InvalidValueError);
      expect(of(0, "16")).toThrow(InvalidTypeError);
      expect(of(undefined, 16)).toThrow(InvalidTypeError);
    }
    expect(heap.currentEpoch.era).toBe(FIRST_ERA);
    expect(recAt(heap, 1)).toBe(packRec(1, EPOCH_CLOSING));
  });
});
