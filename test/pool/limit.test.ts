/**
 * Defends: all pools that share a limit hand out at most that many buffers; every way a buffer can end gives its permit
 * back once, and a permit whose holder is gone is taken back; a buffer that changes threads takes its permit along.
 * Method: pools of several seats in one thread, structured clones of what they send each other, permits counted by the
 * pool and by the owner words themselves; seats that are detached or reaped with buffers out.
 */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { PoolExhaustedError, StaleHandleError } from "../../src/allocator/errors.js";
import type { SlabHeap } from "../../src/allocator/heap/heap.js";
import { BufferPool, type PooledRef } from "../../src/pool/index.js";
import { OwnerWords, RECHECK_MS } from "../../src/threads/index.js";
import { another, expectAllBack, expectEmpty, isStamped, smallHeap, stamp, withSeed } from "./support.js";

let heap: SlabHeap;
let other: SlabHeap;
let mine: BufferPool;
let theirs: BufferPool;
beforeEach(() => {
  heap = smallHeap();
  other = another(heap);
  mine = new BufferPool(heap, { label: "mine", maxBuffers: 3 });
  theirs = BufferPool.attach(other, structuredClone(mine.share()));
});
afterEach(() => {
  vi.restoreAllMocks();
  expectAllBack(mine);
  expectAllBack(theirs);
  if (!other._a.detached) other.detach();
  expectEmpty(heap);
  heap.detach();
});

const sent = (ref: PooledRef): PooledRef => structuredClone(ref);
const inUse = (): number | undefined => mine.stats().inUseAllThreads;

test("the limit holds over all pools that share it", () => {
  const held = [mine.acquire(64), theirs.acquire(64), mine.acquire(64)];
  expect([mine.stats().inUse, theirs.stats().inUse, inUse()]).toEqual([2, 1, 3]);
  expect(() => theirs.acquire(64)).toThrow(PoolExhaustedError);
  expect(() => mine.acquire(64)).toThrow('acquire(64): pool "mine" has all of its 3 buffers in use');
  expect(theirs.tryAcquire(64)).toBeUndefined();
  expect(heap.verify().liveObjects).toBe(3);
  held[0]?.release();
  const next = theirs.acquire(64);
  expect(mine.tryAcquire(64)).toBeUndefined();
  for (const buffer of [next, ...held]) buffer.release();
  expect(inUse()).toBe(0);
});

test("who waits announces it, and the release that finds it so calls, once", async () => {
  const BELL = 16;
  const words = new Int32Array(mine.share().buffer);
  const held = [mine.acquire(64), mine.acquire(64), mine.acquire(64)];
  expect(words[BELL]).toBe(0);
  const waiting = theirs.acquireAsync(64);
  expect(words[BELL]).toBe(1);
  held[0]?.release();
  expect(words[BELL]).toBe(2);
  held[1]?.release();
  expect(words[BELL]).toBe(2);
  (await waiting).release();
  held[2]?.release();
});

test("a pool without a limit knows none", () => {
  const free = new BufferPool(heap);
  const held = Array.from({ length: 50 }, () => free.acquire(64));
  expect(free.stats()).toMatchObject({ maxBuffers: undefined, inUseAllThreads: undefined });
  for (const buffer of held) buffer.release();
});

test("buffers discarded with their epoch give their permits back when they are released", () => {
  const held = [mine.acquire(64), mine.acquire(64), mine.acquire(64)];
  heap.discardEpoch(heap.currentEpoch);
  expect(mine.tryAcquire(64)).toBeUndefined();
  expect(held.map((buffer) => buffer.release())).toEqual([false, false, false]);
  mine.acquire(64).release();
});

