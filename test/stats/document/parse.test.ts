/**
 * Defends: readStats takes text and parsed values, fills in what optional keys lack, ignores what it does not know, and
 * names key, value and what is allowed for everything else, instead of handing on documents that break later.
 * Method: each field of each declared list is removed or replaced by each wrong kind of value, in a complete document.
 */
import { describe, expect, test } from "vitest";
import { InvalidTypeError, InvalidValueError } from "../../../src/allocator/errors.js";
import { health } from "../../../src/stats/diagnostics/health.js";
import { analyzeReclamation } from "../../../src/stats/diagnostics/reclamation.js";
import type { Field } from "../../../src/stats/document/field.js";
import { LATENCY_NAMES } from "../../../src/stats/document/fields.js";
import { parseJsonExact, stringifyStats } from "../../../src/stats/document/json.js";
import { readStats } from "../../../src/stats/document/parse.js";
import { SECTIONS } from "../../../src/stats/document/sections.js";
import { prometheusText } from "../../../src/telemetry/index.js";
import { ourDocument, REAL_NS, statsDump } from "./fixtures.js";

type Row = Record<string, unknown>;
const complete = parseJsonExact(stringifyStats(ourDocument()));
const plain = (): Row => structuredClone(complete) as Row;

/** The complete document with `change` made to the first row of a section. */
function changed(key: string, change: (row: Row) => void): Row {
  const document = plain();
  const epochs = document.epochs as Row[];
  const eras = epochs.find((epoch) => (epoch.eras as Row[]).length > 0)?.eras as Row[];
  const rows: Record<string, Row> = {
    "": document,
    eras: eras[0] as Row,
    latency: (document.latency as Record<string, Row>).alloc as Row,
  };
  const found = rows[key] ?? document[key];
  change((Array.isArray(found) ? found[0] : found) as Row);
  return document;
}

const PATHS: Record<string, string> = {
  "": "",
  classes: "classes[0].",
  epochs: "epochs[0].",
  eras: "epochs[12].eras[0].",
  workers: "workers[0].",
  latency: "latency.alloc.",
};
const cases = SECTIONS.flatMap(({ key, fields }) =>
  fields
    .filter((field) => field.type !== "object" && field.name !== "schema_version")
    .map((field) => ({ key, field, path: `${PATHS[key] ?? `${key}.`}${field.name}` })),
);

/** Values of a wrong type, then of the right type but not allowed. */
function wrongFor({ type, minimum = 0, values }: Field): { types: unknown[]; values: unknown[] } {
  switch (type) {
    case "integer":
      return { types: ["7", null, true, [1], {}], values: [minimum - 1, 1.5, 2n ** 64n, Number.NaN] };
    case "count":
    case "ns":
      return { types: ["7", null, true, [1], {}], values: [-1, -1n, 1.5, Number.POSITIVE_INFINITY] };
    case "integer|null":
    case "count|null":
      return { types: ["7", true, [1], {}], values: [-1, 1.5, Number.NaN] };
    case "float":
      return { types: ["7", null, true, [1]], values: [Number.NaN, Number.POSITIVE_INFINITY] };
    case "float|null":
      return { types: ["7", true, {}], values: [Number.NaN] };
    case "boolean":
      return { types: [1, "true", null], values: [] };
    default:
      return { types: [1, null, {}], values: values === undefined ? [] : ["OPEN", ""] };
  }
}

