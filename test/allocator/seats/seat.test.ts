/**
 * Defends: a thread holds one seat, every attach is a new incarnation, seats run out with a clear error, and a seat
 * given back leaves objects valid, memberships ended and nothing of its holder's private words trusted.
 * Method: seats of one heap taken and given back in one thread; the seat's area is spoilt between two holders.
 */
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import {
  AlreadyAttachedError,
  SeatsExhaustedError,
  TemporalSlabError,
} from "../../../src/allocator/errors.js";
import { SlabHeap } from "../../../src/allocator/heap/heap.js";
import {
  SEAT_COUNTERS,
  SEAT_OWN,
  SLAB_OWN_NEXT,
  SLAB_OWN_PREV,
  seatAt,
  slabOfRecord,
} from "../../../src/allocator/memory/layout.js";
import type { Handle } from "../../../src/allocator/types.js";
import { packSeat, SEAT_FREE } from "../../../src/allocator/words/seat-word.js";
import { tagOwner } from "../../../src/allocator/words/slab-tag.js";
import { watchAccesses } from "../../regression/interleave.js";
import {
  another,
  epochId,
  expectHealthy,
  expectWholeMemoryBack,
  fill,
  freeAll,
  SLAB,
  seatWordIndex,
  slabOf,
  smallHeap,
  tagAt,
} from "../support.js";

let heap: SlabHeap;
beforeEach(() => {
  heap = smallHeap();
});
afterEach(() => {
  if (heap._a.detached) return;
  expectHealthy(heap);
  heap.detach();
});

describe("taking a seat", () => {
  test("the creator has seat 1, the next ones the lowest free", () => {
    const [b, c] = [another(heap), another(heap)];
    expect([heap.seat, b.seat, c.seat]).toEqual([1, 2, 3]);
    b.detach();
    const again = another(heap);
    expect([again.seat, again.incarnation]).toEqual([2, b.incarnation + 1]);
    for (const h of [c, again]) h.detach();
  });

  test("a second seat for the same thread is refused unless asked for", () => {
    const attach = (): SlabHeap => SlabHeap.attach(heap.share());
    expect(attach).toThrow(AlreadyAttachedError);
    expect(attach).toThrow(TemporalSlabError);
    expect(attach).toThrow("already holds seat 1");
    expect(() => SlabHeap.attach(structuredClone(heap.share()))).toThrow(AlreadyAttachedError);
    expect(() => SlabHeap.attach(heap.share(), { sameThread: false })).toThrow("sameThread: true");
    const ref = heap.share();
    heap.detach();
    heap = SlabHeap.attach(ref);
    expect(heap.incarnation).toBe(2);
  });

  test("seats run out with a typed error that says what to do, and a detach helps", () => {
    const others = [another(heap), another(heap), another(heap)];
    expect(() => another(heap)).toThrow(SeatsExhaustedError);
    expect(() => another(heap)).toThrow(/All 4 seats.*maxWorkers/);
    expectHealthy(heap, ...others);
    others[1].detach();
    const late = another(heap);
    expect(late.seat).toBe(3);
    for (const h of [others[0], others[2], late]) h.detach();
  });

  test("255 seats can be taken at once", () => {
    const many = smallHeap({ maxWorkers: 255 });
    const all = [many, ...Array.from({ length: 254 }, () => another(many))];
    expect(new Set(all.map((h) => h.seat)).size).toBe(255);
    expect(() => another(many)).toThrow(SeatsExhaustedError);
    const handles = [all[254].alloc(64), all[128].alloc(64)];
    expect(tagOwner(tagAt(many, slabOf(many, handles[0])))).toBe(255);
    freeAll(many, handles);
    for (const h of all) h.detach();
  });

  test("the incarnation wraps at 16 bits and still names the holder", () => {
    heap._a.m[seatWordIndex(heap, 2)] = packSeat(0xffff, 0, SEAT_FREE);
    const wrapped = another(heap);
    // Never 0: a seat word of 0 is a seat nobody ever took.
    expect([wrapped.seat, wrapped.incarnation]).toEqual([2, 1]);
    wrapped.free(wrapped.alloc(64));
    wrapped.detach();
    heap._a.m[seatWordIndex(heap, 2)] = packSeat(0x7fff, 0, SEAT_FREE);
    const signed = another(heap);
    expect(signed.incarnation).toBe(0x8000);
    signed.poll();
    expect(signed.isLive(signed.alloc(64))).toBe(true);
    expect(heap.seats()[1]).toMatchObject({ seat: 2, incarnation: 0x8000, state: "LIVE" });
    signed.detach();
  });

  test("seats() lists seats in use and used before, with this thread's id", () => {
    const other = another(heap);
    expect(heap.seats()).toEqual([
      { seat: 1, incarnation: 1, state: "LIVE", threadId: 0 },
      { seat: 2, incarnation: 1, state: "LIVE", threadId: 0 },
    ]);
    other.detach();
    expect(heap.seats()[1]).toEqual({ seat: 2, incarnation: 1, state: "FREE", threadId: -1 });
    expect(heap.seats()).toHaveLength(2);
  });

  test("nothing of the former holder's private words is believed", () => {
    const other = another(heap);
    other.alloc(64);
    other.alloc(9000);
    other.detach();
    heap.poll();
    const { m, layout } = heap._a;
    const base = seatAt(layout, 2);
    for (let i = 1; i < layout.seatWords; i++) {
      const counter = i >= SEAT_COUNTERS && i < layout.seatBins;
      const binHeader = i >= layout.seatBins && i < layout.seatPending && m[base + i] !== 0;
      if (!counter && (i < layout.seatBins || i >= layout.seatPending || binHeader)) m[base + i] = 12345;
    }
    m[base + SEAT_OWN] = 77;
    const next = another(heap);
    expect(next.seat).toBe(2);
    expectHealthy(next, heap);
    const handles = fill(next, 1024);
    freeAll(next, handles);
    expectWholeMemoryBack(next, heap);
    next.detach();
  });
});

