/**
 * Defends: what makes no sense is refused with a typed error that names the option or argument, the value and what is
 * allowed, and leaves nothing behind: no block, no seat, no byte of a buffer.
 * Method: lists of bad options and arguments; before and after each, what there was is compared.
 */
import { describe, expect, test } from "vitest";
import {
  AlreadyAttachedError,
  HeapFormatError,
  InvalidTypeError,
  InvalidValueError,
  SlabHeap,
} from "../../src/allocator/index.js";
import { MemPool, type MemPoolOptions } from "../../src/malloc/index.js";
import { ourPool, thrownBy } from "./support.js";

const KIB = 1024;
const heap = SlabHeap.create({ capacity: 64 * KIB, slabSize: 4 * KIB, sizeClasses: [16, 24] });
const buf = new SharedArrayBuffer(64);

function expectError(act: () => unknown, type: new (message: string) => Error, text: string): void {
  const error = thrownBy(act);
  expect(error).toBeInstanceOf(type);
  expect((error as Error).message).toContain(text);
}

describe("options", () => {
  test.each<[string, unknown, typeof InvalidTypeError | typeof InvalidValueError, string]>([
    ["no object", 4096, InvalidTypeError, "options must be an object; got 4096"],
    ["null", null, InvalidTypeError, "options must be an object; got null"],
    ["an unknown one", { sise: 1 }, InvalidTypeError, 'option "sise"; known are buf, size, heap, align'],
    [
      "size as text",
      { size: "4096" },
      InvalidTypeError,
      'Option "size" must be a number from 1 to 4294967296; got "4096"',
    ],
    ["no size", { size: 0 }, InvalidValueError, "from 1 to 4294967296; got 0"],
    ["a negative size", { size: -8 }, InvalidValueError, "got -8"],
    ["a broken size", { size: 10.5 }, InvalidValueError, "whole number from 1 to 4294967296; got 10.5"],
    ["size NaN", { size: Number.NaN }, InvalidValueError, "got NaN"],
    ["too large a size", { size: 2 ** 32 + 1 }, InvalidValueError, "got 4294967297"],
    ["align as text", { align: "8" }, InvalidTypeError, 'Option "align"'],
    ["align 4", { align: 4 }, InvalidValueError, "from 8 to 4096; got 4"],
    ["align 48", { align: 48 }, InvalidValueError, "power of two from 8 to 4096; got 48"],
    ["align 8192", { align: 8192 }, InvalidValueError, "got 8192"],
    [
      "maxWorkers 0",
      { maxWorkers: 0 },
      InvalidValueError,
      'Option "maxWorkers" must be a whole number from 1 to 255; got 0',
    ],
    ["minSplit 8", { minSplit: 8 }, InvalidValueError, 'Option "minSplit"'],
    ["minSplit as text", { minSplit: "16" }, InvalidTypeError, 'Option "minSplit"'],
    ["compact as number", { compact: 1 }, InvalidTypeError, 'Option "compact" must be true or false; got 1'],
    ["split as text", { split: "yes" }, InvalidTypeError, 'Option "split"'],
    [
      "skipInitialization as number",
      { skipInitialization: 1 },
      InvalidTypeError,
      'Option "skipInitialization"',
    ],
    ["start 8", { start: 8 }, InvalidValueError, 'Option "start" must be 0'],
    ["start as text", { start: "0" }, InvalidTypeError, 'Option "start" must be the number 0'],
    ["an end", { end: 4096 }, InvalidValueError, 'Option "end" must be the length of the buffer'],
    ["an end inside", { buf, end: 32 }, InvalidValueError, "length of the buffer (64)"],
    ["end as text", { buf, end: "64" }, InvalidTypeError, 'Option "end"'],
    [
      "an ArrayBuffer",
      { buf: new ArrayBuffer(64) },
      InvalidTypeError,
      'leave "buf" out and give "size"; got an ArrayBuffer of 64 bytes',
    ],
    [
      "a typed array",
      { buf: new Uint8Array(8) },
      InvalidTypeError,
      'Option "buf" must be a SharedArrayBuffer',
    ],
    ["too small a buffer", { buf }, InvalidValueError, 'Option "buf" (64 bytes, maxWorkers 4)'],
    ["an empty buffer", { buf: new SharedArrayBuffer(0) }, InvalidValueError, 'Option "buf" (0 bytes'],
    ["no heap", { heap: {} }, InvalidTypeError, 'Option "heap" must be a SlabHeap; got an object'],
    ["heap and buf", { heap, buf }, InvalidValueError, 'Option "buf" cannot go together with "heap"'],
    ["heap and size", { heap, size: 1 }, InvalidValueError, 'Option "size" cannot go together with "heap"'],
    [
      "heap and skipInitialization",
      { heap, skipInitialization: true },
      InvalidValueError,
      "skipInitialization",
    ],
    ["heap and end", { heap, end: 5 }, InvalidValueError, 'Option "end"'],
    [
      "heap and align",
      { heap, align: 16 },
      InvalidValueError,
      "got 16, and the heap has a class of 24 bytes",
    ],
    [
      "sameThread alone",
      { sameThread: true },
      InvalidValueError,
      '"sameThread" goes with "skipInitialization"',
    ],
    ["skipInitialization alone", { skipInitialization: true }, InvalidValueError, 'needs "buf"'],
    [
      "both sizes of a crew",
      { buf, skipInitialization: true, maxWorkers: 2 },
      InvalidValueError,
      '"maxWorkers"',
    ],
  ])("%s", (_name, options, type, text) => {
    const seats = heap.seats();
    expectError(() => new MemPool(options as MemPoolOptions), type, text);
    expect(heap.seats()).toEqual(seats);
    expect([...new Uint8Array(buf)]).toEqual(new Array(64).fill(0));
  });

  test("a buffer without a pool to attach to, and one whose pool does not fit the options", () => {
    expect(() => new MemPool({ buf, skipInitialization: true })).toThrow(HeapFormatError);
    expect(() => MemPool.attach({} as never)).toThrow(HeapFormatError);
    const pool = ourPool({ size: 4 * KIB, align: 16 });
    const again: MemPoolOptions = { buf: pool.buf, skipInitialization: true };
    expect(() => new MemPool(again)).toThrow(AlreadyAttachedError);
    expectError(() => new MemPool({ ...again, sameThread: true, align: 4096 }), InvalidValueError, '"align"');
    expect(pool.heap.seats().filter(({ state }) => state !== "FREE")).toHaveLength(1);
    expectError(
      () => new MemPool({ buf: pool.buf }),
      InvalidValueError,
      "skipInitialization to use the pool",
    );
    expect(pool.malloc(8)).toBeGreaterThan(0);
  });

  test("what has no effect is accepted", () => {
    const pool = ourPool({ size: 4 * KIB, compact: false, split: true, minSplit: 9, start: 0, end: 4 * KIB });
    expect(pool.malloc(8)).toBeGreaterThan(0);
  });
});

