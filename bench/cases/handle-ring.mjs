/**
 * Rows of handles passed from one thread to another: `HandleRing` against the hand-written ring of ring.mjs and a
 * message per handle. Nothing is allocated or freed, so that only the passing is measured.
 *
 * job.row ends with 1: one handle at a time, published one by one; with 32: in batches of 32.
 * job.contender: "ours", "hand" or "postMessage". This side consumes and checks; the worker, this same file, produces.
 */
import { once } from "node:events";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { SlabHeap } from "../lib.mjs";
import * as layout from "./ring.mjs";

const { HandleRing } = await import(
  process.env.TSLAB_RING_LIB ?? new URL("../../dist/ring.js", import.meta.url).href
);
const { makeRing, TAIL, HEAD, SLOTS, SLOT_COUNT } = layout;
const BATCH = 32;
const PER_SAMPLE = 200_000;
const PER_MESSAGE_SAMPLE = 12_800;

/** The i-th handle: it looks like one of the heap's, both halves in use. */
const nth = (i) => 2 ** 40 + i * 4097 + 1;

export async function run(job) {
  if (job.row === "ring-same") return sameThread(job);
  const every = job.row.endsWith("32") ? BATCH : 1;
  const perSample = job.contender === "postMessage" ? PER_MESSAGE_SAMPLE : PER_SAMPLE;
  const total = job.quick ? 10 : 30;
  const heap = SlabHeap.create({ capacity: 2 ** 20 });
  const ring = HandleRing.create(heap, { capacity: SLOT_COUNT });
  const words = makeRing();
  const worker = new Worker(new URL(import.meta.url), {
    workerData: {
      benchRole: job.contender,
      every,
      items: perSample * total,
      words,
      heapRef: heap.share(),
      ringRef: ring.share(),
    },
  });
  const exited = once(worker, "exit");
  await once(worker, "message");
  const consume = { ours: consumeOurs, hand: consumeByHand, postMessage: consumeMessages }[job.contender];
  const samples = await consume({ ring, words, worker, every, perSample, total });
  await exited;
  return { samples: samples.slice(Math.ceil(total / 5)) };
}

/** Both ends in one thread: what the operations cost without another core. */
function sameThread(job) {
  const heap = SlabHeap.create({ capacity: 2 ** 20 });
  const ring = HandleRing.create(heap, { capacity: SLOT_COUNT });
  const batch = new Float64Array(BATCH);
  for (let i = 0; i < BATCH; i++) batch[i] = nth(i);
  const into = new Float64Array(BATCH);
  const total = job.quick ? 20 : 60;
  const samples = [];
  for (let s = 0; s < total; s++) {
    const from = performance.now();
    for (let i = 0; i < PER_SAMPLE; i += BATCH) {
      const sent = ring.trySendMany(batch, 0, BATCH);
      if (ring.tryReceiveMany(into, BATCH) !== sent || into[BATCH - 1] !== batch[BATCH - 1])
        throw new Error("a batch arrived damaged");
    }
    samples.push(((performance.now() - from) * 1e6) / PER_SAMPLE);
  }
  return { samples: samples.slice(total / 5) };
}

function expectNth(handle, i) {
  if (handle !== nth(i)) throw new Error(`handle ${i} arrived as ${handle}`);
}

function consumeOurs({ ring, every, perSample, total }) {
  const samples = [];
  const into = new Float64Array(BATCH);
  let i = 0;
  for (let s = 0; s < total; s++) {
    const from = performance.now();
    for (const end = i + perSample; i < end; ) {
      if (every === 1) {
        const handle = ring.tryReceive();
        if (handle !== 0) expectNth(handle, i++);
      } else {
        const count = ring.tryReceiveMany(into, Math.min(BATCH, end - i));
        for (let k = 0; k < count; k++) expectNth(into[k], i++);
      }
    }
    samples.push(((performance.now() - from) * 1e6) / perSample);
  }
  return samples;
}

function consumeByHand({ words: buffer, every, perSample, total }) {
  const words = new Int32Array(buffer);
  const slots = new Float64Array(buffer, SLOTS, SLOT_COUNT);
  const samples = [];
  let tail = 0;
  for (let s = 0; s < total; s++) {
    const from = performance.now();
    for (let i = s * perSample; i < (s + 1) * perSample; i++) {
      while (tail === i) tail = Atomics.load(words, TAIL);
      expectNth(slots[i & (SLOT_COUNT - 1)], i);
      if ((i + 1) % every === 0) Atomics.store(words, HEAD, i + 1);
    }
    samples.push(((performance.now() - from) * 1e6) / perSample);
  }
  return samples;
}

async function consumeMessages({ words: buffer, worker, every, perSample, total }) {
  const words = new Int32Array(buffer);
  const samples = [];
  let item = 0;
  let from = performance.now();
  const take = (handle) => {
    expectNth(handle, item++);
    if (item % perSample !== 0) return;
    const now = performance.now();
    samples.push(((now - from) * 1e6) / perSample);
    from = now;
  };
  worker.on("message", (message) => {
    if (every === 1) take(message);
    else for (const handle of message) take(handle);
    if (item % 64 !== 0) return;
    Atomics.store(words, HEAD, item);
    Atomics.notify(words, HEAD);
  });
  await once(worker, "exit");
  if (item !== perSample * total) throw new Error(`${item} of ${perSample * total} messages arrived`);
  return samples;
}

// -- the other thread ------------------------------------------------------------------------------------

function produceOurs({ heapRef, ringRef, every, items }) {
  const heap = SlabHeap.attach(heapRef);
  const ring = HandleRing.attach(heap, ringRef);
  const batch = new Float64Array(BATCH);
  parentPort.postMessage("attached");
  for (let i = 0; i < items; ) {
    if (every === 1) {
      if (ring.trySend(nth(i))) i++;
      continue;
    }
    for (let k = 0; k < BATCH; k++) batch[k] = nth(i + k);
    for (let k = 0; k < BATCH; ) k += ring.trySendMany(batch, k, BATCH);
    i += BATCH;
  }
  ring.leave();
  heap.detach();
}

function produceByHand({ words: buffer, every, items }) {
  const words = new Int32Array(buffer);
  const slots = new Float64Array(buffer, SLOTS, SLOT_COUNT);
  parentPort.postMessage("attached");
  let head = 0;
  for (let i = 0; i < items; i++) {
    while (i - head >= SLOT_COUNT) head = Atomics.load(words, HEAD);
    slots[i & (SLOT_COUNT - 1)] = nth(i);
    if ((i + 1) % every === 0) Atomics.store(words, TAIL, i + 1);
  }
}

/** Never more than 4,096 handles ahead of the consumer, or the queue itself would be measured. */
function produceMessages({ words: buffer, every, items }) {
  const words = new Int32Array(buffer);
  parentPort.postMessage("attached");
  for (let i = 0; i < items; i += every) {
    for (let head = Atomics.load(words, HEAD); i - head >= 4096; head = Atomics.load(words, HEAD))
      Atomics.wait(words, HEAD, head, 100);
    if (every === 1) parentPort.postMessage(nth(i));
    else parentPort.postMessage(Array.from({ length: every }, (_, k) => nth(i + k)));
  }
}

// The child of the bench is a main thread; only the worker started above has this key.
if (!isMainThread && workerData?.benchRole !== undefined) {
  ({ ours: produceOurs, hand: produceByHand, postMessage: produceMessages })[workerData.benchRole](
    workerData,
  );
  parentPort.close();
}
