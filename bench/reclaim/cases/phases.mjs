/**
 * One burst in steps that every way of having memory knows: allocate and touch, drop, give back, a second of nothing.
 * The twin in C is ../phases.c.
 */
import { setTimeout } from "node:timers/promises";
import { burstSizes, check, empty, fill, MIB } from "../bursts.mjs";
import { autoPageReleaser, SlabHeap } from "../lib.mjs";
import { processRss } from "../memory.mjs";

const WAYS = {
  heap: heapBurst,
  "heap-releases": heapBurst,
  alloc: bufferBurst,
  allocUnsafeSlow: bufferBurst,
};

export async function run({ way, shape, mib, keepEvery }) {
  const sizes = burstSizes(shape, mib * MIB);
  const { warmUp, fillAll, drop, giveBack, finish } = WAYS[way](way, sizes, keepEvery);
  warmUp();
  globalThis.gc();
  await setTimeout(50);
  const rss = [processRss()];
  const ms = [];
  for (const step of [fillAll, drop, giveBack]) {
    const from = performance.now();
    step();
    ms.push(performance.now() - from);
    rss.push(processRss());
  }
  await setTimeout(1000);
  rss.push(processRss());
  finish();
  return { rss, ms };
}

function heapBurst(way, sizes, keepEvery) {
  const heap = SlabHeap.create({
    capacity: 1024 * MIB,
    ...(way === "heap-releases" ? { pageReleaser: autoPageReleaser() } : {}),
  });
  const offsets = new Float64Array(sizes.length).fill(1);
  const burst = (count) => {
    fill(heap, sizes.subarray(0, count), offsets.subarray(0, count));
  };
  return {
    warmUp() {
      for (let i = 0; i < 20; i++) {
        burst(200);
        empty(heap, offsets.subarray(0, 200));
        heap.closeEpoch(heap.currentEpoch);
      }
      heap.trim();
    },
    fillAll: () => burst(sizes.length),
    drop: () => empty(heap, offsets, keepEvery),
    giveBack: () => heap.closeEpoch(heap.currentEpoch),
    finish: () => check(heap),
  };
}

function bufferBurst(way, sizes, keepEvery) {
  const make = Buffer[way];
  const buffers = new Array(sizes.length).fill(null);
  const burst = (count) => {
    for (let i = 0; i < count; i++) {
      const size = sizes[i];
      const buffer = make(size);
      for (let byte = 0; byte < size; byte += 4096) buffer[byte] = 1;
      buffer[size - 1] = 1;
      buffers[i] = buffer;
    }
  };
  const drop = (count) => {
    for (let i = 0; i < count; i++) if (keepEvery === 0 || i % keepEvery !== 0) buffers[i] = null;
  };
  return {
    warmUp() {
      for (let i = 0; i < 20; i++) {
        burst(200);
        drop(200);
      }
    },
    fillAll: () => burst(sizes.length),
    drop: () => drop(sizes.length),
    // The first finds them dead, the second waits until the memory of those is freed.
    giveBack() {
      globalThis.gc();
      globalThis.gc();
    },
    finish() {
      if (keepEvery !== 0 && buffers[0][0] !== 1) throw new Error("a buffer that was kept has changed");
    },
  };
}
