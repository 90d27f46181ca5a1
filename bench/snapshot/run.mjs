/**
 * `npm run bench:stats [-- --rounds N --json FILE]`: what looking at a heap costs, the one who looks and the others.
 *
 *   cost     one snapshot of an idle default heap, and of heaps with 10,000 slabs
 *   effect   writers with a reader that takes snapshots in a loop on another core, against writers without one; turns
 *            of a fraction of a second, alternating, in one process
 */
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { SlabHeap } from "../../dist/index.js";
import { StatsReader } from "../../dist/stats.js";
import { mixedSizes } from "../inputs.mjs";
import { middleHalf, once, percent, start, timed, verdict, writeResults } from "../looks.mjs";
import { median } from "../stats.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const SLABS = 10_000;
const TURN_MS = 300;

const { rounds, json } = start("bench:stats", { rounds: 20, file: "snapshot.json" });
const costs = [
  cost("idle default heap", 100, idleHeap),
  cost("10,000 slabs, full, one thread", 2000, () => fullHeap(1, 0)),
  cost("10,000 slabs, full, 16 threads, 4 eras in and out of the ring", 2000, () => fullHeap(16, 3)),
  cost("10,000 slabs, every 8th object freed by another thread", undefined, () => remoteFreed()),
];
const effects = [
  await effect("1 writer, reader in a loop on the other core", 1, 0, 1.02),
  await effect("2 writers, a snapshot every 100 ms", 2, 100, 1.02),
];
writeResults(json, { rounds, costs, effects });

function cost(title, goalUs, make) {
  const { heap, keep } = make();
  const reader = StatsReader.open(heap);
  const { median, p99, samples } = timed(() => reader.snapshot(), { ms: 200 * rounds, least: 50 });
  const us = median * 1000;
  const p99us = p99 * 1000;
  const goal = goalUs === undefined ? "" : `goal <= ${goalUs} us  ${verdict(us <= goalUs)}`;
  console.log(`${title.padEnd(56)} ${us.toFixed(0).padStart(6)} us  (p99 ${p99us.toFixed(0)})  ${goal}`);
  for (const other of keep) other.detach();
  heap.detach();
  return { title, goalUs, us, p99us, samples };
}

function idleHeap() {
  return { heap: SlabHeap.create(), keep: [] };
}

/** All slabs taken, by so many seats in turn, over `epochs` advances of each. */
function fullHeap(seats, epochs) {
  const heap = SlabHeap.create({ capacity: SLABS * 65536 });
  const others = Array.from({ length: seats - 1 }, () => SlabHeap.attach(heap.share(), { sameThread: true }));
  const all = [heap, ...others];
  const sizes = mixedSizes();
  const share = Math.floor(SLABS / (all.length * (epochs + 1)));
  for (let epoch = 0; epoch <= epochs; epoch++) {
    for (const each of all) {
      const until = heap.counters().committedSlabs + share;
      // A batch fills 20 slabs or so.
      while (heap.counters().committedSlabs < until && allocBatch(each, sizes));
    }
    // 17 advances: the next era has another ring slot, and the era before was pushed out of its own.
    for (let i = 0; epoch < epochs && i < 17; i++) heap.advanceEpoch();
  }
  while (heap.alloc(768) !== 0);
  return { heap, keep: others };
}

function allocBatch(heap, sizes) {
  for (const size of sizes) if (heap.alloc(size) === 0) return false;
  return true;
}

/** The slowest heap to look at: every slab has remote frees its owner was told of but has not taken back. */
function remoteFreed() {
  const heap = SlabHeap.create({ capacity: SLABS * 65536 });
  const other = SlabHeap.attach(heap.share(), { sameThread: true });
  const sizes = mixedSizes();
  const handles = [];
  for (let i = 0; ; i++) {
    const handle = heap.alloc(sizes[i & 4095]);
    if (handle === 0) break;
    if (i % 8 === 0) handles.push(handle);
  }
  for (const handle of handles) other.free(handle);
  return { heap, keep: [other] };
}

async function effect(title, writers, pauseMs, goal) {
  const heap = SlabHeap.create({ capacity: 64 << 20 });
  const stop = new SharedArrayBuffer(4);
  const flags = new Int32Array(stop);
  const start = async (role) => {
    const worker = new Worker(here("worker.mjs"), { workerData: { role, ref: heap.share(), stop } });
    await once(worker);
    return worker;
  };
  const writing = [];
  for (let i = 0; i < writers; i++) writing.push(await start("writer"));
  const reading = await start("reader");
  const turn = async (withReader) => {
    Atomics.store(flags, 0, 0);
    const running = withReader ? [...writing, reading] : writing;
    const answers = running.map((worker) => once(worker));
    for (const worker of running) worker.postMessage({ pauseMs: worker === reading ? pauseMs : 0 });
    await new Promise((resolve) => setTimeout(resolve, TURN_MS));
    Atomics.store(flags, 0, 1);
    Atomics.notify(flags, 0);
    return Promise.all(answers);
  };
  const ratios = [];
  const snapshots = [];
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 ? [true, false] : [false, true];
    const nsPerPair = {};
    for (const withReader of order) {
      const answers = await turn(withReader);
      if (withReader) snapshots.push((answers[writers].done / answers[writers].wallNs) * 1e9);
      // Time on a processor where the system tells: with more threads than cores the wall clock measures waiting.
      nsPerPair[withReader] = median(answers.slice(0, writers).map((a) => a.cpuNs / a.done));
    }
    ratios.push(nsPerPair.true / nsPerPair.false);
  }
  Atomics.store(flags, 0, 2);
  for (const worker of [...writing, reading]) worker.postMessage({});
  heap.detach();
  const ratio = median(ratios);
  console.log(
    `${title.padEnd(56)} ${percent(ratio).padStart(7)}  (${middleHalf(ratios)}; ${median(snapshots).toFixed(0)} snapshots/s)  goal <= ${percent(goal)}  ${verdict(ratio <= goal)}`,
  );
  return { title, goal, ratio, ratios, snapshotsPerSec: median(snapshots) };
}
