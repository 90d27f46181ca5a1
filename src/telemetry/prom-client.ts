/**
 * Our metrics in a registry of prom-client, which the caller brings along: this package does not depend on it. Types are
 * those parts of prom-client 15 that are used, by structure.
 */
import { describeValue, InvalidTypeError } from "../allocator/index.js";
import { documentOf, type StatsSource } from "../stats/index.js";
import { FAMILIES } from "./families.js";
import type { FamilySource, Series } from "./family.js";
import {
  type CheckedOptions,
  checkPrometheusOptions,
  PROMETHEUS_OPTIONS,
  type PrometheusOptions,
} from "./options.js";
import { textNumber } from "./values.js";
import { View } from "./view.js";

/** What a metric of prom-client is told at its creation. */
export interface PromMetricConfig {
  name: string;
  help: string;
  labelNames: string[];
  registers: never[];
  collect(): void;
}

/** What is used of a registry. */
export interface PromRegistry {
  registerMetric(metric: never): void;
  getSingleMetric(name: string): unknown;
  removeSingleMetric(name: string): void;
}

interface PromMetric {
  reset(): void;
  remove(labels: Record<string, string>): void;
}
interface PromCounter extends PromMetric {
  inc(labels: Record<string, string>, value: number): void;
}
interface PromGauge extends PromMetric {
  set(labels: Record<string, string>, value: number): void;
}

/** `import * as promClient from "prom-client"`, or `require("prom-client")`. */
export interface PromClient {
  readonly Counter: new (config: PromMetricConfig) => PromCounter;
  readonly Gauge: new (config: PromMetricConfig) => PromGauge;
  readonly Histogram: new (config: PromMetricConfig) => object;
  readonly register: PromRegistry;
}

export interface PromBridgeOptions extends PrometheusOptions {
  /** Registry the metrics go to; prom-client's default one unless given. */
  readonly register?: PromRegistry;
}

export interface PromBridge {
  /** Takes every metric of this bridge out of the registry; a second call does nothing. */
  unregister(): void;
}

/**
 * Adds every metric of {@link metricFamilies} to a registry of prom-client 15, with the names, labels and values of
 * `prometheusText`. Nothing is read until the registry is: then one snapshot serves all of them. Values beyond 2^53 are the
 * nearest number, which is what prom-client has.
 *
 * Throws `InvalidTypeError` or `InvalidValueError` for wrong arguments, and prom-client's error where a name is taken; then
 * nothing was added.
 *
 * @example
 * ```ts
 * const bridge = bridgePromClient(promClient, StatsReader.open(heap.share()), { register });
 * console.log(await register.metrics());
 * ```
 */
export function bridgePromClient(
  promClient: PromClient,
  source: StatsSource,
  options: PromBridgeOptions = {},
): PromBridge {
  const checked = checkPrometheusOptions("bridgePromClient", options, [...PROMETHEUS_OPTIONS, "register"]);
  checkClient(promClient);
  const registry = options.register ?? promClient.register;
  checkRegistry(registry);
  const view = viewPerCollection(source, checked);
  const added = new Map<string, unknown>();
  const unregister = (): void => {
    for (const [name, metric] of added) {
      // Somebody may have cleared the registry and used the name for something else.
      if (registry.getSingleMetric(name) === metric) registry.removeSingleMetric(name);
    }
    added.clear();
  };
  try {
    for (const family of FAMILIES) {
      const metric = metricOf(promClient, family, checked, view);
      registry.registerMetric(metric as never);
      added.set(checked.prefix + family.name, metric);
    }
  } catch (error) {
    unregister();
    throw error;
  }
  return { unregister };
}

/**
 * A registry asks all of its metrics in one go, without waiting in between; the snapshot of the first one, or what it threw,
 * serves the others and is forgotten when that is over.
 */
function viewPerCollection(source: StatsSource, options: CheckedOptions): () => View {
  let taken: (() => View) | undefined;
  return () => {
    if (taken === undefined) {
      taken = once(() => new View(documentOf(source), options));
      queueMicrotask(() => {
        taken = undefined;
      });
    }
    return taken();
  };
}

/** Calls `make` now; what it returned or threw comes again with every call. */
function once<T>(make: () => T): () => T {
  try {
    const made = make();
    return () => made;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

function metricOf(
  client: PromClient,
  family: FamilySource,
  options: CheckedOptions,
  view: () => View,
): object {
  const config = {
    name: options.prefix + family.name,
    help: family.help,
    labelNames: labelNames(family, options),
    // Registered one by one afterwards: a name that is taken must not leave half of them behind.
    registers: [],
  };
  if (family.type === "histogram") return histogramOf(client, config, family, view);
  const write = (metric: PromMetric, add: (labels: Record<string, string>, value: number) => void): void => {
    metric.reset();
    // A metric without labels is 0 from then on, which nobody said.
    if (config.labelNames.length === 0) metric.remove({});
    for (const { labels, value } of family.seriesOf(view())) add({ ...labels.values }, textNumber(value));
  };
  if (family.type === "counter") {
    const counter: PromCounter = new client.Counter({
      ...config,
      collect: () => write(counter, (labels, value) => counter.inc(labels, value)),
    });
    return counter;
  }
  const gauge: PromGauge = new client.Gauge({
    ...config,
    collect: () => write(gauge, (labels, value) => gauge.set(labels, value)),
  });
  return gauge;
}

function labelNames(family: FamilySource, { eraLabel }: CheckedOptions): string[] {
  const { labels } = family;
  return eraLabel && labels[0] === "epoch" && !labels.includes("era") ? ["era", ...labels] : [...labels];
}

/** A histogram only takes single observations; ours is counted already, so it answers for itself when it is read. */
function histogramOf(
  client: PromClient,
  config: Omit<PromMetricConfig, "collect">,
  family: FamilySource,
  view: () => View,
): object {
  const histogram = new client.Histogram({ ...config, collect: () => {} });
  const value = ({ suffix, labels, value }: Series) => ({
    metricName: config.name + suffix,
    labels: { ...labels.values },
    value: textNumber(value),
  });
  const get = async () => ({
    name: config.name,
    help: config.help,
    type: "histogram",
    values: family.seriesOf(view()).map(value),
    aggregator: "sum",
  });
  return Object.assign(histogram, { get, getForPromString: get });
}

function checkClient(client: unknown): void {
  const { Counter, Gauge, Histogram }: Partial<PromClient> =
    typeof client === "object" && client !== null ? client : {};
  if ([Counter, Gauge, Histogram].every((item) => typeof item === "function")) return;
  throw new InvalidTypeError(
    `bridgePromClient: the first argument must be prom-client with its Counter, Gauge and Histogram; got ${describeValue(client)}.`,
  );
}

function checkRegistry(registry: unknown): void {
  const { registerMetric, getSingleMetric, removeSingleMetric }: Partial<PromRegistry> =
    typeof registry === "object" && registry !== null ? registry : {};
  const methods = [registerMetric, getSingleMetric, removeSingleMetric];
  if (methods.every((method) => typeof method === "function")) return;
  throw new InvalidTypeError(
    `bridgePromClient: option "register" must be a Registry of prom-client; got ${describeValue(registry)}.`,
  );
}
