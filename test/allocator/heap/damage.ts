import type { SlabHeap } from "../../../src/allocator/heap/heap.js";
import { binAt, recordAt, SLAB_TAG, seatAt } from "../../../src/allocator/memory/layout.js";

export class Words {
  readonly m: Int32Array;
  readonly heap: SlabHeap;

  constructor(heap: SlabHeap) {
    this.heap = heap;
    this.m = heap._a.m;
  }
  set(slab: number, field: number, value: number): void {
    this.m[recordAt(slab) + field] = value;
  }
  get(slab: number, field: number): number {
    return this.m[recordAt(slab) + field];
  }
  tag(slab: number, value: number): void {
    this.set(slab, SLAB_TAG, value);
  }
  /** Word index of a slot. */
  slot(slab: number, position: number): number {
    return this.heap._a.layout.slotBase + slab * 2 ** this.heap._a.layout.slotsShift + position;
  }
  setSlot(slab: number, position: number, word: number): void {
    this.m[this.slot(slab, position)] = word;
  }
  bin(seat: number, classIndex: number, field: number, value: number): void {
    this.m[binAt(this.heap._a.layout, seat, classIndex) + field] = value;
  }
  seat(seat: number, field: number, value: number): void {
    this.m[seatAt(this.heap._a.layout, seat) + field] = value;
  }
}

/** Sentences of `verify`, in any order. */
export type Expected = readonly string[] | ((w: Words) => readonly string[]);
/** What is damaged, how, and every sentence that must come of it. */
export type Corruption = readonly [name: string, damage: (words: Words) => void, expected: Expected];
