/**
 * Documents of the C allocator: its `stats_dump` writes 16 epochs (the first shape), the file of its `synthetic_bench`
 * has a row per class and epoch instead (the second). Each known fault of theirs, and what becomes of it here:
 *
 *   current_epoch            counts on and on (10002 was seen): modulo epoch_count, in `parse.ts`.
 *   net_slabs, estimated_*   new minus recycled, held at 0 once more were recycled than new: the slabs that the class's
 *                            lists hold are counted instead (`repairClass`).
 *   reclaimable slabs        goes below zero and wraps (4294967262): from 2^31 on it reads as 0, and so do the other
 *                            unsigned gauges of an epoch (`withoutUnderflow`). Slabs then count as not empty.
 *   recycle_rate_pct         is kept, and computed like their code does where missing (`parse.ts`).
 *   never-opened slots       read ACTIVE: `opened` tells them apart, and active_epoch_count counts the others only.
 *   after a wrap             15 of 16 slots are CLOSING for good: they were opened and closed, so closing_epoch_count
 *                            says 15, as for our heaps. Diagnostics ask for slabs and age besides.
 *   epoch 0                  is open from the start without having been opened, era and age 0: it is at least as old
 *                            as the oldest other epoch, so it takes that age (`repairEpochs`).
 *   age of a slot            is that of its newest era; lists mix eras. Every slab counts as the newest era's, and
 *                            oldest_age_sec is a lower bound.
 *   refcount                 (alloc_count in the second shape) counts domains, not objects, which hides their own leak
 *                            workload: live_objects is at least one per slab that is not empty (`repairEpochs`).
 *   no age (second shape)    from open_since_ns, 0 where never opened: timestamp_ns is of the same monotonic clock there,
 *                            and stays so in the document (`fold`).
 *   timestamp_ns             beyond 2^53: see `json.ts`.
 *
 * What they do not have stays 0 or false: discarding, bytes committed around a close, page release per epoch.
 */
import { atLeastZero, multiply, subtract, sumOf } from "./count.js";
import type { ClassStats, EpochStats, EraStats, StatsDocument } from "./document.js";
import { known, type RowOf } from "./field.js";
import { EPOCH_DOCUMENT_FIELDS, ERA_FIELDS } from "./fields.js";
import { type JsonObject, listAt, missing, objectAt, readRow, wrongValue } from "./rows.js";

/** Unsigned gauges of an epoch: a decrement too many makes them huge. */
const UNSIGNED = [
  "refcount",
  "total_partial_slabs",
  "total_full_slabs",
  "total_reclaimable_slabs",
  "alloc_count",
  "partial_slab_count",
  "full_slab_count",
  "reclaimable_slab_count",
];
const WRAPPED = 2 ** 31;

export function withoutUnderflow(row: JsonObject): JsonObject {
  const isWrapped = (value: unknown): boolean =>
    (typeof value === "number" || typeof value === "bigint") && value >= WRAPPED;
  const zeros = UNSIGNED.filter((name) => isWrapped(row[name])).map((name) => [name, 0]);
  return zeros.length === 0 ? row : { ...row, ...Object.fromEntries(zeros) };
}

export function checkSlot(epochId: number, epochCount: number, path: string): void {
  if (epochId >= epochCount)
    throw wrongValue(`${path}.epoch_id`, epochId, `below epoch_count, ${epochCount}`);
}

// -- Second shape: one row per class and epoch ---------------------------------------------------------------

const required = { required: true } as const;
const CLASS_EPOCH_FIELDS = [
  known("class_index", "integer", "info", "", "Size class", required),
  known("object_size", "integer", "info", "bytes", "Size of its objects", required),
  known("epoch_id", "integer", "info", "", "Ring slot", required),
  known("epoch_era", "integer", "info", "", "Stamp of the epoch"),
  known("state", "string", "info", "", "ACTIVE or CLOSING", { ...required, values: ["ACTIVE", "CLOSING"] }),
  known("alloc_count", "integer", "gauge", "1", "Domains entered, despite its name"),
  known("open_since_ns", "ns", "gauge", "ns", "When the epoch was opened; 0: never"),
  known("partial_slab_count", "integer", "gauge", "slabs", "Slabs with a free slot"),
  known("full_slab_count", "integer", "gauge", "slabs", "Slabs without a free slot"),
  known("reclaimable_slab_count", "integer", "gauge", "slabs", "Slabs without any live object"),
  known("estimated_rss_bytes", "count", "gauge", "bytes", "Slabs times the size of a slab"),
] as const;

