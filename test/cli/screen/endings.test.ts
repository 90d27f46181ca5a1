/**
 * Defends: however a command that took the terminal over ends, the terminal is as it was before: main screen, cursor,
 * wrapping, echo and line editing; and the error that ended it can be read.
 * Method: a real terminal (tmux) with a shell in it, a program that ends in every way there is, and what the shell, stty
 * and the terminal say afterwards.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bundleProgram } from "../../../scripts/bundle-program.mjs";
import { unlessMissing } from "../../programs.js";
import { findTmux, REDRAWN, RESTORED, Tmux } from "./tmux.js";

const tmux = findTmux();

describe.skipIf(tmux.command === undefined)(unlessMissing("the terminal is given back", tmux), () => {
  let program: string;
  let terminal: Tmux;
  beforeAll(async () => {
    program = await bundleProgram("test/cli/screen/takes-over.ts", "cli-takes-over");
    terminal = new Tmux(tmux, 72, 20);
    await terminal.until("a prompt", (text) => text.startsWith("$"));
  });
  afterAll(() => terminal?.close());

  /** What the shell says afterwards has the number of the run: the one before may still be on the screen. */
  let runs = 0;
  const run = (how: string) => {
    const after = `echo "run ${++runs} ended with $?"; stty -a | grep -wo -- '-*icanon\\|-*echo'`;
    terminal.type(`clear; ${process.execPath} ${program} ${how}; ${after}`);
  };
  const takenOver = async () => {
    await terminal.until("the program", (text) => text.startsWith("taken over\n72x20"));
    await terminal.untilModes(REDRAWN);
  };
  const givenBack = async (code: number, said = "") => {
    const end = new RegExp(`run ${runs} ended with (\\d+)\\n(-?icanon)\\n(-?echo)\\n\\$`);
    const lines = await terminal.until("the end", (text) => end.test(text));
    const text = lines.join("\n");
    expect(end.exec(text)?.slice(1)).toEqual([`${code}`, "icanon", "echo"]);
    expect(terminal.modes()).toEqual(RESTORED);
    expect(text).toContain(said);
    expect(text).not.toContain("taken over");
  };

  it.each(["q", "C-c", "C-\\"])("after the key %s", async (key) => {
    run("wait");
    await takenOver();
    terminal.press(key);
    await givenBack(0);
  });

  it.each([
    ["SIGINT", 0],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
    ["SIGQUIT", 131],
  ] as const)("after %s", async (signal, code) => {
    run("wait");
    await takenOver();
    process.kill(terminal.child(), signal);
    await givenBack(code);
  });

  it.each([
    ["close", 0, ""],
    ["exit", 1, ""],
    ["throw", 1, "thrown on purpose"],
    ["reject", 1, "rejected on purpose"],
  ] as const)("when the program ends with %s", async (how, code, said) => {
    run(how);
    await givenBack(code, said);
  });

  it("while it is stopped, and is taken over again when it goes on", async () => {
    run("wait");
    await takenOver();
    terminal.press("C-z");
    await terminal.until("the shell", (text) => /Stopped/.test(text));
    expect(terminal.modes()).toEqual(RESTORED);
    terminal.type("clear; stty -a | grep -wo -- '-*icanon'");
    await terminal.until("line editing", (text) => /^icanon/m.test(text));
    terminal.type("fg");
    await takenOver();

    // From outside, too.
    process.kill(terminal.child(), "SIGTSTP");
    await terminal.until("the shell", (text) => /Stopped/.test(text));
    await terminal.untilModes(RESTORED);
    terminal.type("fg");
    await takenOver();
    terminal.press("q");
    await terminal.untilModes(RESTORED);
  });
});
