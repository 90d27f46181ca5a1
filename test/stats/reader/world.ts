/**
 * A heap with several seats of this thread, and a count of everything that is done to it. Nothing here reads a counter
 * of the heap: what an operation must have counted follows from what it returned, from the slab tags (who owned the
 * object) and from plain collections.
 */
import { vi } from "vitest";
import type { Attachment } from "../../../src/allocator/memory/attachment.js";
import { recordAt, SLAB_ERA, SLAB_TAG } from "../../../src/allocator/memory/layout.js";
import { reapSeat } from "../../../src/allocator/seats/reap.js";
import { packHandle } from "../../../src/allocator/words/handle.js";
import { TAG_LARGE, tagClass, tagOwner, tagState } from "../../../src/allocator/words/slab-tag.js";
import {
  type CloseReport,
  EpochClosedError,
  type EpochDomain,
  type EpochId,
  type EpochRef,
  type Handle,
  type HeapOptions,
  type PageReleaser,
  SlabHeap,
} from "../../../src/index.js";
import { StatsReader } from "../../../src/stats/index.js";
import { type Expected, FIRST_ERA, Oracle, ringOf } from "../../model/oracle.js";
import type { Command } from "./commands.js";
import { type Truth, truthOf } from "./truth.js";

const MAX_SEATS = 3;
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
  releases: number;
  slabsReleased: number;
  releasedBytes: number;
  releaseFailures: number;
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
}

const newClass = (): ClassTally => ({
  allocs: 0,
  frees: 0,
  remoteFrees: 0,
  discarded: 0,
  outOfMemory: 0,
  epochClosed: 0,
  orphanedLive: 0,
  releases: 0,
  slabsReleased: 0,
  releasedBytes: 0,
  releaseFailures: 0,
});

export class World {
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
  /** Slabs given back, and bytes released, by era. */
  readonly given = new Map<number, { slabs: number; bytes: number }>();
  readonly closes = new Map<number, CloseTally>();
  /** The label set last in each ring slot. */
  readonly labels = new Map<number, { era: number; label: string }>();
  readonly labelsOfEra = new Map<number, Set<string>>();
  /** Distinct labels in the order of their first use. */
  readonly distinctLabels: string[] = [];
  readonly touched = new Set<number>();
  readonly releasing: boolean;
  closeCalls = 0;
  /** Eras that a call was the first to close or discard. */
  lifetimes = 0;
  reaps = 0;
  nullFrees = 0;
  staleFrees = 0;
  private readonly domains = new Map<SlabHeap, EpochDomain[]>();
  private readonly dead: Handle[] = [];
  private releaseCalls = 0;

  constructor(options: HeapOptions, releasing: boolean) {
    this.releasing = releasing;
    const heap = SlabHeap.create({ ...options, ...this.releaserOption() });
    this.oracle = new Oracle(heap);
    this.classes = Array.from({ length: heap.sizeClasses.length + 1 }, newClass);
    this.reader = StatsReader.open(heap.buffer);
    this.join(heap);
    this.settle();
  }

  get first(): SlabHeap {
    return this.seats[0];
  }

  dispose(): void {
    for (const seat of this.seats) seat.detach();
  }

  run(command: Command): void {
    vi.setSystemTime(Date.now() + 137);
    const seat = "seat" in command ? this.seats[command.seat % this.seats.length] : this.first;
    this.perform(seat, command);
    this.settle();
  }

  /** Lets every seat honour what there is to honour. */
  rest(): void {
    for (let round = 0; round < 2; round++) for (const seat of this.seats) seat.poll();
  }

  /** What the tags and slot words say now. */
  truth(): Truth {
    return truthOf(this.first, (era) => this.oracle.isDiscarded(era));
  }

