/**
 * A world without a heap: permits of a pool, owner words and one ring, in memory of their own, used by the real sources of
 * src/pool, src/threads and src/ring. Seats are a list; a worker's seat is gone with it.
 *
 *   words 0..39: a limit with up to 8 permits, if the scenario has one | 48..63: owner words of the things scenarios take
 *   | from word 64 on: the ring
 *
 * Blocking is not explored: who would block waits until the word differs. What is explored is everything up to there, and
 * whether anybody changes the word. After a death a sleeper also wakes by itself when all others have ended or sleep: its
 * bounded look.
 */
import type { PermitRef, Permits } from "../../../src/pool/permits.js";
import {
  L_HEAD,
  L_TAIL,
  laneAt,
  R_CONSUMER,
  R_LANE_OWNERS,
  R_STATE,
  type RingShape,
  ringWords,
} from "../../../src/ring/layout.js";
import type { Receiver } from "../../../src/ring/receiver.js";
import type { Sender } from "../../../src/ring/sender.js";
import { type OwnerWords, ownerIncarnation, ownerSeat, ownerWord } from "../../../src/threads/owners.js";
import type { Driver, Limits } from "./decisions.js";
import { type Allocator, type Instances, instancesOf } from "./instances.js";
import { Machine } from "./machine.js";
import type { Mode } from "./memory.js";
import { PERMITS, PermitsOracle } from "./permits-oracle.js";
import type { Compiled } from "./source.js";
import type { WordOp } from "./words-ops.js";
import { WordsOracle } from "./words-oracle.js";
import { LogicalWorker, type Routine } from "./worker.js";

export interface WordScenario {
  readonly on: "words";
  readonly name: string;
  /** What it is about, in a few words. */
  readonly about: string;
  /** One script per worker, numbered from 1. */
  readonly scripts: readonly (readonly WordOp[])[];
  /** Workers (from 1) that may die at any access, and how many of them in one run. */
  readonly killable?: readonly number[];
  readonly kills?: number;
  readonly core?: boolean;
  /** Lanes of the ring, 1 or 2. */
  readonly lanes?: number;
  /** Things with owner words. */
  readonly things?: number;
  /** Where head and tail of every lane begin. */
  readonly counted?: number;
  /** A limit on buffers: for each permit, who holds it at the beginning (from 1); 0: nobody. */
  readonly permits?: readonly number[];
}

export const RING_BASE = 64;
const THINGS = 48;
/** Handles per lane. */
const CAPACITY = 2;

type Stepping<T> = {
  [K in keyof T]: T[K] extends (...args: never[]) => unknown ? (...args: unknown[]) => Routine : T[K];
};

/** A worker with its ends of the ring and its view of the owner words, new in every run. */
export class WordActor {
  readonly world: WordsWorld;
  readonly worker: LogicalWorker;
  readonly own: Allocator;
  seat: number;
  incarnation = 1;
  /** Of its own sends. */
  count = 0;
  /** A close has happened before what it does next. */
  knowsClosed = false;
  sender!: Stepping<Sender> & Sender;
  receiver!: Stepping<Receiver> & Receiver;
  things!: Stepping<OwnerWords> & OwnerWords;
  permits!: Stepping<Permits> & Permits;

  constructor(world: WordsWorld, worker: LogicalWorker, own: Allocator) {
    this.world = world;
    this.worker = worker;
    this.own = own;
    this.seat = worker.index + 1;
  }

  /** As at the beginning, or with another seat. */
  sit(seat: number, incarnation: number): void {
    const { world, own } = this;
    this.seat = seat;
    this.incarnation = incarnation;
    const holder = { seat, incarnation, seats: () => world.seats(this) };
    this.sender = new own.Sender(world.shape, holder) as WordActor["sender"];
    this.receiver = new own.Receiver(world.shape, holder) as WordActor["receiver"];
    this.things = new own.OwnerWords(
      world.m,
      THINGS,
      world.scenario.things ?? 1,
      holder,
    ) as WordActor["things"];
    this.permits = new own.Permits(holder, world.m, world.m.buffer) as WordActor["permits"];
  }
}

export class WordsWorld {
  readonly scenario: WordScenario;
  readonly machine: Machine;
  readonly m: Int32Array;
  readonly shape: RingShape;
  readonly oracle: WordsOracle;
  readonly actors: readonly WordActor[];
  readonly permits: PermitsOracle;
  private readonly instances: Instances;
  private readonly wordsAtStart: Int32Array;
  /** Thing -> worker to whom its owner has offered it. */
  readonly offers = new Map<number, number>();
  /** Messages with permits. */
  readonly mail = new Map<string, PermitRef>();