interface ClassEpoch extends RowOf<typeof CLASS_EPOCH_FIELDS> {
  readonly source: JsonObject;
  readonly path: string;
}

/** True for epochs of the second shape. */
export function isFolded(rows: readonly unknown[]): boolean {
  return rows.some((row) => typeof row === "object" && row !== null && "class_index" in row);
}

/** Makes one epoch of all rows of a ring slot; the rows themselves become its `eras`. */
export function foldRows(rows: readonly unknown[], epochCount: number, now: bigint): EpochStats[] {
  const slots = new Map<number, ClassEpoch[]>();
  rows.forEach((value, i) => {
    const path = `epochs[${i}]`;
    const source = withoutUnderflow(objectAt(value, path));
    const row = { ...readRow(source, path, CLASS_EPOCH_FIELDS), source, path };
    checkSlot(row.epoch_id, epochCount, path);
    const slot = slots.get(row.epoch_id);
    if (slot === undefined) slots.set(row.epoch_id, [row]);
    else slot.push(row);
  });
  return [...slots.values()].sort((a, b) => idOf(a) - idOf(b)).map((slot) => fold(slot, now));
}

const idOf = (slot: readonly ClassEpoch[]): number => (slot[0] as ClassEpoch).epoch_id;

function fold(slot: readonly ClassEpoch[], now: bigint): EpochStats {
  // The writer does not stop the others: an epoch may be replaced or closed between two rows. The last one knows best.
  const newest = slot.reduce((best, row) => (row.epoch_era >= best.epoch_era ? row : best));
  const { source, open_since_ns: since } = newest;
  const age_sec = since > 0n && since < now ? Number(now - since) / 1e9 : 0;
  const epoch = readRow(
    { ...source, refcount: newest.alloc_count, age_sec },
    newest.path,
    EPOCH_DOCUMENT_FIELDS,
  );
  const eras = slot
    .filter((row) => row.partial_slab_count + row.full_slab_count > 0)
    .sort((a, b) => a.class_index - b.class_index)
    .map((row) => eraOf(row, epoch));
  const sum = (name: "total_partial_slabs" | "total_full_slabs" | "total_reclaimable_slabs"): number =>
    Number(sumOf(eras, (era) => era[name]));
  return {
    ...epoch,
    total_partial_slabs: sum("total_partial_slabs"),
    total_full_slabs: sum("total_full_slabs"),
    total_reclaimable_slabs: sum("total_reclaimable_slabs"),
    estimated_rss_bytes: sumOf(eras, (era) => era.estimated_rss_bytes),
    eras,
  };
}

function eraOf(row: ClassEpoch, epoch: Pick<EpochStats, "epoch_era" | "label" | "age_sec">): EraStats {
  const live_objects = liveAtLeast(row.partial_slab_count, row.full_slab_count, row.reclaimable_slab_count);
  const found = {
    epoch_era: epoch.epoch_era,
    label: epoch.label,
    age_sec: epoch.age_sec,
    class_index: row.class_index,
    object_size: row.object_size,
    total_partial_slabs: row.partial_slab_count,
    total_full_slabs: row.full_slab_count,
    total_reclaimable_slabs: row.reclaimable_slab_count,
    estimated_rss_bytes: row.estimated_rss_bytes,
    live_objects,
    live_bytes: multiply(live_objects, row.object_size),
  };
  return readRow(found, row.path, ERA_FIELDS);
}

/** A slab that is not empty holds an object. */
function liveAtLeast(partial: number, full: number, reclaimable: number): number {
  return Math.max(0, partial + full - reclaimable);
}

// -- Both shapes ---------------------------------------------------------------------------------------------