  private perform(seat: SlabHeap, command: Command): void {
    switch (command.op) {
      case "alloc":
        for (let i = 0; i <= command.times; i++) {
          if (!this.alloc(seat, this.sizeFor(command.kind, command.size + i), command.how)) return;
        }
        return;
      case "allocElsewhere":
        this.allocElsewhere(seat, command.epoch, 1 + command.size);
        return;
      case "allocInDomain":
        this.allocInDomain(seat, command.pick, this.sizeFor(command.kind, command.size));
        return;
      case "free":
        for (let i = 0; i <= command.times; i++) this.free(seat, command.pick + i * 7);
        return;
      case "freeWrong":
        this.freeWrong(seat, command.pick, command.how);
        return;
      case "advance":
        for (let i = 0; i <= command.times; i++) {
          this.oracle.advance();
          seat.advanceEpoch();
        }
        return;
      case "close":
        this.closeOrDiscard(seat, command.back, command.byRef, false);
        return;
      case "discard":
        this.closeOrDiscard(seat, command.back, command.byRef, true);
        return;
      case "discardBefore":
        this.discardBefore(seat, command.back);
        return;
      case "label":
        seat.setEpochLabel(command.epoch as EpochId, command.text);
        this.noteLabel(this.oracle.eraIn(command.epoch), command.text);
        return;
      case "retain":
        seat.retainEpoch(command.epoch as EpochId);
        this.oracle.retain(command.epoch, 1);
        return;
      case "release":
        this.leaving(ringOf(command.epoch), () => {
          seat.releaseEpoch(command.epoch as EpochId);
          this.oracle.retain(command.epoch, -1);
        });
        return;
      case "enter":
        this.enter(seat, command.auto, command.text);
        return;
      case "exit":
        this.exit(seat);
        return;
      case "attach":
        if (this.seats.length < MAX_SEATS) this.attach();
        return;
      case "detach":
        if (this.seats.length > 1) this.detach(seat);
        return;
      case "kill":
        if (this.seats.length > 1) this.kill(seat, command.by);
        return;
      case "poll":
        seat.poll();
        return;
      case "pollAll":
        this.rest();
        return;
    }
  }

  /** After every operation: notes what only the clock and the tags know. */
  private settle(): void {
    for (let era = this.oracle.newest; !this.openedMs.has(era); era--) this.openedMs.set(era, Date.now());
    for (const slab of this.truth().used) this.touched.add(slab);
  }

  // -- seats -------------------------------------------------------------------------------------------

  attach(): SlabHeap {
    const seat = SlabHeap.attach(this.first.share(), { sameThread: true, ...this.releaserOption() });
    this.join(seat);
    return seat;
  }

  private join(seat: SlabHeap): void {
    this.seats.push(seat);
    this.domains.set(seat, []);
    this.attachments.push(seat._a);
    this.oracle.join(seat);
    if (!this.bySeat.has(seat.seat)) this.bySeat.set(seat.seat, { allocs: 0, frees: 0, remoteFrees: 0 });
  }

  private detach(seat: SlabHeap): void {
    seat.poll();
    this.noteOrphans(seat.seat, false);
    this.oracle.leave(seat);
    seat.detach();
    this.seats.splice(this.seats.indexOf(seat), 1);
  }

  /** The thread of `seat` simply stops; another one finds it dead. */
  private kill(seat: SlabHeap, by: number): void {
    this.seats.splice(this.seats.indexOf(seat), 1);
    const reaper = this.seats[by % this.seats.length];
    this.noteOrphans(seat.seat, true);
    this.oracle.leave(seat);
    const { status } = reapSeat(reaper._a, seat.seat, seat.incarnation);
    if (status !== "reaped") throw new Error(`reap: ${status}`);
    this.reaps++;
    seat.poll(); // notices, and stops its timer
  }

  /** Objects that a seat leaves behind; a dead one also what others freed and it never took back. */
  private noteOrphans(owner: number, dead: boolean): void {
    for (const kept of this.truth().kept) {
      if (kept.owner === owner) {
        this.classes[kept.classIndex].orphanedLive += kept.allocated + (dead ? kept.remoteFreed : 0);
      }
    }
  }

  // -- objects -----------------------------------------------------------------------------------------

  private sizeFor(kind: number, size: number): number {
    const { slabSize, sizeClasses, capacity } = this.first;
    const largest = sizeClasses[sizeClasses.length - 1];
    if (kind < 8) return 1 + (size % largest);
    if (kind === 8) return Math.min(capacity, largest + 1 + (size % (3 * slabSize)));
    return 1 + Math.floor(((size % 100) / 100) * (capacity - 1));
  }

  private classOf(bytes: number): number {
    const found = this.first.sizeClasses.findIndex((c) => c >= bytes);
    return found < 0 ? this.first.sizeClasses.length : found;
  }

  private seatTally(seat: SlabHeap): SeatTally {
    return this.bySeat.get(seat.seat) as SeatTally;
  }

  private countAlloc(seat: SlabHeap, bytes: number): void {
    this.classes[this.classOf(bytes)].allocs++;
    this.seatTally(seat).allocs++;
  }

  private countFailure(seat: SlabHeap, bytes: number): void {
    const tally = this.classes[this.classOf(bytes)];
    if (seat.lastFailure === "out-of-memory") tally.outOfMemory++;
    else if (seat.lastFailure === "epoch-closed") tally.epochClosed++;
    else throw new Error(`alloc(${bytes}) failed because of "${seat.lastFailure}"`);
  }