  constructor(scenario: WordScenario, code: Compiled, mode: Mode, limits: Limits, driver: Driver) {
    this.scenario = scenario;
    const workers = scenario.scripts.map(
      (_, index) => new LogicalWorker(index, scenario.killable?.includes(index + 1) === true),
    );
    const producers = scenario.lanes ?? 1;
    this.m = new Int32Array(new SharedArrayBuffer(4 * (RING_BASE + ringWords(CAPACITY, producers))));
    this.shape = { m: this.m, base: RING_BASE, capacity: CAPACITY, producers };
    this.machine = new Machine(this.m, mode, workers, limits, driver);
    this.oracle = new WordsOracle(this.machine);
    this.instances = instancesOf(code);
    this.instances.use(this.machine);
    this.actors = workers.map((worker) => new WordActor(this, worker, this.instances.of(worker.index)));
    this.machine.memory.onChange = (word, before, now, worker) => this.onChange(word, before, now, worker);
    this.machine.onKill = (worker) => {
      this.oracle.died(worker);
      this.permits.died(worker);
    };
    this.permits = new PermitsOracle(this);
    this.wordsAtStart = this.wordsToBegin();
  }

  private wordsToBegin(): Int32Array {
    const words = new Int32Array(this.m.length);
    const { counted = 0, permits = [] } = this.scenario;
    for (let lane = 0; lane < this.shape.producers; lane++) {
      words[laneAt(this.shape, lane) + L_HEAD] = counted;
      words[laneAt(this.shape, lane) + L_TAIL] = counted;
    }
    if (permits.length === 0) return words;
    const heap = { seat: 200, incarnation: 1, i32: new Int32Array(64) };
    const limit = new Int32Array(this.instances.plain.Permits.create(heap, permits.length).buffer);
    if (limit.length !== PERMITS + permits.length)
      throw new Error("a limit has another layout than known here");
    words.set(limit);
    permits.forEach((worker, index) => {
      if (worker > 0) words[PERMITS + index] = ownerWord({ seat: worker, incarnation: 1 });
    });
    return words;
  }

  reset(): void {
    this.instances.use(this.machine);
    this.m.set(this.wordsAtStart);
    this.machine.reset();
    this.oracle.reset();
    this.permits.reset();
    this.offers.clear();
    this.mail.clear();
    for (const actor of this.actors) {
      actor.count = 0;
      actor.knowsClosed = false;
      actor.sit(actor.worker.index + 1, 1);
      actor.worker.routine = this.script(
        actor,
        this.scenario.scripts[actor.worker.index] as readonly WordOp[],
      );
    }
  }

  /** As a heap would list them. Of a dead worker and of whoever has its seat now, the last says how it is. */
  seats(asker: WordActor): { seat: number; incarnation: number; state: "LIVE" | "FREE"; threadId: number }[] {
    const seats = new Map<number, WordActor>();
    for (const actor of this.actors) {
      const known = seats.get(actor.seat);
      if (known === undefined || known.incarnation < actor.incarnation) seats.set(actor.seat, actor);
      asker.worker.see(actor.seat * 4 + actor.incarnation * 2 + (actor.worker.dead ? 1 : 0));
    }
    return [...seats.values()].map(({ seat, incarnation, worker }) => ({
      seat,
      incarnation,
      state: worker.dead ? "FREE" : "LIVE",
      threadId: worker.index,
    }));
  }

  private *script(actor: WordActor, ops: readonly WordOp[]): Generator<unknown, void, unknown> {
    const { machine } = this;
    const { worker } = actor;
    for (let i = 0; i < ops.length; i++) {
      const op = ops[i] as WordOp;
      worker.see(i);
      if (op.ready !== undefined) {
        const ready = (): boolean => op.ready?.(actor) === true;
        while (!ready()) {
          worker.waitsFor = ready;
          yield;
        }
        worker.waitsFor = undefined;
      }
      machine.trace?.line(worker.index, `-- ${op.text}`);
      try {
        yield* op.run(actor);
      } catch (error) {
        machine.fail(`${op.text} threw ${(error as Error).stack ?? String(error)}`);
      }
      if (machine.boundary()) yield;
    }
  }

  /**
   * Sleeps until the word differs from the value (true). False: all others have ended and there is nothing to do, as
   * `idle` says; or somebody has died and nobody else goes on, which is the bounded look.
   */
  *sleep(actor: WordActor, word: number, value: number, idle: () => boolean): Routine {
    const { worker } = actor;
    const { workers } = this.machine;
    const others = workers.filter((other) => other !== worker);
    const awake = (): boolean =>
      this.m[word] !== value ||
      (this.othersEnded(actor) && idle()) ||
      (workers.some((other) => other.dead) &&
        others.every((other) => other.done || other.dead || other.waitsFor !== undefined));
    while (!awake()) {
      worker.waitsFor = awake;
      yield;
    }
    worker.waitsFor = undefined;
    worker.see(this.m[word] as number);
    return this.m[word] !== value;
  }

  /** Nothing will be sent any more. */
  othersEnded({ worker }: WordActor): boolean {
    return this.machine.workers.every((other) => other === worker || other.done || other.dead);
  }

