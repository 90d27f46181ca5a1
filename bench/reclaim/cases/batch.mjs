/**
 * How much to release in one call: time per MiB, how long one call holds the slabs, and what it costs a thread of the same
 * process that works on other memory. Its processor must forget the pages that go (TLB shootdown), once per call.
 */
import { Worker } from "node:worker_threads";
import { once } from "../../looks.mjs";
import { median } from "../../stats.mjs";
import { MIB } from "../bursts.mjs";
import { autoPageReleaser } from "../lib.mjs";

const TOTAL = 64 * MIB;
const PAGE = 4096;
const REPEATS = 12;

export async function run({ batches, withOther }) {
  const { release } = autoPageReleaser();
  const buffer = new SharedArrayBuffer(TOTAL + PAGE);
  const bytes = new Uint8Array(buffer);
  const other = withOther ? await startOther() : undefined;
  const results = batches.map((batch) => ({ batch, calls: [], otherRates: [] }));
  const emptyCalls = [];
  // In turns: what slows the machine for a while must not fall on one of them. The first warms up.
  for (let repeat = -1; repeat < REPEATS; repeat++) {
    for (const result of repeat % 2 ? results.toReversed() : results) {
      for (let at = 0; at < TOTAL; at += PAGE) bytes[at] = 1;
      const durations = [];
      const calm = other?.during(() => spin(8));
      const busy = other?.during(() => releaseAll(release, buffer, result.batch, durations));
      if (other === undefined) releaseAll(release, buffer, result.batch, durations);
      if (repeat < 0) continue;
      result.calls.push(...durations);
      if (other !== undefined) result.otherRates.push(busy / calm);
    }
    const from = performance.now();
    for (let i = 0; i < 100; i++) release(buffer, 0, 65_536 + PAGE);
    emptyCalls.push((performance.now() - from) * 10);
  }
  await other?.stop();
  return {
    emptyCallUs: median(emptyCalls),
    results: results.map(({ batch, calls, otherRates }) => ({
      batch,
      // Of the median call: one that the system interrupted says nothing about its length.
      usPerMib: (median(calls) * 1000) / (batch / MIB),
      callUs: median(calls) * 1000,
      longestUs: Math.max(...calls) * 1000,
      otherRate: otherRates.length === 0 ? null : median(otherRates),
    })),
  };
}

function releaseAll(release, buffer, batch, durations) {
  for (let at = 0; at < TOTAL; at += batch) {
    const from = performance.now();
    // A page more than the batch: a buffer need not begin on a page, and only whole ones go.
    if (release(buffer, at, batch + (at + batch === TOTAL ? PAGE : 0)) < 0) throw new Error("refused");
    durations.push(performance.now() - from);
  }
}

function spin(ms) {
  for (const until = performance.now() + ms; performance.now() < until; );
}

/** A thread that allocates and frees all the while, in a heap of its own. */
async function startOther() {
  const words = new Int32Array(new SharedArrayBuffer(8));
  const worker = new Worker(new URL("../worker.mjs", import.meta.url), { workerData: words.buffer });
  await once(worker);
  return {
    /** What it gets done per millisecond meanwhile. */
    during(work) {
      const doneBefore = Atomics.load(words, 0);
      const from = performance.now();
      work();
      return (Atomics.load(words, 0) - doneBefore) / (performance.now() - from);
    },
    async stop() {
      const ended = new Promise((resolve) => worker.once("exit", resolve));
      Atomics.store(words, 1, 1);
      await ended;
    },
  };
}
