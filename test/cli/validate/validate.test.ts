/**
 * Defends: `validate` takes every kind of document and says which it is, lists all problems of a wrong one by JSON pointer,
 * and agrees with the reader: what it calls valid can be read.
 * Method: texts by hand; documents with one value replaced at random (fast-check).
 */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { jsonText } from "../../../src/cli/json.js";
import { checkText } from "../../../src/cli/validate/check.js";
import { readStats } from "../../../src/stats.js";
import { benchFile, ourDocument, statsDump } from "../../stats/document/fixtures.js";
import { type DocumentFolder, documentFolder } from "../documents.js";
import { runCli } from "../run-cli.js";

describe("the check", () => {
  it("takes documents of all kinds and says what they lack", () => {
    const ours = checkText(jsonText(ourDocument()));
    expect(ours).toMatchObject({ valid: true, shape: "temporal-slab", problems: [], repairs: [] });
    const dump = checkText(jsonText(statsDump()));
    expect(dump).toMatchObject({ valid: true, shape: "c-stats-dump" });
    expect(dump.missing.find(({ path }) => path === "")?.names).toContain("workers");
    expect(dump.repairs.map(({ pointer }) => pointer)).toEqual([
      "/current_epoch",
      "/net_slabs",
      "/classes/2/net_slabs",
      "/epochs/12/total_reclaimable_slabs",
    ]);
    const bench = checkText(jsonText(benchFile()));
    expect(bench).toMatchObject({ valid: true, shape: "c-synthetic-bench" });
    expect(bench.repairs.at(-1)?.message).toBe("128 rows by class folded into 16 by ring slot");
  });

  it("lists every problem", () => {
    const document = JSON.parse(jsonText(ourDocument()));
    document.classes[3].object_size = "big";
    document.epochs[5].state = "OPEN";
    delete document.pid;
    const { valid, problems } = checkText(JSON.stringify(document));
    expect(valid).toBe(false);
    expect(problems).toEqual([
      { pointer: "", message: "must have required property 'pid'" },
      { pointer: "/classes/3/object_size", message: "must be integer" },
      {
        pointer: "/epochs/5/state",
        message: 'must be equal to one of the allowed values "ACTIVE", "CLOSING"',
      },
    ]);
  });

  it("finds what a schema cannot say", () => {
    const document = JSON.parse(jsonText(ourDocument()));
    document.epochs[5].epoch_id = 99;
    const { valid, problems } = checkText(JSON.stringify(document));
    expect([valid, problems[0]?.message]).toEqual([
      false,
      "stats document: epochs[5].epoch_id is 99; it must be below epoch_count, 16",
    ]);
  });

  it.each(["", "[", "nul", '{"a":1,}', "\u0000", `{"a":${"9".repeat(5000)}}`])(
    "refuses %j as JSON",
    (text) => {
      const { valid, problems, shape } = checkText(text);
      expect([valid, shape]).toEqual([false, "unknown"]);
      expect(problems[0]?.message).toMatch(/^malformed JSON at position \d+/);
    },
  );

  it("calls valid only what can be read", () => {
    const paths: string[][] = [];
    const walk = (value: unknown, path: string[]): void => {
      paths.push(path);
      if (typeof value === "object" && value !== null) {
        for (const [key, item] of Object.entries(value)) walk(item, [...path, key]);
      }
    };
    const text = jsonText(statsDump());
    walk(JSON.parse(text), []);
    fc.assert(
      fc.property(fc.constantFrom(...paths.slice(1)), fc.jsonValue(), (path, value) => {
        const document = JSON.parse(text);
        const parent = path.slice(0, -1).reduce((row, key) => row[key], document);
        parent[path.at(-1) as string] = value;
        const changed = JSON.stringify(document);
        if (checkText(changed).valid) readStats(changed);
      }),
      { numRuns: 150 },
    );
  });
});

describe("the program", () => {
  let folder: DocumentFolder;
  beforeAll(() => {
    folder = documentFolder();
  });
  afterAll(() => folder.remove());

  it("exits with 0 for a valid document, 1 for a wrong one, 2 for none", async () => {
    folder.write(
      "wrong.json",
      '{"schema_version": 1, "label_registry": {"labels": {"\\u001b[2J": 5}}, "classes": [{}]}',
    );
    folder.write("text.json", "hello");
    const run = (name: string, ...more: string[]) =>
      runCli(["validate", name, ...more], undefined, { cwd: folder.path });
    const [valid, wrong, text, none, json] = await Promise.all([
      run("c-bench.json"),
      run("wrong.json"),
      run("text.json"),
      run("none.json"),
      run("wrong.json", "--json"),
    ]);
    expect([valid.code, wrong.code, text.code, none.code, json.code]).toEqual([0, 1, 1, 2, 1]);
    expect(valid.stdout).toMatch(
      /^c-bench.json: valid; a document of the C allocator, as its synthetic_bench/,
    );
    expect(wrong.stdout).toMatch(/^wrong.json: \d+ problems; a document of the C allocator/);
    expect(wrong.stdout).toMatch(/^ {2}\/classes\/0: must have required property 'class_index'$/m);
    expect(wrong.stdout).toContain("  /label_registry/labels/\\u{1b}[2J: must be string\n");
    expect(text.stdout).toMatch(/malformed JSON at position 0/);
    const verdict = JSON.parse(json.stdout);
    expect(verdict).toMatchObject({ source: "wrong.json", valid: false, shape: "c-stats-dump" });
    expect(verdict.problems.length).toBeGreaterThan(5);
  });
});
