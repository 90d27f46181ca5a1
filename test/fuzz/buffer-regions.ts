/**
 * What every metadata word is for, and so what damage to it may do:
 *
 *   config   fixed at creation: attach or verify() must notice
 *   truth    what other words are derived from: attach, a call or verify() must notice, or nothing comes of it
 *   owner    derived, used by one seat: as truth
 *   hint     may cost time; never a wrong answer, a lost byte or a problem later, whether verify() mentions it or not
 *   figure   statistics: other figures, nothing else
 *   unused   nothing at all
 */
import {
  BIN_CURRENT,
  BIN_PARTIAL,
  CELL_WORDS,
  CLASS_SHARD_WORDS,
  EPOCH_SHARD_WORDS,
} from "../../src/allocator/counters/fields.js";
import * as o from "../../src/allocator/memory/layout.js";
import { recordAt, seatAt } from "../../src/allocator/memory/layout.js";

export type RegionKind = "config" | "truth" | "owner" | "hint" | "figure" | "unused";

export interface Region {
  readonly name: string;
  readonly kind: RegionKind;
}

type Names = readonly (readonly [at: number, name: string, kind: RegionKind, words?: number])[];

const HEADER: Names = [
  [o.H_MAGIC, "H_MAGIC", "config"],
  [o.H_VERSION, "H_VERSION", "config"],
  [o.H_CHECKSUM, "H_CHECKSUM", "config"],
  [o.H_READY, "H_READY", "config"],
  [o.H_CONFIG_FIRST, "H_CONFIG", "config", o.H_CONFIG_LAST - o.H_CONFIG_FIRST + 1],
  // Names the heap in documents, and tells the heaps of a process apart.
  [o.H_CREATED_MS_LO, "H_CREATED_MS", "figure", 2],
  [o.H_NONCE, "H_NONCE", "figure"],
  [o.PHASE, "PHASE", "truth"],
  [o.ERA, "ERA", "truth"],
  [o.DEEP, "DEEP", "truth"],
  [o.PRESSURE, "PRESSURE", "hint"],
  [o.DOOMS, "DOOMS", "truth"],
  [o.WANTED, "WANTED", "hint"],
  [o.REC_BASE, "REC", "truth", o.RING_SIZE],
  [o.REFS_BASE, "REFS", "truth", o.RING_SIZE],
  [o.RETAINS_BASE, "RETAINS", "truth", o.RING_SIZE],
  // Opening times, labels, and the text of labels.
  [o.EPOCH_BASE, "epoch table", "figure", o.RING_SIZE * o.EPOCH_WORDS],
  [o.LABEL_REGISTRY_BASE, "label registry", "figure", o.MAX_LABELS * o.LABEL_REGISTRY_WORDS],
  [o.CLASS_MAP_BASE, "CLASS_MAP", "config", o.CLASS_MAP_WORDS],
];

const SLAB: Names = [
  [o.SLAB_TAG, "TAG", "truth"],
  [o.SLAB_ERA, "ERA", "truth"],
  [o.SLAB_DOOM, "DOOM", "truth"],
  [o.SLAB_RUN, "RUN", "truth"],
  [o.SLAB_FAST_OWNER, "FAST_OWNER", "owner"],
  [o.SLAB_OBJECT_SIZE, "OBJECT_SIZE", "owner"],
  [o.SLAB_SIZE_SHIFT, "SIZE_SHIFT", "owner"],
  [o.SLAB_USED, "USED", "figure"],
  [o.SLAB_COUNTS, "COUNTS", "owner"],
  [o.SLAB_HEAD, "HEAD", "owner"],
  [o.SLAB_BIN, "BIN", "owner"],
  [o.SLAB_PARTIAL_NEXT, "PARTIAL_NEXT", "owner"],
  [o.SLAB_OWN_NEXT, "OWN_NEXT", "owner"],
  [o.SLAB_OWN_PREV, "OWN_PREV", "owner"],
  [o.SLAB_CARVED, "CARVED", "owner"],
  [o.SLAB_SLOTS, "SLOTS", "owner"],
  [o.SLAB_FOLDED, "FOLDED", "figure"],
  [o.SLAB_COLLECTING, "COLLECTING", "figure"],
  [o.SLAB_OPENED_SEC, "OPENED_SEC", "figure"],
  [o.SLAB_LABEL, "LABEL", "figure"],
  [o.SLAB_LAST_CLASS, "LAST_CLASS", "figure"],
];

