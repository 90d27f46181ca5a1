/** Runs command lines in a real shell. */
import { spawn } from "node:child_process";
import { type CliResult, cliEnvironment } from "./run-cli.js";

export interface ShellWorld {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Resolves when the line has run for long enough: it gets Ctrl-C then. Called with what it has printed so far. */
  readonly until?: (output: string) => boolean;
}

/**
 * The line in bash, which fails as any of its pipe fails; `cwd` comes first in the PATH. A line that goes on until it is ended
 * gets what Ctrl-C at a terminal sends: SIGINT, to all of its processes.
 */
export function runLine(line: string, { cwd, env = {}, until }: ShellWorld): Promise<CliResult> {
  return new Promise((resolve, reject) => {
    const child = spawn("bash", ["-o", "pipefail", "-c", line], {
      cwd,
      env: cliEnvironment({ ...env, PATH: `${cwd}:${process.env.PATH}` }),
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    let [stdout, stderr] = ["", ""];
    let interrupted = false;
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
      if (interrupted || until?.(stdout) !== true) return;
      interrupted = true;
      process.kill(-(child.pid as number), "SIGINT");
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, stdout, stderr }));
  });
}
