/**
 * Defends: a heap object's views show the whole buffer and never change; looking at an object is exact and refused for
 * anything that is none; attaching, sharing and leaving do what they say; after that every single method throws the
 * same clear error, and only what is documented still works.
 * Method: views written through one element type and read through another; the list of methods is taken from the
 * prototypes, so that a new one cannot be forgotten.
 */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  AlreadyAttachedError,
  HeapDetachedError,
  InvalidTypeError,
  InvalidValueError,
  StaleHandleError,
  TemporalSlabError,
} from "../../../src/allocator/errors.js";
import { FastHeap } from "../../../src/allocator/heap/fast-path.js";
import { SlabHeap } from "../../../src/allocator/heap/heap.js";
import { ObjectHeap } from "../../../src/allocator/heap/objects.js";
import { NULL_HANDLE } from "../../../src/allocator/words/handle.js";
import {
  another,
  epochId,
  expectHealthy,
  expectMetadata,
  expectWholeMemoryBack,
  forged,
  metadata,
  SLAB,
  smallHeap,
} from "../support.js";
import { SHAPES } from "./shapes.js";

let heap: SlabHeap;
beforeEach(() => {
  heap = smallHeap();
});
afterEach(() => {
  if (heap._a.detached) return;
  expectWholeMemoryBack(heap);
  heap.detach();
});

describe("views of the buffer", () => {
  const NAMES = ["u8", "i8", "u16", "i16", "u32", "i32", "f32", "f64", "u64", "i64"] as const;

  test("cover it from the first byte to the last, each with its element size", () => {
    for (const name of NAMES) {
      const view = heap[name];
      expect(view.buffer).toBe(heap.buffer);
      expect(view.byteOffset).toBe(0);
      expect(view.byteLength).toBe(heap.buffer.byteLength);
      expect(view.BYTES_PER_ELEMENT, name).toBe(Number(name.slice(1)) / 8);
    }
    expect(heap.f64).toBeInstanceOf(Float64Array);
    expect(heap.i64).toBeInstanceOf(BigInt64Array);
    expect(heap.buffer).toBeInstanceOf(SharedArrayBuffer);
  });

  test("show the same bytes, and an object's bytes at its offset", () => {
    const handle = heap.alloc(64);
    const at = heap.byteOffset(handle);
    heap.f64[at / 8] = -1.5;
    expect(heap.i64[at / 8]).toBe(new BigInt64Array(new Float64Array([-1.5]).buffer)[0]);
    heap.u32[at / 4] = 0x80818283;
    expect([heap.u8[at], heap.i8[at], heap.u16[at / 2], heap.i16[at / 2 + 1]]).toEqual([
      0x83, -125, 0x8283, -32639,
    ]);
    expect([...heap.view(handle, 4)]).toEqual([0x83, 0x82, 0x81, 0x80]);
  });

  test("are the same objects for ever, and shared with every attachment's", () => {
    const views = NAMES.map((name) => heap[name]);
    for (let i = 0; i < 100; i++) heap.free(heap.alloc(1000));
    heap.advanceEpoch();
    expect(NAMES.map((name) => heap[name])).toEqual(views);
    NAMES.forEach((name, i) => {
      expect(heap[name]).toBe(views[i]);
    });
    const other = another(heap);
    const handle = heap.alloc(64);
    heap.u8[heap.byteOffset(handle)] = 77;
    expect(other.u8[other.byteOffset(handle)]).toBe(77);
    other.detach();
  });

  test("a write through any of them anywhere in the payload cannot damage the allocator", () => {
    const handles = [64, 128, 1024, 5000].map((size) => heap.alloc(size));
    const { payloadOffset } = heap._a.layout;
    const before = metadata(heap);
    heap.u8.fill(0xff, payloadOffset);
    heap.f64.fill(Number.NaN, payloadOffset / 8);
    expectMetadata(heap, before);
    expectHealthy(heap);
    for (const handle of handles) expect(heap.free(handle)).toBe(true);
  });

  test("facts about the heap", () => {
    expect(heap).toMatchObject({ seat: 1, incarnation: 1, capacity: 16 * SLAB, slabSize: SLAB });
    expect(heap.sizeClasses).toEqual([64, 128, 1024]);
    expect(Object.isFrozen(heap.sizeClasses)).toBe(true);
    expect(heap.buffer.byteLength).toBe(heap._a.layout.payloadOffset + heap.capacity);
  });
});

