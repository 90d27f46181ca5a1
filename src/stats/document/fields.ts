/**
 * Every field of the stats document, declared once. Reader, JSON, schema, reference and metrics derive from these lists;
 * counters that are cells of the heap take name, unit and help from `allocator/counters/fields.ts`.
 *
 * Order is the order in the document: first that of the C allocator of the same name, then what this package adds.
 */
import {
  CLASS_FIELDS as CLASS_CELLS,
  type CounterField,
  HISTOGRAM_FIELDS,
  SEAT_FIELDS as SEAT_CELLS,
} from "../../allocator/counters/fields.js";
import { added, type Field, known } from "./field.js";

export const SCHEMA_VERSION = 1;
/** Version of the statistics structure (the C allocator writes 2). */
export const STRUCT_VERSION = 2;

const required = { required: true } as const;

type ClassCellName = (typeof CLASS_CELLS)[number]["name"];
type SeatCellName = (typeof SEAT_CELLS)[number]["name"];

function cellField<const Name extends string>(
  cells: readonly CounterField[],
  name: Name,
  inC: boolean,
): Field<Name, "count"> {
  const cell = cells.find((c) => c.name === name) as CounterField;
  return { name, type: "count", kind: "counter", unit: cell.unit, help: cell.help, required: false, inC };
}
const cell = <const Name extends ClassCellName>(name: Name) => cellField(CLASS_CELLS, name, true);
const addedCell = <const Name extends ClassCellName>(name: Name) => cellField(CLASS_CELLS, name, false);
const seatCell = <const Name extends SeatCellName>(name: Name) => cellField(SEAT_CELLS, name, false);

