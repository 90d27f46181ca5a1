/** What the library refuses was asked for on the command line: its messages name options, which are flags here. */
import { TemporalSlabError } from "../index.js";
import { UsageError } from "./args.js";

/** Runs `work`; what the library refuses becomes a `UsageError`. `options`: further names its messages may quote. */
export function orUsageError<T>(work: () => T, options: readonly string[] = []): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof TemporalSlabError) throw new UsageError(asFlag(error.message, options));
    throw error;
  }
}

/** `Option "slabSize" must ...` -> `--slab-size must ...`. */
function asFlag(message: string, options: readonly string[]): string {
  const named = message.replace(/^(?:\w+: )?[Oo]ption "(\w+)"/, (_, name: string) => flag(name));
  return options.reduce((text, name) => text.replaceAll(`"${name}"`, flag(name)), named).replace(/\.$/, "");
}

const flag = (name: string): string => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
