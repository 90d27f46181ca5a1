/**
 * Defends: the decisions behind the series that alerts rest on: which epochs are shown and how old they are, which labels they
 * have, how many there can ever be; what is left out; what histograms count; what the judgements say.
 * Method: documents that differ in one thing each, and a live heap; single series looked up in the parsed text. The parser
 * itself is given texts that it must refuse.
 */
import { describe, expect, test } from "vitest";
import { startSampling } from "../../src/allocator/index.js";
import { SlabHeap } from "../../src/index.js";
import { type EpochStats, type StatsDocument, StatsReader } from "../../src/stats/index.js";
import { LabelSlots, type PrometheusOptions, prometheusText } from "../../src/telemetry/index.js";
import {
  cDocument,
  classRow,
  documentWith,
  epochRow,
  eraRow,
  heapRow,
  MIB,
  NOW_NS,
  SLAB,
  workerRow,
} from "../stats/diagnostics/builder.js";
import { parseExposition, type Sample } from "./exposition.js";

function samples(document: StatsDocument, name: string, options: PrometheusOptions = {}): readonly Sample[] {
  const families = parseExposition(prometheusText(document, options));
  return families.find((family) => family.name === `temporal_slab_${name}`)?.samples ?? [];
}

const shown = (document: StatsDocument, name: string, options: PrometheusOptions = {}) =>
  samples(document, name, options).map(({ labels, value }) => [labels.epoch, value]);

const holding = eraRow({ epoch_era: 28, total_full_slabs: 3, live_objects: 5 });

describe("epochs", () => {
  test("idle ones are not shown but for the current one, which has no age", () => {
    const idle = epochRow({ epoch_id: 3, age_sec: 9000 });
    const current = epochRow({ epoch_id: 2, state: "ACTIVE", age_sec: 9000 });
    const document = documentWith({ current_epoch: 2, epochs: [idle, current] });
    expect(shown(document, "epoch_age_seconds")).toEqual([["2", 0]]);
    expect(samples(document, "epoch_state")).toMatchObject([
      { labels: { epoch: "2", state: "ACTIVE", label: "(unlabeled)" }, value: 1 },
    ]);
  });

  test.each([
    ["slabs", epochRow({ eras: [holding], oldest_age_sec: 400 }), 400],
    ["references", epochRow({ refcount: 2, oldest_age_sec: 400 }), 400],
    ["slabs of older eras", epochRow({ older_slabs: 1, oldest_age_sec: 700 }), 700],
  ])("with %s are shown, as old as the oldest thing in them", (_, epoch, age) => {
    expect(shown(documentWith({ epochs: [epoch] }), "epoch_age_seconds")).toEqual([
      ["0", 0],
      ["12", age],
    ]);
  });

  test("rss_bytes counts older eras, estimated_rss_bytes does not", () => {
    const document = documentWith({
      current_epoch: 12,
      epochs: [epochRow({ eras: [holding], older_slabs: 2 })],
    });
    expect(shown(document, "epoch_rss_bytes")).toEqual([["12", 5 * SLAB]]);
    expect(shown(document, "epoch_estimated_rss_bytes")).toEqual([["12", 3 * SLAB]]);
  });

  test("madvise_bytes is left out at 0; all others have the same labels on the same epochs", () => {
    const document = documentWith({
      current_epoch: 3,
      epochs: [
        epochRow({ epoch_id: 3, refcount: 1 }),
        epochRow({ eras: [holding], madvise_bytes: 4096, label: 'a"b' }),
      ],
    });
    expect(shown(document, "epoch_madvise_bytes")).toEqual([["12", 4096]]);
    expect(shown(document, "epoch_close_madvise_bytes")).toEqual([]);
    for (const eraLabel of [false, true]) {
      const families = parseExposition(prometheusText(document, { eraLabel }));
      const epochs = families.filter(({ name }) => /_epoch_(?!close|lifetime|slots)/.test(name));
      const ofEpoch = epochs.filter(({ samples }) => samples[0]?.labels.epoch !== undefined);
      const labels = new Set(
        ofEpoch
          .filter(
            ({ name }) =>
              !/madvise|rss_(before|after)|closed_timestamp|oldest_era|cooperation|info$/.test(name),
          )
          .map(({ samples }) => JSON.stringify(samples.map((sample) => sample.labels))),
      );
      expect(ofEpoch.length).toBeGreaterThan(15);
      expect(labels.size).toBe(1);
      expect([...labels][0]).toContain(
        eraLabel ? '"era":"28"' : '{"epoch":"12","state":"CLOSING","label":"a',
      );
    }
    expect(samples(document, "epoch_info")[1]?.labels).toEqual({
      epoch: "12",
      era: "28",
      state: "CLOSING",
      label: 'a"b',
    });
  });
});

