/**
 * Defends: whatever happens between two steps of a pool (another thread discards the epoch, a domain's own methods abort
 * the wait they serve, end it or ask for more), a buffer is handed out or nothing has changed: no permit, object or
 * waiter is left behind.
 * Method: the heap's methods and a domain's are made to do these things in the middle of a call, at every place in turn;
 * permits, objects and the line are counted afterwards.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { StaleHandleError } from "../../src/allocator/errors.js";
import { EpochDomain } from "../../src/allocator/heap/domain.js";
import type { SlabHeap } from "../../src/allocator/heap/heap.js";
import type { Handle } from "../../src/allocator/types.js";
import { BufferPool, type BufferPoolOptions, type PooledBuffer, type Scope } from "../../src/pool/index.js";
import { another, expectAllBack, expectEmpty, poolOfTwo, smallHeap, thrownBy } from "./support.js";

let heap: SlabHeap;
beforeEach(() => {
  heap = smallHeap();
});
afterEach(() => {
  expectEmpty(heap);
  heap.detach();
});

/** What a pool asks the heap about an object it has just got. */
const LOOKS = ["isLive", "sizeOf", "byteOffset", "epochOf"] as const;

/** Another thread's discard right before the `n`-th look (from 1) at an object; how many looks there were. */
function discardBeforeLook(n: number, body: () => void): number {
  let looks = 0;
  for (const name of LOOKS) {
    const real = heap[name].bind(heap) as (handle: Handle) => never;
    Object.defineProperty(heap, name, {
      configurable: true,
      value(handle: Handle): never {
        looks++;
        if (looks === n) heap.discardEpoch(heap.currentEpoch);
        return real(handle);
      },
    });
  }
  try {
    body();
  } finally {
    for (const name of LOOKS) Reflect.deleteProperty(heap, name);
  }
  return looks;
}

/** A domain that ends nothing. */
const scopeOf = (own: SlabHeap | undefined): Scope => ({
  ...(own === undefined ? {} : { heap: own }),
  alloc: (size) => heap.alloc(size),
  defer: () => undefined,
});

describe("an object that is discarded as soon as it is allocated", () => {
  const pools: readonly BufferPoolOptions[] = [
    {},
    { debug: true },
    { zero: true, maxBuffers: 2, debug: true },
  ];
  const scopes = [
    ["no domain", () => null],
    ["a domain of the heap", () => heap.openDomain({ unordered: true })],
    ["one of somebody else's making", () => scopeOf(heap)],
    ["one that does not say whose it is", () => scopeOf(undefined)],
  ] as const;

  test.each(scopes)("is replaced by another: in %s", (_, open) => {
    for (const options of pools) {
      for (let n = 1, looks = n; n <= looks; n++) {
        const pool = new BufferPool(heap, options);
        const domain = open();
        let buffer: PooledBuffer | undefined;
        looks = discardBeforeLook(n, () => {
          buffer = pool.acquire(100, { domain });
        });
        expect(heap.epochOf(buffer?.handle as Handle)).toEqual(heap.currentEpoch);
        expect(buffer?.bytes.byteOffset).toBe(heap.byteOffset(buffer?.handle as Handle));
        expect(buffer?.release()).toBe(true);
        expect(looks).toBeGreaterThan(0);
        if (domain instanceof EpochDomain) domain.exit();
        expectAllBack(pool);
      }
    }
  });

  test("is not looked for without end where a domain's handles are never the heap's", () => {
    const pool = poolOfTwo(heap);
    const strangers = smallHeap();
    const domain: Scope = {
      alloc: (size) => {
        const handle = strangers.alloc(size);
        strangers.free(handle);
        return handle;
      },
      defer: () => undefined,
    };
    expect(thrownBy(() => pool.acquire(64, { domain }))).toBeInstanceOf(StaleHandleError);
    expectAllBack(pool);
    strangers.detach();
  });
});

