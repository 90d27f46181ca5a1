/**
 * What must be true of a limit that threads share, kept beside its words.
 *
 * P1  a permit has one living holder; its word is changed by nobody but that, or by who receives it, on exactly that journey
 * P2  a take finds a permit that was free all the while, or that a dead thread held
 * P3  a journey ends once: of those who receive it one gets the permit, and none once it has been taken from a dead sender
 * P4  nobody sleeps before a free permit with nobody about to call (the machine's "waits for ever"), looks after a while
 *     left aside. They are what is left where a thread died holding a permit, or while it took or gave one
 * P5  at the end every permit can be taken that no living thread holds or has sent
 */
import type { PermitRef } from "../../../src/pool/permits.js";
import { ownerIncarnation, ownerSeat } from "../../../src/threads/owners.js";
import { mix1 } from "./hash.js";
import type { Allocator } from "./instances.js";
import type { WordActor, WordsWorld } from "./words-world.js";
import type { LogicalWorker } from "./worker.js";

/** As in permits.ts. */
export const BELL = 16;
export const PERMITS = 32;
const TRAVELLING = 1 << 24;

const NOBODY: ReadonlyMap<number, number> = new Map();

export class PermitsOracle {
  private readonly world: WordsWorld;
  private readonly limit: number;
  /** Permit -> who holds it, as the results of operations say. */
  private readonly holders = new Map<number, number>();
  /** Permit -> its journey. */
  private readonly journeys = new Map<number, { readonly ref: PermitRef; readonly sender: number }>();
  /** Worker -> permits that its take must find, with their words. */
  private readonly findable = new Map<number, Map<number, number>>();
  private readonly receiving = new Map<number, PermitRef>();
  /** Who takes or gives right now. */
  private readonly busy = new Set<number>();
  private readonly asleep = new Map<number, number>();
  private diedBusy = false;

  constructor(world: WordsWorld) {
    this.world = world;
    this.limit = world.scenario.permits?.length ?? 0;
  }

  reset(): void {
    for (const known of [this.holders, this.journeys, this.findable, this.receiving, this.busy, this.asleep])
      known.clear();
    this.diedBusy = false;
    this.world.scenario.permits?.forEach((worker, index) => {
      if (worker > 0) this.holders.set(index, worker - 1);
    });
  }

  private fail(message: string): void {
    this.world.machine.fail(message);
  }

  private note(...what: number[]): void {
    this.world.machine.noteGhost(what.reduce((hash, value) => mix1(hash, value), 0x5be0cd19));
  }

  private lives(worker: number): boolean {
    return this.world.machine.workers[worker]?.dead === false;
  }

  private word(index: number): number {
    return this.world.m[PERMITS + index] as number;
  }

  /** The living worker a word names. */
  private living(word: number): WordActor | undefined {
    const owner = word === 0 ? undefined : this.world.ownerOf(word);
    return owner?.worker.dead === false ? owner : undefined;
  }

  died(worker: LogicalWorker): void {
    if (this.busy.has(worker.index)) {
      this.diedBusy = true;
      this.note(6, worker.index);
    }
    this.asleep.delete(worker.index);
  }

  // -- taking and giving -----------------------------------------------------------------------------------

  beginTake(worker: number): void {
    this.busy.add(worker);
    const findable = new Map<number, number>();
    for (let index = 0; index < this.limit; index++) {
      const word = this.word(index);
      if (this.living(word) === undefined) findable.set(index, word);
    }
    this.findable.set(worker, findable);
  }

  endTake(worker: number, index: number): void {
    this.busy.delete(worker);
    const [missed] = (this.findable.get(worker) ?? NOBODY).keys();
    this.findable.delete(worker);
    if (index >= 0) this.took(worker, index);
    else if (missed !== undefined)
      this.fail(`P2: worker ${worker + 1} found no permit, though permit ${missed} was nobody's throughout`);
  }

  private took(worker: number, index: number): void {
    const before = this.holders.get(index);
    if (before !== undefined && before !== worker && this.lives(before))
      this.fail(`P1: permit ${index} is worker ${before + 1}'s, and worker ${worker + 1} took it`);
    this.holders.set(index, worker);
    this.journeys.delete(index);
    this.note(1, worker, index);
  }

  /** Before the permit is given back; whether it is held. */
  beginGive(worker: number, index: number): void {
    this.busy.add(worker);
    if (!this.holds(worker, index)) return;
    this.holders.delete(index);
    this.note(1, worker, index);
  }

  endGive(worker: number): void {
    this.busy.delete(worker);
  }

  holds(worker: number, index: number): boolean {
    return this.holders.get(index) === worker;
  }

  /** The lowest permit a worker holds; -1: none. */
  heldBy(worker: number): number {
    for (let index = 0; index < this.limit; index++) if (this.holds(worker, index)) return index;
    return -1;
  }

  // -- journeys --------------------------------------------------------------------------------------------

