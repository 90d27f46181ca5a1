/** What must hold inside any document of a heap at rest, whatever was done to it. */
import type { HeapSnapshot } from "../../../src/stats/index.js";

/** Totals, and the class counter each is the sum of. */
const TOTALS = {
  total_slabs_allocated: "new_slab_count",
  total_slabs_recycled: "empty_slab_recycled",
  net_slabs: "net_slabs",
  estimated_slab_rss_bytes: "estimated_rss_bytes",
  total_slow_path_hits: "slow_path_hits",
  total_cache_overflows: "empty_slab_overflowed",
  total_slow_cache_miss: "slow_path_cache_miss",
  total_slow_epoch_closed: "slow_path_epoch_closed",
  total_madvise_calls: "madvise_calls",
  total_madvise_bytes: "madvise_bytes",
  total_madvise_failures: "madvise_failures",
  total_bitmap_alloc_cas_retries: "bitmap_alloc_cas_retries",
  total_bitmap_free_cas_retries: "bitmap_free_cas_retries",
  total_current_partial_cas_failures: "current_partial_cas_failures",
  total_bitmap_alloc_attempts: "bitmap_alloc_attempts",
  total_bitmap_free_attempts: "bitmap_free_attempts",
  total_current_partial_cas_attempts: "current_partial_cas_attempts",
} as const;

/**
 * What freers count says who freed, not that something was freed. It may miss the free a thread died in, and counts one
 * that came while the owner was ending the object with its epoch.
 */
export const isOfFreers = (text: string): boolean =>
  /frees = local \+ remote|collected <= remote|workers: frees/.test(text);