describe("arguments", () => {
  const VALUES: unknown[] = ["8", null, undefined, 8n, {}, [8], true, Symbol("8"), () => 8];

  test("sizes, pointers and fills that are no numbers", () => {
    const pool = ourPool({ size: 64 * KIB });
    const block = pool.malloc(64);
    const array = pool.mallocAs("u8", 4) as Uint8Array;
    const before = pool.stats();
    for (const value of VALUES as never[]) {
      expectError(() => pool.malloc(value), InvalidTypeError, "malloc: size must be a number");
      expectError(() => pool.calloc(value), InvalidTypeError, "calloc: size must be a number");
      expectError(() => pool.realloc(value, 8), InvalidTypeError, "realloc: pointer must be a number");
      expectError(() => pool.realloc(block, value), InvalidTypeError, "realloc: size must be a number");
      expectError(() => pool.mallocAs("u8", value), InvalidTypeError, "mallocAs: length must be a number");
      expectError(() => pool.reallocAs(array, value), InvalidTypeError, "reallocAs: length must be a number");
      expectError(() => pool.reallocAs(value, 8), InvalidTypeError, "expected a typed array");
      expectError(() => pool.reallocArray(value, 8), InvalidTypeError, "expected a typed array");
      expectError(() => pool.free(value), InvalidTypeError, "free: expected a pointer or a typed array");
      expectError(() => pool.mallocAs(value, 8), InvalidTypeError, "type must be one of u8, u8c, i8");
      expectError(() => pool.callocAs(value, 8), InvalidTypeError, "type must be one of u8, u8c, i8");
      if (value === undefined) continue;
      expectError(() => pool.calloc(8, value), InvalidTypeError, "calloc: fill must be a number");
      expectError(() => pool.callocAs("f32", 8, value), InvalidTypeError, "a number for Float32Array");
      if (typeof value === "bigint") continue;
      expectError(() => pool.callocAs("i64", 8, value), InvalidTypeError, "a bigint, or the number 0,");
    }
    expectError(() => pool.callocAs("i64", 8, 1 as 0), InvalidTypeError, "for BigInt64Array; got 1");
    for (const name of ["f16", "", "toString", "__proto__"] as never[])
      expectError(() => pool.mallocAs(name, 1), InvalidTypeError, `got ${JSON.stringify(name)}`);
    expect(pool.stats()).toEqual(before);
  });

  test("NaN; infinities are sizes like any others", () => {
    const pool = ourPool({ size: 64 * KIB });
    const block = pool.malloc(64);
    const before = pool.stats();
    for (const act of [
      () => pool.malloc(Number.NaN),
      () => pool.calloc(Number.NaN),
      () => pool.realloc(block, Number.NaN),
      () => pool.mallocAs("f64", Number.NaN),
      () => pool.callocAs("f64", Number.NaN),
    ]) {
      expectError(act, InvalidValueError, "got NaN");
    }
    for (const size of [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 2 ** 53, 2 ** 31, 2 ** 32]) {
      expect(pool.malloc(size)).toBe(0);
      expect(pool.calloc(size)).toBe(0);
      expect(pool.mallocAs("f64", size)).toBeUndefined();
      expect(pool.realloc(block, size)).toBe(0);
    }
    expect(pool.free(Number.NaN)).toBe(false);
    expect(pool.free(Number.POSITIVE_INFINITY)).toBe(false);
    expect(pool.stats()).toEqual(before);
    expect(pool.free(block)).toBe(true);
  });
});
