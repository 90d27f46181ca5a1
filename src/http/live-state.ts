/** What the live page shows: one small document a second, made of one stats document and the one before it. */
import {
  type ClassStats,
  type Count,
  deltaInOrder,
  doctor,
  type EpochStats,
  type Finding,
  type HealthIssue,
  type HealthStatus,
  type HealthThresholds,
  health,
  type Rate,
  type StatsDocument,
} from "../stats/index.js";
import { checkOptionKeys } from "../threads/index.js";

/** The data of one `state` event of `/events`. Plain JSON: counts beyond 2^53 - 1 are rounded. */
export interface LiveState {
  readonly version: 1;
  /** When the snapshot was taken, Unix time; for documents of the C allocator whatever clock they use. */
  readonly timestampMs: number;
  /** Differs after a restart. */
  readonly heapId: string;
  /** 0: not known. */
  readonly pid: number;
  /** Age of the heap; null: the document does not say. */
  readonly uptimeSec: number | null;
  /** Which allocator the document is of. */
  readonly source: "temporal-slab" | "c";
  readonly health: LiveHealth;
  readonly heap: LiveHeap;
  /** Ring slots; as many as `epochs` has. */
  readonly epochCount: number;
  readonly currentEpoch: number;
  /** One per ring slot, by id. */
  readonly epochs: readonly LiveEpoch[];
  readonly classes: readonly LiveClass[];
  /** Slabs: rows follow `classes`, columns the ring slots; all eras of a slot added up. */
  readonly slabMap: readonly (readonly number[])[];
  /** Live objects, likewise. */
  readonly slabMapLive: readonly (readonly number[])[];
  /** Null in the first state, after a restart, and where two documents cannot be compared. */
  readonly rates: LiveRates | null;
  /** The largest, at most 10. */
  readonly leaks: readonly LiveLeak[];
  /** How many leaks there are, listed or not. */
  readonly leakCount: number;
}

export interface LiveHealth {
  readonly status: HealthStatus;
  readonly live: boolean;
  readonly ready: boolean;
  readonly issues: readonly HealthIssue[];
}

/** null: the document does not say. */
export interface LiveHeap {
  readonly capacityBytes: number | null;
  readonly committedBytes: number;
  readonly liveBytes: number;
  readonly liveObjects: number;
  readonly slabBytes: number;
  readonly slabCount: number | null;
  readonly freeSlabs: number | null;
  /** Bytes of slabs whose pages may be resident, and of those among them that are free. */
  readonly residentBytes: number | null;
  readonly warmBytes: number | null;
  readonly attachedWorkers: number | null;
  /** Of the whole process; 0: not known. */
  readonly rssBytes: number;
}

export interface LiveEpoch {
  /** Ring slot. */
  readonly id: number;
  readonly era: number;
  /** UNUSED: the slot never held an epoch. */
  readonly state: "ACTIVE" | "CLOSING" | "UNUSED";
  /** The epoch that is open. */
  readonly current: boolean;
  readonly discarded: boolean;
  readonly ageSec: number;
  /** The application's own text, control characters included. */
  readonly label: string;
  readonly refcount: number;
  /** Slabs and objects of exactly this era. */
  readonly slabs: number;
  readonly partialSlabs: number;
  readonly fullSlabs: number;
  readonly reclaimableSlabs: number;
  readonly bytes: number;
  readonly liveObjects: number;
  /** Of older eras of the slot. */
  readonly olderLiveObjects: number;
  /** Age of the oldest era of the slot that holds objects or references; 0: none does. */
  readonly oldestAgeSec: number;
}

export interface LiveClass {
  /** -1: large objects; in documents of the C allocator, slabs whose class is not known. There when it has slabs. */
  readonly index: number;
  /** 0 where `index` is -1. */
  readonly objectSize: number;
}

/** Per second, over the time since the state before. */
export interface LiveRates {
  /** That time. */
  readonly seconds: number;
  readonly allocsPerSec: number;
  readonly freesPerSec: number;
  readonly remoteFreesPerSec: number;
  readonly slowPathPerSec: number;
  /** Why; causes overlap. */
  readonly slowPathByCause: Readonly<Record<LiveSlowPathCause, number>>;
  readonly closesPerSec: number;
  /** Slabs given back among those looked at by the closes of the interval; null: there was none. */
  readonly closeYieldPct: number | null;
}

export type LiveSlowPathCause =
  | "cacheMiss"
  | "epochClosed"
  | "partialNull"
  | "partialFull"
  | "collected"
  | "adopted"
  | "reused"
  | "outOfMemory";

/** One epoch that holds what it should not. */
export interface LiveLeak {
  /** domain: somebody is still inside; object: nobody is, but objects were never freed. */
  readonly kind: "domain" | "object";
  readonly epochId: number;
  readonly era: number;
  readonly label: string;
  readonly ageSec: number;
  readonly refcount: number;
  readonly liveObjects: number;
  readonly bytes: number;
  /** As `doctor` says it. */
  readonly sentence: string;
  readonly action: string;
}

