/**
 * Filling pages with objects of 1 KiB: pages that went back, pages that stayed warm, and pages nobody ever touched. By the clock,
 * because the system counts processor time in steps of milliseconds.
 */
import { median } from "../../stats.mjs";
import { burstSizes, check, empty, fill, MIB } from "../bursts.mjs";
import { autoPageReleaser, SlabHeap } from "../lib.mjs";

const TOTAL = 64 * MIB;
const PAGE = 4096;
const HEAPS = 6;

export function run() {
  const sizes = burstSizes("1k", TOTAL);
  const offsets = new Float64Array(sizes.length).fill(1);
  const samples = { never: [], warm: [], released: [] };
  // The first heap warms up.
  for (let round = 0; round <= HEAPS; round++) {
    const heap = SlabHeap.create({
      capacity: 2 * TOTAL,
      pageReleaser: autoPageReleaser(),
      releasePolicy: { onClose: false },
    });
    const burst = () => {
      const from = performance.now();
      fill(heap, sizes, offsets);
      const ns = ((performance.now() - from) * 1e6) / (TOTAL / PAGE);
      empty(heap, offsets);
      heap.closeEpoch(heap.currentEpoch);
      return ns;
    };
    const never = burst();
    const warm = [burst(), burst()];
    const released = [];
    for (let i = 0; i < 2; i++) {
      heap.trim();
      released.push(burst());
    }
    if (round === 0) continue;
    samples.never.push(never);
    samples.warm.push(...warm);
    samples.released.push(...released);
    check(heap);
    heap.detach();
  }
  return Object.fromEntries(Object.entries(samples).map(([state, ns]) => [state, median(ns)]));
}