describe("a buffer that changes threads", () => {
  test("keeps object, bytes and permit", () => {
    const buffer = mine.acquire(1000);
    stamp(buffer, 7);
    const { handle } = buffer;
    const ref = buffer.detach();
    expect(buffer.released).toBe(true);
    expect(buffer.release()).toBe(false);
    expect(() => buffer.detach()).toThrow(StaleHandleError);
    expect([mine.stats().inUse, inUse()]).toEqual([0, 1]);
    const taken = theirs.adopt(sent(ref));
    expect(taken.handle).toBe(handle);
    expect(isStamped(taken.bytes, 7)).toBe(true);
    expect([mine.stats().detached, theirs.stats().adopted, theirs.stats().inUse, inUse()]).toEqual([
      1, 1, 1, 1,
    ]);
    expect(taken.release()).toBe(true);
    expect(inUse()).toBe(0);
  });

  test("counts while it travels, and is refused twice", () => {
    const refs = [mine.acquire(64), mine.acquire(64), mine.acquire(64)].map((buffer) => buffer.detach());
    expect(theirs.tryAcquire(64)).toBeUndefined();
    const taken = refs.map((ref) => theirs.adopt(sent(ref)));
    // The object is there, its permit has been given out, and no other is left.
    expect(() => theirs.adopt(sent(refs[0] as PooledRef))).toThrow(PoolExhaustedError);
    for (const buffer of taken) expect(buffer.release()).toBe(true);
    for (const ref of refs) expect(() => mine.adopt(ref)).toThrow(StaleHandleError);
    expect(inUse()).toBe(0);
  });

  test("and whose ref is used again does not touch the permit's next journey", () => {
    const one = new BufferPool(heap, { maxBuffers: 1 });
    const old = one.acquire(64).detach();
    one.adopt(sent(old)).release();
    const next = one.acquire(64).detach();
    expect(next.permit?.index).toBe(old.permit?.index);
    expect(() => one.adopt(sent(old))).toThrow(StaleHandleError);
    expect(one.stats().inUseAllThreads).toBe(1);
    one.adopt(sent(next)).release();
    expectAllBack(one);
  });

  test("adopted twice is freed once, and its permit too", () => {
    const ref = mine.acquire(64).detach();
    const one = theirs.adopt(sent(ref));
    const two = mine.adopt(sent(ref));
    expect(inUse()).toBe(2);
    expect([one.release(), two.release()]).toEqual([true, false]);
    expect(inUse()).toBe(0);
  });

  test("by handle and length alone needs a permit there, and leaves none here", () => {
    const { handle, byteLength, permit } = mine.acquire(64).detach({ permit: false });
    expect(permit).toBeUndefined();
    expect(inUse()).toBe(0);
    const taken = theirs.adopt({ handle, byteLength: byteLength - 1 });
    expect([taken.byteLength, inUse()]).toEqual([63, 1]);
    taken.release();
  });

  test("and was discarded on the way is refused, its permit comes home", () => {
    const ref = mine.acquire(64).detach();
    heap.discardEpoch(heap.currentEpoch);
    expect(inUse()).toBe(1);
    expect(() => theirs.adopt(sent(ref))).toThrow(StaleHandleError);
    expect(() => theirs.adopt(sent(ref))).toThrow("adopt: handle");
    expect(inUse()).toBe(0);
  });

  test("outlives its sender", () => {
    const ref = theirs.acquire(64).detach();
    other.detach();
    // The sender's permit is anybody's now; the adopter has its own.
    const taken = mine.adopt(sent(ref));
    expect(inUse()).toBe(1);
    taken.release();
  });

  test("many times, at random, is never lost nor counted twice", () => {
    withSeed((random) => {
      const pools = [mine, theirs];
      const held: { buffer: ReturnType<BufferPool["acquire"]>; serial: number }[] = [];
      const travelling: { ref: PooledRef; serial: number }[] = [];
      for (let step = 0; step < 20_000; step++) {
        const pool = pools[Math.floor(random() * 2)] as BufferPool;
        const dice = random();
        if (dice < 0.4) {
          const buffer = pool.tryAcquire(1 + Math.floor(random() * 200));
          expect(buffer === undefined).toBe(held.length + travelling.length === 3);
          if (buffer === undefined) continue;
          stamp(buffer, step);
          held.push({ buffer, serial: step });
        } else if (dice < 0.6 && held.length > 0) {
          const [{ buffer, serial }] = held.splice(Math.floor(random() * held.length), 1) as [
            (typeof held)[0],
          ];
          travelling.push({ ref: sent(buffer.detach()), serial });
        } else if (dice < 0.8 && travelling.length > 0) {
          const [{ ref, serial }] = travelling.splice(0, 1) as [(typeof travelling)[0]];
          held.push({ buffer: pool.adopt(ref), serial });
        } else if (held.length > 0) {
          const [{ buffer, serial }] = held.splice(Math.floor(random() * held.length), 1) as [
            (typeof held)[0],
          ];
          expect(isStamped(buffer.bytes, serial)).toBe(true);
          expect(buffer.release()).toBe(true);
        }
        expect(inUse()).toBe(held.length + travelling.length);
      }
      for (const { ref } of travelling) mine.adopt(ref).release();
      for (const { buffer } of held) buffer.release();
    });
  });
});

