/** Made-up streams for a command: what it writes is kept, the terminal is as the test says. */
import { Readable, Writable } from "node:stream";
import { createColors } from "picocolors";
import { parseOptions, UsageError } from "../../../src/cli/args.js";
import type { Command, CommandStreams } from "../../../src/cli/command.js";

export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface World {
  /** What standard input holds. */
  readonly input?: string;
  /** Width of the terminal on stdout; unlimited, and no terminal, unless given. */
  readonly columns?: number;
  readonly colors?: boolean;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a command as main.ts does. A `UsageError` becomes its message and exit code 2. */
export async function runCommand(
  command: Command,
  args: readonly string[],
  world: World = {},
): Promise<Outcome> {
  const { input = "", columns = Infinity, colors = false, env = {} } = world;
  let [out, err] = ["", ""];
  const collect = (add: (text: string) => void) =>
    new Writable({
      write(chunk, _, done) {
        add(String(chunk));
        done();
      },
    });
  const streams: CommandStreams = {
    in: Readable.from([Buffer.from(input)]),
    out: collect((text) => {
      out += text;
    }),
    err: collect((text) => {
      err += text;
    }),
    inIsTerminal: false,
    // TERM=dumb: a width, but nothing is redrawn.
    outIsTerminal: Number.isFinite(columns),
    errIsTerminal: false,
    colors: createColors(colors),
    errColors: createColors(false),
    columns: () => columns,
    errColumns: () => Infinity,
    rows: () => (Number.isFinite(columns) ? 24 : Infinity),
    onResize: () => () => {},
    env: { TERM: "dumb", ...env },
  };
  try {
    const code = await command.run(parseOptions(args, command.options, command.positionals), streams);
    return { code, out, err };
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return { code: 2, out, err: error.message };
  }
}