  alloc(seat: SlabHeap, size: number, how: number): boolean {
    let handle: Handle;
    if (how === 1) handle = seat.alloc(size, ringOf(this.oracle.newest) as EpochId);
    else if (how === 2) handle = this.handleAt(seat, seat.allocOffset(size), size);
    else handle = seat.alloc(size);
    if (handle === 0) this.countFailure(seat, size);
    else this.own(seat, handle, size);
    return handle !== 0;
  }

  private own(seat: SlabHeap, handle: Handle, size: number): void {
    this.oracle.add(handle, seat.byteOffset(handle), seat.sizeOf(handle));
    this.countAlloc(seat, size);
  }

  /** Handle of the object at an offset; 0 for 0. */
  private handleAt(seat: SlabHeap, offset: number, size: number): Handle {
    if (offset === 0) return 0 as Handle;
    const { m, layout, handleBias } = seat._a;
    const at = offset - layout.payloadOffset;
    const slab = Math.floor(at / layout.slabSize);
    const bytes = layout.sizeClasses[this.classOf(size)] ?? layout.slabSize;
    const slot = (slab << layout.slotsShift) + (at - slab * layout.slabSize) / bytes;
    return packHandle(slot, m[layout.slotBase + slot], handleBias);
  }

  private allocElsewhere(seat: SlabHeap, ring: number, size: number): void {
    if (ring === ringOf(this.oracle.newest)) return;
    const bytes = Math.min(size, this.first.capacity);
    const handle = seat.alloc(bytes, ring as EpochId);
    if (handle !== 0) throw new Error(`alloc in closed epoch ${ring} succeeded`);
    this.countFailure(seat, bytes);
  }

  private allocInDomain(seat: SlabHeap, pick: number, size: number): void {
    const stack = this.domains.get(seat) ?? [];
    if (stack.length === 0) return;
    const domain = stack[pick % stack.length];
    const { newest } = this.oracle;
    const handle = domain.alloc(size);
    if (handle !== 0) {
      this.own(seat, handle, size);
      return;
    }
    // Its ring slot holds a newer epoch by now, which is open: the object was made there, and taken back at once.
    const wrapped = domain.epoch.era !== newest && domain.epoch.id === ringOf(newest);
    if (wrapped && seat.lastFailure === "epoch-closed") {
      this.countAlloc(seat, size);
      this.classes[this.classOf(size)].frees++;
      this.seatTally(seat).frees++;
    }
    this.countFailure(seat, size);
  }

  free(seat: SlabHeap, pick: number): void {
    const object = this.oracle.pick(pick);
    if (object === undefined) return;
    seat.poll();
    const { m, layout } = seat._a;
    const slab = Math.floor((object.offset - layout.payloadOffset) / layout.slabSize);
    const remote = tagOwner(m[recordAt(slab) + SLAB_TAG]) !== seat.seat;
    const freed = pick % 3 === 0 ? seat.freeOffset(object.offset) : seat.free(object.handle);
    if (!freed) throw new Error(`free of live object ${object.serial} failed`);
    this.oracle.remove(object);
    this.dead.push(object.handle);
    const tally = this.classes[this.classOf(object.usable)];
    const mine = this.seatTally(seat);
    tally.frees++;
    mine.frees++;
    if (!remote) return;
    tally.remoteFrees++;
    mine.remoteFrees++;
  }

  private freeWrong(seat: SlabHeap, pick: number, how: number): void {
    const object = this.oracle.pick(pick);
    const model = object?.handle ?? this.dead[0] ?? (pick as Handle);
    const wrong = [
      0,
      this.dead[pick % Math.max(1, this.dead.length)] ?? 0,
      model + 2 ** 26,
      model - 2 ** 26,
      model + 1,
      model + 0.5,
      -model,
      pick,
      Number.NaN,
      Number.POSITIVE_INFINITY,
    ];
    if (how >= wrong.length) {
      const offset = object === undefined ? 0 : object.offset + 1;
      this.refused(offset, seat.freeOffset(offset));
      return;
    }
    const handle = wrong[how] as Handle;
    if (this.oracle.expected(handle) === undefined) this.refused(handle, seat.free(handle));
  }

  private refused(value: number, freed: boolean): void {
    if (freed) throw new Error(`free(${value}) succeeded`);
    if (value === 0) this.nullFrees++;
    else this.staleFrees++;
  }

  // -- epochs ------------------------------------------------------------------------------------------

  private usedSlabs(): number {
    return this.truth().used.length;
  }

  private target(back: number, byRef: boolean): { arg: EpochRef | EpochId; era: number } {
    const era = Math.max(0, this.oracle.newest - back);
    const id = ringOf(era) as EpochId;
    return byRef ? { arg: { id, era }, era } : { arg: id, era: this.oracle.eraIn(id) };
  }

