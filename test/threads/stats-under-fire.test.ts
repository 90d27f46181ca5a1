/**
 * Defends: while threads work, no counter of one reader ever goes back, no gauge is negative, no label is torn, and every
 * document can be read back; afterwards the counters are exactly what the threads say they did.
 * Method: three writers with objects, remote frees, epochs that advance and are discarded and labels of one repeated
 * letter each; one reader in a thread of its own takes at least 10,000 snapshots and compares each with the one before.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { SlabHeap } from "temporal-slab";
import { type HeapSnapshot, STATS_SECTIONS, StatsReader } from "temporal-slab/stats";
import { expect, test } from "vitest";
import { testSeed } from "../model/seed.js";
import { identitiesOf, isOfFreers } from "../stats/reader/identities.js";
import { problemsOf, startWorker, stopAll, until } from "./crew.js";
import { countersOf } from "./stats-counters.mjs";
import { Control, CUSTOM, Mailbox, newControl, newMailbox, Random, READY } from "./workers/shared.mjs";

const KIB = 1024;
const WRITERS = 3;
const SNAPSHOTS = 10_000;
const CELLS = 64;

test(`${SNAPSHOTS} snapshots while ${WRITERS} threads write`, { timeout: 120_000 }, async () => {
  const random = new Random(testSeed("stats under fire"));
  const heap = SlabHeap.create({
    capacity: 256 * KIB,
    slabSize: 4 * KIB,
    sizeClasses: [16, 64, 208, 1024],
    maxWorkers: WRITERS + 1,
  });
  const control = new Control(newControl());
  const mailbox = newMailbox(CELLS);
  const tallies = Array.from({ length: WRITERS }, () => new SharedArrayBuffer(64));
  const common = { control: control.words.buffer, mailbox, ref: heap.share(), rests: false, block: 0 };
  const writers = tallies.map((tally, name) =>
    startWorker("../stats-writer", control, { ...common, name, tally, seed: random.next() }),
  );
  await until("the writers", () => control.get(READY) === WRITERS || control.failure() !== "");
  const watcher = startWorker("../stats-watcher", control, common);
  await until("the watcher", () => control.get(READY) === WRITERS + 1 || control.failure() !== "");
  while (control.get(CUSTOM) < SNAPSHOTS && control.failure() === "") await sleep(20);
  await stopAll(control, [...writers, watcher]);
  expect(control.failure()).toBe("");
  expect(control.get(CUSTOM)).toBeGreaterThanOrEqual(SNAPSHOTS);

  heap.poll();
  const did = tallies.map((tally) => [...new BigInt64Array(tally)].map(Number));
  const document: HeapSnapshot = StatsReader.open(heap).snapshot();
  const sum = (word: number): number => did.reduce((total, words) => total + words[word], 0);
  expect(document.heap).toMatchObject({
    alloc_count: sum(1),
    free_count: sum(2),
    invalid_frees_stale: sum(3) - racesLost(document),
    invalid_frees_null: 0,
    advances: heap.currentEpoch.era - 16,
    alloc_failures_out_of_memory: sum(5),
    alloc_failures_epoch_closed: 0,
    attached_workers: 1,
  });
  expect(document.heap.advances).toBeGreaterThanOrEqual(sum(4));
  for (const [seat, allocs, frees] of did) {
    const row = document.workers.find((worker) => worker.seat === seat);
    expect(row).toMatchObject({ state: "FREE", alloc_count: allocs, free_count: frees, owned_slabs: 0 });
  }
  expect(problemsOf(heap)).toBe("");
  const broken = identitiesOf(StatsReader.open(heap).snapshot());
  expect(broken.filter((text) => !isOfFreers(text))).toEqual([]);
  expect(Number(document.heap.live_objects)).toBe(heap.verify().liveObjects);

  const remote = document.workers.reduce((total, row) => total + Number(row.remote_free_count), 0);
  const counters = countersOf(document, STATS_SECTIONS);
  expect(counters.get("heap.alloc_count")).toBe(sum(1));
  expect(counters.size).toBeGreaterThan(150);
  for (const n of [remote, Number(document.heap.discarded_count), document.large.alloc_count, sum(4)]) {
    expect(Number(n)).toBeGreaterThan(20);
  }
  console.log(
    `under fire: ${JSON.stringify({ snapshots: control.get(CUSTOM), allocs: sum(1), remote, eras: sum(4) })}`,
  );
  // What is left in the mailbox is there for anybody to free, and counted.
  const cells = new Mailbox(mailbox);
  let freed = 0;
  for (let cell = 0; cell < CELLS; cell++) {
    const handle = cells.swap(cell, 0);
    if (handle !== 0 && heap.free(handle as Parameters<typeof heap.free>[0])) freed++;
  }
  expect(StatsReader.open(heap).snapshot().heap.free_count).toBe(sum(2) + freed);
  heap.detach();
});

/** Frees that were refused because the object ended in that very moment are counted as lost races, not as invalid. */
function racesLost(document: HeapSnapshot): number {
  return Number(document.total_bitmap_free_cas_retries);
}
