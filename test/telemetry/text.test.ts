/**
 * Defends: whatever a document holds, hostile labels and counts beyond 2^53 included, its metrics are well-formed text that says
 * exactly what the document says, each series once.
 * Method: random documents of every field (both generators of the stats tests), read back by a strict parser that shares no
 * code with the writer, and compared with the document key by key; the C allocator's documents in both shapes likewise.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readStats, type StatsDocument } from "../../src/stats/index.js";
import {
  LabelSlots,
  metricFamilies,
  type PrometheusOptions,
  prometheusText,
} from "../../src/telemetry/index.js";
import { anyDocument } from "../stats/diagnostics/builder.js";
import { documents } from "../stats/document/arbitrary.js";
import { benchFile, ourDocument, statsDump } from "../stats/document/fixtures.js";
import { expectedSeries, firstOf, sameNumber, shownEpochs } from "./expected.js";
import { type ParsedFamily, parseExposition } from "./exposition.js";

const families = metricFamilies();

/** Labels that are bad for every place they go through. */
const hostile = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.constantFrom(
    '"',
    "\\",
    "\\n",
    "\n",
    'a"} 1\nevil{x="',
    "\u0000\r\u007f\u0085",
    "\ud800",
    "(other)",
    "",
    "🧱".repeat(50),
  ),
);

function withLabels(document: StatsDocument, labels: readonly string[]): StatsDocument {
  const epochs = document.epochs.map((epoch, i) => ({ ...epoch, label: labels[i % labels.length] ?? "" }));
  return { ...document, epochs };
}

/** Label text as it must come out: through the registry of the document, then first come, first served. */
function labelsOf(document: StatsDocument): (text: string) => string {
  const slots = new LabelSlots();
  for (const label of Object.values(document.label_registry.labels)) slots.nameOf(label);
  const names = new Map(shownEpochs(document).map(({ label }) => [label, slots.nameOf(label)]));
  return (text) => names.get(text) ?? "";
}

function check(document: StatsDocument, options: PrometheusOptions = {}): ParsedFamily[] {
  const parsed = parseExposition(prometheusText(document, options));
  const found = new Map(parsed.map((family) => [family.name, family]));
  const labelOf = labelsOf(document);
  for (const family of families) {
    const expected = expectedSeries(family, document, labelOf);
    if (expected === undefined) continue;
    const samples = found.get(family.name)?.samples ?? [];
    const actual = new Map(samples.map((sample) => [JSON.stringify(sample.labels), sample.text]));
    expect([...actual.keys()], family.name).toEqual([...expected.keys()]);
    for (const [labels, text] of expected) {
      const written = actual.get(labels) as string;
      const exact = /^\d{16,}$/.test(text) ? written === text : sameNumber(written, text);
      expect(exact, `${family.name}${labels} ${written}, the document says ${text}`).toBe(true);
    }
  }
  for (const family of parsed) expect(families.map(({ name }) => name)).toContain(family.name);
  return parsed;
}

test("random documents come back from the text, digit by digit", () => {
  fc.assert(
    fc.property(
      fc.oneof(documents, anyDocument),
      fc.array(hostile, { minLength: 1, maxLength: 20 }),
      (document, labels) => {
        check(withLabels(document, labels), { contentionByLabel: true });
      },
    ),
    { numRuns: 150 },
  );
});

