/** The options and the argument by which every reading command is told what to read. */
import type { OptionTable } from "../args.js";
import type { Positional } from "../command.js";
import { PATTERN_NAMES } from "../workload/patterns.js";

/** Environment variables that say the same as the options. */
export const SOURCE_VARIABLE = "TSLAB_SOURCE";
export const TOKEN_VARIABLE = "TSLAB_TOKEN";

/** What `--url` sends to prove who asks. Apart, because `serve` has a `--token` of its own. */
export const TOKEN_OPTIONS: OptionTable = {
  token: {
    kind: "text",
    value: "TEXT",
    secret: true,
    help: `bearer token for the address (default $${TOKEN_VARIABLE}, which other users cannot see)`,
  },
};

/** Where documents come from. Without any of these: $TSLAB_SOURCE, else a demo run. */
export const SOURCE_OPTIONS: OptionTable = {
  stdin: { kind: "flag", help: "read a stats document from standard input" },
  url: { kind: "text", value: "URL", help: "ask a server: its address, or that of a stats document" },
  exec: { kind: "text", value: "CMD", help: "run a shell command that prints a stats document" },
  demo: { kind: "choice", choices: PATTERN_NAMES, help: `run a demo: ${PATTERN_NAMES.join(", ")}` },
  timeout: {
    kind: "duration",
    value: "TIME",
    min: 10,
    max: 3_600_000,
    help: "longest wait for --url and --exec (default 10s)",
  },
};

/** A file to read; `-` is standard input. */
export const SOURCE_POSITIONAL: Positional = {
  name: "FILE",
  help: 'file with a stats document; "-": standard input',
  optional: true,
};

/** For the descriptions of reading commands. */
export const SOURCE_HELP = [
  "Reads the stats document of a FILE (or -, --stdin), of a server (--url), or of a command (--exec).",
  `Without any of these: what $${SOURCE_VARIABLE} names (an address, "exec:COMMAND", "-" or a path), else a`,
  "demo run with worker threads of its own. Documents of the C allocator are read as well, in both shapes.",
].join("\n");
