/**
 * A heap, the seats that have joined it, and the collections and counters of what was done to it. Nothing here reads a
 * counter of the heap. The operations themselves are in world.ts.
 */
import type { Attachment } from "../../../src/allocator/memory/attachment.js";
import {
  type CloseReport,
  type EpochDomain,
  type HeapOptions,
  type PageReleaser,
  SlabHeap,
} from "../../../src/index.js";
import { StatsReader } from "../../../src/stats/index.js";
import { FIRST_ERA, Oracle, ringOf } from "../../model/oracle.js";
import { Pages } from "./pages.js";
import { type Truth, truthOf } from "./truth.js";

const LABEL_BYTES = 31;

/** What one size class counted, or large objects together. */
export interface ClassTally {
  allocs: number;
  frees: number;
  remoteFrees: number;
  discarded: number;
  outOfMemory: number;
  epochClosed: number;
  orphanedLive: number;
}

/** What the threads in one seat counted. */
export interface SeatTally {
  allocs: number;
  frees: number;
  remoteFrees: number;
}

/** What the latest close or discard of an era found. */
export interface CloseTally {
  readonly atMs: number;
  readonly before: number;
  readonly after: number;
  /** Bytes released meanwhile. */
  readonly released: number;
}

/** How things were before an operation that may end epochs. */
export interface Before {
  readonly slabs: number;
  readonly released: number;
}

const newClass = (): ClassTally => ({
  allocs: 0,
  frees: 0,
  remoteFrees: 0,
  discarded: 0,
  outOfMemory: 0,
  epochClosed: 0,
  orphanedLive: 0,
});

export class Ledger {
  readonly oracle: Oracle;
  readonly reader: StatsReader;
  readonly seats: SlabHeap[] = [];
  /** One per size class, then large objects. */
  readonly classes: ClassTally[];
  readonly bySeat = new Map<number, SeatTally>();
  /** Every attachment there ever was: what it says of its slow paths is not in the buffer. */
  readonly attachments: Attachment[] = [];
  readonly openedMs = new Map<number, number>([[FIRST_ERA, Date.now()]]);
  readonly createdMs = Date.now();
  readonly closes = new Map<number, CloseTally>();
  /** The label set last in each ring slot. */
  readonly labels = new Map<number, { era: number; label: string }>();
  readonly labelsOfEra = new Map<number, Set<string>>();
  /** Distinct labels in the order of their first use. */
  readonly distinctLabels: string[] = [];
  readonly touched = new Set<number>();
  readonly pages = new Pages();
  readonly releasing: boolean;
  closeCalls = 0;
  /** Eras that a call was the first to close or discard. */
  lifetimes = 0;
  reaps = 0;
  nullFrees = 0;
  staleFrees = 0;
  protected readonly domains = new Map<SlabHeap, EpochDomain[]>();

  constructor(options: HeapOptions, releasing: boolean) {
    this.releasing = releasing;
    const heap = SlabHeap.create({ ...options, ...this.releaserOption() });
    this.pages.watch(heap);
    this.oracle = new Oracle(heap);
    this.classes = Array.from({ length: heap.sizeClasses.length + 1 }, newClass);
    this.reader = StatsReader.open(heap.buffer);
    this.join(heap);
    this.settle();
  }

  get first(): SlabHeap {
    return this.seats[0];
  }

  /** What the tags and slot words say now. */
  truth(): Truth {
    return truthOf(this.first, (era) => this.oracle.isDiscarded(era));
  }

  /** After every operation: notes what only the clock and the tags know. */
  protected settle(): void {
    for (let era = this.oracle.newest; !this.openedMs.has(era); era--) this.openedMs.set(era, Date.now());
    for (const slab of this.truth().used) this.touched.add(slab);
    // Taken and given back within one operation.
    for (const slab of this.pages.everGiven) this.touched.add(slab);
  }

  // -- seats -------------------------------------------------------------------------------------------

  protected join(seat: SlabHeap): void {
    this.seats.push(seat);
    this.domains.set(seat, []);
    this.attachments.push(seat._a);
    this.oracle.join(seat);
    if (!this.bySeat.has(seat.seat)) this.bySeat.set(seat.seat, { allocs: 0, frees: 0, remoteFrees: 0 });
  }

  /** Objects that a seat leaves behind; a dead one also what others freed and it never took back. */
  protected noteOrphans(owner: number, dead: boolean): void {
    for (const kept of this.truth().kept) {
      if (kept.owner === owner) {
        this.classes[kept.classIndex].orphanedLive += kept.allocated + (dead ? kept.remoteFreed : 0);
      }
    }
  }

  // -- objects -----------------------------------------------------------------------------------------

  protected classOf(bytes: number): number {
    const found = this.first.sizeClasses.findIndex((c) => c >= bytes);
    return found < 0 ? this.first.sizeClasses.length : found;
  }

  protected seatTally(seat: SlabHeap): SeatTally {
    return this.bySeat.get(seat.seat) as SeatTally;
  }

  protected countAlloc(seat: SlabHeap, bytes: number): void {
    this.classes[this.classOf(bytes)].allocs++;
    this.seatTally(seat).allocs++;
  }

  protected countFailure(seat: SlabHeap, bytes: number): void {
    const tally = this.classes[this.classOf(bytes)];
    if (seat.lastFailure === "out-of-memory") tally.outOfMemory++;
    else if (seat.lastFailure === "epoch-closed") tally.epochClosed++;
    else throw new Error(`alloc(${bytes}) failed because of "${seat.lastFailure}"`);
  }

  // -- epochs ------------------------------------------------------------------------------------------

  protected before(): Before {
    return { slabs: this.truth().used.length, released: this.pages.total.bytes };
  }

  /** A call has closed or discarded an era that is in the ring. */
  protected noteEnd(era: number, before: Before): void {
    if (!this.closes.has(era)) this.lifetimes++;
    const after = this.before();
    this.closes.set(era, {
      atMs: Date.now(),
      before: before.slabs,
      after: after.slabs,
      released: after.released - before.released,
    });
  }

  /** False when the call was refused. */
  protected noteClose(report: CloseReport, before: Before): boolean {
    const released = this.pages.total.bytes - before.released;
    if (report.bytesReleased !== released) {
      throw new Error(`close: ${report.bytesReleased} bytes released, not ${released}`);
    }
    if (report.reason === "stale" || report.reason === "never-opened") return false;
    this.closeCalls++;
    return true;
  }

  protected noteLabel(era: number, text: string): void {
    const label = cut(text);
    this.labels.set(ringOf(era), { era, label });
    this.labelsOfEra.set(era, (this.labelsOfEra.get(era) ?? new Set()).add(label));
    if (label !== "" && !this.distinctLabels.includes(label)) this.distinctLabels.push(label);
  }

  /** Label of the era in a ring slot now. */
  labelOf(ring: number): string {
    const held = this.labels.get(ring);
    return held?.era === this.oracle.eraIn(ring) ? held.label : "";
  }

  // -- page release ------------------------------------------------------------------------------------

  protected releaserOption(): { pageReleaser?: PageReleaser } {
    return this.releasing ? { pageReleaser: this.pages.releaser() } : {};
  }
}

/** At most 31 bytes of UTF-8, cut at a character boundary. */
function cut(text: string): string {
  let kept = "";
  for (const character of text) {
    if (Buffer.byteLength(kept + character) > LABEL_BYTES) return kept;
    kept += character;
  }
  return kept;
}
