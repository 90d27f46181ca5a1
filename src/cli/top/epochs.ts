/**
 * The rows of `top --epochs`: every ring slot that holds or held an epoch, and besides it the older eras that still hold
 * slabs there. Slots that never held one are no epochs, though documents of the C allocator call them ACTIVE.
 */
import type { Count, EpochStats, StatsDocument } from "../../stats.js";

/** The first is the default. */
export const EPOCH_METRICS = ["rss_bytes", "age_sec", "refcount", "reclaimable_bytes"] as const;
export type EpochMetric = (typeof EPOCH_METRICS)[number];

/** One epoch: a ring slot and an era. */
export interface EpochRow {
  readonly epoch_id: number;
  readonly epoch_era: number;
  readonly state: string;
  readonly age_sec: number;
  readonly refcount: number;
  readonly rss_bytes: Count;
  readonly reclaimable_bytes: number;
  readonly live_objects: Count;
  readonly label: string;
}

export function epochRows(document: StatsDocument): EpochRow[] {
  return document.epochs
    .filter(({ opened }) => opened)
    .flatMap((epoch) => [presentRow(document, epoch), ...olderRows(document, epoch)]);
}

function presentRow({ slab_bytes }: StatsDocument, epoch: EpochStats): EpochRow {
  return {
    epoch_id: epoch.epoch_id,
    epoch_era: epoch.epoch_era,
    state: epoch.state,
    age_sec: epoch.age_sec,
    refcount: epoch.refcount,
    rss_bytes: epoch.estimated_rss_bytes,
    reclaimable_bytes: epoch.total_reclaimable_slabs * slab_bytes,
    live_objects: epoch.live_objects,
    label: epoch.label,
  };
}

/**
 * Slabs of eras that were in the slot before, by era: they keep the age and label of their own. What has no age of its
 * own is at least as old as anything newer.
 */
function olderRows(document: StatsDocument, epoch: EpochStats): EpochRow[] {
  const older = epoch.eras.filter((row) => row.epoch_era !== epoch.epoch_era);
  const eras = [...new Set(older.map((row) => row.epoch_era))].sort((a, b) => b - a);
  return eras.map((era) => {
    const rows = older.filter((row) => row.epoch_era === era);
    const sum = (value: (row: (typeof rows)[number]) => Count): number =>
      rows.reduce((total, row) => total + Number(value(row)), 0);
    const age = rows.reduce((most, row) => Math.max(most, row.age_sec), 0);
    return {
      epoch_id: epoch.epoch_id,
      epoch_era: era,
      state: "CLOSING",
      age_sec: age > 0 ? age : ageAtLeast(document, era),
      refcount: 0,
      rss_bytes: sum((row) => row.estimated_rss_bytes),
      reclaimable_bytes: sum((row) => row.total_reclaimable_slabs) * document.slab_bytes,
      live_objects: sum((row) => row.live_objects),
      label: rows.find((row) => row.label !== "")?.label ?? "",
    };
  });
}

function ageAtLeast({ epochs }: StatsDocument, era: number): number {
  return epochs.reduce((age, epoch) => {
    const own = epoch.opened && epoch.epoch_era >= era ? epoch.age_sec : 0;
    const oldest = epoch.oldest_era >= era ? epoch.oldest_age_sec : 0;
    return Math.max(age, own, oldest);
  }, 0);
}

/** Ring slots in order, in each the newest era first. */
export function byEpochId(a: EpochRow, b: EpochRow): number {
  return a.epoch_id - b.epoch_id || b.epoch_era - a.epoch_era;
}
