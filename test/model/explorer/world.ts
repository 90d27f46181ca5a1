/**
 * One heap, its logical workers with their scripts, and everything a run must find as the one before did.
 *
 * The heap and the workers' seats are made once per scenario by the plain version of the sources; each run starts from
 * a copy of the words and of what the workers had in private.
 */

import type { EpochDomain } from "../../../src/allocator/heap/domain.js";
import type { SlabHeap } from "../../../src/allocator/heap/heap.js";
import type { Attachment } from "../../../src/allocator/memory/attachment.js";
import { PHASE, SEAT_WORD, seatAt } from "../../../src/allocator/memory/layout.js";
import {
  packSeat,
  SEAT_LIVE,
  SEAT_SUSPECT,
  seatIncarnation,
  seatState,
  seatWho,
} from "../../../src/allocator/words/seat-word.js";
import { tagOwner } from "../../../src/allocator/words/slab-tag.js";
import type { EpochKeeper } from "../../../src/async/keeper.js";
import { Contents } from "./contents.js";
import type { Driver, Limits } from "./decisions.js";
import { mix1, mix2, VisitedStates } from "./hash.js";
import { type Allocator, type Instances, instancesOf } from "./instances.js";
import { Machine } from "./machine.js";
import type { Mode } from "./memory.js";
import { nameWord } from "./names.js";
import type { Op } from "./ops.js";
import { Oracle } from "./oracle.js";
import { Pages } from "./pages.js";
import { type PrivateState, restorePrivate, savePrivate } from "./private-state.js";
import { type Scenario, Setup } from "./setup.js";
import type { Compiled } from "./source.js";
import { TruthWords } from "./truth-words.js";
import { LogicalWorker, type Routine } from "./worker.js";

/** A method of the transformed sources: the same arguments, but it stops at every access. */
type Stepping<T> = {
  [K in keyof T]: T[K] extends (...args: never[]) => unknown ? (...args: unknown[]) => Routine : T[K];
};

export class Actor {
  readonly world: World;
  readonly worker: LogicalWorker;
  /** The transformed sources, as this worker's thread has loaded them. */
  readonly own: Allocator;
  heap: Stepping<SlabHeap> & { readonly _a: Attachment; domains: EpochDomain[] };
  readonly vars = new Map<string, number>();
  readonly domains = new Map<string, Stepping<EpochDomain> & EpochDomain>();
  /** Of a rotator, in scenarios that have one. */
  keeper: Stepping<EpochKeeper> | undefined;

  constructor(world: World, worker: LogicalWorker, own: Allocator) {
    this.world = world;
    this.worker = worker;
    this.own = own;
    this.heap = undefined as unknown as Actor["heap"];
  }

  /** Who it is, as the seat word keeps it. */
  get thread(): number {
    return 100 + this.worker.index;
  }

  reapSeat(a: Attachment, seat: number, incarnation: number): Routine {
    return this.own.reapSeat(a, seat, incarnation) as unknown as Routine;
  }

  leaveSeat(a: Attachment): Routine {
    return this.own.leaveSeat(a) as unknown as Routine;
  }

  readLabel(ring: number, era: number): Routine {
    return this.own.readLabel(this.world.m, ring, era) as unknown as Routine;
  }

  takeSeat(): Routine {
    const { buffer, layout } = this.world.janitor._a;
    return this.own.takeSeat(
      buffer,
      layout,
      this.thread,
      this.world.pages.configOf(this.worker),
    ) as unknown as Routine;
  }
}

export class World {
  readonly scenario: Scenario;
  readonly machine: Machine;
  readonly oracle: Oracle;
  readonly pages: Pages;
  readonly contents: Contents;
  readonly plain: Allocator;
  private readonly instances: Instances;
  /** A seat that takes no part until everybody else has ended. */
  readonly janitor: SlabHeap;
  readonly actors: readonly Actor[];
  readonly m: Int32Array;
  readonly mail = new Map<string, number>();
  readonly labels = new Set<string>();
  private readonly heapsAtStart: readonly (Actor["heap"] | undefined)[];
  private readonly wordsAtStart: Int32Array;
  private readonly privateAtStart: readonly PrivateState[];
  private readonly ghostAtStart: Oracle["ghost"];
  private readonly varsAtStart: readonly ReadonlyMap<string, number>[];
  private readonly deadAtStart: readonly number[];

