/** Rows of the document that come from counters and holdings: size classes, large objects, workers. */
import { loadSeq } from "../../allocator/memory/atomics.js";
import { seatAt } from "../../allocator/memory/layout.js";
import { PHASE, SEAT_PHASE, SEAT_THREAD, SEAT_WORD } from "../../allocator/memory/offsets.js";
import {
  SEAT_FREE,
  SEAT_STATES,
  seatIncarnation,
  seatState,
  seatThreadId,
} from "../../allocator/words/seat-word.js";
import { add, ratio } from "../document/count.js";
import type { ClassStats, LargeStats, WorkerStats } from "../document/document.js";
import { CLASS_DOCUMENT_FIELDS, STRUCT_VERSION } from "../document/fields.js";
import type { ClassCounts, Counts } from "./seats.js";
import type { Holding, SlabSums } from "./slabs.js";
import type { HeapWords } from "./source.js";

/** Figures that are put together from several words, by class or by seat. */
export const CLASS_ALLOCS = 0;
export const CLASS_FREES = 1;
export const SEAT_ALLOCS = 2;
export const SEAT_FREES = 3;
export const CLASS_LOCAL_FREES = 4;

/**
 * Keeps what was reported of such figures. A sum of several words may miss what moves from one to another meanwhile,
 * never count it twice; so the largest one reported is still a lower bound, and no counter of one reader ever goes back.
 */
export class HighWater {
  private readonly reported: number[][] = [[], [], [], [], []];

  keep(figure: number, index: number, value: number): number {
    const reported = this.reported[figure] as number[];
    const kept = Math.max(value, reported[index] ?? 0);
    reported[index] = kept;
    return kept;
  }
}

/** What a snapshot is made of. */
export interface Readings {
  readonly words: HeapWords;
  readonly counts: Counts;
  readonly slabs: SlabSums;
  readonly highWater: HighWater;
}

/** Sums of the holdings that `pick` accepts. */
export function sumHoldings(holdings: readonly Holding[], pick: (holding: Holding) => boolean) {
  const sum = { partial: 0, full: 0, empty: 0, reclaimable: 0, liveObjects: 0, largeBytes: 0 };
  for (const holding of holdings) {
    if (!pick(holding)) continue;
    sum.partial += holding.partial;
    sum.full += holding.full;
    sum.empty += holding.empty;
    sum.reclaimable += holding.reclaimable;
    sum.liveObjects += holding.liveObjects;
    sum.largeBytes += holding.largeBytes;
  }
  return sum;
}

/** Allocations and frees of a class so far; `classCount` stands for large objects. */
export function operationsOf({ counts, slabs, highWater }: Readings, classIndex: number) {
  const cells = counts.classes[classIndex] as ClassCounts;
  const allocs = cells.of("bitmap_alloc_attempts") + (slabs.unfoldedAllocs.byClass[classIndex] as number);
  const local = cells.of("local_free_count") + (slabs.unfoldedFrees.byClass[classIndex] as number);
  const taken = cells.of("remote_free_collected") + (slabs.uncountedFrees[classIndex] as number);
  const frees = highWater.keep(CLASS_FREES, classIndex, local + taken);
  return {
    // What was freed had been allocated, even where the counters were read before they said so.
    allocs: highWater.keep(CLASS_ALLOCS, classIndex, Math.max(allocs, frees)),
    localFrees: highWater.keep(CLASS_LOCAL_FREES, classIndex, local),
    frees,
  };
}

type Writable<Row> = { -readonly [Name in keyof Row]: Row[Name] };

/** A row of zeros, with the keys in the document's order. Copied and filled in: far cheaper than 50 keys one by one. */
const EMPTY_CLASS = Object.fromEntries(
  CLASS_DOCUMENT_FIELDS.map(({ name }) => [name, 0]),
) as unknown as ClassStats;

