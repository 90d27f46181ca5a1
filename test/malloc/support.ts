/** What the pool's tests share: pools that are released and checked when a test ends, and both makers of pools. */
import { MemPool as ThingPool } from "@thi.ng/malloc";
import { afterEach, expect } from "vitest";
import { MemPool, type MemPoolOptions } from "../../src/malloc/index.js";

const made: MemPool[] = [];

/** A pool of ours that ends with the test: its heap must be sound then. */
export function ourPool(options?: MemPoolOptions): MemPool {
  return keep(new MemPool(options));
}

/** Has `pool` checked and released when the test ends, unless the test has released it. */
export function keep(pool: MemPool): MemPool {
  made.push(pool);
  return pool;
}

export function theirPool(options?: ConstructorParameters<typeof ThingPool>[0]): ThingPool {
  return new ThingPool(options);
}

/** Nobody else works: the pool's heap is sound. */
export function expectSound(pool: MemPool): void {
  pool.heap.poll();
  expect(pool.heap.verify().problems).toEqual([]);
}

/** Frees everything and takes the whole payload as one block: nothing was lost. */
export function expectWholePoolBack(pool: MemPool): void {
  pool.freeAll();
  const { available, used } = pool.stats();
  expect({ available, used }).toEqual({ available: pool.heap.capacity, used: { count: 0, size: 0 } });
  const all = pool.malloc(pool.heap.capacity);
  expect(all, "the whole payload").toBeGreaterThan(0);
  expect(pool.free(all)).toBe(true);
  expectSound(pool);
}

afterEach(() => {
  for (const pool of made.splice(0).reverse()) {
    // A released pool keeps its heap, which is detached or was never the pool's.
    const released = thrownBy(() => pool.stats()) !== undefined;
    if (!released) expectSound(pool);
    pool.release();
  }
});

/** What `act` throws, or undefined. */
export function thrownBy(act: () => unknown): unknown {
  try {
    act();
    return undefined;
  } catch (error) {
    return error;
  }
}
