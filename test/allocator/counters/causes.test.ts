/**
 * Defends: every way an allocation can leave the fast path is counted once, under its cause, in the shard of the
 * thread it happened to; frees, remote frees, adoption and closing are counted where they happen.
 * Method: each cause is driven on its own in a small heap (16 slabs; 64, 32 and 4 slots per slab), and the whole
 * difference of the class shard is compared, so that a count in a wrong place fails too.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { EPOCH_FIELDS, EPOCH_SHARD_WORDS, SEAT_FIELDS } from "../../../src/allocator/counters/fields.js";
import { readCounter } from "../../../src/allocator/counters/record.js";
import type { SlabHeap } from "../../../src/allocator/heap/heap.js";
import { recordAt, SEAT_COUNTERS, SLAB_TAG, seatAt } from "../../../src/allocator/memory/layout.js";
import { freeRemote } from "../../../src/allocator/slabs/remote-free.js";
import { packTag, TAG_CLAIMED, TAG_FREE } from "../../../src/allocator/words/slab-tag.js";
import {
  another,
  classCounts,
  epochId,
  expectCountersExact,
  expectHealthy,
  fill,
  freeAll,
  SLAB,
  slabOf,
  slotWordOf,
  smallHeap,
} from "../support.js";

type Counts = Record<string, number>;

function seatCounts(heap: SlabHeap, seat = heap.seat): Counts {
  const shard = seatAt(heap._a.layout, seat) + SEAT_COUNTERS;
  return Object.fromEntries(SEAT_FIELDS.map((f) => [f.name, readCounter(heap._a.m, shard + f.cell)]));
}
function epochCounts(heap: SlabHeap, ring: number, seat = heap.seat): Counts {
  const { layout, m } = heap._a;
  const shard = seatAt(layout, seat) + layout.seatEpochShards + ring * EPOCH_SHARD_WORDS;
  return Object.fromEntries(EPOCH_FIELDS.map((f) => [f.name, readCounter(m, shard + f.cell)]));
}

/** What `step` added, without what stayed. */
function added(read: () => Counts, step: () => void): Counts {
  const before = read();
  step();
  const after = read();
  const changes = Object.entries(after).map(([name, value]) => [name, value - before[name]] as const);
  return Object.fromEntries(changes.filter(([, change]) => change !== 0));
}

const LARGE = 3;
let heap: SlabHeap;
let others: SlabHeap[];
beforeEach(() => {
  heap = smallHeap();
  others = [];
});
afterEach(() => {
  expectHealthy(heap, ...others);
  expectCountersExact(heap, ...others);
  for (const other of others) other.detach();
  heap.detach();
});
function join(): SlabHeap {
  const other = another(heap);
  heap.poll();
  others.push(other);
  return other;
}

