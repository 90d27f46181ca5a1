/**
 * What every `tslab` command is: a name, one line for the overview, its options and a function
 * that runs. A new command is one file that exports a `Command`, plus its line in main.ts.
 */
import type { OptionTable, ParsedOptions } from "./args.js";

/** Exit codes of every command. */
export const EXIT_OK = 0;
/** Something was found: damage, a failed check, a threshold passed. */
export const EXIT_FINDING = 1;
/** The command line or an input file was wrong; nothing was run. */
export const EXIT_USAGE = 2;

/** Where a command writes; main.ts hands in the real streams. */
export interface CommandStreams {
  readonly out: NodeJS.WritableStream;
  readonly err: NodeJS.WritableStream;
  /** True when `err` is a terminal, so that one line can be redrawn there. */
  readonly errIsTerminal: boolean;
}

/** One command of the `tslab` program. */
export interface Command {
  readonly name: string;
  readonly summary: string;
  readonly description: string;
  readonly options: OptionTable;
  readonly examples: readonly string[];
  /** Runs the command and resolves to the exit code. */
  run(options: ParsedOptions, streams: CommandStreams): Promise<number>;
}
