/**
 * Defends: a buffer acquired in a domain is of that domain's epoch and ends with it unless it was released before; the
 * domain does not grow with buffers that come and go; a domain that cannot take a buffer costs none.
 * Method: nested, unordered, re-entered and foreign domains on one heap; the domain's callbacks and the list of its buffers
 * are counted directly.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { DomainOrderError, EpochClosedError, InvalidValueError } from "../../src/allocator/errors.js";
import { EpochDomain } from "../../src/allocator/heap/domain.js";
import type { SlabHeap } from "../../src/allocator/heap/heap.js";
import type { Handle } from "../../src/allocator/types.js";
import { EpochRotator } from "../../src/async/index.js";
import { BufferPool, type PooledBuffer, type Scope } from "../../src/pool/index.js";
import {
  another,
  expectAllBack,
  expectEmpty,
  isStamped,
  poolOfTwo,
  smallHeap,
  stamp,
  thrownBy,
} from "./support.js";

/** Domains that say whose they are. */
const OWN = [
  ["EpochDomain", (of: SlabHeap) => of.openDomain({ unordered: true })],
  ["AsyncDomain", (of: SlabHeap) => new EpochRotator(of).open()],
] as const;

let heap: SlabHeap;
let pool: BufferPool;
beforeEach(() => {
  heap = smallHeap();
  pool = new BufferPool(heap, { label: "requests" });
});
afterEach(() => {
  expectAllBack(pool);
  expectEmpty(heap);
  heap.detach();
});

const callbacksOf = (domain: EpochDomain): number =>
  (domain as unknown as { deferred: readonly unknown[] }).deferred.length;

/** Length of the list `buffer` is in; checks that it is linked both ways. */
function listedWith(buffer: PooledBuffer): number {
  let length = 0;
  let before: PooledBuffer | undefined;
  for (let at = buffer.group?.first; at !== undefined; at = at.after) {
    expect(at.before).toBe(before);
    before = at;
    length++;
  }
  return length;
}

test("a buffer is of the domain's epoch and ends with it", () => {
  const outer = heap.openDomain({ autoClose: true });
  const kept = pool.acquire(100);
  const early = pool.acquire(200);
  expect(heap.epochOf(kept.handle)).toEqual(outer.epoch);
  const inner = heap.openDomain();
  const innerBuffer = pool.acquire(64);
  expect(innerBuffer.group).not.toBe(kept.group);
  inner.exit();
  expect([innerBuffer.released, kept.released]).toEqual([true, false]);
  expect(heap.isLive(innerBuffer.handle)).toBe(false);
  expect(early.release()).toBe(true);
  stamp(kept, 1);
  expect(isStamped(kept.bytes, 1)).toBe(true);
  outer.exit();
  expect([kept.released, kept.release(), early.release()]).toEqual([true, false, false]);
  expect(heap.epochInfo(outer.epoch.id).state).toBe("CLOSING");
  expect(pool.stats()).toMatchObject({ acquired: 3, released: 3, releasedStale: 0 });
});

test("domain: null opts out, a named domain is used instead of the current one", () => {
  const named = heap.openDomain({ unordered: true });
  const current = heap.openDomain();
  const out = pool.acquire(64, { domain: null });
  const other = pool.acquire(64, { domain: named });
  const mine = pool.tryAcquire(64, { domain: undefined as never });
  current.exit();
  expect([out.released, other.released, mine?.released]).toEqual([false, false, true]);
  named.exit();
  expect([out.released, other.released]).toEqual([false, true]);
  expect(out.release()).toBe(true);
});

