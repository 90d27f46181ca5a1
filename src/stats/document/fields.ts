/**
 * Every field of the stats document, declared once. Reader, JSON, schema, reference and metrics derive from these lists;
 * counters that are cells of the heap take name, unit and help from `allocator/counters/fields.ts`.
 *
 * Order is the order in the document: first that of the C allocator of the same name, then what this package adds.
 */
import { addedCell, cell } from "./cells.js";
import { added, known } from "./field.js";

export {
  CLOSE_CONTEXT_FIELDS,
  HEAP_FIELDS,
  LARGE_FIELDS,
  LATENCY_FIELDS,
  LATENCY_NAMES,
  WORKER_FIELDS,
} from "./heap-fields.js";

export const SCHEMA_VERSION = 1;
/** Version of the statistics structure (the C allocator writes 2). */
export const STRUCT_VERSION = 2;

const required = { required: true } as const;
const inBuildInfo = { metric: { skip: "label of build_info" } } as const;
const perSize = { metric: { skip: "sum of the metric of that name by size class" } } as const;
const perAttempt = { metric: { skip: "a quotient of two counters: see docs/metrics.md" } } as const;
const rowLabel = { metric: { skip: "label of the row's metrics" } } as const;
const unlessZero = { metric: { omitZero: true } } as const;

export const TOP_FIELDS = [
  known("schema_version", "integer", "info", "", "Version of this document format", {
    ...required,
    ...inBuildInfo,
  }),
  known("timestamp_ns", "ns", "gauge", "ns", "When the snapshot was taken, since 1970", {
    ...required,
    metric: { name: "snapshot_timestamp_seconds" },
  }),
  known("pid", "integer", "info", "", "Process that took the snapshot; 0 where unknown", {
    ...required,
    metric: { skip: "a name, not an amount" },
  }),
  known("page_size", "integer", "info", "bytes", "Page size of the operating system", {
    ...required,
    metric: { name: "page_size_bytes" },
  }),
  known("epoch_count", "integer", "info", "", "Ring slots for epochs", {
    ...required,
    minimum: 1,
    // 16 in all that is known; whoever shows a document makes room for each.
    maximum: 4096,
    metric: { name: "epoch_slots" },
  }),
  known("version", "integer", "info", "", "Version of the statistics structure", {
    ...required,
    ...inBuildInfo,
  }),
  known("current_epoch", "integer", "gauge", "", "Ring slot of the epoch that is open", required),
  known("active_epoch_count", "integer", "gauge", "1", "Epochs that are open", required),
  known(
    "closing_epoch_count",
    "integer",
    "gauge",
    "1",
    "Epochs in the ring that were opened and closed again",
    required,
  ),
  known(
    "total_slabs_allocated",
    "count",
    "counter",
    "slabs",
    "Slabs claimed for a size class, recycled or never used",
    required,
  ),
  known("total_slabs_recycled", "count", "counter", "slabs", "Empty slabs given back", required),
  known("net_slabs", "count", "gauge", "slabs", "Slabs that size classes hold now", required),
  known(
    "rss_bytes_current",
    "count",
    "gauge",
    "bytes",
    "Resident memory of the process; 0 where the runtime cannot tell",
    { ...required, metric: { name: "rss_bytes" } },
  ),
  known(
    "estimated_slab_rss_bytes",
    "count",
    "gauge",
    "bytes",
    "net_slabs times the size of a slab",
    required,
  ),
  known("total_slow_path_hits", "count", "counter", "1", "Allocations that left the fast path", required),
  known(
    "total_cache_overflows",
    "count",
    "counter",
    "slabs",
    "Empty slabs given back under memory pressure although their epoch was open",
    required,
  ),
  known(
    "total_slow_cache_miss",
    "count",
    "counter",
    "1",
    "Slow path that took a slab never used before",
    required,
  ),
  known(
    "total_slow_epoch_closed",
    "count",
    "counter",
    "1",
    "Allocations refused because the epoch was not open",
    required,
  ),
  known("total_madvise_calls", "count", "counter", "1", "Page-release calls", required),
  known("total_madvise_bytes", "count", "counter", "bytes", "Bytes released to the kernel", required),
  known("total_madvise_failures", "count", "counter", "1", "Page-release calls that failed", required),
  known(
    "total_bitmap_alloc_cas_retries",
    "count",
    "counter",
    "1",
    "Claims of a slab lost to another thread",
    perSize,
  ),
  known(
    "total_bitmap_free_cas_retries",
    "count",
    "counter",
    "1",
    "Remote frees that lost a race for the slot",
    perSize,
  ),
  known(
    "total_current_partial_cas_failures",
    "count",
    "counter",
    "1",
    "Attempts to claim or adopt a slab that failed",
    perSize,
  ),
  known(
    "total_bitmap_alloc_attempts",
    "count",
    "counter",
    "objects",
    "Objects allocated in size classes",
    perSize,
  ),
  known(
    "total_bitmap_free_attempts",
    "count",
    "counter",
    "objects",
    "Objects of size classes freed",
    perSize,
  ),
  known(
    "total_current_partial_cas_attempts",
    "count",
    "counter",
    "1",
    "Attempts to claim or adopt a slab",
    perSize,
  ),
  known("label_registry", "object", "info", "", "Labels of the epochs in the ring, by number"),
  known("classes", "object", "info", "", "One entry per size class", required),
  known("epochs", "object", "info", "", "One entry per ring slot"),
  added("slab_bytes", "integer", "info", "bytes", "Size of a slab"),
  added("heap", "object", "info", "", "The heap as a whole"),
  added("large", "object", "info", "", "Objects above the largest size class: runs of slabs"),
  added("workers", "object", "info", "", "One entry per seat that is or was taken"),
  added(
    "last_epoch_close_context",
    "object",
    "info",
    "",
    "The latest close of an epoch; null before the first",
  ),
  added("latency", "object", "info", "", "Latency histograms, by operation"),
] as const;

