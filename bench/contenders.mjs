/**
 * Everybody who hands out memory, behind `alloc(size)` and `free(x)`.
 *
 * SlabHeap has that shape already and is used bare; the others are wrapped in classes small enough
 * for the engine to see through. Each child process makes one contender only, so the loops in
 * loops.mjs stay monomorphic for everybody.
 */
import { SlabHeap } from "./lib.mjs";

const MIB = 1 << 20;

/**
 * The pool most programs write first: one free list of Uint8Array per size class.
 * Same eight classes as our "seed" list; larger sizes are not pooled.
 */
class NaivePool {
  constructor() {
    const classes = [64, 96, 128, 192, 256, 384, 512, 768];
    this.classSize = classes;
    this.lists = classes.map(() => []);
    this.classOf = new Uint8Array(769);
    for (let size = 0; size <= 768; size++) this.classOf[size] = classes.findIndex((c) => size <= c);
  }
  alloc(size) {
    if (size > 768) return new Uint8Array(size);
    const index = this.classOf[size];
    const list = this.lists[index];
    return list.length > 0 ? list.pop() : new Uint8Array(this.classSize[index]);
  }
  free(bytes) {
    const size = bytes.length; // twice as fast as byteLength here
    if (size <= 768) this.lists[this.classOf[size]].push(bytes);
  }
}

/** The engine's own heap: free is the collector's work, so these run long enough to include it. */
class NewUint8Array {
  alloc(size) {
    return new Uint8Array(size);
  }
  free(_bytes) {}
}

class AllocUnsafe {
  alloc(size) {
    return Buffer.allocUnsafe(size);
  }
  free(_bytes) {}
}

class ThingPool {
  constructor(MemPool) {
    this.pool = new MemPool({ size: 64 * MIB });
  }
  alloc(size) {
    return this.pool.malloc(size);
  }
  free(pointer) {
    return this.pool.free(pointer);
  }
}

/**
 * `numbers`: hands out numbers (kept in a Float64Array), else objects (kept in an Array).
 * `garbage`: makes work for the collector, so its batches must be long.
 */
export const contenders = {
  ours: {
    numbers: true,
    make: () => SlabHeap.create({ capacity: 256 * MIB }),
  },
  naive: { make: () => new NaivePool() },
  u8: { garbage: true, make: () => new NewUint8Array() },
  unsafe: { garbage: true, make: () => new AllocUnsafe() },
  thing: {
    numbers: true,
    make: async () => new ThingPool((await import("@thi.ng/malloc")).MemPool),
  },
};

/** After the timing: a fast heap that lost something is not fast, it is broken. */
export function checkHeap(heap) {
  const report = heap.verify();
  if (!report.ok)
    throw new Error(`verify() after the run: ${JSON.stringify(report.problems).slice(0, 2000)}`);
}

/** Somewhere to keep `n` of what the contender hands out, never resized while timed. */
export function storeFor(contender, n) {
  return contender.numbers ? new Float64Array(n) : new Array(n).fill(null);
}
