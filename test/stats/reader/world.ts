/**
 * A heap with several seats of this thread, and the operations on it. Each notes in the ledger what it must have
 * counted, without reading a counter of the heap: that follows from what it returned, from the slab tags (who owned the
 * object) and from plain collections.
 */
import { vi } from "vitest";
import { recordAt, SLAB_TAG } from "../../../src/allocator/memory/layout.js";
import { reapSeat } from "../../../src/allocator/seats/reap.js";
import { packHandle } from "../../../src/allocator/words/handle.js";
import { tagOwner } from "../../../src/allocator/words/slab-tag.js";
import { EpochClosedError, type EpochId, type EpochRef, type Handle, SlabHeap } from "../../../src/index.js";
import { type Expected, ringOf } from "../../model/oracle.js";
import type { Command } from "./commands.js";
import { Ledger } from "./ledger.js";

const MAX_SEATS = 3;

export class World extends Ledger {
  private readonly dead: Handle[] = [];

  dispose(): void {
    for (const seat of this.seats) seat.detach();
  }

  run(command: Command): void {
    vi.advanceTimersByTime(137);
    const seat = "seat" in command ? this.seats[command.seat % this.seats.length] : this.first;
    this.perform(seat, command);
    this.settle();
  }

  /** Lets every seat honour what there is to honour. */
  rest(): void {
    for (let round = 0; round < 2; round++) for (const seat of this.seats) seat.poll();
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
      case "trim":
        this.trim(seat, command.keep);
        return;
      case "poll":
        seat.poll();
        return;
      case "pollAll":
        this.rest();
        return;
    }
  }

  // -- seats -------------------------------------------------------------------------------------------

  attach(): SlabHeap {
    const seat = SlabHeap.attach(this.first.share(), { sameThread: true, ...this.releaserOption() });
    this.join(seat);
    return seat;
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

  // -- objects -----------------------------------------------------------------------------------------

  private sizeFor(kind: number, size: number): number {
    const { slabSize, sizeClasses, capacity } = this.first;
    const largest = sizeClasses[sizeClasses.length - 1];
    if (kind < 8) return 1 + (size % largest);
    if (kind === 8) return Math.min(capacity, largest + 1 + (size % (3 * slabSize)));
    return 1 + Math.floor(((size % 100) / 100) * (capacity - 1));
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

  // -- pages -------------------------------------------------------------------------------------------

  private trim(seat: SlabHeap, keep: number): void {
    const before = { ...this.pages.total };
    const { bytesReleased, calls, failures } = seat.trim({ keepBytes: keep * seat.slabSize });
    const { total } = this.pages;
    const told = [bytesReleased, calls, failures].join();
    const seen = [total.bytes - before.bytes, total.calls - before.calls, total.failures - before.failures];
    if (told !== seen.join()) throw new Error(`trim: ${told}, not ${seen}`);
  }

  // -- epochs ------------------------------------------------------------------------------------------

  private target(back: number, byRef: boolean): { arg: EpochRef | EpochId; era: number } {
    const era = Math.max(0, this.oracle.newest - back);
    const id = ringOf(era) as EpochId;
    return byRef ? { arg: { id, era }, era } : { arg: id, era: this.oracle.eraIn(id) };
  }

  private closeOrDiscard(seat: SlabHeap, back: number, byRef: boolean, discard: boolean): void {
    const { arg, era } = this.target(back, byRef);
    const inRing = era === this.oracle.eraIn(ringOf(era));
    seat.poll();
    const before = this.before();
    const report = discard ? seat.discardEpoch(arg) : seat.closeEpoch(arg);
    if (!this.noteClose(report, before)) return;
    this.end(discard ? this.oracle.discard(era) : []);
    if (!discard) this.oracle.close(era);
    if (inRing) this.noteEnd(era, before);
  }

  private discardBefore(seat: SlabHeap, back: number): void {
    const era = Math.max(0, this.oracle.newest - back);
    seat.poll();
    const before = this.before();
    const ended = Array.from({ length: 16 }, (_, ring) => seat.epochInfo(ring as EpochId))
      .filter((info) => info.era >= 16 && info.era < era && !info.discarded)
      .map((info) => info.era);
    const report = seat.discardBefore({ id: ringOf(era) as EpochId, era });
    if (!this.noteClose(report, before)) return;
    this.end(this.oracle.discardBefore(era));
    for (const each of ended) this.noteEnd(each, before);
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
    const before = this.before();
    leave();
    if (closedBefore || !isClosed()) return;
    this.closeCalls++;
    this.noteEnd(era, before);
  }
}
