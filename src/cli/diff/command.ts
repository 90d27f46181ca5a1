/** `tslab diff`: two documents, and what happened in between. */
import type { ParsedOptions } from "../args.js";
import { type Command, type CommandStreams, EXIT_FINDING, EXIT_OK } from "../command.js";
import { jsonText } from "../json.js";
import {
  type OneSample,
  SOURCE_OPTIONS,
  sampleBoth,
  sourceFromText,
  TOKEN_OPTIONS,
} from "../sources/index.js";
import { type Comparison, compare } from "./compare.js";
import { renderDiff } from "./text.js";

const KINDS = 'a path, an address, "exec:COMMAND" or "-"';

export const diffCommand: Command = {
  name: "diff",
  summary: "what changed between two documents",
  description: [
    "Differences of all counters, how much that is per second, and what became of classes and epochs. BEFORE and AFTER",
    `are each ${KINDS} (standard input).`,
    "",
    "--fail-on regression: exit code 1 when slow paths per allocation rose by more than 10%, or page releases failed.",
    "Of one heap, the time in between is compared with the time before; of two heaps, each is taken from its start.",
  ].join("\n"),
  options: {
    ...TOKEN_OPTIONS,
    timeout: SOURCE_OPTIONS.timeout as NonNullable<typeof SOURCE_OPTIONS.timeout>,
    "fail-on": { kind: "choice", choices: ["regression"], help: "regression: exit with 1 when it got worse" },
    all: { kind: "flag", help: "list counters that did not change, too" },
    json: { kind: "flag", help: "print the differences as JSON" },
  },
  positionals: [
    { name: "BEFORE", help: `the older document: ${KINDS}` },
    { name: "AFTER", help: "the newer one, likewise" },
  ],
  examples: [
    { run: "tslab diff before.json after.json" },
    { run: "tslab diff before.json after.json --fail-on regression; echo $?", note: "in a pipeline" },
    { run: "tslab diff before.json http://127.0.0.1:2112 --json | jq .totals.total_slow_path_hits" },
  ],
  run,
};

async function run(options: ParsedOptions, streams: CommandStreams): Promise<number> {
  const [first = "", second = ""] = options.positionals;
  const named = (name: string, text: string) => ({ name, choice: sourceFromText(text, name) });
  const [before, after] = await sampleBoth(named("BEFORE", first), named("AFTER", second), options, streams);
  const comparison = compare(before.document, after.document);
  streams.out.write(
    options.has("json")
      ? jsonText(asJson(before, after, comparison))
      : renderDiff(before, after, comparison, options.has("all"), streams),
  );
  return options.has("fail-on") && comparison.regressions.length > 0 ? EXIT_FINDING : EXIT_OK;
}

function asJson(before: OneSample, after: OneSample, { delta, slow_path_rate, regressions }: Comparison) {
  const named = ({ description, document: { timestamp_ns, pid, heap } }: OneSample) => ({
    source: description,
    timestamp_ns,
    pid,
    heap_id: heap?.id ?? null,
  });
  return {
    report: "tslab-diff",
    schema_version: 1,
    before: named(before),
    after: named(after),
    slow_path_rate,
    regressions,
    ...delta,
  };
}
