/**
 * Defends: a thread's counters survive it: after terminate and reap they are exactly what it had said it did, or at most
 * what it may have done after that; its seat's row keeps its counts and goes on with the next thread in the seat; no
 * counter of a reader goes back over any of this.
 * Method: writers are terminated, some while blocked (what they did is known exactly), some while busy; a reader looks
 * before and after each death, reap and new start.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { SlabHeap } from "temporal-slab";
import { type HeapSnapshot, STATS_SECTIONS, StatsReader } from "temporal-slab/stats";
import { describe, expect, test } from "vitest";
import { testSeed } from "../model/seed.js";
import { identitiesOf, isOfFreers } from "../stats/reader/identities.js";
import { foreignSeats, problemsOf, startWorker, until } from "./crew.js";
import { countersOf, impossible, wentBack } from "./stats-counters.mjs";
import { Control, newControl, newMailbox, Random } from "./workers/shared.mjs";

const KIB = 1024;

function setUp() {
  const heap = SlabHeap.create({
    capacity: 512 * KIB,
    slabSize: 4 * KIB,
    sizeClasses: [16, 64, 208, 1024],
    maxWorkers: 3,
  });
  const control = new Control(newControl());
  const mailbox = newMailbox(16);
  const reader = StatsReader.open(heap);
  let counters = countersOf(reader.snapshot(), STATS_SECTIONS);
  const look = (): HeapSnapshot => {
    const document = reader.snapshot();
    const now = countersOf(document, STATS_SECTIONS);
    expect([...wentBack(counters, now), ...impossible(document)]).toEqual([]);
    counters = now;
    return document;
  };
  const start = (seed: number, block: number) => {
    const tally = new SharedArrayBuffer(64);
    const common = { control: control.words.buffer, mailbox, ref: heap.share(), rests: false };
    const worker = startWorker("../stats-writer", control, { ...common, name: seed, tally, seed, block });
    heap.watch(worker);
    return { worker, did: (word: number) => Number(Atomics.load(new BigInt64Array(tally), word)) };
  };
  return { heap, control, look, start };
}

describe("terminate and reap", () => {
  test("while blocked: exactly what it did", { timeout: 60_000 }, async () => {
    const random = new Random(testSeed("stats death, blocked"));
    const { heap, control, look, start } = setUp();
    let allocs = 0;
    let frees = 0;
    for (let round = 1; round <= 5; round++) {
      const { worker, did } = start(random.next(), 64 * (20 + random.below(100)));
      await until("the worker to block", () => did(6) === 1 || control.failure() !== "");
      const seat = did(0);
      expect(seat).toBe(2);
      allocs += did(1);
      frees += did(2);
      expect(did(1)).toBeGreaterThan(100);
      const alive = look();
      expect(alive.workers[1]).toMatchObject({ seat, state: "LIVE", alloc_count: allocs, free_count: frees });
      await worker.terminate();
      await until("the reap", () => foreignSeats(heap).length === 0);
      heap.poll();
      const dead = look();
      expect(dead.workers[1]).toMatchObject({
        seat,
        state: "FREE",
        alloc_count: allocs,
        free_count: frees,
        owned_slabs: 0,
      });
      expect(dead.heap).toMatchObject({
        alloc_count: allocs,
        free_count: frees,
        reaps: round,
        orphaned_slabs: 0,
      });
      expect(identitiesOf(dead)).toEqual([]);
      expect(dead.heap.live_objects).toBe(heap.verify().liveObjects);
    }
    expect(control.failure()).toBe("");
    expect(problemsOf(heap)).toBe("");
    heap.detach();
  });

  test("while busy: never less than it said, and every object accounted for", {
    timeout: 60_000,
  }, async () => {
    const random = new Random(testSeed("stats death, busy"));
    const { heap, control, look, start } = setUp();
    for (let round = 1; round <= 12; round++) {
      const { allocs, frees } = sumsOf(look());
      const { worker, did } = start(random.next(), 0);
      await until("the worker to work", () => did(1) > 200 || control.failure() !== "");
      await sleep(random.below(10));
      look();
      await worker.terminate();
      look();
      await until("the reap", () => foreignSeats(heap).length === 0);
      for (let i = 0; i < 2; i++) heap.poll();
      const dead = look();
      const now = sumsOf(dead);
      expect(now.allocs).toBeGreaterThanOrEqual(allocs + did(1));
      expect(now.frees).toBeGreaterThanOrEqual(frees + did(2));
      // Between two publications it takes at most 64 steps, and none of them allocates more than one object.
      expect(now.allocs).toBeLessThanOrEqual(allocs + did(1) + 64);
      expect(
        identitiesOf(dead).filter((text) => !/claimed|given back|attempts/.test(text) && !isOfFreers(text)),
      ).toEqual([]);
      expect(dead.heap).toMatchObject({ reaps: round, attached_workers: 1 });
      expect(dead.heap.live_objects).toBe(heap.verify().liveObjects);
      expect(dead.workers[1]).toMatchObject({ seat: 2, state: "FREE", owned_slabs: 0 });
      expect(Number(dead.workers[1].alloc_count)).toBe(now.allocs);
    }
    expect(control.failure()).toBe("");
    expect(problemsOf(heap)).toBe("");
    heap.detach();
  });
});

function sumsOf(document: HeapSnapshot) {
  return { allocs: Number(document.heap.alloc_count), frees: Number(document.heap.free_count) };
}
