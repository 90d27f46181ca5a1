/**
 * Option parsing for every command: a table of options in, checked values or a `UsageError` out.
 *
 * A message names the option, the value given and what is allowed, so that a reader can correct
 * the command line without opening the help. `_` and `-` are the same in an option name: the C
 * program of the same name writes `--req_rate`.
 */
import { parseArgs } from "node:util";
import { parseBytes } from "./format.js";

/** A command line or an input that cannot be used. Printed as one line; exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

interface OptionBase {
  /** Second column of the help. */
  readonly help: string;
  /** Other names that mean the same option. */
  readonly aliases?: readonly string[];
  readonly short?: string;
}

/** What one option accepts; `value` is the placeholder the help shows. */
export type OptionSpec =
  | (OptionBase & { readonly kind: "flag" })
  | (OptionBase & { readonly kind: "text"; readonly value: string })
  | (OptionBase & { readonly kind: "choice"; readonly choices: readonly string[] })
  | (OptionBase & {
      readonly kind: "number" | "integer" | "bytes";
      readonly value: string;
      readonly min: number;
      readonly max: number;
    });

export type OptionTable = Readonly<Record<string, OptionSpec>>;

/** Checked option values by name; an option that was not given is absent. */
export class ParsedOptions {
  readonly #values: ReadonlyMap<string, string | number | true>;

  constructor(values: ReadonlyMap<string, string | number | true>) {
    this.#values = values;
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** The number given for `name`, or undefined. */
  number(name: string): number | undefined {
    const value = this.#values.get(name);
    return typeof value === "number" ? value : undefined;
  }

  /** The text given for `name`, or undefined. */
  text(name: string): string | undefined {
    const value = this.#values.get(name);
    return typeof value === "string" ? value : undefined;
  }
}

/** Options every command understands; main.ts acts on them. */
export const COMMON_OPTIONS: OptionTable = {
  help: { kind: "flag", short: "h", help: "show this help and exit" },
};

/** Parses `argv` (without the command name) against `table`. Throws `UsageError`. */
export function parseOptions(argv: readonly string[], table: OptionTable): ParsedOptions {
  const all: OptionTable = { ...table, ...COMMON_OPTIONS };
  const names = namesOf(all);
  const { tokens } = parseArgs({
    args: argv.map(hyphenated),
    strict: false,
    tokens: true,
    options: Object.fromEntries(
      [...names].map(([given, name]) => [given, parserConfig(all[name] as OptionSpec, given)]),
    ),
  });
  const values = new Map<string, string | number | true>();
  for (const token of tokens) {
    if (token.kind === "positional") {
      throw new UsageError(`unexpected argument "${token.value}"; every setting is an option`);
    }
    if (token.kind !== "option") continue;
    const name = names.get(token.name);
    const spec = name === undefined ? undefined : all[name];
    if (name === undefined || spec === undefined) throw unknownOption(token.rawName, [...names.keys()]);
    values.set(name, checkedValue(`--${name}`, spec, token.value));
  }
  return new ParsedOptions(values);
}

/** Checks one value against its spec; also used for a value taken from inside another option. */
export function checkedValue(
  option: string,
  spec: OptionSpec,
  value: string | undefined,
): string | number | true {
  if (spec.kind === "flag") {
    if (value === undefined) return true;
    throw new UsageError(`${option}: got "${value}"; this option takes no value, write just ${option}`);
  }
  if (value === undefined || value === "") {
    throw new UsageError(`${option}: a value is missing; expected ${allowed(spec)}`);
  }
  if (spec.kind === "text") return value;
  if (spec.kind === "choice") {
    const choice = spec.choices.find((name) => sameWord(name, value));
    if (choice === undefined) throw badValue(option, value, allowed(spec));
    return choice;
  }
  const number = spec.kind === "bytes" ? parseBytes(value) : parseNumber(value);
  if (number === undefined || number < spec.min || number > spec.max) {
    throw badValue(option, value, allowed(spec));
  }
  if (spec.kind === "integer" && !Number.isInteger(number)) throw badValue(option, value, allowed(spec));
  return number;
}

/** The error for a value outside what `expected` describes. */
export function badValue(option: string, value: string, expected: string): UsageError {
  return new UsageError(`${option}: got "${value}"; expected ${expected}`);
}

/** Help text of a table: one aligned line per option. */
export function describeOptions(table: OptionTable): string {
  const rows = Object.entries({ ...table, ...COMMON_OPTIONS }).map(([name, spec]) => {
    const short = spec.short === undefined ? "    " : `-${spec.short}, `;
    return [`  ${short}--${name}${placeholder(spec)}`, spec.help] as const;
  });
  const width = Math.max(...rows.map(([left]) => left.length)) + 2;
  return rows.map(([left, help]) => left.padEnd(width) + help).join("\n");
}

function placeholder(spec: OptionSpec): string {
  if (spec.kind === "flag") return "";
  return spec.kind === "choice" ? " NAME" : ` ${spec.value}`;
}

function allowed(spec: OptionSpec): string {
  switch (spec.kind) {
    case "choice":
      return `one of ${spec.choices.join(", ")}`;
    case "bytes":
      return `bytes from ${spec.min} to ${spec.max}, such as 65536, 64KiB or 64MiB`;
    case "integer":
      return `a whole number from ${spec.min} to ${spec.max}`;
    case "number":
      return `a number from ${spec.min} to ${spec.max}`;
    default:
      return "a value";
  }
}

function parserConfig(spec: OptionSpec, given: string): { type: "string" | "boolean"; short?: string } {
  const type = spec.kind === "flag" ? "boolean" : "string";
  const isAlias = spec.aliases?.includes(given) ?? false;
  return spec.short === undefined || isAlias ? { type } : { type, short: spec.short };
}

/** Every accepted spelling -> the option's own name. */
function namesOf(table: OptionTable): Map<string, string> {
  const names = new Map<string, string>();
  for (const [name, spec] of Object.entries(table)) {
    for (const given of [name, ...(spec.aliases ?? [])]) names.set(given, name);
  }
  return names;
}

function hyphenated(arg: string): string {
  if (!arg.startsWith("--")) return arg;
  const end = arg.indexOf("=");
  const name = end < 0 ? arg : arg.slice(0, end);
  return name.replaceAll("_", "-") + (end < 0 ? "" : arg.slice(end));
}

function sameWord(a: string, b: string): boolean {
  return a.replaceAll("_", "-") === b.toLowerCase().replaceAll("_", "-");
}

function parseNumber(text: string): number | undefined {
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return undefined;
  return Number(text);
}

function unknownOption(given: string, known: readonly string[]): UsageError {
  const wanted = given.replace(/^-+/, "");
  const near = nearest(wanted, known);
  const hint = near === undefined ? "" : `; did you mean --${near}?`;
  return new UsageError(`${given}: unknown option${hint}`);
}

/** The known word at most two edits away from `word`, if there is one. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = 3;
  for (const candidate of known) {
    const distance = editDistance(word, candidate);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = previous[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(change, previous[j] + 1, row[j - 1] + 1));
    }
    previous = row;
  }
  return previous[b.length];
}
