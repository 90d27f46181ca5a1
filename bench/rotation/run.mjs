/**
 * `npm run bench:rotation [-- --rounds N --seconds S --concurrency N --json FILE]`: what domains that follow await cost, and
 * what rotation gives.
 *
 *   load     so many requests at once, for S seconds in a process of its own, in each way of getting memory; rounds in
 *            turns. Figures are medians over rounds, maxima the largest of all. "over" is the time on a processor per
 *            request above that of the first row; on a busy machine the other times measure waiting too.
 *   calls    ns on a processor for opening and leaving a domain by itself, beside AsyncLocalStorage.run by itself
 */
import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import os from "node:os";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { median } from "../stats.mjs";
import { EVERY_DOMAINS, EVERY_MS, WAYS } from "./request.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "4" },
    concurrency: { type: "string", default: "1000" },
    json: { type: "string", default: here("../results/rotation.json") },
  },
});
const [rounds, seconds, concurrency] = [values.rounds, values.seconds, values.concurrency].map(Number);
if (!Number.isInteger(rounds) || rounds < 1 || !(seconds > 0) || !Number.isInteger(concurrency)) {
  console.error(
    "usage: npm run bench:rotation -- [--rounds N] [--seconds S] [--concurrency N] [--json FILE]",
  );
  process.exit(2);
}
console.log(
  `${os.cpus()[0]?.model}, ${os.availableParallelism()} cores, Node ${process.versions.node}, load ${os.loadavg()[0].toFixed(2)}`,
);
console.log(
  `${concurrency} requests at once, rotation every ${EVERY_DOMAINS} domains or ${EVERY_MS} ms, ${rounds} rounds of ${seconds} s\n`,
);

const load = Object.fromEntries(Object.keys(WAYS).map((way) => [way, []]));
for (let round = 0; round < rounds; round++) {
  const ways = Object.keys(WAYS);
  for (const way of round % 2 ? ways.toReversed() : ways) {
    load[way].push(await child("load.mjs", { way, seconds, concurrency }));
  }
}
const calls = await child("calls.mjs", { seconds: seconds * 2 });
print();
mkdirSync(dirname(values.json), { recursive: true });
const machine = {
  cpu: os.cpus()[0]?.model,
  cores: os.availableParallelism(),
  node: process.version,
  load: os.loadavg()[0],
};
writeFileSync(
  values.json,
  `${JSON.stringify({ date: new Date().toISOString(), ...machine, rounds, seconds, concurrency, load, calls }, null, 1)}\n`,
);
console.log(`\nwrote ${values.json}`);

async function child(script, options) {
  const { stdout } = await promisify(execFile)(process.execPath, [here(script), JSON.stringify(options)]);
  return JSON.parse(stdout);
}

function print() {
  const mid = (way, pick) => median(load[way].map(pick));
  const most = (way, pick) => Math.max(...load[way].map(pick));
  const base = mid(Object.keys(load)[0], (r) => r.cpuNsPerRequest);
  const mib = (bytes) => (Number.isFinite(bytes) ? `${(bytes / 2 ** 20).toFixed(1)} MiB` : "-");
  const ms = (value) => value.toFixed(1);
  const rows = Object.keys(load).map((way) => [
    way,
    mid(way, (r) => r.requestsPerSec).toFixed(0),
    (mid(way, (r) => r.cpuNsPerRequest) / 1000).toFixed(2),
    ((mid(way, (r) => r.cpuNsPerRequest) - base) / 1000).toFixed(2),
    ["p50", "p99"].map((q) => ms(mid(way, (r) => r.requestMs[q]))).join("/"),
    ms(most(way, (r) => r.requestMs.max)),
    ["p50", "p99"].map((q) => ms(mid(way, (r) => r.loopDelayMs[q]))).join("/"),
    ms(most(way, (r) => r.loopDelayMs.max)),
    mib(most(way, (r) => r.peakBytes ?? Number.NaN)),
    mib(most(way, (r) => r.maxRssBytes)),
    rotations(load[way]),
  ]);
  const header = [
    "",
    "requests/s",
    "CPU, us",
    "over, us",
    "request p50/p99, ms",
    "max",
    "loop delay p50/p99, ms",
    "max",
  ];
  table([[...header, "slabs, peak", "RSS, peak", "rotations"], ...rows]);
  console.log();
  table([["ns per call", ""], ...Object.entries(calls).map(([name, ns]) => [name, ns.toFixed(0)])]);
}

function rotations(results) {
  if (results[0].rotator === undefined) return "-";
  const all = results.map(({ rotator }) => rotator);
  const sum = (pick) => all.reduce((total, stats) => total + pick(stats), 0);
  return `${sum(({ rotations: r }) => r.count + r.time + r.manual)} (${sum((s) => s.delayed)} delayed)`;
}

function table(rows) {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  for (const row of rows) {
    console.log(
      row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join("  "),
    );
  }
}
