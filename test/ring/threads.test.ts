/**
 * Defends: between real threads every handle arrives once, in its sender's order and with what its sender wrote; waiting
 * ends by a send, a receive, a close or a timeout of another thread; a thread that is killed where it waits or works leaves
 * a ring that its successor goes on with; no thread ends while it waits, and none is kept when it does not.
 * Method: real workers with the sources bundled, hundreds of thousands of stamped objects, random kills, and at the end
 * the whole memory back.
 */
import { once } from "node:events";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { bundleProgram } from "../../scripts/bundle-program.mjs";
import { SlabHeap } from "../../src/allocator/heap/heap.js";
import type { Handle } from "../../src/allocator/types.js";
import { HandleRing, type HandleRingOptions } from "../../src/ring/index.js";
import { expectWholeMemoryBack } from "../allocator/support.js";
import { testSeed } from "../model/seed.js";
import { randomFrom } from "../random.js";

const PATIENCE = { timeout: 180_000 };
const KIB = 1024;

let library = "";
beforeAll(async () => {
  library = pathToFileURL(await bundleProgram("test/ring/workers/library.ts", "ring-library")).href;
});

interface Started {
  readonly worker: Worker;
  /** Answers of its role. */
  readonly answer: Promise<unknown>;
  readonly exit: Promise<unknown>;
}

const started = new Set<Worker>();
afterEach(async () => {
  for (const worker of started) await worker.terminate();
  started.clear();
});

/** A worker that has attached and begins with its role. */
async function start(heap: SlabHeap, ring: HandleRing, role: string, more: object = {}): Promise<Started> {
  const worker = new Worker(new URL("./workers/end.mjs", import.meta.url), {
    workerData: { library, heapRef: heap.share(), ringRef: ring.share(), role, ...more },
  });
  started.add(worker);
  heap.watch(worker as never);
  const exit = once(worker, "exit");
  // An uncaught error in a worker rejects both.
  await once(worker, "message");
  const answer = once(worker, "message").then(([message]) => message as unknown);
  // Not every role answers.
  answer.catch(() => {});
  return { worker, answer, exit };
}

/** Some turns of the event loops later. */
function later<T>(value: T): Promise<T> {
  return new Promise((resolve) => setTimeout(() => resolve(value), 200));
}

function make(options: HandleRingOptions, capacity = 256 * KIB): { heap: SlabHeap; ring: HandleRing } {
  const heap = SlabHeap.create({ capacity, slabSize: 4 * KIB, sizeClasses: [16, 64], maxWorkers: 8 });
  return { heap, ring: HandleRing.create(heap, options) };
}

/** Checks stamps and order, and frees. */
class Consumer {
  readonly next: number[] = [];
  total = 0;
  private readonly heap: SlabHeap;

  constructor(heap: SlabHeap, producers: number) {
    this.heap = heap;
    for (let i = 0; i < producers; i++) this.next.push(0);
  }

  /** The sender of the object, whose number must be its next. */
  take(handle: Handle): void {
    const at = this.heap.byteOffset(handle) >> 2;
    const [id, n] = [this.heap.i32[at] as number, this.heap.i32[at + 1] as number];
    if (n !== this.next[id]) throw new Error(`object ${n} of ${id} came, ${this.next[id]} was next`);
    this.next[id] = n + 1;
    if (!this.heap.free(handle)) throw new Error(`object ${n} of ${id} was stale`);
    this.total++;
  }
}