  constructor(scenario: Scenario, code: Compiled, mode: Mode, limits: Limits, driver: Driver) {
    this.scenario = scenario;
    const workers = scenario.scripts.map(
      (_, index) => new LogicalWorker(index, scenario.killable?.includes(index + 1) === true),
    );
    this.instances = instancesOf(code);
    this.plain = this.instances.plain;
    this.janitor = this.plain.SlabHeap.create({
      capacity: (scenario.slabs ?? 2) * 4096,
      slabSize: 4096,
      sizeClasses: [2048],
      maxWorkers: workers.length + 1,
      ...scenario.options,
    });
    const { m, layout, buffer } = this.janitor._a;
    this.m = m;
    this.machine = new Machine(m, mode, workers, limits, driver);
    this.oracle = new Oracle(this.machine, layout, this.janitor._a.handleBias);
    this.pages = new Pages(this.machine, this.oracle, this.janitor._a, scenario.pages);
    this.contents = new Contents(this.oracle, this.janitor._a, scenario.pages !== undefined);
    this.instances.use(this.machine);
    this.actors = workers.map((worker) => new Actor(this, worker, this.instances.of(worker.index)));

    const plainHeaps: SlabHeap[] = [];
    this.heapsAtStart = this.actors.map((actor, index) => {
      if (scenario.unattached?.includes(index + 1) === true) return undefined;
      const a = this.plain.takeSeat(buffer, layout, actor.thread, this.pages.configOf(actor.worker));
      // Nothing is released before the scripts begin, but where the setup asks for it.
      this.pages.strip(a);
      // All of them look at the same array, the machine's.
      Object.assign(a, { m });
      const heap = new this.plain.SlabHeap(a);
      plainHeaps[index] = heap;
      this.oracle.seated(a.seat, index);
      return this.steppingHeap(actor, a, heap.domains);
    });
    const truth = new TruthWords(this.oracle, this.pages, m, layout);
    this.machine.memory.onChange = (word, before, now, worker) => truth.onChange(word, before, now, worker);
    this.machine.onKill = (worker) => {
      this.oracle.died(worker, this.doing[worker.index]?.mayLose ?? 0);
      this.pages.died(worker);
    };
    this.machine.isHopeless = (tag) => this.oracle.isDead(tagOwner(tag));
    this.machine.memory.onDropped = (_, word, value) => this.contents.dropped(word, value);
    this.machine.reset();
    const setup = new Setup(this, plainHeaps);
    scenario.setup?.(setup);
    this.deadAtStart = setup.dead;
    this.wordsAtStart = m.slice();
    this.contents.save();
    this.pages.save();
    for (const heap of plainHeaps) if (heap !== undefined) this.pages.equip(heap._a);
    this.privateAtStart = [this.janitor, ...plainHeaps]
      .filter((heap) => heap !== undefined)
      .map((heap) => savePrivate(heap._a));
    this.ghostAtStart = this.oracle.save();
    this.varsAtStart = this.actors.map((actor) => new Map(actor.vars));
  }

  private steppingHeap(actor: Actor, a: Attachment, domains: EpochDomain[]): Actor["heap"] {
    const { SlabHeap, specialise } = actor.own;
    const heap = new SlabHeap(a) as unknown as Actor["heap"];
    heap.domains = domains;
    // Both versions of the hot path are explored: every other worker, beginning with the first or the
    // second, has the one with its constants captured.
    const own = (actor.worker.index + this.scenario.name.length) % 2 === 0 ? {} : specialise(a);
    return Object.setPrototypeOf(
      heap,
      Object.assign(Object.create(SlabHeap.prototype), own),
    ) as Actor["heap"];
  }

  /** A worker has taken a seat in the course of a run. */
  attached(actor: Actor, a: Attachment): void {
    Object.assign(a, { m: this.m });
    actor.heap = this.steppingHeap(actor, a, []);
  }

  ringOf = (era: number): number => this.plain.ringOf(era);

  fail(message: string): void {
    this.machine.fail(message);
  }

  /** Everything as it was at the beginning. */
  reset(): void {
    this.instances.use(this.machine);
    this.m.set(this.wordsAtStart);
    this.contents.restore();
    this.pages.restore();
    for (const state of this.privateAtStart) restorePrivate(state);
    this.machine.reset();
    this.oracle.restore(this.ghostAtStart);
    this.mail.clear();
    this.labels.clear();
    this.actors.forEach((actor, i) => {
      const heap = this.heapsAtStart[i];
      if (heap !== undefined) heap.domains.length = 0;
      actor.heap = heap as Actor["heap"];
      actor.vars.clear();
      actor.domains.clear();
      actor.keeper = undefined;
      for (const [name, handle] of this.varsAtStart[i] as ReadonlyMap<string, number>)
        actor.vars.set(name, handle);
      actor.worker.routine = this.script(actor, this.scenario.scripts[i] as readonly Op[]);
    });
    for (const index of this.deadAtStart) (this.actors[index] as Actor).worker.dead = true;
  }

