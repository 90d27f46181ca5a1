// Loses buffers of pools in debug mode, and tells what was reported; needs --expose-gc. Prints one JSON line.
import { setTimeout as sleep } from "node:timers/promises";
import { SlabHeap } from "temporal-slab";
import { BufferPool } from "temporal-slab/pool";

const ROUNDS = 200;
const EXPECTED_REPORTS = 4;
const reports = [];
const warnings = [];
process.on("warning", ({ name, code, message, detail }) => warnings.push({ name, code, message, detail }));

const heap = SlabHeap.create({ capacity: 1 << 20, slabSize: 4096, sizeClasses: [64, 128, 1024] });
const debug = { onLeak: (report) => reports.push(report) };
const told = new BufferPool(heap, { label: "told", debug });
const warned = new BufferPool(heap, { label: "warned", debug: true });
const domain = heap.openDomain({ unordered: true });

function lose(pool, size) {
  return pool.acquire(size).handle;
}
function loseTried(pool, size) {
  return pool.tryAcquire(size).handle;
}
/** The pool is dropped together with its buffer. */
function loseBoth(size) {
  new BufferPool(heap, { label: "told", debug }).acquire(size);
}
async function loseAsync(pool, size) {
  return (await pool.acquireAsync(size)).handle;
}

/** Ends properly, or is held by something. Returns what holds. */
function keep(pool) {
  pool.acquire(500).release();
  pool.adopt(pool.acquire(501).detach()).release();
  const detached = pool.acquire(502).detach();
  pool.acquire(503, { domain });
  const { bytes } = pool.acquire(504);
  bytes.fill(9);
  const buffer = pool.acquire(505);
  return { detached, bytes, buffer };
}

const lost = [lose(told, 101), loseTried(told, 102), await loseAsync(told, 103), lose(warned, 201)];
loseBoth(104);
const kept = keep(told);

for (let round = 0; round < ROUNDS; round++) {
  // In this order: the registry calls back in a later turn of the event loop.
  await sleep(25);
  globalThis.gc();
  if (reports.length >= EXPECTED_REPORTS && warnings.length > 0 && round > 5) break;
}
console.log(
  JSON.stringify({
    reports,
    warnings,
    leaked: [told.stats().leaked, warned.stats().leaked],
    stillLive: lost.every((handle) => heap.isLive(handle)),
    keptBytes:
      kept.bytes.every((byte) => byte === 9) && !kept.buffer.released && heap.isLive(kept.detached.handle),
  }),
);
process.exit(0);
