/**
 * Defends: option tables are parsed the same way for every command, and whatever is typed, the answer is checked values or
 * one line that names the mistake.
 * Method: cases by hand; arbitrary words against a table with every kind of option (fast-check).
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { describeOptions, type OptionTable, parseOptions, UsageError } from "../../src/cli/args.js";
import type { Positional } from "../../src/cli/command.js";
import { nearest } from "../../src/cli/words.js";

const TABLE: OptionTable = {
  "wait-time": {
    kind: "number",
    value: "SEC",
    min: 0,
    max: 10,
    short: "w",
    aliases: ["wait"],
    help: "seconds",
  },
  mode: { kind: "choice", choices: ["per_req", "manual"], help: "mode" },
  every: { kind: "duration", value: "TIME", min: 100, max: 3_600_000, help: "how often" },
  size: { kind: "bytes", value: "BYTES", min: 1, max: 2 ** 30, help: "how large" },
  name: { kind: "text", value: "TEXT", help: "any text" },
  output: { kind: "file", value: "FILE", short: "o", help: "a file" },
  count: { kind: "integer", value: "N", min: 1, max: 9, help: "how many", hidden: true },
  json: { kind: "flag", help: "json" },
};
const FILES: readonly Positional[] = [
  { name: "BEFORE", help: "the older file" },
  { name: "AFTER", help: "the newer one", optional: true },
];

describe("parseOptions", () => {
  it("knows names, aliases, short names and underscores", () => {
    for (const argv of [["--wait-time", "2"], ["--wait_time=2"], ["--wait", "2"], ["-w", "2"], ["-w2"]]) {
      expect(parseOptions(argv, TABLE).number("wait-time")).toBe(2);
    }
  });

  it("returns a choice in its own spelling", () => {
    expect(parseOptions(["--mode", "Per-Req"], TABLE).text("mode")).toBe("per_req");
  });

  it("tells flags that were given from those that were not", () => {
    expect(parseOptions(["--json"], TABLE).has("json")).toBe(true);
    expect(parseOptions([], TABLE).has("json")).toBe(false);
    expect(parseOptions([], TABLE).number("wait-time")).toBeUndefined();
  });

  it("takes a negative number for a value, not for an option", () => {
    expect(() => parseOptions(["--wait", "-1"], TABLE)).toThrow(
      new UsageError('--wait-time: got "-1"; expected a number from 0 to 10'),
    );
  });

  it.each([["0x10"], ["1_000"], [" "], ["Infinity"], ["1e999"]])("refuses %s as a number", (text) => {
    expect(() => parseOptions(["--wait", text], TABLE)).toThrow(UsageError);
  });

  it.each([
    ["100ms", 100],
    ["5s", 5000],
    ["1.5s", 1500],
    ["1m", 60_000],
    ["1h", 3_600_000],
    ["2", 2000],
    ["0.5", 500],
  ])("reads %s as a time", (text, ms) => {
    expect(parseOptions(["--every", text], TABLE).number("every")).toBe(ms);
  });

  it.each([["50ms"], ["2h"], ["5x"], ["s"], ["-1s"], ["1s1s"]])("refuses %s as a time", (text) => {
    expect(() => parseOptions(["--every", text], TABLE)).toThrow(
      `--every: got "${text}"; expected a time from 100ms to 1h, such as 500ms, 5s or 1m`,
    );
  });

  it("refuses a value given twice, not a flag", () => {
    expect(() => parseOptions(["--wait", "1", "--wait_time=2"], TABLE)).toThrow(
      '--wait-time: given twice, "1" and "2"; leave one of them out',
    );
    expect(parseOptions(["--json", "--json"], TABLE).has("json")).toBe(true);
  });

  it("shows what is no option as it was typed", () => {
    expect(() => parseOptions(["--__proto__=1"], TABLE)).toThrow(/^--__proto__: unknown option$/);
    expect(() => parseOptions(["--wait_tme=1"], TABLE)).toThrow(
      /^--wait_tme: unknown option; did you mean --wait-time\?$/,
    );
    expect(parseOptions(["--name=a_b=c_d"], TABLE).text("name")).toBe("a_b=c_d");
  });

  it("notices a forgotten value before an option", () => {
    expect(() => parseOptions(["--name", "--json"], TABLE)).toThrow(
      "--name: a value is missing; expected TEXT",
    );
    expect(parseOptions(["--name=--json"], TABLE).text("name")).toBe("--json");
    expect(parseOptions(["--name", "--other"], TABLE).text("name")).toBe("--other");
  });
});

describe("arguments that are no options", () => {
  it("are counted and come in order", () => {
    expect(parseOptions(["a", "--json", "b"], TABLE, FILES).positionals).toEqual(["a", "b"]);
    expect(parseOptions(["-"], TABLE, FILES).positionals).toEqual(["-"]);
    expect(() => parseOptions([], TABLE, FILES)).toThrow("BEFORE is missing: the older file");
    expect(() => parseOptions(["a", "b", "c"], TABLE, FILES)).toThrow(
      'unexpected argument "c"; BEFORE AFTER is all there is besides options',
    );
    expect(() => parseOptions(["a"], TABLE)).toThrow('unexpected argument "a"; every setting is an option');
  });

  it("may look like options behind --", () => {
    const { positionals } = parseOptions(["--json", "--", "--wait_time", "-x"], TABLE, FILES);
    expect(positionals).toEqual(["--wait_time", "-x"]);
  });

  it("are one of their choices", () => {
    const shell = [{ name: "SHELL", help: "a shell", choices: ["bash", "zsh"] }];
    expect(parseOptions(["zsh"], TABLE, shell).positionals).toEqual(["zsh"]);
    expect(() => parseOptions(["zhs"], TABLE, shell)).toThrow(
      'SHELL: got "zhs"; expected one of bash, zsh; did you mean zsh?',
    );
  });

  it("need not be complete when help is asked for", () => {
    expect(parseOptions(["--help"], TABLE, FILES).has("help")).toBe(true);
  });
});

it("answers any words with checked values or one harmless line", () => {
  const name = fc.constantFrom(...Object.keys(TABLE), "wait", "nope", "");
  const value = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.constantFrom("1", "5s", "manual", "-", "\u001b[2J"),
  );
  const word = fc.oneof(
    value,
    name.map((text) => `--${text}`),
    fc.tuple(name, value).map(([text, given]) => `--${text}=${given}`),
    value.map((text) => `-${text}`),
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 6 }), (argv) => {
      let options: ReturnType<typeof parseOptions>;
      try {
        options = parseOptions(argv, TABLE, FILES);
      } catch (error) {
        expect(error).toBeInstanceOf(UsageError);
        expect((error as Error).message).toMatch(/^[^\p{Cc}\p{Cf}]+$/u);
        return;
      }
      const wait = options.number("wait-time") ?? 0;
      const every = options.number("every") ?? 100;
      expect(wait >= 0 && wait <= 10 && every >= 100 && every <= 3_600_000).toBe(true);
      expect(["per_req", "manual", undefined]).toContain(options.text("mode"));
      expect(options.has("help") || options.positionals.length <= 2).toBe(true);
    }),
    { numRuns: 1000 },
  );
});

describe("help and hints", () => {
  it("aligns the options and leaves hidden ones out", () => {
    const lines = describeOptions(TABLE).split("\n");
    expect(lines[0]).toMatch(/^ {2}-w, --wait-time SEC +seconds$/);
    expect(lines).toHaveLength(Object.keys(TABLE).length);
  });

  it("suggests only near misses", () => {
    expect(nearest("patern", ["pattern", "trace"])).toBe("pattern");
    expect(nearest("xyz", ["pattern", "trace"])).toBeUndefined();
    expect(nearest("x", ["by", "n"])).toBeUndefined();
  });
});
