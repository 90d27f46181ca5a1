/**
 * Defends: `export prometheus` writes the metrics of any document to stdout or, in one step, into a file; prefixes that no
 * metric can have are refused.
 * Method: the program as a child process; a reader that looks at the file all the while it is replaced.
 */
import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { prometheusText } from "../../../src/telemetry.js";
import { ourDocument } from "../../stats/document/fixtures.js";
import { type DocumentFolder, documentFolder } from "../documents.js";
import { runCli } from "../run-cli.js";

let folder: DocumentFolder;
beforeAll(() => {
  folder = documentFolder();
});
afterAll(() => folder.remove());

const run = (...args: string[]) => runCli(["export", "prometheus", ...args], undefined, { cwd: folder.path });

it("prints what the library says of the document", async () => {
  const [plain, options, c] = await Promise.all([
    run("stats.json"),
    run("c-dump.json", "--prefix", "x_", "--era-label", "--contention-by-label"),
    run("c-bench.json"),
  ]);
  expect(plain).toEqual({ code: 0, stdout: prometheusText(ourDocument()), stderr: "" });
  expect(options.stdout).toMatch(/^x_epoch_refcount\{.*era="9996".*\} 2$/m);
  expect(options.stdout).toMatch(/^x_class_lock_contended_by_label_total\{/m);
  expect(options.stdout).not.toContain("temporal_slab_");
  expect(c.stdout).toMatch(/^temporal_slab_slow_path_hits_total 50$/m);
});

it("replaces a file in one step and leaves nothing else behind", async () => {
  const path = folder.write("metrics.prom", "old 1\n");
  const before = readdirSync(folder.path);
  const seen = new Set<string>();
  const looking = setInterval(() => seen.add(readFileSync(path, "utf8")), 1);
  const { code, stdout } = await run("stats.json", "-o", "metrics.prom");
  clearInterval(looking);
  const now = readFileSync(path, "utf8");
  expect([code, stdout]).toEqual([0, ""]);
  expect(now).toBe(prometheusText(ourDocument()));
  expect([...seen].filter((text) => text !== "old 1\n" && text !== now)).toEqual([]);
  expect(readdirSync(folder.path)).toEqual(before);
});

it("says what cannot be written, and which prefixes cannot be", async () => {
  const [nowhere, device, digit] = await Promise.all([
    run("stats.json", "-o", "no/such/folder/x.prom"),
    run("stats.json", "-o", "/dev/null"),
    run("stats.json", "--prefix", "9x"),
  ]);
  expect(device.code).toBe(2);
  expect(device.stderr).toMatch(/"\/dev\/null" cannot be written: .* is a device, pipe or socket\.$/m);
  expect(nowhere).toMatchObject({ code: 2, stdout: "" });
  expect(nowhere.stderr).toMatch(
    /^tslab: export prometheus: --output: "no\/such\/folder\/x.prom" cannot be written: ENOENT/,
  );
  expect(digit).toMatchObject({ code: 2, stdout: "" });
  expect(digit.stderr).toMatch(/--prefix: got "9x"; expected letters, digits/);
});
