/** Compares a stats document with what the world counted and with the tags and slot words, field by field. */
import { threadId } from "node:worker_threads";
import { PHASE, SEAT_PHASE, seatAt } from "../../../src/allocator/memory/layout.js";
import type {
  ClassStats,
  EpochStats,
  EraStats,
  HeapSnapshot,
  StatsDocument,
} from "../../../src/stats/index.js";
import { FIRST_ERA, ringOf } from "../../model/oracle.js";
import { identitiesOf } from "./identities.js";
import type { ClassTally } from "./ledger.js";
import { type Kept, sumKept, type Truth } from "./truth.js";
import type { World } from "./world.js";

const RING = 16;

class Comparison {
  readonly found: string[] = [];

  /** Compares the fields that `expected` has. */
  rows(path: string, actual: object, expected: Readonly<Record<string, unknown>>): void {
    for (const [key, value] of Object.entries(expected)) {
      this.same(`${path}${path === "" ? "" : "."}${key}`, (actual as Record<string, unknown>)[key], value);
    }
  }

  same(path: string, actual: unknown, expected: unknown): void {
    if (!Object.is(actual, expected))
      this.found.push(`${path} is ${String(actual)}, not ${String(expected)}`);
  }
}

/** Everything in the document that the operations so far do not account for, in words. */
export function differences(world: World, document: HeapSnapshot): string[] {
  const comparison = new Comparison();
  const truth = world.truth();
  for (const fault of world.pages.faults) comparison.same(fault, "happened", "not so");
  expectTop(comparison, world, document, truth);
  world.first.sizeClasses.forEach((_, index) => {
    expectClass(comparison, world, document.classes[index], index, truth);
  });
  expectLarge(comparison, world, document, truth);
  expectHeap(comparison, world, document, truth);
  expectWorkers(comparison, world, document, truth);
  document.epochs.forEach((epoch, ring) => {
    expectEpoch(comparison, world, epoch, ring, truth);
  });
  expectLastClose(comparison, document);
  expectLabels(comparison, world, document);
  expectLatency(comparison, world, document);
  // Objects of a discarded epoch count as discarded at once or when their owner ends them, but are live no more.
  const pending = pendingDiscards(truth.kept) > 0;
  const identities = identitiesOf(document).filter(
    (text) => !pending || !text.includes("+ discarded + live"),
  );
  return [...comparison.found, ...identities];
}

/** Objects of discarded eras that their owners have not ended yet. */
function pendingDiscards(kept: readonly Kept[]): number {
  return kept.reduce((sum, { allocated, live }) => sum + allocated - live, 0);
}

function expectDiscards(
  c: Comparison,
  path: string,
  actual: unknown,
  all: number,
  kept: readonly Kept[],
): void {
  const ended = all - pendingDiscards(kept);
  if (actual !== ended) c.same(path, actual, all);
}

const sumOver = (world: World, pick: (tally: ClassTally) => number): number =>
  world.classes.reduce((sum, tally) => sum + pick(tally), 0);

function expectTop(c: Comparison, world: World, document: HeapSnapshot, truth: Truth): void {
  const { first: heap, oracle } = world;
  const netSlabs = sumKept(truth, heap.slabSize, (kept) => kept.classIndex < heap.sizeClasses.length).slabs;
  c.rows("", document, {
    schema_version: 1,
    version: 2,
    pid: process.pid,
    page_size: 4096,
    epoch_count: RING,
    current_epoch: ringOf(oracle.newest),
    active_epoch_count: 1,
    closing_epoch_count: Math.min(RING - 1, oracle.newest - FIRST_ERA),
    net_slabs: netSlabs,
    estimated_slab_rss_bytes: netSlabs * heap.slabSize,
    slab_bytes: heap.slabSize,
  });
  c.same("classes", document.classes.length, heap.sizeClasses.length);
  c.same("epochs", document.epochs.length, RING);
}

