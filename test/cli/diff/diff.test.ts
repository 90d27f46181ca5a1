/**
 * Defends: `diff` compares what happened between two documents with what was before, calls 10% more slow paths per
 * allocation or a failed page release a regression and nothing else, and takes any kind of source.
 * Method: documents with chosen counters, at random around the limit (fast-check); the program as a child process.
 */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compare } from "../../../src/cli/diff/compare.js";
import { readStats, type StatsDocument } from "../../../src/stats.js";
import { ourDocument, statsDump } from "../../stats/document/fixtures.js";
import { type DocumentFolder, documentFolder, later } from "../documents.js";
import { runCli } from "../run-cli.js";

const grown = (more: Parameters<typeof later>[1]): StatsDocument =>
  later(ourDocument() as never, more) as unknown as StatsDocument;

describe("regressions", () => {
  it("begin above 10% more slow paths per allocation", () => {
    // Before: 50 slow paths of 800 allocations; in between 800 allocations again.
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 200 }), (slowPaths) => {
        const { regressions, slow_path_rate } = compare(ourDocument(), grown({ slowPaths }));
        expect(slow_path_rate.before).toBe(50 / 800);
        expect(slow_path_rate.after).toBe(slowPaths / 800);
        expect(regressions.map(({ code }) => code)).toEqual(slowPaths > 55 ? ["slow-path-rate"] : []);
      }),
    );
  });

  it("are failed page releases", () => {
    const { regressions } = compare(ourDocument(), grown({ slowPaths: 0, madviseFailures: 1 }));
    expect(regressions).toEqual([{ code: "madvise-failures", message: "1 page-release call failed" }]);
  });

  it("between two heaps compare each from its start", () => {
    const other = {
      ...grown({ slowPaths: 38 }),
      heap: { ...ourDocument().heap, id: "h2", alloc_count: 1600 },
    };
    const { delta, slow_path_rate, regressions } = compare(ourDocument(), other as StatsDocument);
    expect(delta.restarted).toBe(true);
    expect(slow_path_rate.after).toBe(88 / 1600);
    expect(regressions).toEqual([]);
  });

  it("are not guessed where nothing was allocated", () => {
    const same = compare(readStats(statsDump()), readStats(statsDump()));
    expect(same.slow_path_rate).toEqual({ before: 50 / 800, after: null, change_pct: null });
    expect(same.regressions).toEqual([]);
  });
});

describe("the program", () => {
  let folder: DocumentFolder;
  beforeAll(() => {
    folder = documentFolder();
  });
  afterAll(() => folder.remove());
  const diff = (args: readonly string[], input?: string) =>
    runCli(["diff", ...args], undefined, { cwd: folder.path, ...(input !== undefined && { input }) });

  it("shows changes and rates, and fails on a regression when told to", async () => {
    const [shown, failing, backwards] = await Promise.all([
      diff(["before.json", "after.json"]),
      diff(["before.json", "after.json", "--fail-on", "regression"]),
      diff(["after.json", "before.json"]),
    ]);
    expect(shown).toMatchObject({ code: 0, stderr: "" });
    expect(shown.stdout).toContain("10.0s between them");
    expect(shown.stdout).toMatch(/^REGRESSION: slow paths rose from 6.25% to 12.50% of all allocations$/m);
    expect(shown.stdout).toMatch(/^total_slow_path_hits +\+100 +10$/m);
    expect(shown.stdout).toMatch(/^ +2 +128 B +10 .* \+100 +10 /m);
    expect(failing).toEqual({ ...shown, code: 1 });
    expect(backwards.code).toBe(2);
    expect(backwards.stderr).toMatch(/^tslab: diff: the second snapshot is 10 s older .*: swap them\.?$/m);
  });

  it("writes JSON with every digit", async () => {
    const { code, stdout } = await diff(["before.json", "after.json", "--json", "--fail-on=regression"]);
    expect(code).toBe(1);
    expect(stdout).toContain('"timestamp_ns": 1770486521361625486');
    const report = JSON.parse(stdout);
    expect(report).toMatchObject({ report: "tslab-diff", schema_version: 1, seconds: 10, restarted: false });
    expect(report.totals.total_slow_path_hits).toEqual({ delta: 100, perSec: 10 });
    expect(report.regressions).toHaveLength(1);
  });

  it("has no column of frees where the document does not count them", async () => {
    const bench = JSON.parse(readFileSync(folder.file("c-bench.json"), "utf8"));
    const { classes } = bench;
    classes[0].bitmap_alloc_attempts += 10;
    folder.write(
      "bench-later.json",
      JSON.stringify({ ...bench, classes, timestamp_ns: 2 * bench.timestamp_ns }),
    );
    const { stdout } = await diff(["c-bench.json", "bench-later.json"]);
    expect(stdout).toMatch(/^class +object +allocs\/s +slow path/m);
  });

  it("takes C documents, commands and standard input, once", async () => {
    const [heaps, both] = await Promise.all([
      diff(
        ["exec:cat c-dump.json", "-"],
        JSON.stringify(
          JSON.parse(
            JSON.stringify(ourDocument(), (_, value) => (typeof value === "bigint" ? Number(value) : value)),
          ),
        ),
      ),
      diff(["-", "-"]),
    ]);
    expect(heaps.stdout).toMatch(/^exec:cat c-dump.json -> standard input\nTwo heaps \(heap.id differs\)/);
    expect(both).toMatchObject({ code: 2, stdout: "" });
    expect(both.stderr).toMatch(/BEFORE and AFTER cannot both be standard input/);
  });
});
