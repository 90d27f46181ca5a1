/** Which source a command line names. Nothing is opened here. */
import { type ParsedOptions, UsageError } from "../args.js";
import { printable } from "../format.js";
import type { PatternName } from "../workload/patterns.js";
import { SOURCE_VARIABLE } from "./options.js";

export type SourceChoice =
  | { readonly kind: "stdin" }
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "url"; readonly url: URL }
  | { readonly kind: "exec"; readonly command: string }
  | {
      readonly kind: "demo";
      readonly pattern: PatternName;
      /** False when nothing at all was named. */
      readonly asked: boolean;
    };

type Environment = Readonly<Record<string, string | undefined>>;

/** Throws `UsageError` when two sources are named, or one that cannot be. */
export function chooseSource(
  options: ParsedOptions,
  positionals: readonly string[],
  env: Environment,
): SourceChoice {
  const named = [
    ...positionals.map((path) => (path === "-" ? "-" : `the file "${printable(path)}"`)),
    ...["stdin", "url", "exec", "demo"].filter((name) => options.has(name)).map((name) => `--${name}`),
  ];
  const [first, second] = named;
  if (second !== undefined) {
    throw new UsageError(`${first} and ${second} both say what to read; leave one of them out`);
  }
  const [path] = positionals;
  const url = options.text("url");
  const command = options.text("exec");
  const pattern = options.text("demo") as PatternName | undefined;
  if (options.has("stdin") || path === "-") return { kind: "stdin" };
  if (path !== undefined) return fileChoice(path, "FILE");
  if (url !== undefined) return { kind: "url", url: sourceUrl(url, "--url") };
  if (command !== undefined) return execChoice(command, "--exec");
  if (pattern !== undefined) return { kind: "demo", pattern, asked: true };
  return fromVariable(env[SOURCE_VARIABLE]) ?? { kind: "demo", pattern: "burst", asked: false };
}

/** One text for any source, as in the variable and in `diff`: an address, `exec:COMMAND`, `-` or a path. */
export function sourceFromText(text: string, option: string): SourceChoice {
  if (text === "-") return { kind: "stdin" };
  if (text.startsWith("exec:")) return execChoice(text.slice("exec:".length), option);
  if (/^https?:\/\//i.test(text)) return { kind: "url", url: sourceUrl(text, option) };
  return fileChoice(text, option);
}

function fromVariable(text: string | undefined): SourceChoice | undefined {
  return text === undefined || text === "" ? undefined : sourceFromText(text, `$${SOURCE_VARIABLE}`);
}

function fileChoice(path: string, option: string): SourceChoice {
  if (path === "") throw new UsageError(`${option}: the path is empty`);
  if (path.includes("\0"))
    throw new UsageError(`${option}: "${printable(path)}" has a NUL character; no path has`);
  return { kind: "file", path };
}

function execChoice(command: string, option: string): SourceChoice {
  if (command.trim() === "") throw new UsageError(`${option}: the command is empty`);
  if (command.includes("\0")) throw new UsageError(`${option}: the command has a NUL character; none may`);
  return { kind: "exec", command };
}

function sourceUrl(text: string, option: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== "http:" && url.protocol !== "https:")) {
    const completed = `http://${text}`;
    const hint =
      URL.canParse(completed) && !text.includes("://") ? `; did you mean ${printable(completed)}?` : "";
    throw new UsageError(`${option}: "${printable(text)}" is no http:// or https:// address${hint}`);
  }
  if (url.username !== "" || url.password !== "") {
    throw new UsageError(`${option}: the address carries a password; use --token or $TSLAB_TOKEN instead`);
  }
  return url;
}