export interface LiveStateOptions {
  /** When something counts as not healthy; `leakThresholdSec` also for `leaks`. */
  readonly thresholds?: Partial<HealthThresholds>;
  /** What health is judged since; default: the previous document. */
  readonly baseline?: StatsDocument | undefined;
}

const MOST_LEAKS = 10;
const DEFAULT_LEAK_SEC = 60;

/**
 * The state to show for `document`. `previous`: the document of the state before, for rates and health; without it
 * rates are null and health is judged over the heap's whole life. Throws {@link InvalidTypeError} for anything that is
 * no stats document, and for wrong thresholds what `health` does.
 */
export function liveState(
  document: StatsDocument,
  previous?: StatsDocument,
  options: LiveStateOptions = {},
): LiveState {
  const given: LiveStateOptions = checkOptionKeys("liveState", options, ["thresholds", "baseline"]);
  const { thresholds = {}, baseline = previous } = given;
  const report = health(document, thresholds, baseline);
  const { status, live, ready, issues } = report;
  const found = leaksOf(document, thresholds.leakThresholdSec ?? DEFAULT_LEAK_SEC);
  const epochs = epochsOf(document);
  return {
    version: 1,
    timestampMs: Number(document.timestamp_ns / 1_000_000n),
    heapId: document.heap?.id ?? `pid-${document.pid}`,
    pid: document.pid,
    uptimeSec: report.uptime_sec,
    source: document.heap === undefined ? "c" : "temporal-slab",
    health: { status, live, ready, issues },
    heap: heapOf(document),
    epochCount: document.epoch_count,
    currentEpoch: document.current_epoch,
    epochs,
    ...slabMaps(document),
    rates: ratesOf(document, previous),
    leaks: found.slice(0, MOST_LEAKS),
    leakCount: found.length,
  };
}

function heapOf(document: StatsDocument): LiveHeap {
  const { heap, classes } = document;
  const total = (name: "committed_bytes" | "live_bytes" | "live_objects"): number =>
    heap === undefined ? sum(classes, (row) => row[name]) : Number(heap[name]);
  return {
    capacityBytes: heap === undefined ? null : Number(heap.capacity_bytes),
    committedBytes: total("committed_bytes"),
    liveBytes: total("live_bytes"),
    liveObjects: total("live_objects"),
    slabBytes: document.slab_bytes,
    slabCount: heap?.slab_count ?? null,
    freeSlabs: heap?.free_slabs ?? null,
    residentBytes: known(heap?.resident_bytes),
    warmBytes: known(heap?.warm_bytes),
    attachedWorkers: heap?.attached_workers ?? null,
    rssBytes: Number(document.rss_bytes_current),
  };
}

// -- Epochs --------------------------------------------------------------------------------------------------

function epochsOf(document: StatsDocument): LiveEpoch[] {
  const byId = new Map(document.epochs.map((epoch) => [epoch.epoch_id, epoch]));
  return Array.from({ length: document.epoch_count }, (_, id) => {
    const epoch = byId.get(id);
    return epoch?.opened === true ? epochOf(epoch, id === document.current_epoch) : unused(id);
  });
}

function epochOf(epoch: EpochStats, current: boolean): LiveEpoch {
  return {
    id: epoch.epoch_id,
    era: epoch.epoch_era,
    state: epoch.state === "ACTIVE" ? "ACTIVE" : "CLOSING",
    current,
    discarded: epoch.discarded,
    ageSec: epoch.age_sec,
    label: epoch.label,
    refcount: epoch.refcount,
    slabs: epoch.total_partial_slabs + epoch.total_full_slabs,
    partialSlabs: epoch.total_partial_slabs,
    fullSlabs: epoch.total_full_slabs,
    reclaimableSlabs: epoch.total_reclaimable_slabs,
    bytes: Number(epoch.estimated_rss_bytes),
    liveObjects: Number(epoch.live_objects),
    olderLiveObjects: Number(epoch.older_live_objects),
    oldestAgeSec: epoch.oldest_age_sec,
  };
}

function unused(id: number): LiveEpoch {
  return {
    id,
    era: 0,
    state: "UNUSED",
    current: false,
    discarded: false,
    ageSec: 0,
    label: "",
    refcount: 0,
    slabs: 0,
    partialSlabs: 0,
    fullSlabs: 0,
    reclaimableSlabs: 0,
    bytes: 0,
    liveObjects: 0,
    olderLiveObjects: 0,
    oldestAgeSec: 0,
  };
}

