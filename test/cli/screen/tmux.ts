/** A real terminal to look at: a shell inside tmux, of a size that can be changed, whose screen and modes can be read. */
import { execFileSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { findProgram, type Program } from "../../programs.js";

export const findTmux = (): Program => findProgram({ names: ["tmux"], package: "tmux", probe: ["-V"] });

const PATIENCE_MS = 30_000;
let started = 0;

export interface Modes {
  /** The alternate screen is shown. */
  readonly alternate: boolean;
  readonly cursor: boolean;
  readonly wrap: boolean;
}

export const RESTORED: Modes = { alternate: false, cursor: true, wrap: true };
export const REDRAWN: Modes = { alternate: true, cursor: false, wrap: false };

export class Tmux {
  readonly #command: string;
  readonly #socket = `tslab-test-${process.pid}-${++started}`;

  /** A shell with job control and the prompt "$ ". */
  constructor(program: Program, columns: number, rows: number) {
    this.#command = program.command ?? "tmux";
    const shell = `exec env -i PATH="$PATH" HOME=/ TERM=screen LC_ALL=C.UTF-8 PS1='$ ' bash --norc --noprofile -i`;
    this.#tmux("-f", "/dev/null", "new-session", "-d", "-x", `${columns}`, "-y", `${rows}`, shell);
  }

  /** Types a command line. */
  type(line: string): void {
    this.#tmux("send-keys", "-l", line);
    this.press("Enter");
  }

  /** Presses keys, by tmux's names: `q`, `C-c`, `Right`. */
  press(...keys: readonly string[]): void {
    this.#tmux("send-keys", ...keys);
  }

  resize(columns: number, rows: number): void {
    this.#tmux("resize-window", "-x", `${columns}`, "-y", `${rows}`);
  }

  /** What can be seen, line by line. */
  lines(): string[] {
    return this.#tmux("capture-pane", "-p").replace(/\n$/, "").split("\n");
  }

  modes(): Modes {
    const [alternate, cursor, wrap] = this.#tmux(
      "display-message",
      "-p",
      "#{alternate_on} #{cursor_flag} #{wrap_flag}",
    )
      .trim()
      .split(" ");
    return { alternate: alternate === "1", cursor: cursor === "1", wrap: wrap === "1" };
  }

  /** Waits until the screen is as `wanted` says, and returns it. */
  async until(what: string, wanted: (text: string, lines: readonly string[]) => boolean): Promise<string[]> {
    const end = performance.now() + PATIENCE_MS;
    for (;;) {
      const lines = this.lines();
      if (wanted(lines.join("\n"), lines)) return lines;
      if (performance.now() > end)
        throw new Error(`${what} did not appear; the screen shows\n${lines.join("\n")}`);
      await sleep(50);
    }
  }

  async untilModes(wanted: Modes): Promise<void> {
    const end = performance.now() + PATIENCE_MS;
    while (JSON.stringify(this.modes()) !== JSON.stringify(wanted)) {
      if (performance.now() > end) throw new Error(`modes are ${JSON.stringify(this.modes())}`);
      await sleep(50);
    }
  }

  /** The shell's foreground or stopped child. */
  child(): number {
    const shell = this.#tmux("display-message", "-p", "#{pane_pid}").trim();
    const processes = execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" });
    const found = processes.split("\n").map((line) => line.trim().split(/\s+/));
    const child = found.find(([, parent]) => parent === shell)?.[0];
    if (child === undefined) throw new Error("the shell has no child");
    return Number(child);
  }

  close(): void {
    try {
      this.#tmux("kill-server");
    } catch {
      // It ends by itself when its shell does.
    }
  }

  #tmux(...args: readonly string[]): string {
    return execFileSync(this.#command, ["-u", "-L", this.#socket, ...args], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, LC_ALL: "C.UTF-8" },
    });
  }
}
