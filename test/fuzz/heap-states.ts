/** Heaps in several states of their work, for damage to be done to. */
import { SlabHeap } from "../../src/allocator/heap/heap.js";
import type { EpochId, EpochRef, Handle, HeapOptions } from "../../src/allocator/types.js";
import { closeHeap, FrozenHeap, type World } from "./frozen-heap.js";
import { LiveObjects } from "./live-objects.js";

const SLAB = 4096;

/**
 * Slabs of 4 KiB with 42, 8 and 3 slots: one class has uncarved slots, two no power of two. So many slabs that no call
 * fails for want of memory, where that is not the point: how close that is depends on hints.
 */
const OPTIONS: HeapOptions = {
  capacity: 28 * SLAB,
  slabSize: SLAB,
  maxWorkers: 4,
  sizeClasses: [96, 512, 1360],
};

export const SIZES: readonly number[] = [90, 512, 1300];

/** Builds a state through the public methods. */
class Builder implements World {
  readonly heaps: SlabHeap[];
  readonly dead: World["dead"] = [];
  readonly live = new LiveObjects();
  readonly stale: number[] = [];

  constructor(options: HeapOptions = {}) {
    this.heaps = [SlabHeap.create({ ...OPTIONS, ...options })];
  }

  attach(): SlabHeap {
    const heap = SlabHeap.attach(this.heaps[0].share(), { sameThread: true });
    this.heaps.push(heap);
    return heap;
  }

  poll(): void {
    for (const heap of this.heaps) heap.poll();
  }

  alloc(heap: SlabHeap, size: number, count = 1): Handle[] {
    return Array.from({ length: count }, () => {
      const handle = heap.allocOrThrow(size);
      this.live.add(heap, handle, size, heap.currentEpoch.era);
      return handle;
    });
  }

  free(heap: SlabHeap, handles: readonly Handle[]): void {
    for (const handle of handles) {
      if (!heap.free(handle)) throw new Error(`the state could not be built: free(${handle}) is false`);
      this.live.remove(handle);
      this.stale.push(handle);
    }
  }

  discard(heap: SlabHeap, ref: EpochRef): void {
    heap.discardEpoch(ref);
    this.stale.push(...this.live.discard((era) => era === ref.era));
  }

  /** The thread of `heap` is gone, its seat as it was. */
  kill(heap: SlabHeap): void {
    this.dead.push({ seat: heap.seat, incarnation: heap.incarnation });
    this.heaps.splice(this.heaps.indexOf(heap), 1);
    closeHeap(heap);
  }
}

/** As few words as a heap can have, for a look at each of them: two seats, one of them free. */
function small(): World {
  const b = new Builder({ capacity: 16 * SLAB, maxWorkers: 2 });
  const [one] = b.heaps;
  b.alloc(one, 512, 3);
  const ended = b.alloc(one, 90, 3);
  b.alloc(one, SLAB + 1);
  one.setEpochLabel(0 as EpochId, "closed");
  one.advanceEpoch();
  b.free(one, ended.slice(0, 1));
  one.openDomain({ label: "open", autoClose: true });
  b.alloc(one, 512, 9);
  b.free(one, b.alloc(one, 1300));
  b.poll();
  return b;
}

function fresh(): World {
  const b = new Builder();
  b.attach();
  b.poll();
  return b;
}

