/** Documents written by hand: one of ours, and both shapes of the C allocator's with the faults it is known for. */
import type { StatsDocument } from "../../../src/stats/document/document.js";
import { readStats } from "../../../src/stats/document/parse.js";

type Row = Record<string, unknown>;

export const SIZES = [64, 96, 128, 192, 256, 384, 512, 768];
/** 2026-02-07 in nanoseconds: not a number JSON.parse can keep. */
export const REAL_NS = 1770486521361625486n;
/** Five hours after the machine started. */
export const MONOTONIC_NS = 18000123456789n;

const COMMON: Row = {
  schema_version: 1,
  pid: 74916,
  page_size: 4096,
  epoch_count: 16,
  version: 2,
  current_epoch: 10002,
  active_epoch_count: 1,
  closing_epoch_count: 15,
  total_slabs_allocated: 5,
  total_slabs_recycled: 50,
  net_slabs: 0,
  rss_bytes_current: 1441792,
  estimated_slab_rss_bytes: 0,
  total_slow_path_hits: 50,
  total_cache_overflows: 0,
  total_slow_cache_miss: 5,
  total_slow_epoch_closed: 0,
  total_madvise_calls: 50,
  total_madvise_bytes: 204800,
  total_madvise_failures: 0,
};

/** A class whose recycled slabs exceed its new ones, so that the C code's net_slabs is held at 0. */
function classRow(class_index: number, more: Row): Row {
  const busy = class_index === 2;
  return {
    class_index,
    object_size: SIZES[class_index],
    slow_path_hits: busy ? 50 : 0,
    new_slab_count: busy ? 5 : 0,
    list_move_partial_to_full: busy ? 60 : 0,
    list_move_full_to_partial: busy ? 58 : 0,
    current_partial_null: busy ? 10 : 0,
    current_partial_full: busy ? 40 : 0,
    empty_slab_recycled: busy ? 50 : 0,
    empty_slab_overflowed: 0,
    slow_path_cache_miss: busy ? 5 : 0,
    slow_path_epoch_closed: 0,
    madvise_calls: busy ? 50 : 0,
    madvise_bytes: busy ? 204800 : 0,
    madvise_failures: 0,
    cache_size: busy ? 32 : 0,
    cache_capacity: 32,
    cache_overflow_len: 0,
    total_partial_slabs: busy ? 3 : 0,
    total_full_slabs: busy ? 2 : 0,
    recycle_rate_pct: busy ? 100 : 0,
    net_slabs: 0,
    estimated_rss_bytes: 0,
    ...more,
  };
}

/** First shape, after the ring wrapped: slot 2 is current, all others are closed for good. */
export function statsDump(): Row & { classes: Row[]; epochs: Row[] } {
  return {
    ...COMMON,
    timestamp_ns: REAL_NS,
    label_registry: { count: 2, max_labels: 16, labels: { "0": "(unlabeled)", "1": "worker" } },
    classes: SIZES.map((_, i) =>
      classRow(i, {
        version: 2,
        bitmap_alloc_cas_retries: i,
        bitmap_free_cas_retries: 0,
        current_partial_cas_failures: 0,
        bitmap_alloc_attempts: 100,
        bitmap_free_attempts: 90,
        current_partial_cas_attempts: 0,
        lock_fast_acquire: 30,
        lock_contended: 10,
        contention_by_label: { lock_contended: { "0": 4, "1": 6 } },
      }),
    ),
    epochs: Array.from({ length: 16 }, (_, epoch_id) => ({
      epoch_id,
      epoch_era: epoch_id <= 2 ? 10000 + epoch_id : 9984 + epoch_id,
      state: epoch_id === 2 ? "ACTIVE" : "CLOSING",
      age_sec: epoch_id === 12 ? 600 : 0,
      refcount: epoch_id === 12 ? 2 : 0,
      label: epoch_id === 12 ? "background-worker-3" : "",
      total_partial_slabs: epoch_id === 12 ? 3 : 0,
      total_full_slabs: epoch_id === 2 ? 2 : 0,
      total_reclaimable_slabs: epoch_id === 12 ? 4294967262 : 0,
      estimated_rss_bytes: epoch_id === 12 ? 12288 : epoch_id === 2 ? 8192 : 0,
    })),
  };
}

