/** What the tests of the async layer share: a small heap, who is inside which epoch, and a failing thenable or two. */
import { afterEach, beforeEach, expect } from "vitest";
import { type EpochRef, type HeapOptions, RING_SIZE, SlabHeap } from "../../src/allocator/index.js";
import type { EpochId } from "../../src/allocator/types.js";
import { type AsyncDomain, EpochRotator } from "../../src/async/index.js";
import { another } from "../allocator/support.js";

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

/**
 * For files about rotators: a fresh heap and a second seat in it for each test, given to `begin`; after each test the
 * rotators are stopped and nobody may be inside any epoch.
 */
export function rotating(begin: (heap: SlabHeap, other: SlabHeap) => void): {
  rotatorOf(options?: ConstructorParameters<typeof EpochRotator>[1], of?: SlabHeap): EpochRotator;
  open(rotator: EpochRotator, times: number): void;
} {
  let heap: SlabHeap;
  let other: SlabHeap;
  let rotators: EpochRotator[];
  beforeEach(() => {
    rotators = [];
    heap = asyncHeap();
    other = another(heap);
    begin(heap, other);
  });
  afterEach(() => {
    for (const rotator of rotators) rotator.stop();
    expectNobodyInside(heap);
    other.detach();
    heap.detach();
  });
  return {
    /** Rules by count by default, so that nothing depends on the clock. */
    rotatorOf(options = {}, of = heap) {
      const byCount = options.everyMs === undefined ? { everyDomains: 1_000_000 } : {};
      const rotator = new EpochRotator(of, { ...byCount, ...options });
      rotators.push(rotator);
      return rotator;
    },
    open(rotator, times) {
      for (let i = 0; i < times; i++) rotator.open().end();
    },
  };
}
