/**
 * What opening and leaving a domain costs by itself, in a process of its own: prints JSON, ns per call by name. Turns of a
 * few milliseconds of one contender after the other; time on a processor, medians over the turns.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { writeSync } from "node:fs";
import { EpochRotator, runInDomain } from "../../dist/async.js";
import { SlabHeap } from "../../dist/index.js";
import { median } from "../stats.mjs";

const { seconds } = JSON.parse(process.argv[2]);
const BATCH = 4000;
const heap = SlabHeap.create();
const storage = new AsyncLocalStorage();
const rotator = new EpochRotator(heap, { everyDomains: 256, onLastExit: "discard" });
const { signal } = new AbortController();
const work = () => 1;
const asyncWork = async () => 1;

const SYNC = {
  "sync: AsyncLocalStorage.run": () => storage.run(heap, work),
  "sync: openDomain and exit": () => heap.openDomain({ unordered: true }).exit(),
  "sync: runInDomain": () => runInDomain(heap, {}, work),
  "sync: runInDomain with a label": () => runInDomain(heap, { label: "request" }, work),
  "sync: runInDomain with a rotator": () => runInDomain(heap, { rotator }, work),
};
const ASYNC = {
  "async: the function alone": asyncWork,
  "async: AsyncLocalStorage.run": () => storage.run(heap, asyncWork),
  "async: runInDomain": () => runInDomain(heap, {}, asyncWork),
  "async: runInDomain with a signal": () => runInDomain(heap, { signal }, asyncWork),
  "async: runInDomain with a rotator": () => runInDomain(heap, { rotator }, asyncWork),
};

const samples = {};
for (const name of [...Object.keys(SYNC), ...Object.keys(ASYNC)]) samples[name] = [];
const begun = performance.now();
for (let turn = 0; performance.now() - begun < seconds * 1000 || turn < 20; turn++) {
  for (const [name, call] of Object.entries(SYNC)) {
    const from = process.cpuUsage();
    for (let i = 0; i < BATCH; i++) call();
    samples[name].push(nsPerCall(from));
  }
  for (const [name, call] of Object.entries(ASYNC)) {
    const from = process.cpuUsage();
    for (let i = 0; i < BATCH; i++) await call();
    samples[name].push(nsPerCall(from));
  }
}
rotator.stop();
if (!heap.verify().ok) throw new Error(heap.verify().problems[0]);
if (heap.refcount(heap.currentEpoch) !== 0) throw new Error("a domain was not left");
const result = Object.fromEntries(Object.entries(samples).map(([name, ns]) => [name, median(ns)]));
writeSync(1, `${JSON.stringify(result)}\n`);
process.exit(0);

function nsPerCall(from) {
  const { user, system } = process.cpuUsage(from);
  return ((user + system) * 1000) / BATCH;
}
