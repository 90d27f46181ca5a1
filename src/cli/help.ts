/** Help texts. Made from the tables alone: the overview answers without loading a command. */
import { describeOptions } from "./args.js";
import type { Command, CommandEntry, CommandGroup, Example } from "./command.js";

export const OVERVIEW_EXAMPLES: readonly Example[] = [
  { run: "tslab stats --url http://127.0.0.1:2112", note: "a service's heap in one page" },
  { run: "tslab doctor stats.json", note: "what is wrong with a heap, in words" },
  { run: "tslab serve --port 2112", note: "a live page, and metrics for Prometheus" },
  { run: "tslab workload --pattern leak --duration 10", note: "see which old epochs hold leaked objects" },
];

export function overview(commands: readonly (CommandEntry | CommandGroup)[], version: string): string {
  return [
    `tslab ${version}: run and inspect temporal-slab heaps`,
    "",
    "Usage: tslab COMMAND [OPTIONS]",
    "",
    "Commands:",
    ...columns(commands.map(({ name, summary }) => [name, summary])),
    "",
    "Options:",
    "  -h, --help      show this help, or a command's own after its name",
    "  -v, --version   print the version",
    "",
    "Examples:",
    ...examples(OVERVIEW_EXAMPLES),
    "",
    "Exit codes: 0 fine, 1 a finding (a leak, damage, a failed check), 2 wrong usage or input.",
    "",
  ].join("\n");
}

export function groupHelp({ name, summary, entries }: CommandGroup): string {
  return [
    `tslab ${name}: ${summary}`,
    "",
    `Usage: tslab ${name} ${entries.map((entry) => entry.name).join("|")} [OPTIONS]`,
    "",
    "Commands:",
    ...columns(entries.map((entry) => [`${name} ${entry.name}`, entry.summary])),
    "",
    `'tslab ${name} COMMAND --help' shows the options.`,
    "",
  ].join("\n");
}

export function commandHelp({
  name,
  summary,
  description,
  options,
  positionals = [],
  ...rest
}: Command): string {
  const usage = positionals.map((positional) =>
    positional.optional ? `[${positional.name}]` : positional.name,
  );
  return [
    `tslab ${name}: ${summary}`,
    "",
    description,
    "",
    `Usage: ${["tslab", name, ...usage, "[OPTIONS]"].join(" ")}`,
    "",
    ...(positionals.length === 0
      ? []
      : ["Arguments:", ...columns(positionals.map((positional) => [positional.name, positional.help])), ""]),
    "Options:",
    describeOptions(options),
    "",
    "Examples:",
    ...examples(rest.examples),
    "",
  ].join("\n");
}

function columns(rows: readonly (readonly [left: string, right: string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length)) + 3;
  return rows.map(([left, right]) => `  ${left.padEnd(width)}${right}`);
}

/** Notes stand in a column of their own, as comments, so that a line may be copied whole. */
function examples(list: readonly Example[]): string[] {
  const width = Math.max(...list.filter(({ note }) => note !== undefined).map(({ run }) => run.length), 0);
  return list.map(({ run, note }) =>
    note === undefined ? `  ${run}` : `  ${run.padEnd(width)}   # ${note}`,
  );
}
