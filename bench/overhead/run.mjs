/**
 * `npm run bench:overhead [-- --rounds N --seconds S --json FILE]`: what telemetry costs on the hot path.
 *
 * Compares the heap with a build of the same sources whose telemetry was taken out (compiled-out.mjs says how), and with
 * itself: the second comparison shows what the method cannot see. Both sides run in one process, in turns of a few
 * milliseconds; every round is a fresh process, and they swap places from round to round. The figure of a round is the
 * ratio of the medians; that of the table the median over rounds, with the quartiles beside it.
 */
import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import os from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { tracePath } from "../inputs.mjs";
import { median } from "../stats.mjs";
import { buildLibrary } from "./compiled-out.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "24" },
    seconds: { type: "string", default: "0.6" },
    json: { type: "string", default: here("../results/overhead.json") },
  },
});
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);
if (!Number.isInteger(rounds) || rounds < 1 || !(seconds > 0)) {
  console.error("usage: npm run bench:overhead -- [--rounds N] [--seconds S] [--json FILE]");
  process.exit(2);
}

const on = await buildLibrary(here("../.build/telemetry-on.mjs"), { telemetry: true });
const twin = await buildLibrary(here("../.build/telemetry-twin.mjs"), { telemetry: true });
const off = await buildLibrary(here("../.build/telemetry-off.mjs"), { telemetry: false });
const trace = tracePath();

const counted = (file) => ({ file, telemetry: true });
const silent = { file: off, telemetry: false };
/** Goal: at most 1% (counters) or 2% (counters and sampling) above the other side. */
const comparisons = [
  { title: "counters on / compiled out", sides: [counted(on), silent], goal: 1.01 },
  {
    title: "counters and sampling on / compiled out",
    sides: [{ ...counted(on), sampling: true }, silent],
    goal: 1.02,
  },
  { title: "counters on / the same again (control)", sides: [counted(on), counted(twin)] },
];
const patterns = ["pair", "lifo", "mixed", ...(trace ? ["trace"] : [])];
if (!trace) console.log("trace replay skipped: bench/traces is empty; set TSLAB_TRACE to a .trace.gz file");

const results = [];
for (const pattern of patterns) {
  for (const { title, sides, goal } of comparisons) {
    const ratios = [];
    const ns = [];
    for (let round = 0; round < rounds; round++) {
      const swapped = round % 2 === 1;
      const job = { pattern, seconds, trace, libs: swapped ? sides.toReversed() : sides };
      const { stdout } = await promisify(execFile)(
        process.execPath,
        [here("child.mjs"), JSON.stringify(job)],
        { maxBuffer: 1 << 28, timeout: 120_000, killSignal: "SIGKILL" },
      );
      const medians = JSON.parse(stdout).map(median);
      const [ours, theirs] = swapped ? medians.toReversed() : medians;
      ratios.push(ours / theirs);
      ns.push([ours, theirs]);
    }
    results.push({ pattern, title, goal, ratio: median(ratios), ratios, ns });
    process.stderr.write(".");
  }
}
process.stderr.write("\n");

const quartile = (list, q) => list.toSorted((a, b) => a - b)[Math.round((list.length - 1) * q)];
const percent = (ratio) => `${ratio >= 1 ? "+" : ""}${((ratio - 1) * 100).toFixed(2)}%`;
console.log(
  `${os.cpus()[0]?.model}, ${os.availableParallelism()} cores, Node ${process.versions.node}; ${rounds} rounds of ${seconds} s, load ${os.loadavg()[0].toFixed(2)}\n`,
);
for (const { pattern, title, ratios, ratio, goal, ns } of results) {
  const spread = `${percent(quartile(ratios, 0.25))} .. ${percent(quartile(ratios, 0.75))}`;
  const verdict = goal === undefined ? "" : `goal <= ${percent(goal)}  ${ratio <= goal ? "ok" : "MISS"}`;
  const speed = `${median(ns.map(([a]) => a)).toFixed(2)} / ${median(ns.map(([, b]) => b)).toFixed(2)} ns`;
  console.log(
    `${pattern.padEnd(6)} ${title.padEnd(42)} ${percent(ratio).padStart(7)}  (${spread.padEnd(18)})  ${speed.padEnd(16)} ${verdict}`,
  );
}
mkdirSync(dirname(values.json), { recursive: true });
writeFileSync(
  values.json,
  `${JSON.stringify({ date: new Date().toISOString(), node: process.version, rounds, seconds, results })}\n`,
);
console.log(`\nwrote ${join(values.json)}`);
