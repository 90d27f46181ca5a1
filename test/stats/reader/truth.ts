/** What the slab tags and slot words say, read the slow way: the counts the reader uses are not looked at. */
import type { SlabHeap } from "../../../src/allocator/heap/heap.js";
import { recordAt, SLAB_ERA, SLAB_TAG } from "../../../src/allocator/memory/layout.js";
import {
  TAG_CLAIMED,
  TAG_FREE,
  TAG_LARGE,
  TAG_ORPHANED,
  TAG_RELEASING,
  TAG_TAIL,
  tagClass,
  tagOwner,
  tagState,
  tailHead,
} from "../../../src/allocator/words/slab-tag.js";
import { SLOT_ALLOC, SLOT_REMOTE_FREED, slotState } from "../../../src/allocator/words/slot-word.js";

/** One slab of a size class, or one run of slabs. */
export interface Kept {
  readonly slab: number;
  /** Length of a run; 1 for a slab of a size class. */
  slabs: number;
  /** `sizeClasses.length` for a run. */
  readonly classIndex: number;
  readonly era: number;
  /** 0 = nobody. */
  readonly owner: number;
  readonly orphaned: boolean;
  readonly slots: number;
  /** Slots whose word says that they hold an object, and those freed by other threads but not taken back. */
  readonly allocated: number;
  readonly remoteFreed: number;
  /** The former, without objects of discarded eras, which their owner has not ended yet. */
  readonly live: number;
}

export interface Truth {
  readonly kept: readonly Kept[];
  /** Slabs whose tag is not FREE. */
  readonly used: readonly number[];
}

export function truthOf(heap: SlabHeap, isDiscarded: (era: number) => boolean): Truth {
  const { m, layout } = heap._a;
  const kept = new Map<number, Kept>();
  const used: number[] = [];
  for (let slab = 0; slab < layout.slabCount; slab++) {
    const record = recordAt(slab);
    const tag = m[record + SLAB_TAG];
    const state = tagState(tag);
    if (state === TAG_FREE) continue;
    used.push(slab);
    if (state === TAG_RELEASING) throw new Error(`slab ${slab} is RELEASING: the heap is not at rest`);
    if (state === TAG_CLAIMED) throw new Error(`slab ${slab} is CLAIMED: the heap is not at rest`);
    if (state === TAG_TAIL) {
      const head = kept.get(tailHead(tag));
      if (head === undefined) throw new Error(`slab ${slab} is the TAIL of a slab that is no head`);
      head.slabs++;
      continue;
    }
    const large = state === TAG_LARGE;
    const classIndex = large ? layout.classCount : tagClass(tag);
    const slots = large
      ? 1
      : Math.min(layout.positionMask + 1, Math.floor(layout.slabSize / layout.sizeClasses[classIndex]));
    let allocated = 0;
    let remoteFreed = 0;
    const first = layout.slotBase + (slab << layout.slotsShift);
    for (let slot = first; slot < first + slots; slot++) {
      if (slotState(m[slot]) === SLOT_ALLOC) allocated++;
      if (slotState(m[slot]) === SLOT_REMOTE_FREED) remoteFreed++;
    }
    const owner = tagOwner(tag);
    const era = m[record + SLAB_ERA];
    kept.set(slab, {
      slab,
      slabs: 1,
      classIndex,
      era,
      owner,
      orphaned: state === TAG_ORPHANED || (large && owner === 0),
      slots,
      allocated,
      remoteFreed,
      live: isDiscarded(era) ? 0 : allocated,
    });
  }
  return { kept: [...kept.values()], used };
}

/** Sums of the slabs and runs that `pick` accepts, as the document defines them. */
export function sumKept(truth: Truth, slabSize: number, pick: (kept: Kept) => boolean) {
  const sum = {
    partial: 0,
    full: 0,
    empty: 0,
    reclaimable: 0,
    live: 0,
    remoteFreed: 0,
    slabs: 0,
    runBytes: 0,
  };
  for (const kept of truth.kept) {
    if (!pick(kept)) continue;
    const occupied = kept.allocated + kept.remoteFreed;
    const run = kept.slots === 1 && kept.slabs > 1;
    sum.slabs += kept.slabs;
    sum.live += kept.live;
    sum.remoteFreed += kept.remoteFreed;
    if (run || occupied >= kept.slots) sum.full += kept.slabs;
    else sum.partial += 1;
    if (!run && occupied === 0) sum.empty += 1;
    if (kept.live === 0) sum.reclaimable += kept.slabs;
    if (kept.live > 0) sum.runBytes += kept.slabs * slabSize;
  }
  return sum;
}
