/**
 * What closing epochs gave back: facts first, guesses apart from them.
 *
 * Facts are counted by the allocator. Whether the process's resident memory then fell depends on the kernel and on
 * everything else the process does, so every sentence about that is marked as a heuristic.
 */

import { numberOrNull, toNumber } from "../document/count.js";
import type { EpochStats } from "../document/document.js";
import { madviseTotals, type ReclamationHeuristic, reclamationHeuristics } from "./reclamation-heuristics.js";
import { documentOf, isClosed, type StatsSource } from "./source.js";

/** One epoch. Everything in it is counted or measured. */
export interface ReclaimedEpoch {
  /** Always -1: counts are of all classes together. */
  readonly class_index: -1;
  readonly epoch_id: number;
  readonly epoch_era: number;
  readonly slabs_recycled: number;
  /** Bytes of this epoch's slabs released to the kernel so far, whenever that was. */
  readonly bytes_madvised: number;
  /** Bytes released during the last close or discard of the epoch, of whatever epoch's slabs: what `rss_delta` is about. */
  readonly bytes_madvised_at_close: number;
  /** Resident memory of the process around the close; 0 where it was not measured. */
  readonly rss_before: number;
  readonly rss_after: number;
  /** After minus before, negative when memory went back; 0 where it was not measured. */
  readonly rss_delta: number;
  /** Bytes of slabs in use after the close minus before; negative when slabs were given back at once. */
  readonly committed_delta: number;
  readonly label: string;
  readonly was_closed: boolean;
}

export interface ReclamationReport {
  readonly version: 1;
  readonly total_madvise_calls: number;
  readonly total_madvise_bytes: number;
  readonly total_madvise_failures: number;
  /** Bytes of slabs whose pages may be resident, and of those among them that are free; null: the document does not say. */
  readonly resident_bytes: number | null;
  readonly warm_bytes: number | null;
  readonly epoch_count: number;
  readonly epochs: readonly ReclaimedEpoch[];
  readonly heuristics: readonly ReclamationHeuristic[];
}

/** One row per epoch that was closed or gave anything back, and why resident memory may not have followed. */
export function analyzeReclamation(source: StatsSource): ReclamationReport {
  const document = documentOf(source);
  const epochs = document.epochs.map((epoch) => reclaimed(epoch)).filter((row) => row !== undefined);
  const madvise = madviseTotals(document);
  return {
    version: 1,
    total_madvise_calls: madvise.calls,
    total_madvise_bytes: madvise.bytes,
    total_madvise_failures: madvise.failures,
    resident_bytes: numberOrNull(document.heap?.resident_bytes),
    warm_bytes: numberOrNull(document.heap?.warm_bytes),
    epoch_count: epochs.length,
    epochs,
    heuristics: reclamationHeuristics(document),
  };
}

function reclaimed(epoch: EpochStats): ReclaimedEpoch | undefined {
  const wasClosed = epoch.closed_timestamp_ns > 0n || isClosed(epoch);
  const bytesMadvised = toNumber(epoch.madvise_bytes);
  const atClose = toNumber(epoch.close_madvise_bytes);
  if (!wasClosed && epoch.slabs_recycled === 0 && bytesMadvised === 0) return undefined;
  const rssBefore = toNumber(epoch.rss_before_close);
  const rssAfter = toNumber(epoch.rss_after_close);
  return {
    class_index: -1,
    epoch_id: epoch.epoch_id,
    epoch_era: epoch.epoch_era,
    slabs_recycled: epoch.slabs_recycled,
    bytes_madvised: bytesMadvised,
    bytes_madvised_at_close: atClose,
    rss_before: rssBefore,
    rss_after: rssAfter,
    rss_delta: rssBefore > 0 && rssAfter > 0 ? rssAfter - rssBefore : 0,
    committed_delta: toNumber(epoch.committed_after_close) - toNumber(epoch.committed_before_close),
    label: epoch.label,
    was_closed: wasClosed,
  };
}