describe("causes of a slow allocation", () => {
  const allocs = (n: number): void => {
    for (let i = 0; i < n; i++) expect(heap.alloc(64)).not.toBe(0);
  };

  test("no current slab, never-used slab taken", () => {
    expect(
      added(
        () => classCounts(heap),
        () => allocs(1),
      ),
    ).toEqual({
      bitmap_alloc_attempts: 1,
      slow_path_hits: 1,
      current_partial_null: 1,
      slow_path_cache_miss: 1,
      new_slab_count: 1,
      current_partial_cas_attempts: 1,
      lock_fast_acquire: 1,
    });
  });

  test("nothing but the allocation while the slab lasts; batches of fresh slots are a seat counter", () => {
    allocs(1);
    const before = seatCounts(heap);
    expect(
      added(
        () => classCounts(heap),
        () => allocs(63),
      ),
    ).toEqual({ bitmap_alloc_attempts: 63 });
    expect(seatCounts(heap).slab_refills - before.slab_refills).toBe(1);
  });

  test("current slab full", () => {
    allocs(64);
    expect(
      added(
        () => classCounts(heap),
        () => allocs(1),
      ),
    ).toEqual({
      bitmap_alloc_attempts: 1,
      slow_path_hits: 1,
      current_partial_full: 1,
      list_move_partial_to_full: 1,
      slow_path_cache_miss: 1,
      new_slab_count: 1,
      current_partial_cas_attempts: 1,
      lock_fast_acquire: 1,
    });
  });

  test("collected remote frees", () => {
    const other = join();
    const handles = Array.from({ length: 64 }, () => heap.alloc(64));
    const freeing = added(
      () => classCounts(other),
      () => freeAll(other, handles.slice(0, 3)),
    );
    expect(freeing).toEqual({ remote_free_count: 3 });
    expect(
      added(
        () => classCounts(heap),
        () => allocs(1),
      ),
    ).toEqual({
      bitmap_alloc_attempts: 1,
      slow_path_hits: 1,
      current_partial_full: 1,
      list_move_partial_to_full: 1,
      slow_path_collected: 1,
      remote_free_collected: 3,
    });
  });

  test("a full slab that got room again", () => {
    const first = heap.alloc(64);
    allocs(64);
    expect(
      added(
        () => classCounts(heap),
        () => heap.free(first),
      ),
    ).toEqual({ list_move_full_to_partial: 1, local_free_count: 1 });
  });

  test("recycled slab reused", () => {
    const handle = heap.alloc(64);
    heap.advanceEpoch();
    expect(
      added(
        () => classCounts(heap),
        () => heap.free(handle),
      ),
    ).toEqual({ empty_slab_recycled: 1, local_free_count: 1 });
    expect(
      added(
        () => classCounts(heap),
        () => allocs(1),
      ),
    ).toMatchObject({
      slow_path_reused: 1,
      new_slab_count: 1,
      current_partial_null: 1,
    });
    expect(classCounts(heap).slow_path_cache_miss).toBe(1);
  });

  test("adopted orphan, then served from it without a new slab", () => {
    const other = join();
    for (let i = 0; i < 5; i++) other.alloc(64);
    const { seat } = other;
    expect(
      added(
        () => classCounts(heap, 0, seat),
        () => others.pop()?.detach(),
      ),
    ).toEqual({
      orphaned_live_objects: 5,
    });
    expect(
      added(
        () => classCounts(heap),
        () => heap.poll(),
      ),
    ).toEqual({
      slow_path_adopted: 1,
      adopted_live_objects: 5,
      current_partial_cas_attempts: 1,
    });
    expect(
      added(
        () => classCounts(heap),
        () => allocs(1),
      ),
    ).toEqual({
      bitmap_alloc_attempts: 1,
      slow_path_hits: 1,
      current_partial_null: 1,
    });
  });

  test("epoch closed", () => {
    const old = heap.currentEpoch.id;
    heap.advanceEpoch();
    expect(
      added(
        () => classCounts(heap),
        () => heap.alloc(64, old),
      ),
    ).toEqual({
      slow_path_hits: 1,
      slow_path_epoch_closed: 1,
    });
    expect(heap.lastFailure).toBe("epoch-closed");
  });

  test("out of memory", () => {
    fill(heap, 64);
    const before = seatCounts(heap);
    expect(before.confirming_scans).toBe(1);
    expect(
      added(
        () => classCounts(heap),
        () => heap.alloc(64),
      ),
    ).toEqual({
      slow_path_hits: 1,
      current_partial_full: 1,
      list_move_partial_to_full: 1,
      slow_path_out_of_memory: 1,
    });
    expect(classCounts(heap)).toMatchObject({ bitmap_alloc_attempts: 16 * 64, slow_path_out_of_memory: 2 });
  });

  test("a full heap is not scanned again until something changes", () => {
    const handles = fill(heap, 64);
    heap.alloc(64); // honours its own request for others' empty slabs
    const scans = seatCounts(heap).confirming_scans;
    for (let i = 0; i < 10; i++) heap.alloc(64);
    const after = seatCounts(heap);
    expect(after.confirming_scans - scans).toBeLessThanOrEqual(after.pressure_requests);
    heap.free(handles[0]);
    expect(heap.alloc(64)).not.toBe(0);
  });

  test("a claim lost to another thread", () => {
    // Slab 0 looks free in the map, but somebody has its tag.
    heap._a.m[recordAt(0) + SLAB_TAG] = packTag(TAG_CLAIMED, 4, 0, 0);
    expect(
      added(
        () => classCounts(heap),
        () => allocs(1),
      ),
    ).toMatchObject({
      bitmap_alloc_cas_retries: 1,
      current_partial_cas_attempts: 2,
      current_partial_cas_failures: 1,
      lock_contended: 1,
    });
    heap._a.m[recordAt(0) + SLAB_TAG] = TAG_FREE;
  });
});

test("a large object is counted in the shard after the last class, its slabs one by one", () => {
  let handle = heap.alloc(3 * SLAB);
  expect(classCounts(heap, LARGE)).toMatchObject({
    bitmap_alloc_attempts: 1,
    slow_path_hits: 1,
    new_slab_count: 3,
    slow_path_cache_miss: 3,
  });
  heap.free(handle);
  expect(classCounts(heap, LARGE).empty_slab_recycled).toBe(3);
  handle = heap.alloc(4 * SLAB);
  expect(classCounts(heap, LARGE)).toMatchObject({
    new_slab_count: 7,
    slow_path_cache_miss: 4,
    slow_path_reused: 3,
  });
  fill(heap, 5 * SLAB);
  expect(classCounts(heap, LARGE).slow_path_out_of_memory).toBe(1);
  for (const classIndex of [0, 1, 2]) expect(classCounts(heap, classIndex).bitmap_alloc_attempts).toBe(0);
});

test("a remote free that lost a race for the slot is counted and refused", () => {
  const other = join();
  const handle = heap.alloc(64);
  const slotWord = slotWordOf(heap, handle);
  const word = heap._a.m[slotWord];
  expect(other.free(handle)).toBe(true);
  const losing = (): void => expect(freeRemote(other._a, slabOf(heap, handle), slotWord, word)).toBe(false);
  expect(added(() => classCounts(other), losing)).toEqual({ bitmap_free_cas_retries: 1 });
});

