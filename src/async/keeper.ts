/**
 * Looks after the epochs of a rotator: opens the next one where that is safe, and closes or discards each one that is over
 * when nobody is inside any more.
 *
 * Other threads open epochs, enter and leave at the same time. Three orders make it exact:
 *
 *   open    close the era whose ring slot would be reused | look whether anybody is inside it | move on from the era
 *           that was current, and from no other: closeEpoch(current) is one compare-and-swap. advanceEpoch() would open yet another epoch
 *           where two threads found at once that it is time, and nobody had looked at that one's ring slot.
 *   leave   give up the membership | read the current era | if the epoch is over, look whether anybody is inside. Against
 *           a thread that moves on and then looks: whoever is second sees what the other did. Of two that leave, the
 *           second one sees nobody. A thread that is refused on its way in counts as one that leaves.
 *   end     closeEpoch(over) | look whether anybody is inside | discard. An era that is over may still be open in its
 *           record, where its closer has not got to it: a thread could enter between the look and the discard, and between
 *           the look and the opening.
 */
import {
  type CloseReport,
  EpochClosedError,
  type EpochDomain,
  type EpochId,
  type EpochRef,
  HeapDetachedError,
  RING_SIZE,
  type SlabHeap,
} from "../allocator/index.js";
import type { DomainHost } from "./domain.js";

/**
 * Epochs that were pushed out of the ring before this thread saw that they were over, dealt with at a time. Each costs a
 * look at every slab; a thread that slept may find thousands.
 */
const OUT_OF_RING_AT_ONCE = 16;

export class EpochKeeper implements DomainHost {
  readonly heap: SlabHeap;
  /** Newest epoch seen; those before it are over. */
  current: EpochRef;
  /** The one that was current when this keeper began: what it knows of older ones is nothing. */
  private readonly firstSeen: number;
  /** Domains opened in {@link current}; counted by the rotator. */
  opened = 0;
  /** When a domain of this keeper first entered {@link current} (ms, as performance.now); -1: none has. */
  usedSince = -1;
  /** Epochs that ended while this keeper looked on. */
  passed = 0;
  /** Domains that have left. */
  departed = 0;
  closed = 0;
  discarded = 0;
  objects = 0;
  bytes = 0;
  private readonly label: string;
  /** From this era on, epochs are discarded; Infinity: none is. */
  private discardFrom = Infinity;
  /** Domains that are inside, by era. */
  private readonly inside = new Map<number, number>();
  /** Eras that are over and not dealt with, ascending; true: known to be closed in its record. */
  private readonly over = new Map<number, boolean>();

  constructor(heap: SlabHeap, discard: boolean, label: string) {
    this.heap = heap;
    this.label = label;
    this.current = heap.currentEpoch;
    this.firstSeen = this.current.era;
    if (discard) this.startAfresh();
  }

  /** Epochs that are over and have somebody inside, or have not been looked at since the last one left. */
  get waiting(): number {
    return this.over.size;
  }

  /** True while domains of this keeper are inside any epoch. */
  get occupied(): boolean {
    return this.inside.size > 0;
  }

  /** Enters the current epoch. The first domain of an epoch names it. */
  enter(): EpochDomain {
    this.catchUp();
    const before = this.current.era;
    const label = this.usedSince < 0 ? this.label : "";
    const member = this.heap.openDomain({ unordered: true, label });
    const { era } = member.epoch;
    this.inside.set(era, (this.inside.get(era) ?? 0) + 1);
    this.catchUp();
    // It was refused in the epoch it found and is in a newer one. Whoever moved on may have seen it inside the old one
    // meanwhile, and left that to it.
    if (era !== before) this.sweep();
    if (era === this.current.era && this.usedSince < 0) this.usedSince = performance.now();
    return member;
  }