/** The document with the faults listed above put right. `source`: what it was read from. */
export function repairDocument(document: StatsDocument, source: JsonObject): StatsDocument {
  // Their slabs are one page.
  const slab_bytes = document.page_size;
  const epochs = repairEpochs(document, source);
  const classRows = listAt(source.classes, "classes");
  const eras = new Map<number, EraStats[]>(document.classes.map((row) => [row.class_index, []]));
  for (const era of epochs.flatMap((epoch) => epoch.eras)) eras.get(era.class_index)?.push(era);
  const classes = document.classes.map((row, i) =>
    repairClass(row, classRows[i] as JsonObject, eras.get(row.class_index) ?? [], slab_bytes),
  );
  return {
    ...document,
    ...(epochs.length > 0 && {
      active_epoch_count: epochs.filter((epoch) => epoch.opened && epoch.state === "ACTIVE").length,
      closing_epoch_count: epochs.filter((epoch) => epoch.opened && epoch.state === "CLOSING").length,
    }),
    net_slabs: sumOf(classes, (row) => row.net_slabs),
    estimated_slab_rss_bytes: sumOf(classes, (row) => row.estimated_rss_bytes),
    slab_bytes,
    classes,
    epochs,
  };
}

function repairClass(
  row: ClassStats,
  source: JsonObject,
  eras: readonly EraStats[],
  slabBytes: number,
): ClassStats {
  const hasLists = source.total_partial_slabs !== undefined && source.total_full_slabs !== undefined;
  const net_slabs = hasLists ? row.total_partial_slabs + row.total_full_slabs : row.net_slabs;
  const bytes = multiply(net_slabs, slabBytes);
  // The second shape lacks the frees.
  const hasFrees = source.bitmap_alloc_attempts !== undefined && source.bitmap_free_attempts !== undefined;
  const live_objects = hasFrees
    ? atLeastZero(subtract(row.bitmap_alloc_attempts, row.bitmap_free_attempts))
    : sumOf(eras, (era) => era.live_objects);
  return {
    ...row,
    net_slabs,
    estimated_rss_bytes: bytes,
    ...missing(source, {
      committed_bytes: bytes,
      live_objects,
      live_bytes: multiply(live_objects, row.object_size),
      empty_slabs_count: Number(sumOf(eras, (era) => era.total_reclaimable_slabs)),
    }),
  };
}

function repairEpochs(document: StatsDocument, source: JsonObject): readonly EpochStats[] {
  const { epochs, current_epoch } = document;
  // Documents from before eras have 0 everywhere: there it says nothing about the first epoch.
  const stamped = epochs.some((epoch) => epoch.epoch_era > 0);
  const oldest = epochs.reduce((age, epoch) => Math.max(age, epoch.age_sec), 0);
  const read = (source.epochs ?? []) as readonly JsonObject[];
  const rows = isFolded(read) ? [] : read;
  return epochs.map((epoch, i) => {
    const slabs = epoch.total_partial_slabs + epoch.total_full_slabs;
    const { age_sec: age, refcount, epoch_era: era } = epoch;
    const isCurrent = epoch.epoch_id === current_epoch;
    const isClosed = epoch.state === "CLOSING";
    const opened = era > 0 || isCurrent || isClosed || slabs > 0 || refcount > 0 || age > 0;
    const age_sec = opened && stamped && era === 0 && age === 0 ? oldest : age;
    const live_objects = liveAtLeast(
      epoch.total_partial_slabs,
      epoch.total_full_slabs,
      epoch.total_reclaimable_slabs,
    );
    return {
      ...epoch,
      age_sec,
      ...(age_sec !== age && { eras: epoch.eras.map((row) => ({ ...row, age_sec })) }),
      ...missing(rows[i] ?? {}, {
        opened,
        live_objects,
        live_bytes: sumOf(epoch.eras, (row) => row.live_bytes),
        oldest_era: live_objects > 0 ? era : 0,
        oldest_age_sec: live_objects > 0 || refcount > 0 ? age_sec : 0,
      }),
    };
  });
}