export function classRow(readings: Readings, classIndex: number): ClassStats {
  const { words, counts, slabs } = readings;
  const { layout } = words;
  const size = layout.sizeClasses[classIndex] as number;
  const cells = counts.classes[classIndex] as ClassCounts;
  const { allocs, frees, localFrees } = operationsOf(readings, classIndex);
  const held = sumHoldings(slabs.holdings, (holding) => holding.classIndex === classIndex);
  const netSlabs = held.partial + held.full;
  const row: Writable<ClassStats> = { ...EMPTY_CLASS };
  cells.copyTo(row);
  row.version = STRUCT_VERSION;
  row.class_index = classIndex;
  row.object_size = size;
  row.bitmap_alloc_attempts = allocs;
  row.bitmap_free_attempts = frees;
  row.local_free_count = localFrees;
  row.avg_alloc_cas_retries_per_attempt = ratio(row.bitmap_alloc_cas_retries, allocs);
  row.avg_free_cas_retries_per_attempt = ratio(row.bitmap_free_cas_retries, frees);
  row.current_partial_cas_failure_rate = ratio(
    row.current_partial_cas_failures,
    row.current_partial_cas_attempts,
  );
  row.lock_contention_rate = ratio(row.lock_contended, add(row.lock_fast_acquire, row.lock_contended));
  row.cache_size = held.empty;
  row.cache_capacity = layout.slabCount;
  row.cache_overflow_len = slabs.freeUsedSlabs;
  row.total_partial_slabs = held.partial;
  row.total_full_slabs = held.full;
  row.recycle_rate_pct =
    100 * ratio(row.empty_slab_recycled, add(row.empty_slab_recycled, row.empty_slab_overflowed));
  row.net_slabs = netSlabs;
  row.estimated_rss_bytes = netSlabs * layout.slabSize;
  row.committed_bytes = netSlabs * layout.slabSize;
  row.live_objects = held.liveObjects;
  row.live_bytes = held.liveObjects * size;
  row.empty_slabs_count = held.reclaimable;
  return row;
}

export function largeRow(readings: Readings): LargeStats {
  const { classCount } = readings.words.layout;
  const cells = readings.counts.classes[classCount] as ClassCounts;
  const { allocs, frees } = operationsOf(readings, classCount);
  const held = sumHoldings(readings.slabs.holdings, (holding) => holding.classIndex === classCount);
  return {
    live_objects: held.liveObjects,
    live_bytes: held.largeBytes,
    slabs: held.full,
    alloc_count: allocs,
    free_count: frees,
    failures: cells.of("slow_path_out_of_memory"),
    discarded_objects: cells.of("discarded_objects"),
    slabs_allocated: cells.of("new_slab_count"),
    slabs_recycled: cells.of("empty_slab_recycled"),
    madvise_calls: cells.of("madvise_calls"),
    madvise_bytes: cells.of("madvise_bytes"),
    madvise_failures: cells.of("madvise_failures"),
  };
}

export function workerRows({ words, counts, slabs, highWater }: Readings): WorkerStats[] {
  const { m, layout } = words;
  const phase = loadSeq(m, PHASE);
  return counts.seats.map(({ seat, totals }) => {
    const base = seatAt(layout, seat);
    const word = loadSeq(m, base + SEAT_WORD);
    const state = seatState(word);
    const thread = loadSeq(m, base + SEAT_THREAD);
    const taken = state !== SEAT_FREE;
    const allocs = totals.of("bitmap_alloc_attempts") + (slabs.unfoldedAllocs.bySeat[seat] as number);
    const local = totals.of("local_free_count") + (slabs.unfoldedFrees.bySeat[seat] as number);
    return {
      seat,
      incarnation: seatIncarnation(word),
      state: SEAT_STATES[state] as string,
      thread_id: seatThreadId(word, thread),
      alloc_count: highWater.keep(SEAT_ALLOCS, seat, allocs),
      free_count: highWater.keep(SEAT_FREES, seat, local) + totals.of("remote_free_count"),
      remote_free_count: totals.of("remote_free_count"),
      slow_path_hits: totals.of("slow_path_hits"),
      owned_slabs: slabs.owned[seat] as number,
      phase_lag: taken ? (phase - loadSeq(m, base + SEAT_PHASE)) >>> 0 : 0,
    };
  });
}
