/**
 * Defends: each runtime's own way is found and works; a runtime that was not given the right answers "none" and asks nobody.
 * Method: one program, run as its users would. Deno has a terminal on its standard input where it could ask. Libraries planted
 * where somebody else could have.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { findRuntime, lastJson, type Runtime, root, run } from "../examples/support.js";
import { unlessMissing } from "../programs.js";

const PROGRAM = "test/reclaim/report.mjs";
const released = (backend: string, reason: RegExp) => ({
  backend,
  reason: expect.stringMatching(reason),
  released: true,
  zeros: true,
});
const none = (reason: RegExp) => ({ ...released("none", reason), released: false });

const deno = findRuntime("deno", "deno@2");
const bun = findRuntime("bun", "bun@1");
const node: Runtime = { command: process.execPath };
const denoFlags = ["run", "--quiet", "--no-lock"];
const hasNodeFfi = process.getBuiltinModule("node:module").builtinModules.includes("node:ffi");

type Case = [string, Runtime, readonly string[], object];
const CASES: Case[] = [
  [
    "node",
    node,
    ["--disable-warning=ExperimentalWarning"],
    hasNodeFfi
      ? released("node:ffi", /^Pages are released through node:ffi\.$/)
      : released("koffi", /^Pages are released through koffi \S+, since Node \S+ does not offer node:ffi\.$/),
  ],
  [
    "deno --allow-ffi",
    deno,
    [...denoFlags, "--allow-ffi"],
    released("deno", /^Pages are released through Deno\.dlopen\.$/),
  ],
  [
    "deno without it",
    deno,
    [...denoFlags, "--no-prompt"],
    none(/since Deno \S+ was started without --allow-ffi\.$/),
  ],
  [
    "deno --deny-ffi",
    deno,
    [...denoFlags, "--allow-all", "--deny-ffi"],
    none(/since Deno \S+ was started without --allow-ffi\.$/),
  ],
  ["bun", bun, ["run"], released("bun", /^Pages are released through bun:ffi\.$/)],
];

describe.skipIf(process.platform !== "linux").each(CASES)("%s", (name, runtime, flags, expected) => {
  test.skipIf(runtime.command === undefined)(unlessMissing("says which and releases", runtime), async () => {
    const { code, stdout, stderr } = await run(runtime.command ?? name, [...flags, PROGRAM]);
    expect({ stderr, ...lastJson(stdout) }).toEqual({ stderr: "", ...expected });
    expect(code).toBe(0);
  });
});

describe.skipIf(process.platform !== "linux")("native code is not taken from where others may put it", () => {
  const folder = mkdtempSync(join(tmpdir(), "tslab-planted-"));
  afterAll(() => rmSync(folder, { recursive: true }));

  // What it finds is no library, so the answer shows whether it was opened.
  test.skipIf(deno.command === undefined)(
    unlessMissing("deno --deny-ffi=PATH, and a libc.so.6 in the current folder", deno),
    () => {
      writeFileSync(join(folder, "libc.so.6"), "no library");
      const flags = [...denoFlags, "--allow-ffi", "--deny-ffi=/elsewhere"];
      const { stdout } = spawnSync(deno.command as string, [...flags, join(root, PROGRAM)], {
        cwd: folder,
        encoding: "utf8",
        timeout: 60_000,
      });
      expect(lastJson(stdout)).toEqual(released("deno", /^Pages are released through Deno\.dlopen\.$/));
    },
  );

  test.skipIf(hasNodeFfi)("node -e CODE FILE, and a koffi beside FILE", async () => {
    // A copy of the package with no koffi of its own, and a program's folder with one that leaves a mark.
    const app = join(folder, "app");
    cpSync(join(root, "dist"), join(app, "dist"), { recursive: true });
    writeFileSync(join(app, "package.json"), '{ "type": "module" }');
    const data = join(folder, "data");
    const koffi = join(data, "node_modules/koffi");
    mkdirSync(koffi, { recursive: true });
    writeFileSync(join(koffi, "index.js"), 'throw new Error("koffi ran");');
    writeFileSync(join(data, "data.json"), "{}");
    const code = `import(${JSON.stringify(pathToFileURL(join(app, "dist/reclaim.js")).href)}).then(
      ({ autoPageReleaser }) => console.log(JSON.stringify({ reason: autoPageReleaser().reason })));`;
    const reasonOf = async (...args: string[]) => lastJson((await run(process.execPath, args)).stdout).reason;

    for (const flag of ["-e", "-p"]) {
      expect(await reasonOf(flag, code, join(data, "data.json"))).toMatch(/and koffi is not installed\.$/);
    }
    // Beside the program it is wanted.
    writeFileSync(join(data, "main.cjs"), code);
    expect(await reasonOf(join(data, "main.cjs"))).toMatch(/and koffi failed: koffi ran\.$/);
  });
});

/** `script` gives a program a terminal; it comes with every Linux distribution's base system. */
const hasTerminal = spawnSync("script", ["--version"]).status === 0;

test.skipIf(deno.command === undefined || !hasTerminal || process.platform !== "linux")(
  unlessMissing("deno at a terminal asks nobody", deno),
  () => {
    const command = `${deno.command} ${denoFlags.join(" ")} ${PROGRAM}`;
    const { stdout, status } = spawnSync("script", ["-qec", command, "/dev/null"], {
      cwd: root,
      encoding: "utf8",
      timeout: 60_000,
    });
    expect(lastJson(stdout)).toEqual(none(/since Deno \S+ was started without --allow-ffi\.$/));
    expect(stdout.trim().split("\n"), "nothing but the answer").toHaveLength(1);
    expect(status).toBe(0);
  },
);
