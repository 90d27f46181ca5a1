/** `tslab export prometheus`: the metrics of one document, for a scrape, a push or node-exporter's textfile collector. */
import { InvalidValueError, prometheusText, writePrometheusTextfile } from "../../telemetry.js";
import { InputError, type ParsedOptions } from "../args.js";
import { type Command, type CommandStreams, EXIT_OK } from "../command.js";
import { printable } from "../format.js";
import {
  SOURCE_HELP,
  SOURCE_OPTIONS,
  SOURCE_POSITIONAL,
  sampleOnce,
  TOKEN_OPTIONS,
} from "../sources/index.js";
import { METRICS_OPTIONS, metricsOptions } from "./options.js";

export const exportPrometheusCommand: Command = {
  name: "export prometheus",
  summary: "Prometheus text, on stdout or into a file",
  description: [
    "Text exposition format 0.0.4. With -o the file is replaced in one step, as node-exporter's textfile collector",
    "wants it: written beside it under another name, then renamed.",
    "",
    SOURCE_HELP,
  ].join("\n"),
  options: {
    ...SOURCE_OPTIONS,
    ...TOKEN_OPTIONS,
    output: { kind: "file", value: "FILE", short: "o", help: "write the file instead of stdout" },
    ...METRICS_OPTIONS,
  },
  positionals: [SOURCE_POSITIONAL],
  examples: [
    { run: "tslab export prometheus stats.json" },
    { run: "tslab export prometheus --url http://127.0.0.1:2112 -o temporal-slab.prom" },
    { run: "tslab dump --no-text | tslab export prometheus --stdin --prefix myapp_" },
  ],
  run,
};

async function run(options: ParsedOptions, streams: CommandStreams): Promise<number> {
  const metrics = metricsOptions(options);
  const { document } = await sampleOnce(options, streams);
  const path = options.text("output");
  if (path === undefined) {
    streams.out.write(prometheusText(document, metrics));
    return EXIT_OK;
  }
  try {
    await writePrometheusTextfile(path, document, metrics);
  } catch (error) {
    const { errno, message } = error as NodeJS.ErrnoException;
    if (errno === undefined && !(error instanceof InvalidValueError)) throw error;
    throw new InputError(`--output: "${printable(path)}" cannot be written: ${printable(message)}`);
  }
  return EXIT_OK;
}
