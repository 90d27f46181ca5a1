/** The other thread of cases/batch.mjs: pairs in objects all over 4 MiB; counts every 20 of them in word 0 until word 1 is set. */
import { parentPort, workerData } from "node:worker_threads";
import { permutation } from "../inputs.mjs";
import { SlabHeap } from "./lib.mjs";

const SIZE = 1024;
const words = new Int32Array(workerData);
const heap = SlabHeap.create({ capacity: 16 * 2 ** 20 });
const order = permutation(4096);
const offsets = Float64Array.from(order, () => heap.allocOffset(SIZE));
const { u8 } = heap;

function churn(from) {
  for (let i = from; i < from + 20; i++) {
    const at = order[i & 4095];
    heap.freeOffset(offsets[at]);
    offsets[at] = heap.allocOffset(SIZE);
    u8[offsets[at]] = 1;
  }
}

for (let i = 0; i < 1_000_000; i += 20) churn(i);
parentPort.postMessage("ready");
for (let i = 0; Atomics.load(words, 1) === 0; i = (i + 20) | 0) {
  churn(i);
  Atomics.add(words, 0, 1);
}
