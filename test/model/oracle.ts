/**
 * What a correct heap must show, kept in ordinary collections: live objects with their contents and places,
 * the newest era, discarded eras, references to epochs.
 *
 * Only one era is ever open, the newest: advancing closes the one before. So "open" needs no state here.
 */
import type { Handle, SlabHeap } from "../../src/index.js";

const RING = 16;
export const FIRST_ERA = RING;

export function ringOf(era: number): number {
  return era % RING;
}

export interface Expected {
  readonly handle: Handle;
  readonly serial: number;
  readonly era: number;
  readonly usable: number;
  readonly offset: number;
  /** Position in `Oracle.order`. */
  place: number;
}

/** One seat's membership of one ring slot. */
interface Membership {
  era: number;
  depth: number;
}

export class Oracle {
  newest = FIRST_ERA;
  allocs = 0;
  private serials = 0;
  private readonly objects = new Map<Handle, Expected>();
  private readonly order: Expected[] = [];
  /** Serial of the live object that covers each 8-byte granule of the payload, 0 = none. */
  private readonly cover: Int32Array;
  private readonly payloadOffset: number;
  private readonly discarded = new Set<number>();
  private readonly retains = new Map<number, number>();
  private readonly refs = Array.from({ length: RING }, () => ({ era: -1, auto: false, closed: false }));
  private readonly members = new Map<SlabHeap, Map<number, Membership>>();

  private readonly heap: SlabHeap;

  constructor(heap: SlabHeap) {
    this.heap = heap;
    this.payloadOffset = heap.buffer.byteLength - heap.capacity;
    this.cover = new Int32Array(heap.capacity / 8);
  }

  // -- objects -----------------------------------------------------------------------------------------

  get liveCount(): number {
    return this.order.length;
  }

  pick(n: number): Expected | undefined {
    return this.order.length === 0 ? undefined : this.order[n % this.order.length];
  }

  expected(handle: number): Expected | undefined {
    return this.objects.get(handle as Handle);
  }

  all(): readonly Expected[] {
    return this.order;
  }

  /** Notes a new object; throws when it overlaps a live one, leaves the payload or repeats a handle. */
  add(handle: Handle, offset: number, usable: number): Expected {
    if (this.objects.has(handle)) throw new Error(`handle ${handle} was issued while it is live`);
    const serial = ++this.serials;
    const first = (offset - this.payloadOffset) / 8;
    if (!Number.isInteger(first))
      throw new Error(`object ${serial} starts at ${offset}, not a multiple of 8`);
    if (first < 0 || first + usable / 8 > this.cover.length) {
      throw new Error(`object ${serial} at ${offset} (${usable} bytes) leaves the payload`);
    }
    for (let i = first; i < first + usable / 8; i++) {
      if (this.cover[i] !== 0) {
        throw new Error(`object ${serial} at ${offset} (${usable} bytes) overlaps object ${this.cover[i]}`);
      }
      this.cover[i] = serial;
    }
    const object = { handle, serial, era: this.newest, usable, offset, place: this.order.length };
    this.objects.set(handle, object);
    this.order.push(object);
    this.allocs++;
    return object;
  }

  remove(object: Expected): void {
    const first = (object.offset - this.payloadOffset) / 8;
    this.cover.fill(0, first, first + object.usable / 8);
    this.objects.delete(object.handle);
    const last = this.order.pop();
    if (last !== undefined && last !== object) {
      this.order[object.place] = last;
      last.place = object.place;
    }
  }