function slabMaps(document: StatsDocument): Pick<LiveState, "classes" | "slabMap" | "slabMapLive"> {
  const { epoch_count, epochs } = document;
  const empty = () => ({ slabs: zeros(epoch_count), live: zeros(epoch_count) });
  const rows = new Map(document.classes.map((row) => [row.class_index, empty()]));
  const others = empty();
  for (const epoch of epochs) {
    const id = epoch.epoch_id;
    if (id >= epoch_count) continue;
    for (const held of heldBy(epoch)) {
      const { slabs, live } = rows.get(held.class_index) ?? others;
      slabs[id] = (slabs[id] ?? 0) + held.total_partial_slabs + held.total_full_slabs;
      live[id] = (live[id] ?? 0) + Number(held.live_objects);
    }
  }
  const all = [
    ...document.classes.map((row) => ({
      index: row.class_index,
      objectSize: row.object_size,
      ...(rows.get(row.class_index) ?? empty()),
    })),
    ...(others.slabs.some((count) => count > 0) ? [{ index: -1, objectSize: 0, ...others }] : []),
  ];
  return {
    classes: all.map(({ index, objectSize }) => ({ index, objectSize })),
    slabMap: all.map(({ slabs }) => slabs),
    slabMapLive: all.map(({ live }) => live),
  };
}

type Held = Pick<EpochStats["eras"][number], "total_partial_slabs" | "total_full_slabs" | "live_objects"> & {
  readonly class_index: number;
};

/** Rows by class where the document has them; the C allocator's first shape has the epoch's totals only. */
function heldBy(epoch: EpochStats): readonly Held[] {
  return epoch.eras.length > 0 ? epoch.eras : [{ ...epoch, class_index: -1 }];
}

const zeros = (length: number): number[] => new Array<number>(length).fill(0);

// -- Rates ---------------------------------------------------------------------------------------------------

function ratesOf(document: StatsDocument, previous: StatsDocument | undefined): LiveRates | null {
  const delta = previous === undefined ? undefined : deltaInOrder(previous, document);
  if (delta === undefined || delta.restarted || !(delta.seconds > 0)) return null;
  const { totals, classes, heap, large, seconds } = delta;
  const perSec = (rate: Rate | undefined): number => rate?.perSec ?? 0;
  const ofClasses = (name: keyof ClassStats): number =>
    classes.reduce((all, row) => all + perSec((row as unknown as Record<string, Rate>)[name]), 0);
  // Every close is timed. The C allocator has no such figure; there every class counts each close.
  const timed = delta.latency?.epoch_close.count;
  const closes =
    timed === undefined ? Math.max(0, ...classes.map((row) => perSec(row.epoch_close_calls))) : perSec(timed);
  const scanned = ofClasses("epoch_close_scanned_slabs");
  return {
    seconds,
    allocsPerSec: perSec(heap?.alloc_count ?? totals.total_bitmap_alloc_attempts),
    freesPerSec: perSec(heap?.free_count ?? totals.total_bitmap_free_attempts),
    remoteFreesPerSec: ofClasses("remote_free_count"),
    slowPathPerSec: perSec(totals.total_slow_path_hits),
    slowPathByCause: {
      cacheMiss: perSec(totals.total_slow_cache_miss),
      epochClosed: perSec(totals.total_slow_epoch_closed),
      partialNull: ofClasses("current_partial_null"),
      partialFull: ofClasses("current_partial_full"),
      collected: ofClasses("slow_path_collected"),
      adopted: ofClasses("slow_path_adopted"),
      reused: ofClasses("slow_path_reused"),
      outOfMemory: ofClasses("slow_path_out_of_memory") + perSec(large?.failures),
    },
    closesPerSec: closes,
    closeYieldPct:
      scanned > 0 ? Math.min(100, (100 * ofClasses("epoch_close_recycled_slabs")) / scanned) : null,
  };
}

// -- Leaks ---------------------------------------------------------------------------------------------------

/** The doctor's findings, largest first: one per epoch, whatever the number of its size classes. */
function leaksOf(document: StatsDocument, thresholdSec: number): LiveLeak[] {
  return doctor(document, { thresholdSec }).findings.flatMap((finding) => {
    if (finding.code === "domain-leak") return leakOf("domain", finding);
    return finding.code === "object-leak" ? leakOf("object", finding) : [];
  });
}

function leakOf(kind: LiveLeak["kind"], { data, message, action }: Finding): LiveLeak {
  const figure = (name: string): number => Number(data[name] ?? 0);
  return {
    kind,
    epochId: figure("epoch_id"),
    era: figure("epoch_era"),
    label: String(data.label ?? ""),
    ageSec: figure("age_sec"),
    refcount: figure("refcount"),
    liveObjects: figure("live_objects"),
    bytes: figure("estimated_rss_bytes"),
    sentence: message,
    action,
  };
}

function sum<Row>(rows: readonly Row[], value: (row: Row) => Count): number {
  return rows.reduce((total, row) => total + Number(value(row)), 0);
}

/** Null where the document does not say: one of the C allocator, or of an earlier version. */
function known(count: number | bigint | null | undefined): number | null {
  return count === null || count === undefined ? null : Number(count);
}
