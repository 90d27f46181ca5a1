/** Front door of the telemetry layer. */
export { metricFamilies } from "./families.js";
export type { MetricFamily } from "./family.js";
export { LabelSlots } from "./labels.js";
export type { PrometheusOptions } from "./options.js";
export {
  bridgePromClient,
  type PromBridge,
  type PromBridgeOptions,
  type PromClient,
  type PromMetricConfig,
  type PromRegistry,
} from "./prom-client.js";
export { PROMETHEUS_CONTENT_TYPE, prometheusText } from "./text.js";
export { writePrometheusTextfile } from "./textfile.js";
