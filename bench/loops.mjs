/**
 * The hot loops, one function per pattern.
 *
 * An engine inlines alloc and free only while the caller stays small, about three call sites per
 * function. So each pattern has its own function with at most that many, except where the row is
 * there to show the other case. `store` is a Float64Array for contenders that hand out numbers.
 * Every function does `reps` repetitions and returns something computed from them, so that no
 * result can be called unused.
 */
import * as inputs from "./inputs.mjs";

// Own constants: V8 folds these into the code, but loads imported ones each time round (2 ns per pair).
const SIZE = inputs.OBJECT_SIZE;
const BATCH = inputs.BATCH;
const MANY = inputs.MANY;
const CHURN_STEPS = inputs.CHURN_STEPS;

export function pairNumbers(heap, _store, reps) {
  let sum = 0;
  for (let i = 0; i < reps; i++) {
    const p = heap.alloc(SIZE);
    heap.free(p);
    sum += p;
  }
  return sum;
}

/** Objects cannot be summed: returning the last keeps the engine from leaving them out. */
export function pairObjects(heap, _store, reps) {
  let last;
  for (let i = 0; i < reps; i++) {
    const p = heap.alloc(SIZE);
    heap.free(p);
    last = p;
  }
  return last;
}

export function pairOffsets(heap, _store, reps) {
  let sum = 0;
  for (let i = 0; i < reps; i++) {
    const p = heap.allocOffset(SIZE);
    heap.freeOffset(p);
    sum = (sum + p) | 0;
  }
  return sum;
}

export function lifo(heap, store, reps) {
  for (let r = 0; r < reps; r++) {
    for (let i = 0; i < BATCH; i++) store[i] = heap.alloc(SIZE);
    for (let i = BATCH - 1; i >= 0; i--) heap.free(store[i]);
  }
  return store[0];
}

export function lifoOffsets(heap, store, reps) {
  for (let r = 0; r < reps; r++) {
    for (let i = 0; i < BATCH; i++) store[i] = heap.allocOffset(SIZE);
    for (let i = BATCH - 1; i >= 0; i--) heap.freeOffset(store[i]);
  }
  return store[0];
}

export function fifo(heap, store, reps) {
  for (let r = 0; r < reps; r++) {
    for (let i = 0; i < BATCH; i++) store[i] = heap.alloc(SIZE);
    for (let i = 0; i < BATCH; i++) heap.free(store[i]);
  }
  return store[0];
}

/** `order` has as many entries as objects are kept live: 1k or 100k. */
export function randomOrder(heap, store, reps, order) {
  const n = order.length;
  for (let r = 0; r < reps; r++) {
    for (let i = 0; i < n; i++) store[i] = heap.alloc(SIZE);
    for (let i = 0; i < n; i++) heap.free(store[order[i]]);
  }
  return store[0];
}

export function mixed(heap, store, reps, sizes) {
  for (let r = 0; r < reps; r++) {
    for (let i = 0; i < BATCH; i++) store[i] = heap.alloc(sizes[(r + i) & 4095]);
    for (let i = 0; i < BATCH; i++) heap.free(store[i]);
  }
  return store[0];
}

export function fill(heap, store) {
  for (let i = 0; i < MANY; i++) store[i] = heap.alloc(SIZE);
}

/** Always through the whole order: a part of it would keep to a part of the objects, and to the cache. */
export function churn(heap, store, reps, order) {
  for (let r = 0; r < reps; r++) {
    for (let step = 0; step < CHURN_STEPS; step++) {
      const i = order[step];
      heap.free(store[i]);
      store[i] = heap.alloc(SIZE);
    }
  }
  return store[0];
}

export function replay(heap, store, reps, events) {
  for (let r = 0; r < reps; r++) {
    for (let i = 0; i < events.length; i += 2) {
      const size = events[i];
      const slot = events[i + 1];
      if (size > 0) store[slot] = heap.alloc(size);
      else heap.free(store[slot]);
    }
  }
  return store[0];
}

/** How services hold a heap: in a field, behind methods, used from all over the program. */
export class Service {
  constructor(heap) {
    this.heap = heap;
    this.opened = 0;
  }
  open(size) {
    this.opened++;
    return this.heap.alloc(size);
  }
  close(p) {
    return this.heap.free(p);
  }
}

export function pairField(service, store, reps) {
  for (let i = 0; i < reps; i++) {
    const p = service.heap.alloc(SIZE);
    store[0] = p;
    service.heap.free(p);
  }
  return store[0];
}

/** Eight allocs and eight frees in one function: more than any engine inlines. One rep is 8 pairs. */
export function manySites(heap, store, reps) {
  for (let i = 0; i < reps; i++) {
    store[0] = heap.alloc(128);
    store[1] = heap.alloc(64);
    store[2] = heap.alloc(256);
    store[3] = heap.alloc(96);
    heap.free(store[0]);
    heap.free(store[1]);
    heap.free(store[2]);
    heap.free(store[3]);
    store[4] = heap.alloc(192);
    store[5] = heap.alloc(128);
    store[6] = heap.alloc(512);
    store[7] = heap.alloc(64);
    heap.free(store[4]);
    heap.free(store[5]);
    heap.free(store[6]);
    heap.free(store[7]);
  }
  return store[7];
}

/** The same through a service object. One rep is 8 pairs. */
export function serviceSites(service, store, reps) {
  for (let i = 0; i < reps; i++) {
    store[0] = service.open(128);
    store[1] = service.open(64);
    store[2] = service.open(256);
    store[3] = service.open(96);
    service.close(store[0]);
    service.close(store[1]);
    service.close(store[2]);
    service.close(store[3]);
    store[4] = service.open(192);
    store[5] = service.open(128);
    store[6] = service.open(512);
    store[7] = service.open(64);
    service.close(store[4]);
    service.close(store[5]);
    service.close(store[6]);
    service.close(store[7]);
  }
  return store[7];
}
