/**
 * What every `tslab` command is: a name, one line for the overview, its options and arguments, and a function that runs.
 * A new command is one file that exports a `Command`, plus its line in commands.ts.
 */
import type { OptionTable, ParsedOptions } from "./args.js";
import type { CommandStreams } from "./streams.js";

export type { CommandStreams } from "./streams.js";

/** Exit codes of every command. */
export const EXIT_OK = 0;
/** Something was found: damage, a failed check, a threshold passed. */
export const EXIT_FINDING = 1;
/** The command line or an input was wrong; nothing was run. */
export const EXIT_USAGE = 2;

/** One argument of a command that is no option. */
export interface Positional {
  /** As the help shows it: `FILE`. */
  readonly name: string;
  readonly help: string;
  /** May be left out. Only optional ones follow an optional one. */
  readonly optional?: boolean;
  /** The only values, where there are few. */
  readonly choices?: readonly string[];
}

/** A command line that works as it stands; a test runs each of them. */
export interface Example {
  /** Begins with `tslab`, or has it behind a pipe. */
  readonly run: string;
  /** What it is good for, in a few words. */
  readonly note?: string;
}

/** One command of the `tslab` program. */
export interface Command {
  /** As typed after `tslab`: `stats`, or `export prometheus` for one of a group. */
  readonly name: string;
  readonly summary: string;
  readonly description: string;
  readonly options: OptionTable;
  readonly positionals?: readonly Positional[];
  readonly examples: readonly Example[];
  /**
   * Runs the command and resolves to the exit code. `options.positionals` holds the arguments that are no options, checked
   * against `positionals`. Throws `UsageError` for what the caller got wrong.
   */
  run(options: ParsedOptions, streams: CommandStreams): Promise<number>;
}

/** A line of the overview; the command itself is loaded only when it is asked for. */
export interface CommandEntry {
  /** The last word of the command's name. */
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

/** Several commands under one first word. */
export interface CommandGroup {
  readonly name: string;
  readonly summary: string;
  readonly entries: readonly CommandEntry[];
}

export const isGroup = (entry: CommandEntry | CommandGroup): entry is CommandGroup => "entries" in entry;