  sent(worker: number, ref: PermitRef): void {
    this.holders.delete(ref.index);
    this.journeys.set(ref.index, { ref, sender: worker });
    this.note(2, worker, ref.index, ref.journey);
  }

  beginReceive(worker: number, ref: PermitRef): void {
    this.receiving.set(worker, ref);
  }

  endReceive(worker: number, ref: PermitRef, got: boolean): void {
    this.receiving.delete(worker);
    const journey = this.journeys.get(ref.index);
    const current = journey?.ref === ref;
    if (got && !current)
      this.fail(`P3: worker ${worker + 1} got permit ${ref.index} from a journey that has ended`);
    if (!got && current && this.lives(journey.sender))
      this.fail(`P3: permit ${ref.index} is on its way, but worker ${worker + 1} did not get it`);
    if (got) this.took(worker, ref.index);
  }

  // -- words -----------------------------------------------------------------------------------------------

  /** Who may change a permit's word. */
  changed(word: number, before: number, now: number, worker: LogicalWorker): void {
    const index = word - PERMITS;
    if (index < 0 || index >= this.limit) return;
    for (const findable of this.findable.values()) findable.delete(index);
    const holder = this.living(before);
    const byReceiver =
      (before & TRAVELLING) !== 0 && this.receiving.get(worker.index)?.journey === before && now !== 0;
    if (holder !== undefined && !byReceiver && (holder.worker !== worker || (before & TRAVELLING) !== 0))
      this.fail(`P1: worker ${worker.index + 1} changed ${this.nameWord(word, before)} to ${now}`);
    if (now !== 0 && this.living(now)?.worker !== worker)
      this.fail(`P1: worker ${worker.index + 1} made somebody else holder: ${this.nameWord(word, now)}`);
  }

  // -- sleeping --------------------------------------------------------------------------------------------

  /** Permits that nobody living holds or has sent. */
  private available(): number {
    let count = 0;
    for (let index = 0; index < this.limit; index++) if (this.living(this.word(index)) === undefined) count++;
    return count;
  }

  private isAsleep(worker: LogicalWorker): boolean {
    return this.asleep.get(worker.index) === this.world.m[BELL];
  }

  sleeps(worker: number, seen: number): void {
    this.asleep.set(worker, seen);
  }

  /** Whether a sleeper goes on: it was called, or it looks after a while, or there is nothing to wait for. */
  isAwake(worker: LogicalWorker): boolean {
    if (!this.isAsleep(worker)) return true;
    const others = this.world.machine.workers.filter((other) => other !== worker);
    if (!others.every((other) => other.done || other.dead || this.isAsleep(other))) return false;
    return this.available() === 0 || this.diedBusy || this.deadHold();
  }

  private deadHold(): boolean {
    for (let index = 0; index < this.limit; index++) {
      const word = this.word(index);
      if (word !== 0 && this.living(word) === undefined) return true;
    }
    return false;
  }

  /** False: nobody will give one back any more. */
  wakes(worker: LogicalWorker): boolean {
    const called = !this.isAsleep(worker);
    this.asleep.delete(worker.index);
    return called || this.available() > 0;
  }

  // -- the end ---------------------------------------------------------------------------------------------

  /** Who is alive keeps what it has; everything else can be taken. */
  judge(plain: Allocator): string | undefined {
    const { world } = this;
    let kept = 0;
    for (let index = 0; index < this.limit; index++) {
      const word = this.word(index);
      const owner = this.living(word);
      const holder = this.holders.get(index);
      const known = holder !== undefined && this.lives(holder) ? holder : undefined;
      if (owner === undefined && known === undefined) continue;
      kept++;
      const says = this.nameWord(PERMITS + index, word);
      const travels = (word & TRAVELLING) !== 0;
      if (travels ? this.journeys.get(index)?.ref.journey !== word : owner?.worker.index !== known)
        return `P1: ${says}, but ${known === undefined ? "nobody" : `worker ${known + 1}`} knows of it`;
    }
    const seats = () => world.seats(world.actors[0] as WordActor);
    const janitor = new plain.Permits({ seat: 200, incarnation: 1, seats }, world.m, world.m.buffer);
    let taken = 0;
    while (taken <= this.limit && janitor.take() >= 0) taken++;
    return taken === this.limit - kept
      ? undefined
      : `P5: of ${this.limit} permits ${kept} are in use, and ${taken} can be taken`;
  }

  nameWord(word: number, value: number): string {
    if (word === BELL) return `bell=${(value & 1) === 0 ? "" : "waited for, "}called ${value >>> 1} times`;
    const index = word - PERMITS;
    if (index < 0 || index >= this.limit) return `limit[${word}]=${value}`;
    if (value === 0) return `permit[${index}]=nobody`;
    const journey = (value & TRAVELLING) === 0 ? "" : ` on journey ${value >>> 25}`;
    return `permit[${index}]=seat ${ownerSeat(value)}(${ownerIncarnation(value)})${journey}`;
  }
}
