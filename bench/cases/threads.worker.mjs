/** The other thread of cases/threads.mjs; `workerData.role` says which part it plays. */
import { parentPort, workerData } from "node:worker_threads";
import { BATCH, OBJECT_SIZE } from "../inputs.mjs";
import { SlabHeap } from "../lib.mjs";
import { lifo } from "../loops.mjs";
import * as layout from "./ring.mjs";

const { PHASE, TAIL, HEAD, DONE, RESULTS, SLOTS, SLOT_COUNT, STAMP } = layout;
const SIZE = OBJECT_SIZE;

const { role, ring } = workerData;
const words = new Int32Array(ring);
const roles = { echo, alone, produce, post };
roles[role]();

function echo() {
  for (let seen = 1; seen <= workerData.trips; seen++) {
    while (Atomics.load(words, TAIL) !== seen);
    Atomics.store(words, HEAD, seen);
  }
}

/** Sleeps until a phase begins, works through it if its bit is set, reports pairs per nanosecond. */
function alone() {
  const { id, milliseconds } = workerData;
  const heap = SlabHeap.attach(workerData.heap);
  const store = new Float64Array(BATCH);
  const rates = new Float64Array(ring, RESULTS, 2);
  parentPort.postMessage("attached");
  for (let phase = 0; ; ) {
    Atomics.wait(words, PHASE, phase);
    phase = Atomics.load(words, PHASE);
    rates[id] = phase & (1 << id) ? work(heap, store, milliseconds) : 0;
    Atomics.add(words, DONE, 1);
    Atomics.notify(words, DONE);
    if ((phase & 3) === 0) break;
  }
  heap.detach();
  parentPort.close();
}

function work(heap, store, milliseconds) {
  let pairs = 0;
  let took = 0;
  for (const from = performance.now(); took < milliseconds; took = performance.now() - from) {
    lifo(heap, store, 20);
    pairs += 20 * BATCH;
  }
  return pairs / took; // per millisecond
}

function produce() {
  const heap = SlabHeap.attach(workerData.heap);
  const slots = new Float64Array(ring, SLOTS, SLOT_COUNT);
  parentPort.postMessage("attached");
  // In pieces, so that the engine gets to replace the loop's code between them.
  const piece = 20_000;
  for (let i = 0; i < workerData.items; i += piece) publish(heap, slots, i, piece, workerData.every);
  heap.detach();
  parentPort.close();
}

function publish(heap, slots, first, count, every) {
  const i32 = heap.i32;
  let head = Atomics.load(words, HEAD);
  for (let i = first; i < first + count; i++) {
    while (i - head >= SLOT_COUNT) head = Atomics.load(words, HEAD);
    const handle = heap.alloc(SIZE);
    i32[heap.byteOffset(handle) >> 2] = i ^ STAMP;
    slots[i & (SLOT_COUNT - 1)] = handle;
    if ((i + 1) % every === 0) Atomics.store(words, TAIL, i + 1);
  }
}

/** Never more than 4,096 objects ahead of the consumer, or the queue itself would be measured. */
function post() {
  const { transfer, each, items } = workerData;
  for (let i = 0; i < items; i += each) {
    for (let head = Atomics.load(words, HEAD); i - head >= 4096; head = Atomics.load(words, HEAD))
      Atomics.wait(words, HEAD, head, 100);
    const buffers = [];
    for (let k = 0; k < each; k++) {
      const bytes = new ArrayBuffer(OBJECT_SIZE);
      new Int32Array(bytes)[0] = (i + k) ^ STAMP;
      buffers.push(bytes);
    }
    parentPort.postMessage(each === 1 ? buffers[0] : buffers, transfer ? buffers : []);
  }
  parentPort.close();
}
