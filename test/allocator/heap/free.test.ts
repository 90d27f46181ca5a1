/**
 * Defends: free returns true exactly once for every object, from whichever thread, and false for everything else,
 * without changing a single word; the same for offsets. It throws on a non-number only.
 * Method: every case runs on both versions of the fast path. A copy of all metadata is compared after refused frees:
 * handles that are stale, forged, of other heaps, with one bit changed, and random doubles by the thousand.
 */
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { S_FREE_NULL, S_FREE_STALE } from "../../../src/allocator/counters/fields.js";
import { InvalidTypeError } from "../../../src/allocator/errors.js";
import { SlabHeap } from "../../../src/allocator/heap/heap.js";
import type { Handle } from "../../../src/allocator/types.js";
import {
  another,
  expectHealthy,
  expectMetadata,
  expectWholeMemoryBack,
  forged,
  freeAll,
  metadata,
  SLAB,
  seatCounter,
  smallHeap,
} from "../support.js";
import { SHAPES } from "./shapes.js";

describe.each(SHAPES)("%s", (_shape, shaped) => {
  let heap: SlabHeap;
  let other: SlabHeap;
  beforeEach(() => {
    heap = smallHeap();
    other = another(heap);
    heap = shaped(heap);
    heap.poll();
  });
  afterEach(() => {
    expectWholeMemoryBack(heap, other);
    other.detach();
    heap.detach();
  });

  /** One object of each kind: own, in a closed epoch, large, of the other seat, freed by it but not collected. */
  function mixed(): { live: Handle[]; dead: Handle[] } {
    const closing = [heap.alloc(64), heap.alloc(1024), heap.alloc(3 * SLAB)];
    const dead = [heap.alloc(128), heap.alloc(64), other.alloc(64)];
    freeAll(heap, dead);
    heap.advanceEpoch();
    other.poll();
    const live = [...closing, heap.alloc(64), heap.alloc(64), heap.alloc(2 * SLAB)];
    live.push(other.alloc(64), other.alloc(1000), other.alloc(2 * SLAB));
    const handed = [heap.alloc(128), other.alloc(128)];
    expect([other.free(handed[0]), heap.free(handed[1])]).toEqual([true, true]);
    for (const h of [heap, other]) h.poll();
    return { live, dead: [...dead, ...handed] };
  }

  /** Neither freed nor live, and no word changed. */
  function expectRefused(...values: readonly number[]): void {
    const before = metadata(heap);
    for (const value of values) {
      expect(heap.free(forged(value)), `free(${value})`).toBe(false);
      expect(heap.isLive(forged(value)), `isLive(${value})`).toBe(false);
    }
    expectMetadata(heap, before);
  }

  test("true once, false ever after, whoever owns the object and whoever asks", () => {
    const { live, dead } = mixed();
    expectRefused(...dead);
    live.forEach((handle, i) => {
      const [first, second] = i % 2 === 0 ? [heap, other] : [other, heap];
      expect(first.free(handle)).toBe(true);
      expect(first.free(handle)).toBe(false);
      expect(second.free(handle)).toBe(false);
      expect(first.isLive(handle)).toBe(false);
    });
    expectHealthy(heap, other);
    expectRefused(...live, ...dead);
  });

  test("a handle stays stale however often its slot is used again", () => {
    const first = heap.alloc(64);
    heap.free(first);
    const later = Array.from({ length: 200 }, () => {
      const handle = heap.alloc(64);
      expect(handle).not.toBe(first);
      expectRefused(first);
      heap.free(handle);
      return handle;
    });
    expect(new Set(later).size).toBe(200);
    const last = heap.alloc(64);
    expectRefused(first, ...later);
    expect(heap.free(last)).toBe(true);
  });

  test("a stale handle does not free the object of another size that lives there now", () => {
    const handles = Array.from({ length: 64 }, () => heap.alloc(64));
    freeAll(heap, handles);
    heap.advanceEpoch();
    const now = [heap.alloc(1024), heap.alloc(1024)];
    expectRefused(...handles);
    freeAll(heap, now);
  });

  test("handles of a discarded epoch are refused, also where their slabs are not wiped yet", () => {
    const { live } = mixed();
    heap.discardBefore(heap.advanceEpoch());
    expectRefused(...live);
    other.poll();
    expectRefused(...live);
  });

  test("numbers that are no handle", () => {
    mixed();
    const numbers = [0, -0, 1, -1, 0.5, -0.5, Number.NaN, Infinity, -Infinity, 2 ** 26, 2 ** 31, -(2 ** 31)];
    numbers.push(2 ** 32, 2 ** 52, 2 ** 53 - 1, 2 ** 53, 2 ** 53 + 2, 2 ** 63, 2 ** 64, 1e308, 5e-324);
    expectRefused(...numbers, ...numbers.map((n) => -n));
  });

  test("a handle with any bit changed, a fraction added, or its sign", () => {
    const { live } = mixed();
    for (const handle of live) {
      const changed = Array.from({ length: 53 }, (_, bit) =>
        Math.floor(handle / 2 ** bit) % 2 === 1 ? handle - 2 ** bit : handle + 2 ** bit,
      );
      expect(new Set(changed).size).toBe(53);
      expectRefused(...changed.filter((value) => !live.includes(forged(value))));
      expectRefused(-handle, handle + 0.5, handle - 0.25, handle + 2 ** 53, handle * 2, handle / 2 + 0.125);
    }
    for (const handle of live) expect(heap.isLive(handle)).toBe(true);
  });

  test("random numbers, near live handles and far from them", () => {
    const { live } = mixed();
    const { layout } = heap._a;
    const anySlot = fc.integer({ min: 0, max: layout.slotMask });
    const near = fc
      .tuple(fc.constantFrom(...live), anySlot)
      .map(([handle, slot]) => handle - (handle % 2 ** 26) + slot);
    const anything = fc.oneof(fc.double(), fc.maxSafeInteger(), fc.integer(), near);
    fc.assert(
      fc.property(fc.array(anything, { minLength: 20, maxLength: 60 }), (values) => {
        expectRefused(...values.filter((value) => !live.includes(forged(value))));
      }),
    );
    freeAll(heap, live);
  });

  test("handles of another heap, in both directions", () => {
    const foreign = smallHeap();
    expect(foreign._a.heapId).not.toBe(heap._a.heapId);
    const sizes = [64, 128, 1024, 5000];
    const mine = sizes.map((size) => heap.alloc(size));
    const theirs = sizes.map((size) => foreign.alloc(size));
    const before = metadata(foreign);
    expectRefused(...theirs);
    for (const handle of mine) expect(foreign.free(handle)).toBe(false);
    expectMetadata(foreign, before);
    for (const handle of theirs) {
      for (const method of ["byteOffset", "sizeOf", "view", "epochOf"] as const) {
        expect(() => heap[method](handle)).toThrow("of another heap");
      }
    }
    freeAll(heap, mine);
    freeAll(foreign, theirs);
    foreign.detach();
  });

  test("refused frees are counted, null and stale apart", () => {
    const handle = heap.alloc(64);
    heap.free(handle);
    for (const value of [0, handle, 17, Number.NaN, -0]) heap.free(forged(value));
    expect([seatCounter(heap, S_FREE_NULL), seatCounter(heap, S_FREE_STALE)]).toEqual([2, 3]);
    expect(heap.counters().invalidFrees).toBe(5);
  });

  test("what is no number throws, and changes nothing", () => {
    const handle = heap.alloc(64);
    const offset = heap.byteOffset(handle);
    const before = metadata(heap);
    /** What arithmetic turns into `n`, or into no number. */
    const turningInto = (n: number): unknown[] => [
      String(n),
      [n],
      [[String(n)]],
      new Number(n),
      { valueOf: () => n },
      { [Symbol.toPrimitive]: () => n },
      () => n,
    ];
    const others = [undefined, null, "", "1", true, {}, []];
    for (const value of [...others, ...turningInto(handle)]) {
      const free = (): unknown => heap.free(value as never);
      expect(free).toThrow(InvalidTypeError);
      expect(free).toThrow("free: handle must be a number; got");
    }
    // These the language refuses itself, before anybody can look at them.
    const inconvertible = (n: number): unknown[] => [BigInt(n), Symbol("n"), Object.create(null)];
    for (const value of inconvertible(handle)) expect(() => heap.free(value as never)).toThrow(TypeError);
    // freeOffset looks at the type first: it has no handle's generation to tell that something is wrong.
    for (const value of [...others, ...turningInto(offset), ...inconvertible(offset)]) {
      const free = (): unknown => heap.freeOffset(value as never);
      expect(free).toThrow(InvalidTypeError);
      expect(free).toThrow("freeOffset: offset must be a number; got");
    }
    expectMetadata(heap, before);
    expect(heap.free(handle)).toBe(true);
  });

  describe("freeOffset", () => {
    test("takes the start of a live object, whoever owns it, once", () => {
      const { live } = mixed();
      const offsets = live.map((handle) => heap.byteOffset(handle));
      offsets.forEach((offset, i) => {
        expect((i % 2 === 0 ? heap : other).freeOffset(offset)).toBe(true);
        for (const h of [heap, other]) {
          expect(h.freeOffset(offset)).toBe(false);
          expect(h.free(live[i])).toBe(false);
        }
      });
      expectHealthy(heap, other);
    });

    test("refuses every other byte of the heap", () => {
      const { live } = mixed();
      const starts = new Set(live.map((handle) => heap.byteOffset(handle)));
      const before = metadata(heap);
      const { payloadOffset, bufferBytes } = heap._a.layout;
      let accepted = 0;
      for (let offset = payloadOffset - 64; offset < bufferBytes + 64; offset++) {
        if (!starts.has(offset) && heap.freeOffset(offset)) accepted++;
      }
      expect(accepted).toBe(0);
      for (const offset of [
        0,
        -1,
        8,
        0.5,
        payloadOffset + 0.5,
        Number.NaN,
        Infinity,
        -Infinity,
        2 ** 32,
        2 ** 53,
      ]) {
        expect(heap.freeOffset(offset)).toBe(false);
      }
      expectMetadata(heap, before);
      for (const offset of starts) expect(heap.freeOffset(offset)).toBe(true);
    });

    test("a slab of which the heap can only address a part ends where its slots end", () => {
      // So many slabs that 26 bits of slot index leave 256 slots for the 512 places in each.
      const huge = shaped(
        SlabHeap.create({ capacity: 2 ** 30, slabSize: SLAB, sizeClasses: [8], maxWorkers: 2 }),
      );
      const slots = 2 ** huge._a.layout.slotsShift;
      expect(slots * 8).toBeLessThan(SLAB);
      const offsets = Array.from({ length: slots + 5 }, () => huge.allocOffset(8));
      const start = huge._a.layout.payloadOffset;
      expect(offsets.slice(slots - 1, slots + 1)).toEqual([start + (slots - 1) * 8, start + SLAB]);
      for (let at = start + slots * 8; at < start + SLAB; at++) expect(huge.freeOffset(at)).toBe(false);
      for (const offset of offsets) expect(huge.freeOffset(offset)).toBe(true);
      expect(huge.counters().liveObjects).toBe(0);
      huge.detach();
    });

    test("undoes allocOffset in every class and for runs", () => {
      for (const size of [1, 64, 65, 128, 1000, 1024, 1025, 3 * SLAB]) {
        const offset = heap.allocOffset(size);
        expect(offset % 64).toBe(heap._a.layout.payloadOffset % 64);
        expect(heap.freeOffset(offset + 8)).toBe(false);
        expect(heap.freeOffset(offset)).toBe(true);
        expect(heap.freeOffset(offset)).toBe(false);
      }
    });
  });
});
