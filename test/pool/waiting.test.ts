/**
 * Defends: acquireAsync serves the callers of a thread in their order, as soon as there are a permit and room; abort and
 * timeout take a caller out of the line and nothing else; a full heap is looked at again soon for whoever is first; no permit, timer, listener or promise is left behind.
 * Method: a pool of two buffers or a full heap, callers that wait, leave and are served, the line and the permits counted
 * after each; a process that must end by itself once nobody waits.
 */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { PoolExhaustedError } from "../../src/allocator/errors.js";
import type { SlabHeap } from "../../src/allocator/heap/heap.js";
import { BufferPool, type PooledBuffer } from "../../src/pool/index.js";
import { another, expectAllBack, expectEmpty, poolOfTwo, smallHeap, withSeed } from "./support.js";

let heap: SlabHeap;
let pool: BufferPool;
beforeEach(() => {
  heap = smallHeap();
  pool = poolOfTwo(heap);
});
afterEach(() => {
  expectAllBack(pool);
  expectEmpty(heap);
  heap.detach();
});

const held = (): PooledBuffer[] => [pool.acquire(64), pool.acquire(64)];

/** An AbortSignal that says how many listen. */
function countingSignal(): { signal: AbortSignal; abort(reason: unknown): void; listeners(): number } {
  const controller = new AbortController();
  const { signal } = controller;
  let listeners = 0;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    listeners++;
    add(...args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    listeners--;
    remove(...args);
  };
  return { signal, abort: (reason) => controller.abort(reason), listeners: () => listeners };
}

test("is served at once when there is something", async () => {
  const buffer = await pool.acquireAsync(100, { timeoutMs: 0 });
  expect(buffer.byteLength).toBe(100);
  expect(pool.stats()).toMatchObject({ waits: 0, acquired: 1 });
  buffer.release();
});

test("serves in order, one per release", async () => {
  const out = held();
  const order: number[] = [];
  const served = Array.from({ length: 5 }, async (_, i) => {
    const buffer = await pool.acquireAsync(10 + i);
    order.push(i);
    expect(buffer.byteLength).toBe(10 + i);
    out.push(buffer);
  });
  for (let i = 0; i < 5; i++) {
    expect(pool.stats().waiting).toBe(5 - i);
    out.shift()?.release();
    await served[i];
    expect(order).toEqual(Array.from({ length: i + 1 }, (_, k) => k));
  }
  expect(pool.stats()).toMatchObject({ waits: 5, waiting: 0, inUse: 2, peakInUse: 2 });
  for (const buffer of out) buffer.release();
});

test("nobody overtakes, also where a smaller size would do", async () => {
  const roomy = new BufferPool(heap);
  const most = roomy.acquire(heap.capacity - 2 * heap.slabSize);
  const order: string[] = [];
  const big = roomy.acquireAsync(4 * heap.slabSize).then((buffer) => {
    order.push("big");
    return buffer;
  });
  const small = roomy.acquireAsync(64).then((buffer) => {
    order.push("small");
    return buffer;
  });
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(order).toEqual([]);
  most.release();
  for (const buffer of await Promise.all([big, small])) buffer.release();
  expect(order).toEqual(["big", "small"]);
  expectAllBack(roomy);
});

test("waits for room that somebody else makes", async () => {
  const roomy = new BufferPool(heap);
  const all = heap.alloc(heap.capacity);
  const waiting = roomy.acquireAsync(5000);
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(roomy.stats()).toMatchObject({ waiting: 1, waits: 1 });
  heap.free(all);
  (await waiting).release();
  expectAllBack(roomy);
});