describe("a domain of another heap", () => {
  let elsewhere: SlabHeap;
  beforeEach(() => {
    elsewhere = smallHeap();
  });
  afterEach(() => {
    expectEmpty(elsewhere);
    elsewhere.detach();
  });

  test.each(OWN)("is refused wherever it comes from, and nothing has changed: %s", async (_, open) => {
    const limited = poolOfTwo(heap);
    const sent = limited.acquire(64).detach();
    using domain = open(elsewhere);
    let current: Scope | undefined;
    const led = BufferPool.attach(heap, limited.share(), { currentDomain: () => current });
    current = domain;
    for (const [asked, options] of [
      [limited, { domain }],
      [led, undefined],
    ] as const) {
      for (const ask of [
        () => asked.acquire(64, options),
        () => asked.tryAcquire(64, options),
        () => asked.adopt(sent, options),
      ]) {
        expect(ask).toThrow(InvalidValueError);
        expect(ask).toThrow("domain of the pool's own heap");
      }
      await expect(asked.acquireAsync(64, options)).rejects.toThrow(InvalidValueError);
    }
    expect(heap.verify().liveObjects).toBe(1);
    expect(elsewhere.verify().liveObjects).toBe(0);
    expect(limited.stats().inUseAllThreads).toBe(1);
    limited.adopt(sent).release();
    expectAllBack(limited);
    expectAllBack(led);
  });

  test("is another attachment to the same one, too", () => {
    const other = another(heap);
    const domain = other.openDomain();
    expect(() => pool.acquire(64, { domain })).toThrow(InvalidValueError);
    domain.exit();
    other.detach();
  });
});

test.each(OWN)("a loop in a domain of the heap makes two views, as outside: %s", (_, open) => {
  using domain = open(heap);
  for (let i = 0; i < 100; i++) pool.acquire(256, { domain }).release();
  expect(pool.stats()).toMatchObject({ viewMisses: 2, viewHits: 98 });
});

test("a million buffers that come and go leave one callback and no list", () => {
  const domain = heap.openDomain();
  const first = pool.acquire(64);
  const last = pool.acquire(64);
  for (let i = 0; i < 1_000_000; i++) {
    const buffer = pool.acquire(100);
    if ((i & 0xffff) === 0) expect(listedWith(buffer)).toBe(3);
    buffer.release();
  }
  expect(callbacksOf(domain)).toBe(1);
  expect(listedWith(first)).toBe(2);
  last.release();
  expect(listedWith(first)).toBe(1);
  domain.exit();
  expect(first.released).toBe(true);
});

test("two pools and two domains in turns keep one callback each", () => {
  const second = new BufferPool(heap);
  const a = heap.openDomain({ unordered: true });
  const b = heap.openDomain({ unordered: true });
  const held: PooledBuffer[] = [];
  for (let i = 0; i < 40; i++) {
    const from = i % 3 === 0 ? second : pool;
    held.push(from.acquire(64, { domain: i % 2 === 0 ? a : b }));
  }
  expect([callbacksOf(a), callbacksOf(b)]).toEqual([2, 2]);
  held.forEach((buffer, i) => {
    if (i % 5 === 0) buffer.release();
  });
  a.exit();
  held.forEach((buffer, i) => {
    expect(buffer.released).toBe(i % 5 === 0 || i % 2 === 0);
  });
  b.exit();
  expect(held.every((buffer) => buffer.released)).toBe(true);
  expectAllBack(second);
});

test("a domain that is entered again takes buffers again", () => {
  const domain = heap.openDomain();
  const first = pool.acquire(64);
  domain.exit();
  domain.enter();
  const second = pool.acquire(64);
  expect([first.released, second.released, callbacksOf(domain)]).toEqual([true, false, 1]);
  domain.exit();
  expect(second.released).toBe(true);
});

test("a domain whose epoch is closing gets buffers of the current one, which end with it all the same", () => {
  const domain = heap.openDomain();
  heap.advanceEpoch();
  expect(domain.alloc(64)).toBe(0);
  const buffer = pool.acquire(64);
  expect(heap.epochOf(buffer.handle)).toEqual(heap.currentEpoch);
  domain.exit();
  expect(buffer.released).toBe(true);
});

test("buffers acquired and released while the domain ends end too", () => {
  const domain = heap.openDomain();
  let late: PooledBuffer | undefined;
  domain.defer(() => {
    late = pool.acquire(64);
  });
  const buffer = pool.acquire(64);
  domain.defer(() => expect(buffer.release()).toBe(true));
  domain.exit();
  expect(late?.released).toBe(true);
});

