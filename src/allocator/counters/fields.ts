/**
 * Every counter of the heap, declared once: name, unit, kind and help. Word offsets, the recording code,
 * the stats reader, JSON, schema, metrics and docs derive from these lists.
 *
 * A counter is a cell of {@link CELL_WORDS} words in a shard that belongs to one seat. Only the thread in
 * that seat writes it (its reaper, when the thread is dead), with plain stores; anybody reads it.
 * Counters only grow and survive the thread: the next holder of the seat goes on counting.
 */

/** lo, high half announced, high half done, unused: see `record.ts`. */
export const CELL_WORDS = 4;

/**
 * A class shard opens with the thread's working state for that class (its "bin"), so that the fast path's
 * current slab and the counters that change most share one cache line. Owner-only words:
 *   bin + 0  record of the current slab, or of the always-empty dummy slab
 *   bin + 1  first of the partial slabs (linked through SLAB_PARTIAL_NEXT), 0 = none
 */
export const BIN_CURRENT = 0;
export const BIN_PARTIAL = 1;
export const BIN_HEADER_WORDS = 4;

// The first three share the bin's cache line: churn on full slabs counts them every few operations.
// Cells of a class shard, counted from its start (the bin header included). Literals, so that the build can
// inline them; a test checks that the field lists below are in the same order without a gap.
export const C_ALLOCS = 4;
export const C_TO_PARTIAL = 8;
export const C_SLOW = 12;
export const C_CURRENT_NULL = 16;
export const C_CURRENT_FULL = 20;
export const C_COLLECTED = 24;
export const C_ADOPTED = 28;
export const C_REUSED = 32;
export const C_CACHE_MISS = 36;
export const C_CLOSED = 40;
export const C_OOM = 44;
export const C_NEW_SLAB = 48;
export const C_TO_FULL = 52;
export const C_RECYCLED = 56;
export const C_OVERFLOWED = 60;
export const C_MADVISE_CALLS = 64;
export const C_MADVISE_BYTES = 68;
export const C_MADVISE_FAILURES = 72;
export const C_CLOSE_CALLS = 76;
export const C_CLOSE_SCANNED = 80;
export const C_CLOSE_RECYCLED = 84;
export const C_CLOSE_NS = 88;
export const C_CLAIM_RETRIES = 92;
export const C_FREE_RETRIES = 96;
export const C_ACQUIRE_TRIES = 100;
export const C_ACQUIRE_FAILS = 104;
export const C_FIRST_TRY = 108;
export const C_CONTENDED = 112;
export const C_REMOTE_FREES = 116;
export const C_REMOTE_COLLECTED = 120;
export const C_DISCARDED = 124;
export const C_ADOPTED_LIVE = 128;
export const C_ORPHANED_LIVE = 132;
export const C_LOCAL_FREES = 136;

/**
 * An epoch shard opens with facts about one era each, the newest of the ring slot that this thread has any about:
 *   shard + 0  era of which it gave slabs back, 0 while the facts are being reset
 *   shard + 1  slabs of that era given back, runs counted by their length
 *   shard + 4  cell: bytes of those slabs released to the kernel
 *   shard + 8  era it closed or discarded, 0 while the facts are being written
 *   shard + 9  committed slabs before and after; then, two words each: Unix ms, RSS before and after, bytes
 *              released to the system meanwhile
 */
export const EF_ERA = 0;
export const EF_RECYCLED = 1;
export const EF_MADVISE_BYTES = 4;
export const EF_CLOSE_ERA = 8;
export const EF_COMMITTED_BEFORE = 9;
export const EF_COMMITTED_AFTER = 10;
export const EF_CLOSE_MS = 11;
export const EF_RSS_BEFORE = 13;
export const EF_RSS_AFTER = 15;
export const EF_CLOSE_MADVISE = 17;
export const EPOCH_HEADER_WORDS = 20;

// Cells of an epoch shard, counted from its start (the facts included).
export const E_CLOSE_CALLS = 20;
export const E_CLOSE_SCANNED = 24;
export const E_CLOSE_RECYCLED = 28;
export const E_CLOSE_NS = 32;
export const E_DISCARDED = 36;

// Cells of a seat shard.
export const S_FREE_NULL = 0;
export const S_FREE_STALE = 4;
export const S_SYNCS = 8;
export const S_DEEP_SYNCS = 12;
export const S_COLLECTS = 16;
export const S_REFILLS = 20;
export const S_CONFIRMING = 24;
export const S_PRESSURE = 28;
export const S_REAPS = 32;
export const S_ADVANCES = 36;