describe("giving it back", () => {
  /** Fills exactly `slabs` slabs of their own with objects of `size` bytes. */
  function fillSlab(by: SlabHeap, size: number, slabs: number): Handle[] {
    const handles = Array.from({ length: (slabs * SLAB) / size }, () => by.alloc(size));
    expect(new Set(handles.map((handle) => slabOf(by, handle))).size).toBe(slabs);
    return handles;
  }

  test("is idempotent, by either name", () => {
    const other = another(heap);
    other.detach();
    other.detach();
    other[Symbol.dispose]();
    expect(heap.seats()[1].state).toBe("FREE");
    const again = another(heap);
    other.detach();
    expect(heap.seats()[1]).toMatchObject({ state: "LIVE", incarnation: again.incarnation });
    again.detach();
  });

  test("happens at the end of a using block", () => {
    {
      using other = another(heap);
      other.alloc(64);
    }
    expect(heap.seats()[1].state).toBe("FREE");
  });

  test("leaves live objects valid for everybody else", () => {
    const other = another(heap);
    const handles = [64, 1000, 3 * SLAB].map((size) => other.alloc(size));
    for (const handle of handles) other.view(handle).fill(0x5a);
    const views = handles.map((handle) => other.view(handle));
    other.detach();
    for (const handle of handles) expect(heap.view(handle).every((byte) => byte === 0x5a)).toBe(true);
    for (const view of views) expect(view.every((byte) => byte === 0x5a)).toBe(true);
    freeAll(heap, handles);
    expectWholeMemoryBack(heap);
  });

  test("gives empty slabs back at once", () => {
    const other = another(heap);
    freeAll(other, fill(other, 1024));
    other.detach();
    expect(heap.verify()).toMatchObject({ ok: true, slabs: 0 });
  });

  test("collects what others freed", () => {
    const other = another(heap);
    heap.poll();
    const handles = [other.alloc(64), other.alloc(2 * SLAB)];
    freeAll(heap, handles);
    other.detach();
    expect(heap.verify()).toMatchObject({ ok: true, slabs: 0 });
  });

  test("ends memberships in every ring slot", () => {
    const other = another(heap);
    for (let i = 0; i < 3; i++) {
      other.openDomain({ autoClose: i === 1 });
      other.advanceEpoch();
    }
    other.openDomain();
    expect(heap.epochInfo(epochId(3)).refcount).toBe(1);
    other.detach();
    for (let id = 0; id < 4; id++) expect(heap.epochInfo(epochId(id)).refcount).toBe(0);
    expect(heap.epochInfo(epochId(3)).state).toBe("ACTIVE");
  });

  /** The own list of epoch 0 names every slab once, forwards and backwards, and `slab` among them. */
  function expectSoundList(owner: SlabHeap, slab: number): void {
    const { m, seatBase, layout } = owner._a;
    const listed: number[] = [];
    let record = m[seatBase + SEAT_OWN];
    for (
      let previous = 0;
      record !== 0 && listed.length <= layout.slabCount;
      record = m[record + SLAB_OWN_NEXT]
    ) {
      expect(m[record + SLAB_OWN_PREV]).toBe(previous);
      previous = record;
      listed.push(slabOfRecord(record));
    }
    expect(new Set(listed).size).toBe(listed.length);
    expect(listed).toContain(slab);
    for (const other of listed) expect(tagOwner(tagAt(owner, other))).toBe(owner.seat);
  }

  test.each<[string, number]>([
    ["a slab", 64],
    ["a run of slabs", 3 * SLAB],
  ])("%s orphaned first may be adopted while later slabs are still being given back", (_name, first) => {
    // A heap of its own, without a timer: if this ever breaks, any further operation on it may run in a circle.
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const heap = smallHeap();
    let adopted: Handle[] | undefined;
    const leaver = another(heap);
    heap.poll();
    // The leaver's list, in the order it is given back: first | empty | empty | last.
    const last = leaver.alloc(128);
    const empty = fillSlab(leaver, 1024, 2);
    const orphan = leaver.alloc(first);
    freeAll(leaver, empty);
    const owner = (): number => tagOwner(tagAt(heap, slabOf(heap, orphan)));
    watchAccesses(
      leaver,
      () => leaver.detach(),
      () => {
        // Out of memory is answered only after everything nobody owns was adopted.
        if (adopted === undefined && owner() === 0) adopted = fill(heap, 1024);
      },
    );

    expect(adopted?.length).toBeGreaterThan(0);
    expectSoundList(heap, slabOf(heap, orphan));
    expect(tagOwner(tagAt(heap, slabOf(heap, orphan)))).toBe(heap.seat);
    expectHealthy(heap);
    for (const handle of [orphan, last]) expect(heap.isLive(handle)).toBe(true);
    freeAll(heap, [orphan, last, ...(adopted ?? [])]);
    expectHealthy(heap);
    expectWholeMemoryBack(heap);
    heap.detach();
  });

  test("a heap whose every thread left is whole when somebody comes back", () => {
    const handles = [heap.alloc(64), heap.alloc(2 * SLAB)];
    const ref = heap.share();
    heap.detach();
    heap = SlabHeap.attach(ref);
    expect(heap.verify()).toMatchObject({ ok: true, liveObjects: 2, slabs: 3 });
    freeAll(heap, handles);
    expectWholeMemoryBack(heap);
  });
});
