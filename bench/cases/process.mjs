/** What a heap does to the process around it: time and memory to start, garbage per operation. */
import { PerformanceObserver } from "node:perf_hooks";
import { getHeapStatistics } from "node:v8";
import { checkHeap, contenders, storeFor } from "../contenders.mjs";
import { OBJECT_SIZE } from "../inputs.mjs";
import { SlabHeap } from "../lib.mjs";

const SIZE = OBJECT_SIZE; // own constants, see loops.mjs

export const run = (job) => (job.row === "start" ? start() : garbage(job));

/** First heap of a fresh process, so the time includes code that has never run. */
function start() {
  const MIB = 2 ** 20;
  const rssBefore = process.memoryUsage.rss();
  const from = performance.now();
  const heap = SlabHeap.create({ capacity: 4096 * MIB });
  const took = performance.now() - from;
  const rss = process.memoryUsage.rss() - rssBefore;
  return { samples: [took], metrics: { rssMiB: rss / MIB, capacityGiB: heap.capacity / 2 ** 30 } };
}

function keepHandles(heap, store, pairs) {
  for (let i = 0; i < pairs; i++) {
    store[0] = heap.alloc(SIZE);
    heap.free(store[0]);
  }
}
function keepOffsets(heap, store, pairs) {
  for (let i = 0; i < pairs; i++) {
    store[0] = heap.allocOffset(SIZE);
    heap.freeOffset(store[0]);
  }
}

/**
 * Growth of the JS heap over so many pairs that a byte each would show, and the collections that
 * ran meanwhile. The new space is set large by run.mjs for contenders that do make garbage, so that
 * a collection cannot hide it, and small for ours, so that any garbage at all forces one.
 */
async function garbage(job) {
  const ints = job.contender === "oursInt";
  const contender = ints ? contenders.ours : contenders[job.contender];
  const heap = await contender.make();
  const store = storeFor(contender, 1);
  const keep = ints ? keepOffsets : keepHandles;
  const pairs = contender.garbage ? 200_000 : 10_000_000;
  // Until the slow path is compiled too, which one alloc in 1024 takes: an interpreter boxes numbers.
  for (let i = 0; i < 20; i++) keep(heap, store, pairs / 10);

  let collections = 0;
  const observer = new PerformanceObserver((list) => {
    collections += list.getEntries().length;
  });
  const settle = () => new Promise((resolve) => setTimeout(resolve, 20));
  globalThis.gc();
  await settle(); // the observer starts after our own collection has been reported
  observer.observe({ entryTypes: ["gc"] });
  await settle();
  const before = getHeapStatistics().used_heap_size;
  keep(heap, store, pairs);
  const grown = getHeapStatistics().used_heap_size - before;
  await settle();
  observer.disconnect();
  if (contender === contenders.ours) checkHeap(heap);
  const value = Math.max(0, grown / pairs);
  return { value, samples: [value], metrics: { collections, pairs, grownBytes: grown } };
}
