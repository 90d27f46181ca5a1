/** Runs commands on a real heap and on the oracle, and compares after every step. Throws at the first difference. */
import {
  type CloseReport,
  DomainOrderError,
  EpochClosedError,
  type EpochDomain,
  type EpochId,
  type EpochRef,
  type Handle,
  type HeapOptions,
  NULL_HANDLE,
  SeatsExhaustedError,
  SlabHeap,
  StaleHandleError,
} from "../../src/index.js";
import { expectCountersExact, expectRemoteFreesExact } from "../allocator/support.js";
import type { Command } from "./commands.js";
import { check, checkZero, fill } from "./contents.js";
import { type Expected, FIRST_ERA, Oracle, ringOf } from "./oracle.js";

const MAX_SEATS = 3;
/** Handles that must stay dead, newest last. */
const MOST_DEAD = 200;

export interface Effort {
  steps: number;
  allocs: number;
  frees: number;
  outOfMemory: number;
  wraps: number;
}

export class Driver {
  readonly oracle: Oracle;
  readonly effort: Effort = { steps: 0, allocs: 0, frees: 0, outOfMemory: 0, wraps: 0 };
  private readonly seats: SlabHeap[] = [];
  private readonly domains = new Map<SlabHeap, EpochDomain[]>();
  private readonly dead: Handle[] = [];
  /** True once a second seat has been there: then *out of memory* may also mean "held by somebody else". */
  private shared = false;

  private readonly options: HeapOptions;

  constructor(options: HeapOptions) {
    this.options = options;
    const heap = SlabHeap.create(options);
    this.oracle = new Oracle(heap);
    this.join(heap);
  }

  get first(): SlabHeap {
    return this.seats[0];
  }

  attach(): void {
    const take = (): SlabHeap => SlabHeap.attach(this.first.share(), { sameThread: true });
    if (this.seats.length === MAX_SEATS) {
      expectThrow(SeatsExhaustedError, take);
    } else {
      this.shared = true;
      this.join(take());
    }
  }

  run(command: Command): void {
    this.effort.steps++;
    const seat = "seat" in command ? this.seats[command.seat % this.seats.length] : this.first;
    switch (command.op) {
      case "alloc":
        this.allocMany(seat, command);
        return;
      case "allocElsewhere": {
        const elsewhere = command.epoch !== ringOf(this.oracle.newest);
        if (!elsewhere) return;
        equal(seat.alloc(1 + command.size, command.epoch as EpochId), NULL_HANDLE, "alloc in a closed epoch");
        equal(seat.lastFailure, "epoch-closed", "lastFailure");
        return;
      }
      case "free":
        for (let i = 0; i <= command.times; i++) this.free(seat, command.pick + i * 7);
        return;
      case "freeDead":
        this.freeDead(seat, command.pick);
        return;
      case "freeForged":
        this.freeForged(seat, command);
        return;
      case "advance":
        for (let i = 0; i <= command.times; i++) {
          this.oracle.advance();
          this.expectCurrent(seat.advanceEpoch());
        }
        this.effort.wraps += command.times >= 15 ? 1 : 0;
        return;
      case "close":
        this.close(seat, command.back, command.byRef);
        return;
      case "discard":
        this.discard(seat, command.back, command.byRef);
        return;
      case "discardBefore":
        this.discardBefore(seat, command.back);
        return;
      case "retain":
        equal(
          seat.retainEpoch(command.epoch as EpochId),
          this.oracle.retain(command.epoch, 1),
          "retainEpoch",
        );
        return;
      case "release":
        equal(
          seat.releaseEpoch(command.epoch as EpochId),
          this.oracle.retain(command.epoch, -1),
          "releaseEpoch",
        );
        this.expectCurrent(seat.currentEpoch);
        return;
      case "enter":
        this.enter(seat, command.auto, command.wrong);
        return;
      case "exit":
        this.exit(seat, command.outOfOrder);
        return;
      case "attach":
        this.attach();
        return;
      case "detach":
        if (this.seats.length > 1) this.detach(seat);
        return;
      case "poll":
        seat.poll();
        return;
      case "look":
        this.look(seat, command.pick, command.epoch);
        return;
      case "verify":
        this.verify(seat, command.pollAll);
        return;
    }
  }

