/**
 * Defends: counter names are unique where they are looked up, every word offset is derived from its name, cells do
 * not overlap, and shards are whole cache lines, so that two seats never write to one.
 * Method: names and offsets are recomputed from the declared lists.
 */
import { describe, expect, test } from "vitest";
import * as F from "../../../src/allocator/counters/fields.js";

const LINE_WORDS = 16;

describe.each([
  ["class", F.CLASS_FIELDS, F.CLASS_SHARD_WORDS, 4],
  ["epoch", F.EPOCH_FIELDS, F.EPOCH_SHARD_WORDS, F.EPOCH_HEADER_WORDS],
  ["seat", F.SEAT_FIELDS, F.SEAT_SHARD_WORDS, 0],
] as const)("%s counters", (_name, fields, shard, header) => {
  test("have unique names in the vocabulary's spelling, help and a unit", () => {
    expect(new Set(fields.map((field) => field.name)).size).toBe(fields.length);
    for (const field of fields) {
      expect(field.name).toMatch(/^[a-z][a-z0-9_]*$/);
      expect(field.help.length).toBeGreaterThan(5);
      expect(["1", "ns", "bytes"]).toContain(field.unit);
      expect(field.unit === "ns").toBe(field.name.endsWith("_ns"));
    }
  });

  test("fill whole cache lines, and not more than needed", () => {
    expect(shard % LINE_WORDS).toBe(0);
    const needed = header + fields.length * F.CELL_WORDS;
    expect(shard).toBeGreaterThanOrEqual(needed);
    expect(shard - needed).toBeLessThan(LINE_WORDS);
  });
});

test("offsets lie after the bin header, one cell each, and none is forgotten", () => {
  const offsets = (prefix: string): number[] =>
    Object.entries(F)
      .filter(([name, value]) => name.startsWith(prefix) && typeof value === "number")
      .map(([, value]) => value as number)
      .sort((a, b) => a - b);
  const cells = (count: number, first: number): number[] =>
    Array.from({ length: count }, (_, i) => first + i * F.CELL_WORDS);
  expect(offsets("C_")).toEqual(cells(F.CLASS_FIELDS.length, 4));
  expect(offsets("E_")).toEqual(cells(F.EPOCH_FIELDS.length, F.EPOCH_HEADER_WORDS));
  expect(offsets("S_")).toEqual(cells(F.SEAT_FIELDS.length, 0));
  expect(F.BIN_CURRENT).toBeLessThan(4);
  expect(F.BIN_PARTIAL).toBeLessThan(4);
});

test("the fast path's current slab and allocation counter share a cache line", () => {
  expect(Math.floor(F.BIN_CURRENT / LINE_WORDS)).toBe(
    Math.floor((F.C_ALLOCS + F.CELL_WORDS - 1) / LINE_WORDS),
  );
});