test("a discarded domain's buffers end quietly", () => {
  const domain = heap.openDomain();
  const buffer = pool.acquire(64);
  heap.discardEpoch(domain.epoch);
  domain.exit();
  expect(buffer.released).toBe(true);
  expect(pool.stats().releasedStale).toBe(1);
});

test("detached and adopted buffers change domains", () => {
  const outer = heap.openDomain({ unordered: true });
  const inner = heap.openDomain();
  const sent = pool.acquire(64);
  stamp(sent, 3);
  const adopted = pool.adopt(sent.detach(), { domain: outer });
  inner.exit();
  expect(isStamped(adopted.bytes, 3)).toBe(true);
  outer.exit();
  expect(adopted.released).toBe(true);
});

describe("a domain of somebody else's making", () => {
  /** Does what a domain must do, and can be made to misbehave. */
  class OddScope implements Scope {
    readonly callbacks: (() => void)[] = [];
    extra = 0;
    failure: Error | undefined;
    refuse = false;
    alloc(size: number): Handle {
      if (this.failure !== undefined && !this.refuse) throw this.failure;
      return heap.alloc(size + this.extra);
    }
    defer(callback: () => void): void {
      if (this.failure !== undefined) throw this.failure;
      this.callbacks.push(callback);
    }
    end(): void {
      for (const callback of this.callbacks.splice(0)) callback();
    }
  }

  test("is asked for through currentDomain, and ends its buffers", () => {
    const scope = new OddScope();
    const scoped = new BufferPool(heap, { currentDomain: (asked) => (asked === heap ? scope : undefined) });
    const buffer = scoped.acquire(64);
    expect(scope.callbacks).toHaveLength(1);
    scope.end();
    expect(buffer.released).toBe(true);
  });

  test("that allocates more than asked is shown the right bytes", () => {
    const scope = new OddScope();
    for (let round = 0; round < 50; round++) {
      scope.extra = (round % 3) * 200;
      const buffer = pool.acquire(64, { domain: scope });
      expect(buffer.bytes.byteOffset).toBe(heap.byteOffset(buffer.handle));
      expect(buffer.bytes.length).toBe(64);
      if (round % 2 === 0) buffer.release();
    }
    scope.end();
  });

  test.each([true, false])("that fails costs neither object nor permit (in defer: %s)", (refuse) => {
    const limited = poolOfTwo(heap, { debug: true });
    const scope = new OddScope();
    scope.failure = new EpochClosedError("ended");
    scope.refuse = refuse;
    for (let i = 0; i < 5; i++) {
      expect(thrownBy(() => limited.acquire(64, { domain: scope }))).toBe(scope.failure);
      expect(thrownBy(() => limited.tryAcquire(64, { domain: scope }))).toBe(scope.failure);
    }
    expect(heap.verify().liveObjects).toBe(0);
    expectAllBack(limited);
  });

  test("or one that was left takes nothing more", async () => {
    const limited = poolOfTwo(heap);
    const domain = heap.openDomain({ unordered: true });
    domain.exit();
    expect(() => limited.acquire(64, { domain })).toThrow(DomainOrderError);
    await expect(limited.acquireAsync(64, { domain })).rejects.toThrow(DomainOrderError);
    const sent = pool.acquire(64).detach();
    expect(() => limited.adopt(sent, { domain })).toThrow(DomainOrderError);
    expectAllBack(limited);
    expect(pool.adopt(sent).release()).toBe(true);
  });
});

test("who waits gets a buffer of the domain that was current then, or none once it has ended", async () => {
  const limited = new BufferPool(heap, { maxBuffers: 1 });
  const blocker = limited.acquire(64);
  const domain = heap.openDomain({ unordered: true });
  const waiting = limited.acquireAsync(64, { domain });
  const nested = heap.openDomain();
  const current = limited.acquireAsync(64);
  nested.exit();
  blocker.release();
  const buffer = await waiting;
  expect(EpochDomain.current(heap)).toBeUndefined();
  domain.exit();
  expect(buffer.released).toBe(true);
  await expect(current).rejects.toThrow(DomainOrderError);
  expectAllBack(limited);
});
