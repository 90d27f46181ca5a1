/** Rows of the document about the ring of epochs. */
import { addEpochFacts, type CloseFacts, readClose } from "../../allocator/counters/epoch-facts.js";
import { EPOCH_SHARD_WORDS } from "../../allocator/counters/fields.js";
import { loadSeq } from "../../allocator/memory/atomics.js";
import { seatAt } from "../../allocator/memory/layout.js";
import { FIRST_ERA, LABEL_OTHER, MAX_LABELS, REC_BASE, RING_SIZE } from "../../allocator/memory/offsets.js";
import { openedAt, refcount } from "../../allocator/words/epoch-table.js";
import { EPOCH_ACTIVE, EPOCH_DISCARD, recEra, recState, ringOf } from "../../allocator/words/epoch-word.js";
import { labelText, readLabel } from "../../allocator/words/label.js";
import { cooperationPct } from "../document/cooperation.js";
import { sumOf } from "../document/count.js";
import type { CloseContext, EpochStats, EraStats, LabelRegistry } from "../document/document.js";
import { type Readings, sumHoldings } from "./classes.js";
import type { Holding } from "./slabs.js";
import type { HeapWords } from "./source.js";

const NS_PER_MS = 1_000_000n;

/** One row per ring slot. `nowMs` is Unix time. */
export function epochRows(readings: Readings, nowMs: number): EpochStats[] {
  const byRing = Array.from({ length: RING_SIZE }, (): Holding[] => []);
  for (const holding of readings.slabs.holdings) byRing[ringOf(holding.era)]?.push(holding);
  return byRing.map((holdings, ring) => epochRow(readings, ring, holdings, nowMs));
}

function epochRow(readings: Readings, ring: number, holdings: Holding[], nowMs: number): EpochStats {
  const { words } = readings;
  const { m, layout } = words;
  const slabBytes = layout.slabSize;
  const rec = loadSeq(m, REC_BASE + ring);
  const era = recEra(rec);
  const openedMs = openedAt(m, era);
  const ageSec = openedMs === 0 ? 0 : Math.max(0, (nowMs - openedMs) / 1000);
  const label = readLabel(m, ring, era);
  const refs = refcount(m, layout, ring, era);
  const now = sumHoldings(holdings, (holding) => holding.era === era);
  const older = sumHoldings(holdings, (holding) => holding.era !== era);
  const eras = holdings
    .sort((a, b) => b.era - a.era || a.classIndex - b.classIndex)
    .map((holding) => eraRow(words, holding, era, label, ageSec, nowMs));
  const inUse = eras.filter((row) => row.live_objects > 0);
  const oldest = inUse[inUse.length - 1];
  const { close, given } = factsOf(readings, ring, era);
  return {
    epoch_id: ring,
    epoch_era: era,
    state: recState(rec) === EPOCH_ACTIVE ? "ACTIVE" : "CLOSING",
    age_sec: ageSec,
    refcount: refs,
    label,
    ...slabFields(now, slabBytes),
    rss_before_close: close?.rssBefore ?? 0,
    rss_after_close: close?.rssAfter ?? 0,
    committed_before_close: (close?.committedBefore ?? 0) * slabBytes,
    committed_after_close: (close?.committedAfter ?? 0) * slabBytes,
    slabs_recycled: given.slabsRecycled,
    madvise_bytes: given.madviseBytes,
    close_madvise_bytes: close?.releasedBytes ?? 0,
    cooperation_pct: cooperationPct(close?.rssBefore ?? 0, close?.rssAfter ?? 0, close?.releasedBytes ?? 0),
    opened: era >= FIRST_ERA,
    discarded: recState(rec) === EPOCH_DISCARD,
    closed_timestamp_ns: BigInt(close?.atMs ?? 0) * NS_PER_MS,
    live_objects: now.liveObjects,
    live_bytes: sumOf(eras, (row) => (row.epoch_era === era ? row.live_bytes : 0)),
    older_slabs: older.partial + older.full,
    older_live_objects: older.liveObjects,
    oldest_era: oldest?.epoch_era ?? 0,
    oldest_age_sec: Math.max(oldest?.age_sec ?? 0, refs > 0 ? ageSec : 0),
    eras,
  };
}

interface EraRow extends EraStats {
  readonly live_objects: number;
  readonly live_bytes: number;
}

function eraRow(
  { m, layout }: HeapWords,
  holding: Holding,
  currentEra: number,
  currentLabel: string,
  currentAgeSec: number,
  nowMs: number,
): EraRow {
  const large = holding.classIndex === layout.classCount;
  const size = large ? 0 : (layout.sizeClasses[holding.classIndex] as number);
  const current = holding.era === currentEra;
  const openedMs = (holding.openedSec >>> 0) * 1000;
  const ageSec = openedMs === 0 ? 0 : Math.max(0, (nowMs - openedMs) / 1000);
  return {
    epoch_era: holding.era,
    label: current ? currentLabel : (labelText(m, holding.label) ?? ""),
    age_sec: current ? currentAgeSec : ageSec,
    class_index: large ? -1 : holding.classIndex,
    object_size: size,
    ...slabFields(holding, layout.slabSize),
    live_objects: holding.liveObjects,
    live_bytes: large ? holding.largeBytes : holding.liveObjects * size,
  };
}

function slabFields(held: { partial: number; full: number; reclaimable: number }, slabBytes: number) {
  return {
    total_partial_slabs: held.partial,
    total_full_slabs: held.full,
    total_reclaimable_slabs: held.reclaimable,
    estimated_rss_bytes: (held.partial + held.full) * slabBytes,
  };
}

/** Facts of the latest close or discard of the era, and what was given back of it, over all seats ever taken. */
function factsOf({ words, counts }: Readings, ring: number, era: number) {
  const { m, layout } = words;
  const given = { slabsRecycled: 0, madviseBytes: 0 };
  let close: CloseFacts | undefined;
  for (const { seat } of counts.seats) {
    const shard = seatAt(layout, seat) + layout.seatEpochShards + ring * EPOCH_SHARD_WORDS;
    addEpochFacts(m, shard, era, given);
    const facts = readClose(m, shard, era);
    if (facts !== undefined && facts.atMs >= (close?.atMs ?? 0)) close = facts;
  }
  return { given, close };
}

/** The latest close among those of the epochs still in the ring. */
export function lastClose(epochs: readonly EpochStats[]): CloseContext | null {
  let last: EpochStats | undefined;
  for (const epoch of epochs) {
    if (epoch.closed_timestamp_ns > (last?.closed_timestamp_ns ?? 0n)) last = epoch;
  }
  if (last === undefined) return null;
  return {
    timestamp_ns: last.closed_timestamp_ns,
    rss_before_bytes: last.rss_before_close,
    rss_after_bytes: last.rss_after_close,
    rss_delta_bytes: Number(last.rss_after_close) - Number(last.rss_before_close),
    madvise_bytes: last.close_madvise_bytes,
    epoch_id: last.epoch_id,
    epoch_era: last.epoch_era,
  };
}

/** Labels ever used in this heap, by number. */
export function labelRegistry({ m }: HeapWords): LabelRegistry {
  const labels: Record<string, string> = { "0": "(unlabeled)" };
  for (let id = 1; id < LABEL_OTHER; id++) {
    const label = labelText(m, id);
    if (label !== undefined) labels[id] = label;
  }
  // Where all others are taken, some epochs may go by this one.
  if (Object.keys(labels).length === LABEL_OTHER) labels[LABEL_OTHER] = labelText(m, LABEL_OTHER) as string;
  return { count: Object.keys(labels).length, max_labels: MAX_LABELS, labels };
}