describe.each(SHAPES)("looking at an object, %s", (_shape, shaped) => {
  beforeEach(() => {
    heap = shaped(heap);
  });

  test("view covers the usable bytes, or the first so many", () => {
    for (const size of [1, 64, 100, 1024, SLAB + 1]) {
      const handle = heap.alloc(size);
      const usable = heap.sizeOf(handle);
      expect(heap.view(handle)).toHaveLength(usable);
      for (const length of [0, 1, size, usable]) {
        const view = heap.view(handle, length);
        expect([view.length, view.byteOffset]).toEqual([length, heap.byteOffset(handle)]);
        expect(view.buffer).toBe(heap.buffer);
      }
      expect(heap.view(handle, undefined)).toHaveLength(usable);
    }
  });

  test("a length beyond the object is refused with the range, whatever lies behind it", () => {
    const handle = heap.alloc(100);
    heap.alloc(100);
    for (const length of [129, -1, 1.5, Number.NaN, Infinity, 2 ** 32]) {
      expect(() => heap.view(handle, length)).toThrow(InvalidValueError);
      expect(() => heap.view(handle, length)).toThrow(
        `from 0 to 128 (what the object has room for); got ${length}`,
      );
    }
    for (const length of [null, "5", 5n, {}, true]) {
      expect(() => heap.view(handle, length as never)).toThrow(InvalidTypeError);
      expect(() => heap.view(handle, length as never)).toThrow("from 0 to 128");
    }
  });

  test("a view outlives its object and harms nothing", () => {
    const view = heap.view(heap.alloc(1024));
    heap.discardEpoch(heap.currentEpoch);
    view.fill(0xee);
    expectHealthy(heap);
    const next = heap.alloc(1024);
    expect(heap.view(next).buffer).toBe(view.buffer);
  });

  test("every look at what is no object says which method, which handle and why", () => {
    const handle = heap.alloc(64);
    heap.free(handle);
    const looks: [string, (h: never) => unknown][] = [
      ["byteOffset", (h) => heap.byteOffset(h)],
      ["sizeOf", (h) => heap.sizeOf(h)],
      ["view", (h) => heap.view(h)],
      ["epochOf", (h) => heap.epochOf(h)],
    ];
    const before = metadata(heap);
    for (const [name, look] of looks) {
      for (const dead of [handle, forged(1.5), forged(Number.NaN), forged(-handle), forged(2 ** 60)]) {
        expect(() => look(dead as never)).toThrow(StaleHandleError);
        expect(() => look(dead as never)).toThrow(`${name}: handle ${dead} names no live object`);
      }
      expect(() => look(NULL_HANDLE as never)).toThrow(
        `${name}: NULL_HANDLE names no object; check the result`,
      );
      for (const wrong of [undefined, null, "1", 1n, {}]) {
        expect(() => look(wrong as never)).toThrow(InvalidTypeError);
        expect(() => look(wrong as never)).toThrow(`${name}: handle must be a number`);
      }
    }
    for (const wrong of [undefined, null, "1", 1n, {}]) {
      expect(() => heap.isLive(wrong as never)).toThrow("isLive: handle must be a number");
    }
    expectMetadata(heap, before);
  });

  test("isLive and epochOf follow the object through the closing of its epoch", () => {
    const handle = heap.alloc(64);
    const epoch = heap.currentEpoch;
    heap.closeEpoch(epoch);
    expect([heap.isLive(handle), heap.epochOf(handle)]).toEqual([true, epoch]);
    heap.discardEpoch(epoch);
    expect(heap.isLive(handle)).toBe(false);
  });
});

describe("attachments", () => {
  test("share can be attached anywhere; each ref has a token of its own", () => {
    const refs = Array.from({ length: 50 }, () => heap.share());
    expect(new Set(refs.map((ref) => ref.token)).size).toBe(50);
    for (const ref of refs)
      expect(Number.isInteger(ref.token) && ref.token > 0 && ref.token < 2 ** 31).toBe(true);
    const other = SlabHeap.attach(structuredClone(refs[0]), { sameThread: true });
    const handle = other.alloc(64);
    expect(heap.isLive(handle)).toBe(true);
    expect(other.buffer.byteLength).toBe(heap.buffer.byteLength);
    other.detach();
  });

  test("the same thread twice is refused, and the first goes on working", () => {
    const before = metadata(heap);
    expect(() => SlabHeap.attach(heap.share())).toThrow(AlreadyAttachedError);
    expectMetadata(heap, before);
    expect(heap.free(heap.alloc(64))).toBe(true);
  });

  test("after detach the same thread may attach again, and sees what is there", () => {
    const handle = heap.alloc(64);
    heap.view(handle).fill(9);
    const ref = heap.share();
    heap.detach();
    heap = SlabHeap.attach(ref);
    expect([heap.seat, heap.incarnation]).toEqual([1, 2]);
    expect(heap.view(handle).every((byte) => byte === 9)).toBe(true);
    expect(heap.free(handle)).toBe(true);
  });

  test("two heaps of one thread have nothing to do with each other", () => {
    const second = smallHeap();
    const before = metadata(heap);
    for (let i = 0; i < 100; i++) second.alloc(1 + i * 10);
    second.advanceEpoch();
    second.openDomain({ label: "second" });
    expectMetadata(heap, before);
    second.detach();
  });

  test("a page releaser belongs to the attachment that was given one", () => {
    const release = vi.fn(() => 4096);
    const other = SlabHeap.attach(heap.share(), { sameThread: true, pageReleaser: { release } });
    heap.poll();
    heap.free(heap.alloc(2 * SLAB));
    heap.closeEpoch(heap.currentEpoch);
    expect(release).not.toHaveBeenCalled();
    other.free(other.alloc(2 * SLAB));
    expect(release).not.toHaveBeenCalled(); // nor in a free
    other.poll();
    expect(release).toHaveBeenCalledOnce();
    other.detach();
  });
});

