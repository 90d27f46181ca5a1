/**
 * Defends: in a registry of prom-client our metrics have the names, types, labels and values of `prometheusText`; one reading of
 * the registry takes one snapshot; whatever was added can be taken out, and nothing else with it.
 * Method: the real prom-client; both outputs read back by the strict parser and compared family by family, for documents of
 * all kinds and random ones.
 */
import fc from "fast-check";
import * as promClient from "prom-client";
import { afterEach, describe, expect, test } from "vitest";
import { SlabHeap } from "../../src/index.js";
import { readStats, type StatsDocument, StatsReader } from "../../src/stats/index.js";
import {
  bridgePromClient,
  metricFamilies,
  type PrometheusOptions,
  prometheusText,
} from "../../src/telemetry/index.js";
import { documents } from "../stats/document/arbitrary.js";
import { benchFile, ourDocument, statsDump } from "../stats/document/fixtures.js";
import { parseExposition } from "./exposition.js";

const { Registry } = promClient;
const NAMES = metricFamilies().map(({ name }) => name);

afterEach(() => promClient.register.clear());

/** Families with samples, comparable: prom-client lists those without any too, and keeps its own order of labels. */
function comparable(text: string): object {
  const lines = text.split("\n").filter((line) => line !== "");
  const used = new Set(lines.filter((line) => !line.startsWith("#")).map((line) => line.split(/[ {]/)[0]));
  const named = (line: string): string => line.split(" ")[2] as string;
  const kept = lines.filter(
    (line) => !line.startsWith("#") || used.has(named(line)) || used.has(`${named(line)}_count`),
  );
  // It writes NaN as "Nan".
  const families = parseExposition(`${kept.join("\n").replaceAll(" Nan\n", " NaN\n")}\n`);
  return Object.fromEntries(
    families.map(({ name, help, type, samples }) => [
      name,
      { help, type, samples: samples.map((sample) => [sample.name, sample.labels, sample.value]) },
    ]),
  );
}

async function expectSame(document: StatsDocument, options: PrometheusOptions = {}): Promise<void> {
  const register = new Registry();
  bridgePromClient(promClient, document, { ...options, register });
  expect(comparable(await register.metrics())).toEqual(comparable(prometheusText(document, options)));
}

describe("the same as the text", () => {
  test.each([
    ["ours", ourDocument()],
    ["C, stats_dump", readStats(statsDump())],
    ["C, bench", readStats(benchFile())],
  ])("%s", async (_, document) => {
    await expectSame(document);
    await expectSame(document, { eraLabel: true, contentionByLabel: true, lockTimes: true, prefix: "x_" });
  });

  test("random documents", async () => {
    await fc.assert(
      fc.asyncProperty(documents, (document) => expectSame(document, { contentionByLabel: true })),
      { numRuns: 30 },
    );
  });
});

describe("one snapshot per reading", () => {
  test("of a live heap, and the next reading takes another", async () => {
    const heap = SlabHeap.create({ capacity: 1 << 20 });
    const reader = StatsReader.open(heap);
    let taken = 0;
    const source = {
      snapshot() {
        taken++;
        return reader.snapshot();
      },
    };
    const register = new Registry();
    bridgePromClient(promClient, source, { register });
    expect(taken).toBe(0);
    const count = async () =>
      /^temporal_slab_heap_alloc_count_total (\d+)$/m.exec(await register.metrics())?.[1];
    expect(await count()).toBe("0");
    expect(taken).toBe(1);
    for (let i = 0; i < 5; i++) heap.alloc(100);
    // Counters are set, not added up.
    expect(await count()).toBe("5");
    expect(await count()).toBe("5");
    expect(taken).toBe(3);
    await register.getMetricsAsJSON();
    expect(taken).toBe(4);
    heap.detach();
  });

  test("a series that is gone from the document is gone from the registry", async () => {
    const document = ourDocument();
    let shown = document;
    const register = new Registry();
    bridgePromClient(promClient, { snapshot: () => shown }, { register });
    expect(await register.metrics()).toContain("\ntemporal_slab_heap_capacity_bytes ");
    expect(await register.metrics()).toContain('temporal_slab_epoch_refcount{epoch="12"');
    const { heap: _, ...rest } = document;
    shown = { ...rest, epochs: [] };
    expect(await register.metrics()).not.toMatch(/^temporal_slab_(heap_capacity_bytes|epoch_refcount)/m);
  });

  test("a snapshot that fails fails the reading, and the next one is tried anew", async () => {
    let fails = true;
    let asked = 0;
    const register = new Registry();
    const source = {
      snapshot() {
        asked++;
        if (fails) throw new Error("no heap");
        return ourDocument();
      },
    };
    bridgePromClient(promClient, source, { register });
    await expect(register.metrics()).rejects.toThrow("no heap");
    expect(asked).toBe(1);
    fails = false;
    expect(await register.metrics()).toContain("temporal_slab_build_info");
  });
});

test("counts that are no double have no series, for either reader of the text", async () => {
  const register = new Registry();
  const document = readStats({ ...ourDocument(), total_madvise_bytes: 10n ** 400n });
  bridgePromClient(promClient, document, { register });
  expect(await register.metrics()).not.toMatch(/^temporal_slab_madvise_bytes_total /m);
  expect(prometheusText(document)).not.toMatch(/^temporal_slab_madvise_bytes_total /m);
});

describe("registering", () => {
  test("goes to the default registry, beside what is there, and comes out again", async () => {
    const other = new promClient.Counter({ name: "other_total", help: "Somebody else's" });
    const bridge = bridgePromClient(promClient, ourDocument());
    const names = promClient.register.getMetricsAsArray().map((metric) => metric.name);
    expect(names).toEqual(["other_total", ...NAMES]);
    bridge.unregister();
    bridge.unregister();
    expect(promClient.register.getMetricsAsArray()).toEqual([other]);
  });

  test("leaves alone what took a name after the registry was cleared", () => {
    const register = new Registry();
    const bridge = bridgePromClient(promClient, ourDocument(), { register });
    register.clear();
    const name = "temporal_slab_net_slabs";
    const theirs = new promClient.Gauge({ name, help: "Somebody else's", registers: [register] });
    bridge.unregister();
    expect(register.getSingleMetric(name)).toBe(theirs);
  });

  test("is all or nothing where a name is taken", () => {
    const register = new Registry();
    const [, , , name = ""] = NAMES;
    const theirs = new promClient.Gauge({ name, help: "Somebody else's", registers: [register] });
    expect(() => bridgePromClient(promClient, ourDocument(), { register })).toThrow(
      /already been registered/,
    );
    expect(register.getMetricsAsArray()).toEqual([theirs]);
    bridgePromClient(promClient, ourDocument(), { register, prefix: "second_" });
    expect(register.getMetricsAsArray()).toHaveLength(1 + NAMES.length);
  });

  test("names what is wrong", () => {
    const bridge = (...args: unknown[]) => bridgePromClient(...(args as Parameters<typeof bridgePromClient>));
    const document = ourDocument();
    expect(() => bridge({}, document)).toThrow(/first argument must be prom-client.*got/);
    expect(() => bridge(undefined, document)).toThrow(/must be prom-client/);
    expect(() => bridge(promClient, document, { register: {} })).toThrow(/"register" must be a Registry/);
    expect(() => bridge(promClient, document, { registry: 1 })).toThrow(/unknown option "registry"/);
  });
});