describe("documents of every kind", () => {
  const kinds = {
    ours: ourDocument(),
    "C, stats_dump": readStats(statsDump()),
    "C, bench": readStats(benchFile()),
  };

  test.each(Object.entries(kinds))("%s", (kind, document) => {
    const parsed = check(document, { contentionByLabel: true, lockTimes: true });
    const names = parsed.map(({ name }) => name.replace("temporal_slab_", ""));
    const ours = [
      "heap_capacity_bytes",
      "live_objects",
      "alloc_duration_seconds",
      "worker_alloc_count_total",
    ];
    for (const name of ours) expect(names.includes(name), name).toBe(kind === "ours");
    expect(names.includes("lock_wait_time_seconds_total")).toBe(kind === "ours");
    expect(names.includes("benchmark_objects_leaked_total")).toBe(kind === "C, bench");
    expect(names.includes("class_lock_contended_by_label_total")).toBe(kind !== "C, bench");
    for (const name of [
      "epoch_rss_bytes",
      "epoch_estimated_rss_bytes",
      "lock_acquisitions_total",
      "build_info",
    ]) {
      expect(names).toContain(name);
    }
  });

  test("sums by object size", () => {
    const [row] = readStats(statsDump()).classes;
    const twice = { ...row, object_size: 64 } as StatsDocument["classes"][number];
    const document = {
      ...readStats(statsDump()),
      classes: [
        { ...twice, bitmap_alloc_attempts: 5, lock_fast_acquire: 1, lock_contended: 2 },
        {
          ...twice,
          class_index: 1,
          bitmap_alloc_attempts: 2n ** 60n + 1n,
          lock_fast_acquire: 4,
          lock_contended: 8,
        },
        { ...twice, class_index: 2, object_size: 96, bitmap_alloc_attempts: 7 },
      ],
    };
    const parsed = parseExposition(prometheusText(document));
    const texts = (name: string) =>
      parsed
        .find((family) => family.name === `temporal_slab_${name}`)
        ?.samples.map((s) => [s.labels, s.text]);
    expect(texts("bitmap_alloc_attempts_total")).toEqual([
      [{ size_class: "64" }, String(2n ** 60n + 6n)],
      [{ size_class: "96" }, "7"],
    ]);
    expect(texts("lock_acquisitions_total")?.[0]).toEqual([{ size_class: "64" }, "15"]);
    expect(texts("class_lock_acquisitions_total")?.map(([, text]) => text)).toEqual(["3", "12", "40"]);
    expect(firstOf(document.classes, "object_size")).toHaveLength(2);
  });
});

test("numbers that JSON cannot have are written as the format has them, or left out", () => {
  const document = ourDocument();
  const [first, ...others] = document.classes as [StatsDocument["classes"][number]];
  const odd = {
    ...document,
    net_slabs: NaN,
    rss_bytes_current: Infinity,
    estimated_slab_rss_bytes: -Infinity,
    total_slow_path_hits: NaN,
    total_cache_overflows: -1,
    total_madvise_bytes: 2n ** 64n,
    classes: [{ ...first, cache_size: undefined as never }, ...others],
  };
  const lines = prometheusText(odd).split("\n");
  expect(lines).toContain("temporal_slab_net_slabs NaN");
  expect(lines).toContain("temporal_slab_rss_bytes +Inf");
  expect(lines).toContain("temporal_slab_estimated_slab_rss_bytes -Inf");
  expect(lines).toContain("temporal_slab_madvise_bytes_total 18446744073709551616");
  for (const gone of ["slow_path_hits_total", "cache_overflows_total", 'class_cache_size{class="0"']) {
    expect(lines.filter((line) => line.startsWith(`temporal_slab_${gone}`))).toEqual([]);
  }
  // Every digit of a time that no number holds.
  expect(lines).toContain("temporal_slab_snapshot_timestamp_seconds 1770486521.361625486");
});

describe("wrong arguments are named, before a snapshot is taken", () => {
  const source = {
    snapshot(): StatsDocument {
      throw new Error("a snapshot was taken");
    },
  };
  test.each<[object, RegExp]>([
    [{ prefix: "9" }, /option "prefix" must begin with a letter, "_" or ":".*got "9"/],
    [{ prefix: 9 }, /"prefix" must be a string; got/],
    [{ eraLabel: 1 }, /option "eraLabel" must be true or false; got/],
    [{ contentionByLabel: "yes" }, /option "contentionByLabel" must be true or false/],
    [{ lockTimes: null }, /option "lockTimes" must be true or false/],
    [{ leakThresholdSec: -1 }, /"leakThresholdSec" must be a number from 0 to 1000000000; got -1/],
    [{ leakThresholdSec: NaN }, /"leakThresholdSec" must be a number from 0.*got NaN/],
    [{ leakThresholdSec: "1" }, /"leakThresholdSec" must be a number from 0/],
    [{ maxLabels: 1 }, /"maxLabels" must be a whole number from 2 to 1024; got 1/],
    [{ labels: {} }, /option "labels" must be LabelSlots/],
    [{ labels: new LabelSlots(), maxLabels: 5 }, /give "labels" or "maxLabels"/],
    [{ previous: {} }, /previous must be a stats document/],
    [{ eralabel: true }, /unknown option "eralabel"; known are prefix, eraLabel/],
    [null as never, /options must be an object/],
  ])("%j", (options, message) => {
    expect(() => prometheusText(source, options)).toThrow(message);
  });

  test("sources that are none", () => {
    expect(() => prometheusText("{}" as never)).toThrow(/source must be a stats document/);
    expect(() => prometheusText(source)).toThrow("a snapshot was taken");
  });
});
