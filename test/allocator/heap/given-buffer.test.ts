/**
 * Defends: a heap built in a buffer of the caller's is a heap like any other, takes what room there is or exactly what was
 * asked for, and a buffer that is too small, no SharedArrayBuffer, or in use by a heap is refused untouched.
 * Method: buffers of many lengths full of junk, contents looked at before and after; the whole memory asked for back.
 */
import { describe, expect, test } from "vitest";
import { InvalidTypeError, InvalidValueError } from "../../../src/allocator/errors.js";
import { SlabHeap } from "../../../src/allocator/heap/heap.js";
import { expectWholeMemoryBack, SLAB, SMALL } from "../support.js";

/** Not in the compiler's library for the language alone. */
declare const WebAssembly: {
  readonly Memory: new (limits: {
    initial: number;
    maximum: number;
    shared: true;
  }) => {
    readonly buffer: SharedArrayBuffer;
  };
};

const junk = (byteLength: number): SharedArrayBuffer => {
  const buffer = new SharedArrayBuffer(byteLength);
  new Uint8Array(buffer).fill(0xa5);
  return buffer;
};

test("without capacity the payload is what fits, and all of it can be allocated", () => {
  const { capacity: _, ...options } = SMALL;
  const least = SlabHeap.create({ ...options, capacity: SLAB }).buffer.byteLength;
  for (const extra of [0, 1, SLAB - 1, SLAB, 10 * SLAB, 100 * SLAB + 7]) {
    const buffer = junk(least + extra);
    const heap = SlabHeap.create({ ...options, buffer });
    expect(heap.buffer).toBe(buffer);
    expect(heap.u8.byteLength).toBeLessThanOrEqual(buffer.byteLength);
    expect(buffer.byteLength - heap.u8.byteLength).toBeLessThan(2 * SLAB);
    expectWholeMemoryBack(heap);
    const other = SlabHeap.attach(heap.share(), { sameThread: true });
    const handle = other.allocOrThrow(1000);
    expect(heap.free(handle)).toBe(true);
    expect(heap.verify().problems).toEqual([]);
    other.detach();
    heap.detach();
  }
});

test("with capacity the payload is exactly that, and bytes behind the heap stay as they were", () => {
  const needed = SlabHeap.create(SMALL).buffer.byteLength;
  const buffer = junk(needed + 3 * SLAB);
  const heap = SlabHeap.create({ ...SMALL, buffer });
  expect(heap.capacity).toBe(16 * SLAB);
  expectWholeMemoryBack(heap);
  expect(new Uint8Array(buffer, needed).every((byte) => byte === 0xa5)).toBe(true);
  heap.detach();
});

test("the memory of a WebAssembly module can hold the heap", () => {
  const memory = new WebAssembly.Memory({ initial: 32, maximum: 32, shared: true });
  const heap = SlabHeap.create({ ...SMALL, buffer: memory.buffer });
  const handle = heap.allocOrThrow(64);
  heap.view(handle).fill(7);
  expect(new Uint8Array(memory.buffer)[heap.byteOffset(handle) + 63]).toBe(7);
  heap.detach();
});

describe("refused", () => {
  test("a buffer that is too small, with both sizes, and nothing of it is written", () => {
    const needed = SlabHeap.create(SMALL).buffer.byteLength;
    for (const byteLength of [0, 100, SLAB, needed - 1]) {
      const buffer = junk(byteLength);
      const create = (): unknown => SlabHeap.create({ ...SMALL, buffer });
      expect(create).toThrow(InvalidValueError);
      expect(create).toThrow(`at least ${needed} bytes`);
      expect(create).toThrow(`got one of ${byteLength}`);
      expect(new Uint8Array(buffer).every((byte) => byte === 0xa5)).toBe(true);
    }
  });

  test("one too small for a single slab, when no capacity was given", () => {
    expect(() => SlabHeap.create({ buffer: junk(64) })).toThrow(InvalidValueError);
  });

  test("one that holds a heap, which goes on working", () => {
    const heap = SlabHeap.create(SMALL);
    const handle = heap.allocOrThrow(64);
    expect(() => SlabHeap.create({ ...SMALL, buffer: heap.buffer })).toThrow("must not hold a heap");
    expect(heap.free(handle)).toBe(true);
    heap.detach();
  });

  test.each([
    ["an ArrayBuffer", new ArrayBuffer(1 << 20)],
    ["a view", new Uint8Array(8)],
    ["a number", 5],
    ["null", null],
  ])("%s", (_name, buffer) => {
    const create = (): unknown => SlabHeap.create({ ...SMALL, buffer: buffer as never });
    expect(create).toThrow(InvalidTypeError);
    expect(create).toThrow('Option "buffer" must be a SharedArrayBuffer');
  });
});
