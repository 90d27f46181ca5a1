/** One burst in one epoch: allocated, freed, closed; what is resident at each step and what the close costs. */
import { burstSizes, check, empty, fill, MIB } from "../bursts.mjs";
import { autoPageReleaser, runtimeName, SlabHeap } from "../lib.mjs";
import { heapCounter, metered, processRss } from "../memory.mjs";

export async function run({ releases, shape, mib, capacityMib }) {
  const system = autoPageReleaser();
  const { meter, releaser } = metered(system);
  const heap = SlabHeap.create({
    capacity: capacityMib * MIB,
    ...(releases ? { pageReleaser: releaser } : {}),
  });
  const sizes = burstSizes(shape, mib * MIB);
  const offsets = new Float64Array(sizes.length).fill(1);
  const resident = await heapCounter(heap);
  const committed = () => heap.counters().committedSlabs * heap.slabSize;
  const look = () => ({
    rss: processRss(),
    payload: resident.payload(),
    metadata: resident.metadata(),
    committed: committed(),
  });

  // A little of everything, compiled and forgotten; what its pages hold is not the burst's.
  for (let i = 0; i < 20; i++) {
    fill(heap, sizes.subarray(0, 200), offsets.subarray(0, 200));
    empty(heap, offsets.subarray(0, 200));
    heap.closeEpoch(heap.currentEpoch);
  }
  look();
  heap.trim();
  Object.assign(meter, { calls: 0, bytes: 0, ms: 0, longestMs: 0 });

  const before = look();
  const start = performance.now();
  fill(heap, sizes, offsets);
  const filled = performance.now();
  const peak = look();
  const from = performance.now();
  empty(heap, offsets);
  const emptied = performance.now();
  const freed = look();
  const closing = performance.now();
  const report = heap.closeEpoch(heap.currentEpoch);
  const closed = performance.now();
  const after = look();
  check(heap);
  return {
    backend: system.backend,
    reason: system.reason,
    runtime: runtimeName(),
    states: { before, peak, freed, after },
    fillMs: filled - start,
    emptyMs: emptied - from,
    closeMs: closed - closing,
    released: report.bytesReleased,
    ...meter,
  };
}
