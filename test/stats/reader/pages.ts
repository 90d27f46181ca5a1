/**
 * What becomes of a heap's slabs and their pages, without a counter of the heap: every slab that is given back, as the
 * change of its tag shows, and a page releaser that stands for the kernel.
 */
import { recordAt, SLAB_ERA, SLAB_TAG, slabOfRecord } from "../../../src/allocator/memory/layout.js";
import { SLAB_RUN } from "../../../src/allocator/memory/offsets.js";
import {
  TAG_CLAIMED,
  TAG_FREE,
  TAG_LARGE,
  TAG_OWNED,
  TAG_RELEASING,
  tagClass,
  tagState,
} from "../../../src/allocator/words/slab-tag.js";
import type { PageReleaser, SlabHeap } from "../../../src/index.js";

/** Slabs given back, and bytes of them released. */
export interface Given {
  slabs: number;
  bytes: number;
}

/** What the last holder used a slab for. */
interface Use {
  readonly classIndex: number;
  readonly era: number;
}

export interface ReleaseTally extends Given {
  calls: number;
  failures: number;
}

const watched = new WeakMap<ArrayBufferLike, Pages>();
const compareExchange = Atomics.compareExchange as (m: Int32Array, i: number, a: number, b: number) => number;

// Every change of a slab's tag goes through it.
(Atomics as { compareExchange: typeof compareExchange }).compareExchange = (m, index, expected, next) => {
  const was = compareExchange(m, index, expected, next);
  if (was === expected) watched.get(m.buffer)?.changed(index, was, next);
  return was;
};

export class Pages {
  /** Slabs whose pages may be resident, as far as they were given back; those in use are. */
  readonly resident = new Set<number>();
  /** By class, large objects last; and by era. */
  readonly byClass = new Map<number, ReleaseTally>();
  readonly byEra = new Map<number, Given>();
  /** What should not have happened. */
  readonly faults: string[] = [];
  /** Of all calls so far. */
  readonly total: ReleaseTally = newTally();
  /** Slabs that were ever given back. */
  readonly everGiven = new Set<number>();
  private readonly last = new Map<number, Use>();
  private heap: SlabHeap | undefined;
  private asked = 0;

  watch(heap: SlabHeap): void {
    this.heap = heap;
    watched.set(heap.buffer, this);
  }

  ofClass(classIndex: number): ReleaseTally {
    return this.byClass.get(classIndex) ?? newTally();
  }

  ofEra(era: number): Given {
    return this.byEra.get(era) ?? { slabs: 0, bytes: 0 };
  }

  /** The word at `index` changed. */
  changed(index: number, was: number, now: number): void {
    const { m, layout } = (this.heap as SlabHeap)._a;
    const record = index - SLAB_TAG;
    const slab = slabOfRecord(record);
    if (!Number.isInteger(slab) || slab < 0 || slab >= layout.slabCount || recordAt(slab) !== record) return;
    const from = tagState(was);
    const isSlab = from === TAG_OWNED && now === TAG_FREE;
    // The head of a run is claimed once more, while its tails become free.
    const isRun = from === TAG_LARGE && tagState(now) === TAG_CLAIMED;
    if (!isSlab && !isRun) return;
    const use = { classIndex: isRun ? layout.classCount : tagClass(was), era: m[record + SLAB_ERA] };
    const slabs = isRun ? m[record + SLAB_RUN] : 1;
    for (let i = slab; i < slab + slabs; i++) {
      this.last.set(i, use);
      this.resident.add(i);
      this.everGiven.add(i);
    }
    this.tallyOf(use.classIndex).slabs += slabs;
    this.givenOf(use.era).slabs += slabs;
  }

  /**
   * Stands for the kernel: takes all, half, or nothing, or refuses, or throws, in turn. Having nothing to take is no call,
   * and slabs of which half went are resident still.
   */
  releaser(): PageReleaser {
    return { release: (buffer, offset, bytes) => this.release(buffer, offset, bytes) };
  }

  private release(buffer: SharedArrayBuffer, offset: number, bytes: number): number {
    const { m, layout } = (this.heap as SlabHeap)._a;
    const first = (offset - layout.payloadOffset) / layout.slabSize;
    const slabs = bytes / layout.slabSize;
    if (!Number.isInteger(first) || !Number.isInteger(slabs) || slabs < 1) {
      this.faults.push(`release of ${bytes} bytes at ${offset}`);
    }
    for (let slab = first; slab < first + slabs; slab++) {
      const state = tagState(m[recordAt(slab) + SLAB_TAG]);
      if (state !== TAG_RELEASING) this.faults.push(`slab ${slab} in state ${state} was released`);
      if (!this.resident.has(slab)) this.faults.push(`slab ${slab} was released twice`);
    }
    const turn = this.asked++ % 11;
    const refused = turn === 4 || turn === 7;
    const taken = refused ? 0 : turn === 1 ? bytes / 2 : turn === 5 ? 0 : bytes;
    new Uint8Array(buffer, offset, taken).fill(0);
    for (const tally of [this.total, this.tallyOf(this.useOf(first).classIndex)]) {
      if (refused || taken > 0) tally.calls++;
      if (refused) tally.failures++;
    }
    this.total.bytes += taken;
    for (let slab = first; slab < first + slabs; slab++) {
      const { classIndex, era } = this.useOf(slab);
      this.tallyOf(classIndex).bytes += taken / slabs;
      this.givenOf(era).bytes += taken / slabs;
      if (taken === bytes) this.resident.delete(slab);
    }
    if (turn === 7) throw new Error("the kernel says no");
    return refused ? -1 : taken;
  }

  private useOf(slab: number): Use {
    const use = this.last.get(slab);
    if (use === undefined) throw new Error(`slab ${slab} was released without having been given back`);
    return use;
  }

  private tallyOf(classIndex: number): ReleaseTally {
    const tally = this.byClass.get(classIndex) ?? newTally();
    this.byClass.set(classIndex, tally);
    return tally;
  }

  private givenOf(era: number): Given {
    const given = this.byEra.get(era) ?? { slabs: 0, bytes: 0 };
    this.byEra.set(era, given);
    return given;
  }
}

function newTally(): ReleaseTally {
  return { slabs: 0, bytes: 0, calls: 0, failures: 0 };
}
