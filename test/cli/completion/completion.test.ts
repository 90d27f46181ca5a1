/**
 * Defends: the completion scripts offer commands, options and values as the tables have them, in the shells themselves.
 * Method: bash runs the function it completes with, fish is asked what it would complete, zsh runs the function with the
 * words of a line and shows what it hands to its own helpers.
 */
import { spawnSync } from "node:child_process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { COMMANDS } from "../../../src/cli/commands.js";
import { findProgram, unlessMissing } from "../../programs.js";
import { type DocumentFolder, documentFolder } from "../documents.js";
import { runCli } from "../run-cli.js";

const zsh = findProgram({ names: ["zsh"], package: "zsh" });
const fish = findProgram({ names: ["fish"], package: "fish" });

let folder: DocumentFolder;
beforeAll(async () => {
  folder = documentFolder();
  for (const shell of ["bash", "zsh", "fish"]) {
    const { code, stdout } = await runCli(["completion", shell]);
    expect(code).toBe(0);
    folder.write(`tslab.${shell}`, stdout);
  }
  folder.write("a file.json", "{}");
});
afterAll(() => folder.remove());

function shell(command: string, args: readonly string[]): string {
  const { stdout, stderr, status } = spawnSync(command, args, { cwd: folder.path, encoding: "utf8" });
  expect([status, stderr]).toEqual([0, ""]);
  return stdout;
}

const names = COMMANDS.map(({ name }) => name);

describe("bash", () => {
  /** The last word is the one being completed. */
  function complete(...words: string[]): string[] {
    const quoted = ["tslab", ...words].map((word) => `'${word}'`).join(" ");
    const script = [
      "source tslab.bash",
      `COMP_WORDS=(${quoted}) COMP_CWORD=${words.length}`,
      "_tslab tslab",
      `printf '%s\\n' "\${COMPREPLY[@]}"`,
    ].join("\n");
    return shell("bash", ["--norc", "-c", script])
      .split("\n")
      .filter((line) => line !== "");
  }

  it("offers commands", () => {
    expect(complete("")).toEqual([...names, "help", "--help", "--version"]);
    expect(complete("do")).toEqual(["doctor"]);
    expect(complete("help", "v")).toEqual(["validate"]);
    expect(complete("export", "")).toEqual(["prometheus"]);
  });

  it("offers options", () => {
    expect(complete("stats", "--j")).toEqual(["--json"]);
    expect(complete("export", "prometheus", "--era")).toEqual(["--era-label"]);
    expect(complete("completion", "-")).toEqual(["--help", "-h"]);
  });

  it("offers values, behind = too", () => {
    expect(complete("stats", "--demo", "")).toEqual(["burst", "steady", "leak", "hotspot", "kernel"]);
    expect(complete("stats", "--demo", "=", "le")).toEqual(["leak"]);
    expect(complete("stats", "--demo", "=")).toEqual(["burst", "steady", "leak", "hotspot", "kernel"]);
    expect(complete("completion", "")).toEqual(["bash", "zsh", "fish"]);
    expect(complete("stats", "--url", "")).toEqual([]);
    expect(complete("workload", "")).toEqual([]);
  });

  it("offers files, with spaces in their names", () => {
    expect(complete("stats", "a").sort()).toEqual(["a file.json", "after.json"]);
    expect(complete("diff", "before.json", "af")).toEqual(["after.json"]);
    expect(complete("export", "prometheus", "-o", "c-d")).toEqual(["c-dump.json"]);
  });

  it("is registered for the program", () => {
    expect(shell("bash", ["--norc", "-c", "source tslab.bash; complete -p tslab"])).toBe(
      "complete -F _tslab tslab\n",
    );
  });
});

describe("fish", () => {
  it(unlessMissing("offers commands, options, values and files", fish), ({ skip }) => {
    if (fish.command === undefined) skip();
    const complete = (line: string): string[] =>
      shell("fish", ["--no-config", "-c", `source tslab.fish; complete -C ${JSON.stringify(line)}`])
        .split("\n")
        .map((row) => row.split("\t")[0] ?? "")
        .filter((word) => word !== "");
    expect(complete("tslab ").sort()).toEqual([...names, "help"].sort());
    expect(complete("tslab export ")).toEqual(["prometheus"]);
    expect(complete("tslab stats --js")).toEqual(["--json"]);
    expect(complete("tslab export prometheus --er")).toEqual(["--era-label"]);
    expect(complete("tslab stats --demo ").sort()).toEqual(["burst", "hotspot", "kernel", "leak", "steady"]);
    expect(complete("tslab diff bef")).toEqual(["before.json"]);
    expect(complete("tslab completion ").sort()).toEqual(["bash", "fish", "zsh"]);
  });
});

describe("zsh", () => {
  it(unlessMissing("hands commands, options and values to its helpers", zsh), ({ skip }) => {
    if (zsh.command === undefined) skip();
    // What the real helpers get to see.
    const complete = (...words: string[]): string => {
      const quoted = ["tslab", ...words].map((word) => `'${word}'`).join(" ");
      const script = [
        "compdef() { }",
        // biome-ignore lint/suspicious/noTemplateCurlyInString: it is zsh's.
        '_describe() { print -rl -- "${(P)2[@]}" }',
        '_arguments() { print -rl -- "$@" "CURRENT=$CURRENT" "words=$words" }',
        "source tslab.zsh",
        `words=(${quoted}) CURRENT=${words.length + 1}`,
        "_tslab",
      ].join("\n");
      return shell("zsh", ["-f", "-c", script]);
    };
    const first = complete("");
    for (const name of names) expect(first).toMatch(new RegExp(`^${name}:\\S`, "m"));
    expect(complete("export", "")).toMatch(/^prometheus:Prometheus text/);
    const stats = complete("stats", "--json", "");
    expect(stats).toMatch(/^--json\[print the document/m);
    expect(stats).toMatch(/^--demo=\[.*\]:NAME:\(burst steady leak hotspot kernel\)$/m);
    expect(stats).toMatch(/^1:FILE:_files$/m);
    expect(stats).toMatch(/^CURRENT=3\nwords=stats --json $/m);
    const exported = complete("export", "prometheus", "");
    expect(exported).toMatch(/^-o\+\[write the file instead of stdout\]:FILE:_files$/m);
    expect(exported).toMatch(/^CURRENT=2\nwords=prometheus $/m);
  });

  it(unlessMissing("completes a line as a person types it", zsh), ({ skip }) => {
    if (zsh.command === undefined) skip();
    // An interactive zsh in a terminal of its own; Tab is pressed, then the line is shown instead of run.
    const script = [
      "zmodload zsh/zpty",
      "zpty z zsh -f -i",
      'say() { zpty -w z "$1" }',
      "say 'PS1=; autoload -U compinit; compinit -D -u; source ./tslab.zsh; bindkey \"^X\" beep'",
      'say \'show() { print -r -- "<$BUFFER>"; BUFFER= }; zle -N show; bindkey "^G" show; print READY\'',
      "zpty -r -m z seen '*READY*READY*'",
      "zpty -w -n z $'tslab exp\\tprom\\t--era\\t\\x07'",
      "zpty -r -m z seen '*<*>*'",
      "print -r -- $seen",
      "zpty -d z",
    ].join("\n");
    const shown = shell("zsh", ["-f", "-c", script]);
    expect(shown).toMatch(/<tslab export prometheus --era-label ?>/);
  });
});
