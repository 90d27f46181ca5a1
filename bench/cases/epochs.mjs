/** What ending an epoch costs: closing one with nothing live, discarding one with 100k live objects. */
import { checkHeap } from "../contenders.mjs";
import { MANY, OBJECT_SIZE } from "../inputs.mjs";
import { SlabHeap } from "../lib.mjs";

const COUNT = MANY;
const SIZE = OBJECT_SIZE; // own constants, see loops.mjs

function fill(heap, store) {
  for (let i = 0; i < COUNT; i++) store[i] = heap.alloc(SIZE);
}
function freeEach(heap, store) {
  for (let i = 0; i < COUNT; i++) heap.free(store[i]);
}

export function run(job) {
  const heap = SlabHeap.create({ capacity: 256 * 2 ** 20 });
  const store = new Float64Array(MANY);
  const classSize = heap.sizeClasses.find((size) => size >= OBJECT_SIZE);
  const slotsPerSlab = Math.floor(heap.slabSize / classSize);
  const slabs = Math.ceil(MANY / slotsPerSlab);
  const per = job.row === "close" ? MANY : slabs * slotsPerSlab;

  const samples = [];
  const total = job.quick ? 60 : 200;
  for (let i = -10; i < total; i++) {
    const epoch = heap.currentEpoch;
    fill(heap, store);
    if (job.row === "close") freeEach(heap, store);
    else heap.advanceEpoch();
    const from = performance.now();
    if (job.contender === "freeEach") freeEach(heap, store);
    else if (job.row === "close")
      heap.closeEpoch(epoch); // advances first: the epoch is the current one
    else heap.discardEpoch(epoch);
    const took = performance.now() - from;
    if (job.contender === "freeEach") heap.closeEpoch(epoch);
    if (heap.isLive(store[0]) || heap.isLive(store[MANY - 1]))
      throw new Error(`${job.row} left objects live`);
    if (i >= 0) samples.push((took * 1e6) / per);
  }
  checkHeap(heap);
  const sorted = samples.toSorted((a, b) => a - b);
  return { samples, metrics: { nsPerSlab: (sorted[sorted.length >> 1] * per) / slabs, slabs } };
}