describe.each(cases)("$path", ({ key, field, path }) => {
  const read = (value: unknown): unknown => readStats(changed(key, (row) => (row[field.name] = value)));

  test("is refused by name when it is not what it must be", () => {
    const wrong = wrongFor(field);
    for (const value of wrong.types) {
      expect(() => read(value)).toThrow(InvalidTypeError);
      expect(() => read(value)).toThrow(`stats document: ${path} is `);
    }
    for (const value of wrong.values) {
      // What wraps below zero in C reads as 0, so huge values of these are no error.
      if (typeof value === "bigint" && value > 0n && path.startsWith("epochs[0].") && isUnsigned(field))
        continue;
      expect(() => read(value)).toThrow(InvalidValueError);
      expect(() => read(value)).toThrow(`stats document: ${path} is `);
      expect(() => read(value)).toThrow("it must be ");
    }
  });

  test(field.required ? "is required" : "may be missing", () => {
    const without = changed(key, (row) => delete row[field.name]);
    if (field.required) {
      expect(() => readStats(without)).toThrow(InvalidValueError);
      expect(() => readStats(without)).toThrow(`stats document: ${path} is missing; it must be `);
    } else expect(() => readStats(without)).not.toThrow();
  });
});

const isUnsigned = ({ name }: Field): boolean =>
  ["refcount", "total_partial_slabs", "total_full_slabs", "total_reclaimable_slabs"].includes(name);

