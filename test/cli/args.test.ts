/** Defends: option tables are parsed the same way for every command. */
import { describe, expect, it } from "vitest";
import { describeOptions, nearest, type OptionTable, parseOptions, UsageError } from "../../src/cli/args.js";
import { formatBytes, formatTable, parseBytes } from "../../src/cli/format.js";

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
  json: { kind: "flag", help: "json" },
};

describe("parseOptions", () => {
  it("knows names, aliases, short names and underscores", () => {
    for (const argv of [["--wait-time", "2"], ["--wait_time=2"], ["--wait", "2"], ["-w", "2"]]) {
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
});

describe("help and hints", () => {
  it("aligns the options", () => {
    const lines = describeOptions(TABLE).split("\n");
    expect(lines[0]).toMatch(/^ {2}-w, --wait-time SEC +seconds$/);
    expect(lines).toHaveLength(4);
  });

  it("suggests only near misses", () => {
    expect(nearest("patern", ["pattern", "trace"])).toBe("pattern");
    expect(nearest("xyz", ["pattern", "trace"])).toBeUndefined();
  });
});

describe("sizes", () => {
  it.each([
    ["65536", 65536],
    ["64KiB", 65536],
    ["64k", 65536],
    ["64 KB", 65536],
    ["1.5MiB", 1572864],
    ["4GiB", 2 ** 32],
    ["12b", 12],
  ])("parses %s", (text, bytes) => {
    expect(parseBytes(text)).toBe(bytes);
  });

  it.each([["lots"], ["-5"], ["64QiB"], ["1.3"], [""]])("refuses %s", (text) => {
    expect(parseBytes(text)).toBeUndefined();
  });

  it("prints them back", () => {
    expect([0, 1023, 1536, 65536, 2 ** 32].map(formatBytes)).toEqual([
      "0 B",
      "1023 B",
      "1.50 KiB",
      "64 KiB",
      "4 GiB",
    ]);
  });

  it("aligns tables", () => {
    expect(
      formatTable(
        ["a", "name"],
        [
          ["10", "x"],
          ["2", "long"],
        ],
        ["name"],
      ),
    ).toBe(" a  name\n10  x\n 2  long");
  });
});
