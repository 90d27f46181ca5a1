/**
 * The threads of one lap: started, watched over, killed at random instants or made to die at a random access to shared
 * memory, replaced, reaped, and in the end asked to leave. A thread without a sign of life for too long fails the lap,
 * with the name of what it was doing.
 */
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import type { SlabHeap } from "temporal-slab";
import { STOP } from "../threads/workers/shared.mjs";
import { type Control, Random, Row } from "./board.mjs";
import { DEATH_CODE } from "./deaths.mjs";
import { Objects } from "./objects.mjs";
import type { LapPlan, RoundPlan } from "./plan.js";

interface Member {
  readonly kind: "worker" | "watcher";
  readonly slot: number;
  readonly owner: number;
  readonly worker: Worker;
  readonly threadId: number;
  readonly row: Row;
  readonly exited: Promise<unknown>;
  /** At work, and able to take messages. */
  ready: boolean;
  /** Reaped by `heap.watch`. */
  readonly watched: boolean;
  killed: boolean;
  beats: number;
  beatAt: number;
}

/** The files are not in the bundle this may run from: named from the root of the repository. */
const FOLDER = join(process.cwd(), "test/soak");
const LOOK_EVERY_MS = 100;
const WORDLESS_LOOKS = 20;

function signal(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

export class Crew {
  kills = 0;
  /** Deaths so early that the seat does not say yet whose it is. */
  unattributed = 0;
  private readonly members = new Map<number, Member>();
  private readonly random: Random;
  private readonly row: Row;
  private readonly objects: Objects;
  /** Dead threads whose seats somebody was told to reap: by whom. */
  private readonly told = new Map<number, Member>();
  /** Dead threads that a reaper was busy with: tried again later. */
  private again: number[] = [];
  private readonly watchedThreads = new Set<number>();
  private owners = 0;
  private stopping = false;
  private readonly dying = new Set<Promise<unknown>>();
  private readonly end = new AbortController();
  /** How often a failure was seen that nobody had described yet. */
  private wordless = 0;
  /** Places somebody has worked in, and what happens when that is all. */
  private readonly started = new Set<number>();
  private readonly allStarted = signal();

  private readonly heap: SlabHeap;
  private readonly control: Control;
  private readonly ring: SharedArrayBuffer;
  private readonly round: RoundPlan;
  private readonly lap: LapPlan;

  constructor(heap: SlabHeap, control: Control, ring: SharedArrayBuffer, round: RoundPlan, lap: LapPlan) {
    this.heap = heap;
    this.control = control;
    this.ring = ring;
    this.round = round;
    this.lap = lap;
    this.random = new Random(lap.seed);
    this.row = new Row(control, 0);
    const zeroed = round.heap.zeroOnFree === true;
    this.objects = new Objects({ control, row: this.row, random: this.random, owner: 0, most: 0, zeroed });
  }

  /** Works until the lap's time is over, or something failed; then everybody leaves. */
  async run(): Promise<void> {
    const looking = setInterval(() => this.look(), LOOK_EVERY_MS);
    const { threads, watchers } = this.round;
    for (let slot = 1; slot <= threads + watchers; slot++) this.start(slot);
    const killing = this.killSome();
    // On a busy machine threads take longer to start than a lap takes.
    await this.unlessFailed(this.allStarted.promise);
    await this.unlessFailed(delay(this.lap.ms, undefined, { signal: this.end.signal }));
    this.stopping = true;
    await this.unlessFailed(killing);
    this.control.set(STOP, 1);
    await this.unlessFailed(this.allGone());
    await Promise.all([...this.members.values()].map(({ worker }) => worker.terminate()));
    await this.allGone();
    await killing;
    clearInterval(looking);
    this.reapTheRest();
  }

  /** Handles that were on their way to nobody: checked and given back. */
  giveBack(handle: number, era?: number): void {
    const object = this.objects.receive(this.heap, handle, era);
    if (object !== undefined) this.objects.free(this.heap, object);
  }

  private start(slot: number): void {
    const kind = slot <= this.round.threads ? "worker" : "watcher";
    const owner = ++this.owners;
    const worker = new Worker(join(FOLDER, `${kind}.mjs`), {
      workerData: {
        ref: this.heap.share(),
        control: this.control.words.buffer,
        ring: this.ring,
        slot,
        owner,
        seed: this.random.next(),
        most: this.round.most,
        zeroed: this.round.heap.zeroOnFree === true,
        planted: slot === 1 ? this.round.planted : undefined,
        diesAt: this.lap.killEveryMs > 0 && this.random.below(3) === 0 ? this.someAccess() : 0,
      },
    });
    const { reapMode } = this.lap;
    const watched = reapMode === "watch" || (reapMode === "both" && this.random.below(2) === 0);
    const { threadId } = worker;
    if (watched) {
      this.heap.watch(worker);
      this.watchedThreads.add(threadId);
    }
    const member: Member = {
      kind,
      slot,
      owner,
      worker,
      threadId,
      row: new Row(this.control, slot),
      // Not with once() of node:events, which gives up on an error before the exit.
      exited: new Promise((resolve) => worker.on("exit", resolve)),
      ready: false,
      watched,
      killed: false,
      beats: 0,
      beatAt: Date.now(),
    };
    member.row.beat(0);
    this.members.set(slot, member);
    worker.on("message", (message) => this.hear(member, message));
    worker.on("error", (error) => this.control.fail(`${kind} ${owner}: uncaught ${error.stack ?? error}`));
    worker.on("exit", (code) => {
      if (kind === "worker" && (member.killed || code === DEATH_CODE)) this.kills++;
      this.bury(member);
    });
  }

  /** The access to shared memory a thread dies at: while it attaches, soon after, or in the middle of its work. */
  private someAccess(): number {
    return 1 + this.random.below([300, 5_000, 200_000][this.random.below(3)] as number);
  }

  private hear(member: Member, message: unknown): void {
    if (message === "ready") this.welcome(member);
    else if (message === "done") member.worker.postMessage("bye");
    else if (typeof message !== "object" || message === null)
      this.control.fail(`odd message ${String(message)}`);
    else if ("give" in message) this.relay(message.give as readonly [number, number][]);
    else if ("reaped" in message && "done" in message) {
      const threadId = message.reaped as number;
      this.told.delete(threadId);
      if (message.done !== true) this.reapHere(threadId);
    }
  }

  private welcome(member: Member): void {
    member.ready = true;
    this.started.add(member.slot);
    if (this.started.size === this.round.threads + this.round.watchers) this.allStarted.resolve();
  }

  private relay(give: readonly [number, number][]): void {
    const to = this.stopping ? undefined : this.anybody();
    if (to !== undefined) to.worker.postMessage({ take: give });
    else for (const [handle, era] of give) this.giveBack(handle, era);
  }

  private anybody(): Member | undefined {
    const able = [...this.members.values()].filter((member) => member.kind === "worker" && member.ready);
    return able[this.random.below(Math.max(1, able.length))];
  }

  /** After a thread's exit: its seats are reaped, what it was told to reap is passed on, its place is taken. */
  private bury(member: Member): void {
    if (this.members.get(member.slot) === member) this.members.delete(member.slot);
    const inherited = [...this.told].filter(([, reaper]) => reaper === member).map(([threadId]) => threadId);
    for (const threadId of inherited) this.tell(threadId);
    if (!member.watched && member.kind === "worker") this.tell(member.threadId);
    if (!this.stopping) this.start(member.slot);
  }

  private tell(threadId: number): void {
    const reaper = this.stopping ? undefined : this.anybody();
    if (reaper === undefined) {
      this.told.delete(threadId);
      this.reapHere(threadId);
      return;
    }
    this.told.set(threadId, reaper);
    reaper.worker.postMessage({ reap: threadId });
    // Now and then the reaper dies at once.
    if (this.lap.killEveryMs > 0 && this.random.below(4) === 0) this.kill(reaper);
  }

  private reapHere(threadId: number): void {
    for (const { seat, incarnation, state, threadId: holder } of this.heap.seats()) {
      if (holder !== threadId || state === "FREE") continue;
      const { status } = this.heap.reap(seat, incarnation);
      if (status === "reaped") this.row.add("reaps");
      if (status === "busy") this.again.push(threadId);
    }
  }

  private async killSome(): Promise<void> {
    const { killEveryMs } = this.lap;
    if (killEveryMs === 0) return;
    while (!this.stopping && this.control.failure() === "") {
      await delay(this.random.below(2 * killEveryMs), undefined, { signal: this.end.signal }).catch(() => {});
      for (let n = this.random.below(8) === 0 ? 3 : 1; n > 0 && !this.stopping; n--) {
        // One in four at any time: also while it starts, or attaches. The others have got to work.
        const anyTime = this.random.below(4) === 0;
        const all = [...this.members.values()].filter(({ ready }) => ready || anyTime);
        const victim = all[this.random.below(Math.max(1, all.length))];
        if (victim !== undefined) this.kill(victim);
      }
    }
    await Promise.all(this.dying);
  }

  private kill(member: Member): void {
    if (member.killed) return;
    member.killed = true;
    // Somewhere between two turns of this loop's clock.
    for (let spin = this.random.below(20_000); spin > 0; spin--) this.row.beat();
    const death = member.worker.terminate().finally(() => this.dying.delete(death));
    this.dying.add(death);
  }

  /** Everybody who must give a sign of life, and dead threads to try again. */
  private look(): void {
    const now = Date.now();
    for (const member of this.members.values()) {
      const { beats } = member.row;
      if (beats !== member.beats) {
        member.beats = beats;
        member.beatAt = now;
      } else if (now - member.beatAt > this.round.stallMs) {
        this.control.fail(
          `${member.kind} ${member.owner} (thread ${member.threadId}) has given no sign of life for ${now - member.beatAt} ms, in "${member.row.pattern}"`,
        );
      }
    }
    const again = this.again;
    this.again = [];
    for (const threadId of again) this.reapHere(threadId);
    // A thread counts its failure and then describes it, and may die in between.
    const failure = this.control.failure();
    if (failure !== "" && (!failure.endsWith("first: ") || ++this.wordless > WORDLESS_LOOKS))
      this.end.abort();
  }

  /** Waits for `work`, or for the first failed check. */
  private async unlessFailed(work: Promise<unknown>): Promise<void> {
    if (this.end.signal.aborted) return;
    await Promise.race([work.catch(() => {}), once(this.end.signal, "abort")]);
  }

  private async allGone(): Promise<void> {
    while (this.members.size > 0) await Promise.all([...this.members.values()].map(({ exited }) => exited));
  }

  /** All threads have exited: whoever still has a seat is dead. Those that were watched must not have one. */
  private reapTheRest(): void {
    const reaping = new Set<number>([...this.told.keys(), ...this.again]);
    for (let pass = 0; pass < this.heap.seats().length; pass++) {
      for (const { seat, incarnation, state, threadId } of this.heap.seats()) {
        if (seat === this.heap.seat || state === "FREE") continue;
        if (state === "LIVE" && threadId < 0) this.unattributed++;
        if (state === "LIVE" && this.watchedThreads.has(threadId)) {
          this.control.fail(`seat ${seat} of thread ${threadId}, which was watched, was not reaped`);
        } else if (state === "LIVE" && threadId >= 0 && !reaping.has(threadId)) {
          this.control.fail(`seat ${seat} of thread ${threadId} was not reaped by those told to`);
        }
        this.heap.reap(seat, incarnation);
      }
    }
  }
}
