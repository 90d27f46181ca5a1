/**
 * Defends: an interception sees every object its heap allocates, whichever way, and nothing else; it survives the heap's
 * change of shape, ends with the heap, and leaves behind exactly the functions and prototypes that were there.
 * Method: module state of a fresh thread for every test; what each heap inherits is compared, as property
 * descriptors, before and after random starts, stops, new heaps and detaches, whose seed is printed.
 */
import { beforeEach, describe, expect, test, vi } from "vitest";
import { withSeed } from "../support.js";

type Heap = import("../../../src/allocator/heap/heap.js").SlabHeap;
type Intercept = typeof import("../../../src/allocator/heap/intercept.js").interceptAllocs;

const SMALL = { capacity: 65536, slabSize: 4096, maxWorkers: 8, sizeClasses: [64, 128, 1024] };

let create: () => Heap;
let attach: (heap: Heap) => Heap;
let interceptAllocs: Intercept;
let isSpecialised: (heap: Heap) => boolean;

beforeEach(async () => {
  vi.resetModules();
  const { SlabHeap } = await import("../../../src/allocator/heap/heap.js");
  ({ isSpecialised } = await import("../../../src/allocator/heap/shape.js"));
  ({ interceptAllocs } = await import("../../../src/allocator/heap/intercept.js"));
  create = () => SlabHeap.create(SMALL);
  attach = (heap) => SlabHeap.attach(heap.share(), { sameThread: true });
});

type Seen = [kind: string, value: number, size: number];

function watch(heap: Heap): { seen: Seen[]; stop: () => void } {
  const seen: Seen[] = [];
  return { seen, stop: interceptAllocs(heap, (kind, value, size) => seen.push([kind, value, size])) };
}

/** What a heap has and inherits: its prototypes, and every property of each with its function and attributes. */
function inherited(heap: Heap): unknown[] {
  const all: unknown[] = Object.keys(heap);
  for (let at = Object.getPrototypeOf(heap); at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    all.push(at);
    // By name: taking a property out and putting it in again changes the order, and nothing else may change.
    for (const [name, own] of Object.entries(Object.getOwnPropertyDescriptors(at)).sort(byName)) {
      const { value, get, writable, enumerable, configurable } = own as PropertyDescriptor;
      all.push(name, value, get, writable, enumerable, configurable);
    }
  }
  return all;
}

const byName = ([a]: [string, unknown], [b]: [string, unknown]): number => (a < b ? -1 : 1);

function expectSame(heap: Heap, before: unknown[]): void {
  const now = inherited(heap);
  expect(now.length).toBe(before.length);
  expect(now.filter((thing, i) => !Object.is(thing, before[i]))).toEqual([]);
}

describe.each(["specialised", "field version"])("%s", (shape) => {
  const fresh = (): Heap => {
    const heap = create();
    if (shape === "field version") create().detach();
    expect(isSpecialised(heap)).toBe(shape === "specialised");
    return heap;
  };

  test("sees handles, offsets, domains, allocOrThrow, fast, slow and large; not failures", () => {
    const heap = fresh();
    const { seen, stop } = watch(heap);
    const handles = [heap.alloc(1), heap.alloc(64), heap.alloc(5000), heap.allocOrThrow(100)];
    const offsets = [heap.allocOffset(7), heap.allocOffset(9000)];
    const domain = heap.openDomain();
    const inDomain = domain.alloc(33);
    domain.exit();
    expect(heap.alloc(heap.capacity)).toBe(0);
    expect(heap.allocOffset(heap.capacity)).toBe(0);
    expect(() => heap.alloc(0)).toThrow("size");
    expect(() => heap.allocOrThrow(heap.capacity)).toThrow("no room");
    expect(seen).toEqual([
      ["handle", handles[0], 1],
      ["handle", handles[1], 64],
      ["handle", handles[2], 5000],
      ["handle", handles[3], 100],
      ["offset", offsets[0], 7],
      ["offset", offsets[1], 9000],
      ["handle", inDomain, 33],
    ]);
    stop();
    const after = heap.alloc(64);
    expect(after).not.toBe(0);
    expect(heap.allocOffset(64)).not.toBe(0);
    expect(seen).toHaveLength(7);
    heap.detach();
  });

  test("names the function that was called, by which a stack can be cut", () => {
    const heap = fresh();
    const hooks: unknown[] = [];
    const stop = interceptAllocs(heap, (_kind, _value, _size, hook) => hooks.push(hook));
    heap.alloc(64);
    heap.allocOffset(64);
    expect(hooks).toHaveLength(2);
    expect(hooks[0] === heap.alloc).toBe(true);
    expect(hooks[1] === heap.allocOffset).toBe(true);
    stop();
    heap.detach();
  });

  test("leaves what was there, stopped once or twice; other heaps are not watched", () => {
    const heap = fresh();
    const before = inherited(heap);
    for (let round = 0; round < 3; round++) {
      const { seen, stop } = watch(heap);
      expect(() => expectSame(heap, before), "the comparison sees it").toThrow();
      heap.alloc(64);
      expect(seen).toHaveLength(1);
      stop();
      expectSame(heap, before);
      const again = watch(heap);
      stop();
      heap.alloc(64);
      expect(again.seen, "an old stop ends no newer interception").toHaveLength(1);
      again.stop();
      expectSame(heap, before);
    }
    heap.detach();
  });

  test("is refused twice at a time, and on a detached heap", () => {
    const heap = fresh();
    const { stop } = watch(heap);
    expect(() => watch(heap)).toThrow(expect.objectContaining({ code: "ERR_TSLAB_ALREADY_SAMPLED" }));
    stop();
    const { stop: second } = watch(heap);
    heap.detach();
    expect(() => watch(heap)).toThrow(expect.objectContaining({ code: "ERR_TSLAB_DETACHED" }));
    second();
  });

  test("detaching ends it: the heap refuses work, and stopping afterwards changes nothing", () => {
    const heap = fresh();
    const sister = attach(heap);
    const before = inherited(sister);
    const { seen, stop } = watch(heap);
    heap.detach();
    const dead = inherited(heap);
    expectSame(sister, before);
    for (let i = 0; i < 2; i++) {
      expect(() => heap.alloc(64)).toThrow("gave its seat");
      expect(() => heap.allocOffset(64)).toThrow("gave its seat");
      stop();
      expectSame(heap, dead);
    }
    expect(seen).toEqual([]);
    expect(sister.free(sister.alloc(64))).toBe(true);
    sister.detach();
  });

  test("losing the seat to a reaper ends it as well", async () => {
    const { reapSeat } = await import("../../../src/allocator/seats/reap.js");
    const heap = fresh();
    const sister = attach(heap);
    const before = inherited(sister);
    const { seen, stop } = watch(heap);
    expect(reapSeat(sister._a, heap.seat, heap.incarnation).status).toBe("reaped");
    expect(heap.alloc(64)).toBe(0);
    expect(() => heap.alloc(64)).toThrow("gave its seat");
    expectSame(sister, before);
    stop();
    expectSame(sister, before);
    expect(seen).toEqual([]);
    sister.detach();
  });
});

