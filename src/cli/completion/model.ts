/** What can be completed, made of the tables that also parse the command line and print the help. */
import { COMMON_OPTIONS, type OptionSpec } from "../args.js";
import { type Command, type CommandEntry, type CommandGroup, isGroup } from "../command.js";

/** What may stand in some place: one of a few words, a file name, or something only the user knows. */
export type Values =
  | { readonly kind: "words"; readonly words: readonly string[] }
  | { readonly kind: "file" }
  | { readonly kind: "other" };

export interface OptionCompletion {
  /** `--output`. */
  readonly long: string;
  /** `-o`. */
  readonly short?: string;
  readonly help: string;
  /** What follows it; nothing does when absent. */
  readonly value?: Values & { readonly name: string };
}

export interface CommandCompletion {
  /** One word, or two for a command of a group. */
  readonly words: readonly string[];
  readonly summary: string;
  readonly options: readonly OptionCompletion[];
  readonly positionals: readonly (Values & { readonly name: string })[];
}

export interface CompletionModel {
  /** First words, with what they are for. */
  readonly first: readonly { readonly name: string; readonly summary: string }[];
  readonly commands: readonly CommandCompletion[];
}

export async function completionModel(
  entries: readonly (CommandEntry | CommandGroup)[],
): Promise<CompletionModel> {
  const loaded = entries.flatMap((entry) => (isGroup(entry) ? entry.entries : [entry]));
  const commands = await Promise.all(loaded.map(async (entry) => describeCommand(await entry.load())));
  const first = [...entries, { name: "help", summary: "help of a command" }];
  return { first: first.map(({ name, summary }) => ({ name, summary })), commands };
}

function describeCommand({ name, summary, options, positionals = [] }: Command): CommandCompletion {
  const shown = Object.entries({ ...options, ...COMMON_OPTIONS }).filter(([, spec]) => spec.hidden !== true);
  return {
    words: name.split(" "),
    summary,
    options: shown.map(([option, spec]) => describeOption(option, spec)),
    positionals: positionals.map(({ name: shownName, choices }) => ({
      name: shownName,
      ...(choices === undefined ? { kind: "file" as const } : { kind: "words" as const, words: choices }),
    })),
  };
}

function describeOption(name: string, spec: OptionSpec): OptionCompletion {
  const option = {
    long: `--${name}`,
    ...(spec.short !== undefined && { short: `-${spec.short}` }),
    help: spec.help,
  };
  if (spec.kind === "flag") return option;
  if (spec.kind === "choice") {
    return { ...option, value: { kind: "words", words: spec.choices, name: spec.value ?? "NAME" } };
  }
  return { ...option, value: { kind: spec.kind === "file" ? "file" : "other", name: spec.value } };
}
