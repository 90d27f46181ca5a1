/** The text exposition format 0.0.4, which Prometheus, node-exporter and the Pushgateway read. */
import { documentOf, type StatsSource } from "../stats/index.js";
import { FAMILIES } from "./families.js";
import { escapeHelp } from "./labels.js";
import { checkPrometheusOptions, type PrometheusOptions } from "./options.js";
import { View } from "./view.js";

/** For the `content-type` of a response. */
export const PROMETHEUS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/**
 * All metrics of a document, or of a fresh snapshot of a reader, as Prometheus reads them; ends with a newline, has no
 * timestamps. From any thread; takes the snapshot and about as long again (`npm run bench:metrics`).
 *
 * Throws `InvalidTypeError` or `InvalidValueError` for options that are wrong, before the snapshot, and what
 * `source.snapshot()` throws.
 *
 * @example
 * ```ts
 * const reader = StatsReader.open(heap.share());
 * createServer((_, response) => {
 *   response.setHeader("content-type", PROMETHEUS_CONTENT_TYPE).end(prometheusText(reader));
 * }).listen(9464, "127.0.0.1");
 * ```
 */
export function prometheusText(source: StatsSource, options: PrometheusOptions = {}): string {
  const checked = checkPrometheusOptions("prometheusText", options);
  const view = new View(documentOf(source), checked);
  const { prefix } = checked;
  let text = "";
  for (const family of FAMILIES) {
    const found = family.seriesOf(view);
    if (found.length === 0) continue;
    const name = prefix + family.name;
    text += `# HELP ${name} ${escapeHelp(family.help)}\n# TYPE ${name} ${family.type}\n`;
    for (const { suffix, labels, value } of found) text += `${name}${suffix}${labels.text} ${value}\n`;
  }
  return text;
}