describe("readStats", () => {
  test("reads text exactly and parsed values as well as they are", () => {
    const text = stringifyStats(ourDocument());
    expect(readStats(text)).toEqual(ourDocument());
    expect(readStats(ourDocument())).toEqual(ourDocument());
    expect(readStats(JSON.parse(text)).timestamp_ns).toBe(BigInt(Number(REAL_NS)));
    expect(readStats(text).timestamp_ns).toBe(REAL_NS);
  });

  test("fills in what is missing", () => {
    const top = Object.entries(plain()).filter(
      ([key]) => SECTIONS[0]?.fields.find((f) => f.name === key)?.required,
    );
    const document = readStats({
      ...Object.fromEntries(top),
      slab_bytes: 4096,
      classes: [{ class_index: 0, object_size: 64 }],
      latency: {},
      last_epoch_close_context: null,
    });
    expect(document.epochs).toEqual([]);
    expect(document.label_registry).toEqual({ count: 0, max_labels: 0, labels: {} });
    expect(document.total_bitmap_alloc_attempts).toBe(0);
    expect(document.classes[0]).toMatchObject({ slow_path_hits: 0, lock_contention_rate: 0, live_bytes: 0 });
    expect(document.last_epoch_close_context).toBeNull();
    expect(Object.keys(document.latency as object)).toEqual(LATENCY_NAMES);
    expect(document.latency?.alloc).toEqual({
      count: 0,
      sum_ns: 0,
      cpu_count: 0,
      cpu_sum_ns: 0,
      buckets: [],
    });
    expect(Object.keys(document)).not.toContain("heap");
    expect([document.heap, document.large, document.workers, document.benchmark]).toEqual(
      Array(4).fill(undefined),
    );
  });

  test("a document from before pages were told apart: not known what is warm, its own percentage of cooperation", () => {
    const old = plain() as { heap: Row; epochs: Row[] };
    for (const name of ["warm_slabs", "warm_bytes", "resident_bytes", "prefault"]) delete old.heap[name];
    for (const row of old.epochs) {
      delete row.close_madvise_bytes;
      Object.assign(row, { madvise_bytes: 4096, cooperation_pct: 12.5 });
    }
    const document = readStats(old);
    const unknown = { warm_bytes: null, resident_bytes: null };
    expect(document.heap).toMatchObject({ warm_slabs: null, ...unknown, prefault: false });
    expect(analyzeReclamation(document)).toMatchObject(unknown);
    const families = /^temporal_slab_heap_(warm_slabs|warm_bytes|resident_bytes) /gm;
    expect(prometheusText(document), "no figure is no series").not.toMatch(families);
    const said = { ...old, heap: { ...old.heap, warm_slabs: 0, warm_bytes: 0, resident_bytes: 0 } };
    expect(prometheusText(readStats(said)).match(families), "0 is one").toHaveLength(3);
    expect(health(document).components.reclamation.metrics).toMatchObject({ warm_bytes: null });
    expect(document.epochs[3]).toMatchObject({ close_madvise_bytes: 0, cooperation_pct: 12.5 });
    expect(health(document).live).toBe(true);
  });

  test("ignores keys it does not know, as newer versions have", () => {
    const source = {
      ...plain(),
      brand_new: { a: [1] },
      classes: [{ ...(plain().classes as Row[])[0], newer: "x" }],
    };
    const document = readStats(source);
    expect(document).not.toHaveProperty("brand_new");
    expect(document.classes[0]).not.toHaveProperty("newer");
  });

  test.each([
    [{ schema_version: 2 }, "schema_version is 2; it must be 1, the version this package reads"],
    [{ schema_version: "1" }, 'schema_version is "1"; it must be 1'],
    [{ schema_version: undefined }, "schema_version is missing; it must be 1"],
    [{ epoch_count: 0 }, "epoch_count is 0; it must be a whole number from 1 to 4096"],
    [{ epoch_count: 4097 }, "epoch_count is 4097; it must be a whole number from 1 to 4096"],
    [{ classes: undefined }, "classes is missing; it must be a list"],
    [{ classes: {} }, "classes is an object; it must be a list"],
    [{ classes: [3] }, "classes[0] is 3; it must be an object"],
    [
      { epochs: [{ epoch_id: 16, state: "ACTIVE" }] },
      "epochs[0].epoch_id is 16; it must be below epoch_count, 16",
    ],
    [
      { epochs: [{ epoch_id: 1, state: "OPEN" }] },
      'epochs[0].state is "OPEN"; it must be "ACTIVE" or "CLOSING"',
    ],
    [{ workers: {} }, "workers is an object; it must be a list"],
    [{ heap: [] }, "heap is a list of 0; it must be an object"],
    [
      { benchmark_requests: "x".repeat(999) },
      `benchmark_requests is "${"x".repeat(39)}...; it must be a whole`,
    ],
    [{ label_registry: { labels: { 0: 1 } } }, "label_registry.labels.0 is 1; it must be text"],
    [{ label_registry: { count: -1 } }, "label_registry.count is -1; it must be a whole number from 0"],
    [{ latency: { alloc: { buckets: [[1, 1], 5] } } }, "latency.alloc.buckets[1] is 5; it must be a pair"],
    [
      {
        latency: {
          alloc: {
            buckets: [
              [2, 1],
              [2, 1],
            ],
          },
        },
      },
      "latency.alloc.buckets[1][0] is 2; it must be above",
    ],
    [{ latency: { alloc: { buckets: [[2, -1]] } } }, "latency.alloc.buckets[0][1] is -1; it must be"],
    [
      { classes: [{ class_index: 0, object_size: 8, contention_by_label: { a: { 1: "x" } } }] },
      'classes[0].contention_by_label.a.1 is "x"; it must be a whole number from 0',
    ],
  ])("refuses %o", (change, message) => {
    expect(() => readStats({ ...statsDump(), ...change })).toThrow(`stats document: ${message}`);
  });

  test.each([[null], [5], [[]], [undefined], ["5"], ["[]"], ["null"], ["{"]])(
    "refuses %o altogether",
    (input) => {
      expect(() => readStats(input)).toThrow(/stats document: it |malformed JSON/);
    },
  );

  test("keeps labels and names that look like language internals", () => {
    const text = '{"count":1,"max_labels":1,"labels":{"__proto__":"x","constructor":"y"}}';
    const { labels } = readStats({ ...statsDump(), label_registry: parseJsonExact(text) }).label_registry;
    expect(Object.entries(labels)).toEqual([
      ["__proto__", "x"],
      ["constructor", "y"],
    ]);
  });

  test("reads a hundred thousand rows", () => {
    const dump = statsDump();
    const row = dump.classes[2];
    const epoch = { ...dump.epochs[12], total_reclaimable_slabs: 0 };
    const many = { ...dump, classes: Array(100_000).fill(row), epochs: Array(100_000).fill(epoch) };
    const document = readStats(many);
    expect(document.net_slabs).toBe(500_000);
    expect(document.epochs).toHaveLength(100_000);
  });
});
