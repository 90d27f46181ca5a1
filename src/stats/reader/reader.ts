/** Looking at a heap from any thread, without a seat, a lock or a single store. */
import { InvalidTypeError, InvalidValueError } from "../../allocator/errors.js";
import { loadSeq } from "../../allocator/memory/atomics.js";
import { seatAt } from "../../allocator/memory/layout.js";
import {
  ERA,
  H_CREATED_MS_LO,
  H_HEAP_ID,
  H_NONCE,
  RING_SIZE,
  SEAT_WORD,
} from "../../allocator/memory/offsets.js";
import { processRssBytes } from "../../allocator/memory/process.js";
import { describe } from "../../allocator/memory/size-classes.js";
import { loadWide } from "../../allocator/memory/wide.js";
import { ringOf } from "../../allocator/words/epoch-word.js";
import { SEAT_FREE, seatState } from "../../allocator/words/seat-word.js";
import { add, sumOf } from "../document/count.js";
import type {
  ClassStats,
  EpochStats,
  EraStats,
  HeapStats,
  LargeStats,
  LatencyName,
  LatencyStats,
  StatsDocument,
  WorkerStats,
} from "../document/document.js";
import type { Count } from "../document/field.js";
import { LATENCY_NAMES, SCHEMA_VERSION, STRUCT_VERSION } from "../document/fields.js";
import { classRow, HighWater, largeRow, type Readings, workerRows } from "./classes.js";
import { epochRows, labelRegistry, lastClose } from "./epochs.js";
import { latencyRow } from "./latency.js";
import { osPageBytes, processId, unixNs } from "./runtime.js";
import { readCounts } from "./seats.js";
import { readSlabs } from "./slabs.js";
import { type HeapWords, openWords, type ReaderSource } from "./source.js";

/** Of a heap that is looked at everything is known. */
type KnownHeap = HeapStats & {
  readonly [Name in "warm_slabs" | "warm_bytes" | "resident_bytes"]: NonNullable<HeapStats[Name]>;
};

/** The document's figures about the heap as a whole: everything but the lists. */
export type GlobalStats = Omit<StatsDocument, "classes" | "epochs" | "workers"> & {
  readonly heap: KnownHeap;
};

/** A snapshot of a heap of this package: the parts that other programs' documents may lack are there. */
export type HeapSnapshot = StatsDocument &
  Required<Pick<StatsDocument, "large" | "workers" | "latency">> & { readonly heap: KnownHeap };

/**
 * Reads the statistics of a heap while its threads work. Needs no seat, takes no lock and writes nothing; any number
 * of readers in any threads may look at the same time. Each counter is exact at the moment it is read, is never torn,
 * and never goes back from one snapshot of a reader to the next; the figures of one snapshot are taken within some
 * microseconds of each other, not in one instant.
 *
 * Every method takes a fresh look; take one {@link snapshot} when several figures have to fit together.
 *
 * @example
 * ```ts
 * const reader = StatsReader.open(heap.share()); // or in another thread, with the ref it was sent
 * setInterval(() => console.log(reader.snapshot().heap.live_bytes), 1000);
 * ```
 */
export class StatsReader {
  private readonly words: HeapWords;
  private readonly highWater = new HighWater();

  private constructor(words: HeapWords) {
    this.words = words;
  }

  /**
   * Opens a heap, what its `share()` returned, or its bare buffer. Throws `InvalidTypeError` for anything else and
   * `HeapFormatError` for a buffer that is not a heap of this version.
   */
  static open(source: ReaderSource): StatsReader {
    return new StatsReader(openWords(source));
  }

  /** The whole stats document. Time grows with the heap's slabs and the seats ever taken: see docs/stats.md. */
  snapshot(): HeapSnapshot {
    const timestampNs = unixNs();
    const readings = this.read();
    const { layout } = this.words;
    const classes = layout.sizeClasses.map((_, index) => classRow(readings, index));
    const total = (name: CounterOfClass): number => Number(sumOf(classes, (row) => row[name]));
    const epochs = epochRows(readings, Date.now());
    const large = largeRow(readings);
    const workers = workerRows(readings);
    const netSlabs = total("net_slabs");
    return {
      schema_version: SCHEMA_VERSION,
      timestamp_ns: timestampNs,
      pid: processId(),
      page_size: osPageBytes(),
      epoch_count: RING_SIZE,
      version: STRUCT_VERSION,
      current_epoch: ringOf(loadSeq(this.words.m, ERA)),
      active_epoch_count: epochs.filter((epoch) => epoch.state === "ACTIVE").length,
      closing_epoch_count: epochs.filter((epoch) => epoch.state === "CLOSING" && epoch.opened).length,
      total_slabs_allocated: total("new_slab_count"),
      total_slabs_recycled: total("empty_slab_recycled"),
      net_slabs: netSlabs,
      rss_bytes_current: processRssBytes(),
      estimated_slab_rss_bytes: netSlabs * layout.slabSize,
      total_slow_path_hits: total("slow_path_hits"),
      total_cache_overflows: total("empty_slab_overflowed"),
      total_slow_cache_miss: total("slow_path_cache_miss"),
      total_slow_epoch_closed: total("slow_path_epoch_closed"),
      total_madvise_calls: total("madvise_calls"),
      total_madvise_bytes: total("madvise_bytes"),
      total_madvise_failures: total("madvise_failures"),
      total_bitmap_alloc_cas_retries: total("bitmap_alloc_cas_retries"),
      total_bitmap_free_cas_retries: total("bitmap_free_cas_retries"),
      total_current_partial_cas_failures: total("current_partial_cas_failures"),
      total_bitmap_alloc_attempts: total("bitmap_alloc_attempts"),
      total_bitmap_free_attempts: total("bitmap_free_attempts"),
      total_current_partial_cas_attempts: total("current_partial_cas_attempts"),
      label_registry: labelRegistry(this.words),
      classes,
      epochs,
      slab_bytes: layout.slabSize,
      heap: heapRow(readings, classes, large),
      large,
      workers,
      last_epoch_close_context: lastClose(epochs),
      latency: latencies(readings),
    };
  }

