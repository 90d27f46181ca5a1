/** Runs the built program as a child process, the way a user does. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { WorkloadReport } from "../../src/cli/workload/report.js";

const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `tslab ...args`; `during` may signal the process while it runs. */
export function runCli(
  args: readonly string[],
  during?: (child: { kill(signal: NodeJS.Signals): void }) => void,
): Promise<CliResult> {
  if (!existsSync(MAIN)) throw new Error(`${MAIN} is missing: run "npm run build" before the tests`);
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [MAIN, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
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