  /** Checks everything, empties the heap and asks for all of it back. */
  finish(): void {
    this.checkAll();
    this.verify(this.first, true);
    const counters = this.first.counters();
    equal(counters.allocCount, this.oracle.allocs, "allocCount");
    for (const seat of this.seats.slice(1)) this.detach(seat);
    const heap = this.first;
    heap.discardBefore(heap.currentEpoch);
    this.reportDead(this.oracle.discardBefore(this.oracle.newest));
    heap.discardEpoch(heap.currentEpoch);
    this.reportDead(this.oracle.discard(this.oracle.newest));
    equal(this.oracle.liveCount, 0, "the oracle's live objects");
    this.verify(heap, true);
    equal(heap.counters().freeCount, heap.counters().allocCount, "frees after everything was discarded");
    equal(heap.counters().liveObjects, 0, "live objects after everything was discarded");
    const slabs = heap.capacity / heap.slabSize;
    const handles: Handle[] = [];
    for (let h = heap.alloc(heap.slabSize); h !== NULL_HANDLE; h = heap.alloc(heap.slabSize)) handles.push(h);
    equal(handles.length, slabs, "slabs that could be allocated in the emptied heap");
    for (const handle of handles) equal(heap.free(handle), true, "free of a whole slab");
    const whole = heap.alloc(heap.capacity);
    equal(whole === NULL_HANDLE, false, "one object of the whole capacity: out of memory");
    equal(heap.free(whole), true, "free of the whole capacity");
    expectCountersExact(heap);
    expectRemoteFreesExact(heap);
    expectRemoteFreesExact(heap);
    const report = heap.verify();
    equal(report.problems.join("; "), "", "verify at the very end");
    equal(report.liveObjects, 0, "live objects at the very end");
  }

  dispose(): void {
    for (const seat of this.seats) seat.detach();
  }

  /** Full content check of every live object. */
  checkAll(): void {
    const { i32 } = this.first;
    for (const object of this.oracle.all()) check(i32, object);
  }

  private join(seat: SlabHeap): void {
    this.seats.push(seat);
    this.domains.set(seat, []);
    this.oracle.join(seat);
  }

  private detach(seat: SlabHeap): void {
    this.oracle.leave(seat);
    seat.detach();
    seat.detach();
    this.seats.splice(this.seats.indexOf(seat), 1);
    this.expectCurrent(this.first.currentEpoch);
  }

  // -- objects -----------------------------------------------------------------------------------------

  private sizeFor(kind: number, size: number): number {
    const { slabSize, sizeClasses, capacity } = this.first;
    const largest = sizeClasses[sizeClasses.length - 1];
    if (kind < 5) return 1 + (size % Math.min(largest, 300));
    if (kind < 8) return 1 + (size % largest);
    if (kind === 8) return largest + 1 + (size % (4 * slabSize));
    return 1 + Math.floor(((size % 100) / 100) * (capacity - 1));
  }

  private allocMany(seat: SlabHeap, command: Command & { op: "alloc" }): void {
    const times = command.kind < 8 ? command.times : command.times % 3;
    for (let i = 0; i <= times; i++) {
      const size = this.sizeFor(command.kind, command.size + i * (command.times & 1));
      if (!this.alloc(seat, size, command.explicit)) return;
    }
  }

  private alloc(seat: SlabHeap, size: number, explicit: boolean): boolean {
    const { newest } = this.oracle;
    const handle = explicit ? seat.alloc(size, ringOf(newest) as EpochId) : seat.alloc(size);
    if (handle === NULL_HANDLE) {
      equal(seat.lastFailure, "out-of-memory", `alloc(${size}) in the current epoch fails because of`);
      this.effort.outOfMemory++;
      if (!this.shared)
        equal(this.oracle.mayBeFull(size), true, `alloc(${size}) says out of memory; heap full`);
      return false;
    }
    this.effort.allocs++;
    const usable = seat.sizeOf(handle);
    const sizeClass = seat.sizeClasses.find((c) => c >= size);
    equal(
      usable,
      sizeClass ?? Math.ceil(size / seat.slabSize) * seat.slabSize,
      `sizeOf an object of ${size}`,
    );
    const offset = seat.byteOffset(handle);
    if (usable % 64 === 0) equal(offset % 64, 0, `alignment of an object of ${usable} bytes`);
    if (this.options.zeroOnFree) checkZero(seat.i32, offset, usable);
    fill(seat.i32, this.oracle.add(handle, offset, usable));
    equal(seat.isLive(handle), true, "isLive after alloc");
    return true;
  }