/** Broken identities, in words. */
export function identitiesOf(document: HeapSnapshot): string[] {
  const found: string[] = [];
  const same = (what: string, a: unknown, b: unknown): void => {
    if (!Object.is(a, b)) found.push(`${what}: ${String(a)} and ${String(b)}`);
  };
  const sum = <Row>(rows: readonly Row[], value: (row: Row) => unknown): number =>
    rows.reduce((total, row) => total + Number(value(row)), 0);
  const { classes, epochs, heap, large, workers, latency } = document;

  for (const [total, counter] of Object.entries(TOTALS) as [
    keyof typeof TOTALS,
    (typeof TOTALS)[keyof typeof TOTALS],
  ][]) {
    same(
      `${total} = sum over classes`,
      document[total],
      sum(classes, (row) => row[counter]),
    );
  }
  for (const key of Object.keys(document).filter((name) => name.startsWith("total_"))) {
    same(`${key} is one of the totals looked at`, key in TOTALS, true);
  }
  for (const row of classes) {
    const name = `class ${row.class_index}`;
    const n = (value: unknown): number => Number(value);
    same(
      `${name}: allocated = freed + discarded + live`,
      n(row.bitmap_alloc_attempts),
      n(row.bitmap_free_attempts) + n(row.discarded_objects) + n(row.live_objects),
    );
    same(
      `${name}: frees = local + remote`,
      n(row.bitmap_free_attempts),
      n(row.local_free_count) + n(row.remote_free_count),
    );
    same(
      `${name}: slabs held = partial + full`,
      row.net_slabs,
      row.total_partial_slabs + row.total_full_slabs,
    );
    same(
      `${name}: slabs held = claimed - given back`,
      row.net_slabs,
      n(row.new_slab_count) - n(row.empty_slab_recycled),
    );
    same(
      `${name}: claimed = never used + used before`,
      n(row.new_slab_count),
      n(row.slow_path_cache_miss) + n(row.slow_path_reused),
    );
    const atMost = (what: string, a: unknown, b: unknown): void =>
      same(`${name}: ${what}`, n(a) <= n(b), true);
    // Others' closes refuse some.
    atMost(
      "claimed + adopted + failures <= attempts",
      n(row.new_slab_count) + n(row.slow_path_adopted) + n(row.current_partial_cas_failures),
      row.current_partial_cas_attempts,
    );
    atMost("adopted <= orphaned", row.adopted_live_objects, row.orphaned_live_objects);
    atMost("collected <= remote frees", row.remote_free_collected, row.remote_free_count);
    atMost("recycled by closing <= recycled", row.epoch_close_recycled_slabs, row.empty_slab_recycled);
    atMost("recycled by closing <= scanned", row.epoch_close_recycled_slabs, row.epoch_close_scanned_slabs);
    atMost("overflowed <= recycled", row.empty_slab_overflowed, row.empty_slab_recycled);
    atMost("empty <= reclaimable", row.cache_size, row.empty_slabs_count);
    same(
      `${name}: recycle rate`,
      row.recycle_rate_pct,
      100 * ratio(row.empty_slab_recycled, n(row.empty_slab_recycled) + n(row.empty_slab_overflowed)),
    );
    const ratios = [
      [row.avg_alloc_cas_retries_per_attempt, row.bitmap_alloc_cas_retries, row.bitmap_alloc_attempts],
      [row.avg_free_cas_retries_per_attempt, row.bitmap_free_cas_retries, row.bitmap_free_attempts],
      [
        row.current_partial_cas_failure_rate,
        row.current_partial_cas_failures,
        row.current_partial_cas_attempts,
      ],
      [row.lock_contention_rate, row.lock_contended, n(row.lock_fast_acquire) + n(row.lock_contended)],
    ];
    for (const [actual, a, b] of ratios) same(`${name}: ratio of ${a} and ${b}`, actual, ratio(a, b));
  }

  const n = Number;
  same(
    "large: allocated = freed + discarded + live",
    n(large.alloc_count),
    n(large.free_count) + n(large.discarded_objects) + n(large.live_objects),
  );
  same(
    "large: slabs held = claimed - given back",
    large.slabs,
    n(large.slabs_allocated) - n(large.slabs_recycled),
  );
  same(
    "heap: allocated = freed + discarded + live",
    n(heap.alloc_count),
    n(heap.free_count) + n(heap.discarded_count) + n(heap.live_objects),
  );
  same(
    "heap: allocations = classes + large",
    heap.alloc_count,
    sum(classes, (row) => row.bitmap_alloc_attempts) + n(large.alloc_count),
  );
  same(
    "heap: frees = classes + large",
    heap.free_count,
    sum(classes, (row) => row.bitmap_free_attempts) + n(large.free_count),
  );
  same(
    "heap: live bytes = classes + large",
    heap.live_bytes,
    sum(classes, (row) => row.live_bytes) + n(large.live_bytes),
  );
  same(
    "heap: committed + free = all",
    n(heap.committed_bytes) + heap.free_slabs * heap.slab_bytes,
    heap.capacity_bytes,
  );
  same(
    "heap: committed = classes + large",
    heap.committed_bytes,
    (document.net_slabs as number) * heap.slab_bytes + large.slabs * heap.slab_bytes,
  );
  same(
    "heap: resident = committed + warm",
    heap.resident_bytes,
    n(heap.committed_bytes) + n(heap.warm_bytes),
  );
  same("heap: bytes of warm slabs", heap.warm_bytes, heap.warm_slabs * heap.slab_bytes);
  same("heap: slabs = capacity", heap.slab_count * heap.slab_bytes, heap.capacity_bytes);
  same(
    "workers: allocations",
    sum(workers, (row) => row.alloc_count),
    heap.alloc_count,
  );
  same(
    "workers: frees",
    sum(workers, (row) => row.free_count),
    heap.free_count,
  );
  same(
    "workers: slabs",
    sum(workers, (row) => row.owned_slabs) + heap.orphaned_slabs,
    heap.slab_count - heap.free_slabs,
  );
  same("workers: attached", workers.filter((row) => row.state !== "FREE").length, heap.attached_workers);

  same("open epochs", epochs.filter((row) => row.state === "ACTIVE").length, document.active_epoch_count);
  same(
    "closed epochs",
    epochs.filter((row) => row.state === "CLOSING" && row.opened).length,
    document.closing_epoch_count,
  );
  same("current epoch is open", epochs[document.current_epoch]?.state, "ACTIVE");
  for (const epoch of epochs) {
    const name = `epoch ${epoch.epoch_id}`;
    const now = epoch.eras.filter((row) => row.epoch_era === epoch.epoch_era);
    const older = epoch.eras.filter((row) => row.epoch_era !== epoch.epoch_era);
    same(
      `${name}: no newer era`,
      older.every((row) => row.epoch_era < epoch.epoch_era),
      true,
    );
    for (const key of [
      "total_partial_slabs",
      "total_full_slabs",
      "total_reclaimable_slabs",
      "estimated_rss_bytes",
      "live_objects",
      "live_bytes",
    ] as const) {
      same(
        `${name}: ${key} = sum over classes`,
        epoch[key],
        sum(now, (row) => row[key]),
      );
    }
    same(
      `${name}: older objects`,
      epoch.older_live_objects,
      sum(older, (row) => row.live_objects),
    );
    same(
      `${name}: older slabs`,
      epoch.older_slabs,
      sum(older, (row) => row.total_partial_slabs + row.total_full_slabs),
    );
    same(
      `${name}: bytes of slabs`,
      epoch.estimated_rss_bytes,
      (epoch.total_partial_slabs + epoch.total_full_slabs) * heap.slab_bytes,
    );
  }
  const eras = epochs.flatMap((epoch) => epoch.eras);
  for (const row of classes) {
    const own = eras.filter((era) => era.class_index === row.class_index);
    same(
      `class ${row.class_index}: live = sum over epochs`,
      row.live_objects,
      sum(own, (era) => era.live_objects),
    );
    same(
      `class ${row.class_index}: full = sum over epochs`,
      row.total_full_slabs,
      sum(own, (era) => era.total_full_slabs),
    );
    same(
      `class ${row.class_index}: partial = sum over epochs`,
      row.total_partial_slabs,
      sum(own, (era) => era.total_partial_slabs),
    );
  }
  const runs = eras.filter((era) => era.class_index === -1);
  same(
    "large: live = sum over epochs",
    large.live_objects,
    sum(runs, (era) => era.live_objects),
  );
  same(
    "large: bytes = sum over epochs",
    large.live_bytes,
    sum(runs, (era) => era.live_bytes),
  );
  for (const [name, row] of Object.entries(latency)) {
    same(
      `latency.${name}: count = sum of buckets`,
      row.count,
      sum(row.buckets, ([, count]) => count),
    );
  }
  return found;
}

function ratio(a: unknown, b: unknown): number {
  return Number(b) === 0 ? 0 : Number(a) / Number(b);
}
