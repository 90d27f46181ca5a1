/** One pass over the slab records: who holds how many slabs and objects, by class, seat, epoch and era. */
import { readSlabCounts, type SlabCounts } from "../../allocator/counters/slab-counts.js";
import { loadSeq } from "../../allocator/memory/atomics.js";
import { recordAt } from "../../allocator/memory/layout.js";
import {
  SLAB_ERA,
  SLAB_LABEL,
  SLAB_OPENED_SEC,
  SLAB_RUN,
  SLAB_TAG,
  SLAB_USED,
} from "../../allocator/memory/offsets.js";
import { isEraDiscarded } from "../../allocator/words/epoch-table.js";
import { countRemoteFreed } from "../../allocator/words/remote-freed.js";
import { isResident } from "../../allocator/words/resident-map.js";
import {
  mayHoldObjects,
  TAG_FREE,
  TAG_LARGE,
  TAG_RELEASING,
  tagClass,
  tagOwner,
  tagState,
} from "../../allocator/words/slab-tag.js";
import type { HeapWords } from "./source.js";

/** Slabs of one (era, class). Large runs count slab by slab, as full ones. */
export interface Holding {
  readonly era: number;
  /** `classCount` for large objects. */
  readonly classIndex: number;
  partial: number;
  full: number;
  /** With all slots FREE; a part of `partial`. */
  empty: number;
  /** Without any live object: empty, or only remote frees that were not taken back yet. */
  reclaimable: number;
  liveObjects: number;
  /** Of large objects: bytes of their slabs; otherwise left 0. */
  largeBytes: number;
  /** Unix seconds, 0 when unknown. */
  openedSec: number;
  /** Number of the label the owner noted. */
  label: number;
}

export interface SlabSums {
  readonly holdings: readonly Holding[];
  /** Allocations and frees not folded into the seats' counters yet, by class and by seat. */
  readonly unfoldedAllocs: { readonly byClass: Float64Array; readonly bySeat: Float64Array };
  readonly unfoldedFrees: { readonly byClass: Float64Array; readonly bySeat: Float64Array };
  /** Objects that other threads freed and that owners have not counted yet, by class. */
  readonly uncountedFrees: Float64Array;
  /** Slabs by owner's seat; 0 is nobody. */
  readonly owned: Float64Array;
  readonly freeSlabs: number;
  /** Those of them that were used before, and those whose pages may still be resident. */
  readonly freeUsedSlabs: number;
  readonly warmSlabs: number;
  /** Slabs whose pages may be resident, free or not. */
  readonly residentSlabs: number;
  readonly touchedSlabs: number;
  readonly orphanedSlabs: number;
}

/** A slab changed hands while it was read: look again this often. */
const RETRIES = 4;

/** Call after the seats' counters were read: see allocator/counters/slab-counts.ts. Linear in the heap's slabs. */
export function readSlabs(words: HeapWords): SlabSums {
  const { m, layout } = words;
  const allocs = perClassAndSeat(words);
  const frees = perClassAndSeat(words);
  const uncountedFrees = new Float64Array(layout.classCount + 1);
  const owned = new Float64Array(layout.maxWorkers + 1);
  const holdings = new Holdings();
  const seen = new Look();
  let freeSlabs = 0;
  let freeUsedSlabs = 0;
  let warmSlabs = 0;
  let residentSlabs = 0;
  let touchedSlabs = 0;
  for (let slab = 0; slab < layout.slabCount; slab++) {
    const record = recordAt(slab);
    const used = m[record + SLAB_USED] as number;
    touchedSlabs += used;
    // Together with the tag, so that no more slabs are warm than free. Only a holder of the slab changes its bit.
    const resident = isResident(m, layout, slab) ? 1 : 0;
    residentSlabs += resident;
    for (let attempt = 0; ; attempt++) {
      const tag = loadSeq(m, record + SLAB_TAG);
      const state = tagState(tag);
      if (state === TAG_FREE || state === TAG_RELEASING) {
        freeSlabs++;
        freeUsedSlabs += used;
        warmSlabs += resident;
      }
      // A tail's run is counted at its head; a claimed slab has no object yet.
      if (!mayHoldObjects(state)) break;
      seen.take(words, slab, record, tag);
      if (loadSeq(m, record + SLAB_TAG) !== tag && attempt < RETRIES) continue;
      const owner = tagOwner(tag);
      owned[owner] = (owned[owner] as number) + seen.slabs;
      addTo(allocs, seen.classIndex, owner, seen.unfoldedAllocs);
      addTo(frees, seen.classIndex, owner, seen.unfoldedFrees);
      uncountedFrees[seen.classIndex] = (uncountedFrees[seen.classIndex] as number) + seen.remoteFreed;
      holdings.add(m, record, seen, layout.slabSize);
      break;
    }
  }
  return {
    holdings: holdings.list,
    unfoldedAllocs: allocs,
    unfoldedFrees: frees,
    uncountedFrees,
    owned,
    freeSlabs,
    freeUsedSlabs,
    warmSlabs,
    residentSlabs,
    touchedSlabs,
    orphanedSlabs: owned[0] as number,
  };
}