  private closeOrDiscard(seat: SlabHeap, back: number, byRef: boolean, discard: boolean): void {
    const { arg, era } = this.target(back, byRef);
    const inRing = era === this.oracle.eraIn(ringOf(era));
    seat.poll();
    const before = this.usedSlabs();
    const report = discard ? seat.discardEpoch(arg) : seat.closeEpoch(arg);
    if (!this.noteClose(report)) return;
    this.end(discard ? this.oracle.discard(era) : []);
    if (!discard) this.oracle.close(era);
    if (inRing) this.noteEnd(era, before);
  }

  /** A call has closed or discarded an era that is in the ring. */
  private noteEnd(era: number, before: number): void {
    if (!this.closes.has(era)) this.lifetimes++;
    this.closes.set(era, { atMs: Date.now(), before, after: this.usedSlabs() });
  }

  private discardBefore(seat: SlabHeap, back: number): void {
    const era = Math.max(0, this.oracle.newest - back);
    seat.poll();
    const before = this.usedSlabs();
    const ended = Array.from({ length: 16 }, (_, ring) => seat.epochInfo(ring as EpochId))
      .filter((info) => info.era >= 16 && info.era < era && !info.discarded)
      .map((info) => info.era);
    const report = seat.discardBefore({ id: ringOf(era) as EpochId, era });
    if (!this.noteClose(report)) return;
    this.end(this.oracle.discardBefore(era));
    for (const each of ended) this.noteEnd(each, before);
  }

  /** False when the call was refused. */
  private noteClose(report: CloseReport): boolean {
    if (report.reason === "stale" || report.reason === "never-opened") return false;
    this.closeCalls++;
    return true;
  }

  private end(objects: readonly Expected[]): void {
    for (const object of objects) {
      this.classes[this.classOf(object.usable)].discarded++;
      this.dead.push(object.handle);
    }
  }

  private enter(seat: SlabHeap, autoClose: boolean, label: string): void {
    try {
      this.domains.get(seat)?.push(seat.openDomain({ autoClose, label }));
    } catch (error) {
      if (error instanceof EpochClosedError) throw new Error("the current epoch is closed", { cause: error });
      throw error;
    }
    this.oracle.enter(seat, autoClose);
    if (label !== "") this.noteLabel(this.oracle.newest, label);
  }

  private exit(seat: SlabHeap): void {
    const domain = this.domains.get(seat)?.pop();
    if (domain === undefined) return;
    this.leaving(domain.epoch.id, () => {
      domain.exit();
      this.oracle.exit(seat, domain.epoch.era);
    });
  }

  /** Leaving may close the epoch that is in the ring slot now: then that is a close like any other. */
  private leaving(ring: number, leave: () => void): void {
    const era = this.oracle.eraIn(ring);
    const isClosed = (): boolean => {
      const { refs } = this.oracle as unknown as { refs: { era: number; closed: boolean }[] };
      return refs[ring].era === era && refs[ring].closed;
    };
    const closedBefore = isClosed();
    const before = this.usedSlabs();
    leave();
    if (closedBefore || !isClosed()) return;
    this.closeCalls++;
    this.noteEnd(era, before);
  }

  private noteLabel(era: number, text: string): void {
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

  private releaserOption(): { pageReleaser?: PageReleaser } {
    return this.releasing
      ? { pageReleaser: { release: (_b, offset, bytes) => this.released(offset, bytes) } }
      : {};
  }

  /** Stands for the kernel: takes all, half, or nothing, or throws, in turn. The slab is still tagged. */
  private released(offset: number, bytes: number): number {
    const { m, layout } = this.first._a;
    const record = recordAt((offset - layout.payloadOffset) / layout.slabSize);
    const tag = m[record + SLAB_TAG];
    const era = m[record + SLAB_ERA];
    const tally = this.classes[tagState(tag) === TAG_LARGE ? layout.classCount : tagClass(tag)];
    const given = this.given.get(era) ?? { slabs: 0, bytes: 0 };
    this.given.set(era, given);
    const turn = this.releaseCalls++ % 7;
    const taken = turn === 3 || turn === 5 ? -1 : turn === 1 ? bytes / 2 : turn === 4 ? 0 : bytes;
    tally.releases++;
    tally.slabsReleased += bytes / layout.slabSize;
    given.slabs += bytes / layout.slabSize;
    if (taken < 0) tally.releaseFailures++;
    tally.releasedBytes += Math.max(0, taken);
    given.bytes += Math.max(0, taken);
    if (turn === 5) throw new Error("the kernel says no");
    return taken;
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
