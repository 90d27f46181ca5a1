/** What a scenario is, and what its beginning can be made of. */

import type { SlabHeap } from "../../../src/allocator/heap/heap.js";
import { recordAt, SLAB_COUNTS, SLAB_FOLDED } from "../../../src/allocator/memory/layout.js";
import type { HeapOptions } from "../../../src/allocator/types.js";
import { LAST_GENERATION, SLOT_ALLOC } from "../../../src/allocator/words/slot-word.js";
import type { Op } from "./ops.js";
import type { PagesOptions } from "./pages.js";
import type { Actor, World } from "./world.js";

export interface Scenario {
  readonly name: string;
  /** What it is about, in a few words. */
  readonly about: string;
  /** One script per worker, numbered from 1. */
  readonly scripts: readonly (readonly Op[])[];
  /** Brings the heap into the state the scripts begin with; runs once. */
  setup?(setup: Setup): void;
  /** Workers (from 1) that may die at any access, and how many of them in one run. */
  readonly killable?: readonly number[];
  readonly kills?: number;
  /** Workers (from 1) without a seat at the beginning. */
  readonly unattached?: readonly number[];
  readonly slabs?: number;
  readonly options?: HeapOptions;
  /** A race at the core of the protocol: explored with at least three preemptions. */
  readonly core?: boolean;
  readonly preemptions?: number;
  /** Every worker can give pages back, in this way. */
  readonly pages?: PagesOptions;
  /** Slots are used up: the whole memory cannot come back as one object. */
  readonly retires?: boolean;
  /** A look of its own at the end, when everything is at rest. */
  check?(world: World): void;
}

/** Prepares the beginning of a scenario with whole operations, one after the other. */
export class Setup {
  readonly world: World;
  /** Heaps of the workers that have a seat, as the plain sources see them. */
  readonly heaps: readonly SlabHeap[];
  readonly dead: number[] = [];

  constructor(world: World, heaps: readonly SlabHeap[]) {
    this.world = world;
    this.heaps = heaps;
  }

  heap(worker: number): SlabHeap {
    return this.heaps[worker - 1] as SlabHeap;
  }

  alloc(worker: number, name: string, size = 2048): number {
    const { actors, oracle } = this.world;
    const actor = actors[worker - 1] as Actor;
    const handle = this.heap(worker).alloc(size);
    if (handle === 0) throw new Error(`setup: alloc ${name} failed`);
    oracle.allocated(actor.worker, handle, size, oracle.beginAlloc(actor.worker));
    this.world.useContents(handle, size);
    actor.vars.set(name, handle);
    return handle;
  }

  free(worker: number, name: string): void {
    const { actors, oracle } = this.world;
    const actor = actors[worker - 1] as Actor;
    const handle = actor.vars.get(name) as number;
    const claim = oracle.beginFree(actor.worker, handle);
    oracle.endFree(actor.worker, handle, claim, this.heap(worker).free(handle as never));
  }

  /** The other worker knows the handle too. */
  give(from: number, to: number, name: string): void {
    const handle = (this.world.actors[from - 1] as Actor).vars.get(name) as number;
    (this.world.actors[to - 1] as Actor).vars.set(name, handle);
  }

  advance(worker = 1): void {
    const { era } = this.heap(worker).advanceEpoch();
    this.world.oracle.closed((this.world.actors[worker - 1] as Actor).worker, era);
  }

  /** Everybody honours what has changed. */
  sync(): void {
    for (const heap of [...this.heaps, this.world.janitor]) heap?.poll();
  }

  /** The object's slot has been used so often that `left` more frees retire it. */
  age(worker: number, name: string, left: number): void {
    const { oracle, m, actors } = this.world;
    const { vars } = actors[worker - 1] as Actor;
    const handle = vars.get(name) as number;
    const aged = oracle.age(handle, LAST_GENERATION - left + 1);
    m[oracle.slotWord(handle)] = ((LAST_GENERATION - left + 1) << 2) | SLOT_ALLOC;
    vars.set(name, aged);
  }

  /** The next allocation in the object's slab is one that moves the slab's counts into the seat's. */
  nextFolds(worker: number, name: string): void {
    const { oracle, m, actors } = this.world;
    const record = recordAt(oracle.slabOf((actors[worker - 1] as Actor).vars.get(name) as number));
    // Both words by the same number of allocations: nothing new is unfolded.
    const more = 4095 - ((m[record + SLAB_COUNTS] as number) >>> 18);
    for (const word of [SLAB_COUNTS, SLAB_FOLDED])
      m[record + word] = (m[record + word] as number) + (more << 18);
  }

  /** The worker's FREE slabs, and everybody's, have no pages any more. */
  trim(worker = 1): void {
    const { world } = this;
    world.pages.equip(this.heap(worker)._a);
    this.heap(worker).trim();
    world.pages.strip(this.heap(worker)._a);
    this.sync();
  }

  /** The worker has found the heap full, with nobody left to ask. */
  full(worker: number): void {
    for (let i = 0; i < 2; i++) {
      if (this.heap(worker).alloc(2048) !== 0) throw new Error("setup: the heap is not full");
      this.sync();
    }
  }

  /** The worker is dead before anybody begins. */
  kill(worker: number): void {
    this.dead.push(worker - 1);
  }
}
