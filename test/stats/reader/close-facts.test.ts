/**
 * Defends: what an epoch's row says about its close (when, slabs before and after, lifetime) is about a close of that very
 * epoch: one that nobody closed shows none, and what is done to other epochs of the ring slot leaves it alone.
 * Method: small scenarios by hand, one for each call that ends epochs.
 */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { SlabHeap } from "../../../src/allocator/heap/heap.js";
import { reapSeat } from "../../../src/allocator/seats/reap.js";
import type { EpochRef } from "../../../src/allocator/types.js";
import { type EpochStats, readStats, StatsReader, stringifyStats } from "../../../src/stats/index.js";
import { another, fill, SLAB, smallHeap } from "../../allocator/support.js";

let heap: SlabHeap;
let reader: StatsReader;
beforeEach(() => {
  heap = smallHeap();
  reader = StatsReader.open(heap);
});
afterEach(() => {
  heap.detach();
});

const row = (epoch: EpochRef): EpochStats => reader.epochs()[epoch.id];
const lifetimes = (): number => Number(reader.snapshot().latency.epoch_lifetime.count);

/** Ring slots round: the same slot, one era on. */
function lap(): void {
  for (let i = 0; i < 16; i++) heap.advanceEpoch();
}

describe("calls that end the epoch itself", () => {
  const calls: [string, (epoch: EpochRef) => unknown][] = [
    ["closeEpoch", (epoch) => heap.closeEpoch(epoch)],
    ["discardEpoch", (epoch) => heap.discardEpoch(epoch)],
    [
      "the last domain's exit",
      (epoch) => {
        const domain = heap.openDomain({ epoch: epoch.id, autoClose: true });
        domain.exit();
      },
    ],
    [
      "the last release",
      (epoch) => {
        const domain = heap.openDomain({ epoch: epoch.id, autoClose: true });
        heap.retainEpoch(epoch.id);
        domain.exit();
        expect(row(epoch).closed_timestamp_ns).toBe(0n);
        heap.releaseEpoch(epoch.id);
      },
    ],
  ];

  test.each(calls)("%s: time, slabs before and after, lifetime", (_name, call) => {
    const epoch = heap.currentEpoch;
    for (const handle of fill(heap, 1024)) heap.free(handle);
    const before = BigInt(Date.now()) * 1_000_000n;
    call(epoch);
    const { closed_timestamp_ns, ...closed } = row(epoch);
    expect(closed_timestamp_ns).toBeGreaterThanOrEqual(before);
    expect(closed_timestamp_ns).toBeLessThanOrEqual(BigInt(Date.now()) * 1_000_000n);
    expect(closed).toMatchObject({
      epoch_era: epoch.era,
      state: "CLOSING",
      committed_before_close: 16 * SLAB,
      committed_after_close: 0,
      slabs_recycled: 16,
    });
    expect(lifetimes()).toBe(1);
    expect(reader.snapshot().last_epoch_close_context).toMatchObject({
      timestamp_ns: closed_timestamp_ns,
      epoch_id: epoch.id,
      epoch_era: epoch.era,
    });
  });

  test("advancing alone notes no close", () => {
    const epoch = heap.currentEpoch;
    heap.advanceEpoch();
    expect(row(epoch)).toMatchObject({
      state: "CLOSING",
      closed_timestamp_ns: 0n,
      committed_before_close: 0,
    });
    expect(reader.snapshot().last_epoch_close_context).toBeNull();
  });
});

describe("discardBefore", () => {
  test("its limit, which stays open, shows no close", () => {
    heap.alloc(64);
    const limit = heap.advanceEpoch();
    heap.alloc(64);
    expect(heap.discardBefore(limit)).toMatchObject({ applied: true, reason: "discarded" });
    expect(row(limit)).toMatchObject({
      state: "ACTIVE",
      live_objects: 1,
      closed_timestamp_ns: 0n,
      committed_before_close: 0,
      committed_after_close: 0,
    });
  });

  test("its limit, which stays open, has not ended its lifetime", () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    try {
      heap.alloc(64);
      vi.setSystemTime(Date.now() + 1_000_000);
      const limit = heap.advanceEpoch();
      vi.setSystemTime(Date.now() + 10_000);
      expect(heap.discardBefore(limit).applied).toBe(true);
      // If any lifetime is recorded it is that of the epoch that ended, not the limit's ten seconds so far.
      const short = reader.snapshot().latency.epoch_lifetime.buckets.filter(([startNs]) => startNs < 500e9);
      expect(short).toEqual([]);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe("an older era of the same ring slot", () => {
  test("discarding it leaves the close of the newer one alone", () => {
    const old = heap.currentEpoch;
    heap.alloc(64);
    lap();
    const now = heap.currentEpoch;
    expect(now.id).toBe(old.id);
    heap.alloc(64);
    heap.closeEpoch(now);
    const closed = row(now);
    expect(closed).toMatchObject({ epoch_era: now.era, committed_before_close: 2 * SLAB });
    expect(closed.closed_timestamp_ns).toBeGreaterThan(0n);
    expect(heap.discardEpoch(old)).toMatchObject({ applied: true, objectsDiscarded: 1 });
    const { closed_timestamp_ns, committed_before_close, committed_after_close } = closed;
    expect(row(now)).toMatchObject({ closed_timestamp_ns, committed_before_close, committed_after_close });
  });

  test("a limit of discardBefore leaves the close of the newer one alone", () => {
    const old = heap.currentEpoch;
    lap();
    const now = heap.currentEpoch;
    heap.closeEpoch(now);
    const { closed_timestamp_ns } = row(now);
    expect(closed_timestamp_ns).toBeGreaterThan(0n);
    heap.discardBefore(old);
    expect(row(now).closed_timestamp_ns).toBe(closed_timestamp_ns);
  });
});

describe("a seat that is taken again", () => {
  test.each(["detached", "reaped"])("keeps what its former holder, %s, noted", (how) => {
    const former = another(heap);
    const epoch = heap.currentEpoch;
    for (const handle of fill(former, 1024)) former.free(handle);
    former.closeEpoch(epoch);
    const noted = row(epoch);
    expect(noted).toMatchObject({ committed_before_close: 16 * SLAB, committed_after_close: 0 });
    if (how === "detached") former.detach();
    else expect(reapSeat(heap._a, former.seat, former.incarnation).status).toBe("reaped");
    if (how === "reaped") former.poll();
    expect(row(epoch), "before it is taken").toEqual({ ...noted, age_sec: expect.any(Number) });
    const next = another(heap);
    expect(next.seat).toBe(former.seat);
    expect(row(epoch), "after it was taken").toEqual({ ...noted, age_sec: expect.any(Number) });
    expect(() => readStats(stringifyStats(reader.snapshot()))).not.toThrow();
    next.detach();
  });
});

test("closing again shows the later close, with what it found", () => {
  const epoch = heap.currentEpoch;
  const handles = fill(heap, 1024);
  heap.closeEpoch(epoch);
  expect(row(epoch)).toMatchObject({ committed_before_close: 16 * SLAB, committed_after_close: 16 * SLAB });
  for (const handle of handles.slice(0, 60)) heap.free(handle);
  heap.discardEpoch(epoch);
  expect(row(epoch)).toMatchObject({
    discarded: true,
    committed_before_close: SLAB,
    committed_after_close: 0,
    slabs_recycled: 16,
  });
});
