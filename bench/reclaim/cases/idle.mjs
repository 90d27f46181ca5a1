/** A releaser that has nothing to do: what it costs alloc and free, and calls that close or advance. */
import { onCpuNs } from "../../looks.mjs";
import { lifo, pairNumbers } from "../../loops.mjs";
import { MIB } from "../bursts.mjs";
import { autoPageReleaser, SlabHeap } from "../lib.mjs";

/** One process per contender: a second heap at the same call sites would change the first one's code. */
export function run({ releases, what, capacityMib, ms }) {
  const heap = SlabHeap.create({
    capacity: capacityMib * MIB,
    ...(releases ? { pageReleaser: autoPageReleaser() } : {}),
  });
  return { ns: WORK[what](heap, ms) };
}

const WORK = {
  pair: (heap, ms) => perOperation((reps) => pairNumbers(heap, undefined, reps * 1000), 1000, ms),
  lifo(heap, ms) {
    const store = new Float64Array(1000);
    return perOperation((reps) => lifo(heap, store, reps), 1000, ms);
  },
  close: (heap, ms) => perOperation((reps) => repeat(reps, () => heap.closeEpoch(heap.currentEpoch)), 1, ms),
  advance: (heap, ms) => perOperation((reps) => repeat(reps, () => heap.advanceEpoch()), 1, ms),
};

function repeat(times, work) {
  for (let i = 0; i < times; i++) work();
}

/** Nanoseconds on a processor per operation, of which `run(reps)` does `reps * operations`; a quarter of the time warms up. */
function perOperation(run, operations, ms) {
  for (const until = performance.now() + ms / 4; performance.now() < until; ) run(50);
  let reps = 0;
  const from = onCpuNs();
  for (const until = performance.now() + ms; performance.now() < until; reps += 50) run(50);
  return (onCpuNs() - from) / (reps * operations);
}
