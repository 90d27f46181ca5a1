/** What the allocator's tests share: small heaps, a look at single words, filling up, and "nothing was lost". */
import { expect } from "vitest";
import {
  C_ALLOCS,
  C_LOCAL_FREES,
  C_REMOTE_COLLECTED,
  C_REMOTE_FREES,
  CLASS_FIELDS,
  EPOCH_FIELDS,
  EPOCH_SHARD_WORDS,
  HISTOGRAM_FIELDS,
  S_FREE_NULL,
  S_FREE_STALE,
  SEAT_FIELDS,
} from "../../src/allocator/counters/fields.js";
import { histogramAt } from "../../src/allocator/counters/histogram.js";
import { readCounter } from "../../src/allocator/counters/record.js";
import { liveCount } from "../../src/allocator/counters/slab-counts.js";
import { SlabHeap } from "../../src/allocator/heap/heap.js";
import {
  binAt,
  ERA,
  type Layout,
  PHASE,
  REC_BASE,
  RING_SIZE,
  recordAt,
  SEAT_COUNTERS,
  SEAT_WORD,
  SLAB_COUNTS,
  SLAB_ERA,
  SLAB_FOLDED,
  SLAB_TAG,
  seatAt,
} from "../../src/allocator/memory/layout.js";
import type { AttachOptions, EpochId, Handle, HeapOptions } from "../../src/allocator/types.js";
import { handleSlot } from "../../src/allocator/words/handle.js";
import {
  TAG_CLAIMED,
  TAG_FREE,
  TAG_TAIL,
  tagClass,
  tagOwner,
  tagState,
} from "../../src/allocator/words/slab-tag.js";
import { SLOT_ALLOC, SLOT_REMOTE_FREED, slotState } from "../../src/allocator/words/slot-word.js";
import { randomFrom } from "../random.js";

export { randomFrom } from "../random.js";

export const SLAB = 4096;
/** 16 slabs of 4 KiB, four seats, three classes: 64, 32 and 4 slots per slab. */
export const SMALL: HeapOptions = {
  capacity: 16 * SLAB,
  slabSize: SLAB,
  maxWorkers: 4,
  sizeClasses: [64, 128, 1024],
};

export function smallHeap(options: HeapOptions = {}): SlabHeap {
  return SlabHeap.create({ ...SMALL, ...options });
}

/** Another seat of the same heap, held by this same thread. */
export function another(heap: SlabHeap, options: AttachOptions = {}): SlabHeap {
  return SlabHeap.attach(heap.share(), { sameThread: true, ...options });
}

export function words(heap: SlabHeap): { m: Int32Array; layout: Layout } {
  return { m: heap._a.m, layout: heap._a.layout };
}

/** Word index of the slot `handle` names. */
export function slotWordOf(heap: SlabHeap, handle: number): number {
  return heap._a.layout.slotBase + handleSlot(handle);
}

export function slabOf(heap: SlabHeap, handle: number): number {
  return handleSlot(handle) >> heap._a.layout.slotsShift;
}

export function tagAt(heap: SlabHeap, slab: number): number {
  return heap._a.m[recordAt(slab) + SLAB_TAG];
}

export function setTag(heap: SlabHeap, slab: number, tag: number): void {
  heap._a.m[recordAt(slab) + SLAB_TAG] = tag;
}

export function eraAt(heap: SlabHeap, slab: number): number {
  return heap._a.m[recordAt(slab) + SLAB_ERA];
}

export function liveAt(heap: SlabHeap, slab: number): number {
  return liveCount(heap._a.m, recordAt(slab));
}

export function recAt(heap: SlabHeap, id: number): number {
  return heap._a.m[REC_BASE + id];
}

export function newestEra(heap: SlabHeap): number {
  return heap._a.m[ERA];
}

export function phase(heap: SlabHeap): number {
  return heap._a.m[PHASE];
}

export function seatWordIndex(heap: SlabHeap, seat: number): number {
  return seatAt(heap._a.layout, seat) + SEAT_WORD;
}

/**
 * What slabs have counted and not folded yet, a seat's slabs of one class, or all slabs (`seat` undefined). The bits are
 * taken apart here on purpose: 14 of allocations above 18 of live objects.
 */
