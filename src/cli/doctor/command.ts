/** `tslab doctor`: the diagnosis in words. */
import { type Diagnosis, doctor, type StatsDocument } from "../../stats.js";
import type { ParsedOptions } from "../args.js";
import { type Command, type CommandStreams, EXIT_FINDING, EXIT_OK } from "../command.js";
import { jsonText } from "../json.js";
import {
  chooseSource,
  SOURCE_HELP,
  SOURCE_OPTIONS,
  SOURCE_POSITIONAL,
  sampleBoth,
  sampleOnce,
  sourceFromText,
  TOKEN_OPTIONS,
} from "../sources/index.js";

export const doctorCommand: Command = {
  name: "doctor",
  summary: "what is wrong, whose matter it is, what to do",
  description: [
    "Three sections: epochs and leaks, slow path, reclamation. Each finding says whose matter it is and what to do.",
    "Exit code 1 when there are leaks: closed epochs that still hold something after --threshold.",
    "",
    SOURCE_HELP,
  ].join("\n"),
  options: {
    ...SOURCE_OPTIONS,
    ...TOKEN_OPTIONS,
    threshold: {
      kind: "duration",
      value: "TIME",
      min: 0,
      max: 1e12,
      help: "age from which on a closed epoch counts as left behind (default 60s)",
    },
    since: {
      kind: "file",
      value: "FILE",
      help: "earlier document of the same heap: judge failures and rates since then",
    },
    json: { kind: "flag", help: "print findings and figures as JSON" },
  },
  positionals: [SOURCE_POSITIONAL],
  examples: [
    { run: "tslab doctor stats.json" },
    { run: "tslab doctor --url http://127.0.0.1:2112 --threshold 5m" },
    { run: "tslab doctor after.json --since before.json", note: "what went wrong in between" },
    { run: "tslab doctor stats.json --json | jq '.findings[].action'" },
  ],
  run,
};

async function run(options: ParsedOptions, streams: CommandStreams): Promise<number> {
  const { document, previous } = await documents(options, streams);
  const threshold = options.number("threshold");
  const diagnosis = doctor(document, {
    ...(threshold !== undefined && { thresholdSec: threshold / 1000 }),
    ...(previous !== undefined && { previous }),
  });
  const { text, ...facts } = diagnosis;
  streams.out.write(options.has("json") ? jsonText(facts) : coloured(text, diagnosis, streams));
  return diagnosis.leaks > 0 ? EXIT_FINDING : EXIT_OK;
}

interface Documents {
  readonly document: StatsDocument;
  readonly previous?: StatsDocument;
}

async function documents(options: ParsedOptions, streams: CommandStreams): Promise<Documents> {
  const since = options.text("since");
  if (since === undefined) return sampleOnce(options, streams);
  const [previous, now] = await sampleBoth(
    { name: "--since", choice: sourceFromText(since, "--since") },
    { name: "the document itself", choice: chooseSource(options, options.positionals, streams.env) },
    options,
    streams,
  );
  return { document: now.document, previous: previous.document };
}

/** The text is plain; on a terminal its headline, section titles and actions stand out. */
function coloured(text: string, { healthy, leaks }: Diagnosis, { colors }: CommandStreams): string {
  const verdict = healthy ? colors.green : leaks > 0 ? colors.red : colors.yellow;
  const lines = text.split("\n").map((line, i) => {
    if (i === 0) return verdict(line);
    if (/^\d\. /.test(line)) return colors.bold(line);
    return line.startsWith("   → ") ? colors.cyan(line) : line;
  });
  return `${lines.join("\n")}\n`;
}
