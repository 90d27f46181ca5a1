/** What the pool's tests share. */
import { expect } from "vitest";
import type { SlabHeap } from "../../src/allocator/heap/heap.js";
import { BufferPool, type BufferPoolOptions, type PooledBuffer } from "../../src/pool/index.js";
import { expectHealthy } from "../allocator/support.js";

export { another, SLAB, smallHeap, withSeed } from "../allocator/support.js";

/** Fills a buffer with bytes that follow from its serial. */
export function stamp(buffer: PooledBuffer, serial: number): void {
  buffer.bytes.forEach((_, i, bytes) => {
    bytes[i] = byteOf(serial, i);
  });
}

export function isStamped(bytes: Uint8Array, serial: number): boolean {
  return bytes.every((byte, i) => byte === byteOf(serial, i));
}

function byteOf(serial: number, i: number): number {
  return (Math.imul(serial, 0x9e37_79b1) + i * 7) & 0xff;
}

/** A pool with two buffers at most. */
export function poolOfTwo(heap: SlabHeap, options: BufferPoolOptions = {}): BufferPool {
  return new BufferPool(heap, { label: "two", maxBuffers: 2, ...options });
}

/** Nothing is out any more, by every count there is. */
export function expectAllBack(pool: BufferPool): void {
  const { inUse, bytesInUse, inUseAllThreads, waiting, acquired, adopted, released, detached } = pool.stats();
  expect({ inUse, bytesInUse, waiting, inUseAllThreads: inUseAllThreads ?? 0 }).toEqual({
    inUse: 0,
    bytesInUse: 0,
    waiting: 0,
    inUseAllThreads: 0,
  });
  expect(acquired + adopted).toBe(released + detached);
}

/** The heap is sound and holds no object. */
export function expectEmpty(heap: SlabHeap, ...others: readonly SlabHeap[]): void {
  expectHealthy(heap, ...others);
  expect(heap.verify().liveObjects).toBe(0);
}

/** The error `body` throws. */
export function thrownBy(body: () => unknown): Error {
  try {
    body();
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error("nothing was thrown");
}