  ownerOf(word: number): WordActor | undefined {
    const seat = ownerSeat(word);
    const incarnation = ownerIncarnation(word);
    return this.actors.find((actor) => actor.seat === seat && actor.incarnation === incarnation);
  }

  /** Who may change a word. */
  private onChange(word: number, before: number, now: number, worker: LogicalWorker): void {
    const { m, shape, machine } = this;
    const owners = RING_BASE + R_LANE_OWNERS;
    const isThing = word >= THINGS && word < RING_BASE;
    this.permits.changed(word, before, now, worker);
    const isOwnerWord =
      isThing || word === RING_BASE + R_CONSUMER || (word >= owners && word < owners + shape.producers);
    if (isOwnerWord) {
      const holder = before === 0 ? undefined : this.ownerOf(before);
      const offered = isThing && this.offers.get(word - THINGS) === worker.index;
      if (holder !== undefined && holder.worker !== worker && !holder.worker.dead && !offered)
        machine.fail(`O1: worker ${worker.index + 1} changed ${this.nameWord(word, before)} to ${now}`);
      if (now !== 0 && this.ownerOf(now)?.worker !== worker)
        machine.fail(`O1: worker ${worker.index + 1} made somebody else owner: ${this.nameWord(word, now)}`);
    }
    for (let lane = 0; lane < shape.producers; lane++) {
      const at = laneAt(shape, lane);
      const owner =
        word === at + L_TAIL ? m[owners + lane] : word === at + L_HEAD ? m[RING_BASE + R_CONSUMER] : 0;
      if (owner !== 0 && this.ownerOf(owner as number)?.worker !== worker)
        machine.fail(
          `O1: worker ${worker.index + 1} moved ${this.nameWord(word, now)}, which is not its own`,
        );
    }
  }

  /** The end of a run: what is left is received, and everything compared. */
  judge(): string | undefined {
    const { machine, oracle, m } = this;
    machine.settleAll();
    if (machine.violation !== undefined) return machine.violation;
    for (const [thing, worker] of oracle.heldThings()) {
      const actor = this.actors[worker] as WordActor;
      const word = m[THINGS + thing] as number;
      if (!actor.worker.dead && word !== actor.things.me)
        return `O1: worker ${worker + 1} was given thing ${thing}, which is ${this.nameWord(THINGS + thing, word)}`;
    }
    for (let thing = 0; thing < (this.scenario.things ?? 0); thing++) {
      const word = m[THINGS + thing] as number;
      const owner = this.ownerOf(word);
      if (owner !== undefined && !owner.worker.dead && !oracle.holds(owner.worker.index, thing))
        return `O1: ${this.nameWord(THINGS + thing, word)}, which does not know of it`;
    }
    if (this.scenario.permits !== undefined) return this.permits.judge(this.instances.plain);
    return this.drain() ?? machine.violation ?? oracle.checkAllDelivered() ?? machine.violation;
  }

  /** With all workers gone, by the plain sources. */
  private drain(): string | undefined {
    const { plain } = this.instances;
    const seats = (): [] => [];
    const receiver = new plain.Receiver(this.shape, { seat: 200, incarnation: 1, seats });
    // Its own changes of words are nobody's business.
    for (let left = 64; left > 0; left--) {
      const handle = receiver.tryReceive();
      if (handle === 0) return undefined;
      this.oracle.endReceive(-1, [handle]);
    }
    return "O2: the ring never becomes empty";
  }

  nameWord(word: number, value: number): string {
    const owner = (what: string): string =>
      `${what}=${value === 0 ? "nobody" : `seat ${ownerSeat(value)}(${ownerIncarnation(value)})`}`;
    if (word < THINGS) return this.permits.nameWord(word, value);
    if (word < RING_BASE) return owner(`owner[${word - THINGS}]`);
    const at = word - RING_BASE;
    if (at === R_STATE) return `state=${value & 7}+${value >> 3}`;
    if (at === R_CONSUMER) return owner("consumer");
    if (at >= R_LANE_OWNERS && at < R_LANE_OWNERS + this.shape.producers)
      return owner(`lane owner[${at - R_LANE_OWNERS}]`);
    for (let lane = 0; lane < this.shape.producers; lane++) {
      const inLane = word - laneAt(this.shape, lane);
      const names = ["tail", "head", "waits"];
      const index = [L_TAIL, L_HEAD, L_HEAD + 1].indexOf(inLane);
      if (index >= 0) return `${names[index]}[${lane}]=${value}`;
      if (inLane >= 64 && inLane < 64 + 2 * CAPACITY) return `slot[${lane}.${inLane - 64}]=${value}`;
    }
    return `word ${word}=${value}`;
  }
}

/** What exploring needs of a world, with a heap or without. */
export interface Explorable {
  readonly machine: Machine;
  reset(): void;
  judge(): string | undefined;
  nameWord(word: number, value: number): string;
}
