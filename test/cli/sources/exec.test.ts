/**
 * Defends: a command whose descendant has left the process group and keeps its output open holds nobody up: not past
 * --timeout, and not past the signal or the close that ends us.
 * Method: a command that starts such a process, which would stay for minutes, and ends itself; the built program and the
 * source itself.
 */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { execSource } from "../../../src/cli/sources/exec.js";
import { type DocumentFolder, documentFolder } from "../documents.js";
import { runCli, startCli } from "../run-cli.js";

let folder: DocumentFolder;
/** Prints a document; what keeps its output open is not of its process group. */
let command: string;
beforeAll(() => {
  folder = documentFolder();
  const script = folder.write(
    "escape.mjs",
    `import { spawn } from "node:child_process";
     import { writeFileSync } from "node:fs";
     const sleeper = spawn("sleep", ["600"], { detached: true, stdio: "inherit" });
     sleeper.unref();
     writeFileSync(${JSON.stringify(folder.file("escaped"))}, String(sleeper.pid));`,
  );
  command = `cat "${folder.file("stats.json")}"; "${process.execPath}" "${script}"`;
});
afterEach(() => {
  process.kill(escaped(), "SIGKILL");
  rmSync(folder.file("escaped"));
});
afterAll(() => folder.remove());

const escaped = (): number =>
  existsSync(folder.file("escaped")) ? Number(readFileSync(folder.file("escaped"), "utf8")) : 0;
const hasEscaped = () => expect.poll(escaped, { timeout: 20_000 }).toBeGreaterThan(0);

it("ends with --timeout", async () => {
  const { code, stdout, stderr } = await runCli(["stats", "--exec", command, "--timeout", "4s"]);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toMatch(/not done within 4s; see --timeout\n$/);
  await hasEscaped();
});

it("ends with a signal", async () => {
  const child = startCli(["watch", "--exec", command, "--timeout", "10m"]);
  const ended = new Promise((resolve) => child.once("close", resolve));
  await hasEscaped();
  child.kill("SIGTERM");
  expect(await ended).toBe(143);
});

it("ends when the source is closed, and says so to whoever waits", async () => {
  const source = execSource(command, 600_000);
  const answer = expect(source.read()).rejects.toThrow(/: given up$/);
  await hasEscaped();
  await source.close();
  await answer;
});
