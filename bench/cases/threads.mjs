/**
 * Rows with a second thread: independent workers, produce here and free there, and the
 * core-to-core round trip without which the cross-thread figures mean nothing.
 *
 * This side creates the heap, commands the workers and consumes; threads.worker.mjs is the other.
 */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { checkHeap } from "../contenders.mjs";
import { SlabHeap } from "../lib.mjs";
import * as layout from "./ring.mjs";

const { makeRing, PHASE, TAIL, HEAD, DONE, RESULTS, SLOTS, SLOT_COUNT, STAMP } = layout;

export function run(job) {
  if (job.row === "roundtrip") return roundTrip(job);
  if (job.row === "workers") return independent(job);
  return job.contender === "ours" ? crossThread(job) : messages(job);
}

const spawn = (data) => new Worker(new URL("./threads.worker.mjs", import.meta.url), { workerData: data });

/** One word bounced between two spinning threads; a trip is there and back. */
async function roundTrip(job) {
  const trips = 200_000;
  const total = job.quick ? 5 : 20;
  const ring = makeRing();
  const worker = spawn({ role: "echo", ring, trips: trips * (total + 1) });
  const exited = once(worker, "exit");
  const words = new Int32Array(ring);
  await once(worker, "online");
  const samples = [];
  let sent = 0;
  for (let s = 0; s <= total; s++) {
    const from = performance.now();
    for (let i = 0; i < trips; i++) {
      sent++;
      Atomics.store(words, TAIL, sent);
      while (Atomics.load(words, HEAD) !== sent);
    }
    if (s > 0) samples.push(((performance.now() - from) * 1e6) / trips);
  }
  await exited;
  return { samples };
}

/** Throughput of two workers on one heap, against the mean of each of them alone. */
async function independent(job) {
  const heap = SlabHeap.create({ capacity: 256 * 2 ** 20 });
  const ring = makeRing();
  const words = new Int32Array(ring);
  const rates = new Float64Array(ring, RESULTS, 2);
  const milliseconds = Math.max(50, (job.seconds * 1000) / 4);
  const workers = [0, 1].map((id) => spawn({ role: "alone", ring, id, milliseconds, heap: heap.share() }));
  const exited = Promise.all(workers.map((worker) => once(worker, "exit")));

  /** Wakes the workers in `mask` and blocks until they have reported. */
  const command = (phase, mask) => {
    Atomics.store(words, DONE, 0);
    Atomics.store(words, PHASE, phase * 4 + mask);
    Atomics.notify(words, PHASE);
    for (let done = 0; done < 2; done = Atomics.load(words, DONE)) Atomics.wait(words, DONE, done, 1000);
    return rates[0] + rates[1];
  };
  await Promise.all(workers.map((worker) => once(worker, "message"))); // both have attached
  const samples = [];
  const total = job.quick ? 3 : 6;
  let phase = 1;
  command(phase++, 3); // warm-up
  let alone = 0;
  for (let s = 0; s < total; s++) {
    alone = (command(phase++, 1) + command(phase++, 2)) / 2;
    samples.push(command(phase++, 3) / alone);
  }
  command(phase, 0);
  await exited;
  checkHeap(heap);
  return { samples, metrics: { nsAlone: 1e6 / alone } };
}

/** The worker allocates and stamps, this thread reads, checks and frees. */
async function crossThread(job) {
  const heap = SlabHeap.create({ capacity: 64 * 2 ** 20 });
  const every = job.row === "cross1" ? 1 : 32;
  const perSample = 200_000;
  const total = job.quick ? 10 : 30;
  const ring = makeRing();
  const worker = spawn({ role: "produce", ring, every, items: perSample * total, heap: heap.share() });
  const exited = once(worker, "exit");
  await once(worker, "message"); // attached
  const samples = [];
  for (let s = 0; s < total; s++) {
    const from = performance.now();
    consume(heap, ring, s * perSample, perSample, every);
    if (s >= total / 5) samples.push(((performance.now() - from) * 1e6) / perSample);
  }
  await exited;
  checkHeap(heap);
  return { samples };
}

function consume(heap, ring, first, count, every) {
  const words = new Int32Array(ring);
  const slots = new Float64Array(ring, SLOTS, SLOT_COUNT);
  const i32 = heap.i32;
  let tail = first;
  for (let i = first; i < first + count; i++) {
    while (tail === i) tail = Atomics.load(words, TAIL);
    const handle = slots[i & (SLOT_COUNT - 1)];
    if (i32[heap.byteOffset(handle) >> 2] !== (i ^ STAMP)) throw new Error(`item ${i} arrived damaged`);
    if (!heap.free(handle)) throw new Error(`item ${i} could not be freed`);
    if ((i + 1) % every === 0) Atomics.store(words, HEAD, i + 1);
  }
}

/** The same objects by postMessage: copied or transferred, one per message or 32. */
async function messages(job) {
  const transfer = job.contender.startsWith("postTransfer");
  const each = job.contender.endsWith("32") ? 32 : 1;
  const perSample = 12_800;
  const total = job.quick ? 6 : 20;
  const ring = makeRing();
  const words = new Int32Array(ring);
  const worker = spawn({ role: "post", ring, transfer, each, items: perSample * total });
  const samples = [];
  let item = 0;
  let from = 0;
  const check = (bytes) => {
    if (new Int32Array(bytes)[0] !== (item ^ STAMP)) throw new Error(`message ${item} arrived damaged`);
    item++;
    if (item % perSample !== 0) return;
    const now = performance.now();
    if (item > perSample * Math.ceil(total / 5)) samples.push(((now - from) * 1e6) / perSample);
    from = now;
  };
  worker.on("message", (message) => {
    if (each === 1) check(message);
    else for (const bytes of message) check(bytes);
    if (item % 64 !== 0) return;
    Atomics.store(words, HEAD, item);
    Atomics.notify(words, HEAD);
  });
  await once(worker, "exit");
  if (item !== perSample * total) throw new Error(`${item} of ${perSample * total} messages arrived`);
  return { samples };
}
