/**
 * Defends: a program written for `@thi.ng/malloc` finds the same behaviour, and whatever is different is listed.
 * Method: one suite runs on both; every difference is asserted on both sides, so that one which has gone, on either
 * side, is noticed; the type of the pool is checked against theirs by the compiler.
 */
import type { IMemPool } from "@thi.ng/malloc";
import { describe, expect, expectTypeOf, test } from "vitest";
import { HeapDetachedError, InvalidTypeError, InvalidValueError } from "../../src/allocator/index.js";
import { ourPool, theirPool, thrownBy } from "./support.js";

const KIB = 1024;
const POOLS: [string, (size: number, align?: 16 | 64) => IMemPool & { buf: ArrayBufferLike }][] = [
  ["@thi.ng/malloc", (size, align) => theirPool({ size, ...(align && { align }) })],
  ["temporal-slab/malloc", (size, align) => ourPool({ size, ...(align && { align }) })],
];
const TYPES = ["u8", "u8c", "i8", "u16", "i16", "u32", "i32", "f32", "f64"] as const;
const SIZES = { u8: 1, u8c: 1, i8: 1, u16: 2, i16: 2, u32: 4, i32: 4, f32: 4, f64: 8 };

test("the class is an IMemPool, and its arrays have their exact types", () => {
  const pool: IMemPool = ourPool({ size: 64 * KIB });
  expect(pool.malloc(8)).toBeGreaterThan(0);
  const ours = ourPool({ size: 64 * KIB });
  expectTypeOf(ours.mallocAs("f32", 4)).toEqualTypeOf<Float32Array<SharedArrayBuffer> | undefined>();
  expectTypeOf(ours.callocAs("u8c", 4)).toEqualTypeOf<Uint8ClampedArray<SharedArrayBuffer> | undefined>();
  expectTypeOf(ours.callocAs("i64", 4, 1n)).toEqualTypeOf<BigInt64Array<SharedArrayBuffer> | undefined>();
  expectTypeOf(ours.reallocArray(new Int16Array(1), 2)).toEqualTypeOf<Int16Array<ArrayBuffer> | undefined>();
});