function unfolded(heap: SlabHeap, classIndex: number, cell: number, seat: number | undefined): number {
  const { m, layout } = heap._a;
  if (cell !== C_ALLOCS && cell !== C_LOCAL_FREES) return 0;
  let sum = 0;
  for (let slab = 0; slab < layout.slabCount; slab++) {
    const record = recordAt(slab);
    const tag = m[record + SLAB_TAG];
    const state = tagState(tag);
    if (state === TAG_FREE || state === TAG_TAIL || state === TAG_CLAIMED) continue;
    if (Math.min(tagClass(tag), layout.classCount) !== classIndex) continue;
    if (seat !== undefined && tagOwner(tag) !== seat) continue;
    const [counts, folded] = [m[record + SLAB_COUNTS], m[record + SLAB_FOLDED]];
    const allocs = ((counts >>> 18) - (folded >>> 18) + 2 ** 14) % 2 ** 14;
    sum += cell === C_ALLOCS ? allocs : allocs + (folded & 0x3ffff) - (counts & 0x3ffff);
  }
  return sum;
}

/**
 * A class counter of the heap object's own seat, with what the seat's slabs have not folded yet; class
 * `sizeClasses.length` is the large one.
 */
export function classCounter(heap: SlabHeap, classIndex: number, cell: number, seat = heap.seat): number {
  const folded = readCounter(heap._a.m, binAt(heap._a.layout, seat, classIndex) + cell);
  return folded + unfolded(heap, classIndex, cell, seat);
}

/** Every counter of a class of one seat by name, as {@link classCounter} reads them. */
export function classCounts(heap: SlabHeap, classIndex = 0, seat = heap.seat): Record<string, number> {
  return Object.fromEntries(CLASS_FIELDS.map((f) => [f.name, classCounter(heap, classIndex, f.cell, seat)]));
}

export function seatCounter(heap: SlabHeap, cell: number, seat = heap.seat): number {
  return readCounter(heap._a.m, seatAt(heap._a.layout, seat) + SEAT_COUNTERS + cell);
}

export function epochId(id: number): EpochId {
  return id as EpochId;
}

/** Any number in a handle's place. */
export function forged(value: number): Handle {
  return value as Handle;
}

/** A copy of all metadata but the counters of refused frees, to compare: what a refused call must leave alone. */
export function metadata(heap: SlabHeap): Int32Array {
  const { m, layout } = heap._a;
  const copy = m.slice();
  for (let seat = 1; seat <= layout.maxWorkers; seat++) {
    const counters = seatAt(layout, seat) + SEAT_COUNTERS;
    for (const cell of [S_FREE_NULL, S_FREE_STALE]) copy[counters + cell] = 0;
  }
  return copy;
}

/** As `expect(metadata(heap)).toEqual(before)`, but quick on large heaps. */
export function expectMetadata(heap: SlabHeap, before: Int32Array): void {
  const now = metadata(heap);
  const changed: number[] = [];
  now.forEach((word, i) => {
    if (word !== before[i]) changed.push(i);
  });
  expect(changed, "words that changed").toEqual([]);
}

/** Advances once round the ring: the newest epoch is in the same ring slot as before, in a newer era. */
export function lap(heap: SlabHeap): void {
  for (let i = 0; i < RING_SIZE; i++) heap.advanceEpoch();
}

/** Allocates until nothing is left. */
export function fill(heap: SlabHeap, size: number): Handle[] {
  const handles: Handle[] = [];
  for (let handle = heap.alloc(size); handle !== 0; handle = heap.alloc(size)) handles.push(handle);
  expect(heap.lastFailure).toBe("out-of-memory");
  return handles;
}

export function freeAll(heap: SlabHeap, handles: readonly Handle[]): void {
  for (const handle of handles) expect(heap.free(handle)).toBe(true);
}

/** Every problem `verify` finds, after all attachments honoured what there is to honour. */
export function expectHealthy(...heaps: readonly SlabHeap[]): void {
  for (const heap of heaps) heap.poll();
  for (const heap of heaps) expect(heap.verify().problems).toEqual([]);
}

/** Slots in the given state, counted in the slot words themselves. */
export function countSlots(heap: SlabHeap, state: number): number {
  const { m, layout } = heap._a;
  let found = 0;
  const end = layout.slotBase + (layout.slabCount << layout.slotsShift);
  for (let slot = layout.slotBase; slot < end; slot++) if (slotState(m[slot]) === state) found++;
  return found;
}

