/**
 * Defends: an abort rejects the caller's promise at once with the signal's reason, yet the domain is held until the work has
 * ended; no listener stays behind, no rejection goes unhandled, nothing is opened for a signal that is aborted already.
 * Method: aborts before, during and after the work, the refcount looked at at each step; listeners counted.
 */
import { getEventListeners } from "node:events";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { SlabHeap } from "../../src/allocator/index.js";
import { EpochRotator, runInDomain } from "../../src/async/index.js";
import {
  asyncHeap,
  expectNobodyInside,
  failureOf,
  gate,
  refcounts,
  turn,
  watchRejections,
} from "./support.js";

let heap: SlabHeap;
let rejections: () => unknown[];
beforeEach(() => {
  heap = asyncHeap();
  rejections = watchRejections();
});
afterEach(async () => {
  // Rejections are reported after the microtasks.
  await turn();
  await turn();
  expect(rejections()).toEqual([]);
  expectNobodyInside(heap);
  heap.detach();
});

const inside = (): number => refcounts(heap).reduce((a, b) => a + b);
const listeners = (signal: AbortSignal): number => getEventListeners(signal, "abort").length;

test("aborted before: the reason is thrown, the work not begun, nothing opened", () => {
  const reason = new Error("never mind");
  const signal = AbortSignal.abort(reason);
  let calls = 0;
  expect(() => runInDomain(heap, { signal, label: "unseen" }, () => calls++)).toThrow(reason);
  const rotator = new EpochRotator(heap);
  expect(() => rotator.open({ signal })).toThrow(reason);
  expect(() => runInDomain(heap, { signal, rotator }, () => calls++)).toThrow(reason);
  rotator.stop();
  expect([calls, inside(), listeners(signal), rotator.stats().domainsOpened]).toEqual([0, 0, 0, 0]);
  expect(heap.epochInfo(heap.currentEpoch.id).label).toBe("");
});

test("aborted while it runs: rejected at once, left when the work ends", async () => {
  const abort = new AbortController();
  const work = gate();
  const reason = { any: "value" };
  const order: string[] = [];
  const promise = runInDomain(heap, { signal: abort.signal }, async (domain) => {
    domain.defer(() => order.push("left"));
    await work.promise;
    expect(domain.signal?.aborted).toBe(true);
    order.push(domain.alloc(64) === 0 ? "none" : "allocated");
  });
  expect([inside(), listeners(abort.signal)]).toEqual([1, 1]);
  abort.abort(reason);
  expect(await failureOf(() => promise)).toBe(reason);
  expect([inside(), listeners(abort.signal)]).toEqual([1, 0]);
  work.open();
  await turn();
  expect([order, inside()]).toEqual([["allocated", "left"], 0]);
});

test("aborted while it runs: what it throws later, and what deferred callbacks throw, is dropped", async () => {
  const abort = new AbortController();
  const work = gate();
  const promise = runInDomain(heap, { signal: abort.signal }, async (domain) => {
    domain.defer(() => {
      throw new Error("deferred");
    });
    await work.promise;
  });
  abort.abort();
  expect(await failureOf(() => promise)).toBe(abort.signal.reason);
  work.fail(new Error("work"));
  await turn();
  expect(inside()).toBe(0);
});

test("aborted after: nothing happens", async () => {
  const abort = new AbortController();
  expect(await runInDomain(heap, { signal: abort.signal }, async () => 1)).toBe(1);
  expect(listeners(abort.signal)).toBe(0);
  const error = new Error("work");
  const failed = runInDomain(heap, { signal: abort.signal }, async () => {
    throw error;
  });
  expect(await failureOf(() => failed)).toBe(error);
  expect(listeners(abort.signal)).toBe(0);
  abort.abort();
});

test("aborted by the work itself", async () => {
  const abort = new AbortController();
  const value = runInDomain(heap, { signal: abort.signal }, ({ signal }) => {
    abort.abort();
    return signal?.aborted;
  });
  // It has returned: there is nothing left to reject.
  expect([value, inside()]).toEqual([true, 0]);

  const again = new AbortController();
  const work = gate();
  const promise = runInDomain(heap, { signal: again.signal }, () => {
    again.abort();
    return work.promise;
  });
  expect(await failureOf(() => promise)).toBe(again.signal.reason);
  expect([inside(), listeners(again.signal)]).toEqual([1, 0]);
  work.fail(new Error("dropped"));
  await turn();
});

test("one signal for a thousand: one listener, all rejected, none forgotten", async () => {
  const abort = new AbortController();
  const works = Array.from({ length: 1000 }, () => gate());
  const ends = works.map(({ promise }) => runInDomain(heap, { signal: abort.signal }, () => promise));
  expect([inside(), listeners(abort.signal)]).toEqual([1000, 1]);
  for (const { open } of works.slice(0, 400)) open();
  await turn();
  expect([inside(), listeners(abort.signal)]).toEqual([600, 1]);
  abort.abort();
  const results = await Promise.allSettled(ends);
  for (const [i, result] of results.entries()) {
    expect(result.status).toBe(i < 400 ? "fulfilled" : "rejected");
    if (result.status === "rejected") expect(result.reason).toBe(abort.signal.reason);
  }
  expect([inside(), listeners(abort.signal)]).toEqual([600, 0]);
  for (const { fail } of works) fail(new Error("late"));
  await turn();
});

test("a signal listens again for whoever comes after all have gone", async () => {
  const abort = new AbortController();
  for (let i = 0; i < 3; i++) {
    await runInDomain(heap, { signal: abort.signal }, () => turn());
    expect(listeners(abort.signal)).toBe(0);
  }
  const work = gate();
  const promise = runInDomain(heap, { signal: abort.signal }, () => work.promise);
  abort.abort();
  expect(await failureOf(() => promise)).toBe(abort.signal.reason);
  work.open();
});
