/**
 * Defends: every option of `SlabHeap.create` with a wrong type or an impossible value is refused before anything is
 * allocated, by a typed error that names the option, the allowed range and what was given.
 * Method: a table per option; both class chains (the language's and the package's) are checked.
 */
import { describe, expect, test } from "vitest";
import { InvalidTypeError, InvalidValueError, TemporalSlabError } from "../../../src/allocator/errors.js";
import { SlabHeap } from "../../../src/allocator/heap/heap.js";
import {
  DEFAULT_CAPACITY,
  DEFAULT_MAX_WORKERS,
  DEFAULT_SLAB_SIZE,
  resolveConfig,
} from "../../../src/allocator/memory/config.js";
import { MAX_CAPACITY } from "../../../src/allocator/memory/options.js";
import type { HeapOptions } from "../../../src/allocator/types.js";

const WRONG_TYPES: readonly unknown[] = ["64", true, null, {}, [], () => 1, 1n, Symbol("x")];

function refusal(options: unknown): Error & { code?: string } {
  try {
    resolveConfig(options as HeapOptions);
  } catch (error) {
    return error as Error;
  }
  throw new Error("was accepted");
}

describe.each([
  ["capacity", 4096, 2 ** 32, [0, 1, 4095, 2 ** 32 + 1, 65536.5, -65536]],
  ["slabSize", 4096, 1024 * 1024, [0, 2048, 4097, 6144, 65535, 2 * 1024 * 1024, 4096.5, -4096]],
  ["maxWorkers", 1, 255, [0, 256, 1.5, -1]],
])("option %s", (name, min, max, outside) => {
  test("the limits themselves are allowed", () => {
    for (const value of [min, max]) expect(() => resolveConfig({ [name]: value })).not.toThrow();
    expect(() => resolveConfig({ [name]: undefined })).not.toThrow();
  });

  test.each([...outside, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    "%s is an InvalidValueError with name, range and value",
    (value) => {
      const error = refusal({ [name]: value });
      expect(error).toBeInstanceOf(InvalidValueError);
      expect(error).toBeInstanceOf(RangeError);
      expect(error).toBeInstanceOf(TemporalSlabError);
      expect(error.code).toBe("ERR_TSLAB_OUT_OF_RANGE");
      expect(error.name).toBe("InvalidValueError");
      for (const part of [`"${name}"`, String(min), String(max), `got ${value}`]) {
        expect(error.message).toContain(part);
      }
    },
  );

  test("a wrong type is an InvalidTypeError with name and range", () => {
    for (const value of WRONG_TYPES) {
      const error = refusal({ [name]: value });
      expect(error).toBeInstanceOf(InvalidTypeError);
      expect(error).toBeInstanceOf(TypeError);
      expect(error).toBeInstanceOf(TemporalSlabError);
      expect(error.code).toBe("ERR_TSLAB_INVALID_TYPE");
      for (const part of [`"${name}"`, String(min), String(max), "got "])
        expect(error.message).toContain(part);
    }
  });
});

test.each(["zeroOnFree", "prefault"])("option %s takes true, false or nothing", (name) => {
  for (const value of [true, false, undefined]) expect(() => resolveConfig({ [name]: value })).not.toThrow();
  for (const value of ["true", 1, 0, null, {}, 1n]) {
    const error = refusal({ [name]: value });
    expect(error).toBeInstanceOf(InvalidTypeError);
    expect(error.message).toContain(`"${name}" must be true or false`);
  }
});

test("option pageReleaser takes an object with release()", () => {
  expect(() => resolveConfig({ pageReleaser: { release: () => 0 } })).not.toThrow();
  for (const value of [null, 1, "x", {}, { release: 1 }, () => 0]) {
    const error = refusal({ pageReleaser: value });
    expect(error).toBeInstanceOf(InvalidTypeError);
    expect(error.message).toContain('"pageReleaser"');
    expect(error.message).toContain("release()");
  }
});

test("an unknown option is refused by name, with the known ones", () => {
  const error = refusal({ capactiy: 65536 });
  expect(error).toBeInstanceOf(InvalidTypeError);
  for (const part of ['"capactiy"', "capacity", "slabSize", "maxWorkers"])
    expect(error.message).toContain(part);
});

test("options that are no object are refused", () => {
  for (const options of [null, 5, "x", true, () => 1])
    expect(refusal(options)).toBeInstanceOf(InvalidTypeError);
  expect(() => SlabHeap.create(null as never)).toThrow(InvalidTypeError);
});

test("defaults are the documented ones, and the result cannot be changed", () => {
  const config = resolveConfig(undefined);
  expect(config).toMatchObject({
    capacityBytes: DEFAULT_CAPACITY,
    slabSize: DEFAULT_SLAB_SIZE,
    maxWorkers: DEFAULT_MAX_WORKERS,
    zeroOnFree: false,
  });
  expect(DEFAULT_CAPACITY).toBe(64 * 1024 * 1024);
  expect(DEFAULT_MAX_WORKERS).toBe(64);
  expect(MAX_CAPACITY).toBe(4 * 1024 ** 3);
  expect(resolveConfig({})).toEqual(config);
  expect(Object.isFrozen(config)).toBe(true);
  expect(Object.isFrozen(config.sizeClasses)).toBe(true);
});

test("capacity is rounded up to whole slabs", () => {
  const heap = SlabHeap.create({ capacity: 65537, slabSize: 4096 });
  expect(heap.capacity).toBe(17 * 4096);
  expect(heap.slabSize).toBe(4096);
  heap.detach();
});