/** Partial, full and uncarved slabs of two seats, runs, remote frees not taken back, a closed epoch, domains, labels. */
function busy(): World {
  const b = new Builder();
  const [one] = b.heaps;
  const two = b.attach();
  b.poll();
  one.setEpochLabel(0 as EpochId, "first");
  const small = b.alloc(one, 90, 50);
  b.alloc(one, 1300, 2);
  const run = b.alloc(one, 2 * SLAB);
  const theirs = b.alloc(two, 512, 9);
  b.free(one, small.slice(3, 8));
  one.advanceEpoch();
  b.poll();
  b.alloc(two, 90, 3);
  const doomed = one.currentEpoch;
  b.alloc(one, 512, 2);
  one.advanceEpoch();
  b.poll();
  b.discard(one, doomed);
  b.poll();
  one.openDomain({ label: "outer", autoClose: true });
  two.openDomain({ label: "other" });
  two.openDomain({ label: "inner", autoClose: true });
  one.retainEpoch(1 as EpochId);
  b.alloc(one, 90, 33);
  b.alloc(one, 1300, 4);
  b.alloc(two, 512, 3);
  b.alloc(two, SLAB + 1);
  b.poll();
  // Not taken back yet: of a small slab, of a run.
  b.free(two, [small[20], small[21]]);
  b.free(one, [theirs[2]]);
  b.free(two, run);
  return b;
}

/** Ring slots reused while slabs of old eras live on; one old era discarded, which its owner has not honoured. */
function wrapped(): World {
  const b = new Builder();
  const [one] = b.heaps;
  const two = b.attach();
  b.poll();
  b.alloc(one, 90, 4);
  b.alloc(two, 512, 2);
  one.advanceEpoch();
  b.poll();
  const doomed = one.currentEpoch;
  b.alloc(one, 1300, 2);
  b.alloc(two, 90, 5);
  for (let n = 0; n < 18; n++) one.advanceEpoch();
  b.poll();
  b.alloc(one, 90, 6);
  b.alloc(two, 1300, 2);
  b.alloc(two, 3 * SLAB);
  b.discard(one, doomed);
  two.setEpochLabel(3 as EpochId, "third");
  return b;
}

/** A dead seat with objects, a domain and remote frees; slabs that a detached seat left, not adopted yet. */
function orphaned(): World {
  const b = new Builder();
  const [one] = b.heaps;
  const dead = b.attach();
  const leaver = b.attach();
  b.poll();
  b.alloc(one, 90, 3);
  const lost = b.alloc(dead, 90, 12);
  b.alloc(dead, 1300, 2);
  b.alloc(dead, 2 * SLAB);
  dead.openDomain({ label: "dead", autoClose: true });
  const left = b.alloc(leaver, 512, 6);
  b.alloc(leaver, SLAB + 8);
  b.free(one, lost.slice(0, 2));
  b.free(one, left.slice(0, 1));
  leaver.detach();
  b.heaps.splice(b.heaps.indexOf(leaver), 1);
  b.kill(dead);
  return b;
}

/** Every slab taken. */
function full(): World {
  const b = new Builder({ capacity: 16 * SLAB });
  const [one] = b.heaps;
  const two = b.attach();
  b.poll();
  b.alloc(one, 90, 60);
  b.alloc(two, 6 * SLAB);
  b.alloc(two, 1300, 6);
  b.alloc(one, 512, 10);
  for (;;) {
    const handle = two.alloc(1300);
    if (handle === 0) break;
    b.live.add(two, handle, 1300, two.currentEpoch.era);
  }
  b.poll();
  b.free(two, [b.live.list()[3].handle]);
  return b;
}

/** As busy, where every free overwrites its object. */
function zeroing(): World {
  const b = new Builder({ zeroOnFree: true });
  const [one] = b.heaps;
  const two = b.attach();
  b.poll();
  const mine = b.alloc(one, 90, 10);
  const theirs = b.alloc(two, 1300, 4);
  b.alloc(two, 2 * SLAB);
  b.free(two, mine.slice(0, 3));
  b.free(one, theirs.slice(1, 2));
  one.advanceEpoch();
  b.alloc(one, 512, 5);
  return b;
}

export const STATES = { small, fresh, busy, wrapped, orphaned, full, zeroing } satisfies Record<
  string,
  () => World
>;
export type StateName = keyof typeof STATES;
export const STATE_NAMES = Object.keys(STATES) as StateName[];

export function freeze(name: StateName): FrozenHeap {
  return new FrozenHeap(name, STATES[name]());
}