  /** The operation each worker is in, for reports and for what a death may lose. */
  private readonly doing: (Op | undefined)[] = [];

  private *script(actor: Actor, ops: readonly Op[]): Generator<unknown, void, unknown> {
    const { machine } = this;
    const { worker } = actor;
    this.doing[worker.index] = undefined;
    for (let i = 0; i < ops.length; i++) {
      const op = ops[i] as Op;
      worker.see(i);
      if (op.ready !== undefined) {
        const ready = (): boolean => (op.ready as NonNullable<Op["ready"]>)(this, actor);
        while (!ready()) {
          worker.waitsFor = ready;
          yield;
        }
        worker.waitsFor = undefined;
      }
      // Without a seat, because there was none left to take: nothing to do.
      if (actor.heap === undefined && op.text !== "attach") continue;
      this.doing[worker.index] = op;
      machine.trace?.line(worker.index, `-- ${op.text}`);
      try {
        yield* op.run(actor);
      } catch (error) {
        machine.fail(`${op.text} threw ${(error as Error).stack ?? String(error)}`);
      }
      this.doing[worker.index] = undefined;
      if (machine.boundary()) yield;
    }
  }

  /** Eras whose discard its caller died in: to be asked for again. */
  unfinishedDiscards(): number[] {
    const { discarding, discarded } = this.oracle.ghost;
    return [...discarding].filter((era) => !discarded.has(era)).sort((a, b) => a - b);
  }

  /** Seats whose word names this worker, with their incarnations: what a parent knows of a worker that is gone. */
  seatsOf(actor: Actor): [number, number][] {
    const { layout } = this.oracle;
    const seats: [number, number][] = [];
    for (let seat = 1; seat <= layout.maxWorkers; seat++) {
      const word = this.m[seatAt(layout, seat) + SEAT_WORD] as number;
      const state = seatState(word);
      const taken = state === SEAT_LIVE || state === SEAT_SUSPECT;
      const known = this.oracle.ghost.sitters.get(seat) === actor.worker.index;
      if ((taken && seatWho(word) === actor.thread) || (!taken && known))
        seats.push([seat, seatIncarnation(word)]);
    }
    return seats;
  }

  /** LIVE -> SUSPECT, then PHASE: a live holder answers. */
  *suspect(actor: Actor, target: Actor): Generator<unknown, void, unknown> {
    const { machine, m } = this;
    const { layout } = this.oracle;
    for (const [seat, incarnation] of this.seatsOf(target)) {
      const live = packSeat(incarnation, target.thread, SEAT_LIVE);
      const index = seatAt(layout, seat) + SEAT_WORD;
      if (machine.atomic(2, m, index, live, packSeat(incarnation, target.thread, SEAT_SUSPECT))) yield;
      machine.rmw();
      if (machine.atomic(5, m, PHASE, 1, 0)) yield;
      machine.rmw();
    }
    actor.worker.see(1);
  }

  /** A worker writes into an object it was given. */
  useContents(handle: number, size: number): void {
    this.contents.use(handle, size);
    this.pages.written(this.oracle.slabOf(handle), Math.ceil(size / this.oracle.layout.slabSize));
  }

  private readonly judged = new VisitedStates();

  /** False where an earlier run has ended with the same words, and everybody knowing the same. */
  isNewAtRest(): boolean {
    let [h1, h2] = this.machine.restHash;
    const see = (value: number): void => {
      h1 = mix1(h1, value);
      h2 = mix2(h2, value);
    };
    for (const { worker, heap } of this.actors) {
      see(worker.dead ? -1 : worker.index);
      if (worker.dead || heap === undefined) continue;
      const a = heap._a;
      for (const value of [a.seat, a.incarnation, a.deepSeen, a.doomsSeen, a.pressureSeen, a.pendingCursor]) {
        see(value);
      }
      see(a.detached ? 1 : 0);
      see(Number.isNaN(a.exhaustedPhase) ? -7 : a.exhaustedPhase);
      for (const rec of a.rec) see(rec);
      for (const depth of a.depth) see(depth);
    }
    return this.judged.enter(h1, h2, 0);
  }

  nameWord(word: number, value: number): string {
    return nameWord(this.oracle.layout, word, value);
  }
}