  private free(seat: SlabHeap, pick: number): void {
    const object = this.oracle.pick(pick);
    if (object === undefined) return;
    this.sweep(object);
    equal(seat.epochOf(object.handle).era, object.era, "epochOf before free");
    equal(seat.byteOffset(object.handle), object.offset, "byteOffset before free");
    equal(seat.free(object.handle), true, `free of live object ${object.serial}`);
    this.oracle.remove(object);
    this.bury(object);
    this.effort.frees++;
    equal(seat.free(object.handle), false, `second free of object ${object.serial}`);
  }

  /** Before a free: the object itself, and in small heaps every other one too. */
  private sweep(object: Expected): void {
    check(this.first.i32, object);
    if (this.first.capacity <= 256 * 1024 || this.effort.frees % 64 === 0) this.checkAll();
  }

  private freeDead(seat: SlabHeap, pick: number): void {
    if (this.dead.length === 0) return;
    const handle = this.dead[pick % this.dead.length];
    equal(seat.isLive(handle), false, "isLive of a dead handle");
    equal(seat.free(handle), false, "free of a dead handle");
    expectThrow(StaleHandleError, () => seat.view(handle));
  }

  private freeForged(seat: SlabHeap, { pick, how }: Command & { op: "freeForged" }): void {
    const model = this.oracle.pick(pick)?.handle ?? this.dead[0] ?? (pick as Handle);
    const forgeries = [
      model + 2 ** 26,
      model - 2 ** 26,
      model + 1,
      model - 1,
      model + 0.5,
      -model,
      model + 2 ** 53,
      pick,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      pick * 2 ** 26 + pick,
      0,
    ];
    const forged = forgeries[how % forgeries.length];
    if (this.oracle.expected(forged) !== undefined) return;
    equal(seat.isLive(forged as Handle), false, `isLive of forged handle ${forged}`);
    equal(seat.free(forged as Handle), false, `free of forged handle ${forged}`);
  }

  private bury(object: Expected): void {
    this.dead.push(object.handle);
    if (this.dead.length > MOST_DEAD) this.dead.shift();
  }

  // -- epochs ------------------------------------------------------------------------------------------

  private expectCurrent(ref: EpochRef): void {
    equal(ref.era, this.oracle.newest, "current era");
    equal(ref.id, ringOf(this.oracle.newest), "current epoch");
  }

  /** The era `back` steps before the newest, named by ref or by its ring slot (which may hold a newer one by now). */
  private target(back: number, byRef: boolean): { arg: EpochRef | EpochId; era: number } {
    const era = Math.max(0, this.oracle.newest - back);
    const id = ringOf(era) as EpochId;
    return byRef ? { arg: { id, era }, era } : { arg: id, era: this.oracle.eraIn(id) };
  }

  private close(seat: SlabHeap, back: number, byRef: boolean): void {
    const { arg, era } = this.target(back, byRef);
    const wrapped = era < this.oracle.eraIn(ringOf(era));
    const report = seat.closeEpoch(arg);
    if (era < FIRST_ERA) equal(report.reason, "never-opened", `close of era ${era}`);
    else if (wrapped) equal(report.reason, "stale", `close of era ${era}`);
    else equal(report.reason, this.oracle.close(era) ? "closed" : "already-closed", `close of era ${era}`);
    this.expectReport(seat, report, era);
  }

  private discard(seat: SlabHeap, back: number, byRef: boolean): void {
    const { arg, era } = this.target(back, byRef);
    const report = seat.discardEpoch(arg);
    if (era < FIRST_ERA) {
      equal(report.reason, "never-opened", `discard of era ${era}`);
    } else {
      const wrapped = era < this.oracle.eraIn(ringOf(era));
      const again = this.oracle.isDiscarded(era);
      const ended = this.oracle.discard(era);
      // A wrapped era is known by its slabs only: nothing left is the same as discarded before.
      if (!wrapped) equal(report.reason, again ? "already-discarded" : "discarded", `discard of era ${era}`);
      else if (ended.length > 0) equal(report.reason, "discarded", `discard of wrapped era ${era}`);
      this.reportDead(ended);
    }
    this.expectReport(seat, report, era);
  }