describe("cooperation of the kernel", () => {
  const closed = (values: Partial<EpochStats>): StatsDocument =>
    documentWith({ current_epoch: 3, epochs: [epochRow({ eras: [holding], ...values })] });
  /** (before - after) / released, as Prometheus has it: only where all three have a series. */
  function quotient(document: StatsDocument): number | undefined {
    const [before, after, released] = [
      "epoch_rss_before_close",
      "epoch_rss_after_close",
      "epoch_close_madvise_bytes",
    ].map((name) => shown(document, name)[0]?.[1] as number | undefined);
    if (before === undefined || after === undefined || released === undefined) return undefined;
    return (before - after) / released;
  }

  test("is the quotient of three series", () => {
    const facts = { rss_before_close: 9000, rss_after_close: 6000, close_madvise_bytes: 4000 };
    expect(quotient(closed(facts))).toBe(0.75);
    // What else was released of the epoch is no part of it.
    expect(quotient(closed({ ...facts, madvise_bytes: 999_999 }))).toBe(0.75);
  });

  test.each<[string, Partial<EpochStats>]>([
    ["nothing was released", { rss_before_close: 9000, rss_after_close: 6000 }],
    ["memory was not measured", { close_madvise_bytes: 4000 }],
    ["memory was measured before only", { close_madvise_bytes: 4000, rss_before_close: 9000 }],
  ])("is nothing, rather than 0 or infinite, where %s", (_name, facts) => {
    expect(quotient(closed(facts))).toBeUndefined();
  });

  test("of the last close, likewise", () => {
    const context = {
      timestamp_ns: 5n,
      rss_before_bytes: 0,
      rss_after_bytes: 0,
      rss_delta_bytes: 0,
      madvise_bytes: 0,
      epoch_id: 1,
      epoch_era: 17,
    };
    const names = ["rss_before_bytes", "rss_after_bytes", "madvise_bytes"].map(
      (n) => `last_epoch_close_${n}`,
    );
    const series = (values: object) => {
      const document = documentWith({ last_epoch_close_context: { ...context, ...values } });
      return names.map((name) => samples(document, name).map(({ value }) => value));
    };
    expect(series({})).toEqual([[], [], []]);
    expect(series({ rss_before_bytes: 3, rss_after_bytes: 2, madvise_bytes: 1 })).toEqual([[3], [2], [1]]);
  });
});

describe("labels", () => {
  const many = (count: number, from = 0): StatsDocument =>
    documentWith({
      epochs: Array.from({ length: Math.min(16, count) }, (_, i) =>
        epochRow({ epoch_id: i, refcount: 1, label: `label ${from + i}` }),
      ),
    });
  const labelsOf = (document: StatsDocument, options: PrometheusOptions = {}): Set<string | undefined> =>
    new Set(samples(document, "epoch_state", options).map(({ labels }) => labels.label));

  test("14 texts and (other)", () => {
    const labels = labelsOf(many(16));
    expect(labels.size).toBe(15);
    expect(labels).toContain("label 13");
    expect(labels).toContain("(other)");
    expect(labelsOf(many(16), { maxLabels: 2 })).toEqual(new Set(["(other)"]));
  });

  test("those of the registry come first", () => {
    const registered = Object.fromEntries(Array.from({ length: 14 }, (_, i) => [i + 1, `other ${i}`]));
    const document = {
      ...many(16),
      label_registry: { count: 15, max_labels: 16, labels: { "0": "(unlabeled)", ...registered } },
    };
    expect(labelsOf(document)).toEqual(new Set(["(other)"]));
    expect(samples(document, "label_registry_labels")[0]?.value).toBe(15);
  });

  test("slots kept from scrape to scrape bound all of them together", () => {
    const labels = new LabelSlots(4);
    const all = new Set<string | undefined>();
    for (let scrape = 0; scrape < 50; scrape++) {
      for (const label of labelsOf(many(16, scrape * 16), { labels })) all.add(label);
    }
    expect([...all]).toEqual(["label 0", "label 1", "(other)"]);
  });

  test("long ones are cut, between characters", () => {
    const document = documentWith({ epochs: [epochRow({ refcount: 1, label: `a${"🧱".repeat(1000)}` })] });
    expect(samples(document, "epoch_state")[1]?.labels.label).toBe(`a${"🧱".repeat(31)}`);
  });

  test("keep their newlines, quotes and backslashes; other control characters and half characters do not pass", () => {
    const document = documentWith({ epochs: [epochRow({ refcount: 1, label: '\n"\\n\r\0\ud800\u0085é' })] });
    expect(samples(document, "epoch_state")[1]?.labels.label).toBe('\n"\\n\ufffd\ufffd\ufffd\ufffdé');
    expect(prometheusText(document)).toContain('label="\\n\\"\\\\n');
  });

  test("label numbers without a name add up as (other)", () => {
    const counts = { lock_contended: { "1": 5, "8": 2n ** 60n, "9": 3, "0": 1 } };
    const document = {
      ...cDocument({ classes: [classRow({ ...({ contention_by_label: counts } as object) })] }),
      label_registry: { count: 2, max_labels: 16, labels: { "0": "(unlabeled)", "1": "a\\b" } },
    };
    const name = "class_lock_contended_by_label_total";
    expect(samples(document, name)).toEqual([]);
    const found = samples(document, name, { contentionByLabel: true });
    expect(Object.fromEntries(found.map(({ labels, text }) => [labels.label, text]))).toEqual({
      "(unlabeled)": "1",
      "a\\b": "5",
      "(other)": String(2n ** 60n + 3n),
    });
  });
});

