/** Fields of the stats document about the heap as a whole, its threads, its large objects and its latencies. */
import { HISTOGRAM_FIELDS } from "../../allocator/counters/fields.js";
import { SEAT_STATES } from "../../allocator/words/seat-word.js";
import { seatCell } from "./cells.js";
import { added, known, type MetricChoice } from "./field.js";

const unlessZero = { metric: { omitZero: true } } as const;
const refused = (reason: string): MetricChoice => ({
  name: "alloc_failures_total",
  labels: { reason },
  help: "Allocations refused, by reason",
});
const invalid = (reason: string): MetricChoice => ({
  name: "invalid_frees_total",
  labels: { reason },
  help: "Frees refused, by what was handed in: the null handle, or a stale or forged one",
});

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
  added("live_objects", "count", "gauge", "objects", "Live objects, large ones included", {
    metric: { name: "live_objects" },
  }),
  added("slab_bytes", "integer", "info", "bytes", "Size of a slab", {
    metric: { skip: "as in the document" },
  }),
  added("slab_count", "integer", "info", "slabs", "Slabs of the heap", { metric: { name: "heap_slabs" } }),
  added("free_slabs", "integer", "gauge", "slabs", "Slabs nobody holds"),
  added(
    "warm_slabs",
    "integer|null",
    "gauge",
    "slabs",
    "Free slabs whose pages may still be resident: what a page releaser could give back",
  ),
  added("warm_bytes", "count|null", "gauge", "bytes", "Bytes of those slabs"),
  added(
    "resident_bytes",
    "count|null",
    "gauge",
    "bytes",
    "Bytes of slabs whose pages may be resident, free or not",
  ),
  added(
    "prefault",
    "boolean",
    "info",
    "",
    "Every page was touched when the heap was created: its free slabs are to stay resident",
  ),
  added(
    "orphaned_slabs",
    "integer",
    "gauge",
    "slabs",
    "Slabs left behind by a thread that nobody adopted yet",
  ),
  added("max_workers", "integer", "info", "", "Seats of the heap", { metric: { name: "max_workers" } }),
  added("attached_workers", "integer", "gauge", "1", "Seats taken now", {
    metric: { name: "attached_workers" },
  }),
  added("alloc_count", "count", "counter", "objects", "Objects allocated, large ones included"),
  added("free_count", "count", "counter", "objects", "Objects freed, large ones included"),
  added("discarded_count", "count", "counter", "objects", "Objects made stale by discarding their epoch"),
  added(
    "alloc_failures_out_of_memory",
    "count",
    "counter",
    "1",
    "Allocations refused because no slab was left",
    { metric: refused("out-of-memory") },
  ),
  added(
    "alloc_failures_epoch_closed",
    "count",
    "counter",
    "1",
    "Allocations refused because the epoch was not open",
    { metric: refused("epoch-closed") },
  ),
  seatCell("invalid_frees_null", invalid("null")),
  seatCell("invalid_frees_stale", invalid("stale")),
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
  added("seat", "integer", "info", "", "Seat, from 1", { metric: { skip: "label of the row's metrics" } }),
  added("incarnation", "integer", "info", "", "How often the seat was taken, modulo 65536", {
    metric: { skip: "a stamp, not an amount" },
  }),
  added("state", "string", "info", "", "FREE, LIVE, SUSPECT or REAPING", {
    values: SEAT_STATES,
  }),
  added("thread_id", "integer", "info", "", "The runtime's thread id; -1 where unknown", {
    minimum: -1,
    metric: { skip: "a name, not an amount" },
  }),
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
  known(
    "rss_before_bytes",
    "count",
    "gauge",
    "bytes",
    "Resident memory before; 0 when not measured",
    unlessZero,
  ),
  known(
    "rss_after_bytes",
    "count",
    "gauge",
    "bytes",
    "Resident memory after; 0 when not measured",
    unlessZero,
  ),
  known(
    "rss_delta_bytes",
    "integer",
    "gauge",
    "bytes",
    "After minus before: negative when memory went back",
    { minimum: Number.MIN_SAFE_INTEGER },
  ),
  known(
    "madvise_bytes",
    "count",
    "gauge",
    "bytes",
    "Bytes released to the kernel during the close, of whatever epoch",
    unlessZero,
  ),
  added("epoch_id", "integer", "info", "", "Ring slot of the epoch", {
    metric: { skip: "a name, not an amount" },
  }),
  added("epoch_era", "integer", "info", "", "Era of the epoch", {
    metric: { skip: "a name, not an amount" },
  }),
] as const;

/** Values of `latency`: one per entry of HISTOGRAM_FIELDS, under its name. */
export const LATENCY_FIELDS = [
  added("count", "count", "counter", "1", "Durations recorded", { metric: { name: "*_count" } }),
  added("sum_ns", "count", "counter", "ns", "Their sum", { metric: { name: "*_sum" } }),
  added("cpu_count", "count", "counter", "1", "Durations whose CPU time was measured too", {
    metric: { name: "sampled_cpu_operations_total", omitZero: true },
  }),
  added("cpu_sum_ns", "count", "counter", "ns", "Their CPU time", {
    metric: { name: "sampled_cpu_seconds_total", omitZero: true },
  }),
  added(
    "buckets",
    "object",
    "counter",
    "1",
    "[lower bound in ns, durations from there up to the next bound], where not 0",
    { metric: { name: "*_bucket" } },
  ),
] as const;

export const LATENCY_NAMES = HISTOGRAM_FIELDS.map((f) => f.name);
