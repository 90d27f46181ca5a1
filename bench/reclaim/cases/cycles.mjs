/**
 * The same burst over and over, an epoch each: what is committed and resident after every close. `idle`: the same loop with
 * nothing in it, which shows what the engine and the looking alone add to the process.
 */
import { burstSizes, check, empty, fill, MIB } from "../bursts.mjs";
import { autoPageReleaser, runtimeName, SlabHeap } from "../lib.mjs";
import { heapCounter, processRss } from "../memory.mjs";

export async function run({ releases, idle, mib, cycles, capacityMib }) {
  const heap = SlabHeap.create({
    capacity: capacityMib * MIB,
    ...(releases ? { pageReleaser: autoPageReleaser() } : {}),
  });
  const sizes = burstSizes("mixed", mib * MIB);
  const offsets = new Float64Array(sizes.length).fill(1);
  const resident = await heapCounter(heap);
  const committed = () => heap.counters().committedSlabs * heap.slabSize;
  // Filled, or the figures themselves would be what grows.
  const series = { peak: [], committed: [], payload: [], metadata: [], rss: [] };
  for (const name of Object.keys(series)) series[name] = new Float64Array(cycles).fill(1);
  const start = performance.now();
  for (let cycle = 0; cycle < cycles; cycle++) {
    if (!idle) {
      fill(heap, sizes, offsets);
      series.peak[cycle] = committed();
      empty(heap, offsets);
      heap.closeEpoch(heap.currentEpoch);
    }
    series.committed[cycle] = committed();
    series.payload[cycle] = resident.payload() ?? Number.NaN;
    series.metadata[cycle] = resident.metadata() ?? Number.NaN;
    series.rss[cycle] = processRss();
    // Engines clean up behind themselves while their event loop turns, and so does a heap.
    if (cycle % 16 === 15) await new Promise((resolve) => setTimeout(resolve, 0));
  }
  const msPerCycle = (performance.now() - start) / cycles;
  check(heap);
  return {
    runtime: runtimeName(),
    msPerCycle,
    series: Object.fromEntries(Object.entries(series).map(([name, values]) => [name, Array.from(values)])),
  };
}
