/**
 * Defends: taking a seat and giving it back is safe while other threads do the same, adopt what was left behind and
 * free objects of threads that are gone; objects survive their thread; nothing is lost or counted twice.
 * Method: three workers attach, work and detach as fast as they can, keep stamped objects across seats and trade
 * them; the main thread does the same without leaving. At rests the whole heap is verified. Counters must balance.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { SlabHeap } from "temporal-slab";
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
  whileResting,
} from "./crew.js";
import { Keeper } from "./workers/keeper.mjs";
import { Control, CUSTOM, DROP, Mailbox, newControl, newMailbox, Random, READY } from "./workers/shared.mjs";

const KIB = 1024;
const WORKERS = 3;
const SEATS_TAKEN = 20_000;
const CELLS = 64;

test(`${SEATS_TAKEN} seats taken and given back by ${WORKERS} workers`, { timeout: 300_000 }, async () => {
  const random = new Random(testSeed("churn"));
  const heap = SlabHeap.create({
    capacity: 1024 * KIB,
    slabSize: 4 * KIB,
    sizeClasses: [16, 64, 208, 1024],
    maxWorkers: WORKERS + 1,
  });
  const control = new Control(newControl());
  const mailbox = newMailbox(CELLS);
  const cells = new Mailbox(mailbox);
  const common = { mailbox, most: 250, largest: 9000, zeroed: false };
  const mine = new Keeper({ ...common, control, mailbox: cells, owner: 1, seed: random.next() });
  const workers = Array.from({ length: WORKERS }, (_, i) =>
    startWorker("churn", control, {
      ...common,
      control: control.words.buffer,
      ref: heap.share(),
      owner: 2 + i,
      seed: random.next(),
    }),
  );
  await until("the workers", () => control.get(READY) === WORKERS || control.failure() !== "");

  for (let round = 1; control.get(CUSTOM) < SEATS_TAKEN && control.failure() === ""; round++) {
    for (let i = 0; i < 20; i++) {
      for (let k = 0; k < 30; k++) mine.step(heap);
      await sleep(1);
    }
    // In an odd round nobody keeps anything: then the heap must be empty.
    const empty = round % 2 === 1;
    if (empty) control.add(DROP);
    await whileResting(control, WORKERS, () => {
      mine.checkAll(heap);
      expectExactCounts(heap);
      if (!empty) return;
      mine.freeAll(heap);
      for (let cell = 0; cell < CELLS; cell++) {
        const handle = cells.swap(cell, 0);
        if (handle !== 0) mine.release(heap, handle);
      }
      const report = heap.verify();
      expect(report.problems.join("\n")).toBe("");
      expect(report.liveObjects).toBe(0);
    });
  }
  expect(control.failure()).toBe("");

  await stopAll(control, workers);
  expect(foreignSeats(heap)).toEqual([]);
  mine.checkAll(heap);
  mine.freeAll(heap);
  for (let cell = 0; cell < CELLS; cell++) {
    const handle = cells.swap(cell, 0);
    if (handle !== 0) mine.release(heap, handle);
  }
  expect(problemsOf(heap)).toBe("");
  expectExactCounts(heap);
  const { allocCount, freeCount, liveObjects, remoteFrees, adoptedSlabs } = heap.counters();
  console.log(
    `churn: ${JSON.stringify({ seats: control.get(CUSTOM), allocCount, remoteFrees, adoptedSlabs })}`,
  );
  expect({ freeCount, liveObjects }).toEqual({ freeCount: allocCount, liveObjects: 0 });
  expect(remoteFrees).toBeGreaterThan(0);
  expect(adoptedSlabs).toBeGreaterThan(0);
  expect(emptyOut(heap)).toEqual([]);
  expect(control.failure()).toBe("");
  heap.detach();
});
