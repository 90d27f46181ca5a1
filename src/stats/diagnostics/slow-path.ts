/** Why allocations leave the fast path, class by class, and what to do about it. */

import { toNumber } from "../document/count.js";
import type { ClassStats, StatsDocument } from "../document/document.js";
import { documentOf, isOurs, type StatsSource } from "./source.js";
import { percentOf, plural } from "./text.js";

/** The cause of most of a class's slow path; "mixed" when none has more than half, "none" without any. */
export type SlowPathCause =
  | "none"
  | "epoch_closed"
  | "out_of_memory"
  | "cache_miss"
  | "partial_null"
  | "partial_full"
  | "mixed";

/** One size class. Causes overlap (a thread without a current slab may take a new one), so they can exceed 100%. */
export interface SlowPathClass {
  readonly class_index: number;
  readonly object_size: number;
  readonly total_slow_path_hits: number;
  readonly cache_miss_count: number;
  readonly cache_miss_pct: number;
  readonly epoch_closed_count: number;
  readonly epoch_closed_pct: number;
  readonly partial_null_count: number;
  readonly partial_null_pct: number;
  readonly partial_full_count: number;
  readonly partial_full_pct: number;
  readonly out_of_memory_count: number;
  readonly out_of_memory_pct: number;
  /** Share of the class's allocations that were slow, 0..100; null where the document does not count allocations. */
  readonly slow_path_pct: number | null;
  readonly cause: SlowPathCause;
  readonly recommendation: string;
}

export interface SlowPathReport {
  readonly version: 1;
  readonly class_count: number;
  readonly classes: readonly SlowPathClass[];
}

/** Counts are since the heap was created: a heap's first minutes keep their weight. */
export function analyzeSlowPath(source: StatsSource): SlowPathReport {
  const document = documentOf(source);
  const classes = document.classes.map((row) => analyzeClass(document, row));
  return { version: 1, class_count: classes.length, classes };
}

function analyzeClass(document: StatsDocument, row: ClassStats): SlowPathClass {
  const hits = toNumber(row.slow_path_hits);
  const cacheMiss = toNumber(row.slow_path_cache_miss);
  const epochClosed = toNumber(row.slow_path_epoch_closed);
  const partialNull = toNumber(row.current_partial_null);
  const partialFull = toNumber(row.current_partial_full);
  const outOfMemory = toNumber(row.slow_path_out_of_memory);
  // Refusals first: an allocation that is refused was also counted as one that found no slab, or a full one.
  const shares: readonly (readonly [Exclude<SlowPathCause, "none" | "mixed">, number])[] = [
    ["epoch_closed", percentOf(epochClosed, hits)],
    ["out_of_memory", percentOf(outOfMemory, hits)],
    ["cache_miss", percentOf(cacheMiss, hits)],
    ["partial_null", percentOf(partialNull, hits)],
    ["partial_full", percentOf(partialFull, hits)],
  ];
  const cause = hits === 0 ? "none" : (shares.find(([, share]) => share > 50)?.[0] ?? "mixed");
  return {
    class_index: row.class_index,
    object_size: row.object_size,
    total_slow_path_hits: hits,
    cache_miss_count: cacheMiss,
    cache_miss_pct: percentOf(cacheMiss, hits),
    epoch_closed_count: epochClosed,
    epoch_closed_pct: percentOf(epochClosed, hits),
    partial_null_count: partialNull,
    partial_null_pct: percentOf(partialNull, hits),
    partial_full_count: partialFull,
    partial_full_pct: percentOf(partialFull, hits),
    out_of_memory_count: outOfMemory,
    out_of_memory_pct: percentOf(outOfMemory, hits),
    slow_path_pct: slowPathPercent(document, hits, toNumber(row.bitmap_alloc_attempts)),
    cause,
    recommendation: isOurs(document) ? advice(cause, document, row) : C_ADVICE[cause],
  };
}

/**
 * Slow allocations among all, 0..100. Refused ones are slow but not counted as allocations, so a class that only
 * refuses is 100% slow; old documents of the C allocator count no allocations at all: null.
 */
export function slowPathPercent(document: StatsDocument, hits: number, allocations: number): number | null {
  if (allocations === 0 && hits > 0 && !isOurs(document)) return null;
  return percentOf(hits, Math.max(hits, allocations));
}

const NO_HITS = "No slow-path hits (all allocations fast)";
const MIXED = "Mixed causes";

/** The C allocator's own words, for its documents: its caches and locks are not ours. */
const C_ADVICE: Readonly<Record<SlowPathCause, string>> = {
  none: NO_HITS,
  epoch_closed: "fix epoch rotation logic",
  out_of_memory: MIXED,
  cache_miss: "consider increasing cache_capacity from 32",
  partial_null: "high contention or empty cache",
  partial_full: "normal churn pattern",
  mixed: MIXED,
};

/** Slabs with fewer objects than this run full so often that the slow path shows in the rates. */
const FEW_OBJECTS = 20;

function advice(cause: SlowPathCause, document: StatsDocument, row: ClassStats): string {
  const perSlab = row.object_size > 0 ? Math.floor(document.slab_bytes / row.object_size) : 0;
  switch (cause) {
    case "none":
      return NO_HITS;
    case "epoch_closed":
      return "fix epoch rotation: objects are requested from an epoch that is closed; allocate without naming an epoch, or enter a domain of the current one";
    case "out_of_memory":
      return "out of memory: raise capacity, or find what holds the slabs (live objects, closed epochs that do not drain)";
    case "cache_miss":
      return "growth: slabs never used before are taken, which is normal until the heap has reached its size; prefault moves the page faults to creation, a larger slabSize takes fewer slabs";
    case "partial_null":
      return "threads have no slab of this class at hand (new epoch, new thread, rarely used class): allocate more per epoch, or advance less often";
    case "partial_full":
      return perSlab > 0 && perSlab < FEW_OBJECTS
        ? `normal churn pattern, often because a slab holds only ${plural(perSlab, "object")} of this size: a larger slabSize makes it rarer`
        : "normal churn pattern: full slabs are exchanged for others";
    case "mixed":
      return MIXED;
  }
}
