/** What the page checks, by name; a step returns nothing, or throws. */

import { allocText, decode, defineRecord, encodeInto, readText } from "/dist/data.js";
import { NULL_HANDLE, SlabHeap } from "/dist/index.js";
import { MemPool } from "/dist/malloc.js";
import { BufferPool } from "/dist/pool.js";
import { HandleRing } from "/dist/ring.js";
import { StatsReader } from "/dist/stats.js";

const heap = SlabHeap.create({ capacity: 16 * 1024 * 1024 });
const jobs = HandleRing.create(heap, { capacity: 64 });
const answers = HandleRing.create(heap, { capacity: 64 });
const pool = new BufferPool(heap, { label: "page", maxBuffers: 2 });
const TEXTS = ["", "plain", "żółw ä€𝄞", "\ud800 alone", "x".repeat(20_000), "№".repeat(9_000)];

const worker = new Worker("worker.mjs", { type: "module" });
const ref = heap.share();
const messages = [];
let arrived = () => {};
worker.onmessage = ({ data }) => {
  messages.push(data);
  arrived();
};
worker.onerror = (event) => messages.push({ error: event.message });
worker.postMessage({ heap: ref, jobs: jobs.share(), answers: answers.share(), pool: pool.share() });
heap.watch(worker, ref);

async function message() {
  while (messages.length === 0)
    await new Promise((resolve) => {
      arrived = resolve;
    });
  const data = messages.shift();
  if (data.error !== undefined) throw new Error(`worker: ${data.error}`);
  return data;
}

function check(truth, what) {
  if (!truth) throw new Error(what);
}

function codeOf(call) {
  try {
    call();
  } catch (error) {
    return error.code;
  }
  return "nothing thrown";
}

export const currentEpochEra = () => heap.currentEpoch.era;

export const steps = {
  isolated() {
    check(globalThis.crossOriginIsolated, "the page is isolated");
    check(heap.buffer instanceof SharedArrayBuffer, "the heap is shared memory");
  },

  async "a worker attaches"() {
    check((await message()).attached === 2, "it has the second seat");
  },

  /** The worker blocks in receive(); this thread may not, and awaits. */
  async "texts through rings, there and back"() {
    for (const text of TEXTS) check(jobs.trySend(allocText(heap, text)), "there is room");
    for (const text of TEXTS) {
      const handle = await answers.receiveAsync({ timeoutMs: 10_000 });
      check(handle !== NULL_HANDLE, "an answer comes");
      check(
        readText(heap, handle) === [...text.toWellFormed()].reverse().join(""),
        `answer to ${text.slice(0, 20)}`,
      );
      check(heap.free(handle), "the answer is freed here");
    }
  },

  "blocking the page is refused by name"() {
    check(codeOf(() => answers.receive()) === "ERR_TSLAB_INVALID_TYPE", "receive() throws a typed error");
  },

  "encodeInto and decode on shared memory"() {
    const bytes = new Uint8Array(new SharedArrayBuffer(32));
    const { read, written } = encodeInto(bytes, "a\ud800€𝄞");
    check(read === 5 && written === 11, `read ${read}, written ${written}`);
    check(decode(bytes.subarray(0, 11)) === "a\ufffd€𝄞", "decode");
  },

  records() {
    const Row = defineRecord({ x: "f64", hits: "u32", name: ["text", 12], pos: ["f32", 3] });
    const row = Row.at(heap, Row.alloc(heap));
    row.x = 1.5;
    row.name = "żółw";
    row.pos.set(2, 0.25);
    check(row.x === 1.5 && row.name === "żółw" && row.pos.get(2) === 0.25 && row.hits === 0, "fields");
    check(heap.free(row.handle), "freed");
  },

  malloc() {
    const mem = new MemPool({ size: 1 << 20 });
    const array = mem.callocAs("f32", 100, 2);
    const moved = mem.reallocAs(array, 5000);
    check(
      moved.subarray(0, 100).every((x) => x === 2),
      "contents move along",
    );
    check(mem.free(moved) && !mem.free(moved) && !mem.free(moved.byteOffset + 8), "freed once");
    check(mem.release(), "released");
  },

  /** Two permits: one here, one in the worker. A third is waited for until the worker gives its one back. */
  async "a limit shared with the worker"() {
    const mine = pool.acquire(100);
    check(Object.getPrototypeOf(mine.bytes) === Uint8Array.prototype, "no Buffer in a browser");
    worker.postMessage({ command: "hold" });
    check((await message()).held === true, "the worker has the other");
    check(pool.tryAcquire(100) === undefined, "that was all");
    const waiting = pool.acquireAsync(200, { timeoutMs: 10_000 });
    worker.postMessage({ command: "release" });
    const third = await waiting;
    check(third.bytes.length === 200 && third.release() && mine.release(), "released");
  },

  /** Browsers have no exit event: terminate() is the proof of death. */
  async "a terminated worker is recovered"() {
    worker.postMessage({ command: "hold" });
    check((await message()).held === true, "it holds a buffer");
    worker.terminate();
    const buffers = [
      await pool.acquireAsync(64, { timeoutMs: 10_000 }),
      await pool.acquireAsync(64, { timeoutMs: 10_000 }),
    ];
    check(
      buffers.every((buffer) => buffer.release()),
      "its permit came back",
    );
    check(heap.seats().filter(({ state }) => state === "LIVE").length === 1, "its seat came back");
    const report = heap.verify();
    check(report.ok, report.problems.join(" | "));
    check(StatsReader.open(heap).snapshot().heap !== undefined, "statistics are read");
  },
};