export const CLASS_DOCUMENT_FIELDS = [
  known("version", "integer", "info", "", "Version of the statistics structure", {
    metric: { skip: "as in the document" },
  }),
  known("class_index", "integer", "info", "", "Place of the class, from 0", { ...required, ...rowLabel }),
  known("object_size", "integer", "info", "bytes", "Size of its objects", { ...required, ...rowLabel }),
  cell("slow_path_hits"),
  cell("new_slab_count"),
  cell("list_move_partial_to_full"),
  cell("list_move_full_to_partial"),
  cell("current_partial_null"),
  cell("current_partial_full"),
  cell("empty_slab_recycled"),
  cell("empty_slab_overflowed", { rare: true }),
  cell("slow_path_cache_miss"),
  cell("slow_path_epoch_closed", { rare: true }),
  cell("madvise_calls", { rare: true }),
  cell("madvise_bytes", { rare: true }),
  cell("madvise_failures", { rare: true }),
  cell("epoch_close_calls"),
  cell("epoch_close_scanned_slabs"),
  cell("epoch_close_recycled_slabs"),
  cell("epoch_close_total_ns"),
  cell("bitmap_alloc_cas_retries", { bySize: "also" }),
  cell("bitmap_free_cas_retries", { bySize: "only" }),
  cell("current_partial_cas_failures", { bySize: "also" }),
  cell("bitmap_alloc_attempts", { bySize: "also" }),
  known(
    "bitmap_free_attempts",
    "count",
    "counter",
    "objects",
    "Objects freed, by their owner or another thread",
    { metric: { bySize: "only" } },
  ),
  cell("current_partial_cas_attempts", { bySize: "also" }),
  cell("lock_fast_acquire", { bySize: "only" }),
  cell("lock_contended", { bySize: "also" }),
  known(
    "avg_alloc_cas_retries_per_attempt",
    "float",
    "ratio",
    "1",
    "bitmap_alloc_cas_retries / bitmap_alloc_attempts",
    perAttempt,
  ),
  known(
    "avg_free_cas_retries_per_attempt",
    "float",
    "ratio",
    "1",
    "bitmap_free_cas_retries / bitmap_free_attempts",
    perAttempt,
  ),
  known(
    "current_partial_cas_failure_rate",
    "float",
    "ratio",
    "1",
    "current_partial_cas_failures / current_partial_cas_attempts",
    perAttempt,
  ),
  known(
    "lock_contention_rate",
    "float",
    "ratio",
    "1",
    "lock_contended / (lock_fast_acquire + lock_contended)",
    perAttempt,
  ),
  known(
    "cache_size",
    "integer",
    "gauge",
    "slabs",
    "Empty slabs of the class kept by their owners, ready for use",
  ),
  known(
    "cache_capacity",
    "integer",
    "gauge",
    "slabs",
    "Most empty slabs the class could keep: all of the heap's",
  ),
  known(
    "cache_overflow_len",
    "integer",
    "gauge",
    "slabs",
    "Empty slabs no class holds: given back, pages maybe resident, ready for every class",
  ),
  known("total_partial_slabs", "integer", "gauge", "slabs", "Slabs with a free slot"),
  known("total_full_slabs", "integer", "gauge", "slabs", "Slabs without a free slot"),
  known(
    "recycle_rate_pct",
    "float",
    "ratio",
    "percent",
    "Recycled slabs among those recycled or overflowed",
    { metric: { name: "class_recycle_ratio" } },
  ),
  known("net_slabs", "count", "gauge", "slabs", "Slabs the class holds now"),
  known("estimated_rss_bytes", "count", "gauge", "bytes", "net_slabs times the size of a slab"),
  added("committed_bytes", "count", "gauge", "bytes", "Bytes of slabs the class holds now"),
  added("live_objects", "count", "gauge", "objects", "Objects allocated and not freed"),
  added("live_bytes", "count", "gauge", "bytes", "live_objects times the object size"),
  added("empty_slabs_count", "integer", "gauge", "slabs", "Slabs of the class without any live object", {
    metric: { name: "class_empty_slabs" },
  }),
  addedCell("local_free_count", { skip: "part of bitmap_free_attempts_total" }),
  addedCell("remote_free_count", { rare: true }),
  addedCell("remote_free_collected", { skip: "part of bitmap_free_attempts_total" }),
  addedCell("discarded_objects", { rare: true }),
  addedCell("adopted_live_objects", {
    skip: "came and went with its slab: adopted and orphaned objects are no allocations",
  }),
  addedCell("orphaned_live_objects", {
    skip: "came and went with its slab: adopted and orphaned objects are no allocations",
  }),
  addedCell("slow_path_collected", { rare: true }),
  addedCell("slow_path_adopted", { rare: true }),
  addedCell("slow_path_reused", { rare: true }),
  addedCell("slow_path_out_of_memory", { rare: true }),
] as const;