export const TOP_FIELDS = [
  known("schema_version", "integer", "info", "", "Version of this document format", required),
  known("timestamp_ns", "ns", "gauge", "ns", "When the snapshot was taken, since 1970", required),
  known("pid", "integer", "info", "", "Process that took the snapshot; 0 where unknown", required),
  known("page_size", "integer", "info", "bytes", "Page size of the operating system", required),
  known("epoch_count", "integer", "info", "", "Ring slots for epochs", required),
  known("version", "integer", "info", "", "Version of the statistics structure", required),
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
    required,
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
  known("total_bitmap_alloc_cas_retries", "count", "counter", "1", "Claims of a slab lost to another thread"),
  known(
    "total_bitmap_free_cas_retries",
    "count",
    "counter",
    "1",
    "Remote frees that lost a race for the slot",
  ),
  known(
    "total_current_partial_cas_failures",
    "count",
    "counter",
    "1",
    "Attempts to claim or adopt a slab that failed",
  ),
  known("total_bitmap_alloc_attempts", "count", "counter", "objects", "Objects allocated in size classes"),
  known("total_bitmap_free_attempts", "count", "counter", "objects", "Objects of size classes freed"),
  known("total_current_partial_cas_attempts", "count", "counter", "1", "Attempts to claim or adopt a slab"),
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
  known("version", "integer", "info", "", "Version of the statistics structure"),
  known("class_index", "integer", "info", "", "Place of the class, from 0", required),
  known("object_size", "integer", "info", "bytes", "Size of its objects", required),
  cell("slow_path_hits"),
  cell("new_slab_count"),
  cell("list_move_partial_to_full"),
  cell("list_move_full_to_partial"),
  cell("current_partial_null"),
  cell("current_partial_full"),
  cell("empty_slab_recycled"),
  cell("empty_slab_overflowed"),
  cell("slow_path_cache_miss"),
  cell("slow_path_epoch_closed"),
  cell("madvise_calls"),
  cell("madvise_bytes"),
  cell("madvise_failures"),
  cell("epoch_close_calls"),
  cell("epoch_close_scanned_slabs"),
  cell("epoch_close_recycled_slabs"),
  cell("epoch_close_total_ns"),
  cell("bitmap_alloc_cas_retries"),
  cell("bitmap_free_cas_retries"),
  cell("current_partial_cas_failures"),
  cell("bitmap_alloc_attempts"),
  known(
    "bitmap_free_attempts",
    "count",
    "counter",
    "objects",
    "Objects freed, by their owner or another thread",
  ),
  cell("current_partial_cas_attempts"),
  cell("lock_fast_acquire"),
  cell("lock_contended"),
  known(
    "avg_alloc_cas_retries_per_attempt",
    "float",
    "ratio",
    "1",
    "bitmap_alloc_cas_retries / bitmap_alloc_attempts",
  ),
  known(
    "avg_free_cas_retries_per_attempt",
    "float",
    "ratio",
    "1",
    "bitmap_free_cas_retries / bitmap_free_attempts",
  ),
  known(
    "current_partial_cas_failure_rate",
    "float",
    "ratio",
    "1",
    "current_partial_cas_failures / current_partial_cas_attempts",
  ),
  known(
    "lock_contention_rate",
    "float",
    "ratio",
    "1",
    "lock_contended / (lock_fast_acquire + lock_contended)",
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
  known("recycle_rate_pct", "float", "ratio", "percent", "Recycled slabs among those recycled or overflowed"),
  known("net_slabs", "count", "gauge", "slabs", "Slabs the class holds now"),
  known("estimated_rss_bytes", "count", "gauge", "bytes", "net_slabs times the size of a slab"),
  added("committed_bytes", "count", "gauge", "bytes", "Bytes of slabs the class holds now"),
  added("live_objects", "count", "gauge", "objects", "Objects allocated and not freed"),
  added("live_bytes", "count", "gauge", "bytes", "live_objects times the object size"),
  added("empty_slabs_count", "integer", "gauge", "slabs", "Slabs of the class without any live object"),
  addedCell("local_free_count"),
  addedCell("remote_free_count"),
  addedCell("remote_free_collected"),
  addedCell("discarded_objects"),
  addedCell("adopted_live_objects"),
  addedCell("orphaned_live_objects"),
  addedCell("slow_path_collected"),
  addedCell("slow_path_adopted"),
  addedCell("slow_path_reused"),
  addedCell("slow_path_out_of_memory"),
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
  known("epoch_id", "integer", "info", "", "Ring slot", required),
  known("epoch_era", "integer", "info", "", "Stamp of the epoch; (epoch_id, epoch_era) never repeats"),
  known("state", "string", "info", "", "ACTIVE or CLOSING", required),
  known("age_sec", "float", "gauge", "seconds", "Time since the epoch was opened; 0 when it never was"),
  known("refcount", "integer", "gauge", "1", "Domain levels entered and references retained"),
  known("label", "string", "info", "", "Label of the epoch, at most 31 bytes"),
  ...HOLDING_FIELDS,
  added(
    "rss_before_close",
    "count",
    "gauge",
    "bytes",
    "Resident memory of the process before the epoch was closed; 0 when not measured",
  ),
  added(
    "rss_after_close",
    "count",
    "gauge",
    "bytes",
    "Resident memory of the process after the closing thread's part; 0 when not measured",
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
  added("madvise_bytes", "count", "gauge", "bytes", "Bytes of this epoch released to the kernel so far"),
  added(
    "cooperation_pct",
    "float|null",
    "ratio",
    "percent",
    "Heuristic: drop of resident memory over madvise_bytes; null without either",
  ),
  added("opened", "boolean", "info", "", "False for ring slots that never held an epoch"),
  added("discarded", "boolean", "info", "", "The epoch's objects were discarded"),
  added(
    "closed_timestamp_ns",
    "ns",
    "gauge",
    "ns",
    "When the epoch was closed or discarded by a call; 0 when it was not",
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
  ),
  added(
    "oldest_age_sec",
    "float",
    "gauge",
    "seconds",
    "Age of the oldest era that holds live objects or references; 0 when none does",
  ),
  added("eras", "object", "info", "", "Slabs by era and class, newest era first, where there are any"),
] as const;

/** Entries of `epochs[].eras`. */
export const ERA_FIELDS = [
  added("epoch_era", "integer", "info", "", "Era of the slabs"),
  added("class_index", "integer", "info", "", "Size class; -1 for large objects"),
  added("object_size", "integer", "info", "bytes", "Size of the class's objects; 0 for large objects"),
  ...HOLDING_FIELDS,
  added("live_objects", "count", "gauge", "objects", "Live objects in those slabs"),
  added("live_bytes", "count", "gauge", "bytes", "Bytes of those objects' slots"),
] as const;

export const HEAP_FIELDS = [
  added("id", "string", "info", "", "Names the heap: differs after a restart"),
  added("created_timestamp_ns", "ns", "info", "ns", "When the heap was created"),
  added("capacity_bytes", "count", "info", "bytes", "Payload the heap can hold"),
  added("committed_bytes", "count", "gauge", "bytes", "Bytes of slabs in use, large objects included"),
  added(
    "touched_bytes",
    "count",
    "gauge",
    "bytes",
    "Bytes of slabs that were ever used: what may be resident without page release",
  ),
  added("live_bytes", "count", "gauge", "bytes", "Bytes of live objects' slots, large objects included"),
  added("live_objects", "count", "gauge", "objects", "Live objects, large ones included"),
  added("slab_bytes", "integer", "info", "bytes", "Size of a slab"),
  added("slab_count", "integer", "info", "slabs", "Slabs of the heap"),
  added("free_slabs", "integer", "gauge", "slabs", "Slabs nobody holds"),
  added(
    "orphaned_slabs",
    "integer",
    "gauge",
    "slabs",
    "Slabs left behind by a thread that nobody adopted yet",
  ),
  added("max_workers", "integer", "info", "", "Seats of the heap"),
  added("attached_workers", "integer", "gauge", "1", "Seats taken now"),
  added("alloc_count", "count", "counter", "objects", "Objects allocated, large ones included"),
  added("free_count", "count", "counter", "objects", "Objects freed, large ones included"),
  added("discarded_count", "count", "counter", "objects", "Objects made stale by discarding their epoch"),
  added(
    "alloc_failures_out_of_memory",
    "count",
    "counter",
    "1",
    "Allocations refused because no slab was left",
  ),
  added(
    "alloc_failures_epoch_closed",
    "count",
    "counter",
    "1",
    "Allocations refused because the epoch was not open",
  ),
  ...(["invalid_frees_null", "invalid_frees_stale"] as const).map(seatCell),
  seatCell("syncs"),
  seatCell("deep_syncs"),
  seatCell("collects"),
  seatCell("slab_refills"),
  seatCell("confirming_scans"),
  seatCell("pressure_requests"),
  seatCell("reaps"),
  seatCell("advances"),
] as const;

export const LARGE_FIELDS = [
  added("live_objects", "count", "gauge", "objects", "Live large objects"),
  added("live_bytes", "count", "gauge", "bytes", "Bytes of their slabs"),
  added("slabs", "integer", "gauge", "slabs", "Slabs in runs"),
  added("alloc_count", "count", "counter", "objects", "Large objects allocated"),
  added("free_count", "count", "counter", "objects", "Large objects freed"),
  added("failures", "count", "counter", "1", "Large allocations refused for lack of memory"),
  added(
    "discarded_objects",
    "count",
    "counter",
    "objects",
    "Large objects made stale by discarding their epoch",
  ),
  added("slabs_allocated", "count", "counter", "slabs", "Slabs claimed for runs"),
  added("slabs_recycled", "count", "counter", "slabs", "Slabs of runs given back"),
  added("madvise_calls", "count", "counter", "1", "Page-release calls for runs"),
  added("madvise_bytes", "count", "counter", "bytes", "Bytes of runs released to the kernel"),
  added("madvise_failures", "count", "counter", "1", "Page-release calls for runs that failed"),
] as const;

export const WORKER_FIELDS = [
  added("seat", "integer", "info", "", "Seat, from 1"),
  added("incarnation", "integer", "info", "", "How often the seat was taken, modulo 65536"),
  added("state", "string", "info", "", "FREE, LIVE, SUSPECT or REAPING"),
  added("thread_id", "integer", "info", "", "The runtime's thread id; -1 where unknown"),
  added("alloc_count", "count", "counter", "objects", "Objects the seat's threads allocated"),
  added(
    "free_count",
    "count",
    "counter",
    "objects",
    "Objects the seat's threads freed, their own and others'",
  ),
  added(
    "remote_free_count",
    "count",
    "counter",
    "objects",
    "Objects of other threads the seat's threads freed",
  ),
  added(
    "slow_path_hits",
    "count",
    "counter",
    "1",
    "Allocations of the seat's threads that left the fast path",
  ),
  added("owned_slabs", "integer", "gauge", "slabs", "Slabs the seat owns, those of runs included"),
  added("phase_lag", "integer", "gauge", "1", "Changes the thread has not honoured yet"),
] as const;

export const CLOSE_CONTEXT_FIELDS = [
  known("timestamp_ns", "ns", "gauge", "ns", "When the close ended"),
  known("rss_before_bytes", "count", "gauge", "bytes", "Resident memory before; 0 when not measured"),
  known("rss_after_bytes", "count", "gauge", "bytes", "Resident memory after; 0 when not measured"),
  known("rss_delta_bytes", "integer", "gauge", "bytes", "After minus before: negative when memory went back"),
  known("madvise_bytes", "count", "gauge", "bytes", "Bytes of the epoch released to the kernel so far"),
  added("epoch_id", "integer", "info", "", "Ring slot of the epoch"),
  added("epoch_era", "integer", "info", "", "Era of the epoch"),
] as const;

/** Values of `latency`: one per entry of HISTOGRAM_FIELDS, under its name. */
export const LATENCY_FIELDS = [
  added("count", "count", "counter", "1", "Durations recorded"),
  added("sum_ns", "count", "counter", "ns", "Their sum"),
  added("cpu_count", "count", "counter", "1", "Durations whose CPU time was measured too"),
  added("cpu_sum_ns", "count", "counter", "ns", "Their CPU time"),
  added(
    "buckets",
    "object",
    "counter",
    "1",
    "[lower bound in ns, durations from there up to the next bound], where not 0",
  ),
] as const;

export const LATENCY_NAMES = HISTOGRAM_FIELDS.map((f) => f.name);
