/** Running the examples the way their users do: as programs, on the runtime they are for. */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export const root = join(import.meta.dirname, "../..");

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command from the root of the repository; killed after `limitMs`, which shows as exit code null. */
export function run(command: string, args: readonly string[], limitMs = 60_000): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
      timeout: limitMs,
      killSignal: "SIGKILL",
    });
    const text = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const) {
      child[name].setEncoding("utf8").on("data", (chunk: string) => {
        text[name] += chunk;
      });
    }
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, ...text }));
  });
}

/** The last line of a program's output that is a JSON object. */
export function lastJson(output: string): Record<string, unknown> {
  const line = output
    .trim()
    .split("\n")
    .findLast((text) => text.startsWith("{"));
  return JSON.parse(line ?? "{}") as Record<string, unknown>;
}

export interface Runtime {
  readonly command?: string;
  /** Why there is none, for the line a skipped test prints. */
  readonly missing?: string;
}

/**
 * Finds Deno or Bun: on the PATH, or where an earlier run put it. In CI a missing one is installed from npm beside the
 * other tools; elsewhere nothing is downloaded behind anybody's back.
 */
export function findRuntime(name: "deno" | "bun", spec: string): Runtime {
  if (answers(name)) return { command: name };
  const home = join(root, "node_modules/.cache/temporal-slab", name);
  const command = join(home, "node_modules/.bin", name);
  if (existsSync(command) && answers(command)) return { command };
  const inCi = (process.env.CI ?? "") !== "";
  if (!inCi) {
    return { missing: `${name} is not installed: put it on the PATH, or run with CI=1 to get it from npm` };
  }
  mkdirSync(home, { recursive: true });
  writeFileSync(
    join(home, "package.json"),
    JSON.stringify({ private: true, allowScripts: { [name]: true } }),
  );
  const args = ["install", spec, "--no-audit", "--no-fund", "--ignore-scripts=false"];
  const { status, stderr } = spawnSync("npm", args, { cwd: home, encoding: "utf8", timeout: 180_000 });
  if (status === 0 && answers(command)) return { command };
  throw new Error(`npm install ${spec} left no working ${name} (exit code ${status}): ${stderr}`);
}

function answers(command: string): boolean {
  return spawnSync(command, ["--version"], { timeout: 30_000 }).status === 0;
}