describe("after detach", () => {
  /** Methods and what to call them with: every one of the three classes must be named here. */
  const CALLS: Readonly<Record<string, readonly unknown[]>> = {
    alloc: [64],
    allocOrThrow: [64],
    allocOffset: [64],
    free: [0],
    freeOffset: [0],
    isLive: [0],
    byteOffset: [0],
    sizeOf: [0],
    view: [0],
    viewAs: [0, Float64Array],
    handleAt: [0],
    epochOf: [0],
    advanceEpoch: [],
    closeEpoch: [0],
    discardEpoch: [0],
    discardBefore: [{ id: 0, era: 16 }],
    epochInfo: [0],
    refcount: [{ id: 0, era: 16 }],
    setEpochLabel: [0, "x"],
    retainEpoch: [0],
    releaseEpoch: [0],
    openDomain: [],
    poll: [],
    trim: [],
    seats: [],
    reap: [2, 1],
    watch: [{ terminate: () => undefined }],
    verify: [],
    counters: [],
    assertAttached: ["assertAttached"],
    [Symbol.dispose.toString()]: [],
  };
  /** Documented to go on working, or to be harmless. */
  const QUIET = ["constructor", "detach", "share", "close", Symbol.dispose.toString()];

  const methods = [FastHeap.prototype, ObjectHeap.prototype, SlabHeap.prototype].flatMap((prototype) =>
    Reflect.ownKeys(prototype).filter(
      (key) => typeof Object.getOwnPropertyDescriptor(prototype, key)?.value === "function",
    ),
  );

  test("the list of calls below is complete", () => {
    const names = methods.map(String).filter((name) => !QUIET.includes(name));
    expect(
      Object.keys(CALLS)
        .filter((name) => !QUIET.includes(name))
        .sort(),
    ).toEqual(names.sort());
  });

  test.each(SHAPES)("every method throws HeapDetachedError and touches nothing: %s", (_shape, shaped) => {
    const other = another(heap);
    const gone = shaped(heap);
    gone.alloc(64);
    gone.detach();
    other.poll();
    const before = metadata(other);
    for (const key of methods.map(String).filter((name) => !QUIET.includes(name))) {
      const call = (): unknown =>
        (gone as never as Record<string, (...args: unknown[]) => unknown>)[key](...CALLS[key]);
      expect(call, key).toThrow(HeapDetachedError);
      expect(call, key).toThrow(`${key}: this SlabHeap gave its seat 1 back`);
      expect(call, key).toThrow(TemporalSlabError);
    }
    expectMetadata(other, before);
    expectWholeMemoryBack(other);
    other.detach();
  });

  test("detach, dispose and share stay quiet; facts and views can still be read", () => {
    const other = another(heap);
    const handle = heap.alloc(64);
    const at = heap.byteOffset(handle);
    heap.detach();
    heap.detach();
    heap[Symbol.dispose]();
    expect(heap.seat).toBe(1);
    expect(heap.currentEpoch).toEqual(other.currentEpoch);
    expect(heap.lastFailure).toBe("none");
    other.u8[at] = 5;
    expect(heap.u8[at]).toBe(5);
    const back = SlabHeap.attach(heap.share(), { sameThread: true });
    expect(back.free(handle)).toBe(true);
    expectWholeMemoryBack(back, other);
    back.detach();
    other.detach();
  });

  test("the object was not alone: another attachment's poll timer goes on, its own has stopped", () => {
    vi.useFakeTimers();
    const [one, two] = [another(heap), another(heap)];
    expect(vi.getTimerCount()).toBe(2);
    one.detach();
    expect(vi.getTimerCount()).toBe(1);
    two.detach();
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
  });

  test("while others hold objects of its epochs: labels and references stay", () => {
    const other = another(heap);
    heap.setEpochLabel(epochId(0), "kept");
    heap.retainEpoch(epochId(0));
    heap.detach();
    expect(other.epochInfo(epochId(0))).toMatchObject({ label: "kept", refcount: 1, state: "ACTIVE" });
    other.releaseEpoch(epochId(0));
    expectWholeMemoryBack(other);
    other.detach();
  });
});