/** What one look at a slab finds. Used again for every slab: a heap has many. */
class Look implements SlabCounts {
  era = 0;
  classIndex = 0;
  large = false;
  slabs = 0;
  slots = 0;
  /** Slots that are not FREE. */
  occupied = 0;
  live = 0;
  /** Objects that other threads freed and the owner has not taken back: occupied, but not live. */
  remoteFreed = 0;
  unfoldedAllocs = 0;
  unfoldedFrees = 0;

  take(words: HeapWords, slab: number, record: number, tag: number): void {
    const { m, layout } = words;
    this.large = tagState(tag) === TAG_LARGE;
    this.classIndex = this.large ? layout.classCount : Math.min(tagClass(tag), layout.classCount - 1);
    this.slots = this.large ? 1 : (layout.classSlots[this.classIndex] as number);
    const run = this.large ? loadSeq(m, record + SLAB_RUN) : 1;
    this.slabs = Math.max(1, Math.min(run, layout.slabCount - slab));
    this.era = loadSeq(m, record + SLAB_ERA);
    readSlabCounts(m, record, this);
    this.remoteFreed = countRemoteFreed(m, layout, slab, record, tag, this.slots);
    // Those of a discarded epoch are stale already, whether or not their owner has ended them.
    this.live = isEraDiscarded(m, record) ? 0 : Math.max(0, this.occupied - this.remoteFreed);
  }
}

function perClassAndSeat({ layout }: HeapWords) {
  return {
    byClass: new Float64Array(layout.classCount + 1),
    bySeat: new Float64Array(layout.maxWorkers + 1),
  };
}

function addTo(
  sums: { byClass: Float64Array; bySeat: Float64Array },
  classIndex: number,
  seat: number,
  amount: number,
): void {
  sums.byClass[classIndex] = (sums.byClass[classIndex] as number) + amount;
  sums.bySeat[seat] = (sums.bySeat[seat] as number) + amount;
}

/** Holdings by era and class. Slabs next to each other mostly belong together, so the last one is tried first. */
class Holdings {
  readonly list: Holding[] = [];
  private readonly byKey = new Map<number, Holding>();
  private last: Holding | undefined;

  add(m: Int32Array, record: number, seen: Look, slabBytes: number): void {
    const holding = this.find(seen.era, seen.classIndex);
    holding.liveObjects += seen.live;
    if (seen.live === 0) holding.reclaimable += seen.slabs;
    if (seen.large) {
      holding.full += seen.slabs;
      if (seen.live > 0) holding.largeBytes += seen.slabs * slabBytes;
    } else if (seen.occupied >= seen.slots) {
      holding.full++;
    } else {
      holding.partial++;
      if (seen.occupied === 0) holding.empty++;
    }
    if (holding.openedSec === 0) holding.openedSec = m[record + SLAB_OPENED_SEC] as number;
    if (holding.label === 0) holding.label = m[record + SLAB_LABEL] as number;
  }

  private find(era: number, classIndex: number): Holding {
    if (this.last?.era === era && this.last.classIndex === classIndex) return this.last;
    // Eras have 30 bits, classes 6.
    const key = era * 64 + classIndex;
    let holding = this.byKey.get(key);
    if (holding === undefined) {
      holding = {
        era,
        classIndex,
        partial: 0,
        full: 0,
        empty: 0,
        reclaimable: 0,
        liveObjects: 0,
        largeBytes: 0,
        openedSec: 0,
        label: 0,
      };
      this.byKey.set(key, holding);
      this.list.push(holding);
    }
    this.last = holding;
    return holding;
  }
}