export interface CounterField<Name extends string = string> {
  /** Word offset of its cell inside the shard. */
  readonly cell: number;
  /** Vocabulary name (stats documents use it as JSON key). */
  readonly name: Name;
  readonly unit: "1" | "ns" | "bytes";
  readonly help: string;
}

function field<const Name extends string>(
  cell: number,
  name: Name,
  help: string,
  unit: CounterField["unit"] = "1",
): CounterField<Name> {
  return { cell, name, unit, help };
}

/** What an allocation adds to a slab's SLAB_COUNTS, and a free takes away: see `slab-counts.ts`. */
export const COUNT_ALLOC = 262145; // 2 ** 18 + 1
export const COUNT_FREE = 1;
/** Allocations of a slab between two that leave the fast path; the bits of SLAB_COUNTS that are 0 then. */
export const SAMPLE_INTERVAL = 1024;
export const SAMPLE_MASK = 268173312; // 1023 * 2 ** 18
/** Every fourth of those folds: well below the 2^13 that its 14 bits can tell from a step back. */
export const FOLD_MASK = 1073479680; // 4095 * 2 ** 18

/** Per seat and size class; the class after the last one stands for large objects (runs of slabs). */
export const CLASS_FIELDS = [
  field(C_ALLOCS, "bitmap_alloc_attempts", "Objects allocated"),
  field(C_TO_PARTIAL, "list_move_full_to_partial", "Full slabs that got a free slot"),
  field(C_SLOW, "slow_path_hits", "Allocations that left the fast path"),
  field(
    C_CURRENT_NULL,
    "current_partial_null",
    "Slow path because the thread had no current slab of the class",
  ),
  field(C_CURRENT_FULL, "current_partial_full", "Slow path because the current slab was full"),
  field(C_COLLECTED, "slow_path_collected", "Slow path served by remote frees that were collected"),
  field(C_ADOPTED, "slow_path_adopted", "Slow path served by adopting an orphaned slab"),
  field(C_REUSED, "slow_path_reused", "Slow path served by a recycled slab"),
  field(C_CACHE_MISS, "slow_path_cache_miss", "Slow path that took a slab never used before"),
  field(C_CLOSED, "slow_path_epoch_closed", "Allocations refused because the epoch was not open"),
  field(C_OOM, "slow_path_out_of_memory", "Allocations refused because no slab was left"),
  field(C_NEW_SLAB, "new_slab_count", "Slabs claimed, recycled or never used"),
  field(C_TO_FULL, "list_move_partial_to_full", "Current slabs that ran full"),
  field(C_RECYCLED, "empty_slab_recycled", "Empty slabs given back"),
  field(
    C_OVERFLOWED,
    "empty_slab_overflowed",
    "Empty slabs given back under memory pressure although their epoch was open",
  ),
  field(C_MADVISE_CALLS, "madvise_calls", "Page-release calls"),
  field(C_MADVISE_BYTES, "madvise_bytes", "Bytes released to the kernel", "bytes"),
  field(C_MADVISE_FAILURES, "madvise_failures", "Page-release calls that failed"),
  field(C_CLOSE_CALLS, "epoch_close_calls", "Closes this thread asked for that reached slabs of the class"),
  field(C_CLOSE_SCANNED, "epoch_close_scanned_slabs", "Slabs looked at because their epoch closed"),
  field(C_CLOSE_RECYCLED, "epoch_close_recycled_slabs", "Slabs given back while closing"),
  field(C_CLOSE_NS, "epoch_close_total_ns", "Time spent closing", "ns"),
  field(C_CLAIM_RETRIES, "bitmap_alloc_cas_retries", "Claims of a slab lost to another thread"),
  field(C_FREE_RETRIES, "bitmap_free_cas_retries", "Remote frees that lost a race for the slot"),
  field(C_ACQUIRE_TRIES, "current_partial_cas_attempts", "Attempts to claim or adopt a slab"),
  field(C_ACQUIRE_FAILS, "current_partial_cas_failures", "Attempts to claim or adopt a slab that failed"),
  field(C_FIRST_TRY, "lock_fast_acquire", "Slow-path acquisitions whose first compare-and-swap won"),
  field(C_CONTENDED, "lock_contended", "Slow-path acquisitions that had to retry"),
  field(C_REMOTE_FREES, "remote_free_count", "Objects of other threads freed by this thread"),
  field(C_REMOTE_COLLECTED, "remote_free_collected", "Remote frees taken back into this thread's slabs"),
  field(C_DISCARDED, "discarded_objects", "Objects made stale by discarding their epoch"),
  field(C_ADOPTED_LIVE, "adopted_live_objects", "Live objects that came with adopted slabs"),
  field(C_ORPHANED_LIVE, "orphaned_live_objects", "Live objects left behind by detach or death"),
  field(C_LOCAL_FREES, "local_free_count", "Objects of this thread's own slabs freed by this thread"),
] as const;

