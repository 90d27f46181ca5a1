/**
 * Defends: the damage check can fail. A canary: a run that scribbles over a live object on purpose
 * must notice, say where, and exit 1.
 */
import { describe, expect, it } from "vitest";
import { runCli, runWorkload } from "../run-cli.js";

describe("tslab workload --inject-damage", () => {
  it.each([
    ["steady", ["--pattern", "steady"]],
    ["leaked objects", ["--pattern", "burst", "--free-policy", "leak:100", "--req-rate", "100"]],
    ["handed-over objects", ["--pattern", "burst", "--handoff", "100"]],
  ])("is noticed: %s", { timeout: 30_000 }, async (_, args) => {
    const { code, report } = await runWorkload([
      ...args,
      "--inject-damage",
      "--duration",
      "1",
      "--threads",
      "2",
    ]);
    expect(code).toBe(1);
    expect(report.ok).toBe(false);
    expect(report.damage.count).toBe(2);
    const [finding] = report.damage.findings;
    expect(finding).toMatchObject({ kind: "stamp", length: 128, at: 124 });
    expect(finding?.handle).toBeGreaterThan(0);
    expect(finding?.offset).toBeGreaterThan(0);
    expect(finding?.expected).toContain("object 100");
    expect(finding?.expected).not.toBe(finding?.found);
    // The scribble is in the payload: it damages the object, never the allocator.
    expect(report.verify.ok).toBe(true);
  });

  it("the readable report says so", { timeout: 30_000 }, async () => {
    const { code, stdout } = await runCli(["workload", "--inject-damage", "--duration", "0.5"]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/stamp: handle \d+ at offset \d+, 128 bytes/);
    expect(stdout).toMatch(/FAILED: \d+ problem/);
  });
});
