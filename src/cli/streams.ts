/** Where a command reads and writes, and what the terminal there can do. */
import type { Readable } from "node:stream";
import { createColors } from "picocolors";

/** Functions that colour a text, or leave it alone when colours are off. */
export type Colors = ReturnType<typeof createColors>;

/** A command's world outside; main.ts hands in the real one, tests a made-up one. */
export interface CommandStreams {
  readonly in: Readable;
  readonly out: NodeJS.WritableStream;
  readonly err: NodeJS.WritableStream;
  readonly inIsTerminal: boolean;
  readonly outIsTerminal: boolean;
  /** True when `err` is a terminal, so that one line can be redrawn there. */
  readonly errIsTerminal: boolean;
  /** For what goes to `out`; `errColors` for `err`. */
  readonly colors: Colors;
  readonly errColors: Colors;
  /** Width to keep to on `out`; Infinity when it is no terminal: nothing is cut off then. */
  columns(): number;
  /** The width of `err`, likewise. */
  errColumns(): number;
  /** Height of the terminal behind `out`; Infinity when it is none. */
  rows(): number;
  /** Calls `listener` after each change of the terminal's size; the function it returns ends that. */
  onResize(listener: () => void): () => void;
  /** Environment variables. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** The streams of this process. */
export function processStreams(): CommandStreams {
  const { stdout, stderr, env } = process;
  const size = (stream: NodeJS.WriteStream, value: number | undefined): number =>
    stream.isTTY === true && value !== undefined && value > 0 ? value : Infinity;
  return {
    // Opened on first use: a process that never reads its input must not wait for it.
    get in() {
      return process.stdin;
    },
    out: stdout,
    err: stderr,
    get inIsTerminal() {
      return process.stdin.isTTY === true;
    },
    outIsTerminal: stdout.isTTY === true,
    errIsTerminal: stderr.isTTY === true,
    colors: createColors(wantsColors(env, stdout.isTTY === true)),
    errColors: createColors(wantsColors(env, stderr.isTTY === true)),
    columns: () => size(stdout, stdout.columns),
    errColumns: () => size(stderr, stderr.columns),
    rows: () => size(stdout, stdout.rows),
    onResize(listener) {
      stdout.on("resize", listener);
      return () => void stdout.off("resize", listener);
    },
    env,
  };
}

/** FORCE_COLOR wins over NO_COLOR, as in most programs; otherwise a terminal that can has colours. */
export function wantsColors(env: Readonly<Record<string, string | undefined>>, isTerminal: boolean): boolean {
  const { FORCE_COLOR, NO_COLOR, TERM } = env;
  if (FORCE_COLOR !== undefined && FORCE_COLOR !== "") return FORCE_COLOR !== "0" && FORCE_COLOR !== "false";
  if (NO_COLOR !== undefined && NO_COLOR !== "") return false;
  return isTerminal && TERM !== "dumb";
}
