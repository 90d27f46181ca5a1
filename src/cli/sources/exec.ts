/** A shell command, run again for each sample; its standard output is the document. */
import { type ChildProcess, spawn } from "node:child_process";
import { InputError } from "../args.js";
import { formatDuration, printable } from "../format.js";
import { SIGNALS } from "../interrupt.js";
import { LimitedBytes } from "./document.js";
import type { TextSource } from "./types.js";

/** Of what the command says on stderr, the end is shown when it fails. */
const SHOWN_STDERR = 2000;

/** The command and everything it started: they share a process group, which has the shell's number. */
const hasGroups = process.platform !== "win32";

export function execSource(command: string, timeoutMs: number): TextSource {
  const description = `exec:${printable(command)}`;
  const running: Running = new Set();
  const forget = endWithUs(running, description);
  return {
    description,
    live: true,
    read: () => outputOf(command, description, timeoutMs, running),
    close: async () => {
      forget();
      endAll(running, description);
    },
  };
}

/** How to end each command that runs; whoever waits for it is told why. */
type Running = Set<(why: Error) => void>;

function endAll(running: Running, description: string): void {
  for (const end of [...running]) end(new InputError(`${description}: given up`));
}

/**
 * A command in a process group of its own does not hear the terminal's Ctrl-C, so it is ended whenever this process ends.
 * The function it returns undoes that.
 */
function endWithUs(running: Running, description: string): () => void {
  const killAll = (): void => endAll(running, description);
  const onSignal = (signal: NodeJS.Signals): void => {
    // Who else listens ends in its own order, and closes this source then.
    if (process.listenerCount(signal) > 1) return;
    // Otherwise the signal does what it would have done without us.
    killAll();
    off();
    process.kill(process.pid, signal);
  };
  const off = (): void => {
    process.off("exit", killAll);
    for (const signal of SIGNALS) process.off(signal, onSignal);
  };
  process.on("exit", killAll);
  // First in the row: others take their listener back when it is called, and would not be counted.
  for (const signal of SIGNALS) process.prependListener(signal, onSignal);
  return off;
}

function outputOf(
  command: string,
  description: string,
  timeoutMs: number,
  running: Running,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, { shell: true, stdio: ["ignore", "pipe", "pipe"], detached: hasGroups });
    const bytes = new LimitedBytes(description);
    let said = "";
    const settle = (): void => {
      clearTimeout(timer);
      running.delete(end);
    };
    const end = (why: Error): void => {
      settle();
      kill(child);
      // What left the process group lives on and may hold the other ends: "close" would come only when it lets go.
      child.stdout.destroy();
      child.stderr.destroy();
      reject(why);
    };
    running.add(end);
    const timer = setTimeout(() => {
      end(new InputError(`${description}: not done within ${formatDuration(timeoutMs)}; see --timeout`));
    }, timeoutMs);
    child.stdout.on("data", (chunk: Uint8Array) => {
      try {
        bytes.add(chunk);
      } catch (error) {
        end(error as Error);
      }
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(-SHOWN_STDERR);
    });
    child.once("error", (error) => end(new InputError(`${description}: ${printable(error.message)}`)));
    child.once("close", (code, signal) => {
      settle();
      if (code !== 0) return reject(failure(description, code, signal, said));
      try {
        return resolve(bytes.text());
      } catch (error) {
        return reject(error as Error);
      }
    });
  });
}

function failure(description: string, code: number | null, signal: string | null, said: string): InputError {
  const how = signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`;
  const lines = said
    .trimEnd()
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => `\n  ${printable(line)}`);
  return new InputError(`${description}: the command ${how}${lines.length > 0 ? `:${lines.join("")}` : ""}`);
}

function kill(child: ChildProcess): void {
  const { pid } = child;
  if (pid === undefined) return;
  try {
    if (hasGroups) process.kill(-pid, "SIGKILL");
    else child.kill("SIGKILL");
  } catch {
    // It has ended meanwhile.
  }
}
