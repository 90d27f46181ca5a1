/**
 * Defends: `top` ranks exactly: by any amount of a size class, by any counter per second, by the four amounts of an epoch;
 * of equal ones the lowest id first, in either direction; older eras of a ring slot apart.
 * Method: properties over any documents, against a plain sort; documents of the C allocator in both shapes.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UsageError } from "../../../src/cli/args.js";
import { EPOCH_METRICS, epochRows } from "../../../src/cli/top/epochs.js";
import {
  CLASS_CHOICES,
  classMetric,
  epochMetric,
  RATE_CHOICES,
  ranked,
} from "../../../src/cli/top/metrics.js";
import { rankClasses, rankEpochs, spanOf } from "../../../src/cli/top/ranking.js";
import { type Field, readStats, STATS_SECTIONS } from "../../../src/stats/index.js";
import { anyDocument, documentWith, epochRow, eraRow, SLAB } from "../../stats/diagnostics/builder.js";
import { benchFile, statsDump } from "../../stats/document/fixtures.js";
import { heapAt } from "../watch/service.js";

const FIELDS: readonly Field[] = STATS_SECTIONS.find(({ key }) => key === "classes")?.fields ?? [];
const amounts = FIELDS.filter(({ kind }) => kind !== "info");
const counters = FIELDS.filter(({ kind }) => kind === "counter");
const classesBy = (name: string, n = 1000, ascending = false) =>
  ({ kind: "classes", by: classMetric(name), n, ascending }) as const;

describe("order", () => {
  const row = fc.record({
    id: fc.nat(5),
    value: fc.option(fc.oneof(fc.nat(3), fc.bigInt({ min: 0n, max: 3n }))),
  });

  it("is by value, then by id, unknown ones last; whatever the direction", () => {
    fc.assert(
      fc.property(fc.array(row), fc.boolean(), (rows, ascending) => {
        const sign = ascending ? 1 : -1;
        const wanted = [...rows].sort((a, b) => {
          if (a.value === null || b.value === null)
            return Number(a.value === null) - Number(b.value === null) || a.id - b.id;
          return sign * (Number(a.value) - Number(b.value)) || a.id - b.id;
        });
        const found = ranked(
          rows,
          ({ value }) => value,
          (a, b) => a.id - b.id,
          ascending,
        );
        expect(found).toEqual(wanted);
      }),
    );
  });

  it("compares counts beyond 2^53 exactly", () => {
    const big = 2n ** 60n;
    const found = ranked(
      [{ v: big }, { v: big + 1n }, { v: 5 }],
      ({ v }) => v,
      () => 0,
      false,
    );
    expect(found.map(({ v }) => v)).toEqual([big + 1n, big, 5]);
  });
});

describe("metrics of classes", () => {
  it("are every amount of classes[], and every counter per second", () => {
    for (const { name } of amounts)
      expect(classMetric(name)).toMatchObject({ perSec: false, field: { name } });
    for (const { name } of counters) expect(classMetric(`${name}_rate`).field.name).toBe(name);
    for (const name of [...CLASS_CHOICES, ...RATE_CHOICES]) expect(classMetric(name).name).toBe(name);
  });

  it.each([
    ["slow_path_rate", "slow_path_hits", true],
    ["slow-path-rate", "slow_path_hits", true],
    ["new_slab_rate", "new_slab_count", true],
    ["madvise_rate", "madvise_calls", true],
    ["madvise_bytes_rate", "madvise_bytes", true],
    ["remote_free_rate", "remote_free_count", true],
    // Fields that are called so.
    ["lock_contention_rate", "lock_contention_rate", false],
    ["current_partial_cas_failure_rate", "current_partial_cas_failure_rate", false],
  ])("%s is of %s", (name, field, perSec) => {
    expect(classMetric(name)).toMatchObject({ perSec, field: { name: field } });
  });

  it("names what is wrong and what is near", () => {
    expect(() => classMetric("slow_path_hit")).toThrow(
      /"slow_path_hit" is no metric of classes; did you mean slow_path_hits\?$/,
    );
    expect(() => classMetric("bogus\u001b")).toThrow(
      /"bogus\\u\{1b\}" is no metric of classes; known: slow_path_hits, new_slab_count/,
    );
    expect(() => classMetric("age_sec")).toThrow("add --epochs");
    expect(() => epochMetric("net_slabs")).toThrow("use --classes");
    expect(() => epochMetric("age")).toThrow("known: rss_bytes, age_sec, refcount, reclaimable_bytes");
    expect(() => epochMetric("__proto__")).toThrow(UsageError);
    expect(() => classMetric("object_size")).toThrow(UsageError);
  });
});

describe("ranked classes", () => {
  it("show the field they are ranked by, for any document", () => {
    const field = fc.constantFrom(...amounts);
    fc.assert(
      fc.property(anyDocument, field, fc.nat(5), fc.boolean(), (document, { name }, n, ascending) => {
        const found = rankClasses(document, classesBy(name, n, ascending), undefined);
        expect(found).toHaveLength(Math.min(n, document.classes.length));
        for (const { row, value } of found)
          expect(value).toBe((row as unknown as Record<string, unknown>)[name]);
      }),
    );
  });

  it("by rate are those of the span", () => {
    const span = spanOf(heapAt(10), heapAt(20));
    const found = rankClasses(heapAt(20), classesBy("slow_path_rate"), span);
    // In total both classes are equal; all of the last ten seconds was the second one.
    expect(found.map(({ row, value }) => [row.class_index, value])).toEqual([
      [1, 50],
      [0, 0],
    ]);
    const total = rankClasses(heapAt(20), classesBy("slow_path_hits"), span);
    expect(total.map(({ row }) => row.class_index)).toEqual([0, 1]);
  });

  it("have no rates over a restart, or without time in between", () => {
    expect(spanOf(heapAt(1, "another"), heapAt(2))).toBeUndefined();
    expect(spanOf(heapAt(2), heapAt(2))).toBeUndefined();
    const found = rankClasses(heapAt(2), classesBy("slow_path_rate"), undefined);
    expect(found.map(({ row, value }) => [row.class_index, value])).toEqual([
      [0, null],
      [1, null],
    ]);
  });
});

describe("epochs", () => {
  const by = (metric: (typeof EPOCH_METRICS)[number], ascending = false) =>
    ({ kind: "epochs", by: metric, n: 100, ascending }) as const;

  it("that were never opened are none", () => {
    expect(
      epochRows(documentWith({ epochs: [epochRow({ epoch_id: 4 })] })).map((row) => row.epoch_id),
    ).toEqual([4]);
    // Before the first wrap; the document calls the other twelve ACTIVE.
    expect(epochRows(readStats(benchFile())).map((row) => row.epoch_id)).toEqual([0, 1, 2, 3]);
    expect(epochRows(readStats(statsDump()))).toHaveLength(16);
  });

  it("of older eras stand apart, with the age and label of their own, or an age they must have", () => {
    const document = documentWith({
      epochs: [
        epochRow({
          epoch_id: 3,
          epoch_era: 35,
          age_sec: 2,
          label: "new",
          state: "ACTIVE",
          refcount: 1,
          oldest_era: 3,
          oldest_age_sec: 900,
          eras: [
            eraRow({ epoch_era: 35, total_partial_slabs: 1, live_objects: 7 }),
            eraRow({
              epoch_era: 19,
              total_full_slabs: 2,
              class_index: 0,
              label: "old",
              age_sec: 60,
              live_objects: 5,
            }),
            eraRow({
              epoch_era: 19,
              total_full_slabs: 1,
              class_index: 1,
              label: "old",
              age_sec: 60,
              total_reclaimable_slabs: 1,
            }),
            eraRow({ epoch_era: 3, total_partial_slabs: 1 }),
          ],
        }),
      ],
    });
    const old = { epoch_id: 3, state: "CLOSING", refcount: 0 };
    expect(epochRows(document)).toEqual([
      expect.objectContaining({
        epoch_id: 3,
        epoch_era: 35,
        state: "ACTIVE",
        refcount: 1,
        label: "new",
        rss_bytes: SLAB,
        live_objects: 7,
      }),
      {
        ...old,
        epoch_era: 19,
        age_sec: 60,
        label: "old",
        rss_bytes: 3 * SLAB,
        reclaimable_bytes: SLAB,
        live_objects: 5,
      },
      {
        ...old,
        epoch_era: 3,
        age_sec: 900,
        label: "",
        rss_bytes: SLAB,
        reclaimable_bytes: 0,
        live_objects: 0,
      },
    ]);
    expect(rankEpochs(document, by("age_sec")).map(({ row }) => row.epoch_era)).toEqual([3, 19, 35]);
  });

  it("of the C allocator are ranked without its faults", () => {
    // 4294967262 reclaimable slabs are none.
    const [first] = rankEpochs(readStats(statsDump()), by("reclaimable_bytes"));
    expect(first).toMatchObject({ value: 0, row: { epoch_id: 0 } });
    const [leaky] = rankEpochs(readStats(benchFile()), by("rss_bytes"));
    expect(leaky).toMatchObject({
      value: 2 * 20480,
      row: { epoch_id: 1, label: "leaky", reclaimable_bytes: 4 * 4096 },
    });
  });

  it("are ranked by what they show, in either direction, for any document", () => {
    fc.assert(
      fc.property(
        anyDocument,
        fc.constantFrom(...EPOCH_METRICS),
        fc.boolean(),
        (document, metric, ascending) => {
          const found = rankEpochs(document, by(metric, ascending));
          expect(found).toHaveLength(epochRows(document).length);
          for (const [i, { row, value }] of found.entries()) {
            expect(value).toBe(row[metric]);
            const before = found[i - 1];
            if (before === undefined) continue;
            if (ascending) expect(before.value <= value).toBe(true);
            else expect(before.value >= value).toBe(true);
            if (before.value === value) expect(before.row.epoch_id).toBeLessThanOrEqual(row.epoch_id);
          }
        },
      ),
    );
  });
});