function expectClass(c: Comparison, world: World, row: ClassStats, index: number, truth: Truth): void {
  const { first: heap, pages } = world;
  const size = heap.sizeClasses[index];
  const tally = world.classes[index];
  const held = sumKept(truth, heap.slabSize, (kept) => kept.classIndex === index);
  const path = `classes[${index}]`;
  c.rows(path, row, {
    version: 2,
    class_index: index,
    object_size: size,
    bitmap_alloc_attempts: tally.allocs,
    bitmap_free_attempts: tally.frees,
    local_free_count: tally.frees - tally.remoteFrees,
    remote_free_count: tally.remoteFrees,
    remote_free_collected: tally.remoteFrees - held.remoteFreed,
    orphaned_live_objects: tally.orphanedLive,
    slow_path_out_of_memory: tally.outOfMemory,
    slow_path_epoch_closed: tally.epochClosed,
    bitmap_free_cas_retries: 0,
    epoch_close_calls: world.closeCalls,
    cache_size: held.empty,
    cache_capacity: heap.capacity / heap.slabSize,
    total_partial_slabs: held.partial,
    total_full_slabs: held.full,
    net_slabs: held.slabs,
    estimated_rss_bytes: held.slabs * heap.slabSize,
    committed_bytes: held.slabs * heap.slabSize,
    live_objects: held.live,
    live_bytes: held.live * size,
    empty_slabs_count: held.reclaimable,
    madvise_calls: pages.ofClass(index).calls,
    madvise_bytes: pages.ofClass(index).bytes,
    madvise_failures: pages.ofClass(index).failures,
    empty_slab_recycled: pages.ofClass(index).slabs,
  });
  const kept = truth.kept.filter(({ classIndex }) => classIndex === index);
  expectDiscards(c, `${path}.discarded_objects`, row.discarded_objects, tally.discarded, kept);
  // In one thread nobody's claim is refused because the epoch was closed meanwhile.
  c.same(
    `${path}.current_partial_cas_attempts`,
    row.current_partial_cas_attempts,
    Number(row.new_slab_count) + Number(row.slow_path_adopted) + Number(row.current_partial_cas_failures),
  );
  const freeSlabs = [...world.touched].filter((slab) => !truth.used.includes(slab)).length;
  c.same(`${path}.cache_overflow_len`, row.cache_overflow_len, freeSlabs);
}

function expectLarge(c: Comparison, world: World, { large }: HeapSnapshot, truth: Truth): void {
  const { first: heap, pages } = world;
  const classIndex = heap.sizeClasses.length;
  const tally = world.classes[classIndex];
  const held = sumKept(truth, heap.slabSize, (kept) => kept.classIndex === classIndex);
  c.rows("large", large, {
    live_objects: held.live,
    live_bytes: runBytes(truth.kept, heap),
    slabs: held.slabs,
    alloc_count: tally.allocs,
    free_count: tally.frees,
    failures: tally.outOfMemory,
    madvise_calls: pages.ofClass(classIndex).calls,
    madvise_bytes: pages.ofClass(classIndex).bytes,
    madvise_failures: pages.ofClass(classIndex).failures,
    slabs_recycled: pages.ofClass(classIndex).slabs,
  });
  const kept = truth.kept.filter((each) => each.classIndex === classIndex);
  expectDiscards(c, "large.discarded_objects", large.discarded_objects, tally.discarded, kept);
}

/** Bytes of the runs among `kept` that hold a live object. */
function runBytes(kept: readonly Kept[], heap: World["first"]): number {
  const runs = kept.filter(({ classIndex, live }) => classIndex === heap.sizeClasses.length && live > 0);
  return runs.reduce((sum, { slabs }) => sum + slabs * heap.slabSize, 0);
}

function expectHeap(c: Comparison, world: World, document: HeapSnapshot, truth: Truth): void {
  const { first: heap, oracle, pages } = world;
  const warm = [...pages.resident].filter((slab) => !truth.used.includes(slab)).length;
  const slabCount = heap.capacity / heap.slabSize;
  const liveBytes = truth.kept.reduce(
    (sum, { classIndex, live: n }) => sum + n * (heap.sizeClasses[classIndex] ?? 0),
    0,
  );
  const orphaned = truth.kept.filter((kept) => kept.orphaned).reduce((sum, { slabs }) => sum + slabs, 0);
  c.rows("heap", document.heap, {
    created_timestamp_ns: BigInt(world.createdMs) * 1_000_000n,
    capacity_bytes: heap.capacity,
    committed_bytes: truth.used.length * heap.slabSize,
    touched_bytes: world.touched.size * heap.slabSize,
    live_bytes: liveBytes + runBytes(truth.kept, heap),
    live_objects: oracle.liveCount,
    slab_bytes: heap.slabSize,
    slab_count: slabCount,
    free_slabs: slabCount - truth.used.length,
    warm_slabs: warm,
    warm_bytes: warm * heap.slabSize,
    resident_bytes: (truth.used.length + warm) * heap.slabSize,
    prefault: heap._a.layout.prefault,
    orphaned_slabs: orphaned,
    max_workers: heap._a.layout.maxWorkers,
    attached_workers: world.seats.length,
    alloc_count: sumOver(world, (t) => t.allocs),
    free_count: sumOver(world, (t) => t.frees),
    alloc_failures_out_of_memory: sumOver(world, (t) => t.outOfMemory),
    alloc_failures_epoch_closed: sumOver(world, (t) => t.epochClosed),
    invalid_frees_null: world.nullFrees,
    invalid_frees_stale: world.staleFrees,
    reaps: world.reaps,
    advances: oracle.newest - FIRST_ERA,
  });
  const discarded = sumOver(world, (t) => t.discarded);
  expectDiscards(c, "heap.discarded_count", document.heap.discarded_count, discarded, truth.kept);
}

