/** What the tests of the async layer share: a small heap, who is inside which epoch, and a failing thenable or two. */
import { expect } from "vitest";
import { type EpochRef, type HeapOptions, RING_SIZE, SlabHeap } from "../../src/allocator/index.js";
import type { EpochId } from "../../src/allocator/types.js";
import type { AsyncDomain } from "../../src/async/index.js";

export const KIB = 1024;

export function asyncHeap(options: HeapOptions = {}): SlabHeap {
  return SlabHeap.create({ capacity: 1024 * KIB, slabSize: 4 * KIB, maxWorkers: 4, ...options });
}

/** Domain levels and retains in each ring slot. */
export function refcounts(heap: SlabHeap): number[] {
  return Array.from({ length: RING_SIZE }, (_, id) => heap.epochInfo(id as EpochId).refcount);
}

/** Nobody is inside any epoch, the heap is sound, and every epoch but the current one is closed. */
export function expectNobodyInside(heap: SlabHeap): void {
  expect(refcounts(heap).every((count) => count === 0)).toBe(true);
  const { id } = heap.currentEpoch;
  for (let ring = 0; ring < RING_SIZE; ring++) {
    const state = heap.epochInfo(ring as EpochId).state;
    expect(`${ring} ${state}`).toBe(`${ring} ${ring === id ? "ACTIVE" : "CLOSING"}`);
  }
  expect(heap.verify().problems).toEqual([]);
}

export const refcountOf = ({ heap, epoch }: AsyncDomain): number => heap.refcount(epoch);

export const same = (a: EpochRef, b: EpochRef): boolean => a.id === b.id && a.era === b.era;

/** The next turn of the event loop. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A promise with its ends. */
export function gate<T = void>(): {
  promise: Promise<T>;
  open: (value: T) => void;
  fail: (error: unknown) => void;
} {
  let open: (value: T) => void = () => {};
  let fail: (error: unknown) => void = () => {};
  const promise = new Promise<T>((resolve, reject) => {
    open = resolve;
    fail = reject;
  });
  return { promise, open, fail };
}

/** What `work` throws, or its promise is rejected with. */
export async function failureOf(work: () => unknown): Promise<unknown> {
  try {
    await work();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}

/** Collects what would have been reported as an unhandled rejection, until the returned function is called. */
export function watchRejections(): () => unknown[] {
  const seen: unknown[] = [];
  const note = (reason: unknown): void => {
    seen.push(reason);
  };
  process.on("unhandledRejection", note);
  return () => {
    process.off("unhandledRejection", note);
    return seen;
  };
}