/**
 * The heap's counters against the slot words, which know nothing of counters: allocations minus frees and discards is
 * the number of objects there are, and remote frees not taken back are the slots that say so. The heaps are seats of one
 * heap, at rest.
 */
export function expectCountersExact(...heaps: readonly SlabHeap[]): void {
  const objects = countSlots(heaps[0], SLOT_ALLOC);
  for (const heap of heaps) {
    const { allocCount, freeCount, liveObjects } = heap.counters();
    expect({ difference: allocCount - freeCount, liveObjects }, "allocations - frees against slots").toEqual({
      difference: objects,
      liveObjects: objects,
    });
  }
}

/** Freers count whom they freed; exact unless one died in a free, or freed what its owner was ending at that moment. */
export function expectRemoteFreesExact(heap: SlabHeap): void {
  const waiting = countSlots(heap, SLOT_REMOTE_FREED);
  expect(remoteFreesWaiting(heap), "remote frees - collected ones against slots").toBe(waiting);
}

function remoteFreesWaiting(heap: SlabHeap): number {
  const { layout, m } = heap._a;
  let sum = 0;
  for (let seat = 1; seat <= layout.maxWorkers; seat++) {
    for (let c = 0; c <= layout.classCount; c++) {
      const shard = binAt(layout, seat, c);
      sum += readCounter(m, shard + C_REMOTE_FREES) - readCounter(m, shard + C_REMOTE_COLLECTED);
    }
  }
  return sum;
}

/**
 * Every counter and histogram of every seat. Allocations and own frees are one sum per class: a slab takes what it has
 * not folded along when it changes hands.
 */
export function allCounters(heap: SlabHeap): Map<string, number> {
  const { m, layout } = heap._a;
  const all = new Map<string, number>();
  for (let c = 0; c <= layout.classCount; c++) {
    for (const { cell, name } of CLASS_FIELDS) {
      let sum = unfolded(heap, c, cell, undefined);
      for (let seat = 1; seat <= layout.maxWorkers; seat++)
        sum += readCounter(m, binAt(layout, seat, c) + cell);
      all.set(`class ${c} ${name}`, sum);
    }
  }
  for (let seat = 1; seat <= layout.maxWorkers; seat++) {
    const base = seatAt(layout, seat);
    for (const { cell, name } of SEAT_FIELDS) {
      all.set(`seat ${seat} ${name}`, readCounter(m, base + SEAT_COUNTERS + cell));
    }
    for (let ring = 0; ring < RING_SIZE; ring++) {
      const shard = base + layout.seatEpochShards + ring * EPOCH_SHARD_WORDS;
      for (const { cell, name } of EPOCH_FIELDS) {
        all.set(`seat ${seat} epoch ${ring} ${name}`, readCounter(m, shard + cell));
      }
    }
    HISTOGRAM_FIELDS.forEach(({ name }, which) => {
      all.set(`seat ${seat} ${name}`, readCounter(m, histogramAt(layout, seat, which)));
    });
  }
  return all;
}

/** No counter has gone back since `before` was read by {@link allCounters}. */
export function expectNothingTakenBack(heap: SlabHeap, before: ReadonlyMap<string, number>): void {
  const lower: string[] = [];
  for (const [name, now] of allCounters(heap)) {
    const then = before.get(name) ?? Number.NaN;
    if (!(now >= then)) lower.push(`${name}: ${then} -> ${now}`);
  }
  expect(lower, "counters that went back").toEqual([]);
}

/** Discards everything ever allocated and takes the whole payload as one object: nothing was lost. */
export function expectWholeMemoryBack(heap: SlabHeap, ...others: readonly SlabHeap[]): void {
  const next = heap.advanceEpoch();
  heap.discardBefore(next);
  for (const other of others) other.poll();
  expectHealthy(heap, ...others);
  expect(heap.verify().slabs).toBe(0);
  const all = heap.alloc(heap.capacity);
  expect(all).not.toBe(0);
  expect(heap.sizeOf(all)).toBe(heap.capacity);
  expect(heap.free(all)).toBe(true);
  expectHealthy(heap, ...others);
}

/** Names the seed of a random test when it fails. */
export function withSeed(body: (random: () => number, seed: number) => void): void {
  const seed = (Math.random() * 2 ** 32) >>> 0;
  try {
    body(randomFrom(seed), seed);
  } catch (error) {
    throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
  }
}
