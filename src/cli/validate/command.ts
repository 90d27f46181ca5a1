/** `tslab validate`: is this a stats document, of which kind, and what is missing or wrong in it? */
import type { ParsedOptions } from "../args.js";
import { type Command, type CommandStreams, EXIT_FINDING, EXIT_OK } from "../command.js";
import { formatCount, plural, printable } from "../format.js";
import { jsonText } from "../json.js";
import {
  openSource,
  SOURCE_HELP,
  SOURCE_OPTIONS,
  SOURCE_POSITIONAL,
  TOKEN_OPTIONS,
} from "../sources/index.js";
import type { Problem, Verdict } from "./check.js";

export const validateCommand: Command = {
  name: "validate",
  summary: "check a document against the schema",
  description: [
    "Checks a document against the JSON Schema (draft 2020-12) of stats documents, which the package has as",
    "temporal-slab/stats-document.schema.json, and reads it. Lists all problems by JSON pointer; exit code 1 when there",
    "are any. Of a document of the C allocator it says which of the two shapes it has, what it lacks compared with ours,",
    "and what is repaired on reading.",
    "",
    SOURCE_HELP,
  ].join("\n"),
  options: {
    ...SOURCE_OPTIONS,
    ...TOKEN_OPTIONS,
    json: { kind: "flag", help: "print the verdict as JSON" },
  },
  positionals: [SOURCE_POSITIONAL],
  examples: [
    { run: "tslab validate stats.json" },
    { run: "tslab validate --url http://127.0.0.1:2112/stats.json" },
    { run: "tslab validate stats.json --json | jq .shape" },
  ],
  run,
};

async function run(options: ParsedOptions, streams: CommandStreams): Promise<number> {
  const source = await openSource(options, options.positionals, streams);
  try {
    // The validator is large: whoever asks for the help need not wait for it.
    const { checkText } = await import("./check.js");
    const verdict = checkText(await source.read());
    streams.out.write(
      options.has("json")
        ? jsonText({ source: source.description, ...verdict })
        : inWords(verdict, source.description, streams),
    );
    return verdict.valid ? EXIT_OK : EXIT_FINDING;
  } finally {
    await source.close();
  }
}

const SHAPES = {
  "temporal-slab": "a document of this package",
  "c-stats-dump": "a document of the C allocator, as its stats_dump writes it",
  "c-synthetic-bench": "a document of the C allocator, as its synthetic_bench writes it",
  unknown: "of unknown shape",
} as const;

/** A document may be wrong in every row: people read the first ones. */
const MOST_LISTED = 50;

function inWords(verdict: Verdict, description: string, { colors }: CommandStreams): string {
  const { valid, problems, shape, missing, repairs } = verdict;
  const lines = valid
    ? [`${description}: ${colors.green("valid")}; ${SHAPES[shape]}`]
    : [`${description}: ${colors.red(plural(problems.length, "problem"))}; ${SHAPES[shape]}`];
  lines.push(...problems.slice(0, MOST_LISTED).map(problemLine));
  if (problems.length > MOST_LISTED)
    lines.push(`  ... and ${formatCount(problems.length - MOST_LISTED)} more`);
  if (missing.length > 0) {
    lines.push(
      "",
      "Missing compared with a document of this package (computed from the rest, or read as 0 or empty):",
    );
    lines.push(
      ...missing.map(({ path, names }) => `  ${path === "" ? "document" : path}: ${names.join(", ")}`),
    );
  }
  if (repairs.length > 0) lines.push("", "Repaired on reading:", ...repairs.map(problemLine));
  return `${lines.join("\n")}\n`;
}

const problemLine = ({ pointer, message }: Problem): string =>
  `  ${pointer === "" ? "(document)" : printable(pointer)}: ${printable(message)}`;
