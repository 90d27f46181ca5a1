/**
 * Defends: a command line names one source or none, and hostile names are refused or taken as what they are, before
 * anything is opened.
 * Method: cases by hand; arbitrary texts as paths, addresses, commands and variables (fast-check).
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseOptions, UsageError } from "../../../src/cli/args.js";
import { chooseSource, type SourceChoice, sourceFromText } from "../../../src/cli/sources/choose.js";
import { SOURCE_OPTIONS, SOURCE_POSITIONAL, TOKEN_OPTIONS } from "../../../src/cli/sources/options.js";

function choose(argv: readonly string[], env: Record<string, string> = {}): SourceChoice {
  const options = parseOptions(argv, { ...SOURCE_OPTIONS, ...TOKEN_OPTIONS }, [SOURCE_POSITIONAL]);
  return chooseSource(options, options.positionals, env);
}

describe("one source", () => {
  it.each<[argv: string[], choice: object]>([
    [["--stdin"], { kind: "stdin" }],
    [["-"], { kind: "stdin" }],
    [["a.json"], { kind: "file", path: "a.json" }],
    [["--", "--stdin"], { kind: "file", path: "--stdin" }],
    [["--url", "http://h:1/x"], { kind: "url", url: new URL("http://h:1/x") }],
    [["--exec", "a | b"], { kind: "exec", command: "a | b" }],
    [["--demo", "leak"], { kind: "demo", pattern: "leak", asked: true }],
    [[], { kind: "demo", pattern: "burst", asked: false }],
  ])("%j", (argv, choice) => {
    expect(choose(argv)).toEqual(choice);
  });

  it.each<[value: string, choice: object]>([
    ["-", { kind: "stdin" }],
    ["exec:echo -n", { kind: "exec", command: "echo -n" }],
    ["HTTPS://h/", { kind: "url", url: new URL("https://h/") }],
    ["a b.json", { kind: "file", path: "a b.json" }],
    ["", { kind: "demo", pattern: "burst", asked: false }],
  ])("$TSLAB_SOURCE=%s", (value, choice) => {
    expect(choose([], { TSLAB_SOURCE: value })).toEqual(choice);
    expect(choose(["b.json"], { TSLAB_SOURCE: value })).toEqual({ kind: "file", path: "b.json" });
  });
});

describe("refused", () => {
  it.each<[argv: string[], message: string]>([
    [["a.json", "--stdin"], 'the file "a.json" and --stdin both say what to read; leave one of them out'],
    [["--url", "http://h", "--exec", "x"], "--url and --exec both say what to read; leave one of them out"],
    [["--demo", "leak", "-"], "- and --demo both say what to read; leave one of them out"],
    [["--url", "h:2112"], '--url: "h:2112" is no http:// or https:// address; did you mean http://h:2112?'],
    [["--url", "ftp://h/"], '--url: "ftp://h/" is no http:// or https:// address'],
    [["--url", "http://"], '--url: "http://" is no http:// or https:// address'],
    [
      ["--url", "http://u:p@h/"],
      "--url: the address carries a password; use --token or $TSLAB_TOKEN instead",
    ],
    [["--exec", " "], "--exec: the command is empty"],
    [["a\0b"], 'FILE: "a\\u{0}b" has a NUL character; no path has'],
  ])("%j", (argv, message) => {
    expect(() => choose(argv)).toThrow(new UsageError(message));
  });
});

it("makes one harmless line or a choice of any text", () => {
  const hostile = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.webUrl(),
    fc.string().map((text) => `exec:${text}`),
    fc.string().map((text) => `http://${text}`),
  );
  fc.assert(
    fc.property(hostile, (text) => {
      let choice: SourceChoice;
      try {
        choice = sourceFromText(text, "BEFORE");
      } catch (error) {
        expect(error).toBeInstanceOf(UsageError);
        expect((error as Error).message).toMatch(/^BEFORE: [^\p{Cc}\p{Cf}]+$/u);
        return;
      }
      if (choice.kind === "file") expect(choice.path).toBe(text);
      if (choice.kind === "exec") expect(`exec:${choice.command}`).toBe(text);
      if (choice.kind === "url") expect(choice.url.protocol).toMatch(/^https?:$/);
    }),
    { numRuns: 500 },
  );
});
