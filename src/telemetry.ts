/**
 * `temporal-slab/telemetry`: the statistics of a heap as Prometheus metrics: text, a file for node-exporter, or in a registry
 * of prom-client. Text and registry work on every runtime, the file needs `node:fs`.
 */
export {
  HeapFormatError,
  InvalidTypeError,
  InvalidValueError,
  TemporalSlabError,
} from "./allocator/index.js";
export type { HealthThresholds, StatsDocument, StatsSource } from "./stats/index.js";
export {
  bridgePromClient,
  LabelSlots,
  type MetricFamily,
  metricFamilies,
  PROMETHEUS_CONTENT_TYPE,
  type PromBridge,
  type PromBridgeOptions,
  type PromClient,
  type PrometheusOptions,
  type PromMetricConfig,
  type PromRegistry,
  prometheusText,
  writePrometheusTextfile,
} from "./telemetry/index.js";
