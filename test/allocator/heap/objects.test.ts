/**
 * Defends: a typed view shows exactly the object's bytes whatever the element type, and what does not fit is refused;
 * `handleAt` answers for exactly the first byte of live objects and for no other number.
 * Method: every element type on objects of every kind; every offset of a slab, and of a run, asked before and after
 * frees, discards and reuse.
 */
import { describe, expect, test } from "vitest";
import { InvalidTypeError, InvalidValueError, StaleHandleError } from "../../../src/allocator/errors.js";
import type { Handle } from "../../../src/allocator/types.js";
import { SLAB, smallHeap } from "../support.js";
import { SHAPES } from "./shapes.js";

const TYPES = [
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
] as const;

describe.each(SHAPES)("viewAs, %s", (_shape, shaped) => {
  test("covers the whole object, or its first elements, in every element type", () => {
    const heap = shaped(smallHeap());
    for (const size of [1, 64, 65, 1000, 2 * SLAB + 1]) {
      const handle = heap.allocOrThrow(size);
      const room = heap.sizeOf(handle);
      for (const Type of TYPES) {
        const view = heap.viewAs<ArrayBufferView & { length: number }>(handle, Type as never);
        expect(view).toBeInstanceOf(Type);
        expect(view.buffer).toBe(heap.buffer);
        expect([view.byteOffset, view.length]).toEqual([
          heap.byteOffset(handle),
          room / Type.BYTES_PER_ELEMENT,
        ]);
        expect(heap.viewAs<ArrayBufferView & { length: number }>(handle, Type as never, 3)).toHaveLength(3);
        expect(heap.viewAs<ArrayBufferView & { length: number }>(handle, Type as never, 0)).toHaveLength(0);
        const most = room / Type.BYTES_PER_ELEMENT;
        const tooLong = (): unknown => heap.viewAs(handle, Type as never, most + 1);
        expect(tooLong).toThrow(InvalidValueError);
        expect(tooLong).toThrow(`viewAs: length must be a whole number from 0 to ${most}`);
      }
      heap.free(handle);
      expect(() => heap.viewAs(handle, Float64Array)).toThrow(StaleHandleError);
    }
    heap.detach();
  });

  test("elements are written to the object's bytes", () => {
    const heap = shaped(smallHeap());
    const handle = heap.allocOrThrow(64);
    heap.viewAs(handle, Float64Array)[7] = 1.5;
    expect(heap.view(handle)[63]).toBe(0x3f);
    heap.detach();
  });

  test.each<[string, unknown]>([
    ["undefined", undefined],
    ["null", null],
    ["a number", 5],
    ["a name", "Float64Array"],
    ["an object", {}],
    ["DataView", DataView],
    ["ArrayBuffer", ArrayBuffer],
    ["Array", Array],
    ["the class all of them inherit from", Object.getPrototypeOf(Uint8Array)],
    ["a function", () => 1],
    ["a prototype", Float64Array.prototype],
    ["an instance", new Float64Array(1)],
  ])("what is no typed array class is refused: %s", (_name, type) => {
    const heap = shaped(smallHeap());
    const handle = heap.allocOrThrow(64);
    expect(() => heap.viewAs(handle, type as never)).toThrow(InvalidTypeError);
    expect(() => heap.viewAs(handle, type as never)).toThrow("viewAs: type must be a typed array class");
    heap.detach();
  });
});

describe.each(SHAPES)("handleAt, %s", (_shape, shaped) => {
  test("answers at the first byte of live objects and nowhere else", () => {
    const heap = shaped(smallHeap());
    const live = new Map<number, Handle>();
    for (const size of [64, 64, 128, 1024, 1024, 3 * SLAB, SLAB + 1]) {
      const handle = heap.allocOrThrow(size);
      live.set(heap.byteOffset(handle), handle);
    }
    const look = (): void => {
      const payload = heap.u8.byteLength - heap.capacity;
      for (let at = payload - 100; at < heap.u8.byteLength + 100; at++) {
        const handle = heap.handleAt(at);
        if (handle !== (live.get(at) ?? 0)) expect([at, handle]).toEqual([at, live.get(at) ?? 0]);
      }
    };
    look();
    for (const [offset, handle] of [...live].filter((_, i) => i % 2 === 0)) {
      expect(heap.free(handle)).toBe(true);
      live.delete(offset);
    }
    look();
    const again = heap.allocOrThrow(64);
    live.set(heap.byteOffset(again), again);
    look();
    heap.discardBefore(heap.advanceEpoch());
    live.clear();
    look();
    heap.detach();
  });

  test("of objects discarded under another thread that has not looked yet: none", () => {
    const heap = shaped(smallHeap());
    const other = shaped(smallHeap());
    const offset = heap.allocOffset(64);
    expect(heap.handleAt(offset)).not.toBe(0);
    expect(other.handleAt(offset)).toBe(0);
    const discarding = heap.discardEpoch(heap.currentEpoch);
    expect(discarding.applied).toBe(true);
    expect(heap.handleAt(offset)).toBe(0);
    heap.detach();
    other.detach();
  });

  test("odd numbers name nothing, what is no number is refused", () => {
    const heap = shaped(smallHeap());
    for (const offset of [0, -0, -1, 0.5, Number.NaN, Infinity, -Infinity, 2 ** 53, -(2 ** 32)]) {
      expect(heap.handleAt(offset)).toBe(0);
    }
    for (const value of [undefined, null, "64", {}, [64], 64n, Symbol("64")]) {
      expect(() => heap.handleAt(value as never)).toThrow(InvalidTypeError);
    }
    heap.detach();
  });
});
