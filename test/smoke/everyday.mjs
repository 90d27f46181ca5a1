// Smoke steps for temporal-slab/malloc, /data, /ring, /pool and /async: called by smoke.mjs with a heap of its own.
// `asyncStep(name, body)` runs and counts a step.
import { Worker } from "node:worker_threads";
import { NULL_HANDLE } from "temporal-slab";
import { currentDomain, EpochRotator, runInDomain } from "temporal-slab/async";
import {
  allocText,
  decode,
  defineRecord,
  encodeInto,
  readText,
  textBytes,
  writeText,
} from "temporal-slab/data";
import { MemPool } from "temporal-slab/malloc";
import { BufferPool } from "temporal-slab/pool";
import { HandleRing } from "temporal-slab/ring";
import { check } from "./runtime.mjs";

const TEXTS = ["", "short", "ä€𝄞 ".repeat(40), "x".repeat(30_000), "\ufeffbom", "zero\0in it"];

export async function everyday(heap, asyncStep) {
  const mem = new MemPool({ size: 1024 * 1024, maxWorkers: 4 });
  const pool = new BufferPool(heap, { label: "smoke", maxBuffers: 2 });
  const ring = HandleRing.create(heap, { capacity: 16, producers: 1 });
  const { worker, ask } = startWorker({
    heap: heap.share(),
    mem: mem.share(),
    pool: pool.share(),
    ring: ring.share(),
  });
  heap.watch(worker);

  await asyncStep("malloc: pointers and arrays, one freed by another thread", () => mallocStep(mem, ask));
  await asyncStep("data: texts of all lengths, there and back", () => textStep(heap, ask));
  await asyncStep("data: records, changed by another thread", () => recordStep(heap, ask));
  await asyncStep("ring: a thousand handles from another thread, in order", () => ringStep(heap, ring, ask));
  await asyncStep("pool: a limit two threads share", () => poolStep(pool, ask));
  await asyncStep("async: domains follow await, a rotator discards epochs", () => asyncDomains(heap));

  await asyncStep("ring: what a killed producer sent arrives, and its lane is free again", async () => {
    await ask("produceAndStay", { count: 5 });
    check(
      throws("ERR_TSLAB_RING_BUSY", () => ring.trySend(handleOf(heap))),
      "its lane is its own while it lives",
    );
    await worker.terminate();
    for (let i = 0; i < 5; i++) check(heap.free(ring.tryReceive()), "a handle it sent can be freed");
    const mine = handleOf(heap);
    for (let i = 0; i < 500 && throws("ERR_TSLAB_RING_BUSY", () => ring.trySend(mine)); i++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      heap.poll();
    }
    check(ring.tryReceive() === mine, "this thread has the lane now");
    ring.close();
    check(ring.closed && !ring.trySend(mine), "a closed ring takes nothing");
  });
  ring.leave();
  pool.dispose();
  check(mem.release(), "the pool of pointers ends");
}

const handleOf = (heap) => heap.allocOrThrow(32);

async function mallocStep(mem, ask) {
  const pointer = mem.malloc(100);
  check(Number.isInteger(pointer) && pointer > 0, "a pointer is an int");
  mem.heap.u8.fill(7, pointer, pointer + 100);
  check(!mem.free(pointer + 4), "a pointer into the middle is refused");
  const moved = mem.realloc(pointer, 5000);
  check(mem.heap.u8[moved + 99] === 7, "realloc keeps the contents");
  const array = mem.callocAs("f64", 50, 1.5);
  check(array.length === 50 && array.every((x) => x === 1.5), "callocAs fills");
  check(await ask("freePointer", { pointer: moved, byte: 7 }), "the worker frees a pointer made here");
  check(!mem.free(moved), "and then it is free here");
  check(mem.free(array) && !mem.free(array), "an array is freed once");
  const { used } = mem.stats();
  check(used.count === 0, `nothing is used, got ${used.count}`);
}

async function textStep(heap, ask) {
  const handles = TEXTS.map((text) => allocText(heap, text));
  check(
    TEXTS.every((text, i) => readText(heap, handles[i]) === text),
    "texts read back",
  );
  check(
    throws("ERR_TSLAB_OUT_OF_RANGE", () => writeText(heap, handles[1], "y".repeat(1000))),
    "a text that does not fit is refused",
  );
  const swapped = await ask("upperCase", { handles });
  check(
    TEXTS.every((text, i) => swapped[i] === text),
    "the worker reads them",
  );
  check(
    TEXTS.every((text, i) => readText(heap, handles[i]) === text.toUpperCase()),
    "what it wrote is read here",
  );
  heap.u32[heap.byteOffset(handles[1]) / 4] = 2 ** 31;
  check(
    throws("ERR_TSLAB_OUT_OF_RANGE", () => readText(heap, handles[1])),
    "a damaged length is refused",
  );
  for (const handle of handles) check(heap.free(handle), "a text is freed");

  const bytes = new Uint8Array(new SharedArrayBuffer(16));
  check(textBytes("a\ud800€") === 7, "a lone surrogate takes three bytes");
  const { read, written } = encodeInto(bytes, "a\ud800€");
  check(read === 3 && written === 7, "encodeInto encodes into shared memory");
  check(decode(bytes.subarray(0, 7)) === "a\ufffd€", "decode decodes from it");
}

