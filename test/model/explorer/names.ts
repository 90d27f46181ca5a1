/** Words of the heap by name, for the traces of runs that went wrong. */
import {
  CLASS_FIELDS,
  CLASS_SHARD_WORDS,
  EPOCH_SHARD_WORDS,
} from "../../../src/allocator/counters/fields.js";
import {
  EPOCH_BASE,
  EPOCH_WORDS,
  type Layout,
  REC_BASE,
  REFS_BASE,
  RETAINS_BASE,
  SEAT_COUNTERS,
  SEAT_DEPTH,
  SEAT_OWN,
  SEAT_SREF,
  SLAB_BASE,
  SLAB_TAG,
  SLAB_WORDS,
} from "../../../src/allocator/memory/layout.js";
import * as offsets from "../../../src/allocator/memory/offsets.js";
import { describeRec } from "../../../src/allocator/words/epoch-word.js";
import { SEAT_STATES, seatIncarnation, seatState, seatWho } from "../../../src/allocator/words/seat-word.js";
import { describeTag } from "../../../src/allocator/words/slab-tag.js";
import { describeSlot } from "../../../src/allocator/words/slot-word.js";

const HEADER = new Map([
  [offsets.PHASE, "PHASE"],
  [offsets.ERA, "ERA"],
  [offsets.DEEP, "DEEP"],
  [offsets.PRESSURE, "PRESSURE"],
  [offsets.DOOMS, "DOOMS"],
  [offsets.WANTED, "WANTED"],
]);
const NAMES: [string, number][] = Object.entries(offsets).filter(
  ([name]) => !/_(WORDS|BASE|SHIFT|COUNTERS)/.test(name),
);
const named = (prefix: string, limit: number): ReadonlyMap<number, string> =>
  new Map(
    NAMES.filter(([name, at]) => name.startsWith(prefix) && at < limit).map(([name, at]) => [
      at,
      name.slice(prefix.length).toLowerCase(),
    ]),
  );
const SLAB_NAMES = named("SLAB_", SLAB_WORDS);
const SEAT_NAMES = named("SEAT_", SEAT_SREF);
const CELLS = new Map(CLASS_FIELDS.map(({ cell, name }) => [cell, name]));

/** The word's name and, where its bits mean something, the value in words. */
export function nameWord(layout: Layout, word: number, value: number): string {
  const plain = (name: string): string => `${name}=${value}`;
  const header = HEADER.get(word);
  if (header !== undefined) return plain(header);
  if (word >= REC_BASE && word < REFS_BASE) return `rec[${word - REC_BASE}]=(${describeRec(value)})`;
  if (word >= REFS_BASE && word < RETAINS_BASE) return plain(`refs[${word - REFS_BASE}]`);
  if (word >= RETAINS_BASE && word < EPOCH_BASE) return plain(`retains[${word - RETAINS_BASE}]`);
  if (word >= EPOCH_BASE && word < EPOCH_BASE + 16 * EPOCH_WORDS) {
    return plain(
      `epoch[${Math.floor((word - EPOCH_BASE) / EPOCH_WORDS)}]+${(word - EPOCH_BASE) % EPOCH_WORDS}`,
    );
  }
  if (word >= SLAB_BASE && word < SLAB_BASE + layout.slabCount * SLAB_WORDS) {
    const slab = Math.floor((word - SLAB_BASE) / SLAB_WORDS);
    const at = (word - SLAB_BASE) % SLAB_WORDS;
    if (at === SLAB_TAG) return `tag[${slab}]=${describeTag(value)}`;
    return plain(`${SLAB_NAMES.get(at) ?? at}[${slab}]`);
  }
  if (word >= layout.slotBase && word < layout.slotBase + layout.linkDelta) {
    return `slot[${word - layout.slotBase}]=${describeSlot(value)}`;
  }
  if (word >= layout.slotBase + layout.linkDelta)
    return plain(`link[${word - layout.slotBase - layout.linkDelta}]`);
  if (word >= layout.seatBase && word < layout.seatBase + layout.maxWorkers * layout.seatWords) {
    return seatWordName(layout, word - layout.seatBase, value);
  }
  return plain(`word ${word}`);
}

function seatWordName(layout: Layout, offset: number, value: number): string {
  const seat = 1 + Math.floor(offset / layout.seatWords);
  const at = offset % layout.seatWords;
  const name = (what: string): string => `seat${seat}.${what}=${value}`;
  if (at === offsets.SEAT_WORD) {
    const state = SEAT_STATES[seatState(value)];
    return `seat${seat}=${state}(${seatIncarnation(value)}, ${seatWho(value)})`;
  }
  if (at < SEAT_SREF) return name(SEAT_NAMES.get(at) ?? String(at));
  if (at < SEAT_DEPTH) return name(`sref[${at - SEAT_SREF}]`);
  if (at < SEAT_OWN) return name(`depth[${at - SEAT_DEPTH}]`);
  if (at < SEAT_COUNTERS) return name(`own[${at - SEAT_OWN}]`);
  if (at < layout.seatEpochShards) return name(`counter ${at - SEAT_COUNTERS}`);
  if (at < layout.seatBins) return name(`epoch counter ${(at - layout.seatEpochShards) % EPOCH_SHARD_WORDS}`);
  if (at < layout.seatPending) {
    const cell = (at - layout.seatBins) % CLASS_SHARD_WORDS;
    return name(cell === 0 ? "current" : cell === 1 ? "partial" : (CELLS.get(cell) ?? `class word ${cell}`));
  }
  if (at < layout.seatHistograms) return name(`pending[${at - layout.seatPending}]`);
  return name(`histogram ${at - layout.seatHistograms}`);
}
