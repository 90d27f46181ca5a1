/**
 * Defends: `serve` answers from its source as it is now, asks for its token, says what to do when it cannot listen, and ends
 * in order on SIGINT and SIGTERM; `workload --serve` shows its own heap.
 * Method: the program as a child process, asked over HTTP.
 */
import type { ChildProcess } from "node:child_process";
import { rmSync } from "node:fs";
import { createServer } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { jsonText } from "../../../src/cli/json.js";
import { ourDocument } from "../../stats/document/fixtures.js";
import { type DocumentFolder, documentFolder, later } from "../documents.js";
import { runCli, startCli } from "../run-cli.js";

let folder: DocumentFolder;
const children = new Set<ChildProcess>();
beforeAll(() => {
  folder = documentFolder();
});
afterAll(() => {
  for (const child of children) child.kill("SIGKILL");
  folder.remove();
});

interface Service {
  readonly url: string;
  /** Sends the signal; resolves to the exit code. */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

/** Resolves when it listens. */
function serve(args: readonly string[], env = {}): Promise<Service> {
  const child = startCli(args, { cwd: folder.path, env });
  children.add(child);
  child.stdin.end();
  let said = "";
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  return new Promise((resolve, reject) => {
    const heard = (text: string): void => {
      said += text;
      const url = /live page (?:at )? ?(http:\S+\/)/.exec(said)?.[1];
      if (url === undefined) return;
      const end = (signal: NodeJS.Signals) => {
        child.kill(signal);
        return ended;
      };
      resolve({ url, end });
    };
    child.stdout.setEncoding("utf8").on("data", heard);
    child.stderr.setEncoding("utf8").on("data", heard);
    void ended.then((code) => reject(new Error(`exit code ${code}: ${said}`)));
  });
}

const get = (url: string, token?: string): Promise<Response> =>
  fetch(url, {
    headers: { connection: "close", ...(token !== undefined && { authorization: `Bearer ${token}` }) },
  });

describe("tslab serve", () => {
  it.each(["SIGINT", "SIGTERM"] as const)("answers from its source until %s", async (signal) => {
    folder.write("live.json", jsonText(ourDocument()));
    const { url, end } = await serve(["serve", "live.json", "--port", "0", "--interval", "100ms"]);
    const [page, metrics, health, document] = await Promise.all([
      get(url),
      get(`${url}metrics`),
      get(`${url}health`),
      get(`${url}stats.json`),
    ]);
    expect([page.status, metrics.status, health.status, document.status]).toEqual([200, 200, 200, 200]);
    expect(await page.text()).toMatch(/^<!doctype html>/i);
    expect(await metrics.text()).toMatch(/^temporal_slab_slow_path_hits_total 50$/m);
    expect(await document.text()).toContain("1770486521361625486");
    // The file is read again.
    folder.write("live.json", jsonText(later(ourDocument() as never)));
    await expect
      .poll(async () => (await get(`${url}metrics`)).text(), { timeout: 20_000 })
      .toMatch(/^temporal_slab_slow_path_hits_total 150$/m);
    // A source that is gone is an answer, not the end.
    rmSync(folder.file("live.json"));
    await expect.poll(async () => (await get(`${url}stats.json`)).status, { timeout: 20_000 }).toBe(503);
    expect(await end(signal)).toBe(0);
    await expect(get(url)).rejects.toThrow();
  });

  it("asks for the token of option or file", async () => {
    folder.write("token", "open-sesame\n");
    for (const args of [
      ["--token", "open-sesame"],
      ["--token-file", "token"],
    ]) {
      const { url, end } = await serve(["serve", "stats.json", "--port", "0", ...args]);
      const answers = await Promise.all([get(`${url}metrics`), get(`${url}metrics`, "open-sesame")]);
      expect(answers.map(({ status }) => status)).toEqual([401, 200]);
      const stats = await runCli(["stats", "--url", url, "--token", "open-sesame"]);
      expect(stats.stdout).toMatch(/^Heap h1/);
      expect(await end("SIGTERM")).toBe(0);
    }
  });

  it("serves a document that came through a pipe, and a command's", async () => {
    const { url, end } = await serve([
      "serve",
      "--exec",
      "cat c-bench.json",
      "--port",
      "0",
      "--base-path",
      "/slab",
    ]);
    expect(new URL(url).pathname).toBe("/slab/");
    const { stdout } = await runCli(["stats", "--url", url.slice(0, -1)]);
    expect(stdout).toMatch(/^Heap of the C allocator/);
    expect(await end("SIGINT")).toBe(0);
  });

  it("says what to do when it cannot listen", async () => {
    const taken = createServer();
    const port = await new Promise<number>((resolve) => {
      taken.listen(0, "127.0.0.1", () => resolve((taken.address() as { port: number }).port));
    });
    folder.write("empty", "\n");
    const run = (...args: string[]) =>
      runCli(["serve", "stats.json", ...args], undefined, { cwd: folder.path });
    const [inUse, open, short, empty, both] = await Promise.all([
      run("--port", String(port)),
      run("--host", "0.0.0.0"),
      run("--token", "x", "--port", "0"),
      run("--token-file", "empty"),
      run("--token-file", "empty", "--token", "open-sesame"),
    ]);
    taken.close();
    for (const { code, stdout } of [inUse, open, short, empty, both]) expect([code, stdout]).toEqual([2, ""]);
    expect(inUse.stderr).toBe(
      `tslab: serve: 127.0.0.1:${port}: another program listens there; choose another --port, or 0 for any free one\n`,
    );
    expect(open.stderr).toMatch(
      /--host is "0.0.0.0", which others may reach: set a --token, set --allow-unauthenticated/,
    );
    expect(short.stderr).toMatch(/--token must have 8 to 512 characters/);
    expect(empty.stderr).toMatch(/"empty" is empty; its first line is the token/);
    expect(both.stderr).toMatch(/--token and --token-file both give the token/);
  });

  it("runs a demo whose leaks are found", async () => {
    const { url, end } = await serve(["serve", "--demo", "leak", "--port", "0", "--leak-threshold", "500ms"]);
    await expect
      .poll(async () => (await get(`${url}metrics`)).text(), { timeout: 30_000, interval: 200 })
      .toMatch(/^temporal_slab_leak_candidates(\{.*\})? [1-9]\d*$/m);
    expect(await end("SIGINT")).toBe(0);
  });
});

describe("tslab workload --serve", () => {
  it("shows the heap it works on, until it ends", async () => {
    const { url, end } = await serve(["workload", "--duration", "60", "--serve", "0"]);
    const counted = async (): Promise<number> => {
      const text = await (await get(`${url}stats.json`)).text();
      return Number(JSON.parse(text).heap.alloc_count);
    };
    const first = await counted();
    await expect.poll(counted, { timeout: 20_000 }).toBeGreaterThan(first);
    expect(await end("SIGINT")).toBe(0);
    await expect(get(url)).rejects.toThrow();
  });
});
