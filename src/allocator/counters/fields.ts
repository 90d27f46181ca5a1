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
 * current slab and allocation counter share one cache line. Owner-only words:
 *   bin + 0  record of the current slab, or of the always-empty dummy slab
 *   bin + 1  first of the partial slabs (linked through SLAB_PARTIAL_NEXT), 0 = none
 */
export const BIN_CURRENT = 0;
export const BIN_PARTIAL = 1;
const BIN_HEADER_WORDS = 4;

export interface CounterField {
  /** Vocabulary name (stats documents use it as JSON key). */
  readonly name: string;
  readonly unit: "1" | "ns" | "bytes";
  readonly help: string;
}

function field(name: string, help: string, unit: CounterField["unit"] = "1"): CounterField {
  return { name, unit, help };
}

/** Per seat and size class; the class after the last one stands for large objects (runs of slabs). */
export const CLASS_FIELDS: readonly CounterField[] = [
  field("bitmap_alloc_attempts", "Objects allocated"),
  field("slow_path_hits", "Allocations that left the fast path"),
  field("current_partial_null", "Slow path because the thread had no current slab of the class"),
  field("current_partial_full", "Slow path because the current slab was full"),
  field("slow_path_collected", "Slow path served by remote frees that were collected"),
  field("slow_path_adopted", "Slow path served by adopting an orphaned slab"),
  field("slow_path_reused", "Slow path served by a recycled slab"),
  field("slow_path_cache_miss", "Slow path that took a slab never used before"),
  field("slow_path_epoch_closed", "Allocations refused because the epoch was not open"),
  field("slow_path_out_of_memory", "Allocations refused because no slab was left"),
  field("new_slab_count", "Slabs claimed, recycled or never used"),
  field("list_move_partial_to_full", "Current slabs that ran full"),
  field("list_move_full_to_partial", "Full slabs that got a free slot"),
  field("empty_slab_recycled", "Empty slabs given back"),
  field(
    "empty_slab_overflowed",
    "Empty slabs given back under memory pressure although their epoch was open",
  ),
  field("madvise_calls", "Page-release calls"),
  field("madvise_bytes", "Bytes released to the kernel", "bytes"),
  field("madvise_failures", "Page-release calls that failed"),
  field("epoch_close_calls", "Closes this thread asked for that reached slabs of the class"),
  field("epoch_close_scanned_slabs", "Slabs looked at because their epoch closed"),
  field("epoch_close_recycled_slabs", "Slabs given back while closing"),
  field("epoch_close_total_ns", "Time spent closing", "ns"),
  field("bitmap_alloc_cas_retries", "Claims of a slab lost to another thread"),
  field("bitmap_free_cas_retries", "Remote frees that lost a race for the slot"),
  field("current_partial_cas_attempts", "Attempts to claim or adopt a slab"),
  field("current_partial_cas_failures", "Attempts to claim or adopt a slab that failed"),
  field("lock_fast_acquire", "Slow-path acquisitions whose first compare-and-swap won"),
  field("lock_contended", "Slow-path acquisitions that had to retry"),
  field("remote_free_count", "Objects of other threads freed by this thread"),
  field("remote_free_collected", "Remote frees taken back into this thread's slabs"),
  field("discarded_objects", "Objects made stale by discarding their epoch"),
  field("adopted_live_objects", "Live objects that came with adopted slabs"),
  field("orphaned_live_objects", "Live objects left behind by detach or death"),
];

/** Per seat and ring slot. */
export const EPOCH_FIELDS: readonly CounterField[] = [
  field("epoch_close_calls", "Closes and discards this thread asked for"),
  field("epoch_close_scanned_slabs", "Slabs looked at because the epoch closed"),
  field("epoch_close_recycled_slabs", "Slabs given back while closing"),
  field("epoch_close_total_ns", "Time spent closing", "ns"),
  field("discarded_objects", "Objects made stale by discarding"),
];

/** Per seat. */
export const SEAT_FIELDS: readonly CounterField[] = [
  field("invalid_frees_null", "free(0)"),
  field("invalid_frees_stale", "Frees of a freed, reused, discarded or forged handle"),
  field("syncs", "Times this thread honoured a phase change"),
  field("deep_syncs", "Syncs that looked for orphans"),
  field("collects", "Slabs scanned for remote frees"),
  field("slab_refills", "Batches of untouched slots linked into a slab's free list"),
  field("confirming_scans", "Full tag scans before answering out-of-memory"),
  field("pressure_requests", "Times this thread asked the others for their empty slabs"),
  field("reaps", "Seats of dead threads recovered"),
  field("advances", "Epochs opened"),
];

