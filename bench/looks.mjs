/**
 * What the benches of the price of looking at a heap share: their command line, clocks, threads that answer, and figures
 * in words and in a file.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import os from "node:os";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { median } from "./stats.mjs";

/**
 * `--rounds N --json FILE` of `npm run SCRIPT`, the file in results/ unless one is named; says what it runs on. Ends the
 * process when N is no count.
 */
export function start(script, defaults) {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: String(defaults.rounds) },
      json: { type: "string", default: fileURLToPath(new URL(`results/${defaults.file}`, import.meta.url)) },
    },
  });
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) {
    console.error(`usage: npm run ${script} -- [--rounds N] [--json FILE]`);
    process.exit(2);
  }
  console.log(
    `${os.cpus()[0]?.model}, ${os.availableParallelism()} cores, Node ${process.versions.node}, load ${os.loadavg()[0].toFixed(2)}\n`,
  );
  return { rounds, json: values.json };
}

export function writeResults(file, results) {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(
    file,
    `${JSON.stringify({ date: new Date().toISOString(), node: process.version, ...results })}\n`,
  );
  console.log(`\nwrote ${file}`);
}

/** Milliseconds a call of `work` takes, by the clock: called for `ms`, and at least so many times. */
export function timed(work, { warmUps = 50, ms = 2000, least = 1 } = {}) {
  const samples = [];
  for (let i = 0; i < warmUps; i++) work();
  const until = performance.now() + ms;
  while (performance.now() < until || samples.length < least) {
    const from = performance.now();
    work();
    samples.push(performance.now() - from);
  }
  samples.sort((a, b) => a - b);
  return {
    median: median(samples),
    p99: samples[Math.floor(samples.length * 0.99)],
    samples: samples.length,
  };
}

/** Nanoseconds this thread was on a processor; where the system does not say, by the clock. */
export function onCpuNs() {
  try {
    return Number(readFileSync("/proc/thread-self/schedstat", "utf8").split(" ")[0]);
  } catch {
    return performance.now() * 1e6;
  }
}

/** The next message of a thread; rejects when the thread fails first. */
export function once(worker) {
  return new Promise((resolve, reject) => {
    const settle = (done) => (value) => {
      worker.off("message", onMessage);
      worker.off("error", onError);
      done(value);
    };
    const onMessage = settle(resolve);
    const onError = settle(reject);
    worker.on("message", onMessage);
    worker.on("error", onError);
  });
}

/** 1.02 is `+2.00%`. */
export const percent = (ratio) => `${ratio >= 1 ? "+" : ""}${((ratio - 1) * 100).toFixed(2)}%`;

/** The middle half of ratios: `-0.10% .. +2.00%`. */
export function middleHalf(ratios) {
  const sorted = ratios.toSorted((a, b) => a - b);
  const at = (q) => percent(sorted[Math.round((sorted.length - 1) * q)]);
  return `${at(0.25)} .. ${at(0.75)}`;
}

export const verdict = (isGood) => (isGood ? "ok" : "MISS");