test.each([true, false])(
  "a sent buffer that is discarded while it is adopted brings its permit home (debug: %s)",
  (debug) => {
    for (let n = 1, looks = n; looks >= n - 1; n++) {
      const other = another(heap);
      const mine = new BufferPool(heap, { maxBuffers: 2, debug });
      const theirs = BufferPool.attach(other, mine.share());
      const ref = theirs.acquire(64).detach();
      let adopted: PooledBuffer | undefined;
      let failure: unknown;
      looks = discardBeforeLook(n, () => {
        try {
          adopted = mine.adopt(ref);
        } catch (error) {
          failure = error;
        }
      });
      // After the last look nothing was discarded.
      if (looks < n) expect(adopted?.release()).toBe(true);
      else expect(failure).toBeInstanceOf(StaleHandleError);
      expect(mine.stats().inUseAllThreads, `discarded before look ${n}`).toBe(0);
      expectAllBack(mine);
      other.detach();
    }
  },
);

describe("a domain that meddles while the line is served", () => {
  /** Does `meddle` in the middle of its next alloc or defer. */
  function meddler(where: "alloc" | "defer"): Scope & { meddle: (() => void) | undefined } {
    const now = (at: string): void => {
      if (at !== where) return;
      const { meddle } = scope;
      scope.meddle = undefined;
      meddle?.();
    };
    const scope: Scope & { meddle: (() => void) | undefined } = {
      meddle: undefined,
      alloc(size) {
        now("alloc");
        return heap.alloc(size);
      },
      defer: () => now("defer"),
    };
    return scope;
  }

  const held = (pool: BufferPool): PooledBuffer[] => [pool.acquire(64), pool.acquire(64)];
  const settle = async (asked: Promise<PooledBuffer>): Promise<string> =>
    asked.then(
      (buffer) => {
        buffer.release();
        return "served";
      },
      (reason: unknown) => (reason instanceof Error ? reason.name : String(reason)),
    );

  test.each(["alloc", "defer"] as const)("by aborting another who waits, in %s", async (where) => {
    const pool = poolOfTwo(heap);
    const out = held(pool);
    const domain = meddler(where);
    const controller = new AbortController();
    const first = settle(pool.acquireAsync(64, { domain }));
    const second = settle(pool.acquireAsync(64, { signal: controller.signal }));
    const third = settle(pool.acquireAsync(64));
    domain.meddle = () => controller.abort("enough");
    for (const buffer of out) buffer.release();
    expect(await Promise.all([first, second, third])).toEqual(["served", "enough", "served"]);
    expectAllBack(pool);
  });

  test.each(["alloc", "defer"] as const)("by aborting the one it is asked for, in %s", async (where) => {
    const pool = poolOfTwo(heap);
    const out = held(pool);
    const domain = meddler(where);
    const controller = new AbortController();
    const first = settle(pool.acquireAsync(64, { domain, signal: controller.signal }));
    const second = settle(pool.acquireAsync(64));
    domain.meddle = () => controller.abort("enough");
    for (const buffer of out) buffer.release();
    expect(await Promise.all([first, second])).toEqual(["enough", "served"]);
    expectAllBack(pool);
  });

  test("by disposing the pool", async () => {
    const pool = poolOfTwo(heap);
    const out = held(pool);
    const domain = meddler("alloc");
    const asked = [settle(pool.acquireAsync(64, { domain })), settle(pool.acquireAsync(64))];
    domain.meddle = () => pool.dispose();
    for (const buffer of out) buffer.release();
    expect(await Promise.all(asked)).toEqual(["PoolExhaustedError", "PoolExhaustedError"]);
    expectAllBack(pool);
  });

  test("by asking for one more, which is served after those who wait", async () => {
    const pool = poolOfTwo(heap);
    const out = held(pool);
    const domain = meddler("alloc");
    const order: string[] = [];
    let late: Promise<unknown> | undefined;
    const ask = (name: string, options = {}): Promise<unknown> =>
      settle(pool.acquireAsync(64, options)).then(() => order.push(name));
    const asked = [ask("first", { domain }), ask("second")];
    domain.meddle = () => {
      late = ask("late");
    };
    for (const buffer of out) buffer.release();
    await Promise.all(asked);
    await late;
    expect(order).toEqual(["first", "second", "late"]);
    expectAllBack(pool);
  });
});
