/** Completion for zsh: a file `_tslab` in a folder of $fpath, or sourced after compinit. */
import type { CommandCompletion, CompletionModel, OptionCompletion, Values } from "./model.js";

export function zshScript({ first, commands }: CompletionModel): string {
  const groups = new Map<string, CommandCompletion[]>();
  for (const command of commands.filter(({ words }) => words.length === 2)) {
    const name = command.words[0] as string;
    groups.set(name, [...(groups.get(name) ?? []), command]);
  }
  return `#compdef tslab temporal-slab
# tslab completion for zsh: source <(tslab completion zsh), after compinit
_tslab() {
  local -a first=(
${describeLines(first)}
  )
  if ((CURRENT == 2)); then
    _describe command first
    return
  fi
  local command=$words[2]
  shift words
  ((CURRENT--))
  case $command in
    help) _describe command first; return ;;
${[...groups].map(([name, members]) => groupCase(name, members)).join("\n")}
  esac
  case $command in
${commands.map(argumentsCase).join("\n")}
  esac
}
if [[ $funcstack[1] == _tslab ]]; then _tslab "$@"; else compdef _tslab tslab temporal-slab; fi
`;
}

function groupCase(name: string, members: readonly CommandCompletion[]): string {
  const rows = members.map(({ words, summary }) => ({ name: words[1] as string, summary }));
  return `    ${name})
      if ((CURRENT == 2)); then
        local -a inner=(
${describeLines(rows)}
        )
        _describe command inner
        return
      fi
      command="$command $words[2]"
      shift words
      ((CURRENT--)) ;;`;
}

function argumentsCase({ words, options, positionals }: CommandCompletion): string {
  const specs = [
    ...options.flatMap(optionSpecs),
    ...positionals.map((positional, i) => `${i + 1}:${positional.name}:${action(positional)}`),
  ];
  return `    ${quote(words.join(" "))})\n      _arguments -S \\\n${specs.map((spec) => `        ${quote(spec)}`).join(" \\\n")} ;;`;
}

function optionSpecs({ long, short, help, value }: OptionCompletion): string[] {
  const what = `[${escaped(help)}]`;
  if (value === undefined) return [long, ...(short === undefined ? [] : [short])].map((name) => name + what);
  const argument = `:${escaped(value.name)}:${action(value)}`;
  // "=": the value may follow behind an equals sign or as the next word; "+" likewise for one letter.
  return [`${long}=${what}${argument}`, ...(short === undefined ? [] : [`${short}+${what}${argument}`])];
}

function action(values: Values): string {
  if (values.kind === "words") return `(${values.words.join(" ")})`;
  return values.kind === "file" ? "_files" : " ";
}

const describeLines = (rows: readonly { readonly name: string; readonly summary: string }[]): string =>
  rows.map(({ name, summary }) => `    ${quote(`${name}:${summary.replaceAll(":", "\\:")}`)}`).join("\n");

/** Colons and brackets mean something to _arguments. */
const escaped = (text: string): string => text.replace(/[\\:[\]]/g, "\\$&");
const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
