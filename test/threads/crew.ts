/** Starting, resting, ending and reaping the workers of a thread test; emptying the heap at the end. */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { NULL_HANDLE, type SlabHeap } from "temporal-slab";
import type { SlabHeap as SourceHeap } from "../../src/allocator/heap/heap.js";
import { expectCountersExact } from "../allocator/support.js";
import { type Control, PAUSE, RESTING, STOP } from "./workers/shared.mjs";

/** Far beyond anything a sound run needs: only a hang reaches it. */
const PATIENCE_MS = 60_000;

export async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`waited ${PATIENCE_MS} ms for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Starts test/threads/workers/<name>.mjs. An uncaught error in it counts as a failed check. */
export function startWorker(name: string, control: Control, workerData: object): Worker {
  const worker = new Worker(new URL(`./workers/${name}.mjs`, import.meta.url), { workerData });
  worker.on("error", (error) => control.fail(`${name}: ${error.stack ?? error}`));
  return worker;
}

/** Puts every worker that calls `restIfAsked` to sleep while `body` runs. */
export async function whileResting(control: Control, workers: number, body: () => void): Promise<void> {
  control.set(PAUSE, 1);
  await until("workers to rest", () => control.get(RESTING) === workers || control.failure() !== "");
  try {
    body();
  } finally {
    control.set(PAUSE, 0);
    await until("workers to wake", () => control.get(RESTING) === 0);
  }
}

/** Asks the workers to finish and waits for their exit. */
export async function stopAll(control: Control, workers: readonly Worker[]): Promise<void> {
  const exits = workers.map((worker) => (worker.threadId < 0 ? undefined : once(worker, "exit")));
  control.set(STOP, 1);
  await Promise.all(exits);
}

/** Seats taken by others than `heap`. */
export function foreignSeats(heap: SlabHeap): string[] {
  return heap
    .seats()
    .filter(({ seat, state }) => seat !== heap.seat && state !== "FREE")
    .map(({ seat, state, threadId }) => `seat ${seat} is ${state} (thread ${threadId})`);
}

/**
 * Counters against the slot words, while nobody else works. The built package's heap has the words of the source's, which
 * is all that is looked at.
 */
export function expectExactCounts(heap: SlabHeap): void {
  heap.poll();
  expectCountersExact(heap as unknown as SourceHeap);
}

/** Problems of verify(), as one string. */
export function problemsOf(heap: SlabHeap): string {
  return heap.verify().problems.join("\n");
}

/**
 * With all other threads gone: discards everything and asks for all of the memory back. Returns what is not as it
 * should be.
 */
export function emptyOut(heap: SlabHeap): string[] {
  const findings: string[] = [];
  const expect = (what: string, actual: unknown, expected: unknown): void => {
    if (actual !== expected) findings.push(`${what}: ${String(actual)} instead of ${String(expected)}`);
  };
  expect("foreign seats", foreignSeats(heap).join(", "), "");
  expect("verify before the discard", problemsOf(heap), "");
  heap.discardBefore(heap.currentEpoch);
  heap.discardEpoch(heap.currentEpoch);
  const report = heap.verify();
  expect("verify after the discard", report.problems.join("\n"), "");
  expectExactCounts(heap);
  expect("live objects after the discard", report.liveObjects, 0);
  expect("slabs in use after the discard", report.slabs, 0);
  // Smallest first: taking whole slabs first would refresh every hint about free slabs.
  const small: ReturnType<SlabHeap["alloc"]>[] = [];
  const size = heap.sizeClasses[0];
  for (let h = heap.alloc(size); h !== NULL_HANDLE; h = heap.alloc(size)) small.push(h);
  const slots = Math.floor(heap.slabSize / size);
  expect("smallest objects that can be allocated", small.length, (heap.capacity / heap.slabSize) * slots);
  for (const handle of small) heap.free(handle);
  const handles: ReturnType<SlabHeap["alloc"]>[] = [];
  for (let h = heap.alloc(heap.slabSize); h !== NULL_HANDLE; h = heap.alloc(heap.slabSize)) handles.push(h);
  expect("slabs that can be allocated again", handles.length, heap.capacity / heap.slabSize);
  for (const handle of handles) heap.free(handle);
  const whole = heap.alloc(heap.capacity);
  expect("one object of the whole capacity", whole !== NULL_HANDLE && heap.free(whole), true);
  expect("verify at the end", problemsOf(heap), "");
  expectExactCounts(heap);
  return findings;
}
