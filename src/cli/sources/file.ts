/** A file, read again for each sample; or standard input, read once. */
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { InputError } from "../args.js";
import type { CommandStreams } from "../command.js";
import { printable } from "../format.js";
import { LimitedBytes } from "./document.js";
import type { TextSource } from "./types.js";

/** Reads `path` whole. Throws `InputError`. */
export async function readTextFile(path: string): Promise<string> {
  const description = printable(path);
  try {
    const bytes = new LimitedBytes(description);
    // Not by its size: a pipe has none, and a file may grow meanwhile.
    for await (const chunk of createReadStream(path)) bytes.add(chunk as Uint8Array);
    return bytes.text();
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(`${description}: ${reason(error)}`);
  }
}

/** Throws `InputError` when there is no such file. */
export async function fileSource(path: string): Promise<TextSource> {
  const description = printable(path);
  const live = await stat(path).then(
    (found) => found.isFile(),
    (error) => {
      throw new InputError(`${description}: ${reason(error)}`);
    },
  );
  // What came through a pipe, such as bash's <(command), is gone once it was read.
  let once: Promise<string> | undefined;
  const read = (): Promise<string> => {
    if (live) return readTextFile(path);
    once ??= readTextFile(path);
    return once;
  };
  return { description, live, read, close: async () => {} };
}

/** Reads standard input to its end. Says so on a terminal, where nothing would happen otherwise. */
export async function readStdin(streams: CommandStreams): Promise<string> {
  if (streams.inIsTerminal) {
    streams.err.write("tslab: waiting for a stats document on standard input; Ctrl-D ends it\n");
  }
  const bytes = new LimitedBytes(STDIN);
  try {
    for await (const chunk of streams.in) bytes.add(chunk as Uint8Array);
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(`${STDIN}: ${reason(error)}`);
  }
  if (bytes.size === 0) {
    throw new InputError(`${STDIN}: empty; does the command before the pipe print a stats document?`);
  }
  return bytes.text();
}

const STDIN = "standard input";

/** The same document however often it is asked for: input that was read is gone. */
export function stdinSource(streams: CommandStreams): TextSource {
  let text: Promise<string> | undefined;
  return {
    description: STDIN,
    live: false,
    read() {
      text ??= readStdin(streams);
      return text;
    },
    close: async () => void streams.in.destroy(),
  };
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "no such file",
  EACCES: "not allowed to read it",
  EPERM: "not allowed to read it",
  EISDIR: "is a folder; name the file in it",
  ENOTDIR: "no such file: a part of its path is no folder",
  ENAMETOOLONG: "the path is too long",
};

function reason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return REASONS[code ?? ""] ?? printable(message ?? String(error));
}
