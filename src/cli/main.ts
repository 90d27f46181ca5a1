#!/usr/bin/env node
/**
 * `tslab`: looks up the command, parses its options, runs it and turns what happens into an exit
 * code: 0 fine, 1 a finding (damage, a failed check, a crash), 2 wrong usage.
 */
import { readFileSync } from "node:fs";
import { describeOptions, nearest, parseOptions, UsageError } from "./args.js";
import { type Command, type CommandStreams, EXIT_FINDING, EXIT_OK, EXIT_USAGE } from "./command.js";

/** Every command, loaded only when it is asked for. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  workload: async () => (await import("./workload/command.js")).workloadCommand,
};

const OVERVIEW_EXAMPLES = [
  "tslab workload                                 a burst of requests on two threads, 3 seconds",
  "tslab workload --pattern leak --duration 10    see which old epochs hold the leaked objects",
  "tslab workload --help                          every option of one command",
];

async function main(argv: readonly string[], streams: CommandStreams): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined) {
    streams.err.write(await overview());
    return EXIT_USAGE;
  }
  if (name === "--help" || name === "-h" || name === "help") {
    streams.out.write(await overview());
    return EXIT_OK;
  }
  if (name === "--version" || name === "-v") {
    streams.out.write(`${packageVersion()}\n`);
    return EXIT_OK;
  }
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (load === undefined) throw new UsageError(unknownCommand(name));
  const command = await load();
  const options = inCommand(command, () => parseOptions(rest, command.options));
  if (options.has("help")) {
    streams.out.write(commandHelp(command));
    return EXIT_OK;
  }
  try {
    return await command.run(options, streams);
  } catch (error) {
    throw error instanceof UsageError ? withCommand(command, error) : error;
  }
}

function inCommand<T>(command: Command, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof UsageError ? withCommand(command, error) : error;
  }
}

function withCommand(command: Command, error: UsageError): UsageError {
  return new UsageError(`${command.name}: ${error.message}; see 'tslab ${command.name} --help'`);
}

function unknownCommand(name: string): string {
  const known = Object.keys(COMMANDS);
  const near = nearest(name, known);
  const hint = near === undefined ? `known commands: ${known.join(", ")}` : `did you mean ${near}?`;
  const what = name.startsWith("-") ? "option" : "command";
  return `"${name}": unknown ${what}; ${hint}; see 'tslab --help'`;
}

async function overview(): Promise<string> {
  const commands = await Promise.all(Object.values(COMMANDS).map((load) => load()));
  const width = Math.max(...commands.map((command) => command.name.length)) + 3;
  return [
    `tslab ${packageVersion()}: run and inspect temporal-slab heaps`,
    "",
    "Usage: tslab COMMAND [OPTIONS]",
    "",
    "Commands:",
    ...commands.map((command) => `  ${command.name.padEnd(width)}${command.summary}`),
    "",
    "Options:",
    "  -h, --help      show this help, or a command's own after its name",
    "  -v, --version   print the version",
    "",
    "Examples:",
    ...OVERVIEW_EXAMPLES.map((line) => `  ${line}`),
    "",
    "Exit codes: 0 fine, 1 a finding (damage, a failed check), 2 wrong usage.",
    "",
  ].join("\n");
}

function commandHelp(command: Command): string {
  return [
    `tslab ${command.name}: ${command.summary}`,
    "",
    command.description,
    "",
    `Usage: tslab ${command.name} [OPTIONS]`,
    "",
    "Options:",
    describeOptions(command.options),
    "",
    "Examples:",
    ...command.examples.map((line) => `  ${line}`),
    "",
  ].join("\n");
}

function packageVersion(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  const parsed: unknown = JSON.parse(text);
  if (typeof parsed === "object" && parsed !== null && "version" in parsed) return String(parsed.version);
  return "unknown";
}

// A reader that closes early (`tslab workload | head`) is not an error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(process.exitCode ?? EXIT_OK);
  throw error;
});

try {
  process.exitCode = await main(process.argv.slice(2), {
    out: process.stdout,
    err: process.stderr,
    errIsTerminal: process.stderr.isTTY === true,
  });
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
