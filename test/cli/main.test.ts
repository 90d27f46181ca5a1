/** Defends: the program's own face: overview, help, version, unknown commands, exit codes. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { runCli } from "./run-cli.js";

describe("tslab", () => {
  it("--help shows commands and examples", async () => {
    const { code, stdout, stderr } = await runCli(["--help"]);
    expect(code).toBe(0);
    expect(stderr).toBe("");
    expect(stdout).toMatch(/^ {2}workload +run worker threads/m);
    expect(stdout).toContain("Examples:");
  });

  it("workload --help shows every option with an example", async () => {
    const { code, stdout } = await runCli(["workload", "--help"]);
    expect(code).toBe(0);
    for (const option of [
      "--pattern",
      "--trace",
      "--kill-workers",
      "--epoch-policy",
      "--inject-damage",
      "--json",
    ]) {
      expect(stdout).toContain(option);
    }
    expect(stdout).toContain("tslab workload --req-rate 0 --kill-workers");
  });

  it("--version prints the package's version", async () => {
    const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
    expect(await runCli(["--version"])).toEqual({ code: 0, stdout: `${manifest.version}\n`, stderr: "" });
  });

  it("without a command shows the overview on stderr and exits 2", async () => {
    const { code, stdout, stderr } = await runCli([]);
    expect(code).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toContain("Usage: tslab COMMAND");
  });

  it.each([
    ["wrkload", /unknown command; did you mean workload\?/],
    ["frobnicate", /unknown command; known commands: workload/],
    ["--frob", /unknown option/],
    ["constructor", /unknown command/],
  ])("refuses %s", async (name, message) => {
    const { code, stdout, stderr } = await runCli([name]);
    expect(stderr).toMatch(message);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(stdout).toBe("");
    expect(code).toBe(2);
  });
});
