/**
 * Defends: over tens of millions of operations no object is lost, damaged, handed out twice or freed twice, no count
 * drifts, and in the end all of the memory is there again.
 * Method: two workers allocate and free as fast as they can, check the stamp of every object before it goes (one in 64
 * word by word), and hand every eighth object to the other one through a ring, which frees it there; the workers and
 * the main thread advance and close epochs meanwhile.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type EpochId, SlabHeap } from "temporal-slab";
import { expect, test } from "vitest";
import { testSeed } from "../model/seed.js";
import {
  emptyOut,
  expectExactCounts,
  foreignSeats,
  problemsOf,
  startWorker,
  stopAll,
  until,
} from "./crew.js";
import { Control, CUSTOM, newControl, Random, READY } from "./workers/shared.mjs";

const KIB = 1024;
const WORKERS = 2;
const ALLOCS_PER_WORKER = 5_500_000;
const LANE_CELLS = 1024;

test(`${(2 * WORKERS * ALLOCS_PER_WORKER) / 1e6} million operations`, { timeout: 300_000 }, async () => {
  const random = new Random(testSeed("many operations"));
  const heap = SlabHeap.create({
    capacity: 16 * 1024 * KIB,
    slabSize: 16 * KIB,
    sizeClasses: [16, 32, 64, 128, 256, 1024],
    maxWorkers: WORKERS + 1,
  });
  const control = new Control(newControl());
  const lanes = Array.from({ length: WORKERS }, () => ({
    ends: new SharedArrayBuffer(8),
    cells: new SharedArrayBuffer(LANE_CELLS * 8),
  }));
  const workers = lanes.map((inbox, i) =>
    startWorker("many", control, {
      control: control.words.buffer,
      ref: heap.share(),
      owner: i + 1,
      seed: random.next(),
      allocs: ALLOCS_PER_WORKER,
      sizes: heap.sizeClasses,
      workers: WORKERS,
      inbox,
      outbox: lanes[(i + 1) % WORKERS],
    }),
  );
  for (const worker of workers) heap.watch(worker);
  await until("the workers", () => control.get(READY) === WORKERS || control.failure() !== "");

  let turns = 0;
  // Until both have emptied what the other sent: stopping them sooner would leave slabs for the last one to adopt.
  while (control.get(CUSTOM + 1) < WORKERS && control.failure() === "") {
    await sleep(2);
    if (turns++ % 2 === 0) heap.advanceEpoch();
    else heap.closeEpoch(random.below(16) as EpochId);
    // Readers of shared words must not disturb anybody.
    if (turns % 50 === 0) heap.counters();
  }
  expect(control.failure()).toBe("");
  await stopAll(control, workers);
  expect(control.failure()).toBe("");

  expect(foreignSeats(heap)).toEqual([]);
  heap.poll();
  expect(problemsOf(heap)).toBe("");
  expectExactCounts(heap);
  const counters = heap.counters();
  const received = control.get(CUSTOM + 10) + control.get(CUSTOM + 11);
  console.log(
    `many operations: ${JSON.stringify({ turns, received, eras: heap.currentEpoch.era, ...counters })}`,
  );
  expect(counters).toMatchObject({
    allocCount: WORKERS * ALLOCS_PER_WORKER,
    freeCount: WORKERS * ALLOCS_PER_WORKER,
    liveObjects: 0,
    remoteFrees: received,
    invalidFrees: 0,
    outOfMemory: 0,
    adoptedSlabs: 0,
  });
  // How much is handed over depends on how the workers are scheduled.
  expect(received).toBeGreaterThan(10_000);
  expect(counters.recycledSlabs).toBeGreaterThan(100);
  expect(heap.currentEpoch.era).toBeGreaterThan(100);
  expect(emptyOut(heap)).toEqual([]);
  heap.detach();
});