function indexOf(fields: readonly CounterField[], firstCell = 0): (name: string) => number {
  return (name) => {
    const i = fields.findIndex((f) => f.name === name);
    if (i < 0) throw new Error(`no counter named ${name}`);
    return firstCell + i * CELL_WORDS;
  };
}

const cls = indexOf(CLASS_FIELDS, BIN_HEADER_WORDS);
const epo = indexOf(EPOCH_FIELDS);
const sea = indexOf(SEAT_FIELDS);

/** Word offsets inside a class shard (from its start, the bin header included). */
export const C_ALLOCS = cls("bitmap_alloc_attempts");
export const C_SLOW = cls("slow_path_hits");
export const C_CURRENT_NULL = cls("current_partial_null");
export const C_CURRENT_FULL = cls("current_partial_full");
export const C_COLLECTED = cls("slow_path_collected");
export const C_ADOPTED = cls("slow_path_adopted");
export const C_REUSED = cls("slow_path_reused");
export const C_CACHE_MISS = cls("slow_path_cache_miss");
export const C_CLOSED = cls("slow_path_epoch_closed");
export const C_OOM = cls("slow_path_out_of_memory");
export const C_NEW_SLAB = cls("new_slab_count");
export const C_TO_FULL = cls("list_move_partial_to_full");
export const C_TO_PARTIAL = cls("list_move_full_to_partial");
export const C_RECYCLED = cls("empty_slab_recycled");
export const C_OVERFLOWED = cls("empty_slab_overflowed");
export const C_MADVISE_CALLS = cls("madvise_calls");
export const C_MADVISE_BYTES = cls("madvise_bytes");
export const C_MADVISE_FAILURES = cls("madvise_failures");
export const C_CLOSE_CALLS = cls("epoch_close_calls");
export const C_CLOSE_SCANNED = cls("epoch_close_scanned_slabs");
export const C_CLOSE_RECYCLED = cls("epoch_close_recycled_slabs");
export const C_CLOSE_NS = cls("epoch_close_total_ns");
export const C_CLAIM_RETRIES = cls("bitmap_alloc_cas_retries");
export const C_FREE_RETRIES = cls("bitmap_free_cas_retries");
export const C_ACQUIRE_TRIES = cls("current_partial_cas_attempts");
export const C_ACQUIRE_FAILS = cls("current_partial_cas_failures");
export const C_FIRST_TRY = cls("lock_fast_acquire");
export const C_CONTENDED = cls("lock_contended");
export const C_REMOTE_FREES = cls("remote_free_count");
export const C_REMOTE_COLLECTED = cls("remote_free_collected");
export const C_DISCARDED = cls("discarded_objects");
export const C_ADOPTED_LIVE = cls("adopted_live_objects");
export const C_ORPHANED_LIVE = cls("orphaned_live_objects");

/** Word offsets inside an epoch shard. */
export const E_CLOSE_CALLS = epo("epoch_close_calls");
export const E_CLOSE_SCANNED = epo("epoch_close_scanned_slabs");
export const E_CLOSE_RECYCLED = epo("epoch_close_recycled_slabs");
export const E_CLOSE_NS = epo("epoch_close_total_ns");
export const E_DISCARDED = epo("discarded_objects");

/** Word offsets inside a seat shard. */
export const S_FREE_NULL = sea("invalid_frees_null");
export const S_FREE_STALE = sea("invalid_frees_stale");
export const S_SYNCS = sea("syncs");
export const S_DEEP_SYNCS = sea("deep_syncs");
export const S_COLLECTS = sea("collects");
export const S_REFILLS = sea("slab_refills");
export const S_CONFIRMING = sea("confirming_scans");
export const S_PRESSURE = sea("pressure_requests");
export const S_REAPS = sea("reaps");
export const S_ADVANCES = sea("advances");

/** Words of one shard, rounded up to whole cache lines so that two seats never share one. */
function shardWords(fields: readonly CounterField[], headerWords = 0): number {
  return Math.ceil((headerWords + fields.length * CELL_WORDS) / 16) * 16;
}
export const CLASS_SHARD_WORDS = shardWords(CLASS_FIELDS, BIN_HEADER_WORDS);
export const EPOCH_SHARD_WORDS = shardWords(EPOCH_FIELDS);
export const SEAT_SHARD_WORDS = shardWords(SEAT_FIELDS);
