/** Completion for fish: a file in ~/.config/fish/completions, or sourced. */
import type { CommandCompletion, CompletionModel, OptionCompletion, Values } from "./model.js";

export function fishScript({ first, commands }: CompletionModel): string {
  const groups = [
    ...new Set(commands.filter(({ words }) => words.length === 2).map(({ words }) => words[0])),
  ];
  const lines = [
    "# tslab completion for fish: tslab completion fish | source",
    "complete -c tslab -f",
    ...first.map(({ name, summary }) => complete("__fish_use_subcommand", `-a ${name} -d ${quote(summary)}`)),
    complete("__fish_use_subcommand", "-l help -s h -d 'show the overview'"),
    complete("__fish_use_subcommand", "-l version -s v -d 'print the version'"),
    complete(seen("help"), `-a ${quote(first.map(({ name }) => name).join(" "))}`),
    ...groups.flatMap((group) => groupLines(group as string, commands)),
    ...commands.flatMap(commandLines),
  ];
  return `${lines.join("\n")}\n`;
}

function groupLines(group: string, commands: readonly CommandCompletion[]): string[] {
  const members = commands.filter(({ words }) => words.length === 2 && words[0] === group);
  const names = members.map(({ words }) => words[1] as string);
  const condition = `${seen(group)}; and not ${seen(names.join(" "))}`;
  return members.map(({ words, summary }) => complete(condition, `-a ${words[1]} -d ${quote(summary)}`));
}

function commandLines({ words, options, positionals }: CommandCompletion): string[] {
  const condition = words.map(seen).join("; and ");
  return [
    ...options.map((option) => complete(condition, optionText(option))),
    ...positionals.slice(0, 1).map((values) => complete(condition, valueText(values))),
  ];
}

function optionText({ long, short, help, value }: OptionCompletion): string {
  const names = `-l ${long.slice(2)}${short === undefined ? "" : ` -s ${short.slice(1)}`}`;
  const takes = value === undefined ? "" : ` -r ${valueText(value)}`;
  return `${names}${takes} -d ${quote(help)}`.replace("  ", " ");
}

function valueText(values: Values): string {
  if (values.kind === "words") return `-f -a ${quote(values.words.join(" "))}`;
  return values.kind === "file" ? "-F" : "-f";
}

const seen = (name: string): string => `__fish_seen_subcommand_from ${name}`;
const complete = (condition: string, rest: string): string =>
  `complete -c tslab -n ${quote(condition)} ${rest}`;
const quote = (text: string): string => `'${text.replace(/[\\']/g, "\\$&")}'`;
