/** Looking at the heap without changing it: epochs, seats, totals. Readable from any attached thread while others run. */
import {
  C_ADOPTED,
  C_ALLOCS,
  C_CACHE_MISS,
  C_CLOSED,
  C_DISCARDED,
  C_LOCAL_FREES,
  C_NEW_SLAB,
  C_OOM,
  C_RECYCLED,
  C_REMOTE_COLLECTED,
  C_REMOTE_FREES,
  C_REUSED,
  C_SLOW,
  E_CLOSE_CALLS,
  EPOCH_SHARD_WORDS,
  S_FREE_NULL,
  S_FREE_STALE,
} from "../counters/fields.js";
import { readCounter } from "../counters/record.js";
import { readSlabCounts, type SlabCounts } from "../counters/slab-counts.js";
import { loadSeq } from "../memory/atomics.js";
import type { Attachment } from "../memory/attachment.js";
import { binAt, recordAt, seatAt } from "../memory/layout.js";
import {
  REC_BASE,
  RING_SIZE,
  SEAT_COUNTERS,
  SEAT_THREAD,
  SEAT_WORD,
  SLAB_ERA,
  SLAB_TAG,
} from "../memory/offsets.js";
import type { EpochId, EpochInfo, HeapCounters, SeatInfo, SeatState } from "../types.js";
import { openedAt, refcount } from "../words/epoch-table.js";
import { EPOCH_ACTIVE, EPOCH_DISCARD, recEra, recState } from "../words/epoch-word.js";
import { readLabel } from "../words/label.js";
import { countRemoteFreed } from "../words/remote-freed.js";
import { SEAT_STATES, seatIncarnation, seatState, seatThreadId } from "../words/seat-word.js";
import {
  mayHoldObjects,
  TAG_FREE,
  TAG_LARGE,
  TAG_RELEASING,
  tagClass,
  tagRing,
  tagState,
} from "../words/slab-tag.js";

export function epochInfo(a: Attachment, ring: number): EpochInfo {
  const { m, layout } = a;
  const rec = loadSeq(m, REC_BASE + ring);
  const era = recEra(rec);
  const openSince = openedAt(m, era);
  const counts: SlabCounts = { occupied: 0, unfoldedAllocs: 0, unfoldedFrees: 0 };
  let liveObjects = 0;
  let slabs = 0;
  let olderLiveObjects = 0;
  let oldestEra = 0;
  for (let slab = 0; slab < layout.slabCount; slab++) {
    const record = recordAt(slab);
    const tag = loadSeq(m, record + SLAB_TAG);
    const state = tagState(tag);
    if (!mayHoldObjects(state) || tagRing(tag) !== ring) continue;
    const slabEra = loadSeq(m, record + SLAB_ERA);
    readSlabCounts(m, record, counts);
    const live = counts.occupied;
    if (slabEra === era) {
      slabs++;
      liveObjects += live;
    } else {
      olderLiveObjects += live;
      if (live > 0 && (oldestEra === 0 || slabEra < oldestEra)) oldestEra = slabEra;
    }
  }
  return {
    id: ring as EpochId,
    era,
    state: recState(rec) === EPOCH_ACTIVE ? "ACTIVE" : "CLOSING",
    discarded: recState(rec) === EPOCH_DISCARD,
    openSince,
    ageSec: openSince === 0 ? 0 : Math.max(0, (Date.now() - openSince) / 1000),
    refcount: refcount(m, layout, ring, era),
    label: readLabel(m, ring, era),
    liveObjects,
    slabs,
    olderLiveObjects,
    oldestEra,
  };
}

/** Seats in use or used before. */
export function listSeats(a: Attachment): SeatInfo[] {
  const { m, layout } = a;
  const seats: SeatInfo[] = [];
  for (let seat = 1; seat <= layout.maxWorkers; seat++) {
    const word = loadSeq(m, seatAt(layout, seat) + SEAT_WORD);
    if (word === 0) continue;
    const thread = loadSeq(m, seatAt(layout, seat) + SEAT_THREAD);
    const state = seatState(word);
    seats.push({
      seat,
      incarnation: seatIncarnation(word),
      state: SEAT_STATES[state] as SeatState,
      threadId: seatThreadId(word, thread),
    });
  }
  return seats;
}

/** Sums over all seats and classes. Each counter is exact when it is read; the sums are not one instant. */
export function heapCounters(a: Attachment): HeapCounters {
  const { m, layout } = a;
  let invalidFrees = 0;
  let epochCloses = 0;
  const totals = new Map<number, number>();
  const cells = [
    C_ALLOCS,
    C_SLOW,
    C_NEW_SLAB,
    C_RECYCLED,
    C_REUSED,
    C_CACHE_MISS,
    C_ADOPTED,
    C_OOM,
    C_CLOSED,
    C_REMOTE_FREES,
    C_LOCAL_FREES,
    C_REMOTE_COLLECTED,
    C_DISCARDED,
  ];
  for (let seat = 1; seat <= layout.maxWorkers; seat++) {
    const base = seatAt(layout, seat);
    if (loadSeq(m, base + SEAT_WORD) === 0) continue; // never taken: all zero
    for (let c = 0; c <= layout.classCount; c++) {
      const bin = binAt(layout, seat, c);
      for (const cell of cells) totals.set(cell, (totals.get(cell) ?? 0) + readCounter(m, bin + cell));
    }
    invalidFrees += readCounter(m, base + SEAT_COUNTERS + S_FREE_NULL);
    invalidFrees += readCounter(m, base + SEAT_COUNTERS + S_FREE_STALE);
    for (let ring = 0; ring < RING_SIZE; ring++) {
      epochCloses += readCounter(m, base + layout.seatEpochShards + ring * EPOCH_SHARD_WORDS + E_CLOSE_CALLS);
    }
  }
  const total = (cell: number): number => totals.get(cell) ?? 0;
  // The slabs after the counters: see counters/slab-counts.ts.
  let allocCount = total(C_ALLOCS);
  let freeCount = total(C_LOCAL_FREES) + total(C_REMOTE_COLLECTED) + total(C_DISCARDED);
  const counts: SlabCounts = { occupied: 0, unfoldedAllocs: 0, unfoldedFrees: 0 };
  let committedSlabs = 0;
  for (let slab = 0; slab < layout.slabCount; slab++) {
    const record = recordAt(slab);
    const tag = loadSeq(m, record + SLAB_TAG);
    const state = tagState(tag);
    if (state === TAG_FREE || state === TAG_RELEASING) continue;
    committedSlabs++;
    if (!mayHoldObjects(state)) continue;
    const slots = state === TAG_LARGE ? 1 : (layout.classSlots[tagClass(tag)] ?? 0);
    readSlabCounts(m, record, counts);
    allocCount += counts.unfoldedAllocs;
    freeCount += counts.unfoldedFrees + countRemoteFreed(m, layout, slab, record, tag, slots);
  }
  return {
    allocCount,
    freeCount,
    remoteFrees: total(C_REMOTE_FREES),
    slowPathHits: total(C_SLOW),
    newSlabs: total(C_NEW_SLAB),
    recycledSlabs: total(C_RECYCLED),
    reusedSlabs: total(C_REUSED),
    adoptedSlabs: total(C_ADOPTED),
    outOfMemory: total(C_OOM),
    epochClosed: total(C_CLOSED),
    invalidFrees,
    epochCloses,
    committedSlabs,
    // A slab's pages stay resident once used, unless they are released: never-used slabs taken are the high-water mark.
    peakCommittedSlabs: total(C_CACHE_MISS),
    liveObjects: Math.max(0, allocCount - freeCount),
  };
}
