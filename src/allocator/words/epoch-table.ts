/** What the epoch table and the seats say of an epoch: when it was opened, and who is inside. */
import { loadSeq, storeSeq } from "../memory/atomics.js";
import { type Layout, seatAt } from "../memory/layout.js";
import {
  EP_OPEN_ERA,
  EP_OPEN_MS_LO,
  EPOCH_BASE,
  EPOCH_WORDS,
  REC_BASE,
  RETAINS_BASE,
  SEAT_DEPTH,
  SEAT_SREF,
  SLAB_DOOM,
  SLAB_ERA,
} from "../memory/offsets.js";
import { loadWide, storeWide } from "../memory/wide.js";
import { EPOCH_DISCARD, recEra, recState, retainsCount, ringOf } from "./epoch-word.js";

/** Writes the opening time of an era. Two threads that bring a record up at once write the same era, a moment apart. */
export function recordOpening(m: Int32Array, era: number): void {
  const base = EPOCH_BASE + ringOf(era) * EPOCH_WORDS;
  const now = Date.now();
  storeSeq(m, base + EP_OPEN_ERA, 0);
  storeWide(m, base + EP_OPEN_MS_LO, now);
  storeSeq(m, base + EP_OPEN_ERA, era);
}

/** Unix milliseconds at which (ring, era) opened; 0 when unknown. */
export function openedAt(m: Int32Array, era: number): number {
  const base = EPOCH_BASE + ringOf(era) * EPOCH_WORDS;
  if (loadSeq(m, base + EP_OPEN_ERA) !== era) return 0;
  const ms = loadWide(m, base + EP_OPEN_MS_LO);
  return loadSeq(m, base + EP_OPEN_ERA) === era ? ms : 0;
}

/** Domain levels plus retains of (ring, era). Relaxed: members may come and go while it adds up. */
export function refcount(m: Int32Array, layout: Layout, ring: number, era: number): number {
  return retainsCount(loadSeq(m, RETAINS_BASE + ring), era) + memberLevels(m, layout, ring, era);
}

/** Domain levels of (ring, era). */
export function memberLevels(m: Int32Array, layout: Layout, ring: number, era: number): number {
  let levels = 0;
  for (let seat = 1; seat <= layout.maxWorkers; seat++) {
    const base = seatAt(layout, seat);
    if (loadSeq(m, base + SEAT_SREF + ring) === era)
      levels += Math.max(1, loadSeq(m, base + SEAT_DEPTH + ring));
  }
  return levels;
}

/**
 * Was this slab's era discarded, as seen by a thread that does not own it? Plain reads: they only decide
 * whether a handle is stale already, and a racing discard may go either way.
 */
export function isEraDiscarded(m: Int32Array, record: number): boolean {
  const era = m[record + SLAB_ERA] as number;
  const rec = m[REC_BASE + ringOf(era)] as number;
  if (recEra(rec) === era) return recState(rec) === EPOCH_DISCARD;
  return m[record + SLAB_DOOM] === era;
}