test("invalid frees are counted by kind", () => {
  const handle = heap.alloc(64);
  heap.free(handle);
  const step = (): void => {
    heap.free(0 as never);
    heap.free(handle);
    heap.free(12345 as never);
    heap.freeOffset(0);
    heap.freeOffset(heap._a.layout.payloadOffset);
  };
  expect(added(() => seatCounts(heap), step)).toEqual({ invalid_frees_null: 2, invalid_frees_stale: 3 });
  expect(heap.counters().invalidFrees).toBe(5);
});

describe("closing", () => {
  test("counts slabs scanned and recycled per class and per epoch, in the closing thread's shards", () => {
    const { id } = heap.currentEpoch;
    const first = heap.alloc(64);
    heap.alloc(128);
    heap.free(first);
    const epoch = added(
      () => epochCounts(heap, id),
      () => heap.closeEpoch(id),
    );
    expect(epoch).toMatchObject({
      epoch_close_calls: 1,
      epoch_close_scanned_slabs: 2,
      epoch_close_recycled_slabs: 1,
    });
    expect(classCounts(heap, 0)).toMatchObject({
      epoch_close_scanned_slabs: 1,
      epoch_close_recycled_slabs: 1,
    });
    expect(classCounts(heap, 1)).toMatchObject({
      epoch_close_scanned_slabs: 1,
      epoch_close_recycled_slabs: 0,
    });
    expect(classCounts(heap, 2)).toMatchObject({
      epoch_close_scanned_slabs: 0,
      epoch_close_recycled_slabs: 0,
    });
  });

  test("a close's nanoseconds are the same in the report, the epoch shard and the sum over classes", () => {
    const { id } = heap.currentEpoch;
    for (let i = 0; i < 100; i++) heap.alloc(64);
    const report = heap.discardEpoch(id);
    expect(report.durationNs).toBeGreaterThan(0);
    expect(epochCounts(heap, id).epoch_close_total_ns).toBe(report.durationNs);
    const perClass = [0, 1, 2].map((c) => classCounts(heap, c).epoch_close_total_ns);
    expect(perClass.reduce((a, b) => a + b)).toBe(report.durationNs);
  });

  test("discarded objects are counted where their owner wiped them", () => {
    const other = join();
    const { id } = heap.currentEpoch;
    for (let i = 0; i < 7; i++) heap.alloc(64);
    for (let i = 0; i < 4; i++) other.alloc(128);
    heap.discardEpoch(id);
    expect(classCounts(heap, 0).discarded_objects).toBe(7);
    expect(epochCounts(heap, id).discarded_objects).toBe(7);
    expect(epochCounts(other, id).discarded_objects).toBe(0);
    other.poll();
    expect(classCounts(other, 1).discarded_objects).toBe(4);
    expect(epochCounts(other, id)).toMatchObject({ discarded_objects: 4, epoch_close_calls: 0 });
  });
});

test("counters go on across incarnations of a seat", () => {
  const other = another(heap);
  for (let i = 0; i < 10; i++) other.alloc(64);
  const { seat } = other;
  other.detach();
  const again = another(heap);
  others.push(again);
  expect(again.seat).toBe(seat);
  expect(again.incarnation).toBe(other.incarnation + 1);
  expect(classCounts(again).bitmap_alloc_attempts).toBe(10);
  again.alloc(64);
  expect(classCounts(again).bitmap_alloc_attempts).toBe(11);
});

test("empty slabs given back under pressure are counted as such", () => {
  const handle = heap.alloc(64);
  heap.free(handle);
  fill(heap, 128);
  expect(classCounts(heap, 0)).toMatchObject({ empty_slab_overflowed: 1, empty_slab_recycled: 1 });
});

describe("heap.counters()", () => {
  test("starts at zero and adds up all seats, those given back included", () => {
    for (const value of Object.values(heap.counters())) expect(value).toBe(0);
    const other = another(heap);
    const mine = Array.from({ length: 70 }, () => heap.alloc(64));
    const theirs = Array.from({ length: 3 }, () => other.alloc(1024));
    other.free(mine[0]);
    heap.free(theirs[0]);
    other.detach();
    heap.poll();
    expect(heap.counters()).toEqual({
      allocCount: 73,
      freeCount: 2,
      remoteFrees: 2,
      slowPathHits: 3,
      newSlabs: 3,
      recycledSlabs: 0,
      reusedSlabs: 0,
      adoptedSlabs: 1,
      outOfMemory: 0,
      epochClosed: 0,
      invalidFrees: 0,
      epochCloses: 0,
      committedSlabs: 3,
      peakCommittedSlabs: 3,
      liveObjects: 71,
    });
  });

  test("knows closes, recycled slabs, failures and large objects", () => {
    heap.alloc(2 * SLAB);
    heap.alloc(64);
    heap.alloc(64, epochId(9));
    heap.discardEpoch(heap.currentEpoch);
    fill(heap, 1024);
    expect(heap.counters()).toMatchObject({
      epochCloses: 1,
      recycledSlabs: 3,
      reusedSlabs: 3,
      epochClosed: 1,
      outOfMemory: 1,
      committedSlabs: 16,
      peakCommittedSlabs: 16,
      liveObjects: 64,
    });
  });
});
