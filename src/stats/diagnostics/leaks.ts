/**
 * Epochs that are closed and still hold memory.
 *
 * Two mistakes keep a closed epoch alive, and they are fixed in different places:
 *   domain   somebody entered (or retained) the epoch and never left it
 *   object   nobody is inside, but objects were never freed
 *
 * A ring slot is reused every 16 epochs. Slabs of eras before the slot's present one belong to epochs that closed long
 * ago, whatever the slot's state is now, and keep their own era here: the slot's label, age and references are not theirs.
 */

import { toNumber } from "../document/count.js";
import type { EpochStats, EraStats, StatsDocument } from "../document/document.js";
import { checkOptions, numberOption, SECONDS, WHOLE } from "./options.js";
import { documentOf, isClosed, isOurs, type StatsSource } from "./source.js";

export interface LeakOptions {
  /** Youngest age in seconds that counts, 0 or more; default 60. Age counts from the opening of the epoch. */
  readonly thresholdSec?: number;
  /** Most candidates listed, 0 or more; default 10. All are counted. */
  readonly top?: number;
}

/** What one era holds in one size class. */
export interface LeakCandidate {
  /** -1: large objects, or not known by class. */
  readonly class_index: number;
  /** 0 where `class_index` is -1. */
  readonly object_size: number;
  /** Ring slot. */
  readonly epoch_id: number;
  readonly epoch_era: number;
  /** Of this very era; empty where it had none, or where it is not known after the ring slot was reused. */
  readonly label: string;
  /** Since the epoch was opened; at least this long where that is not known after the ring slot was reused. */
  readonly age_sec: number;
  /** What keeps it alive: references for "domain", live objects for "object". */
  readonly alloc_count: number;
  readonly estimated_rss_bytes: number;
  readonly partial_slab_count: number;
  readonly full_slab_count: number;
  readonly reclaimable_slab_count: number;
  readonly kind: "domain" | "object";
  /** In documents of the C allocator a lower bound: one for each slab that is not empty. */
  readonly live_objects: number;
  /** Domain levels entered and references retained, of the whole epoch. */
  readonly refcount: number;
}

export interface LeakReport {
  readonly version: 1;
  readonly threshold_sec: number;
  /** All candidates, listed or not. */
  readonly candidate_count: number;
  readonly top_count: number;
  /** Largest first. */
  readonly candidates: readonly LeakCandidate[];
}

/**
 * Closed epochs at least `thresholdSec` old that somebody is still inside, or whose objects are still live; one
 * candidate per era and size class. Discarded epochs have no live objects: what is left of them only waits for its
 * owner's next operation.
 */
export function detectEpochLeaks(source: StatsSource, options: LeakOptions = {}): LeakReport {
  const given = checkOptions("detectEpochLeaks options", options, ["thresholdSec", "top"]);
  const thresholdSec = numberOption("thresholdSec", given.thresholdSec, 60, SECONDS);
  const top = numberOption("top", given.top, 10, WHOLE);
  const all = leakCandidates(documentOf(source), thresholdSec);
  const candidates = all.slice(0, top);
  return {
    version: 1,
    threshold_sec: thresholdSec,
    candidate_count: all.length,
    top_count: candidates.length,
    candidates,
  };
}

/** Every candidate, largest first, then oldest, then by place. */
export function leakCandidates(document: StatsDocument, thresholdSec: number): LeakCandidate[] {
  const found: LeakCandidate[] = [];
  for (const epoch of document.epochs) {
    for (const row of holdings(epoch)) {
      const candidate = judge(document, epoch, row);
      if (candidate !== undefined && candidate.age_sec >= thresholdSec) found.push(candidate);
    }
  }
  return found.sort(
    (a, b) =>
      b.estimated_rss_bytes - a.estimated_rss_bytes ||
      b.age_sec - a.age_sec ||
      a.epoch_id - b.epoch_id ||
      b.epoch_era - a.epoch_era ||
      a.class_index - b.class_index,
  );
}

/**
 * What a ring slot holds, by era and class. Where its present era has no such row, the slot's totals are one: the C
 * allocator's documents have no rows, and a domain left open may hold no slab. That one is named all the same: the
 * next request on its path will hold some, and alerts on references alone name it too.
 */
function holdings(epoch: EpochStats): readonly EraStats[] {
  if (epoch.eras.some((row) => row.epoch_era === epoch.epoch_era)) return epoch.eras;
  return [...epoch.eras, { ...epoch, class_index: -1, object_size: 0 }];
}

function judge(document: StatsDocument, epoch: EpochStats, row: EraStats): LeakCandidate | undefined {
  const isCurrent = row.epoch_era === epoch.epoch_era;
  if (isCurrent && !isClosed(epoch)) return undefined;

  const refcount = isCurrent ? epoch.refcount : 0;
  const liveObjects = isCurrent && epoch.discarded ? 0 : toNumber(row.live_objects);
  const bytes = toNumber(row.estimated_rss_bytes);
  const holdsSlabs = bytes > 0;
  if (refcount === 0 && (liveObjects === 0 || !holdsSlabs)) return undefined;
  // The contract for the C allocator's documents: no slab, no leak.
  if (!holdsSlabs && !isOurs(document)) return undefined;
  return {
    class_index: row.class_index,
    object_size: row.object_size,
    epoch_id: epoch.epoch_id,
    epoch_era: row.epoch_era,
    label: isCurrent ? epoch.label : row.label,
    age_sec: isCurrent ? epoch.age_sec : row.age_sec || ageAtLeast(document, row.epoch_era),
    alloc_count: refcount > 0 ? refcount : liveObjects,
    estimated_rss_bytes: bytes,
    partial_slab_count: row.total_partial_slabs,
    full_slab_count: row.total_full_slabs,
    reclaimable_slab_count: row.total_reclaimable_slabs,
    kind: refcount > 0 ? "domain" : "object",
    live_objects: liveObjects,
    refcount,
  };
}

/** For eras whose own age is not known: they open in order, so one is at least as old as every newer one. */
function ageAtLeast(document: StatsDocument, era: number): number {
  let age = 0;
  for (const epoch of document.epochs) {
    if (epoch.opened && epoch.epoch_era >= era) age = Math.max(age, epoch.age_sec);
    if (epoch.oldest_era >= era && epoch.oldest_era > 0) age = Math.max(age, epoch.oldest_age_sec);
  }
  return age;
}