describe("throughput, every payload checked", () => {
  test("one producer, a million handles, received singly and in batches", PATIENCE, async () => {
    const { heap, ring } = make({ capacity: 512 });
    const count = 1_000_000;
    const { exit } = await start(heap, ring, "produce", { count });
    const consumer = new Consumer(heap, 1);
    const batch = new Float64Array(64);
    while (consumer.total < count) {
      const some = ring.tryReceiveMany(batch);
      for (let i = 0; i < some; i++) consumer.take(batch[i] as Handle);
      if (some > 0 || consumer.total === count) continue;
      const handle = ring.receive({ timeoutMs: 60_000 });
      if (handle === 0) throw new Error(`nothing came after ${consumer.total}`);
      consumer.take(handle);
    }
    expect(await exit).toEqual([0]);
    expect(ring.tryReceive()).toBe(0);
    expectWholeMemoryBack(heap);
  });

  test("three producers", PATIENCE, async () => {
    const { heap, ring } = make({ capacity: 64, producers: 3 });
    const count = 100_000;
    const producers = await Promise.all(
      ["produce", "produceAsync", "produce"].map((role, id) =>
        start(heap, ring, role, { count: role === "produce" ? count : 20_000, id }),
      ),
    );
    const consumer = new Consumer(heap, 3);
    for (let left = 2 * count + 20_000; left > 0; left--) {
      // Blocking for some, yielding to the event loop for others.
      const handle = left % 1000 === 0 ? await ring.receiveAsync() : ring.receive({ timeoutMs: 60_000 });
      consumer.take(handle);
    }
    expect(consumer.next).toEqual([count, 20_000, count]);
    for (const { exit } of producers) expect(await exit).toEqual([0]);
    expectWholeMemoryBack(heap);
  });

  test.each(["consume", "iterate"])("to a worker that has to %s, until the close", PATIENCE, async (role) => {
    const { heap, ring } = make({ capacity: 128 });
    const { answer, exit } = await start(heap, ring, role);
    const count = 20_000;
    for (let n = 0; n < count; n++) {
      for (;;) {
        const handle = heap.alloc(16);
        if (handle !== 0) {
          expect(await ring.sendAsync(handle)).toBe(true);
          break;
        }
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    }
    ring.close();
    expect(await answer).toBe(count);
    expect(await exit).toEqual([0]);
    ring.leave();
    expectWholeMemoryBack(heap);
  });
});

describe("waiting in another thread", () => {
  test.each(["receiveOnce", "receiveOnceAsync"])("%s: a handle, a close, a timeout", async (role) => {
    const { heap, ring } = make({ capacity: 4 });
    const first = await start(heap, ring, role);
    const handle = heap.alloc(16);
    ring.trySend(handle);
    expect(await first.answer).toBe(handle);
    expect(await first.exit).toEqual([0]);
    const second = await start(heap, ring, role, { timeoutMs: 30 });
    expect(await second.answer).toBe(0);
    expect(await second.exit).toEqual([0]);
    const third = await start(heap, ring, role);
    ring.close();
    expect(await third.answer).toBe(0);
    expect(await third.exit).toEqual([0]);
  });

  test.each(["sendOnce", "sendOnceAsync"])("%s: room, a timeout, a close", async (role) => {
    const { heap, ring } = make({ capacity: 2 });
    const fill = async (): Promise<void> => {
      expect([ring.trySend(heap.alloc(16)), ring.trySend(heap.alloc(16))]).toEqual([true, true]);
      ring.leave();
    };
    await fill();
    const first = await start(heap, ring, role);
    ring.tryReceive();
    expect(await first.answer).toBe(true);
    expect(await first.exit).toEqual([0]);
    const second = await start(heap, ring, role, { timeoutMs: 30 });
    expect(await second.answer).toBe(false);
    expect(await second.exit).toEqual([0]);
    const third = await start(heap, ring, role);
    ring.close();
    expect(await third.answer).toBe(false);
    expect(await third.exit).toEqual([0]);
    expect([ring.tryReceive(), ring.tryReceive()].every((handle) => handle !== 0)).toBe(true);
    expect(ring.tryReceive()).toBe(0);
  });
});

describe("many calls that wait in one thread", () => {
  const count = 100;
  /** The answer, or that the thread has ended without. */
  const outcome = ({ answer, exit }: Started): Promise<unknown> =>
    Promise.race([answer, exit.then(() => "ended")]);

  test(
    "keep their thread until each is served, in order, or the ring is closed by another",
    PATIENCE,
    async () => {
      const { heap, ring } = make({ capacity: 4 });
      const receiver = await start(heap, ring, "receiveSeveral", { count });
      const handles = Array.from({ length: count - 40 }, () => heap.alloc(16));
      for (const handle of handles) expect(await ring.sendAsync(handle)).toBe(true);
      // Nothing happens for a while: a thread that is not kept ends.
      expect(await Promise.race([outcome(receiver), later("waits")])).toBe("waits");
      ring.close();
      expect(await outcome(receiver)).toEqual([...handles, ...new Array(40).fill(0)]);
      expect(await receiver.exit).toEqual([0]);
    },
  );

  test("the same for senders", PATIENCE, async () => {
    const { heap, ring } = make({ capacity: 4 });
    const sender = await start(heap, ring, "sendSeveral", { count });
    const got: number[] = [];
    const receive = async (): Promise<void> => {
      const handle = await ring.receiveAsync();
      got.push(heap.i32[(heap.byteOffset(handle) >> 2) + 1] as number);
    };
    while (got.length < 60) await receive();
    expect(await Promise.race([outcome(sender), later("waits")])).toBe("waits");
    ring.close();
    const answers = (await outcome(sender)) as boolean[];
    while (got.length < answers.filter(Boolean).length) await receive();
    expect(got).toEqual(got.map((_, n) => n));
    expect(answers).toEqual(answers.map((_, n) => n < got.length));
    expect(ring.tryReceive()).toBe(0);
    expect(await sender.exit).toEqual([0]);
  });
});

describe("kills", () => {
  test("receivers killed where they wait: the next one gets what comes", PATIENCE, async () => {
    const { heap, ring } = make({ capacity: 4 });
    for (const role of ["receiveOnce", "receiveOnceAsync", "iterate"]) {
      const { worker } = await start(heap, ring, role);
      // It holds the place, or will: both are right to be killed in.
      await new Promise((resolve) => setTimeout(resolve, 20));
      await worker.terminate();
    }
    const handle = heap.alloc(16);
    ring.trySend(handle);
    expect(await ring.receiveAsync({ timeoutMs: 60_000 })).toBe(handle);
  });

  test(
    "senders killed where they wait or work: what they sent arrives, in order, and their lane goes on",
    PATIENCE,
    async () => {
      const { heap, ring } = make({ capacity: 8 });
      const random = randomFrom(testSeed("killed senders"));
      let arrived = 0;
      for (let round = 0; round < 25; round++) {
        const { worker } = await start(heap, ring, "produceForever", { id: round });
        const consumer = new Consumer(heap, round + 1);
        const wanted = Math.floor(random() * 300);
        while (consumer.total < wanted) consumer.take(ring.receive({ timeoutMs: 60_000 }));
        await worker.terminate();
        // What it had published is there, and nothing of it is missing or twice.
        for (let handle = ring.tryReceive(); handle !== 0; handle = ring.tryReceive()) consumer.take(handle);
        expect(consumer.total).toBeGreaterThanOrEqual(wanted);
        arrived += consumer.total;
      }
      expect(arrived).toBeGreaterThan(0);
      expect(ring.trySend(heap.alloc(16)), "the lane of the dead").toBe(true);
      ring.tryReceive();
      expectWholeMemoryBack(heap);
    },
  );

  test(
    "receivers killed at work: nothing arrives twice, each takes along one at most",
    PATIENCE,
    async () => {
      const { heap, ring } = make({ capacity: 64 });
      const random = randomFrom(testSeed("killed receivers"));
      let sent = 0;
      const kills = 15;
      for (let round = 0; round < kills; round++) {
        const { worker, exit } = await start(heap, ring, "consume");
        const end = sent + 50 + Math.floor(random() * 500);
        // A stale handle in the worker would be an uncaught error there.
        const failed = exit.catch((error: unknown) => error);
        while (sent < end) {
          const handle = heap.alloc(16);
          if (handle === 0 || !(await ring.sendAsync(handle, { timeoutMs: 60_000 })))
            throw new Error("no room");
          sent++;
        }
        await worker.terminate();
        expect(await failed).not.toBeInstanceOf(Error);
      }
      const { answer } = await start(heap, ring, "consume");
      ring.close();
      expect(await answer).toBeGreaterThanOrEqual(0);
      heap.poll();
      expect(heap.verify().liveObjects, "objects that went with their receivers").toBeLessThanOrEqual(kills);
      ring.leave();
      expectWholeMemoryBack(heap);
    },
  );
});
