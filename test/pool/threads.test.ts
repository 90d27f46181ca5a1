/**
 * Defends: threads that share a limit never hold more than it between them, wake each other when they give permits back, and
 * go on when one of them is killed with permits in hand; buffers pass between threads with their bytes and their permit.
 * Method: worker threads on the built package. Each counts live buffers in shared memory, more carefully than the pool has
 * to, and checks every byte; workers are terminated while they hold everything, and at random instants.
 */
import { on, once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { NULL_HANDLE, SlabHeap } from "temporal-slab";
import { BufferPool, type PooledBuffer, type PooledRef } from "temporal-slab/pool";
import { afterEach, beforeEach, expect, test } from "vitest";
import { testSeed } from "../model/seed.js";
import { foreignSeats, until } from "../threads/crew.js";
import { Control, CUSTOM, newControl, Random } from "../threads/workers/shared.mjs";
import { expectAllBack, isStamped, stamp } from "./support.js";

const DONE = CUSTOM + 1;
const MOST = CUSTOM + 2;

let heap: SlabHeap;
let control: Control;
let workers: Worker[];
beforeEach(() => {
  heap = SlabHeap.create({ capacity: 4 << 20, slabSize: 16 << 10, maxWorkers: 8 });
  control = new Control(newControl());
  workers = [];
});
afterEach(async () => {
  await Promise.all(workers.map((worker) => worker.terminate()));
  await until("seats to be given back", () => foreignSeats(heap).length === 0);
  expect(control.failure()).toBe("");
  expect(heap.verify().problems).toEqual([]);
  heap.detach();
});

function start(pool: BufferPool, task: string, seed: number, steps = 0): Worker {
  const worker = new Worker(new URL("./workers/pool-worker.mjs", import.meta.url), {
    workerData: {
      ref: heap.share(),
      pool: pool.share(),
      task,
      seed,
      steps,
      control: control.words.buffer,
      limit: pool.maxBuffers,
    },
  });
  worker.on("error", (error) => control.fail(`${task}: ${error.stack ?? error}`));
  heap.watch(worker);
  workers.push(worker);
  return worker;
}

/** Every permit can be had again, and no more than these. */
async function expectFullLimit(pool: BufferPool): Promise<void> {
  const held: PooledBuffer[] = [];
  for (let i = 0; i < (pool.maxBuffers ?? 0); i++)
    held.push(await pool.acquireAsync(64, { timeoutMs: 50_000 }));
  expect(pool.tryAcquire(64)).toBeUndefined();
  for (const buffer of held) expect(buffer.release()).toBe(true);
  expectAllBack(pool as never);
}

/** What killed threads had is left; nothing else is. */
function expectNothingLeft(): void {
  heap.discardBefore(heap.currentEpoch);
  heap.discardEpoch(heap.currentEpoch);
  expect(heap.verify()).toMatchObject({ problems: [], liveObjects: 0 });
  const all = heap.alloc(heap.capacity);
  expect(all).not.toBe(NULL_HANDLE);
  heap.free(all);
}

test("three workers and this thread share a limit of five", { timeout: 240_000 }, async () => {
  const LIMIT = 5;
  const random = new Random(testSeed("shared limit"));
  const pool = new BufferPool(heap, { label: "main", maxBuffers: LIMIT });
  const busy = [1, 2, 3].map((seed) => start(pool, "share", seed + (random.below(1000) << 2), 1500));
  const exits = Promise.all(busy.map((worker) => once(worker, "exit")));
  let running = true;
  exits.then(() => {
    running = false;
  });
  let mine = 0;
  while (running) {
    const buffer = await pool.acquireAsync(1 + random.below(2000));
    const live = control.add(CUSTOM);
    if (live > LIMIT) control.fail(`${live} buffers live, the limit is ${LIMIT}`);
    stamp(buffer as never, mine);
    const { inUseAllThreads } = pool.stats();
    expect(inUseAllThreads).toBeGreaterThan(0);
    expect(inUseAllThreads).toBeLessThanOrEqual(LIMIT);
    if (random.below(4) === 0) await sleep(1);
    expect(isStamped(buffer.bytes, mine)).toBe(true);
    control.add(CUSTOM, -1);
    buffer.release();
    mine++;
  }
  await exits;
  expect(control.failure()).toBe("");
  expect(control.get(CUSTOM)).toBe(0);
  console.log(
    `shared limit: ${JSON.stringify({ mine, theirs: control.get(DONE), most: control.get(MOST) })}`,
  );
  // They did meet: otherwise the limit was not put to the test.
  expect(control.get(MOST)).toBe(LIMIT);
  expect(control.get(DONE)).toBeGreaterThan(1500);
  await expectFullLimit(pool);
  expectNothingLeft();
});

test("a release wakes the waiting thread, in both directions", { timeout: 60_000 }, async () => {
  const TURNS = 200;
  const pool = new BufferPool(heap, { maxBuffers: 1 });
  const worker = start(pool, "turns", 1, TURNS);
  const messages = on(worker, "message");
  const next = async (): Promise<unknown> => (await messages.next()).value[0];
  let buffer = pool.acquire(100);
  for (let turn = 0; turn < TURNS; turn++) {
    expect(await next()).toBe("waiting: 1");
    buffer.release();
    expect(await next()).toBe("mine");
    const waiting = pool.acquireAsync(100);
    expect(pool.stats().waiting).toBe(1);
    worker.postMessage("give it back");
    buffer = await waiting;
    worker.postMessage("again");
  }
  buffer.release();
  await until("the worker to end", () => worker.threadId < 0 || control.failure() !== "");
  expect(pool.stats().waits).toBe(TURNS);
  await expectFullLimit(pool);
});

test("the permits of a killed worker are had by others", { timeout: 120_000 }, async () => {
  const LIMIT = 4;
  const pool = new BufferPool(heap, { maxBuffers: LIMIT });
  for (let kill = 0; kill < 5; kill++) {
    const worker = start(pool, "hoard", kill);
    const [held] = await once(worker, "message");
    expect(held).toBe(LIMIT);
    expect(pool.tryAcquire(64)).toBeUndefined();
    expect(pool.stats().inUseAllThreads).toBe(LIMIT);
    const waiting = pool.acquireAsync(64);
    await worker.terminate();
    (await waiting).release();
    await expectFullLimit(pool);
  }
  expectNothingLeft();
});

test("workers killed at any instant leave every permit", { timeout: 240_000 }, async () => {
  const random = new Random(testSeed("pool kills"));
  const pool = new BufferPool(heap, { maxBuffers: 6 });
  for (let kill = 0; kill < 20; kill++) {
    const pair = [0, 1].map((i) => start(pool, "churn", 2 * kill + i + random.below(1 << 20)));
    await Promise.all(pair.map((worker) => once(worker, "message")));
    const deadline = Date.now() + random.below(25);
    while (Date.now() < deadline) {
      (await pool.acquireAsync(64)).release();
      pool.tryAcquire(300)?.release();
    }
    await pair[0]?.terminate();
    for (let i = 0; i < 50; i++) (await pool.acquireAsync(64)).release();
    await pair[1]?.terminate();
    expect(control.failure()).toBe("");
    await expectFullLimit(pool);
  }
  await until("seats to be given back", () => foreignSeats(heap).length === 0);
  expectNothingLeft();
});

test("buffers travel by postMessage, with bytes and permit", { timeout: 120_000 }, async () => {
  const MESSAGES = 1000;
  const LIMIT = 6;
  const random = new Random(testSeed("travelling buffers"));
  const pool = new BufferPool(heap, { maxBuffers: LIMIT });
  const worker = start(pool, "answer", 1);
  let sent = 0;
  const answered = new Promise<void>((resolve) => {
    let received = 0;
    const send = async (): Promise<void> => {
      const serial = 2 * sent++;
      // The answers hold permits too: whoever wants one waits.
      const buffer = await pool.acquireAsync(1 + random.below(5000));
      stamp(buffer as never, serial);
      worker.postMessage({ ref: buffer.detach(), serial });
    };
    worker.on("message", ({ ref, serial }: { ref: PooledRef; serial: number }) => {
      using buffer = pool.adopt(ref);
      if (!isStamped(buffer.bytes, serial)) control.fail(`answer ${serial} is damaged`);
      if (sent < MESSAGES) void send();
      if (++received === MESSAGES) resolve();
    });
    for (let i = 0; i < LIMIT; i++) void send();
  });
  await answered;
  const exit = once(worker, "exit");
  worker.postMessage({});
  await exit;
  expect(pool.stats()).toMatchObject({ detached: MESSAGES, adopted: MESSAGES, inUse: 0, inUseAllThreads: 0 });
  await expectFullLimit(pool);
  expectNothingLeft();
});
