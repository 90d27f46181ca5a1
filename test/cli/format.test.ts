/** Defends: sizes, times and shares are printed as people read them, and read as people write them. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatNs,
  formatShare,
  parseBytes,
  parseDuration,
  plural,
  utcTime,
} from "../../src/cli/format.js";
import { jsonText } from "../../src/cli/json.js";
import { parseJsonExact } from "../../src/stats.js";

describe("sizes", () => {
  it.each([
    ["65536", 65536],
    ["64KiB", 65536],
    ["64k", 65536],
    ["64 KB", 65536],
    ["1.5MiB", 1572864],
    ["4GiB", 2 ** 32],
    ["12b", 12],
  ])("parses %s", (text, bytes) => {
    expect(parseBytes(text)).toBe(bytes);
  });

  it.each([["lots"], ["-5"], ["64QiB"], ["1.3"], [""]])("refuses %s", (text) => {
    expect(parseBytes(text)).toBeUndefined();
  });

  it("prints them back", () => {
    expect([0, 1023, 1536, 65536, 2 ** 32].map(formatBytes)).toEqual([
      "0 B",
      "1023 B",
      "1.50 KiB",
      "64 KiB",
      "4 GiB",
    ]);
  });
});

it("reads back the times it prints", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1e9 }), (ms) => {
      expect(parseDuration(formatDuration(ms))).toBe(ms);
    }),
  );
});

it("shows shares and durations with the digits that matter", () => {
  expect([0, 0.0001234, 0.1234, 1].map(formatShare)).toEqual(["0%", "0.0123%", "12.34%", "100.00%"]);
  expect([12, 1234, 1.5e6, 2e9].map(formatNs)).toEqual(["12 ns", "1.23 us", "1.50 ms", "2.00 s"]);
});

it("groups the digits of counts of any size", () => {
  expect([0, 1234567.8, -1234, 9_007_199_254_740_993n].map(formatCount)).toEqual([
    "0",
    "1,234,568",
    "-1,234",
    "9,007,199,254,740,993",
  ]);
  expect([plural(1n, "slab"), plural(2n ** 53n + 1n, "slab")]).toEqual([
    "1 slab",
    "9,007,199,254,740,993 slabs",
  ]);
});

it("knows which nanoseconds are a date", () => {
  expect(utcTime(1_770_486_521_361_625_486n)).toEqual(["2026-02-07", "17:48:41"]);
  expect(utcTime(18_000_123_456_789n)).toBeUndefined();
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 80n), max: 2n ** 80n }), (ns) => {
      const [, time = "00:00:00"] = utcTime(ns) ?? [];
      expect(time).toMatch(/^\d\d:\d\d:\d\d$/);
    }),
  );
});

describe("JSON", () => {
  it("is what JSON.stringify writes", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(jsonText(value)).toBe(`${JSON.stringify(value, null, 2)}\n`);
      }),
    );
  });

  it("keeps every digit", () => {
    const value = { at: 1770486521361625486n, list: [2n ** 64n], none: undefined };
    expect(parseJsonExact(jsonText(value))).toEqual({ at: value.at, list: value.list });
  });
});
