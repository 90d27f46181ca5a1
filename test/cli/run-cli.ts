/** Runs the built program as a child process, the way a user does. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { WorkloadReport } from "../../src/cli/workload/report.js";

export const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliWorld {
  /** Written to standard input, which is closed then; without it there is none. */
  readonly input?: string | Uint8Array;
  /** Added to the environment; undefined takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
}

/** The environment of tests: nothing of the person's own settings. */
export function cliEnvironment(more: CliWorld["env"] = {}): NodeJS.ProcessEnv {
  const own = ["TSLAB_SOURCE", "TSLAB_TOKEN", "FORCE_COLOR", "NO_COLOR"];
  const inherited = Object.entries(process.env).filter(([name]) => !own.includes(name));
  const all = Object.entries({ ...Object.fromEntries(inherited), ...more });
  return Object.fromEntries(all.filter(([, value]) => value !== undefined));
}

/** Starts `tslab ...args` with pipes. */
export function startCli(
  args: readonly string[],
  { env, cwd }: CliWorld = {},
): ChildProcessWithoutNullStreams {
  if (!existsSync(MAIN)) throw new Error(`${MAIN} is missing: run "npm run build" before the tests`);
  return spawn(process.execPath, [MAIN, ...args], { env: cliEnvironment(env), cwd });
}

/** Runs `tslab ...args`; `during` may signal the process while it runs. */
export function runCli(
  args: readonly string[],
  during?: (child: { kill(signal: NodeJS.Signals): void }) => void,
  world: CliWorld = {},
): Promise<CliResult> {
  return new Promise((resolve, reject) => {
    const child = startCli(args, world);
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    // A program that does not read its input may be gone before it was written.
    child.stdin.on("error", () => {});
    child.stdin.end(world.input);
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, stdout, stderr }));
    during?.({ kill: (signal) => void child.kill(signal) });
  });
}

/** Runs `tslab workload ... --json`; the document must be all there is on stdout. */
export async function runWorkload(
  args: readonly string[],
): Promise<{ code: number | null; report: WorkloadReport }> {
  const { code, stdout, stderr } = await runCli(["workload", "--json", ...args]);
  if (stderr !== "" || stdout === "") throw new Error(`exit code ${code}, stderr: ${stderr}`);
  return { code, report: JSON.parse(stdout) as WorkloadReport };
}