describe.each(POOLS)("%s", (_name, make) => {
  const bytesOf = (pool: { buf: ArrayBufferLike }): Uint8Array => new Uint8Array(pool.buf, 0);
  const pattern = (pool: { buf: ArrayBufferLike }, at: number, length: number): number[] => [
    ...bytesOf(pool).slice(at, at + length),
  ];

  test("blocks are apart, multiples of 8, inside the buffer", () => {
    const pool = make(64 * KIB);
    const blocks = [1, 8, 9, 100, 2.5, 1000, 3000, 16, 64].map((size) => ({ size, at: pool.malloc(size) }));
    blocks.sort((a, b) => a.at - b.at);
    let end = 1;
    for (const { at, size } of blocks) {
      expect(at % 8).toBe(0);
      expect(at).toBeGreaterThanOrEqual(end);
      end = at + size;
    }
    expect(end).toBeLessThanOrEqual(pool.buf.byteLength);
  });

  test.each([16, 64] as const)("align %i holds for every block, moved ones too", (align) => {
    const pool = make(64 * KIB, align);
    for (const size of [1, 8, 20, 65, 130, 700, 3000]) {
      const at = pool.malloc(size);
      expect(at % align, `${size} bytes`).toBe(0);
      expect(pool.malloc(3) % align).toBe(0);
      expect(pool.realloc(at, size + 500) % align).toBe(0);
    }
  });

  test("0 for sizes of nothing, less, and more than there is", () => {
    const pool = make(64 * KIB);
    for (const size of [0, -0, -1, -1e9, Number.NEGATIVE_INFINITY, 2 ** 30])
      expect(pool.malloc(size)).toBe(0);
    expect(pool.calloc(0)).toBe(0);
    expect(pool.mallocAs("f64", 0)).toBeUndefined();
    expect(pool.mallocAs("f64", -3)).toBeUndefined();
    expect(pool.callocAs("u16", 2 ** 29)).toBeUndefined();
    expect(pool.stats().used.count).toBe(0);
  });

  test("0 when it is full, and blocks again once one was freed", () => {
    const pool = make(64 * KIB);
    const blocks: number[] = [];
    for (let at = pool.malloc(1000); at !== 0; at = pool.malloc(1000)) blocks.push(at);
    expect(blocks.length).toBeGreaterThan(60);
    expect(pool.malloc(1000)).toBe(0);
    expect(pool.free(blocks[20] as number)).toBe(true);
    expect(pool.malloc(1000)).toBe(blocks[20]);
    expect(pool.stats().used.count).toBe(blocks.length);
  });

  test("free: true once; false for null, freed, never issued, the middle of a block and other buffers", () => {
    const pool = make(64 * KIB);
    const [a, b] = [pool.malloc(64), pool.malloc(64)];
    const array = pool.mallocAs("f32", 10);
    if (array === undefined) throw new Error("no room");
    for (const wrong of [0, a + 8, b + 1, a - 8, -a, 2 ** 40, pool.buf.byteLength])
      expect(pool.free(wrong), `free(${wrong})`).toBe(false);
    expect(pool.free(new Float32Array(10))).toBe(false);
    expect(pool.free(array.subarray(2))).toBe(false);
    expect([pool.free(a), pool.free(a)]).toEqual([true, false]);
    expect([pool.free(array), pool.free(array)]).toEqual([true, false]);
    expect(pool.stats().used.count).toBe(1);
    expect(pool.free(b)).toBe(true);
    expect(pool.stats().used).toEqual({ count: 0, size: 0 });
  });

  test("a freed block is used again", () => {
    const pool = make(64 * KIB);
    const a = pool.malloc(200);
    pool.malloc(8);
    pool.free(a);
    expect(pool.malloc(200)).toBe(a);
  });

  test("calloc fills what was asked for, used memory too", () => {
    const pool = make(64 * KIB);
    const a = pool.malloc(100);
    bytesOf(pool).fill(0xff, a, a + 100);
    pool.free(a);
    const b = pool.calloc(50);
    expect(pattern(pool, b, 50)).toEqual(new Array(50).fill(0));
    const c = pool.calloc(20, 0x1a7);
    expect(pattern(pool, c, 20)).toEqual(new Array(20).fill(0xa7));
  });

  test.each(TYPES)("mallocAs and callocAs: %s", (type) => {
    const pool = make(64 * KIB);
    const array = pool.mallocAs(type, 25);
    const filled = pool.callocAs(type, 12, 3);
    const zeros = pool.callocAs(type, 7);
    expect(array).toHaveLength(25);
    expect(array?.BYTES_PER_ELEMENT).toBe(SIZES[type]);
    expect(array?.constructor).toBe(zeros?.constructor);
    expect(array?.buffer).toBe(pool.buf);
    expect([...(filled ?? [])]).toEqual(new Array(12).fill(3));
    expect([...(zeros ?? [])]).toEqual(new Array(7).fill(0));
    expect(pool.mallocAs(type, 2.5)).toHaveLength(2);
    expect(pool.stats().used.count).toBe(4);
  });

  test("realloc: contents stay, a shrunk block does not move", () => {
    const pool = make(64 * KIB);
    const a = pool.malloc(64);
    pool.malloc(8);
    const wanted = Array.from({ length: 64 }, (_, i) => i * 3);
    bytesOf(pool).set(wanted, a);
    const b = pool.realloc(a, 3000);
    expect(b).not.toBe(a);
    expect(pattern(pool, b, 64)).toEqual(wanted);
    expect(pool.realloc(b, 40)).toBe(b);
    expect(pattern(pool, b, 40)).toEqual(wanted.slice(0, 40));
    expect(pool.free(b)).toBe(true);
  });

  test("realloc: 0 for nothing, for too much, and for what is no block; a block it fails for stays", () => {
    const pool = make(64 * KIB);
    const [a, freed] = [pool.malloc(64), pool.malloc(64)];
    pool.free(freed);
    bytesOf(pool).fill(7, a, a + 64);
    for (const [at, size] of [
      [0, 10],
      [freed, 10],
      [a + 8, 10],
      [a, 0],
      [a, -5],
      [a, 2 ** 30],
    ]) {
      expect(pool.realloc(at, size), `realloc(${at}, ${size})`).toBe(0);
    }
    expect(pattern(pool, a, 64)).toEqual(new Array(64).fill(7));
    expect(pool.stats().used.count).toBe(1);
    expect(pool.free(a)).toBe(true);
  });

  test("reallocArray: same type and contents; undefined where realloc fails and for other buffers", () => {
    const pool = make(64 * KIB);
    const a = pool.callocAs("f64", 4, 1.5);
    pool.malloc(8);
    if (a === undefined) throw new Error("no room");
    const b = pool.reallocArray(a, 200);
    expect(b).toBeInstanceOf(Float64Array);
    expect(b).toHaveLength(200);
    expect([...(b?.subarray(0, 4) ?? [])]).toEqual([1.5, 1.5, 1.5, 1.5]);
    expect(pool.reallocArray(b as Float64Array, 2)).toHaveLength(2);
    expect(pool.reallocArray(new Float64Array(3), 4)).toBeUndefined();
    expect(pool.reallocArray(b as Float64Array, 0)).toBeUndefined();
    expect(pool.reallocArray((b as Float64Array).subarray(1), 4)).toBeUndefined();
  });

  test("stats: blocks in use, and what is left", () => {
    const pool = make(64 * KIB);
    const before = pool.stats();
    expect(before.used).toEqual({ count: 0, size: 0 });
    expect(before.free).toEqual({ count: 0, size: 0 });
    expect(before.total).toBe(pool.buf.byteLength);
    expect(before.available).toBeLessThan(before.total);
    expect(before.available).toBeGreaterThan(64 * KIB - 100);
    pool.malloc(500);
    const at = pool.malloc(500);
    const after = pool.stats();
    expect(after.used.count).toBe(2);
    expect(after.used.size).toBeGreaterThanOrEqual(1000);
    expect(after.available).toBeLessThanOrEqual(before.available - 1000);
    expect(after.top).toBeGreaterThan(before.top);
    pool.free(at);
    expect(pool.stats().used.size).toBe(after.used.size / 2);
    expect(pool.stats().available).toBe(after.available + after.used.size / 2);
  });

  test("freeAll: nothing is in use, and everything can be allocated again", () => {
    const pool = make(64 * KIB);
    const blocks: number[] = [];
    for (let at = pool.malloc(500); at !== 0; at = pool.malloc(500)) blocks.push(at);
    const available = make(64 * KIB).stats().available;
    pool.freeAll();
    expect(pool.stats().used).toEqual({ count: 0, size: 0 });
    expect(pool.stats().available).toBe(available);
    for (const at of blocks) expect(pool.free(at)).toBe(false);
    for (const _ of blocks) expect(pool.malloc(500)).toBeGreaterThan(0);
    expect(pool.malloc(500)).toBe(0);
  });

  test("release is true, twice too", () => {
    const pool = make(64 * KIB);
    expect([pool.release(), pool.release()]).toEqual([true, true]);
  });
});

