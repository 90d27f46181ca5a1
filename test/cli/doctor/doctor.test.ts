/**
 * Defends: `doctor` says in words what the diagnosis found, its threshold and its earlier document count, and exit code 1
 * means leaks.
 * Method: the program as a child process over documents whose leaks are known.
 */
import { afterAll, beforeAll, expect, it } from "vitest";
import { jsonText } from "../../../src/cli/json.js";
import { ourDocument } from "../../stats/document/fixtures.js";
import { type DocumentFolder, documentFolder } from "../documents.js";
import { runCli } from "../run-cli.js";

let folder: DocumentFolder;
beforeAll(() => {
  folder = documentFolder();
});
afterAll(() => folder.remove());

const doctor = (args: readonly string[], env = {}) =>
  runCli(["doctor", ...args], undefined, { cwd: folder.path, env });

it.each(["stats.json", "c-dump.json"])("names the epoch left open in %s", async (name) => {
  const { code, stdout, stderr } = await doctor([name]);
  expect(stdout).toContain(
    "epoch 12 (background-worker-3) open 10 min, refcount=2: entered twice, never exited. Application bug.",
  );
  expect(stdout).toMatch(/^ {3}→ ACTION: find where "background-worker-3" is entered or retained/m);
  expect([code, stderr]).toEqual([1, ""]);
});

it("finds the leaked objects of the second C shape", async () => {
  const { code, stdout } = await doctor(["c-bench.json"]);
  expect(stdout).toMatch(/epoch 1 \(leaky\).*never freed/);
  expect(code).toBe(1);
});

it("counts from --threshold on", async () => {
  const [above, below] = await Promise.all([
    doctor(["stats.json", "--threshold", "11m"]),
    doctor(["stats.json", "--threshold", "10m"]),
  ]);
  expect([above.code, below.code]).toEqual([0, 1]);
});

it("writes findings as JSON", async () => {
  const { code, stdout } = await doctor(["stats.json", "--json"]);
  const report = JSON.parse(stdout);
  expect(report).toMatchObject({
    version: 1,
    healthy: false,
    leaks: 1,
    threshold_sec: 60,
    since: "creation",
  });
  expect(report.findings[0]).toMatchObject({ code: "domain-leak", origin: "application" });
  expect(code).toBe(1);
});

it("judges since an earlier document", async () => {
  const failed = { ...ourDocument(), total_slow_epoch_closed: 7 } as const;
  folder.write("failed.json", jsonText(failed));
  const [ever, since] = await Promise.all([
    doctor(["failed.json", "--json"]),
    doctor(["failed.json", "--json", "--since", "failed.json"]),
  ]);
  expect(JSON.parse(ever.stdout).since).toBe("creation");
  expect(JSON.parse(since.stdout).since).toBe("previous");
});

it("makes headline and actions stand out where colours are wanted", async () => {
  const { stdout } = await doctor(["stats.json"], { FORCE_COLOR: "1" });
  expect(stdout.startsWith("\u001b[31mDoctor's report")).toBe(true);
  expect(stdout).toContain("\n\u001b[36m   → ACTION");
});