/** Slabs and objects of one (epoch, class), or of a whole epoch. */
const HOLDING_FIELDS = [
  known("total_partial_slabs", "integer", "gauge", "slabs", "Slabs with a free slot"),
  known(
    "total_full_slabs",
    "integer",
    "gauge",
    "slabs",
    "Slabs without a free slot; those of large objects are full",
  ),
  known("total_reclaimable_slabs", "integer", "gauge", "slabs", "Slabs without any live object"),
  known("estimated_rss_bytes", "count", "gauge", "bytes", "Slabs times the size of a slab"),
] as const;

export const EPOCH_DOCUMENT_FIELDS = [
  known("epoch_id", "integer", "info", "", "Ring slot", { ...required, ...rowLabel }),
  known("epoch_era", "integer", "info", "", "Stamp of the epoch; (epoch_id, epoch_era) never repeats", {
    metric: { skip: "label of epoch_info" },
  }),
  known("state", "string", "info", "", "ACTIVE or CLOSING", {
    required: true,
    values: ["ACTIVE", "CLOSING"],
  }),
  known("age_sec", "float", "gauge", "seconds", "Time since the epoch was opened; 0 when it never was", {
    metric: { skip: "epoch_age_seconds is oldest_age_sec: an idle epoch has no age that matters" },
  }),
  known("refcount", "integer", "gauge", "1", "Domain levels entered and references retained"),
  known("label", "string", "info", "", "Label of the epoch, at most 31 bytes"),
  ...HOLDING_FIELDS,
  added(
    "rss_before_close",
    "count",
    "gauge",
    "bytes",
    "Resident memory of the process before the epoch was closed; 0 when not measured",
    unlessZero,
  ),
  added(
    "rss_after_close",
    "count",
    "gauge",
    "bytes",
    "Resident memory of the process after the closing thread's part; 0 when not measured",
    unlessZero,
  ),
  added("committed_before_close", "count", "gauge", "bytes", "Bytes of slabs in use before the close"),
  added(
    "committed_after_close",
    "count",
    "gauge",
    "bytes",
    "Bytes of slabs in use after the closing thread's part",
  ),
  added("slabs_recycled", "integer", "gauge", "slabs", "Slabs of this epoch given back so far"),
  added(
    "madvise_bytes",
    "count",
    "gauge",
    "bytes",
    "Bytes of this epoch's slabs released to the kernel so far",
    unlessZero,
  ),
  added(
    "close_madvise_bytes",
    "count",
    "gauge",
    "bytes",
    "Bytes released to the kernel during the last close or discard of the epoch, of whatever epoch's slabs",
    unlessZero,
  ),
  added(
    "cooperation_pct",
    "float|null",
    "ratio",
    "percent",
    "Heuristic: drop of resident memory around the close over close_madvise_bytes; null without either",
    { metric: { name: "epoch_cooperation_ratio" } },
  ),
  added("opened", "boolean", "info", "", "False for ring slots that never held an epoch", {
    metric: { skip: "ring slots without an epoch have no rows" },
  }),
  added("discarded", "boolean", "info", "", "The epoch's objects were discarded"),
  added(
    "closed_timestamp_ns",
    "ns",
    "gauge",
    "ns",
    "When the epoch was closed or discarded by a call; 0 when it was not",
    unlessZero,
  ),
  added("live_objects", "count", "gauge", "objects", "Live objects of exactly this epoch"),
  added("live_bytes", "count", "gauge", "bytes", "Bytes of those objects' slots"),
  added(
    "older_slabs",
    "integer",
    "gauge",
    "slabs",
    "Slabs of older eras of the ring slot that are not drained yet",
  ),
  added("older_live_objects", "count", "gauge", "objects", "Live objects of older eras of the ring slot"),
  added(
    "oldest_era",
    "integer",
    "gauge",
    "",
    "Oldest era of the ring slot that has live objects; 0 when none has",
    unlessZero,
  ),
  added(
    "oldest_age_sec",
    "float",
    "gauge",
    "seconds",
    "Age of the oldest era that holds live objects or references; 0 when none does",
    { metric: { name: "epoch_age_seconds" } },
  ),
  added("eras", "object", "info", "", "Slabs by era and class, newest era first, where there are any"),
] as const;

/** Entries of `epochs[].eras`. */
export const ERA_FIELDS = [
  added("epoch_era", "integer", "info", "", "Era of the slabs"),
  added("label", "string", "info", "", "Label of that era, where it is still known"),
  added("age_sec", "float", "gauge", "seconds", "Time since that era was opened; 0 where unknown"),
  added("class_index", "integer", "info", "", "Size class; -1 for large objects", { minimum: -1 }),
  added("object_size", "integer", "info", "bytes", "Size of the class's objects; 0 for large objects"),
  ...HOLDING_FIELDS,
  added("live_objects", "count", "gauge", "objects", "Live objects in those slabs"),
  added("live_bytes", "count", "gauge", "bytes", "Bytes of those objects' slots"),
] as const;