/** Per seat and ring slot. */
export const EPOCH_FIELDS = [
  field(E_CLOSE_CALLS, "epoch_close_calls", "Closes and discards this thread asked for"),
  field(E_CLOSE_SCANNED, "epoch_close_scanned_slabs", "Slabs looked at because the epoch closed"),
  field(E_CLOSE_RECYCLED, "epoch_close_recycled_slabs", "Slabs given back while closing"),
  field(E_CLOSE_NS, "epoch_close_total_ns", "Time spent closing", "ns"),
  field(E_DISCARDED, "discarded_objects", "Objects made stale by discarding"),
] as const;

/** Per seat. */
export const SEAT_FIELDS = [
  field(S_FREE_NULL, "invalid_frees_null", "free(0)"),
  field(S_FREE_STALE, "invalid_frees_stale", "Frees of a freed, reused, discarded or forged handle"),
  field(S_SYNCS, "syncs", "Times this thread honoured a phase change"),
  field(S_DEEP_SYNCS, "deep_syncs", "Syncs that looked for orphans"),
  field(S_COLLECTS, "collects", "Slabs scanned for remote frees"),
  field(S_REFILLS, "slab_refills", "Batches of untouched slots linked into a slab's free list"),
  field(S_CONFIRMING, "confirming_scans", "Full tag scans before answering out-of-memory"),
  field(S_PRESSURE, "pressure_requests", "Times this thread asked the others for their empty slabs"),
  field(S_REAPS, "reaps", "Seats of dead threads recovered"),
  field(S_ADVANCES, "advances", "Epochs opened"),
] as const;

/** Words of one shard, rounded up to whole cache lines so that two seats never share one. */
function shardWords(fields: readonly CounterField[], headerWords = 0): number {
  return Math.ceil((headerWords + fields.length * CELL_WORDS) / 16) * 16;
}
export const CLASS_SHARD_WORDS = shardWords(CLASS_FIELDS, BIN_HEADER_WORDS);
export const EPOCH_SHARD_WORDS = shardWords(EPOCH_FIELDS, EPOCH_HEADER_WORDS);
export const SEAT_SHARD_WORDS = shardWords(SEAT_FIELDS);

/** Latency histograms of one seat; see `histogram.ts`. */
export interface HistogramField<Name extends string = string> {
  /** Key in stats documents; metrics are called `<name>_duration_seconds`. */
  readonly name: Name;
  readonly help: string;
}
export const HISTOGRAM_FIELDS = [
  { name: "alloc", help: "Sampled allocations, slow ones included" },
  { name: "slow_path", help: "Sampled allocations that left the fast path" },
  { name: "remote_free", help: "Sampled frees of other threads' objects" },
  { name: "epoch_close", help: "Closes and discards, the calling thread's part" },
  { name: "epoch_lifetime", help: "Time from opening to closing of epochs that were closed or discarded" },
] as const satisfies readonly HistogramField[];
export const HISTOGRAM_ALLOC = 0;
export const HISTOGRAM_SLOW_PATH = 1;
export const HISTOGRAM_REMOTE_FREE = 2;
export const HISTOGRAM_EPOCH_CLOSE = 3;
export const HISTOGRAM_EPOCH_LIFETIME = 4;

/** Four buckets per octave up to 2^49 ns. */
export const HISTOGRAM_BUCKETS = 192;
/** First bucket of a histogram, after count, sum, CPU count and CPU sum. */
export const H_BUCKETS = 16;
/** H_BUCKETS + HISTOGRAM_BUCKETS * CELL_WORDS. */
export const HISTOGRAM_WORDS = 784;
export const HISTOGRAM_SHARD_WORDS = HISTOGRAM_FIELDS.length * HISTOGRAM_WORDS;