async function recordStep(heap, ask) {
  const definition = { x: "f64", hits: "u32", seen: "bool", name: ["text", 12], pos: ["f32", 3] };
  const Row = defineRecord(definition);
  const rows = Array.from({ length: 50 }, () => Row.alloc(heap));
  const row = Row.at(heap, rows[0]);
  rows.forEach((handle, i) => {
    row.moveTo(handle);
    row.x = i / 4;
    row.pos.set(2, i);
  });
  await ask("changeRows", { definition, rows });
  rows.forEach((handle, i) => {
    row.moveTo(handle);
    check(row.x === i / 4 + 1 && row.hits === 1 && row.seen, "the worker changed its fields");
    check(row.name === `row ${i}` && row.pos.get(2) === -i, "texts and arrays too");
    check(heap.free(handle), "a record is freed");
  });
  check(
    throws("ERR_TSLAB_STALE_HANDLE", () => row.moveTo(rows[0])),
    "a record that has ended is refused",
  );
}

async function ringStep(heap, ring, ask) {
  const done = ask("produce", { count: 1000 });
  for (let i = 0; i < 500; i++) takeNumbered(heap, await ring.receiveAsync({ timeoutMs: 20_000 }), i);
  let next = 500;
  for await (const handle of ring) {
    takeNumbered(heap, handle, next++);
    if (next === 1000) break;
  }
  check((await done) === 1000, "the worker has sent all");
  check(ring.tryReceive() === NULL_HANDLE && ring.size === 0, "nothing is left");
}

function takeNumbered(heap, handle, number) {
  check(handle !== NULL_HANDLE, `handle ${number} arrives in time`);
  check(readText(heap, handle) === `number ${number}`, `it is number ${number}`);
  check(heap.free(handle), "it is freed here");
}

async function poolStep(pool, ask) {
  const first = pool.acquire(1000);
  first.bytes.fill(3);
  check(first.bytes.length === 1000 && first.byteLength === 1000, "a buffer is as long as asked for");
  const second = pool.acquire(10);
  check(
    throws("ERR_TSLAB_POOL_EXHAUSTED", () => pool.acquire(10)),
    "the limit holds",
  );
  check((await ask("poolIsFull", {})) === true, "in the other thread too");
  const waits = pool.acquireAsync(20, { timeoutMs: 20_000 });
  check(
    (await ask("adopt", { ref: first.detach(), byte: 3 })) === 1000,
    "the worker adopts and releases one",
  );
  const third = await waits;
  check(third.bytes.length === 20, "whoever waited gets its permit");
  check(second.release() && !second.release(), "a buffer is released once");
  check(
    throws("ERR_TSLAB_STALE_HANDLE", () => second.bytes),
    "its bytes are out of reach then",
  );
  check(third.release() && pool.stats().inUse === 0, "nothing is in use");
}

async function asyncDomains(heap) {
  const rotator = new EpochRotator(heap, { everyDomains: 4, everyMs: 60_000, onLastExit: "discard" });
  const order = [];
  const request = (i) =>
    runInDomain(heap, { rotator }, async (domain) => {
      domain.defer(() => order.push(i));
      const handle = domain.allocOrThrow(64);
      heap.view(handle).fill(i);
      await new Promise((resolve) => setTimeout(resolve, 1 + ((i * 7) % 5)));
      check(currentDomain(heap) === domain, "the domain is current after await");
      check(heap.view(handle)[0] === i, "its object is live for as long as it");
      return handle;
    });
  const handles = await Promise.all(Array.from({ length: 40 }, (_, i) => request(i)));
  check(order.length === 40, "deferred callbacks ran");
  check(currentDomain(heap) === undefined, "no domain is current outside");
  rotator.stop();
  const { domainsOpened, domainsOpen } = rotator.stats();
  check(domainsOpened === 40 && domainsOpen === 0, "every domain was left");
  check(!handles.some((handle) => heap.isLive(handle)), "their objects went with their epochs");
}

function throws(code, body) {
  try {
    body();
  } catch (error) {
    return error.code === code;
  }
  return false;
}

/** A worker that answers one question at a time. */
function startWorker(refs) {
  const worker = new Worker(new URL("./everyday-worker.mjs", import.meta.url), { workerData: refs });
  const waiting = [];
  worker.on("message", ({ value, error }) => {
    const { resolve, reject } = waiting.shift();
    if (error === undefined) resolve(value);
    else reject(new Error(`worker: ${error}`));
  });
  worker.on("error", (error) => {
    for (const { reject } of waiting.splice(0)) reject(error);
  });
  const ask = (command, rest) =>
    new Promise((resolve, reject) => {
      waiting.push({ resolve, reject });
      worker.postMessage({ command, ...rest });
    });
  return { worker, ask };
}
