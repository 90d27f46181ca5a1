/**
 * Defends: the default list wastes at most a quarter of a slot above 64 bytes and reaches 32 KiB; named and
 * custom lists are what they claim, and anything else is refused by name.
 * Method: every request size is checked, not only the steps; refusals come from a table.
 */
import { describe, expect, test } from "vitest";
import { InvalidTypeError, InvalidValueError, TemporalSlabError } from "../../../src/allocator/errors.js";
import { SlabHeap } from "../../../src/allocator/heap/heap.js";
import { MAX_CLASSES, resolveSizeClasses, SEED_CLASSES } from "../../../src/allocator/memory/size-classes.js";
import { smallHeap } from "../support.js";

const KIB = 1024;

describe("the default list", () => {
  const sizes = resolveSizeClasses("default", 64 * KIB);

  test("covers 16 bytes to at least 32 KiB, ascending, in multiples of 8", () => {
    expect(sizes[0]).toBe(16);
    expect(sizes[sizes.length - 1]).toBeGreaterThanOrEqual(32 * KIB);
    expect(sizes.length).toBeLessThanOrEqual(MAX_CLASSES);
    expect([...sizes].sort((a, b) => a - b)).toEqual(sizes);
    expect(new Set(sizes).size).toBe(sizes.length);
    for (const size of sizes) expect(size % 8).toBe(0);
  });

  test("wastes at most 25% of a slot above 64 bytes and at most 15 bytes below", () => {
    let worst = 0;
    let at = 0;
    for (let request = 1; request <= 32 * KIB; request++) {
      while (sizes[at] < request) at++;
      const waste = sizes[at] - request;
      if (request > 64) worst = Math.max(worst, waste / sizes[at]);
      else expect(waste).toBeLessThanOrEqual(15);
    }
    expect(worst).toBeLessThanOrEqual(0.25);
  });

  test("is what no option means, and is cut at the slab size", () => {
    expect(resolveSizeClasses(undefined, 64 * KIB)).toEqual(sizes);
    expect(resolveSizeClasses("default", 4 * KIB)).toEqual(sizes.filter((size) => size <= 4 * KIB));
  });

  test("is what a heap really uses: sizeOf answers the smallest class that fits", () => {
    const heap = SlabHeap.create({ capacity: 2 ** 20 });
    for (let request = 1; request <= 32 * KIB; request += request < 300 ? 1 : 101) {
      const handle = heap.alloc(request);
      expect(heap.sizeOf(handle)).toBe(heap.sizeClasses.find((size) => size >= request));
      heap.free(handle);
    }
    heap.detach();
  });
});

test("the seed list is the C allocator's", () => {
  expect(resolveSizeClasses("seed", 64 * KIB)).toEqual([64, 96, 128, 192, 256, 384, 512, 768]);
  expect(SEED_CLASSES).toHaveLength(8);
});

test("a custom list is taken as given, and copied", () => {
  const given = [8, 24, 4096];
  const heap = smallHeap({ sizeClasses: given });
  given[0] = 16;
  expect(heap.sizeClasses).toEqual([8, 24, 4096]);
  expect(heap.sizeOf(heap.alloc(1))).toBe(8);
  expect(heap.sizeOf(heap.alloc(25))).toBe(4096);
  expect(() => {
    (heap.sizeClasses as number[])[0] = 16;
  }).toThrow(TypeError);
  expect(heap.verify().problems).toEqual([]);
  heap.detach();
});

test("a list of 63 classes works; each class gets its own slab", () => {
  const sizeClasses = Array.from({ length: MAX_CLASSES }, (_, i) => (i + 1) * 8);
  const heap = smallHeap({ sizeClasses, capacity: 64 * 4096 });
  const handles = sizeClasses.map((size) => heap.alloc(size));
  expect(handles.map((handle) => heap.sizeOf(handle))).toEqual(sizeClasses);
  expect(heap.verify().slabs).toBe(MAX_CLASSES);
  heap.detach();
});

test.each([
  ["medium", InvalidTypeError, ['"default"', '"seed"', '"medium"']],
  [64, InvalidTypeError, ["array", "64"]],
  [null, InvalidTypeError, ["array", "null"]],
  [{}, InvalidTypeError, ["array", "an object"]],
  [["64"], InvalidTypeError, ["numbers", '"64"']],
  [[64, undefined], InvalidTypeError, ["numbers", "undefined"]],
  [[], InvalidValueError, ["1..63", "got 0"]],
  [Array.from({ length: 64 }, (_, i) => 8 + i * 8), InvalidValueError, ["1..63", "got 64"]],
  [[12], InvalidValueError, ["multiples of 8", "got 12"]],
  [[0], InvalidValueError, ["multiples of 8", "got 0"]],
  [[-8], InvalidValueError, ["got -8"]],
  [[64.5], InvalidValueError, ["got 64.5"]],
  [[Number.NaN], InvalidValueError, ["got NaN"]],
  [[Number.POSITIVE_INFINITY], InvalidValueError, ["got Infinity"]],
  [[8192], InvalidValueError, ["slab size 4096", "got 8192"]],
  [[64, 64], InvalidValueError, ["ascending", "64 after 64"]],
  [[128, 64], InvalidValueError, ["ascending", "64 after 128"]],
] as const)("sizeClasses %o is refused", (sizeClasses, kind, parts) => {
  const attempt = (): SlabHeap => smallHeap({ sizeClasses: sizeClasses as never });
  expect(attempt).toThrow(kind);
  expect(attempt).toThrow(TemporalSlabError);
  for (const part of ['"sizeClasses"', ...parts]) expect(attempt).toThrow(part);
});
