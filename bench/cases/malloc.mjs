/**
 * `temporal-slab/malloc` beside `@thi.ng/malloc` and native malloc, with a clock of its own: one step of theirs takes
 * from ten nanoseconds to a tenth of a millisecond, by the number of live blocks.
 *
 * malloc-pair: malloc and free of 128 B at once. malloc-10, -1k, -100k: that many blocks of 16..512 B are live; each step
 * frees a random one and allocates another.
 */
import { checkHeap } from "../contenders.mjs";
import { OBJECT_SIZE, xorshift } from "../inputs.mjs";

const SIZE = OBJECT_SIZE; // own constants, see loops.mjs
const STEPS = 1 << 18;
const POOL_BYTES = 256 * 2 ** 20;
const LIVE = { "malloc-pair": 1, "malloc-10": 10, "malloc-1k": 1000, "malloc-100k": 100_000 };
/** A batch lasts this long, so that reading the clock is lost in it. */
const BATCH_MS = 2;

const makers = {
  ours: async () => new (await import(ourEntry())).MemPool({ size: POOL_BYTES }),
  thing: async () => new (await import("@thi.ng/malloc")).MemPool({ size: POOL_BYTES }),
};

/** malloc.js beside the index.js that the other rows use; TSLAB_LIB names another build. */
function ourEntry() {
  const index = process.env.TSLAB_LIB ?? new URL("../../dist/index.js", import.meta.url).href;
  return new URL("malloc.js", new URL(index, "file:///")).href;
}

function pairs(pool, _store, input, from, to) {
  let sum = input.length;
  for (let i = from; i < to; i++) {
    const pointer = pool.malloc(SIZE);
    pool.free(pointer);
    sum = (sum + pointer) | 0;
  }
  return sum;
}

/** `input`: which block a step replaces, and the size of its successor. */
function churn(pool, store, input, from, to) {
  for (let step = from; step < to; step++) {
    const at = (step & (STEPS - 1)) * 2;
    const i = input[at];
    pool.free(store[i]);
    store[i] = pool.malloc(input[at + 1]);
  }
  return store[0];
}

export async function run(job) {
  const live = LIVE[job.row];
  const loop = job.row === "malloc-pair" ? pairs : churn;
  const pool = await makers[job.contender]();
  const random = xorshift(98765);
  const size = () => 16 + (random() % 497);
  const input = Int32Array.from({ length: 2 * STEPS }, (_, i) => (i % 2 === 0 ? random() % live : size()));
  const store = new Float64Array(live);
  if (loop === churn) for (let i = 0; i < live; i++) store[i] = pool.malloc(size());

  let step = 0;
  let last;
  const timed = (steps) => {
    const start = performance.now();
    last = loop(pool, store, input, step, step + steps);
    step += steps;
    return performance.now() - start;
  };
  // Twice through the live blocks and a fifth of the time, so that places are mixed and code is compiled; for theirs
  // with many live blocks not longer than the measurement, which then sees them less scattered than they would get.
  const warmUpMs = job.seconds * 200;
  let steps = 1;
  let spent = 0;
  while (spent < warmUpMs || (step < 2 * live && spent < 5 * warmUpMs)) {
    const took = timed(steps);
    spent += took;
    if (took < BATCH_MS) steps *= 2;
  }
  const samples = [];
  for (let total = 0; total < job.seconds * 1000 || samples.length < 5; ) {
    const took = timed(steps);
    total += took;
    samples.push((took * 1e6) / steps);
  }

  if (last === undefined) throw new Error("the loop returned nothing: was it left out?");
  if (loop === churn && store.includes(0)) throw new Error("an allocation failed during the run");
  const { used } = pool.stats();
  if (used.count !== (loop === churn ? live : 0)) throw new Error(`${used.count} blocks are live`);
  if (job.contender === "ours") checkHeap(pool.heap);
  return { samples };
}
