/**
 * Defends: `stats` and `dump` show what a document says, of all kinds, within the terminal's width and with nothing in it
 * that a terminal would obey; dump keeps to the streams of the C program.
 * Method: pages rendered from documents with hostile labels (fast-check) and compared with figures by hand; the program as a
 * child process.
 */
import { stripVTControlCharacters } from "node:util";
import fc from "fast-check";
import { createColors } from "picocolors";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { renderSummary } from "../../../src/cli/stats/summary.js";
import { displayWidth } from "../../../src/cli/tables/index.js";
import { readStats, type StatsDocument } from "../../../src/stats.js";
import { benchFile, ourDocument, statsDump } from "../../stats/document/fixtures.js";
import { type DocumentFolder, documentFolder } from "../documents.js";
import { runCli } from "../run-cli.js";

const page = (document: StatsDocument, columns = Infinity, colors = false): string =>
  renderSummary(document, "x.json", { colors: createColors(colors), columns: () => columns });

/** Cells of the row of a table that begins with `first`. */
function row(text: string, title: string, first: string): string[] {
  const table = text.split(title)[1]?.split("\n\n")[0] ?? "";
  const line = table.split("\n").find((candidate) => candidate.trim().startsWith(`${first} `)) ?? "";
  return line.trim().split(/ {2,}/);
}

describe("the page", () => {
  it("shows a document of ours", () => {
    const text = page(ourDocument());
    expect(text).toMatch(/^Heap h1, process 74916, from x.json, 2026-02-07 17:48:41 UTC\n/);
    expect(text).toContain("Slow path  50 times, 6.25% of all allocations; 5 took a slab never used before");
    expect(row(text, "Size classes", "2").slice(0, 5)).toEqual(["2", "128 B", "0", "3", "2"]);
    expect(row(text, "Epochs that hold", "12")).toEqual(
      expect.arrayContaining(["12", "9,996", "CLOSING", "10 min", "2", "background-worker-3"]),
    );
    expect(row(text, "Threads", "1").slice(0, 4)).toEqual(["1", "LIVE", "0", "700"]);
    expect(row(text, "Latency", "alloc")[1]).toBe("5");
  });

  it("shows both shapes of the C allocator's, without what they do not have", () => {
    const dump = page(readStats(statsDump()));
    expect(dump).toMatch(/^Heap of the C allocator, process 74916, from x.json, 2026/);
    expect(dump).not.toMatch(/Threads|Latency|committed/);
    expect(dump).toContain("Traffic    800 allocated, 720 freed\n");
    const bench = page(readStats(benchFile()));
    expect(bench).toMatch(/^Traffic {4}[\d,]+ allocated$/m);
    expect(bench).toMatch(/^Heap of the C allocator, process 74916, from x.json\n/);
    expect(bench).toContain("Benchmark  requests completed 2,000, objects allocated 280,000");
    expect(row(bench, "Epochs that hold", "1")).toEqual(expect.arrayContaining(["90 s", "40 KiB", "leaky"]));
  });

  it("keeps every digit of counts, and has no date where there cannot be one", () => {
    const document = readStats({
      ...statsDump(),
      total_slabs_recycled: 2n ** 60n + 1n,
      timestamp_ns: 2n ** 63n * 10_000n,
    });
    expect(page(document)).toContain("1,152,921,504,606,846,977 slabs recycled");
    expect(page(document)).toMatch(/^Heap of the C allocator, process 74916, from x.json\n/);
  });

  it("lists the first rows of very many", () => {
    const document = ourDocument();
    const [row] = document.epochs;
    const epochs = Array.from({ length: 1000 }, (_, epoch_id) => ({ ...row, epoch_id, refcount: 1 }));
    const text = page({ ...document, epochs } as StatsDocument);
    expect(text).toMatch(/\n {3}63 .*\nand 936 more\n/);
  });

  it("keeps tables to the width, and labels harmless", () => {
    const label = fc.string({ unit: "binary", maxLength: 31 });
    fc.assert(
      fc.property(label, fc.integer({ min: 40, max: 200 }), (hostile, columns) => {
        const document = ourDocument();
        const epochs = document.epochs.map((epoch) => ({ ...epoch, label: hostile }));
        const text = page({ ...document, epochs }, columns);
        expect(text.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}]/u);
        const tables = text.split("\n").slice(9);
        for (const line of tables) expect(displayWidth(line)).toBeLessThanOrEqual(Math.max(columns, 60));
      }),
      { numRuns: 60 },
    );
  });

  it("is coloured only when told", () => {
    expect(page(ourDocument())).not.toContain("\u001b");
    expect(stripVTControlCharacters(page(ourDocument(), Infinity, true))).toBe(page(ourDocument()));
  });
});

describe("the program", () => {
  let folder: DocumentFolder;
  beforeAll(() => {
    folder = documentFolder();
  });
  afterAll(() => folder.remove());

  const run = (args: readonly string[], env = {}) => runCli(args, undefined, { cwd: folder.path, env });

  it("stats prints the page, coloured where asked for", async () => {
    const [plain, coloured] = await Promise.all([
      run(["stats", "c-dump.json"]),
      run(["stats", "c-dump.json"], { FORCE_COLOR: "1" }),
    ]);
    expect(plain).toMatchObject({ code: 0, stderr: "" });
    expect(plain.stdout).toMatch(/^Heap of the C allocator/);
    expect(coloured.stdout.startsWith("\u001b[1mHeap")).toBe(true);
  });

  it("dump sends JSON to stdout and text to stderr", async () => {
    const [both, json, text, doctor, none, contradiction, bad] = await Promise.all([
      run(["dump", "c-dump.json"]),
      run(["dump", "c-dump.json", "--json", "--no-text"]),
      run(["dump", "c-dump.json", "--no-json", "--text"]),
      run(["dump", "c-dump.json", "--no-json", "--no-text", "--doctor"]),
      run(["dump", "c-dump.json", "--no-json", "--no-text"]),
      run(["dump", "c-dump.json", "--no-json", "--json"]),
      run(["dump", "c-dump.json", "--jsn"]),
    ]);
    expect(JSON.parse(both.stdout).current_epoch).toBe(10002);
    expect(both.stderr).toMatch(/^Heap of the C allocator/);
    expect(json).toEqual({ code: 0, stdout: both.stdout, stderr: "" });
    expect(text).toEqual({ code: 0, stdout: "", stderr: both.stderr });
    expect(doctor).toMatchObject({ code: 0, stdout: "" });
    expect(doctor.stderr).toMatch(
      /background-worker-3\) open 10 min, refcount=2: entered twice, never exited/,
    );
    expect(none).toMatchObject({ code: 2, stdout: "" });
    expect(contradiction.stderr).toMatch(/--json and --no-json contradict each other/);
    expect(bad).toMatchObject({ code: 2, stdout: "" });
  });
});
