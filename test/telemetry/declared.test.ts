/**
 * Defends: the names. Every name other people's queries use is there, with its type and labels; every number of the document
 * has a metric or says why not; no two fields share a name by accident; the files made from the declarations are current.
 * Method: the attested names written out by hand; the completion rule applied by a few lines of its own; exact lists of what
 * deviates from it.
 */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { skipReason } from "../../src/stats/document/metrics.js";
import { metricsOf, STATS_SECTIONS } from "../../src/stats/index.js";
import { metricFamilies } from "../../src/telemetry/index.js";
import { withMetricsTable } from "../../src/telemetry/reference.js";
import { VERSION } from "../../src/telemetry/version.js";

const file = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
const families = metricFamilies();
const lookup = (name: string) => families.find((family) => family.name === name);

/** Written out from the design, by type and labels. */
const ATTESTED: Readonly<Record<string, readonly string[]>> = {
  "counter ": [
    "temporal_slab_slow_path_hits_total",
    "temporal_slab_new_slab_count_total",
    "temporal_slab_slow_cache_miss_total",
    "temporal_slab_slow_epoch_closed_total",
    "temporal_slab_madvise_bytes_total",
    "temporal_slab_madvise_failures_total",
  ],
  "gauge ": ["temporal_slab_closing_epoch_count", "temporal_slab_rss_bytes"],
  "counter size_class": [
    "temporal_slab_bitmap_alloc_cas_retries_total",
    "temporal_slab_bitmap_free_cas_retries_total",
    "temporal_slab_current_partial_cas_failures_total",
    "temporal_slab_bitmap_alloc_attempts_total",
    "temporal_slab_bitmap_free_attempts_total",
    "temporal_slab_current_partial_cas_attempts_total",
    "temporal_slab_lock_fast_acquire_total",
    "temporal_slab_lock_contended_total",
    "temporal_slab_lock_acquisitions_total",
    "temporal_slab_lock_wait_time_seconds_total",
    "temporal_slab_lock_hold_time_seconds_total",
  ],
  "counter class,object_size": [
    "temporal_slab_class_slow_path_hits_total",
    "temporal_slab_class_lock_contended_total",
    "temporal_slab_class_lock_acquisitions_total",
    "temporal_slab_class_bitmap_alloc_cas_retries_total",
    "temporal_slab_class_bitmap_alloc_attempts_total",
    "temporal_slab_class_current_partial_cas_failures_total",
    "temporal_slab_class_current_partial_cas_attempts_total",
    "temporal_slab_class_empty_slab_recycled_total",
  ],
  "gauge class,object_size": ["temporal_slab_class_cache_size", "temporal_slab_class_cache_overflow_len"],
  "counter class,object_size,label": [
    "temporal_slab_class_lock_fast_acquire_by_label_total",
    "temporal_slab_class_lock_contended_by_label_total",
    "temporal_slab_class_bitmap_alloc_cas_retries_by_label_total",
    "temporal_slab_class_bitmap_free_cas_retries_by_label_total",
  ],
  "gauge epoch,state,label": [
    "temporal_slab_epoch_age_seconds",
    "temporal_slab_epoch_refcount",
    "temporal_slab_epoch_rss_bytes",
    "temporal_slab_epoch_estimated_rss_bytes",
    "temporal_slab_epoch_reclaimable_slabs",
    "temporal_slab_epoch_reclaimable_bytes",
    "temporal_slab_epoch_state",
    "temporal_slab_epoch_rss_before_close",
    "temporal_slab_epoch_rss_after_close",
    "temporal_slab_epoch_madvise_bytes",
  ],
  "gauge epoch,era,state,label": ["temporal_slab_epoch_info"],
};

describe("names other people's queries use", () => {
  test("are 44", () => {
    expect(Object.values(ATTESTED).flat()).toHaveLength(44);
  });

  for (const [what, names] of Object.entries(ATTESTED)) {
    test.each(names)(`%s: ${what}`, (name) => {
      const family = lookup(name);
      expect(`${family?.type} ${family?.labels.join()}`).toBe(what);
    });
  }
});

test.each([
  ["gauge ", "build_info", "version,schema_version,stats_version,source"],
  ...["heap_capacity_bytes", "heap_committed_bytes", "heap_live_bytes", "live_objects"].map((n) => [
    "gauge ",
    n,
    "",
  ]),
  ...["attached_workers", "leak_candidates", "health_status"].map((n) => ["gauge ", n, ""]),
  ["counter ", "alloc_failures_total", "reason"],
  ["counter ", "invalid_frees_total", "reason"],
  ["counter ", "alloc_samples_total", ""],
  ...["alloc_duration_seconds", "epoch_close_duration_seconds", "epoch_lifetime_seconds"].map((n) => [
    "histogram ",
    n,
    "",
  ]),
] as [string, string, string][])("of this package: %s%s", (type, name, labels) => {
  const family = lookup(`temporal_slab_${name}`);
  expect([family?.type, family?.labels.join()]).toEqual([type.trim(), labels]);
});

