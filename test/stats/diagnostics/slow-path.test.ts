/**
 * Defends: shares are of all slow-path hits, the first cause above half wins in the order of the contract, and advice is
 * this allocator's for its own documents and the C allocator's words for that one's.
 * Method: one class with chosen counters, at and above the half; random documents for ranges.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { analyzeSlowPath } from "../../../src/stats/diagnostics/slow-path.js";
import type { ClassStats } from "../../../src/stats/document/document.js";
import { anyDocument, cDocument, classRow, documentWith } from "./builder.js";

const hits = (values: Partial<ClassStats>): Partial<ClassStats> => ({
  slow_path_hits: 100,
  bitmap_alloc_attempts: 10_000,
  ...values,
});
const ours = (values: Partial<ClassStats>) =>
  analyzeSlowPath(documentWith({ classes: [classRow(hits(values))] })).classes[0];
const inC = (values: Partial<ClassStats>) =>
  analyzeSlowPath(cDocument({ classes: [classRow(hits(values))] })).classes[0];

test("counts and shares of every class", () => {
  const busy = classRow({
    class_index: 1,
    object_size: 256,
    slow_path_hits: 200,
    slow_path_cache_miss: 20,
    slow_path_epoch_closed: 2,
    current_partial_null: 50,
    current_partial_full: 148,
    slow_path_out_of_memory: 4,
    bitmap_alloc_attempts: 20_000,
  });
  expect(analyzeSlowPath(documentWith({ classes: [classRow(), busy] }))).toMatchObject({
    version: 1,
    class_count: 2,
    classes: [
      { class_index: 0, total_slow_path_hits: 0, cache_miss_pct: 0, cause: "none" },
      {
        class_index: 1,
        object_size: 256,
        total_slow_path_hits: 200,
        cache_miss_count: 20,
        cache_miss_pct: 10,
        epoch_closed_count: 2,
        epoch_closed_pct: 1,
        partial_null_count: 50,
        partial_null_pct: 25,
        partial_full_count: 148,
        partial_full_pct: 74,
        out_of_memory_count: 4,
        out_of_memory_pct: 2,
        slow_path_pct: 1,
        cause: "partial_full",
      },
    ],
  });
});

describe("cause", () => {
  const ALL = {
    slow_path_epoch_closed: 51,
    slow_path_out_of_memory: 51,
    slow_path_cache_miss: 51,
    current_partial_null: 51,
    current_partial_full: 51,
  };

  test("the first above half wins, refusals first", () => {
    const left: Partial<Record<keyof typeof ALL, number>> = { ...ALL };
    const causes: string[] = [];
    for (const name of Object.keys(ALL) as (keyof typeof ALL)[]) {
      causes.push(ours(left)?.cause ?? "");
      delete left[name];
    }
    expect(causes).toEqual(["epoch_closed", "out_of_memory", "cache_miss", "partial_null", "partial_full"]);
  });

  test("half is not enough", () => {
    expect(ours({ current_partial_null: 50, current_partial_full: 50 })).toMatchObject({
      cause: "mixed",
      recommendation: "Mixed causes",
    });
  });

  test("no hits", () => {
    for (const analyze of [ours, inC]) {
      expect(analyze({ slow_path_hits: 0 })).toMatchObject({
        cause: "none",
        recommendation: "No slow-path hits (all allocations fast)",
      });
    }
  });
});

describe("advice", () => {
  test.each<[string, Partial<ClassStats>]>([
    ["fix epoch rotation logic", { slow_path_epoch_closed: 60 }],
    ["consider increasing cache_capacity from 32", { slow_path_cache_miss: 60 }],
    ["high contention or empty cache", { current_partial_null: 60 }],
    ["normal churn pattern", { current_partial_full: 60 }],
    ["Mixed causes", { current_partial_full: 10 }],
  ])("the C allocator's words: %s", (words, values) => {
    expect(inC(values)?.recommendation).toBe(words);
  });

  test.each<[RegExp, Partial<ClassStats>]>([
    [/fix epoch rotation.*enter a domain/, { slow_path_epoch_closed: 60 }],
    [/raise capacity/, { slow_path_out_of_memory: 60 }],
    [/normal until the heap has reached its size; prefault.*slabSize/, { slow_path_cache_miss: 60 }],
    [/allocate more per epoch/, { current_partial_null: 60 }],
    [/^normal churn pattern: full slabs are exchanged/, { current_partial_full: 60 }],
    [/holds only 4 objects.*slabSize/, { current_partial_full: 60, object_size: 16_384 }],
  ])("ours: %s", (words, values) => {
    const advice = ours(values)?.recommendation;
    expect(advice).toMatch(words);
    // There is no such option here.
    expect(advice).not.toContain("cache_capacity");
  });
});

describe("share of slow allocations", () => {
  test("refused allocations are slow, and the only ones of a class that only refuses", () => {
    expect(ours({ bitmap_alloc_attempts: 0 })?.slow_path_pct).toBe(100);
    expect(ours({ bitmap_alloc_attempts: 400 })?.slow_path_pct).toBe(25);
  });

  test("not known where a document of the C allocator does not count allocations", () => {
    expect(inC({ bitmap_alloc_attempts: 0 })?.slow_path_pct).toBeNull();
    expect(inC({ bitmap_alloc_attempts: 0, slow_path_hits: 0 })?.slow_path_pct).toBe(0);
  });

  test("counters that were read at different instants stay a share", () => {
    expect(ours({ current_partial_full: 130 })?.partial_full_pct).toBe(100);
  });
});

test("random documents: one row per class, every share from 0 to 100, advice for all", () => {
  let shares = 0;
  fc.assert(
    fc.property(anyDocument, (document) => {
      const { class_count, classes } = analyzeSlowPath(document);
      expect([class_count, classes.length]).toEqual([document.classes.length, document.classes.length]);
      for (const row of classes) {
        expect(row.recommendation).not.toBe("");
        for (const [name, value] of Object.entries(row)) {
          if (!name.endsWith("_pct") || value === null) continue;
          shares++;
          expect(value).toBeGreaterThanOrEqual(0);
          expect(value).toBeLessThanOrEqual(100);
        }
      }
    }),
  );
  expect(shares).toBeGreaterThan(0);
});
