#!/usr/bin/env node
/**
 * `tslab`: looks up the command, parses its options, runs it and turns what happens into an exit
 * code: 0 fine, 1 a finding (a leak, damage, a failed check, a crash), 2 wrong usage or input.
 */
import { readFileSync } from "node:fs";
import { getSystemErrorMap } from "node:util";
import { InputError, parseOptions, UsageError } from "./args.js";
import {
  type Command,
  type CommandEntry,
  type CommandGroup,
  type CommandStreams,
  EXIT_FINDING,
  EXIT_OK,
  EXIT_USAGE,
  isGroup,
} from "./command.js";
import { COMMANDS } from "./commands.js";
import { printable } from "./format.js";
import { commandHelp, groupHelp, overview } from "./help.js";
import { processStreams } from "./streams.js";
import { suggestion } from "./words.js";

const HELP = ["--help", "-h", "help"];

async function main(argv: readonly string[], streams: CommandStreams): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined) {
    streams.err.write(overview(COMMANDS, packageVersion()));
    return EXIT_USAGE;
  }
  if (HELP.includes(name)) {
    streams.out.write(await helpFor(name === "help" ? rest.filter((word) => !HELP.includes(word)) : []));
    return EXIT_OK;
  }
  if (name === "--version" || name === "-v") {
    streams.out.write(`${packageVersion()}\n`);
    return EXIT_OK;
  }
  const { entry, args } = find(argv);
  if (isGroup(entry)) {
    if (!args.some((arg) => HELP.includes(arg))) {
      const known = entry.entries.map((inner) => inner.name).join(", ");
      throw new UsageError(
        `${entry.name}: what is missing: one of ${known}; see 'tslab ${entry.name} --help'`,
      );
    }
    streams.out.write(groupHelp(entry));
    return EXIT_OK;
  }
  return runCommand(await entry.load(), args, streams);
}

async function runCommand(
  command: Command,
  args: readonly string[],
  streams: CommandStreams,
): Promise<number> {
  try {
    const options = parseOptions(args, command.options, command.positionals);
    if (options.has("help")) {
      streams.out.write(commandHelp(command));
      return EXIT_OK;
    }
    return await command.run(options, streams);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    // Where the command line is right, the help is no help.
    const hint = error instanceof InputError ? "" : `; see 'tslab ${command.name} --help'`;
    throw new UsageError(`${command.name}: ${error.message}${hint}`);
  }
}

/** Of a group, the command that its next word names; the group itself when no word follows. */
function find(words: readonly string[]): { entry: CommandEntry | CommandGroup; args: readonly string[] } {
  const [name = "", ...args] = words;
  const entry = lookUp(name, COMMANDS, "");
  const [next] = args;
  if (!isGroup(entry) || next === undefined || HELP.includes(next)) return { entry, args };
  return { entry: lookUp(next, entry.entries, `${entry.name} `), args: args.slice(1) };
}

function lookUp<Entry extends CommandEntry | CommandGroup>(
  name: string,
  entries: readonly Entry[],
  group: string,
): Entry {
  const found = entries.find((entry) => entry.name === name);
  if (found !== undefined) return found;
  const known = entries.map((entry) => entry.name);
  const hint = suggestion(name, known, `; known ${group}commands: ${known.join(", ")}`);
  const what = name.startsWith("-") ? "option" : `${group}command`;
  throw new UsageError(`"${printable(name)}": unknown ${what}${hint}; see 'tslab ${group}--help'`);
}

async function helpFor(words: readonly string[]): Promise<string> {
  if (words.length === 0) return overview(COMMANDS, packageVersion());
  const { entry } = find(words);
  return isGroup(entry) ? groupHelp(entry) : commandHelp(await entry.load());
}

function packageVersion(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  const parsed: unknown = JSON.parse(text);
  if (typeof parsed === "object" && parsed !== null && "version" in parsed) return String(parsed.version);
  return "unknown";
}

for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", ({ code, errno, message }: NodeJS.ErrnoException) => {
    // A reader that closes early (`tslab workload | head`) is not an error.
    if (code === "EPIPE") process.exit(process.exitCode ?? EXIT_OK);
    const [, reason = message] = getSystemErrorMap().get(errno ?? 0) ?? [];
    // Of standard error nobody can be told.
    if (stream === process.stdout) process.stderr.write(`tslab: standard output: ${reason}\n`);
    process.exit(EXIT_USAGE);
  });
}

try {
  process.exitCode = await main(process.argv.slice(2), processStreams());
} catch (error) {
  if (error instanceof UsageError) {
    process.stderr.write(`tslab: ${error.message}\n`);
    process.exitCode = EXIT_USAGE;
  } else {
    process.stderr.write(
      `tslab: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    );
    process.exitCode = EXIT_FINDING;
  }
}
