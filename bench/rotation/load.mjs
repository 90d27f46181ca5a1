/**
 * One way of serving requests, in a process of its own: `node load.mjs '{"way":…,"seconds":…,"concurrency":…}'`. Prints
 * JSON. The first fifth of the time is warm-up and does not count.
 */
import { writeSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { checksum, WAYS } from "./request.mjs";

const { way, seconds, concurrency } = JSON.parse(process.argv[2]);
const { heap, rotator, request } = WAYS[way]();
const delay = monitorEventLoopDelay({ resolution: 1 });
const latencies = new Float64Array(1 << 22);
const warm = performance.now() + (seconds * 1000) / 5;
const until = performance.now() + seconds * 1000;
let counting = false;
let cpuBefore;
let served = 0;
let serial = 0;
let rss = 0;

async function serve() {
  for (;;) {
    const from = performance.now();
    if (from > until) return;
    await request(++serial);
    if (counting && served < latencies.length) latencies[served++] = performance.now() - from;
  }
}

function beginCounting() {
  counting = true;
  cpuBefore = process.cpuUsage();
  delay.enable();
}

setTimeout(beginCounting, warm - performance.now());
const sampler = setInterval(() => {
  rss = Math.max(rss, process.memoryUsage.rss());
}, 50);
await Promise.all(Array.from({ length: concurrency }, serve));
const wallMs = performance.now() - warm;
const cpu = process.cpuUsage(cpuBefore);
delay.disable();
clearInterval(sampler);

const sorted = latencies.subarray(0, served).sort();
const at = (q) => sorted[Math.min(served - 1, Math.floor(served * q))];
const result = {
  requestsPerSec: (served / wallMs) * 1000,
  cpuNsPerRequest: ((cpu.user + cpu.system) * 1000) / served,
  requestMs: { p50: at(0.5), p99: at(0.99), max: sorted[served - 1] },
  loopDelayMs: {
    p50: delay.percentile(50) / 1e6,
    p99: delay.percentile(99) / 1e6,
    max: delay.max / 1e6,
  },
  maxRssBytes: rss,
  checksum: checksum(),
  ...heapFigures(),
};
writeSync(1, `${JSON.stringify(result)}\n`);
process.exit(0);

function heapFigures() {
  if (heap === undefined) return {};
  const peak = heap.counters().peakCommittedSlabs * heap.slabSize;
  rotator?.stop();
  const stats = rotator?.stats();
  const report = heap.verify();
  if (!report.ok) throw new Error(`verify() after the run: ${report.problems[0]}`);
  if (report.liveObjects > 0) throw new Error(`${report.liveObjects} objects were left behind`);
  if (stats !== undefined && (stats.domainsOpen > 0 || stats.waiting > 0)) {
    throw new Error(`domains are still open: ${JSON.stringify(stats)}`);
  }
  const committed = heap.counters().committedSlabs * heap.slabSize;
  return { peakBytes: peak, committedBytes: committed, ...(stats && { rotator: stats }) };
}