function expectWorkers(c: Comparison, world: World, { workers }: HeapSnapshot, truth: Truth): void {
  const { m, layout } = world.first._a;
  c.same("workers", workers.map((row) => row.seat).join(), [...world.bySeat.keys()].sort().join());
  for (const row of workers) {
    const tally = world.bySeat.get(row.seat);
    const holder = world.seats.find((seat) => seat.seat === row.seat);
    const attachments = world.attachments.filter((a) => a.seat === row.seat);
    const owned = truth.kept.filter(({ owner }) => owner === row.seat);
    c.rows(`workers[seat ${row.seat}]`, row, {
      incarnation: attachments[attachments.length - 1].incarnation,
      state: holder === undefined ? "FREE" : "LIVE",
      thread_id: holder === undefined ? -1 : threadId,
      alloc_count: tally?.allocs,
      free_count: tally?.frees,
      remote_free_count: tally?.remoteFrees,
      slow_path_hits: attachments.reduce((sum, a) => sum + a.slowHits, 0),
      owned_slabs: owned.reduce((sum, { slabs }) => sum + slabs, 0),
      phase_lag: holder === undefined ? 0 : m[PHASE] - m[seatAt(layout, row.seat) + SEAT_PHASE],
    });
  }
}

function ageOf(openedMs: number | undefined): number {
  return openedMs === undefined ? 0 : (Date.now() - openedMs) / 1000;
}

function expectEpoch(c: Comparison, world: World, row: EpochStats, ring: number, truth: Truth): void {
  const { first: heap, oracle, pages } = world;
  const { slabSize } = heap;
  const era = oracle.eraIn(ring);
  const opened = era >= FIRST_ERA;
  const here = truth.kept.filter((kept) => ringOf(kept.era) === ring);
  const now = sumKept(truth, slabSize, (kept) => kept.era === era);
  const older = sumKept(truth, slabSize, (kept) => ringOf(kept.era) === ring && kept.era !== era);
  const ageSec = ageOf(world.openedMs.get(era));
  const refcount = oracle.refcount(era);
  const inUse = here.filter((kept) => kept.live > 0).map((kept) => kept.era);
  const oldestEra = inUse.length === 0 ? 0 : Math.min(...inUse);
  const path = `epochs[${ring}]`;
  c.rows(path, row, {
    epoch_id: ring,
    epoch_era: era,
    state: era === oracle.newest ? "ACTIVE" : "CLOSING",
    age_sec: opened ? ageSec : 0,
    refcount,
    label: world.labelOf(ring),
    opened,
    discarded: oracle.isDiscarded(era),
    total_partial_slabs: now.partial,
    total_full_slabs: now.full,
    total_reclaimable_slabs: now.reclaimable,
    estimated_rss_bytes: now.slabs * slabSize,
    live_objects: now.live,
    live_bytes: bytesOf(
      here.filter((kept) => kept.era === era),
      heap,
    ),
    older_slabs: older.slabs,
    older_live_objects: older.live,
    oldest_era: oldestEra,
    oldest_age_sec: Math.max(eraAge(world, oldestEra, era), refcount > 0 ? ageSec : 0),
    slabs_recycled: pages.ofEra(era).slabs,
    madvise_bytes: pages.ofEra(era).bytes,
  });
  const close = world.closes.get(era);
  c.rows(path, row, {
    closed_timestamp_ns: BigInt(close?.atMs ?? 0) * 1_000_000n,
    committed_before_close: (close?.before ?? 0) * slabSize,
    committed_after_close: (close?.after ?? 0) * slabSize,
    close_madvise_bytes: close?.released ?? 0,
  });
  const released = close?.released ?? 0;
  const cooperation =
    released > 0 && Number(row.rss_before_close) > 0
      ? ((Number(row.rss_before_close) - Number(row.rss_after_close)) * 100) / released
      : null;
  c.same(`${path}.cooperation_pct`, row.cooperation_pct, cooperation);
  expectEras(c, world, row, here);
}