describe("size classes", () => {
  const classes = (count: number): StatsDocument["classes"] =>
    Array.from({ length: count }, (_, i) =>
      classRow({ class_index: i, object_size: 16 * (i + 1), bitmap_alloc_attempts: i === 3 ? 7 : 0 }),
    );

  test("few: all of them, zeros too", () => {
    const document = documentWith({ classes: classes(16) });
    expect(samples(document, "class_cache_size")).toHaveLength(16);
    expect(samples(document, "class_madvise_failures_total")).toHaveLength(16);
    expect(samples(document, "bitmap_alloc_attempts_total")).toHaveLength(16);
  });

  test("many: those that were used, without zeros of rare events", () => {
    const document = documentWith({ classes: classes(40) });
    expect(samples(document, "class_cache_size").map(({ labels }) => labels.class)).toEqual(["3"]);
    expect(samples(document, "lock_contended_total").map(({ labels }) => labels.size_class)).toEqual(["64"]);
    expect(samples(document, "class_madvise_failures_total")).toEqual([]);
    // The alerts' own: never left out.
    expect(samples(document, "madvise_failures_total")).toHaveLength(1);
    expect(samples(document, "slow_epoch_closed_total")).toHaveLength(1);
  });
});

test("lock times are 0 on request, for heaps that have no locks", () => {
  const document = documentWith({ classes: [classRow({ object_size: 64 })] });
  for (const name of ["lock_wait_time_seconds_total", "lock_hold_time_seconds_total"]) {
    expect(samples(document, name)).toEqual([]);
    expect(samples(document, name, { lockTimes: true })).toMatchObject([
      { labels: { size_class: "64" }, text: "0" },
    ]);
    expect(samples(cDocument(), name, { lockTimes: true })).toEqual([]);
  }
});

describe("judgements", () => {
  const leak = epochRow({
    age_sec: 100,
    refcount: 1,
    eras: [eraRow({ epoch_era: 28, total_full_slabs: 1, live_objects: 1 })],
  });
  const one = (document: StatsDocument, name: string, options?: PrometheusOptions): number | undefined =>
    samples(document, name, options)[0]?.value;

  test("leaks by threshold", () => {
    const document = documentWith({ epochs: [leak] });
    expect(one(document, "leak_candidates")).toBe(1);
    expect(one(document, "leak_candidates", { leakThresholdSec: 101 })).toBe(0);
  });

  test("health: 0, 1, 2; since an earlier document where there is one", () => {
    expect(one(documentWith(), "health_status")).toBe(0);
    expect(one(documentWith({ epochs: [leak] }), "health_status")).toBe(1);
    const thresholds = { leakThresholdSec: 1000 };
    expect(one(documentWith({ epochs: [leak] }), "health_status", { thresholds })).toBe(0);
    const failing = documentWith({ heap: heapRow({ alloc_failures_out_of_memory: 500 }) });
    expect(one(failing, "health_status")).toBe(1);
    expect(one(documentWith({ heap: heapRow({ committed_bytes: 64 * MIB }) }), "health_status")).toBe(2);
    const previous = { ...failing, timestamp_ns: NOW_NS - 10n ** 9n };
    expect(one(failing, "health_status", { previous })).toBe(0);
    expect(() => one(failing, "health_status", { thresholds: { seatsWarnPct: -1 } })).toThrow(/seatsWarnPct/);
  });

  test("refusals by reason", () => {
    const heap = heapRow({ alloc_failures_out_of_memory: 5, invalid_frees_stale: 2n ** 63n });
    const document = documentWith({ heap, workers: [workerRow({ seat: 7, owned_slabs: 3 })] });
    const reasons = (name: string) =>
      samples(document, name).map(({ labels, text }) => [labels.reason, text]);
    expect(reasons("alloc_failures_total")).toEqual([
      ["out-of-memory", "5"],
      ["epoch-closed", "0"],
    ]);
    expect(reasons("invalid_frees_total")).toEqual([
      ["null", "0"],
      ["stale", String(2n ** 63n)],
    ]);
    expect(samples(document, "worker_owned_slabs")).toMatchObject([{ labels: { seat: "7" }, value: 3 }]);
  });
});

