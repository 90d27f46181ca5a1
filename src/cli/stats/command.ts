/** `tslab stats`: one document, as a page or as it came. */
import type { ParsedOptions } from "../args.js";
import { type Command, type CommandStreams, EXIT_OK } from "../command.js";
import {
  SOURCE_HELP,
  SOURCE_OPTIONS,
  SOURCE_POSITIONAL,
  sampleOnce,
  TOKEN_OPTIONS,
} from "../sources/index.js";
import { renderSummary } from "./summary.js";

export const statsCommand: Command = {
  name: "stats",
  summary: "what a heap holds and has been through, in one page",
  description: [
    "Memory, traffic, slow path, size classes, epochs that hold something, threads and latencies of one heap at",
    "one moment. --json prints the document byte for byte as it came, digits beyond 2^53 included.",
    "",
    SOURCE_HELP,
  ].join("\n"),
  options: {
    ...SOURCE_OPTIONS,
    ...TOKEN_OPTIONS,
    json: { kind: "flag", help: "print the document as it came instead of the summary" },
  },
  positionals: [SOURCE_POSITIONAL],
  examples: [
    { run: "tslab stats stats.json" },
    { run: "tslab stats --url http://127.0.0.1:2112", note: "ask a running service" },
    { run: "tslab stats --demo leak", note: "a heap to look at, when there is none" },
    { run: "tslab stats --exec 'cat stats.json' --json | jq .heap" },
  ],
  run,
};

async function run(options: ParsedOptions, streams: CommandStreams): Promise<number> {
  const { text, document, description } = await sampleOnce(options, streams);
  streams.out.write(options.has("json") ? text : renderSummary(document, description, streams));
  return EXIT_OK;
}