/** Second shape, before the first wrap: epochs 0 to 3 were opened, 3 is current, the leak sits in epoch 1. */
export function benchFile(): Row & { classes: Row[]; epochs: Row[] } {
  const opened = [
    0n,
    MONOTONIC_NS - 90_500_000_000n,
    MONOTONIC_NS - 30_000_000_000n,
    MONOTONIC_NS - 8_000_000n,
  ];
  return {
    ...COMMON,
    timestamp_ns: MONOTONIC_NS,
    current_epoch: 3,
    active_epoch_count: 13,
    closing_epoch_count: 3,
    benchmark_requests_completed: 2000,
    benchmark_objects_allocated: 280000,
    benchmark_objects_freed: 279980,
    benchmark_objects_leaked: 20,
    slowpath_sampling: { enabled: false },
    classes: SIZES.map((_, i) =>
      classRow(i, { bitmap_alloc_attempts: 280000, bitmap_alloc_cas_retries: 70 }),
    ),
    epochs: SIZES.flatMap((object_size, class_index) =>
      Array.from({ length: 16 }, (_, epoch_id) => {
        const leaky = epoch_id === 1 && (class_index === 2 || class_index === 5);
        const since = opened[epoch_id] ?? 0n;
        return {
          class_index,
          object_size,
          epoch_id,
          epoch_era: since === 0n ? 0 : epoch_id,
          state: epoch_id < 3 ? "CLOSING" : "ACTIVE",
          open_since_ns: since,
          alloc_count: epoch_id === 3 ? 1 : 0,
          label: epoch_id === 1 ? "leaky" : "",
          rss_before_close: epoch_id === 1 ? 1000000 : 0,
          rss_after_close: epoch_id === 1 ? 900000 : 0,
          partial_slab_count: leaky ? 4 : 0,
          full_slab_count: leaky ? 1 : 0,
          estimated_rss_bytes: leaky ? 20480 : 0,
          reclaimable_slab_count: leaky ? 2 : 0,
          reclaimable_bytes: leaky ? 8192 : 0,
        };
      }),
    ),
  };
}

/** A small document of ours, complete. */
export function ourDocument(): StatsDocument {
  const dump = statsDump();
  return readStats({
    ...dump,
    current_epoch: 2,
    slab_bytes: 65536,
    heap: {
      id: "h1",
      created_timestamp_ns: REAL_NS - 10_000_000_000n,
      alloc_count: 800,
      capacity_bytes: 16 * 65_536,
      slab_count: 16,
      free_slabs: 4,
      warm_slabs: 2,
      warm_bytes: 131_072,
      resident_bytes: 262_144,
    },
    large: { alloc_count: 3, free_count: 1, live_objects: 2, slabs: 8 },
    workers: [
      { seat: 1, incarnation: 1, state: "LIVE", thread_id: 0, alloc_count: 700 },
      { seat: 2, incarnation: 1, state: "FREE", thread_id: -1, alloc_count: 100 },
    ],
    last_epoch_close_context: {
      timestamp_ns: REAL_NS - 1n,
      rss_delta_bytes: -4096,
      epoch_id: 1,
      epoch_era: 9985,
    },
    latency: {
      alloc: {
        count: 5,
        sum_ns: 500,
        buckets: [
          [0, 1],
          [96, 4],
        ],
      },
    },
    epochs: dump.epochs.map((epoch) => ({
      ...epoch,
      total_reclaimable_slabs: 0,
      opened: true,
      live_objects: epoch.epoch_id === 12 ? 30 : 0,
      eras:
        epoch.epoch_id === 12
          ? [
              {
                epoch_era: epoch.epoch_era,
                class_index: 2,
                object_size: 128,
                total_partial_slabs: 3,
                live_objects: 30,
              },
            ]
          : [],
    })),
  });
}
