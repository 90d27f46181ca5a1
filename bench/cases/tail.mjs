/**
 * Every one of 10 million allocs timed by itself.
 *
 * performance.now() is the one clock that neither allocates nor costs more than the alloc by much:
 * process.hrtime.bigint() makes a BigInt per call. It still costs 30-40 ns and ticks in steps of the
 * machine's clock source (10 ns on many VMs), so p50 says little: it is there to show the timer was
 * taken off correctly. The timer alone is measured the same way and printed beside the result.
 */
import { checkHeap } from "../contenders.mjs";
import { CHURN_STEPS, churnOrder, MANY, OBJECT_SIZE, permutation } from "../inputs.mjs";
import { SlabHeap } from "../lib.mjs";
import { tailResult } from "../stats.mjs";

const SIZE = OBJECT_SIZE; // own constants, see loops.mjs

/** 1 ns steps up to a millisecond: counting into it touches little memory and keeps quantiles exact. */
const SPAN = 1 << 20;
class Histogram {
  constructor() {
    this.counts = new Int32Array(SPAN);
    this.longest = 0;
    this.total = 0;
  }
  record(ns) {
    this.counts[ns < SPAN ? ns | 0 : SPAN - 1]++;
    this.total++;
    if (ns > this.longest) this.longest = ns;
  }
  quantiles() {
    const at = (share) => {
      let seen = 0;
      for (let ns = 0; ns < SPAN; ns++) {
        seen += this.counts[ns];
        if (seen >= share * this.total) return ns;
      }
      return SPAN;
    };
    return { p50: at(0.5), p99: at(0.99), p999: at(0.999), p9999: at(0.9999), max: this.longest };
  }
}

function timeNothing(n, histogram) {
  for (let i = 0; i < n; i++) {
    const from = performance.now();
    const to = performance.now();
    histogram.record((to - from) * 1e6);
  }
}

function timeAllocs(heap, store, at, n, histogram) {
  for (let i = 0; i < n; i++) {
    const from = performance.now();
    const handle = heap.alloc(SIZE);
    const to = performance.now();
    store[at + i] = handle;
    histogram.record((to - from) * 1e6);
  }
}

/** With the first write to the object inside the clock: that is where untouched payload costs. */
function timeAllocsAndTouch(heap, store, at, n, histogram) {
  const i32 = heap.i32;
  for (let i = 0; i < n; i++) {
    const from = performance.now();
    const handle = heap.alloc(SIZE);
    i32[heap.byteOffset(handle) >> 2] = i;
    const to = performance.now();
    store[at + i] = handle;
    histogram.record((to - from) * 1e6);
  }
}

/** The free before each alloc is outside the clock. */
function timeChurn(heap, store, order, n, histogram) {
  for (let i = 0; i < n; i++) {
    const slot = order[i];
    heap.free(store[slot]);
    const from = performance.now();
    const handle = heap.alloc(SIZE);
    const to = performance.now();
    store[slot] = handle;
    histogram.record((to - from) * 1e6);
  }
}

function freeAll(heap, store, order, n) {
  for (let i = 0; i < n; i++) heap.free(store[order[i]]);
}

export function run(job) {
  const operations = job.quick ? 2_000_000 : 10_000_000;
  const growing = job.row === "tail-grow" || job.row === "tail-touch";
  const timed = job.row === "tail-touch" ? timeAllocsAndTouch : timeAllocs;
  const capacity = growing ? operations * OBJECT_SIZE * 1.1 : 256 * 2 ** 20;
  const heap = SlabHeap.create({
    capacity: Math.ceil(capacity / 2 ** 20) * 2 ** 20,
    prefault: job.contender === "prefault",
  });
  const store = new Float64Array(growing ? operations : MANY).fill(1); // filled: its own page faults are not ours
  const order = permutation(MANY);

  const timer = new Histogram();
  timeNothing(1_000_000, timer);
  timer.counts.fill(0);
  timer.total = timer.longest = 0;
  timeNothing(1_000_000, timer);

  const histogram = new Histogram();
  const warmUp = new Histogram(); // thrown away
  if (growing) {
    // Compiled code on both sides of the slow path, without growing the heap by more than half a percent.
    const few = operations / 200;
    for (let round = 0; round < 20; round++) {
      timed(heap, store, 0, few, warmUp);
      for (let i = 0; i < few; i++) heap.free(store[i]);
    }
    timed(heap, store, 0, operations, histogram);
  } else if (job.row === "tail-burst") {
    // 100k at a time, freed in random order: one alloc in 512 needs another slab, so p99.9 is the slow path.
    for (let done = -5 * MANY; done < operations; done += MANY) {
      timed(heap, store, 0, MANY, done < 0 ? warmUp : histogram);
      freeAll(heap, store, order, MANY);
    }
  } else {
    const steps = churnOrder();
    for (let i = 0; i < MANY; i++) store[i] = heap.alloc(SIZE);
    for (let done = -2 * CHURN_STEPS; done < operations; done += CHURN_STEPS)
      timeChurn(heap, store, steps, CHURN_STEPS, done < 0 ? warmUp : histogram);
  }
  if (store.includes(0)) throw new Error("an allocation failed during the run");
  checkHeap(heap);
  return tailResult(timer.quantiles(), histogram.quantiles());
}