describe("a second heap while on", () => {
  test("keeps the interception of the first, and stopping lands on the field version", () => {
    const heap = create();
    const special = heap.alloc;
    const { seen, stop } = watch(heap);
    const second = create();
    expect(isSpecialised(heap)).toBe(false);
    const handle = heap.alloc(64);
    expect(seen).toEqual([["handle", handle, 64]]);
    expect(second.alloc(64)).not.toBe(0);
    expect(second.allocOffset(64)).not.toBe(0);
    expect(seen).toHaveLength(1);
    stop();
    const third = create();
    expect(heap.alloc === third.alloc && heap.alloc === second.alloc && heap.alloc !== special).toBe(true);
    expect(Object.getPrototypeOf(heap)).toBe(Object.getPrototypeOf(third));
    expect(heap.alloc.name).toBe("alloc");
    heap.alloc(64);
    expect(seen).toHaveLength(1);
    for (const h of [heap, second, third]) h.detach();
  });

  test("two heaps that inherit the same functions are watched and stopped one by one", () => {
    const heaps = [create(), create(), create()];
    const before = inherited(heaps[0]);
    const [one, two] = [watch(heaps[0]), watch(heaps[1])];
    for (const heap of heaps) heap.alloc(64);
    expect([one.seen.length, two.seen.length]).toEqual([1, 1]);
    one.stop();
    for (const heap of heaps) heap.alloc(64);
    expect([one.seen.length, two.seen.length]).toEqual([1, 2]);
    two.stop();
    for (const heap of heaps) expectSame(heap, before);
    for (const heap of heaps) heap.detach();
  });
});

test("whatever is started, stopped, created and detached: watched heaps are seen, and at the end all is as before", async () => {
  const { SlabHeap } = await import("../../../src/allocator/heap/heap.js");
  const { FastHeap } = await import("../../../src/allocator/heap/fast-path.js");
  const plain = Object.getOwnPropertyDescriptors(FastHeap.prototype);
  withSeed((random) => {
    const below = (n: number): number => Math.floor(random() * n);
    const heaps: { heap: Heap; stop?: (() => void) | undefined; seen: number; expected: number }[] = [];
    const counts = [0, 0, 0, 0];
    for (let step = 0; step < 600; step++) {
      const kind = heaps.length === 0 ? 0 : [1, 1, 1, 1, 2, 2, 3, 3, 0, 4][below(10)];
      const one = heaps[below(heaps.length)];
      if (kind === 0) {
        if (heaps.length < 5) heaps.push({ heap: create(), seen: 0, expected: 0 });
      } else if (kind === 1) {
        const handle = one.heap.alloc(1 + below(1024));
        expect(handle === 0 ? one.heap.lastFailure : "none").toBe("none");
        if (one.stop !== undefined) one.expected++;
        expect(one.heap.free(handle)).toBe(true);
      } else if (kind === 2 && one.stop === undefined) {
        counts[kind]++;
        one.stop = interceptAllocs(one.heap, () => one.seen++);
      } else if (kind === 3) {
        counts[kind]++;
        one.stop?.();
        one.stop = undefined;
      } else if (kind === 4) {
        heaps.splice(heaps.indexOf(one), 1);
        one.heap.detach();
        expect(() => one.heap.alloc(64)).toThrow("gave its seat");
        if (below(2) === 0) one.stop?.();
      }
      for (const { seen, expected } of heaps) expect(seen).toBe(expected);
      if (heaps.every(({ stop }) => stop === undefined)) {
        expect(Object.getOwnPropertyDescriptors(FastHeap.prototype)).toEqual(plain);
        expect(FastHeap.prototype.alloc === plain.alloc.value).toBe(true);
        counts[0]++;
      }
    }
    for (const count of [counts[0], counts[2], counts[3]]) expect(count).toBeGreaterThan(5);
    for (const { heap } of heaps) heap.detach();
    expect(FastHeap.prototype.allocOffset === plain.allocOffset.value).toBe(true);
    expect(Object.hasOwn(SlabHeap.prototype, "alloc")).toBe(false);
  });
});