describe("histograms", () => {
  test("count what is up to their bounds, bounds included", () => {
    const blank = documentWith();
    const alloc = {
      count: 10,
      sum_ns: 2n ** 60n,
      cpu_count: 2,
      cpu_sum_ns: 1500,
      buckets: [
        [0, 1],
        [31, 1],
        [32, 2],
        [1024, 3],
        [2 ** 40, 3],
      ] as const,
    };
    const latency = { ...blank.latency, alloc } as NonNullable<StatsDocument["latency"]>;
    const document = { ...blank, latency };
    const found = samples(document, "alloc_duration_seconds");
    const upTo = (seconds: number) =>
      found.filter(({ labels }) => Number(labels.le) <= seconds).at(-1)?.value;
    expect(upTo(31e-9)).toBe(2);
    expect(upTo(47e-9)).toBe(4);
    expect(upTo(1023e-9)).toBe(4);
    expect(upTo(1535e-9)).toBe(7);
    expect(upTo(1)).toBe(7);
    expect(found.slice(-3).map(({ text }) => text)).toEqual(["10", "1152921504.606846976", "10"]);
    expect(samples(document, "alloc_samples_total")[0]?.value).toBe(10);
    expect(samples(document, "sampled_cpu_seconds_total")).toMatchObject([
      { labels: { operation: "alloc" }, value: 1.5e-6 },
    ]);
  });

  test("of a live heap agree with its document", () => {
    const heap = SlabHeap.create({ capacity: 1 << 20 });
    const sampling = startSampling(heap);
    for (let i = 0; i < 20_000; i++) heap.free(heap.alloc(64));
    for (let i = 0; i < 5; i++) {
      const previous = heap.advanceEpoch();
      heap.closeEpoch(previous);
    }
    sampling.stop();
    const document = StatsReader.open(heap).snapshot();
    expect(Number(document.latency.alloc.count)).toBeGreaterThan(0);
    for (const [operation, name] of [
      ["alloc", "alloc_duration_seconds"],
      ["epoch_close", "epoch_close_duration_seconds"],
      ["epoch_lifetime", "epoch_lifetime_seconds"],
    ] as const) {
      const found = samples(document, name);
      expect(found.at(-1)?.value).toBe(Number(document.latency[operation].count));
      expect(found.at(-2)?.value).toBeCloseTo(Number(document.latency[operation].sum_ns) / 1e9, 12);
    }
    heap.detach();
  });
});

test.each([
  ["no final newline", "# HELP a b\n# TYPE a gauge\na 1"],
  ["no TYPE", "# HELP a b\na 1\n"],
  ["a family in two places", '# HELP a b\n# TYPE a gauge\na 1\n# HELP a b\n# TYPE a gauge\na{x="1"} 1\n'],
  ["a sample of another family", "# HELP a b\n# TYPE a gauge\nb 1\n"],
  ["a series twice", '# HELP a b\n# TYPE a gauge\na{x="1",y="2"} 1\na{y="2",x="1"} 1\n'],
  ["a timestamp", "# HELP a b\n# TYPE a gauge\na 1 1700000000000\n"],
  ["a quote in a label", '# HELP a b\n# TYPE a gauge\na{x="""} 1\n'],
  ["a backslash in a label", '# HELP a b\n# TYPE a gauge\na{x="\\q"} 1\n'],
  ["a control character", '# HELP a b\n# TYPE a gauge\na{x="\r"} 1\n'],
  ["half a character", '# HELP a b\n# TYPE a gauge\na{x="\ud800"} 1\n'],
  ["no number", "# HELP a b\n# TYPE a gauge\na Infinity\n"],
  ["a negative counter", "# HELP a b\n# TYPE a counter\na -1\n"],
  ["a histogram without its end", '# HELP a b\n# TYPE a histogram\na_bucket{le="1"} 1\na_sum 1\na_count 1\n'],
])("the parser refuses %s", (_, text) => {
  expect(() => parseExposition(text)).toThrow();
});
