/**
 * Epoch words, one of each per ring slot.
 *
 * rec: the epoch's truth.            31 ............. 2 1   0
 *                                    |      era        | st |      ACTIVE=1 CLOSING=2 DISCARD=3
 *   Written by CAS only and only upward in (era, state), so a late closer cannot reopen or overwrite a newer
 *   era. Read by every thread at sync, and by every claim after it has stored its era (so that a scan of the
 *   tags after CLOSING misses no slab of that era).
 *
 * refs: who may close it by itself.  31 .......... 16 15 ......... 2   1      0
 *                                    | era>>>4, 16 b | entries 14 b | AUTO | CLOSED |
 *   Entries only counts up (it makes the closing CAS fail when somebody entered in between); membership
 *   itself is `SEAT_SREF`, one word per seat, so a kill can neither leak nor underflow it. AUTO: some domain
 *   of this era asked for closing with the last one out. The low 4 era bits equal the ring slot, so eras
 *   alias only after 2^20 epochs; they are compared by signed 16-bit difference.
 *
 * retains: explicit references.      era>>>4 (16 b) | count (16 b)
 */
import { RING_SIZE } from "../memory/offsets.js";

export const EPOCH_ACTIVE = 1;
export const EPOCH_CLOSING = 2;
export const EPOCH_DISCARD = 3;

const STATE_BITS = 2;
const RING_BITS = 4;

export function packRec(era: number, state: number): number {
  return (era << STATE_BITS) | state;
}
export function recEra(rec: number): number {
  return rec >>> STATE_BITS;
}
export function recState(rec: number): number {
  return rec & 3;
}
export function ringOf(era: number): number {
  return era & (RING_SIZE - 1);
}

export const REFS_CLOSED = 1;
export const REFS_AUTO = 2;
const ENTRIES_SHIFT = 2;
const ENTRIES_MASK = 0x3fff;
const TAG_SHIFT = 16;

/** The 16 era bits a refs or retains word keeps. */
export function eraTag(era: number): number {
  return (era >>> RING_BITS) & 0xffff;
}
export function wordEraTag(word: number): number {
  return word >>> TAG_SHIFT;
}
/** Negative: the word is older than the era; 0: same; positive: newer. */
export function compareEraTag(word: number, era: number): number {
  return ((wordEraTag(word) - eraTag(era)) << 16) >> 16;
}
export function refsEntries(refs: number): number {
  return (refs >>> ENTRIES_SHIFT) & ENTRIES_MASK;
}
export function packRefs(era: number, entries: number, flags: number): number {
  return (eraTag(era) << TAG_SHIFT) | (entries << ENTRIES_SHIFT) | flags;
}
/** Entries after one more, never 0: 0 means that nobody ever entered. */
export function bumpEntries(entries: number): number {
  return entries === ENTRIES_MASK ? 1 : entries + 1;
}

export function packRetains(era: number, count: number): number {
  return (eraTag(era) << TAG_SHIFT) | count;
}
export function retainsCount(word: number, era: number): number {
  return compareEraTag(word, era) === 0 ? word & 0xffff : 0;
}
export const MAX_RETAINS = 0xffff;

const STATE_NAMES = ["INVALID", "ACTIVE", "CLOSING", "DISCARD"];
export function describeRec(rec: number): string {
  return `era ${recEra(rec)} ${STATE_NAMES[recState(rec)]}`;
}
