/**
 * Defends: what `watch` says about an interval is what happened in it: sums over classes, rates, shares, restarts; for our
 * documents and both shapes of the C allocator's, and for counts beyond 2^53.
 * Method: two documents a known time apart, and any two documents.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { jsonLine } from "../../../src/cli/json.js";
import { largestCount, sumCounts } from "../../../src/cli/watch/counts.js";
import { History } from "../../../src/cli/watch/history.js";
import { type Interval, intervalOf } from "../../../src/cli/watch/interval.js";
import { amountText } from "../../../src/cli/watch/text.js";
import { parseJsonExact, readStats } from "../../../src/stats/index.js";
import { anyDocument } from "../../stats/diagnostics/builder.js";
import { benchFile, statsDump } from "../../stats/document/fixtures.js";
import { heapAt } from "./service.js";

const reading = ({ readings }: Interval, key: string) => {
  const { now, change, perSec } = readings.find(({ figure }) => figure.key === key) ?? {};
  return { now, change, perSec };
};

describe("an interval", () => {
  const interval = intervalOf(heapAt(2), heapAt(4));

  it("counts over all classes, in total, in the interval and per second", () => {
    expect(interval.seconds).toBe(2);
    expect(reading(interval, "allocs")).toEqual({ now: 4000, change: 2000, perSec: 1000 });
    expect(reading(interval, "slow_path")).toEqual({ now: 200, change: 100, perSec: 50 });
    expect(reading(interval, "slow_partial_full")).toEqual({ now: 200, change: 100, perSec: 50 });
    expect(reading(interval, "remote_frees")).toEqual({ now: 40, change: 20, perSec: 10 });
  });

  it("compares gauges, and takes shares of the interval alone", () => {
    expect(reading(interval, "net_slabs")).toEqual({ now: 24, change: 2, perSec: null });
    expect(reading(interval, "slow_path_pct").now).toBe(5);
    expect(reading(interval, "close_yield_pct").now).toBe(80);
    // One epoch with a domain left open, however many classes it holds.
    expect(reading(interval, "leaks").now).toBe(1);
  });

  it("has no rates for the first look, nor after a restart, which it names", () => {
    for (const [first, restarted] of [
      [intervalOf(undefined, heapAt(4)), undefined],
      [intervalOf(heapAt(2, "another"), heapAt(4)), "heap.id differs"],
      [intervalOf({ ...readStats(statsDump()), pid: 1 }, readStats(statsDump())), "pid differs"],
    ] as const) {
      expect(first.restarted).toBe(restarted);
      expect(first.seconds).toBeNull();
      expect(first.readings.every(({ change, perSec }) => change === null && perSec === null)).toBe(true);
    }
  });

  it("has no rates where no time has passed", () => {
    const same = intervalOf(heapAt(4), heapAt(4));
    expect(same.seconds).toBe(0);
    expect(reading(same, "allocs")).toEqual({ now: 4000, change: 0, perSec: null });
  });

  it("leaves out what documents of the C allocator do not have", () => {
    for (const document of [readStats(statsDump()), readStats(benchFile())]) {
      const later = { ...document, timestamp_ns: document.timestamp_ns + 1_000_000_000n };
      const keys = intervalOf(document, later).readings.map(({ figure }) => figure.key);
      expect(keys).toContain("slow_cache_miss");
      expect(keys).toContain("closes");
      for (const key of ["remote_frees", "discarded", "slow_adopted", "slow_out_of_memory"]) {
        expect(keys).not.toContain(key);
      }
    }
    const keys = (raw: object) =>
      intervalOf(undefined, readStats(raw)).readings.map(({ figure }) => figure.key);
    expect(keys(statsDump())).toContain("frees");
    expect(keys(benchFile())).not.toContain("frees");
  });

  it("shows every digit of a count", () => {
    const document = { ...readStats(statsDump()), total_slow_path_hits: 9_007_199_254_740_993n };
    const [found] = intervalOf(undefined, document).readings.filter(
      ({ figure }) => figure.key === "slow_path",
    );
    expect(amountText(found?.now ?? null, "count")).toBe("9,007,199,254,740,993");
  });

  it("says nothing that is no number, whatever the documents hold", () => {
    fc.assert(
      fc.property(anyDocument, anyDocument, (one, other) => {
        const [before, after] = one.timestamp_ns <= other.timestamp_ns ? [one, other] : [other, one];
        const { readings } = intervalOf(before, after);
        for (const { now, change, perSec } of readings) {
          for (const value of [now, change, perSec]) {
            expect(value === null || typeof value === "bigint" || Number.isFinite(value)).toBe(true);
          }
        }
      }),
    );
  });
});

describe("counts", () => {
  const count = fc.oneof(fc.nat(), fc.maxSafeNat(), fc.bigInt({ min: 0n, max: 2n ** 70n }));

  it("are added exactly", () => {
    fc.assert(
      fc.property(fc.array(count), (counts) => {
        expect(BigInt(sumCounts(counts))).toBe(counts.reduce<bigint>((sum, one) => sum + BigInt(one), 0n));
        const largest = counts.reduce<bigint>((most, one) => (BigInt(one) > most ? BigInt(one) : most), 0n);
        expect(BigInt(largestCount(counts))).toBe(largest);
      }),
    );
  });

  it("keep every digit in JSON, on one line", () => {
    const value = fc.letrec((tie) => ({
      value: fc.oneof(
        { depthSize: "small" },
        fc.string({ unit: "binary" }),
        fc.boolean(),
        fc.constant(null),
        fc.bigInt({ min: 2n ** 53n, max: 2n ** 80n }),
        fc.integer(),
        fc.array(tie("value")),
        fc.dictionary(
          fc.string().filter((key) => key !== "__proto__"),
          tie("value"),
          { noNullPrototype: true },
        ),
      ),
    })).value;
    fc.assert(
      fc.property(value, (given) => {
        const line = jsonLine(given);
        expect(line).not.toContain("\n");
        expect(parseJsonExact(line)).toEqual(given);
      }),
    );
  });
});

describe("the history of a figure", () => {
  const empty = intervalOf(undefined, heapAt(1));
  const allocs = empty.readings[0] as Interval["readings"][number];
  const add = (history: History, perSec: number): void => {
    history.add({ ...empty, readings: [{ ...allocs, perSec }] });
  };

  it("has a bar per interval, and a gap where nothing was known", () => {
    const history = new History();
    add(history, 1);
    history.addGap();
    add(history, 3);
    expect(history.bars("allocs", 10, 10)).toEqual([1, null, 3]);
    expect(history.bars("allocs", 2, 2)).toEqual([null, 3]);
    expect(history.bars("nothing", 10, 10)).toEqual([null, null, null]);
  });

  it("takes means over the same intervals each time, so that bars move and do not change", () => {
    const history = new History();
    let before: readonly (number | null)[] = [];
    for (let i = 0; i < 50; i++) {
      add(history, i);
      const bars = history.bars("allocs", 10, 40);
      expect(bars.length).toBeLessThanOrEqual(10);
      // Between the one that leaves and the one that grows nothing changes.
      expect(bars).toEqual(expect.arrayContaining(before.slice(1, -1)));
      before = bars;
    }
    expect(before.at(-2)).toBe(45.5);
  });

  it("knows how many intervals its bars stand for", () => {
    const span = fc.integer({ min: 1, max: 5000 });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 80 }),
        span,
        fc.integer({ min: 0, max: 79 }),
        (width, most, over) => {
          const history = new History();
          // Each interval's value is its number, so that the oldest bar tells where it begins.
          const count = 1200 + over;
          for (let i = 0; i < count; i++) add(history, i);
          const bars = history.bars("allocs", width, most);
          const covered = history.covered(width, most);
          expect(covered).toBeLessThanOrEqual(600);
          // The newest bar may still grow.
          const each = Math.ceil(covered / width);
          expect(bars.length).toBeLessThanOrEqual(width);
          expect(bars[0] ?? 0).toBeGreaterThanOrEqual(count - covered);
          expect(bars[0] ?? 0).toBeLessThanOrEqual(count - covered + 2 * each);
        },
      ),
      { numRuns: 50 },
    );
  });

  it("forgets what is older than it keeps", () => {
    const history = new History();
    for (let i = 0; i < 1000; i++) add(history, i);
    expect(history.bars("allocs", 600, 600)).toEqual(Array.from({ length: 600 }, (_, i) => 400 + i));
  });
});