describe("the completion rule", () => {
  const BEGINNING: Readonly<Record<string, string>> = {
    "": "",
    classes: "class_",
    epochs: "epoch_",
    heap: "heap_",
    large: "large_",
    workers: "worker_",
    last_epoch_close_context: "last_epoch_close_",
  };
  /** By hand: every field of a number whose metric is not what the rule says. */
  const DEVIATING: Readonly<Record<string, string>> = {
    timestamp_ns: "snapshot_timestamp_seconds",
    page_size: "page_size_bytes",
    epoch_count: "epoch_slots",
    rss_bytes_current: "rss_bytes",
    "classes.epoch_close_total_ns": "class_epoch_close_seconds_total",
    "classes.bitmap_free_cas_retries": "bitmap_free_cas_retries_total",
    "classes.bitmap_free_attempts": "bitmap_free_attempts_total",
    "classes.lock_fast_acquire": "lock_fast_acquire_total",
    "classes.recycle_rate_pct": "class_recycle_ratio",
    "classes.empty_slabs_count": "class_empty_slabs",
    "classes.total_partial_slabs": "class_partial_slabs",
    "classes.total_full_slabs": "class_full_slabs",
    "epochs.total_partial_slabs": "epoch_partial_slabs",
    "epochs.total_full_slabs": "epoch_full_slabs",
    "epochs.total_reclaimable_slabs": "epoch_reclaimable_slabs",
    "epochs.cooperation_pct": "epoch_cooperation_ratio",
    "epochs.closed_timestamp_ns": "epoch_closed_timestamp_seconds",
    "epochs.oldest_age_sec": "epoch_age_seconds",
    "heap.created_timestamp_ns": "heap_created_timestamp_seconds",
    "heap.live_objects": "live_objects",
    "heap.slab_count": "heap_slabs",
    "heap.max_workers": "max_workers",
    "heap.attached_workers": "attached_workers",
    "heap.alloc_failures_out_of_memory": "alloc_failures_total",
    "heap.alloc_failures_epoch_closed": "alloc_failures_total",
    "heap.invalid_frees_null": "invalid_frees_total",
    "heap.invalid_frees_stale": "invalid_frees_total",
    "last_epoch_close_context.timestamp_ns": "last_epoch_close_timestamp_seconds",
  };
  const numbers = STATS_SECTIONS.filter(({ key }) => key !== "latency").flatMap((section) =>
    section.fields
      .filter(({ type }) => type !== "object" && type !== "string")
      .map((field) => ({ section, field, key: [section.key, field.name].filter((s) => s !== "").join(".") })),
  );

  test.each(numbers)("$key has its metric, or says why not", ({ section, field, key }) => {
    const metrics = metricsOf(section, field);
    const reason = skipReason(section, field);
    if (metrics.length === 0) {
      expect(reason?.length).toBeGreaterThan(4);
      return;
    }
    expect(reason).toBeUndefined();
    const stem = section.key === "" ? field.name.replace(/^total_/, "") : field.name;
    const rule = `${BEGINNING[section.key]}${stem}${field.kind === "counter" ? "_total" : ""}`;
    expect(metrics[0]?.name).toBe(DEVIATING[key] ?? rule);
    for (const { name, type, labels, fixed } of metrics) {
      const family = lookup(`temporal_slab_${name}`);
      expect(family).toMatchObject({ type, labels: [...labels, ...Object.keys(fixed)] });
      expect(family?.from).toContain(field.name);
    }
  });

  test("counters of the whole and of the design's own list are not skipped", () => {
    const skipped = numbers
      .filter(({ section, field }) => field.kind === "counter" && metricsOf(section, field).length === 0)
      .map(({ key }) => key);
    expect(skipped).toEqual([
      "total_bitmap_alloc_cas_retries",
      "total_bitmap_free_cas_retries",
      "total_current_partial_cas_failures",
      "total_bitmap_alloc_attempts",
      "total_bitmap_free_attempts",
      "total_current_partial_cas_attempts",
      "classes.local_free_count",
      "classes.remote_free_collected",
      "classes.adopted_live_objects",
      "classes.orphaned_live_objects",
    ]);
  });
});

test("every family is named once, and well", () => {
  const names = families.map((family) => family.name);
  expect(new Set(names).size).toBe(names.length);
  for (const { name, type, help, labels, unit, from } of families) {
    expect(name).toMatch(/^temporal_slab_[a-z][a-z0-9_]*$/);
    expect(name.endsWith("_total")).toBe(type === "counter");
    expect(help).toMatch(/\S/);
    expect(help).not.toContain("\n");
    expect(from).toMatch(/\S/);
    expect(new Set(labels).size).toBe(labels.length);
    if (name.includes("_seconds")) expect(unit).toBe("seconds");
    if (name.endsWith("_ratio")) expect(unit).toBe("ratio");
  }
  // A gauge that ends like a part of a histogram: these two are attested, there shall be no other.
  const odd = families.filter(({ name, type }) => type !== "counter" && /_(count|sum|bucket)$/.test(name));
  expect(odd.map(({ name }) => name)).toEqual([
    "temporal_slab_active_epoch_count",
    "temporal_slab_closing_epoch_count",
  ]);
});

test("other prefixes, none included; no wrong ones", () => {
  expect(metricFamilies({ prefix: "" }).map(({ name }) => name)).toEqual(
    families.map(({ name }) => name.slice("temporal_slab_".length)),
  );
  expect(metricFamilies({ prefix: "a:b_" })[0]?.name).toBe("a:b_build_info");
  expect(() => metricFamilies({ prefix: "1" })).toThrow(/option "prefix" must begin with a letter.*got "1"/);
  expect(() => metricFamilies({ prefix: 5 as never })).toThrow(/"prefix" must be a string; got/);
  expect(() => metricFamilies({ era: true } as never)).toThrow(/unknown option "era"/);
});

describe("made from the declarations", () => {
  test("docs/metrics.md (else: npm run generate)", () => {
    expect(withMetricsTable(file("docs/metrics.md"))).toBe(file("docs/metrics.md"));
    expect(() => withMetricsTable("no place")).toThrow(/lacks/);
  });

  test("the version", () => {
    expect(VERSION).toBe((JSON.parse(file("package.json")) as { version: string }).version);
  });
});