const SEAT: Names = [
  [o.SEAT_WORD, "WORD", "truth"],
  [o.SEAT_THREAD, "THREAD", "truth"],
  [o.SEAT_PHASE, "PHASE", "owner"],
  [o.SEAT_EPOCH, "EPOCH", "owner"],
  [o.SEAT_ERA, "ERA", "owner"],
  [o.SEAT_COMMIT_RECORD, "COMMIT_RECORD", "owner"],
  // Read only while COMMIT_RECORD is not 0.
  [o.SEAT_COMMIT_COUNTS, "COMMIT", "owner", o.SEAT_COMMIT_TARGET - o.SEAT_COMMIT_COUNTS + 1],
  [o.SEAT_COMMITTED, "COMMITTED", "figure"],
  [o.SEAT_CHANGE_RECORD, "CHANGE_RECORD", "owner"],
  [o.SEAT_CHANGE_COMMITTED, "CHANGE", "owner", o.SEAT_CHANGE_TARGET - o.SEAT_CHANGE_COMMITTED + 1],
  [o.SEAT_GIVEN_BACK, "GIVEN_BACK", "hint"],
  [o.SEAT_SREF, "SREF", "truth", o.RING_SIZE],
  [o.SEAT_DEPTH, "DEPTH", "truth", o.RING_SIZE],
  [o.SEAT_OWN, "OWN", "owner", o.RING_SIZE],
];

const UNUSED: Region = { name: "unused", kind: "unused" };

/** The region of every word, by index. */
export function regionsOf(layout: o.Layout): readonly Region[] {
  const regions = new Array<Region>(layout.metadataWords).fill(UNUSED);
  const known = new Map<string, Region>();
  const put = (at: number, words: number, name: string, kind: RegionKind): void => {
    const region = known.get(name) ?? { name, kind };
    known.set(name, region);
    regions.fill(region, at, at + words);
  };
  const putAll = (base: number, prefix: string, names: Names): void => {
    for (const [at, name, kind, words = 1] of names) put(base + at, words, prefix + name, kind);
  };
  putAll(0, "", HEADER);
  put(o.CLASS_SIZE_BASE, layout.classCount, "CLASS_SIZE", "config");
  put(o.CLASS_SLOTS_BASE, layout.classCount, "CLASS_SLOTS", "config");
  putAll(o.DUMMY_SLAB, "dummy.", SLAB);
  for (let slab = 0; slab < layout.slabCount; slab++) putAll(recordAt(slab), "slab.", SLAB);
  layout.freeLevels.forEach((base, level) => {
    put(base, layout.freeLevelWords[level], "free map", "hint");
  });
  put(layout.residentBase, layout.freeLevelWords[0], "resident map", "owner");
  for (let seat = 1; seat <= layout.maxWorkers; seat++) {
    const base = seatAt(layout, seat);
    putAll(base, "seat.", SEAT);
    put(base + o.SEAT_COUNTERS, layout.seatEpochShards - o.SEAT_COUNTERS, "seat.counters", "figure");
    put(base + layout.seatEpochShards, o.RING_SIZE * EPOCH_SHARD_WORDS, "seat.epoch shard", "figure");
    for (let c = 0; c <= layout.classCount; c++) {
      const bin = base + layout.seatBins + c * CLASS_SHARD_WORDS;
      put(bin + BIN_CURRENT, 1, "bin.CURRENT", "owner");
      put(bin + BIN_PARTIAL, 1, "bin.PARTIAL", "owner");
      put(bin + CELL_WORDS, CLASS_SHARD_WORDS - CELL_WORDS, "bin.counters", "figure");
    }
    put(base + layout.seatPending, layout.pendingWords, "seat.pending", "hint");
    const histograms = base + layout.seatHistograms;
    put(histograms, base + layout.seatWords - histograms, "seat.histograms", "figure");
  }
  const slots = layout.slabCount << layout.slotsShift;
  put(layout.slotBase, slots, "slot", "truth");
  put(layout.slotBase + layout.linkDelta, slots, "link", "owner");
  return regions;
}
