/** `tslab dump`: the twin of the C allocator's `stats_dump`, with its flags: JSON on stdout, text on stderr. */
import { doctor } from "../../stats.js";
import { type ParsedOptions, UsageError } from "../args.js";
import { type Command, type CommandStreams, EXIT_OK } from "../command.js";
import {
  SOURCE_HELP,
  SOURCE_OPTIONS,
  SOURCE_POSITIONAL,
  sampleOnce,
  TOKEN_OPTIONS,
} from "../sources/index.js";
import { renderSummary } from "../stats/summary.js";

export const dumpCommand: Command = {
  name: "dump",
  summary: "JSON on stdout, text on stderr, like the C program stats_dump",
  description: [
    "Prints the stats document byte for byte on stdout and its summary on stderr; each can be left out.",
    "",
    SOURCE_HELP,
  ].join("\n"),
  options: {
    ...SOURCE_OPTIONS,
    ...TOKEN_OPTIONS,
    json: { kind: "flag", help: "JSON on stdout (the default)" },
    "no-json": { kind: "flag", help: "no JSON" },
    text: { kind: "flag", help: "summary on stderr (the default)" },
    "no-text": { kind: "flag", help: "no summary" },
    doctor: { kind: "flag", help: "diagnosis on stderr as well" },
  },
  positionals: [SOURCE_POSITIONAL],
  examples: [
    { run: "tslab dump --no-text > heap.json", note: "a document to look at later" },
    { run: "tslab dump --no-text | jq '.epochs[] | select(.refcount > 0)'" },
    { run: "tslab dump --no-json --doctor stats.json" },
  ],
  run,
};

async function run(options: ParsedOptions, streams: CommandStreams): Promise<number> {
  const json = wanted(options, "json");
  const text = wanted(options, "text");
  if (!json && !text && !options.has("doctor")) {
    throw new UsageError("--no-json and --no-text leave nothing to print; leave one of them out");
  }
  const sample = await sampleOnce(options, streams);
  const onStderr = { colors: streams.errColors, columns: streams.errColumns };
  const parts: string[] = [];
  if (text) parts.push(renderSummary(sample.document, sample.description, onStderr));
  if (options.has("doctor")) parts.push(`${doctor(sample.document).text}\n`);
  if (json) streams.out.write(sample.text);
  if (parts.length > 0) streams.err.write(parts.join("\n"));
  return EXIT_OK;
}

function wanted(options: ParsedOptions, name: string): boolean {
  if (options.has(name) && options.has(`no-${name}`)) {
    throw new UsageError(`--${name} and --no-${name} contradict each other; leave one of them out`);
  }
  return !options.has(`no-${name}`);
}