/** Name, options for both, what is done, and what comes of it: theirs, ours. Errors are named by their class. */
type Either = IMemPool & { buf: ArrayBufferLike };
const DIFFERENCES: [string, (make: Make) => unknown, unknown, unknown][] = [
  ["the buffer", (make) => make().buf.constructor.name, "ArrayBuffer", "SharedArrayBuffer"],
  ["default size", (make) => make().stats().available > 64 * KIB * KIB, false, true],
  ["a pool of 4 KiB holds 4 KiB", (make) => make({ size: 4 * KIB }).malloc(4 * KIB) > 0, false, true],
  ["sizes are rounded up to classes", (make) => used(make, (p) => p.malloc(200)).size, 208, 224],
  ["a malloc of NaN", (make) => make().malloc(Number.NaN), 40, InvalidValueError],
  [
    "two mallocs of NaN are one block",
    (make) => {
      const pool = make();
      const first = pool.malloc(Number.NaN);
      return pool.malloc(Number.NaN) === first;
    },
    true,
    InvalidValueError,
  ],
  ["a malloc of a string", (make) => make().malloc("16" as unknown as number) > 0, true, InvalidTypeError],
  [
    "mallocAs with an unknown type",
    (make) => make().mallocAs("f16" as "f32", 2),
    TypeError,
    InvalidTypeError,
  ],
  [
    "what that leaves behind",
    (make) => used(make, (p) => thrownBy(() => p.mallocAs("f16" as "f32", 2))).count,
    1,
    0,
  ],
  ["callocAs of bigints", (make) => make().callocAs("i64" as "f64", 2)?.length, TypeError, 2],
  ["a free of a string", (make) => make().free("40" as unknown as number), false, InvalidTypeError],
  ["a free of nothing", (make) => make().free(undefined as unknown as number), TypeError, InvalidTypeError],
  [
    "realloc that moves: blocks in use",
    (make) =>
      used(make, (pool) => {
        const at = pool.malloc(64);
        pool.malloc(8);
        pool.realloc(at, 500);
      }).count,
    3,
    2,
  ],
  [
    "realloc to the room there is anyway",
    (make) => {
      const pool = make();
      const at = pool.malloc(33);
      pool.malloc(8);
      return pool.realloc(at, 48) === at;
    },
    false,
    true,
  ],
  [
    "reallocArray of a subclass",
    (make) => {
      const pool = make();
      const { byteOffset } = pool.mallocAs("u8", 4) as Uint8Array;
      return pool.reallocArray(new Pixels(pool.buf as ArrayBuffer, byteOffset, 4), 2)?.constructor.name;
    },
    "Pixels",
    "Uint8Array",
  ],
  [
    "a write beyond a block's end harms the pool",
    (make) => {
      const pool = make();
      const [a] = [pool.malloc(16), pool.malloc(16)];
      new Uint8Array(pool.buf, 0).fill(0, a, a + 24);
      return !pool.free(a);
    },
    true,
    false,
  ],
  [
    "freed blocks melt into the rest",
    (make) => {
      const pool = make();
      pool.free(pool.malloc(64));
      return pool.stats().free.count;
    },
    0,
    1024,
  ],
  ["start", (make) => make({ start: 8 }).malloc(8) > 0, true, InvalidValueError],
  ["end", (make) => make({ size: 4 * KIB, end: 2 * KIB }).malloc(8) > 0, true, InvalidValueError],
  ["unknown options", (make) => make({ sise: 4 * KIB }).malloc(8) > 0, true, InvalidTypeError],
  ["align that is no power of two", (make) => make({ align: 24 }).malloc(8) > 0, true, InvalidValueError],
  ["align below 8", (make) => make({ align: 4 }), Error, InvalidValueError],
  ["minSplit below 9", (make) => make({ minSplit: 8 }), Error, InvalidValueError],
  ["an ArrayBuffer", (make) => make({ buf: new ArrayBuffer(10_000) }).malloc(8) > 0, true, InvalidTypeError],
  [
    "skipInitialization without a buffer",
    (make) => make({ skipInitialization: true }).malloc(8),
    0,
    InvalidValueError,
  ],
  [
    "a second pool built over the first",
    (make) => make({ buf: make({ buf: new SharedArrayBuffer(2 ** 20) }).buf }).stats().used.count,
    0,
    InvalidValueError,
  ],
  [
    "a buffer of 64 KiB",
    (make) => make({ buf: new SharedArrayBuffer(64 * KIB) }).malloc(8) > 0,
    true,
    InvalidValueError,
  ],
  ["a malloc after release", (make) => used(make, (pool) => pool.release()), TypeError, HeapDetachedError],
];

const CLASSES: unknown[] = [InvalidTypeError, InvalidValueError, HeapDetachedError, TypeError, RangeError];
type Make = (options?: object) => Either;
class Pixels extends Uint8Array {}

function used(make: Make, act: (pool: Either) => unknown): { count: number; size: number } {
  const pool = make();
  act(pool);
  return pool.stats().used;
}

describe("differences", () => {
  const both: Make[] = [
    (options) => theirPool(options as never) as Either,
    (options) => ourPool(options as never) as Either,
  ];

  test.each(DIFFERENCES)("%s", (_name, act, theirs, ours) => {
    const [their, our] = both.map((make) => outcome(() => act(make)));
    expect(their, "theirs").toEqual(theirs);
    expect(our, "ours").toEqual(ours);
    expect(their, "a difference").not.toEqual(our);
  });

  /** The value, or the class of what was thrown. */
  function outcome(act: () => unknown): unknown {
    try {
      return act();
    } catch (error) {
      const thrown = (error as Error).constructor;
      return CLASSES.find((known) => known === thrown) ?? Error;
    }
  }
});
