/** How metrics are written: options of `export prometheus`, and of `serve`, whose /metrics says the same. */
import { badValue, type OptionTable, type ParsedOptions } from "../args.js";

export const METRICS_OPTIONS: OptionTable = {
  prefix: { kind: "text", value: "TEXT", help: "begin of every metric's name (default temporal_slab_)" },
  "era-label": { kind: "flag", help: "label every epoch series with its era: one more series per close" },
  "contention-by-label": {
    kind: "flag",
    help: "contention counters by label too, where the document has them",
  },
};

/** What the options say, as the telemetry functions want it. Throws `UsageError`. */
export function metricsOptions(options: ParsedOptions) {
  const prefix = options.text("prefix");
  if (prefix !== undefined && !/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(prefix)) {
    throw badValue("--prefix", prefix, 'letters, digits, "_" and ":", no digit in front, such as myapp_');
  }
  return {
    ...(prefix !== undefined && { prefix }),
    ...(options.has("era-label") && { eraLabel: true }),
    ...(options.has("contention-by-label") && { contentionByLabel: true }),
  };
}