  private discardBefore(seat: SlabHeap, back: number): void {
    const era = Math.max(0, this.oracle.newest - back);
    const ended = this.oracle.discardBefore(era);
    const report = seat.discardBefore({ id: ringOf(era) as EpochId, era });
    if (ended.length > 0) equal(report.reason, "discarded", `discardBefore era ${era}`);
    this.reportDead(ended);
    this.expectReport(seat, report, era);
  }

  private expectReport(seat: SlabHeap, report: CloseReport, era: number): void {
    equal(report.epoch.era, era, "era in the report");
    equal(report.applied, report.reason === "closed" || report.reason === "discarded", "applied");
    equal(report.bytesRecycled, report.slabsRecycled * seat.slabSize, "bytesRecycled");
    this.expectCurrent(seat.currentEpoch);
  }

  /** Objects of a discarded era are stale at once, for every seat, also before their owner has noticed. */
  private reportDead(ended: readonly Expected[]): void {
    for (const object of ended) {
      this.bury(object);
      for (const seat of this.seats)
        equal(seat.isLive(object.handle), false, `isLive of discarded object ${object.serial}`);
    }
    const last = ended[ended.length - 1];
    if (last !== undefined) equal(this.first.free(last.handle), false, "free of a discarded object");
  }

  private enter(seat: SlabHeap, autoClose: boolean, wrong: boolean): void {
    const current = ringOf(this.oracle.newest);
    if (wrong) {
      expectThrow(EpochClosedError, () =>
        seat.openDomain({ epoch: ((current + 3) % 16) as EpochId, autoClose }),
      );
      return;
    }
    const domain = seat.openDomain({ autoClose });
    this.oracle.enter(seat, autoClose);
    equal(domain.epoch.era, this.oracle.newest, "era of a new domain");
    this.domains.get(seat)?.push(domain);
  }

  private exit(seat: SlabHeap, outOfOrder: boolean): void {
    const stack = this.domains.get(seat) ?? [];
    const outer = stack[stack.length - 2];
    if (outOfOrder && outer !== undefined) {
      expectThrow(DomainOrderError, () => outer.exit());
      return;
    }
    const domain = stack.pop();
    if (domain === undefined) return;
    if (outOfOrder) domain[Symbol.dispose]();
    else domain.exit();
    this.oracle.exit(seat, domain.epoch.era);
    this.expectCurrent(seat.currentEpoch);
  }

  // -- looking -----------------------------------------------------------------------------------------

  private look(seat: SlabHeap, pick: number, ring: number): void {
    const { oracle } = this;
    const object = oracle.pick(pick);
    if (object !== undefined) {
      equal(seat.isLive(object.handle), true, `isLive of object ${object.serial}`);
      equal(seat.epochOf(object.handle).era, object.era, "epochOf");
      const view = seat.view(object.handle);
      equal(view.byteOffset, object.offset, "view's offset");
      equal(view.byteLength, object.usable, "view's length");
    }
    const info = seat.epochInfo(ring as EpochId);
    const era = oracle.eraIn(ring);
    equal(info.era, era, `era of epoch ${ring}`);
    equal(info.state, era === oracle.newest ? "ACTIVE" : "CLOSING", `state of epoch ${ring}`);
    equal(info.discarded, oracle.isDiscarded(era), `discarded flag of epoch ${ring}`);
    equal(info.refcount, oracle.refcount(era), `refcount of epoch ${ring}`);
  }

  private verify(seat: SlabHeap, pollAll: boolean): void {
    // Owners wipe discarded objects at their next operation: the count is exact once everybody has been there.
    if (pollAll) for (const each of this.seats) each.poll();
    const report = seat.verify();
    equal(report.problems.join("; "), "", "verify");
    equal(report.ok, true, "verify.ok");
    if (pollAll) {
      equal(report.liveObjects, this.oracle.liveCount, "live objects in verify");
      equal(seat.counters().liveObjects, this.oracle.liveCount, "live objects by the counters");
      expectCountersExact(...this.seats);
    } else if (report.liveObjects < this.oracle.liveCount)
      equal(report.liveObjects, this.oracle.liveCount, "live objects");
  }
}

function equal<T>(actual: T, expected: T, what: string): void {
  if (actual !== expected) throw new Error(`${what}: ${String(actual)}, expected ${String(expected)}`);
}

function expectThrow(kind: new (message: string) => Error, body: () => unknown): void {
  try {
    body();
  } catch (error) {
    if (error instanceof kind) return;
    throw error;
  }
  throw new Error(`expected a ${kind.name}`);
}
