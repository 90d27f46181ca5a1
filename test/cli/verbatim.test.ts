/**
 * Defends: the command lines that users of the C allocator know work as they are written, with documents of its program.
 * Method: each line, to the letter, in a real bash; `stats_dump` is a script that prints a document of either C shape. The
 * one line that names a host, a push gateway, reaches a server of this test: curl's own settings lead the connection there.
 */
import { spawnSync } from "node:child_process";
import { createServer as createHttpServer, type Server } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findJq, findProgram, unlessMissing } from "../programs.js";
import { type DocumentFolder, documentFolder, installPrograms } from "./documents.js";
import { runLine } from "./shell.js";

const curl = findProgram({ names: ["curl"], package: "curl" });
const jq = findJq();

/** What was pushed to the gateway. */
const pushed: { path: string; body: string }[] = [];
const folders: DocumentFolder[] = [];
let gateway: Server;

beforeAll(async () => {
  gateway = createHttpServer(async (request, response) => {
    let body = "";
    for await (const chunk of request.setEncoding("utf8")) body += chunk;
    pushed.push({ path: `${request.method} ${request.headers.host}${request.url}`, body });
    response.end();
  });
  await new Promise<void>((resolve) => gateway.listen(0, "127.0.0.1", resolve));
  for (const document of ["c-dump.json", "c-bench.json"]) {
    const folder = documentFolder();
    installPrograms(folder, document);
    folder.write(
      ".curlrc",
      `connect-to = "pushgateway:9091:127.0.0.1:${(gateway.address() as AddressInfo).port}"\n`,
    );
    folders.push(folder);
  }
});

afterAll(() => {
  gateway.close();
  for (const folder of folders) folder.remove();
});

const run = (line: string, shape: number, until?: (output: string) => boolean) => {
  const cwd = (folders[shape] as DocumentFolder).path;
  return runLine(line, { cwd, env: { CURL_HOME: cwd }, ...(until !== undefined && { until }) });
};

describe.each([
  ["stats_dump", 0, "background-worker-3"],
  ["synthetic_bench", 1, "leaky"],
])("with the shape of %s", (_, shape, label) => {
  it.each([
    "./stats_dump --no-text | tslab top --epochs --by age_sec --stdin",
    "./stats_dump --no-text | tslab top --epochs --by rss_bytes --stdin",
  ])("%s", async (line) => {
    const { code, stdout, stderr } = await run(line, shape);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/epoch +era +state/);
    // It holds the most, and only the one open from the start, which ties, is as old.
    const rows = stdout.split("\n").slice(stdout.split("\n").findIndex((row) => /epoch +era/.test(row)) + 1);
    expect(rows.slice(0, line.includes("age_sec") ? 2 : 1).join("\n")).toContain(label);
  });

  it(
    unlessMissing(
      "./stats_dump --json --no-text | ./tslab export prometheus --stdin | curl ... http://pushgateway:9091/...",
      curl,
    ),
    async ({ skip }) => {
      if (curl.command === undefined) skip();
      const line =
        "./stats_dump --json --no-text | ./tslab export prometheus --stdin | curl --data-binary @- http://pushgateway:9091/metrics/job/temporal_slab";
      const { code } = await run(line, shape);
      expect(code).toBe(0);
      const push = pushed.pop();
      expect(push?.path).toBe("POST pushgateway:9091/metrics/job/temporal_slab");
      expect(push?.body).toMatch(/^temporal_slab_slow_path_hits_total 50$/m);
      expect(push?.body.endsWith("\n")).toBe(true);
      expect(push?.body).toContain(label);
    },
  );

  it(
    unlessMissing("./stats_dump --no-text | jq '.epochs[] | select(.refcount > 0)'", jq),
    async ({ skip }) => {
      if (jq.command === undefined) skip();
      const { code, stdout } = await run(
        "./stats_dump --no-text | jq '.epochs[] | select(.refcount > 0)'",
        shape,
      );
      expect(code).toBe(0);
      if (shape === 0) expect(JSON.parse(stdout).label).toBe("background-worker-3");
    },
  );

  it("tslab diff before.json after.json --fail-on regression", async () => {
    const { code, stdout } = await run("tslab diff before.json after.json --fail-on regression", shape);
    expect(stdout).toContain("REGRESSION: slow paths rose");
    expect(code).toBe(1);
  });
});

describe("with a demo run", () => {
  it.concurrent.each([
    ["tslab top --classes --window 1s --by slow_path_rate --n 5", /class +/],
    ["./tslab top --epochs --by refcount --n 5", /epoch +era +state/],
    ["./tslab top --classes --by bitmap_alloc_cas_retries --n 5", /class +/],
  ])("%s", async (line, table) => {
    const { code, stdout, stderr } = await run(line, 0);
    expect(stderr).toMatch(/^tslab: demo run of the burst pattern/);
    expect(stdout).toMatch(table);
    expect(code).toBe(0);
  });

  it(unlessMissing("tslab serve --port 2112 --interval 5s", curl), async ({ skip }) => {
    // The line names its port, which somebody else on this machine may have.
    if (curl.command === undefined || !(await isFree(2112))) skip();
    let metrics = "";
    const serves = (output: string): boolean => {
      if (!output.includes("Ctrl-C ends it")) return false;
      metrics = spawnSync("curl", ["-sf", "http://127.0.0.1:2112/metrics"], { encoding: "utf8" }).stdout;
      return true;
    };
    const { code, stdout } = await run("tslab serve --port 2112 --interval 5s", 0, serves);
    expect(stdout).toContain("http://127.0.0.1:2112/metrics");
    expect(metrics).toMatch(/^temporal_slab_slow_path_hits_total \d+$/m);
    expect(code).toBe(0);
  });
});

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
}
