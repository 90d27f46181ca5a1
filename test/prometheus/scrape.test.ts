/**
 * Defends: a real Prometheus takes every scrape of a service at work, and every query, recording rule and alert of
 * queries.ts is valid there and answers with something when what it is about is the case.
 * Method: a minute of scrapes, one a second, of a service that brings the troubles about (service.mjs says which of them
 * are brought about by altering its documents, because five minutes cannot be waited for); then everything is asked for.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findPrometheus, findPromtool, unlessMissing } from "../programs.js";
import { ALERTS, CORRECTED, PANELS, RECORDING_RULES, ruleFile } from "./queries.js";

const prometheus = findPrometheus();
const promtool = findPromtool();
const SCRAPES = 60;

/** Alerts that only the altered documents bring about; all others are about what really happens in the service. */
const ALTERED: readonly string[] = [
  "EpochLeak",
  "EpochLeakNamed",
  "EpochMemoryLeak",
  "EpochRefcountLeak",
  "StragglerEpoch",
  "LockContention",
  "LockContentionCritical",
  "CASRetry",
  "CASRetryCritical",
  "CacheOverflows",
  "SlowEpochClose",
  "HighAllocLatency",
];

const folder = mkdtempSync(join(tmpdir(), "tslab-prometheus-"));
const children: ChildProcess[] = [];
afterAll(async () => {
  await Promise.all(
    children.map(async (child) => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    }),
  );
  rmSync(folder, { recursive: true, force: true });
});

test.skipIf(promtool.command === undefined)(unlessMissing("promtool takes the rule file", promtool), () => {
  const file = join(folder, "checked.yml");
  writeFileSync(file, ruleFile());
  const { status, stdout, stderr } = spawnSync(promtool.command ?? "", ["check", "rules", file], {
    encoding: "utf8",
    timeout: 30_000,
  });
  expect(stdout + stderr).toContain(`SUCCESS: ${ALERTS.length + RECORDING_RULES.length} rules found`);
  expect(status).toBe(0);
});

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

let api = "";

async function get<Data>(path: string): Promise<Data> {
  const response = await fetch(api + path);
  const answer = (await response.json()) as { status: string; error?: string; data: Data };
  if (answer.status !== "success") throw new Error(`${path}: ${answer.error}`);
  return answer.data;
}

async function query(expr: string): Promise<readonly Sample[]> {
  const { result } = await get<{ result: readonly Sample[] }>(
    `/api/v1/query?query=${encodeURIComponent(expr)}`,
  );
  return result;
}