describe("the permits of a seat that is gone", () => {
  test("are taken back when none is left, those of travelling buffers too", () => {
    const lost = [theirs.acquire(64), theirs.acquire(64)];
    const travelling = theirs.acquire(64).detach();
    expect(mine.tryAcquire(64)).toBeUndefined();
    other.detach();
    const held = [mine.acquire(64), mine.acquire(64), mine.acquire(64)];
    expect(mine.tryAcquire(64)).toBeUndefined();
    // Its late releases take nobody's permit.
    for (const buffer of lost) expect(buffer.release()).toBe(false);
    expect(inUse()).toBe(3);
    expect(mine.tryAcquire(64)).toBeUndefined();
    for (const buffer of held) buffer.release();
    // The objects are the heap's, for whoever knows their handles.
    mine.adopt(travelling).release();
    for (const { handle } of lost) expect(heap.free(handle)).toBe(true);
  });

  test("are looked for once, until somebody has come or gone", () => {
    const held = [mine.acquire(64), theirs.acquire(64), mine.acquire(64)];
    const search = vi.spyOn(OwnerWords.prototype, "freeDead");
    const now = vi.spyOn(performance, "now");
    const refusedAt = (ms: number): number => {
      now.mockReturnValue(ms);
      search.mockClear();
      for (let i = 0; i < 10; i++) expect(mine.tryAcquire(64)).toBeUndefined();
      return search.mock.calls.length;
    };
    const started = performance.now();
    expect(refusedAt(started)).toBe(1);
    expect([refusedAt(started + 1), refusedAt(started + RECHECK_MS - 1)]).toEqual([0, 0]);
    expect(refusedAt(started + RECHECK_MS), "in any case after a while").toBe(1);
    // Nobody searches for what another seat gives back: it is there.
    held[1]?.release();
    search.mockClear();
    held[1] = mine.acquire(64);
    expect(search).not.toHaveBeenCalled();
    expect(refusedAt(started + RECHECK_MS)).toBe(0);
    const newcomer = another(heap);
    expect(refusedAt(started + RECHECK_MS)).toBe(1);
    held[2]?.release();
    const last = BufferPool.attach(newcomer, mine.share()).acquire(64);
    expect(refusedAt(started + RECHECK_MS)).toBe(0);
    newcomer.detach();
    held[2] = mine.acquire(64);
    expect(refusedAt(started + RECHECK_MS), "at once when somebody has gone").toBe(0);
    vi.restoreAllMocks();
    expect(heap.free(last.handle)).toBe(true);
    for (const buffer of held) buffer.release();
  });

  test("wake who waits for them", async () => {
    const lost = [theirs.acquire(64), theirs.acquire(64), theirs.acquire(64)];
    const waiting = [mine.acquireAsync(64), mine.acquireAsync(64)];
    other.detach();
    for (const buffer of await Promise.all(waiting)) buffer.release();
    for (const { handle } of lost) heap.free(handle);
    for (const buffer of lost) buffer.release();
  });

  test("are not those of its successor", () => {
    const lost = theirs.acquire(64);
    const { seat } = other;
    other.detach();
    const successor = another(heap);
    expect(successor.seat).toBe(seat);
    const next = BufferPool.attach(successor, mine.share(), { label: "next" });
    const held = [next.acquire(64), next.acquire(64), next.acquire(64)];
    expect(lost.release()).toBe(false);
    expect(inUse()).toBe(3);
    for (const buffer of held) buffer.release();
    heap.free(lost.handle);
    successor.detach();
  });
});