  /**
   * Is *out of memory* right for a heap used by one seat? It is when no slab without live objects is left
   * (for a run: not enough of them in a row) and no slab of the same class and era has a free slot.
   */
  mayBeFull(size: number): boolean {
    const { slabSize, sizeClasses, capacity } = this.heap;
    const bytes = sizeClasses.find((c) => c >= size);
    const used = new Int32Array(capacity / slabSize);
    for (const { offset, usable, era } of this.order) {
      const slab = Math.floor((offset - this.payloadOffset) / slabSize);
      if (bytes === usable && era === this.newest && usable <= slabSize) used[slab] += 1;
      else used.fill(-1, slab, slab + Math.ceil(usable / slabSize));
    }
    const length = bytes === undefined ? Math.ceil(size / slabSize) : 1;
    const slots = bytes === undefined ? 0 : Math.floor(slabSize / bytes);
    let run = 0;
    for (const count of used) {
      run = count === 0 ? run + 1 : 0;
      if (run >= length || (count > 0 && count < slots)) return false;
    }
    return true;
  }

  // -- epochs ------------------------------------------------------------------------------------------

  /** Era now in a ring slot; below FIRST_ERA when it was never opened. */
  eraIn(ring: number): number {
    return this.newest - ((this.newest - ring + RING) % RING);
  }

  isDiscarded(era: number): boolean {
    return this.discarded.has(era);
  }

  advance(): void {
    this.newest++;
  }

  /** Closing the newest era opens the next; all others are closed already. Returns whether it changed anything. */
  close(era: number): boolean {
    if (era !== this.newest) return false;
    this.newest++;
    return true;
  }

  /** Ends every object of `era`; returns them. */
  discard(era: number): Expected[] {
    this.close(era);
    this.discarded.add(era);
    const ended = this.order.filter((object) => object.era === era);
    for (const object of ended) this.remove(object);
    return ended;
  }

  discardBefore(era: number): Expected[] {
    for (let e = FIRST_ERA; e < era; e++) this.discarded.add(e);
    const ended = this.order.filter((object) => object.era < era);
    for (const object of ended) this.remove(object);
    return ended;
  }

  // -- references --------------------------------------------------------------------------------------

  join(seat: SlabHeap): void {
    this.members.set(seat, new Map());
  }

  enter(seat: SlabHeap, auto: boolean): void {
    const era = this.newest;
    const ring = ringOf(era);
    const mine = this.members.get(seat) as Map<number, Membership>;
    const held = mine.get(ring);
    if (held?.era === era) held.depth++;
    else mine.set(ring, { era, depth: 1 });
    const refs = this.refs[ring];
    if (refs.era !== era) this.refs[ring] = { era, auto, closed: false };
    else refs.auto ||= auto;
  }

  exit(seat: SlabHeap, era: number): void {
    const mine = this.members.get(seat) as Map<number, Membership>;
    const held = mine.get(ringOf(era));
    // Displaced by a newer era of the ring slot: that era is long closed.
    if (held?.era !== era || --held.depth > 0) return;
    mine.delete(ringOf(era));
    this.autoClose(era);
  }

  leave(seat: SlabHeap): void {
    const mine = this.members.get(seat) as Map<number, Membership>;
    for (const ring of [...mine.keys()].sort((x, y) => x - y)) {
      const era = (mine.get(ring) as Membership).era;
      mine.delete(ring);
      this.autoClose(era);
    }
    this.members.delete(seat);
  }

  /** Returns the refcount after the change. */
  retain(ring: number, by: 1 | -1): number {
    const era = this.eraIn(ring);
    this.retains.set(era, Math.max(0, (this.retains.get(era) ?? 0) + by));
    const left = this.refcount(era);
    if (by < 0 && left === 0) this.autoClose(era);
    return left;
  }

  refcount(era: number): number {
    let levels = this.retains.get(era) ?? 0;
    for (const mine of this.members.values()) {
      const held = mine.get(ringOf(era));
      if (held?.era === era) levels += held.depth;
    }
    return levels;
  }

  private autoClose(era: number): void {
    const refs = this.refs[ringOf(era)];
    if (refs.era !== era || !refs.auto || refs.closed || this.refcount(era) > 0) return;
    refs.closed = true;
    this.close(era);
  }
}
