/**
 * Defends: threads share a pool: blocks keep their contents whoever allocates, moves and frees them; of two threads that
 * free one pointer exactly one is told so, unless one owns the slab (the block is freed once all the same); a thread that dies in the middle takes nothing with it that freeAll does not
 * bring back, and damages nobody's blocks.
 * Method: real workers on the built package; stamped blocks, traded through a mailbox, compared in full; the heap is
 * verified while all rest; pointers freed by two threads at a time; workers terminated at random instants.
 */
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { MemPool } from "temporal-slab/malloc";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { testSeed } from "../model/seed.js";
import { emptyOut, foreignSeats, problemsOf, stopAll, until, whileResting } from "../threads/crew.js";
import {
  Control,
  CUSTOM,
  Mailbox,
  newControl,
  newMailbox,
  Random,
  READY,
} from "../threads/workers/shared.mjs";
import { Holder } from "./workers/holder.mjs";

const KIB = 1024;
const CELLS = 64;
const WORKERS = 3;
const [ROUND, DONE, COUNT] = [CUSTOM + 1, CUSTOM + 2, CUSTOM + 3];

let control: Control;
let mailbox: SharedArrayBuffer;
let workers: Worker[];

beforeEach(() => {
  control = new Control(newControl());
  mailbox = newMailbox(CELLS);
  workers = [];
});
afterEach(async () => {
  await Promise.all(workers.map((worker) => worker.terminate()));
});

function start(pool: MemPool, data: object): Worker {
  const worker = new Worker(new URL("./workers/worker.mjs", import.meta.url), {
    workerData: { ...data, control: control.words.buffer, mailbox, ref: pool.share() },
  });
  worker.on("error", (error) => control.fail(String(error)));
  workers.push(worker);
  return worker;
}

const atWork = (count: number): Promise<void> =>
  until("the workers", () => control.get(READY) >= count || control.failure() !== "");

describe("threads", () => {
  test(`${WORKERS} workers and this thread: contents, trades, remote frees`, {
    timeout: 300_000,
  }, async () => {
    const random = new Random(testSeed("malloc threads"));
    // Small enough to be full now and then.
    const pool = new MemPool({ size: 1000 * KIB, maxWorkers: WORKERS + 1 });
    const common = { most: 300, largest: 40_000 };
    const mine = new Holder({
      ...common,
      control,
      mailbox: new Mailbox(mailbox),
      owner: 1,
      seed: random.next(),
    });
    for (let i = 0; i < WORKERS; i++)
      start(pool, { ...common, job: "churn", owner: 2 + i, seed: random.next() });
    await atWork(WORKERS);

    while (control.get(CUSTOM) < 60_000 && control.failure() === "") {
      for (let i = 0; i < 20; i++) {
        for (let k = 0; k < 30; k++) mine.step(pool);
        await sleep(1);
      }
      await whileResting(control, WORKERS, () => {
        mine.checkAll(pool);
        pool.heap.poll();
        expect(problemsOf(pool.heap)).toBe("");
        expect(pool.stats().used.count).toBe(pool.heap.verify().liveObjects);
      });
    }
    await stopAll(control, workers);
    mine.dropAll(pool, CELLS);
    expect(control.failure()).toBe("");
    const { allocCount, remoteFrees, outOfMemory } = pool.heap.counters();
    console.log(`threads: ${JSON.stringify({ allocCount, remoteFrees, outOfMemory })}`);
    expect(remoteFrees).toBeGreaterThan(1000);
    expect(foreignSeats(pool.heap)).toEqual([]);
    expect(pool.stats().used).toEqual({ count: 0, size: 0 });
    expect(emptyOut(pool.heap)).toEqual([]);
    pool.release();
  });

  test.each([
    ["two other threads: exactly one is told", 2, false],
    ["the owner and another thread: at least one is told", 1, true],
  ])("a pointer freed by %s", { timeout: 300_000 }, async (_name, freers, ownerToo) => {
    const pool = new MemPool({ size: 1000 * KIB, maxWorkers: 4 });
    const most = 2000;
    const pointers = new Int32Array(new SharedArrayBuffer(most * 4));
    const freed = new Int32Array(new SharedArrayBuffer(most * 4));
    for (let i = 0; i < freers; i++) {
      start(pool, { job: "race", pointers: pointers.buffer, freed: freed.buffer });
    }
    await atWork(freers);
    for (let round = 1; round <= 40; round++) {
      // Sizes of one round are mixed, with large blocks among them.
      for (let i = 0; i < most; i++) pointers[i] = pool.malloc(i % 500 === 0 ? 9000 : 16 + (i % 7) * 40);
      expect(pointers.includes(0)).toBe(false);
      freed.fill(0);
      control.set(COUNT, most);
      control.set(DONE, 0);
      control.set(ROUND, round);
      if (ownerToo) {
        for (const [i, pointer] of pointers.entries()) if (pool.free(pointer)) Atomics.add(freed, i, 1);
      }
      await until("the freers", () => control.get(DONE) === freers || control.failure() !== "");
      const told = (count: number): number => freed.filter((times) => times === count).length;
      expect(told(0), "blocks nobody has freed").toBe(0);
      if (!ownerToo) expect(told(1), "blocks freed once").toBe(most);
      expect(told(1) + told(2)).toBe(most);
      for (const pointer of pointers) expect(pool.free(pointer)).toBe(false);
      pool.heap.poll();
      expect(problemsOf(pool.heap)).toBe("");
      expect(pool.stats().used).toEqual({ count: 0, size: 0 });
    }
    await stopAll(control, workers);
    expect(control.failure()).toBe("");
    expect(emptyOut(pool.heap)).toEqual([]);
    pool.release();
  });

  test("workers killed in the middle", { timeout: 300_000 }, async () => {
    const random = new Random(testSeed("malloc kills"));
    const pool = new MemPool({ size: 2000 * KIB, maxWorkers: 6 });
    const common = { most: 300, largest: 20_000 };
    const mine = new Holder({
      ...common,
      control,
      mailbox: new Mailbox(mailbox),
      owner: 1,
      seed: random.next(),
    });
    for (let kill = 0; kill < 25; kill++) {
      const worker = start(pool, { ...common, job: "churn", owner: 2 + kill, seed: random.next() });
      pool.heap.watch(worker);
      await Promise.race([once(worker, "message"), once(worker, "exit")]);
      const end = Date.now() + random.below(30);
      while (Date.now() < end) {
        for (let i = 0; i < 20; i++) mine.step(pool);
        await sleep(0);
      }
      await worker.terminate();
      await until("the dead to be reaped", () => foreignSeats(pool.heap).length === 0);
      mine.checkAll(pool);
      expect(control.failure()).toBe("");
      pool.heap.poll();
      expect(problemsOf(pool.heap)).toBe("");
      // What only the dead knew stays until freeAll: now and then, after giving back what is known.
      if (kill % 5 === 4) {
        mine.dropAll(pool, CELLS);
        pool.freeAll();
        expect(pool.stats().used).toEqual({ count: 0, size: 0 });
      }
    }
    expect(control.get(CUSTOM)).toBeGreaterThan(1000);
    expect(control.failure()).toBe("");
    expect(emptyOut(pool.heap)).toEqual([]);
    pool.release();
  });
});