describe.skipIf(prometheus.command === undefined)(unlessMissing("a minute of scrapes", prometheus), () => {
  beforeAll(async () => {
    const service = spawn(process.execPath, [join(import.meta.dirname, "service.mjs")], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    children.push(service);
    const [line] = (await once(createInterface(service.stdout), "line")) as [string];
    const ports = JSON.parse(line) as { service: number; altered: number };
    const [web, nobody] = await Promise.all([freePort(), freePort()]);
    const scrape = (job: string, port: number) => ({
      job_name: job,
      static_configs: [{ targets: [`127.0.0.1:${port}`] }],
    });
    writeFileSync(join(folder, "rules.yml"), ruleFile());
    writeFileSync(
      join(folder, "prometheus.yml"),
      JSON.stringify({
        global: { scrape_interval: "1s", scrape_timeout: "1s", evaluation_interval: "1s" },
        rule_files: ["rules.yml"],
        scrape_configs: [
          scrape("service", ports.service),
          scrape("altered", ports.altered),
          // Nobody listens there.
          scrape("down", nobody),
        ],
      }),
    );
    const log: string[] = [];
    const server = spawn(
      prometheus.command ?? "",
      [
        `--config.file=${join(folder, "prometheus.yml")}`,
        `--storage.tsdb.path=${join(folder, "data")}`,
        `--web.listen-address=127.0.0.1:${web}`,
        "--log.level=warn",
      ],
      { stdio: ["ignore", "ignore", "pipe"] },
    );
    children.push(server);
    server.stderr.setEncoding("utf8").on("data", (text: string) => log.push(text));
    api = `http://127.0.0.1:${web}`;
    for (;;) {
      if (server.exitCode !== null) throw new Error(`Prometheus ended: ${log.join("")}`);
      const scraped = await query('count_over_time(up{job="service"}[5m])').catch(() => []);
      if (Number(scraped[0]?.value[1] ?? 0) >= SCRAPES) break;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }, 120_000);

  test("every scrape succeeded, and nothing in one was refused", async () => {
    for (const job of ["service", "altered"]) {
      const [least] = await query(`min_over_time(up{job="${job}"}[5m])`);
      expect([job, least?.value[1]]).toEqual([job, "1"]);
      const [samples] = await query(`min_over_time(scrape_samples_scraped{job="${job}"}[5m])`);
      expect(Number(samples?.value[1])).toBeGreaterThan(300);
    }
    const { activeTargets } = await get<{
      activeTargets: { health: string; lastError: string; labels: { job: string } }[];
    }>("/api/v1/targets");
    expect(activeTargets.map(({ health, labels }) => `${labels.job} ${health}`).sort()).toEqual([
      "altered up",
      "down down",
      "service up",
    ]);
    expect(activeTargets.filter(({ labels }) => labels.job !== "down").map((t) => t.lastError)).toEqual([
      "",
      "",
    ]);
    const own = await (await fetch(`${api}/metrics`)).text();
    const refused = own.match(/^prometheus_target_scrapes?_sample\w*_total \d+$/gm) ?? [];
    expect(refused.length).toBeGreaterThan(2);
    expect(refused.filter((line) => !line.endsWith(" 0"))).toEqual([]);
  });

  test.each(PANELS.map(({ name, expr }) => [name, expr] as const))("panel: %s", async (_name, expr) => {
    const samples = await query(expr);
    expect(samples, expr).not.toEqual([]);
    expect(
      samples.some(({ value }) => Number.isFinite(Number(value[1]))),
      expr,
    ).toBe(true);
  });

  test.each([...CORRECTED, ...RECORDING_RULES].map(({ name, expr }) => [name, expr] as const))(
    "query: %s",
    async (_name, expr) => {
      const samples = await query(expr);
      expect(samples, expr).not.toEqual([]);
      expect(
        samples.filter(({ value }) => !Number.isFinite(Number(value[1]))),
        expr,
      ).toEqual([]);
    },
  );

  test.each(ALERTS.map(({ name, expr }) => [name, expr] as const))("alert: %s", async (name, expr) => {
    const samples = await query(expr);
    expect(samples, expr).not.toEqual([]);
    if (name === "AllocatorDown" || ALTERED.includes(name)) return;
    // Some have no labels.
    expect(
      samples.map(({ metric }) => metric.job ?? "service"),
      expr,
    ).toContain("service");
  });

  test("what an alert names is what is wrong", async () => {
    const named = await query(ALERTS.find(({ name }) => name === "EpochRefcountLeak")?.expr ?? "");
    expect(named.map(({ metric }) => `${metric.job} ${metric.label} ${metric.state}`)).toEqual([
      "altered leaky-handler CLOSING",
    ]);
    const down = await query(ALERTS.find(({ name }) => name === "AllocatorDown")?.expr ?? "");
    expect(down.map(({ metric }) => metric.job)).toEqual(["down"]);
    expect(await query('ALERTS{alertname="DeadMansSwitch",alertstate="firing"}')).toHaveLength(1);
  });

  test("Prometheus evaluates all rules without an error", async () => {
    const { groups } = await get<{
      groups: { rules: { name: string; health: string; lastError?: string }[] }[];
    }>("/api/v1/rules");
    const rules = groups.flatMap((group) => group.rules);
    expect(rules.filter(({ health }) => health !== "ok")).toEqual([]);
    expect(rules.map(({ name }) => name).sort()).toEqual(
      [...RECORDING_RULES, ...ALERTS].map(({ name }) => name).sort(),
    );
    for (const { name } of RECORDING_RULES) expect(await query(name), name).not.toEqual([]);
  });
});