function bytesOf(kept: readonly Kept[], heap: World["first"]): number {
  return (
    kept.reduce((sum, k) => sum + k.live * (heap.sizeClasses[k.classIndex] ?? 0), 0) + runBytes(kept, heap)
  );
}

/** Slabs keep the opening of their era in whole seconds, for when the ring slot has gone on. */
function eraAge(world: World, era: number, current: number): number {
  const openedMs = world.openedMs.get(era);
  if (openedMs === undefined) return 0;
  return ageOf(era === current ? openedMs : Math.floor(openedMs / 1000) * 1000);
}

function expectEras(c: Comparison, world: World, epoch: EpochStats, here: readonly Kept[]): void {
  const { first: heap } = world;
  const groups = new Map<string, Kept[]>();
  const ordered = [...here].sort((a, b) => b.era - a.era || a.classIndex - b.classIndex);
  for (const kept of ordered) {
    const key = `${kept.era}/${kept.classIndex}`;
    groups.set(key, [...(groups.get(key) ?? []), kept]);
  }
  const path = `epochs[${epoch.epoch_id}].eras`;
  const name = (row: EraStats): string =>
    `${row.epoch_era}/${row.class_index < 0 ? heap.sizeClasses.length : row.class_index}`;
  c.same(path, epoch.eras.map(name).join(), [...groups.keys()].join());
  for (const row of epoch.eras) {
    const kept = groups.get(name(row)) ?? [];
    const sum = sumKept({ kept, used: [] }, heap.slabSize, () => true);
    c.rows(`${path}[${name(row)}]`, row, {
      object_size: heap.sizeClasses[row.class_index] ?? 0,
      age_sec: eraAge(world, row.epoch_era, epoch.epoch_era),
      total_partial_slabs: sum.partial,
      total_full_slabs: sum.full,
      total_reclaimable_slabs: sum.reclaimable,
      estimated_rss_bytes: sum.slabs * heap.slabSize,
      live_objects: sum.live,
      live_bytes: bytesOf(kept, heap),
    });
    const known = world.labelsOfEra.get(row.epoch_era);
    const right =
      row.epoch_era === epoch.epoch_era
        ? row.label === epoch.label
        : row.label === "" || row.label === "(other)" || known?.has(row.label) === true;
    c.same(`${path}[${name(row)}]: label "${row.label}" is one of that era`, right, true);
  }
}

function expectLastClose(c: Comparison, document: StatsDocument): void {
  const last = document.epochs.reduce((a, b) => (b.closed_timestamp_ns > a.closed_timestamp_ns ? b : a));
  const at = last.closed_timestamp_ns;
  const context = document.last_epoch_close_context;
  if (at === 0n || context === null || context === undefined) {
    c.same("last_epoch_close_context", context, at === 0n ? null : "an object");
    return;
  }
  c.rows("last_epoch_close_context", context, {
    timestamp_ns: at,
    rss_before_bytes: last.rss_before_close,
    rss_after_bytes: last.rss_after_close,
    rss_delta_bytes: Number(last.rss_after_close) - Number(last.rss_before_close),
    madvise_bytes: last.close_madvise_bytes,
    epoch_id: last.epoch_id,
    epoch_era: last.epoch_era,
  });
}

function expectLabels(c: Comparison, world: World, { label_registry: registry }: StatsDocument): void {
  const numbered = ["(unlabeled)", ...world.distinctLabels.slice(0, 14)];
  if (numbered.length === 15) numbered.push("(other)");
  c.same("label_registry.count", registry.count, numbered.length);
  c.same("label_registry.labels", JSON.stringify(registry.labels), JSON.stringify({ ...numbered }));
}

function expectLatency(c: Comparison, world: World, { latency, classes }: HeapSnapshot): void {
  const closing = classes.reduce((sum, row) => sum + Number(row.epoch_close_total_ns), 0);
  c.rows("latency.epoch_close", latency.epoch_close, { count: world.closeCalls, sum_ns: closing });
  c.same("latency.epoch_lifetime.count", latency.epoch_lifetime.count, world.lifetimes);
  for (const name of ["alloc", "slow_path", "remote_free"] as const) {
    c.same(`latency.${name}.count`, latency[name].count, 0);
  }
}