  left(epochs: readonly EpochRef[]): void {
    this.departed++;
    const vacated: number[] = [];
    for (const { era } of epochs) {
      const others = (this.inside.get(era) as number) - 1;
      if (others > 0) {
        this.inside.set(era, others);
      } else {
        this.inside.delete(era);
        vacated.push(era);
      }
    }
    if (vacated.length === 0) return;
    this.catchUp();
    try {
      for (const era of vacated) if (this.over.has(era)) this.end(era);
    } catch (error) {
      // A thread that has given its seat back is inside nothing; its epochs are for the others to end.
      if (!(error instanceof HeapDetachedError)) throw error;
    }
  }

  /** Takes note of epochs that other threads have opened. */
  catchUp(): void {
    const now = this.heap.currentEpoch;
    const first = this.current.era;
    if (now.era === first) return;
    for (let era = first; era < now.era; era++) {
      // What is out of the ring is closed: there is no more to it, unless it is to be discarded.
      if (era >= this.discardFrom || era > now.era - RING_SIZE) this.over.set(era, false);
    }
    this.passed += now.era - first;
    this.current = now;
    this.opened = 0;
    this.usedSince = -1;
  }

  /**
   * Sees to it that {@link current} ends, unless somebody is inside the epoch whose ring slot the next one would take: it
   * returns false then, and nothing has changed.
   */
  moveOn(): boolean {
    const from = this.current;
    const displaced = refOf(from.era + 1 - RING_SIZE);
    if (this.inside.has(displaced.era)) return false;
    this.seal(displaced);
    if (this.heap.refcount(displaced) > 0) return false;
    this.sweep();
    try {
      this.count(this.heap.closeEpoch(from));
    } catch (error) {
      // The heap is at its last era, which stays current for good.
      if (error instanceof EpochClosedError) return false;
      throw error;
    }
    this.catchUp();
    this.over.set(from.era, true);
    this.end(from.era);
    return true;
  }

  /** Ends the epochs that are over and have nobody inside. */
  sweep(): void {
    let outOfRing = 0;
    for (const era of this.over.keys()) {
      if (era <= this.current.era - RING_SIZE && ++outOfRing > OUT_OF_RING_AT_ONCE) continue;
      this.end(era);
    }
  }

  /**
   * Closes an era that is over in its record too, unless that is known to be done: its closer may not have got to it, and
   * somebody could still enter.
   */
  private seal(epoch: EpochRef): void {
    const ended = epoch.era >= this.firstSeen && !this.over.has(epoch.era);
    if (ended || this.over.get(epoch.era) === true) return;
    this.count(this.heap.closeEpoch(epoch));
    if (this.over.has(epoch.era)) this.over.set(epoch.era, true);
  }

  /** Begins with an epoch of its own: what is in the one before is older than the keeper and not its to discard. */
  private startAfresh(): void {
    // Where it cannot begin one, this epoch is closed in its time, and the next one is the first to be discarded.
    this.discardFrom = this.moveOn() ? this.current.era : this.current.era + 1;
    this.over.clear();
    this.passed = 0;
    this.closed = 0;
    this.bytes = 0;
  }

  /** Closes or discards an era that is over, if nobody is inside. */
  private end(era: number): void {
    const epoch = refOf(era);
    // The map first: a thread's membership in an era is forgotten when it enters a newer one of the same ring slot, which
    // only happens where epochs are opened without asking a rotator.
    if (this.inside.has(era) || this.heap.refcount(epoch) > 0) return;
    const discard = era >= this.discardFrom;
    const sealed = this.over.get(era) === true;
    if (!discard || !sealed) this.count(this.heap.closeEpoch(epoch));
    if (!discard) {
      this.over.delete(era);
      this.closed++;
      return;
    }
    this.over.set(era, true);
    if (!sealed && this.heap.refcount(epoch) > 0) return;
    this.over.delete(era);
    this.count(this.heap.discardEpoch(epoch));
    this.discarded++;
  }

  private count(report: CloseReport): void {
    this.objects += report.objectsDiscarded;
    this.bytes += report.bytesRecycled;
  }
}

function refOf(era: number): EpochRef {
  return { id: (era % RING_SIZE) as EpochId, era };
}
