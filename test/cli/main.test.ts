/**
 * Defends: the program's own face: overview, help, version, unknown commands, exit codes; and that the overview answers
 * without loading the library or a command.
 */
import { execFileSync, spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type Command, type CommandEntry, isGroup } from "../../src/cli/command.js";
import { COMMANDS } from "../../src/cli/commands.js";
import { wantsColors } from "../../src/cli/streams.js";
import { cliEnvironment, MAIN, runCli, startCli } from "./run-cli.js";

/** Every command with its line in the table of commands, groups opened up. */
async function allCommands(): Promise<{ entry: CommandEntry; group: string; command: Command }[]> {
  const entries = COMMANDS.flatMap((entry) =>
    isGroup(entry)
      ? entry.entries.map((inner) => ({ entry: inner, group: `${entry.name} ` }))
      : [{ entry, group: "" }],
  );
  return Promise.all(
    entries.map(async ({ entry, group }) => ({ entry, group, command: await entry.load() })),
  );
}

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
    ["frobnicate", /unknown command; known commands: stats, watch, top, doctor/],
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

describe("commands", () => {
  it("have the summaries the overview shows, and help that fits", async () => {
    for (const { entry, group, command } of await allCommands()) {
      expect(command.name).toBe(group + entry.name);
      expect(command.summary).toBe(entry.summary);
      expect(command.examples.length).toBeGreaterThan(0);
      const lines = [command.description, ...Object.values(command.options).map(({ help }) => help)];
      for (const line of lines.join("\n").split("\n")) expect(line.length).toBeLessThanOrEqual(120);
    }
  });

  it("show the same help in every way of asking", async () => {
    const texts = await Promise.all(
      [
        ["help", "diff"],
        ["diff", "--help"],
        ["diff", "-h", "x"],
      ].map(async (args) => (await runCli(args)).stdout),
    );
    expect(new Set(texts).size).toBe(1);
    expect(texts[0]).toMatch(
      /^tslab diff: .*\n\n[\s\S]*Usage: tslab diff BEFORE AFTER \[OPTIONS\]\n\nArguments:\n {2}BEFORE/,
    );
  });

  it("of a group are listed by its help, and named when they are missing or unknown", async () => {
    const [help, inner, missing, unknown] = await Promise.all([
      runCli(["export", "--help"]),
      runCli(["help", "export", "prometheus"]),
      runCli(["export"]),
      runCli(["export", "promtheus"]),
    ]);
    expect(help).toMatchObject({ code: 0, stderr: "" });
    expect(help.stdout).toMatch(/^ {2}export prometheus {3}Prometheus text/m);
    expect(inner.stdout).toMatch(/^tslab export prometheus: /);
    expect(missing).toMatchObject({ code: 2, stdout: "" });
    expect(missing.stderr).toBe(
      "tslab: export: what is missing: one of prometheus; see 'tslab export --help'\n",
    );
    expect(unknown.stderr).toMatch(/unknown export command; did you mean prometheus\?/);
  });
});

it("--help loads neither the library nor a command", () => {
  // A hook in front of Node's module loader writes every module it is asked for to stderr.
  const hook =
    "export async function resolve(s, c, next) { const r = await next(s, c); process._rawDebug(r.url); return r; }";
  const url = (code: string): string => `data:text/javascript,${encodeURIComponent(code)}`;
  const register = url(`import { register } from "node:module"; register(${JSON.stringify(url(hook))});`);
  const loaded = (args: readonly string[]): string[] => {
    const script = `require("node:child_process").spawnSync(process.execPath, process.argv.slice(1), { stdio: ["ignore", "ignore", 1] })`;
    const argv = ["-e", script, "--", "--import", register, MAIN, ...args];
    const text = execFileSync(process.execPath, argv, { encoding: "utf8", env: cliEnvironment() });
    return text.split("\n").filter((line) => line.startsWith("file:"));
  };
  const isLibrary = (path: string): boolean => /\/dist\/[^/]+\.js$/.test(path);
  const isCommand = (path: string): boolean => /\/(command|prometheus)-/.test(path);
  const light = loaded(["--help"]);
  expect(light.some((path) => path.endsWith("/cli/main.js"))).toBe(true);
  expect(light.filter((path) => isLibrary(path) || isCommand(path))).toEqual([]);
  // The same look at a command finds both.
  const heavy = loaded(["stats", "--help"]);
  expect([heavy.some(isLibrary), heavy.some(isCommand)]).toEqual([true, true]);
});

it("ends quietly when nobody reads on", async () => {
  for (const args of [["--help"], ["dump", "--demo", "burst"], ["completion", "bash"]]) {
    const child = startCli(args);
    child.stdout.destroy();
    child.stdin.end();
    let stderr = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    const code = await new Promise((resolve) => child.once("close", resolve));
    expect([code, stderr.includes("EPIPE") || stderr.includes("Error")]).toEqual([0, false]);
  }
});

it.skipIf(!existsSync("/dev/full"))("says that it could not write what was asked for", async () => {
  const full = openSync("/dev/full", "w");
  try {
    for (const args of [["--help"], ["completion", "bash"], ["watch", "--demo", "burst", "-i", "50ms"]]) {
      const child = spawn(process.execPath, [MAIN, ...args], {
        env: cliEnvironment(),
        stdio: ["ignore", full, "pipe"],
      });
      let stderr = "";
      child.stderr?.setEncoding("utf8").on("data", (text: string) => {
        stderr += text;
      });
      const code = await new Promise((resolve) => child.once("close", resolve));
      const own = stderr.replace(/^tslab: demo run .*\n/, "");
      expect([code, own]).toEqual([2, "tslab: standard output: no space left on device\n"]);
    }
  } finally {
    closeSync(full);
  }
});

it("colours terminals that can, and what else is told to be coloured", () => {
  expect(wantsColors({}, true)).toBe(true);
  expect(wantsColors({}, false)).toBe(false);
  expect(wantsColors({ TERM: "dumb" }, true)).toBe(false);
  expect(wantsColors({ NO_COLOR: "1" }, true)).toBe(false);
  expect(wantsColors({ NO_COLOR: "" }, true)).toBe(true);
  expect(wantsColors({ FORCE_COLOR: "1", NO_COLOR: "1" }, false)).toBe(true);
  expect(wantsColors({ FORCE_COLOR: "0" }, true)).toBe(false);
});
