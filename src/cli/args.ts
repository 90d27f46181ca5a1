/**
 * Option parsing for every command: a table of options in, checked values or a `UsageError` out.
 *
 * A message names the option, the value given and what is allowed, so that a reader can correct
 * the command line without opening the help. `_` and `-` are the same in an option name: the C
 * program of the same name writes `--req_rate`.
 */
import { parseArgs } from "node:util";
import type { Positional } from "./command.js";
import { formatDuration, parseBytes, parseDuration, printable } from "./format.js";
import { suggestion } from "./words.js";

/** A command line that cannot be used. Printed as one line; exit code 2. */
export class UsageError extends Error {
  override readonly name: string = "UsageError";
}

/** The command line is fine, but what it names cannot be read or written: a file, an address, a command. Exit code 2. */
export class InputError extends UsageError {
  override readonly name = "InputError";
}

interface OptionBase {
  /** Second column of the help. */
  readonly help: string;
  /** Other names that mean the same option. */
  readonly aliases?: readonly string[];
  readonly short?: string;
  /** Accepted, but not in the help and not completed. */
  readonly hidden?: boolean;
  /** No message shows its value. */
  readonly secret?: boolean;
}

/** What one option accepts; `value` is the placeholder the help shows. */
export type OptionSpec =
  | (OptionBase & { readonly kind: "flag" })
  | (OptionBase & { readonly kind: "text"; readonly value: string })
  /** As text; completion offers file names. */
  | (OptionBase & { readonly kind: "file"; readonly value: string })
  | (OptionBase & { readonly kind: "choice"; readonly choices: readonly string[]; readonly value?: string })
  | (OptionBase & {
      /** `duration`: `500ms`, `5s`, `1m`; limits and result in milliseconds. */
      readonly kind: "number" | "integer" | "bytes" | "duration";
      readonly value: string;
      readonly min: number;
      readonly max: number;
    });

export type OptionTable = Readonly<Record<string, OptionSpec>>;

type Value = string | number | true;

/** Checked option values by name; an option that was not given is absent. */
export class ParsedOptions {
  /** Arguments that are no options, in order. */
  readonly positionals: readonly string[];
  readonly #values: ReadonlyMap<string, Value>;

