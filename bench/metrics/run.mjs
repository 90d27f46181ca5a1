/**
 * `npm run bench:metrics [-- --rounds N --json FILE]`: what `/metrics` costs, the one who asks and the others.
 *
 *   cost     snapshot and text of heaps with 10,000 slabs in 16 epochs; bytes and families of the text
 *   help     how long `tslab --help` takes to answer
 *   scrape   processor time of the thread that serves, per scrape over HTTP of the largest heap; once a second that is
 *            the share of the thread it takes
 *   effect   work with a scrape each second over HTTP, against work without; turns of some seconds, alternating, in one
 *            process. In the thread that also serves, where every microsecond of a scrape is missing, and in another one
 *
 * Effects are time on a processor per operation: the wall clock of a shared machine measures the neighbours.
 */
import { spawnSync } from "node:child_process";
import { setImmediate, setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { createTelemetryServer } from "../../dist/http.js";
import { SlabHeap } from "../../dist/index.js";
import { StatsReader } from "../../dist/stats.js";
import { metricFamilies, prometheusText } from "../../dist/telemetry.js";
import { mixedSizes, xorshift } from "../inputs.mjs";
import { middleHalf, onCpuNs, once, percent, start, timed, verdict, writeResults } from "../looks.mjs";
import { mixed } from "../loops.mjs";
import { median } from "../stats.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const SLABS = 10_000;
const EPOCHS = 16;
const TURN_MS = 4000;
const SCRAPE_MS = 1000;
const GOAL_MS = 5;
const GOAL_BYTES = 200_000;
const GOAL_EFFECT = 1.01;
const GOAL_HELP_MS = 150;

const { rounds, json } = start("bench:metrics", { rounds: 10, file: "metrics.json" });
const costs = [
  cost("idle default heap", () => ({ heap: SlabHeap.create(), keep: [] })),
  cost("10,000 slabs, 16 epochs, sizes to 768 B, one thread", () => fullHeap(1, 768)),
  cost("10,000 slabs, 16 epochs, all 40 classes, 16 threads", () => fullHeap(16, 32_768)),
];
const help = timeHelp();
const scrape = await scrapeCost();
const effects = [];
for (const where of ["the serving thread", "another thread"]) effects.push(await effect(where));
writeResults(json, { rounds, costs, help, scrape, effects });

/** Slabs of every ring slot, by all seats; labels as long as they can be. */
function fullHeap(seats, largest) {
  const heap = SlabHeap.create({ capacity: SLABS * 65536 });
  const others = Array.from({ length: seats - 1 }, () => SlabHeap.attach(heap.share(), { sameThread: true }));
  const all = [heap, ...others];
  const random = xorshift(4711);
  for (let epoch = 0; epoch < EPOCHS; epoch++) {
    heap.setEpochLabel(epoch % EPOCHS, `GET /api/v1/customers/${epoch}`.padEnd(31, "x"));
    // By bytes: counting slabs takes longer than filling them. What the slots' sizes waste fills the last epoch.
    let left = (0.9 * SLABS * 65536) / EPOCHS;
    for (let i = 0; left > 0; i++) {
      // Every size about as often, on a logarithmic scale.
      const size = Math.ceil(16 * (largest / 16) ** (random() / 2 ** 32));
      left -= size;
      if (all[i % seats].alloc(size) === 0) break;
    }
    if (epoch < EPOCHS - 1) heap.advanceEpoch();
  }
  return { heap, keep: others };
}

/** Whole processes, one after the other: `tslab --help`, and Node alone. */
function timeHelp() {
  const run = (...args) => timed(() => spawnSync(process.execPath, args), { warmUps: 3 });
  const help = run(here("../../dist/cli/main.js"), "--help");
  const node = run("-e", "0");
  console.log(
    `${"tslab --help".padEnd(54)} ${help.median.toFixed(0)} ms (slowest ${help.p99.toFixed(0)}), of it Node itself ${node.median.toFixed(0)} ms  goal <= ${GOAL_HELP_MS} ms  ${verdict(help.median <= GOAL_HELP_MS)}`,
  );
  return { ms: help.median, slowestMs: help.p99, nodeMs: node.median };
}

function cost(title, make) {
  const { heap, keep } = make();
  const reader = StatsReader.open(heap);
  const document = reader.snapshot();
  const text = prometheusText(document);
  const snapshot = timed(() => reader.snapshot());
  const all = timed(() => prometheusText(reader));
  const bytes = Buffer.byteLength(text);
  const families = text.split("\n").filter((line) => line.startsWith("# TYPE ")).length;
  const series = text.split("\n").filter((line) => line !== "" && !line.startsWith("#")).length;
  const isGood = all.median <= GOAL_MS && bytes <= GOAL_BYTES;
  console.log(
    `${title.padEnd(54)} ${all.median.toFixed(2)} ms (p99 ${all.p99.toFixed(1)}), snapshot ${snapshot.median.toFixed(2)} ms; ` +
      `${(bytes / 1000).toFixed(0)} kB, ${families} of ${metricFamilies().length} families, ${series} series  goal <= ${GOAL_MS} ms, ${GOAL_BYTES / 1000} kB  ${verdict(isGood)}`,
  );
  for (const other of keep) other.detach();
  heap.detach();
  const slabs = Number(document.net_slabs) + Number(document.large.slabs);
  return {
    title,
    ms: all.median,
    p99ms: all.p99,
    snapshotMs: snapshot.median,
    bytes,
    families,
    series,
    slabs,
  };
}

/** The thread does nothing but serve: whatever it spends is the scrapes'. */
async function scrapeCost() {
  const { heap, keep } = fullHeap(16, 32_768);
  const server = createTelemetryServer(StatsReader.open(heap));
  const { url } = await server.listen();
  const scraper = new Worker(here("worker.mjs"), {
    workerData: { role: "scraper", url: new URL("/metrics", url).href },
  });
  const turn = async () => {
    scraper.postMessage({ everyMs: 20 });
    const from = onCpuNs();
    await setTimeout(TURN_MS);
    scraper.postMessage({ everyMs: 0 });
    const { scrapes } = await once(scraper);
    return (onCpuNs() - from) / 1e6 / scrapes;
  };
  await turn();
  const samples = [];
  for (let i = 0; i < 5; i++) samples.push(await turn());
  await scraper.terminate();
  await server.close();
  for (const other of keep) other.detach();
  heap.detach();
  const ms = median(samples);
  const share = ms / SCRAPE_MS;
  console.log(
    `${"a scrape over HTTP of the heap with 16 threads".padEnd(54)} ${ms.toFixed(2)} ms of the serving thread; each second that is ${(share * 100).toFixed(2)}%  goal <= 1%  ${verdict(share <= GOAL_EFFECT - 1)}`,
  );
  return { ms, samples, share };
}

/** Ratio of processor time per operation with and without scrapes. */
async function effect(where) {
  const heap = SlabHeap.create({ capacity: 64 << 20 });
  const server = createTelemetryServer(StatsReader.open(heap));
  const { url } = await server.listen();
  const scraper = new Worker(here("worker.mjs"), {
    workerData: { role: "scraper", url: new URL("/metrics", url).href },
  });
  const work = where === "another thread" ? await otherThread(heap) : sameThread(heap);
  const ratios = [];
  let scrapes = 0;
  let bytes = 0;
  // The first turn of each kind warms up.
  for (let round = -1; round < rounds; round++) {
    const nsPerOperation = {};
    for (const isScraped of round % 2 ? [true, false] : [false, true]) {
      if (isScraped) scraper.postMessage({ everyMs: SCRAPE_MS });
      nsPerOperation[isScraped] = await work.turn();
      scraper.postMessage({ everyMs: 0 });
      const done = await once(scraper);
      if (isScraped && round >= 0) scrapes += done.scrapes;
      bytes = done.bytes || bytes;
    }
    if (round >= 0) ratios.push(nsPerOperation.true / nsPerOperation.false);
  }
  await work.stop();
  await scraper.terminate();
  await server.close();
  heap.detach();
  const ratio = median(ratios);
  const title = `a scrape each second, work in ${where}`;
  console.log(
    `${title.padEnd(54)} ${percent(ratio)} (${middleHalf(ratios)}; ${scrapes} scrapes of ${(bytes / 1000).toFixed(0)} kB)  goal <= ${percent(GOAL_EFFECT)}  ${verdict(ratio <= GOAL_EFFECT)}`,
  );
  return { title, goal: GOAL_EFFECT, ratio, ratios, scrapes, bytes };
}

/** A service that does everything in its event loop. */
function sameThread(heap) {
  const store = new Float64Array(1000);
  const sizes = mixedSizes();
  return {
    async turn() {
      const until = performance.now() + TURN_MS;
      const from = onCpuNs();
      let done = 0;
      while (performance.now() < until) {
        mixed(heap, store, 5, sizes);
        done += 5000;
        await setImmediate();
      }
      return (onCpuNs() - from) / done;
    },
    async stop() {},
  };
}

async function otherThread(heap) {
  const stop = new SharedArrayBuffer(4);
  const worker = new Worker(here("worker.mjs"), { workerData: { role: "writer", ref: heap.share(), stop } });
  await once(worker);
  const flags = new Int32Array(stop);
  return {
    async turn() {
      Atomics.store(flags, 0, 0);
      const answer = once(worker);
      worker.postMessage("work");
      await setTimeout(TURN_MS);
      Atomics.store(flags, 0, 1);
      return await answer;
    },
    async stop() {
      const ended = new Promise((resolve) => worker.once("exit", resolve));
      worker.postMessage("end");
      await ended;
    },
  };
}
