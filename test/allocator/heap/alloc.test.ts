/**
 * Defends: every size from 1 byte to the whole payload gets the smallest class that fits, or whole slabs, aligned as
 * promised and apart from every other object; a failure says why, changes nothing, and ends as soon as there is room;
 * the slow path's work does not grow with the heap.
 * Method: every case runs on both versions of the fast path; sizes at and beside each boundary; heaps filled to the last
 * slot; `Atomics` operations counted on a small and on a large heap.
 */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { EpochClosedError, OutOfMemoryError } from "../../../src/allocator/errors.js";
import type { SlabHeap } from "../../../src/allocator/heap/heap.js";
import { FAST_SIZE_LIMIT, recordAt, SLAB_CARVED } from "../../../src/allocator/memory/layout.js";
import type { Handle, HeapOptions } from "../../../src/allocator/types.js";
import {
  another,
  epochId,
  expectHealthy,
  expectWholeMemoryBack,
  fill,
  freeAll,
  SLAB,
  slabOf,
  smallHeap,
} from "../support.js";
import { SHAPES } from "./shapes.js";

const KIB = 1024;

describe.each(SHAPES)("%s", (_shape, shaped) => {
  let heap: SlabHeap;
  const fresh = (options?: HeapOptions): SlabHeap => shaped(smallHeap(options));
  beforeEach(() => {
    heap = fresh();
  });
  afterEach(() => {
    vi.restoreAllMocks();
    expectWholeMemoryBack(heap);
    heap.detach();
  });

  /** Usable bytes an object of `size` must get. */
  function expectedSize(of: SlabHeap, size: number): number {
    return of.sizeClasses.find((c) => c >= size) ?? Math.ceil(size / of.slabSize) * of.slabSize;
  }

  describe("sizes", () => {
    test.each<[string, HeapOptions]>([
      ["three classes", {}],
      ["the default list", { sizeClasses: "default", slabSize: 64 * KIB, capacity: 1024 * KIB }],
      ["the seed list", { sizeClasses: "seed", slabSize: 16 * KIB, capacity: 1024 * KIB }],
      ["one class of the smallest size", { sizeClasses: [8] }],
      ["one class as large as a slab", { sizeClasses: [SLAB] }],
      [
        "classes around the fast path's limit",
        {
          sizeClasses: [32760, FAST_SIZE_LIMIT, FAST_SIZE_LIMIT + 8, 65536],
          slabSize: 128 * KIB,
          capacity: 1024 * KIB,
        },
      ],
    ])("get the smallest class that fits, at and beside every boundary: %s", (_name, options) => {
      const of = fresh(options);
      const { sizeClasses, slabSize, capacity } = of;
      const edges = [...sizeClasses, FAST_SIZE_LIMIT, slabSize, 2 * slabSize, 3 * slabSize, capacity].flatMap(
        (n) => [n - 1, n, n + 1],
      );
      const sizes = new Set([1, 2, 7, 8, 9, ...edges].filter((n) => n >= 1 && n <= capacity));
      for (const size of sizes) {
        const handle = of.alloc(size);
        expect(of.sizeOf(handle), `size ${size}`).toBe(expectedSize(of, size));
        expect(of.view(handle)).toHaveLength(expectedSize(of, size));
        expect(of.free(handle)).toBe(true);
        const offset = of.allocOffset(size);
        expect(offset, `offset for ${size}`).toBeGreaterThan(0);
        expect(of.freeOffset(offset)).toBe(true);
      }
      expectWholeMemoryBack(of);
      of.detach();
    });

    test("every size of every class, one by one", () => {
      for (let size = 1; size <= 1100; size++) {
        const handle = heap.alloc(size);
        expect(heap.sizeOf(handle)).toBe(expectedSize(heap, size));
        heap.free(handle);
      }
    });

    test("the whole payload at once, and not a byte more", () => {
      const all = heap.alloc(heap.capacity);
      expect(heap.byteOffset(all)).toBe(heap._a.layout.payloadOffset);
      expect(heap.alloc(1)).toBe(0);
      expect(() => heap.alloc(heap.capacity + 1)).toThrow(RangeError);
      heap.free(all);
    });
  });

  describe("places", () => {
    test("objects are apart, inside the payload, and aligned: 8 bytes, 64 for multiples of 64, a page for runs", () => {
      const of = fresh({ sizeClasses: [8, 24, 64, 192, 1000, 1024], capacity: 64 * SLAB });
      const taken: [from: number, to: number][] = [];
      for (let i = 0; i < 1500; i++) {
        const size = [3, 20, 64, 150, 999, 1001, 5000][i % 7];
        const handle = of.alloc(size);
        if (handle === 0) break;
        const [at, bytes] = [of.byteOffset(handle), of.sizeOf(handle)];
        expect(at % (bytes > 1024 ? 4096 : bytes % 64 === 0 ? 64 : 8)).toBe(0);
        expect(at).toBeGreaterThanOrEqual(of._a.layout.payloadOffset);
        expect(at + bytes).toBeLessThanOrEqual(of.buffer.byteLength);
        taken.push([at, at + bytes]);
      }
      expect(taken.length).toBeGreaterThan(100);
      taken.sort((a, b) => a[0] - b[0]);
      for (let i = 1; i < taken.length; i++) expect(taken[i][0]).toBeGreaterThanOrEqual(taken[i - 1][1]);
      of.detach();
    });

    test("allocOffset gives the place a handle would have", () => {
      const offset = heap.allocOffset(100);
      const handle = heap.alloc(100);
      expect(heap.byteOffset(handle)).toBe(offset + 128);
      expect(slabOf(heap, handle)).toBe(0);
      expect(heap.freeOffset(offset)).toBe(true);
      expect(heap.byteOffset(heap.alloc(100))).toBe(offset);
    });
  });

  describe("an explicit epoch", () => {
    test("is served when it is the open one, by the fast and by the slow path", () => {
      for (let lap = 0; lap < 20; lap++) {
        const { id, era } = heap.currentEpoch;
        const handles = [64, 64, 1024, 5000].map((size) => heap.alloc(size, id));
        for (const handle of handles) expect(heap.epochOf(handle)).toEqual({ id, era });
        expect(heap.epochOf(heap.alloc(64))).toEqual({ id, era });
        heap.discardEpoch(id);
      }
    });

    test("that is not open fails, says so, and is not redirected", () => {
      const { id } = heap.currentEpoch;
      heap.alloc(64);
      for (const size of [64, 128, 5000]) {
        for (const wrong of [1, 7, 15]) {
          expect(heap.alloc(size, epochId(wrong))).toBe(0);
          expect(heap.lastFailure).toBe("epoch-closed");
          const refused = (): unknown => heap.allocOrThrow(size, epochId(wrong));
          expect(refused).toThrow(EpochClosedError);
          expect(refused).toThrow(`alloc(${size}): epoch ${wrong} is not open`);
        }
      }
      expect(heap.alloc(64, id)).not.toBe(0);
      expect(heap.verify().liveObjects).toBe(2);
    });

    test("closed by another thread a moment ago is refused, although this thread has done nothing since", () => {
      const other = another(heap);
      heap.poll();
      const { id } = heap.currentEpoch;
      heap.alloc(64);
      other.closeEpoch(id);
      expect(heap.alloc(64, id)).toBe(0);
      expect(heap.epochOf(heap.alloc(64)).id).toBe(1);
      other.detach();
    });
  });

  describe("out of memory", () => {
    test.each([64, 128, 1024, SLAB, 3 * SLAB])(
      "with objects of %i bytes: full to the last slot, and again after",
      (size) => {
        const most = size > SLAB ? Math.floor(16 / (size / SLAB)) : (16 * SLAB) / size;
        const first = fill(heap, size);
        expect(first).toHaveLength(most);
        for (let n = 0; n < 3; n++) expect(heap.alloc(size)).toBe(0);
        expect(heap.counters().liveObjects).toBe(most);
        // One freed, one gets in; then it is full again.
        expect(heap.free(first[most >> 1])).toBe(true);
        const again = heap.alloc(size);
        expect(heap.byteOffset(again)).toBeGreaterThan(0);
        expect(heap.alloc(size)).toBe(0);
        first[most >> 1] = again;
        freeAll(heap, first);
        expect(fill(heap, size)).toHaveLength(most);
      },
    );

    test("lastFailure names it, and is none again after an alloc that worked", () => {
      expect(heap.lastFailure).toBe("none");
      const handles = fill(heap, 1024);
      expect(heap.lastFailure).toBe("out-of-memory");
      expect(() => heap.allocOrThrow(64)).toThrow(OutOfMemoryError);
      expect(() => heap.allocOrThrow(2000)).toThrow(`alloc(2000): no room in ${heap.capacity} bytes`);
      expect(heap.alloc(64, epochId(3))).toBe(0);
      expect(heap.lastFailure).toBe("epoch-closed");
      freeAll(heap, handles);
      expect(heap.alloc(5000)).not.toBe(0);
      expect(heap.lastFailure).toBe("none");
    });

    test("for a run does not mean that small objects fail, and the other way round", () => {
      const small = Array.from({ length: 16 }, () => heap.alloc(1024, heap.currentEpoch.id)).concat(
        fill(heap, 1024),
      );
      // One object stays in every slab: no run of two slabs is left, but room for small ones.
      const kept = new Map(small.map((handle) => [slabOf(heap, handle), handle]));
      freeAll(
        heap,
        small.filter((handle) => !([...kept.values()] as Handle[]).includes(handle)),
      );
      expect(heap.alloc(2 * SLAB)).toBe(0);
      expect(heap.lastFailure).toBe("out-of-memory");
      expect(fill(heap, 1024)).toHaveLength(16 * 3);
    });

    test("ends when another thread frees, closes or discards", () => {
      const other = another(heap);
      heap.poll();
      const handles = fill(heap, 1024);
      expect(other.free(handles[0])).toBe(true);
      expect(heap.alloc(1024)).not.toBe(0);
      expect(heap.alloc(1024)).toBe(0);
      other.discardEpoch(other.currentEpoch);
      expect(fill(heap, 1024)).toHaveLength(64);
      other.detach();
    });

    test("fails without changing anything but counters and the request for others' empty slabs", () => {
      const full = fresh({ capacity: SLAB, sizeClasses: [1024] });
      fill(full, 1024);
      const { slotBase, metadataWords } = full._a.layout;
      const slots = full._a.m.slice(slotBase, metadataWords);
      const record = full._a.m.slice(recordAt(0), recordAt(1));
      for (let n = 0; n < 5; n++) for (const size of [1, 1024, 2000]) expect(full.alloc(size)).toBe(0);
      expect(full._a.m.slice(slotBase, metadataWords)).toEqual(slots);
      expect(full._a.m.slice(recordAt(0), recordAt(1))).toEqual(record);
      expectHealthy(full);
      full.detach();
    });
  });

  describe("bounded work", () => {
    /** `Atomics` operations of each of `steps`, by name. */
    function atomicsOf(steps: readonly (() => unknown)[]): Record<string, number>[] {
      const names = ["load", "store", "compareExchange", "or", "and", "add", "exchange"] as const;
      const spies = names.map((name) => vi.spyOn(Atomics, name as "load"));
      return steps.map((step) => {
        for (const spy of spies) spy.mockClear();
        step();
        return Object.fromEntries(names.map((name, i) => [name, spies[i].mock.calls.length]));
      });
    }

    test("taking a slab costs the same in a heap of 16 slabs and of 4096, empty or half full", () => {
      const costs = [16, 4096, 4096].map((slabs, i) => {
        const of = fresh({ capacity: slabs * SLAB });
        if (i === 2) while (slabOf(of, of.alloc(1024)) < slabs / 2);
        else of.alloc(1024);
        const cost = atomicsOf([() => of.alloc(64), () => of.alloc(64), () => of.alloc(128)]);
        of.detach();
        return cost;
      });
      expect(costs[0][0].compareExchange).toBe(2);
      expect(Object.values(costs[0][1])).toEqual([0, 0, 0, 0, 0, 0, 0]);
      // The free map has one more level in the large heap; nothing else may differ.
      for (const cost of costs.slice(1)) {
        cost.forEach((step, i) => {
          for (const [name, times] of Object.entries(step)) {
            expect(times, `${name} of step ${i}`).toBeLessThanOrEqual(costs[0][i][name] + 1);
          }
        });
      }
    });

    test("an alloc links at most 32 slots, however many the slab has", () => {
      const of = fresh({ sizeClasses: [8] });
      const record = recordAt(0);
      for (let n = 0; n < 512; n++) {
        of.alloc(8);
        expect(of._a.m[record + SLAB_CARVED]).toBe(32 * (1 + (n >> 5)));
      }
      of.detach();
    });

    test("a full heap answers the same question again without looking at its slabs", () => {
      const of = fresh({ capacity: 1024 * SLAB });
      vi.spyOn(Date, "now").mockReturnValue(1e12);
      fill(of, 1024);
      of.alloc(1024);
      const [again] = atomicsOf([() => of.alloc(1024)]);
      expect(Object.values(again).reduce((a, b) => a + b)).toBeLessThan(40);
      of.detach();
    });
  });
});