describe("a full heap is looked at", () => {
  let roomy: BufferPool;
  let all: ReturnType<SlabHeap["alloc"]>;
  beforeEach(() => {
    roomy = new BufferPool(heap);
    all = heap.alloc(heap.capacity);
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
  });
  afterEach(() => {
    vi.useRealTimers();
    heap.free(all);
    expectAllBack(roomy);
  });

  /** Milliseconds until the next look: when nothing else is set, that is the only timer. */
  const nextLook = (): number => {
    const before = Date.now();
    expect(vi.getTimerCount()).toBe(1);
    vi.advanceTimersToNextTimer();
    return Date.now() - before;
  };

  function waiter(): { gone: Promise<unknown>; giveUp(): void } {
    const controller = new AbortController();
    const gone = roomy.acquireAsync(64, { signal: controller.signal }).catch((reason: unknown) => reason);
    return { gone, giveUp: () => controller.abort("enough") };
  }

  test("less and less often", async () => {
    const { gone, giveUp } = waiter();
    await Promise.resolve();
    expect(Array.from({ length: 9 }, nextLook)).toEqual([1, 2, 4, 8, 16, 32, 50, 50, 50]);
    giveUp();
    expect(await gone).toBe("enough");
    expect(vi.getTimerCount()).toBe(0);
  });

  test("soon again for whoever is first next, be the line empty in between or not", async () => {
    const first = waiter();
    const second = waiter();
    await Promise.resolve();
    for (let i = 0; i < 9; i++) nextLook();
    first.giveUp();
    expect([nextLook(), nextLook(), nextLook()]).toEqual([1, 2, 4]);
    second.giveUp();
    await Promise.all([first.gone, second.gone]);
    const third = waiter();
    await Promise.resolve();
    expect(nextLook()).toBe(1);
    third.giveUp();
    await third.gone;
  });

  test("no less often because others give up or something is released", async () => {
    const small = heap.slabSize >> 1;
    heap.free(all);
    const buffers = Array.from({ length: 8 }, () => roomy.acquire(small));
    const most: PooledBuffer[] = [];
    for (let size = heap.capacity; size > heap.slabSize; size -= heap.slabSize)
      for (let got = roomy.tryAcquire(size); got !== undefined; got = roomy.tryAcquire(size)) most.push(got);
    const controller = new AbortController();
    const first = roomy
      .acquireAsync(heap.capacity, { signal: controller.signal })
      .catch((reason: unknown) => reason);
    const others = Array.from({ length: 8 }, waiter);
    for (const { giveUp, gone } of others) {
      giveUp();
      await gone;
    }
    for (const buffer of buffers) {
      buffer.release();
      await Promise.resolve();
      await Promise.resolve();
    }
    expect(nextLook()).toBe(1);
    controller.abort("enough");
    await first;
    for (const buffer of most) buffer.release();
    all = heap.alloc(heap.capacity);
  });
});

test("who waits for room holds no permit", async () => {
  const all = heap.alloc(heap.capacity);
  const waiting = pool.acquireAsync(64);
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(pool.stats()).toMatchObject({ waiting: 1, inUseAllThreads: 0 });
  heap.free(all);
  (await waiting).release();
});

test("a permit given back by another seat is noticed", async () => {
  const other = another(heap);
  const theirs = BufferPool.attach(other, pool.share());
  const out = [theirs.acquire(64), theirs.acquire(64)];
  expect(theirs.stats()).toMatchObject({ inUse: 2, inUseAllThreads: 2, maxBuffers: 2 });
  expect(pool.tryAcquire(64)).toBeUndefined();
  const waiting = pool.acquireAsync(64);
  out[0]?.release();
  const mine = await waiting;
  out[1]?.release();
  mine.release();
  other.detach();
});