  constructor(values: ReadonlyMap<string, Value>, positionals: readonly string[] = []) {
    this.#values = values;
    this.positionals = positionals;
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** The number given for `name` (of a duration: milliseconds), or undefined. */
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

/**
 * Parses `argv` (without the command's name) against the tables. What follows `--` is no option, whatever it looks like.
 * Throws `UsageError`.
 */
export function parseOptions(
  argv: readonly string[],
  table: OptionTable,
  positionals: readonly Positional[] = [],
): ParsedOptions {
  const all: OptionTable = { ...table, ...COMMON_OPTIONS };
  const names = namesOf(all);
  const end = argv.indexOf("--");
  const { tokens } = parseArgs({
    args: argv.map((arg, i) => (end >= 0 && i > end ? arg : hyphenated(arg, names))),
    strict: false,
    tokens: true,
    options: Object.fromEntries(
      [...names].map(([given, name]) => [given, parserConfig(all[name] as OptionSpec, given)]),
    ),
  });
  const values = new Map<string, Value>();
  const texts = new Map<string, string | undefined>();
  const rest: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") rest.push(token.value);
    if (token.kind !== "option") continue;
    const name = names.get(token.name);
    const spec = name === undefined ? undefined : all[name];
    if (name === undefined || spec === undefined) throw unknownOption(token.rawName, [...names.keys()]);
    const swallowed = token.inlineValue === false && swallowedOption(token.value, names);
    values.set(name, checkedValue(`--${name}`, spec, swallowed ? undefined : token.value));
    if (texts.has(name) && spec.kind !== "flag") throw givenTwice(name, spec, texts.get(name), token.value);
    texts.set(name, token.value);
  }
  // Whoever asks for help gets it, however incomplete the rest is.
  return new ParsedOptions(values, values.has("help") ? rest : checkedPositionals(rest, positionals));
}

/** Checks one value against its spec; also used for a value taken from inside another option. */
export function checkedValue(option: string, spec: OptionSpec, value: string | undefined): Value {
  if (spec.kind === "flag") {
    if (value === undefined) return true;
    throw new UsageError(
      `${option}: got "${printable(value)}"; this option takes no value, write just ${option}`,
    );
  }
  if (value === undefined || value === "") {
    throw new UsageError(`${option}: a value is missing; expected ${allowed(spec)}`);
  }
  if (spec.kind === "text" || spec.kind === "file") return value;
  if (spec.kind === "choice") {
    const choice = spec.choices.find((name) => sameWord(name, value));
    if (choice === undefined) {
      throw badValue(option, value, allowed(spec) + suggestion(value, spec.choices));
    }
    return choice;
  }
  const number = PARSERS[spec.kind](value);
  if (number === undefined || number < spec.min || number > spec.max) {
    throw badValue(option, value, allowed(spec));
  }
  if (spec.kind === "integer" && !Number.isInteger(number)) throw badValue(option, value, allowed(spec));
  return number;
}

const PARSERS = { number: parseNumber, integer: parseNumber, bytes: parseBytes, duration: parseDuration };

/** The error for a value outside what `expected` describes. */
export function badValue(option: string, value: string, expected: string): UsageError {
  return new UsageError(`${option}: got "${printable(value)}"; expected ${expected}`);
}

/** Help text of a table: one aligned line per option. */
export function describeOptions(table: OptionTable): string {
  const shown = Object.entries({ ...table, ...COMMON_OPTIONS }).filter(([, spec]) => spec.hidden !== true);
  const rows = shown.map(([name, spec]) => {
    const short = spec.short === undefined ? "    " : `-${spec.short}, `;
    return [`  ${short}--${name}${placeholder(spec)}`, spec.help] as const;
  });
  const width = Math.max(...rows.map(([left]) => left.length)) + 2;
  return rows.map(([left, help]) => left.padEnd(width) + help).join("\n");
}

function placeholder(spec: OptionSpec): string {
  if (spec.kind === "flag") return "";
  return ` ${spec.value ?? "NAME"}`;
}

function allowed(spec: OptionSpec): string {
  switch (spec.kind) {
    case "choice":
      return `one of ${spec.choices.join(", ")}`;
    case "bytes":
      return `bytes from ${spec.min} to ${spec.max}, such as 65536, 64KiB or 64MiB`;
    case "duration":
      return `a time from ${formatDuration(spec.min)} to ${formatDuration(spec.max)}, such as 500ms, 5s or 1m`;
    case "integer":
      return `a whole number from ${spec.min} to ${spec.max}`;
    case "number":
      return `a number from ${spec.min} to ${spec.max}`;
    case "flag":
      return "no value";
    default:
      return spec.value;
  }
}

function checkedPositionals(given: readonly string[], positionals: readonly Positional[]): readonly string[] {
  const extra = given[positionals.length];
  if (extra !== undefined) {
    const names = positionals.map(({ name }) => name).join(" ");
    const takes =
      positionals.length === 0 ? "every setting is an option" : `${names} is all there is besides options`;
    throw new UsageError(`unexpected argument "${printable(extra)}"; ${takes}`);
  }
  const missing = positionals.find(({ optional }, i) => optional !== true && i >= given.length);
  if (missing !== undefined) throw new UsageError(`${missing.name} is missing: ${missing.help}`);
  return given.map((value, i) => {
    const { name, choices } = positionals[i] as Positional;
    if (choices === undefined || choices.includes(value)) return value;
    throw badValue(name, value, `one of ${choices.join(", ")}${suggestion(value, choices)}`);
  });
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

/** What is no option stays as it was typed: the message about it shows it. */
function hyphenated(arg: string, names: ReadonlyMap<string, string>): string {
  const [given = ""] = arg.split("=", 1);
  const name = given.slice(2).replaceAll("_", "-");
  return given.startsWith("--") && names.has(name) ? `--${name}${arg.slice(given.length)}` : arg;
}

/** `--url --json`: the value was forgotten, and the next option taken for it. */
function swallowedOption(value: string | undefined, names: ReadonlyMap<string, string>): boolean {
  if (value === undefined || !value.startsWith("--")) return false;
  const [name = ""] = value.slice(2).split("=");
  return names.has(name);
}

function sameWord(a: string, b: string): boolean {
  return a.replaceAll("_", "-") === b.toLowerCase().replaceAll("_", "-");
}

function parseNumber(text: string): number | undefined {
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return undefined;
  return Number(text);
}

function givenTwice(
  name: string,
  { secret = false }: OptionSpec,
  first: string | undefined,
  second: string | undefined,
): UsageError {
  const values = secret ? "" : `, "${printable(first ?? "")}" and "${printable(second ?? "")}"`;
  return new UsageError(`--${name}: given twice${values}; leave one of them out`);
}

function unknownOption(given: string, known: readonly string[]): UsageError {
  const wanted = given.replace(/^-+/, "").replaceAll("_", "-");
  const hint = suggestion(wanted, known).replace("mean ", "mean --");
  return new UsageError(`${printable(given)}: unknown option${hint}`);
}