  /** The heap as a whole. */
  global(): GlobalStats {
    const { classes: _classes, epochs: _epochs, workers: _workers, ...rest } = this.snapshot();
    return rest;
  }

  /** One size class. Throws `InvalidValueError` for an index the heap does not have, `InvalidTypeError` for no number. */
  class(index: number): ClassStats {
    this.checkIndex("class index", index, this.words.layout.classCount);
    return classRow(this.read(), index);
  }

  /**
   * Slabs and objects of one size class in the epoch that is in a ring slot now; zeros where it has none.
   * Throws as {@link class}.
   */
  epoch(classIndex: number, epochId: number): EraStats {
    this.checkIndex("class index", classIndex, this.words.layout.classCount);
    this.checkIndex("epoch id", epochId, RING_SIZE);
    const epoch = this.epochs()[epochId] as EpochStats;
    const row = epoch.eras.find((e) => e.epoch_era === epoch.epoch_era && e.class_index === classIndex);
    return (
      row ?? {
        epoch_era: epoch.epoch_era,
        label: epoch.label,
        age_sec: epoch.age_sec,
        class_index: classIndex,
        object_size: this.words.layout.sizeClasses[classIndex] as number,
        total_partial_slabs: 0,
        total_full_slabs: 0,
        total_reclaimable_slabs: 0,
        estimated_rss_bytes: 0,
        live_objects: 0,
        live_bytes: 0,
      }
    );
  }

  /** All ring slots. */
  epochs(): readonly EpochStats[] {
    return epochRows(this.read(), Date.now());
  }

  /** Every seat that is or was taken. */
  workers(): readonly WorkerStats[] {
    return workerRows(this.read());
  }

  /** The seats' counters first, then the slabs: see allocator/counters/slab-counts.ts. */
  private read(): Readings {
    const counts = readCounts(this.words);
    return { words: this.words, counts, slabs: readSlabs(this.words), highWater: this.highWater };
  }

  private checkIndex(what: string, value: unknown, count: number): void {
    const allowed = `StatsReader: ${what} must be a whole number from 0 to ${count - 1}`;
    if (typeof value !== "number") throw new InvalidTypeError(`${allowed}; got ${describe(value)}.`);
    if (Number.isInteger(value) && value >= 0 && value < count) return;
    throw new InvalidValueError(`${allowed}; got ${value}.`);
  }
}

type CounterOfClass = {
  [Name in keyof ClassStats]-?: ClassStats[Name] extends number | bigint ? Name : never;
}[keyof ClassStats];

function heapRow(
  { words, counts, slabs }: Readings,
  classes: readonly ClassStats[],
  large: LargeStats,
): KnownHeap {
  const { m, layout } = words;
  const total = (value: (row: ClassStats) => Count, ofLarge: Count): Count =>
    add(sumOf(classes, value), ofLarge);
  const cell = (name: Parameters<(typeof counts.classes)[number]["of"]>[0]): Count =>
    sumOf(counts.classes, (cells) => cells.of(name));
  let attached = 0;
  for (let seat = 1; seat <= layout.maxWorkers; seat++) {
    if (seatState(loadSeq(m, seatAt(layout, seat) + SEAT_WORD)) !== SEAT_FREE) attached++;
  }
  const createdMs = loadWide(m, H_CREATED_MS_LO);
  return {
    id: heapName(m),
    created_timestamp_ns: BigInt(createdMs) * 1_000_000n,
    capacity_bytes: layout.capacityBytes,
    committed_bytes: (layout.slabCount - slabs.freeSlabs) * layout.slabSize,
    touched_bytes: slabs.touchedSlabs * layout.slabSize,
    live_bytes: total((row) => row.live_bytes, large.live_bytes),
    live_objects: total((row) => row.live_objects, large.live_objects),
    slab_bytes: layout.slabSize,
    slab_count: layout.slabCount,
    free_slabs: slabs.freeSlabs,
    warm_slabs: slabs.warmSlabs,
    warm_bytes: slabs.warmSlabs * layout.slabSize,
    resident_bytes: slabs.residentSlabs * layout.slabSize,
    prefault: layout.prefault,
    orphaned_slabs: slabs.orphanedSlabs,
    max_workers: layout.maxWorkers,
    attached_workers: attached,
    alloc_count: total((row) => row.bitmap_alloc_attempts, large.alloc_count),
    free_count: total((row) => row.bitmap_free_attempts, large.free_count),
    discarded_count: cell("discarded_objects"),
    alloc_failures_out_of_memory: cell("slow_path_out_of_memory"),
    alloc_failures_epoch_closed: cell("slow_path_epoch_closed"),
    ...counts.heap.toObject(),
  };
}

/** Two random numbers drawn when the heap was created. */
function heapName(m: Int32Array): string {
  return [H_HEAP_ID, H_NONCE].map((i) => ((m[i] as number) >>> 0).toString(16).padStart(8, "0")).join("");
}

function latencies({ counts }: Readings): Record<LatencyName, LatencyStats> {
  const rows = LATENCY_NAMES.map((name, which) => [name, latencyRow(counts.histograms[which])]);
  return Object.fromEntries(rows) as Record<LatencyName, LatencyStats>;
}
