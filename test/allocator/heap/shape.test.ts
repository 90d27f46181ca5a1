/**
 * Defends: a thread's only heap runs the specialised code; a second one turns both generic for good, in the middle of
 * whatever they hold, and nobody but the clock can tell.
 * Method: every test starts with the module state of a fresh thread (modules are loaded anew).
 */
import { beforeEach, describe, expect, test, vi } from "vitest";

type ShapeModule = typeof import("../../../src/allocator/heap/shape.js");
type Heap = import("../../../src/allocator/heap/heap.js").SlabHeap;

const SMALL = { capacity: 65536, slabSize: 4096, maxWorkers: 4, sizeClasses: [64, 128, 1024] };
const OPERATIONS = ["alloc", "free", "allocOffset", "freeOffset"] as const;

let create: () => Heap;
let attach: (heap: Heap) => Heap;
let isSpecialised: ShapeModule["isSpecialised"];

beforeEach(async () => {
  vi.resetModules();
  const { SlabHeap } = await import("../../../src/allocator/heap/heap.js");
  ({ isSpecialised } = await import("../../../src/allocator/heap/shape.js"));
  create = () => SlabHeap.create(SMALL);
  attach = (heap) => SlabHeap.attach(heap.share(), { sameThread: true });
});

describe("which heaps are specialised", () => {
  test("the first, as long as it is the only one", () => {
    const heap = create();
    expect(isSpecialised(heap)).toBe(true);
    expect(heap.free(heap.alloc(64))).toBe(true);
    expect(isSpecialised(heap)).toBe(true);
    heap.detach();
    expect(isSpecialised(heap)).toBe(false);
  });

  test.each(["created", "attached"])("none any more, once a second was %s", (how) => {
    const heap = create();
    const special = OPERATIONS.map((name) => heap[name]);
    const second = how === "created" ? create() : attach(heap);
    expect([heap, second].map(isSpecialised)).toEqual([false, false]);
    OPERATIONS.forEach((name, i) => {
      expect(heap[name]).not.toBe(special[i]);
      expect(heap[name]).toBe(second[name]);
    });
    const third = create();
    expect(third.alloc).toBe(second.alloc);
    for (const h of [second, third, heap]) h.detach();
  });

  test("not the second one either, when the first is gone before it comes", () => {
    const heap = create();
    heap.detach();
    const second = create();
    expect([heap, second].map(isSpecialised)).toEqual([false, false]);
    expect(() => heap.alloc(64)).toThrow("gave its seat");
    expect(second.free(second.alloc(64))).toBe(true);
    second.detach();
  });
});

describe("changing shape", () => {
  test("leaves a heap what it is: an instance with its fields and methods", async () => {
    const { SlabHeap } = await import("../../../src/allocator/heap/heap.js");
    const heap = create();
    for (const name of OPERATIONS) expect(Object.hasOwn(heap, name)).toBe(false);
    expect(heap).toBeInstanceOf(SlabHeap);
    const second = create();
    expect(heap).toBeInstanceOf(SlabHeap);
    expect(heap.constructor).toBe(SlabHeap);
    for (const h of [heap, second]) h.detach();
  });

  test("does not disturb what the heap holds; both go on where the first stood", () => {
    const heap = create();
    const handles = Array.from({ length: 45 }, (_, i) => heap.alloc(i === 7 ? 5000 : [64, 128, 1024][i % 3]));
    handles.forEach((handle, i) => {
      heap.view(handle).fill(i);
    });
    const offset = heap.allocOffset(64);
    const second = attach(heap);
    handles.forEach((handle, i) => {
      expect(heap.view(handle).every((byte) => byte === (i & 255))).toBe(true);
    });
    expect(heap.freeOffset(offset)).toBe(true);
    expect(heap.freeOffset(offset)).toBe(false);
    handles.forEach((handle, i) => {
      expect((i % 2 === 0 ? heap : second).free(handle)).toBe(true);
      expect(heap.free(handle)).toBe(false);
    });
    for (const h of [heap, second]) expect(h.verify()).toMatchObject({ problems: [], liveObjects: 0 });
    second.detach();
    heap.detach();
  });

  test("gives the same results: handles, offsets, failures", () => {
    vi.spyOn(Math, "random").mockReturnValue(0.25);
    const run = (heap: Heap): unknown[] => {
      const results: unknown[] = [];
      const handles: ReturnType<Heap["alloc"]>[] = [];
      for (let i = 0; i < 300; i++) {
        const handle = heap.alloc(1 + ((i * 37) % 1500), i % 11 === 0 ? heap.currentEpoch.id : undefined);
        handles.push(handle);
        results.push(handle, heap.lastFailure, heap.allocOffset(64));
        if (i % 3 === 0) results.push(heap.free(handles[(i * 7) % handles.length]));
        if (i % 50 === 49) results.push(heap.advanceEpoch());
      }
      return results;
    };
    const only = create();
    expect(isSpecialised(only)).toBe(true);
    const special = run(only);
    const second = create();
    expect(isSpecialised(second)).toBe(false);
    expect(run(second)).toEqual(special);
    expect(special.filter((result) => result === "out-of-memory").length).toBeGreaterThan(0);
    vi.restoreAllMocks();
    for (const h of [only, second]) h.detach();
  });
});
