/** Completion for bash, 3.2 and later; needs nothing but bash. */
import type { CommandCompletion, CompletionModel, Values } from "./model.js";

export function bashScript({ first, commands }: CompletionModel): string {
  const groups = commands.filter(({ words }) => words.length === 2);
  const groupNames = [...new Set(groups.map(({ words }) => words[0] as string))];
  return `# tslab completion for bash: source <(tslab completion bash)
_tslab_words() {
  COMPREPLY=($(compgen -W "$1" -- "$cur"))
}

_tslab_files() {
  compopt -o filenames 2>/dev/null
  COMPREPLY=($(compgen -f -- "$cur"))
}

_tslab() {
  local IFS=$'\\n' cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} command=\${COMP_WORDS[1]}
  COMPREPLY=()
  # bash takes --option=value for three words.
  if [[ $cur == = ]]; then cur=
  elif [[ $prev == = ]]; then prev=\${COMP_WORDS[COMP_CWORD-2]}
  fi
  if ((COMP_CWORD == 1)); then
    _tslab_words ${list([...first.map(({ name }) => name), "--help", "--version"])}
    return
  fi
  case $command in
    help)
      _tslab_words ${list(first.map(({ name }) => name))}
      return ;;
${groupNames.map((group) => groupCase(group, groups)).join("\n")}
  esac
  case "$command $prev" in
${commands.flatMap(valueCases).join("\n")}
  esac
  if [[ $cur == -* ]]; then
    case $command in
${commands.map(optionCase).join("\n")}
    esac
    return
  fi
  case $command in
${commands.flatMap(positionalCase).join("\n")}
  esac
}
complete -F _tslab tslab temporal-slab
`;
}

function groupCase(group: string, all: readonly CommandCompletion[]): string {
  const names = all.filter(({ words }) => words[0] === group).map(({ words }) => words[1] as string);
  return `    ${group})
      if ((COMP_CWORD == 2)); then
        _tslab_words ${list(names)}
        return
      fi
      command="$command \${COMP_WORDS[2]}" ;;`;
}

function valueCases({ words, options }: CommandCompletion): string[] {
  return options.flatMap(({ long, short, value }) => {
    if (value === undefined) return [];
    const spellings = short === undefined ? [long] : [long, short];
    const pattern = spellings.map((spelling) => quote(`${words.join(" ")} ${spelling}`)).join("|");
    return [`    ${pattern}) ${action(value)}; return ;;`];
  });
}

function optionCase({ words, options }: CommandCompletion): string {
  const names = options.flatMap(({ long, short }) => (short === undefined ? [long] : [long, short]));
  return `      ${quote(words.join(" "))}) _tslab_words ${list(names)} ;;`;
}

/** Arguments are not counted: with words among them, there is one. */
function positionalCase({ words, positionals }: CommandCompletion): string[] {
  const [positional] = positionals;
  return positional === undefined ? [] : [`    ${quote(words.join(" "))}) ${action(positional)} ;;`];
}

function action(values: Values): string {
  if (values.kind === "words") return `_tslab_words ${list(values.words)}`;
  return values.kind === "file" ? "_tslab_files" : ":";
}

const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
/** Words with line ends between: `IFS` is one. */
const list = (words: readonly string[]): string => `$'${words.join("\\n")}'`;