describe("abort", () => {
  test("before: rejects with the reason, and asks for nothing", async () => {
    const reason = new Error("never mind");
    await expect(pool.acquireAsync(64, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(pool.stats()).toMatchObject({ acquired: 0, waits: 0 });
  });

  test("while waiting: leaves the line, takes its listener along, and lets the next one be first", async () => {
    const out = held();
    const { signal, abort, listeners } = countingSignal();
    const first = pool.acquireAsync(64, { signal });
    const second = pool.acquireAsync(64);
    expect(listeners()).toBe(1);
    abort("stop");
    await expect(first).rejects.toBe("stop");
    expect(listeners()).toBe(0);
    expect(pool.stats().waiting).toBe(1);
    out[0]?.release();
    (await second).release();
    out[1]?.release();
  });

  test("after: nothing happens, nobody listens", async () => {
    const { signal, abort, listeners } = countingSignal();
    const out = held();
    const waiting = pool.acquireAsync(64, { signal });
    out[0]?.release();
    const buffer = await waiting;
    expect(listeners()).toBe(0);
    abort("late");
    expect(buffer.released).toBe(false);
    for (const each of [...out, buffer]) each.release();
  });
});

describe("timeout", () => {
  test("is a PoolExhaustedError that says what was missing", async () => {
    const out = held();
    for (const timeoutMs of [0, 5]) {
      const waiting = pool.acquireAsync(64, { timeoutMs });
      await expect(waiting).rejects.toThrow(PoolExhaustedError);
      await expect(waiting).rejects.toThrow(`"two" had all of its 2 buffers in use for ${timeoutMs} ms`);
    }
    for (const buffer of out) buffer.release();
    const all = heap.alloc(heap.capacity);
    await expect(pool.acquireAsync(64, { timeoutMs: 5 })).rejects.toThrow("no room in the heap's");
    heap.free(all);
    expect(pool.stats()).toMatchObject({ exhausted: 2, outOfMemory: 1, waits: 2, waiting: 0 });
  });

  test("of one lets the next one be first; without end there is none", async () => {
    const out = held();
    const first = pool.acquireAsync(64, { timeoutMs: 1 });
    const second = pool.acquireAsync(64, { timeoutMs: Number.POSITIVE_INFINITY });
    const third = pool.acquireAsync(64, { timeoutMs: 2 ** 40 });
    await expect(first).rejects.toThrow(PoolExhaustedError);
    for (const buffer of out) buffer.release();
    for (const buffer of await Promise.all([second, third])) buffer.release();
  });
});

test("disposing sends everybody away", async () => {
  const out = held();
  const waiting = [pool.acquireAsync(64), pool.acquireAsync(64)];
  pool.dispose();
  for (const each of waiting) await expect(each).rejects.toThrow("was disposed");
  for (const buffer of out) expect(buffer.release()).toBe(true);
});

test("a heap that is detached sends everybody away", async () => {
  const other = another(heap);
  const theirs = BufferPool.attach(other, pool.share());
  const out = held();
  const waiting = theirs.acquireAsync(64);
  const sentAway = expect(waiting).rejects.toMatchObject({ code: "ERR_TSLAB_DETACHED" });
  other.detach();
  await sentAway;
  for (const buffer of out) buffer.release();
});

test("a random crowd is served in order and leaves nothing behind", async () => {
  await new Promise<void>((resolve, reject) => {
    withSeed((random) => {
      crowd(random).then(resolve, reject);
    });
  });
});

/** Callers with random sizes, patience and holding times; the served of them must be so in the order they came. */
async function crowd(random: () => number): Promise<void> {
  let last = -1;
  const served = Array.from({ length: 400 }, async (_, i) => {
    const controller = new AbortController();
    if (random() < 0.2) setTimeout(() => controller.abort("enough"), random() * 20);
    const patience = random() < 0.2 ? { timeoutMs: random() * 20 } : {};
    try {
      const buffer = await pool.acquireAsync(1 + Math.floor(random() * 3000), {
        ...patience,
        signal: controller.signal,
      });
      expect(i).toBeGreaterThan(last);
      last = i;
      expect(pool.stats().inUse).toBeLessThanOrEqual(2);
      if (random() < 0.5) await new Promise((resolve) => setImmediate(resolve));
      expect(buffer.release()).toBe(true);
    } catch (error) {
      if (error !== "enough" && !(error instanceof PoolExhaustedError)) throw error;
    }
  });
  await Promise.all(served);
  expect(last).toBeGreaterThan(0);
}

test("waiting keeps a process alive, and nothing does once nobody waits", async () => {
  const script = `
    import { SlabHeap } from "temporal-slab";
    import { BufferPool } from "temporal-slab/pool";
    const pool = new BufferPool(SlabHeap.create({ capacity: 1 << 20 }), { maxBuffers: 1 });
    const out = pool.acquire(64);
    const waiting = pool.acquireAsync(64, { timeoutMs: 10 ** 8 }).then((buffer) => console.log("served", buffer.release()));
    setTimeout(() => out.release(), 100).unref();
    await waiting;
    await pool.acquireAsync(64, { timeoutMs: 10 ** 8 }).then((buffer) => buffer.release());`;
  const cwd = fileURLToPath(new URL(".", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script], {
    cwd,
    timeout: 50_000,
  });
  expect(stdout).toBe("served true\n");
});
