/** The worker threads as the main thread sees them: started, watched, killed at random, replaced. */
import { Worker } from "node:worker_threads";
import type { SlabHeap } from "../../index.js";
import type { Damage, WorkerLeaks, WorkerMessage, WorkerTask } from "./messages.js";
import type { Random } from "./random.js";
import type { ReleaserRecord } from "./release.js";

/** Findings kept for the report; the tallies count all of them. */
const MAX_KEPT_DAMAGE = 50;

type MemberState = "starting" | "working" | "stopped" | "done" | "killed" | "gone";

interface Member {
  readonly thread: Worker;
  readonly number: number;
  readonly slot: number;
  state: MemberState;
}

/** What the crew has been through, for the report. */
export interface CrewRecord {
  started: number;
  kills: number;
  reaped: number;
  /** Workers that ended by themselves, seats that were not recovered. */
  readonly errors: string[];
  readonly damage: Damage[];
  readonly leaked: WorkerLeaks[];
  /** How the workers give pages back, by what the first of them says; undefined until it does. */
  releaser: ReleaserRecord | undefined;
}

/** The parts of a worker's task that all workers share. */
export type SharedTask = Omit<WorkerTask, "heap" | "slot" | "worker">;

export class Crew {
  readonly record: CrewRecord = {
    started: 0,
    kills: 0,
    reaped: 0,
    errors: [],
    damage: [],
    leaked: [],
    releaser: undefined,
  };
  readonly #heap: SlabHeap;
  readonly #task: SharedTask;
  readonly #members: Member[] = [];
  readonly #waiting = new Set<() => void>();
  #replacing = true;

  constructor(heap: SlabHeap, task: SharedTask) {
    this.#heap = heap;
    this.#task = task;
    for (let slot = 0; slot < task.plan.threads; slot++) this.#start(slot);
  }

  get failed(): boolean {
    return this.record.errors.length > 0;
  }

  /** Workers at work now. */
  get working(): number {
    return this.#members.filter((member) => member.state === "working").length;
  }

  /** Resolves when every worker has attached; false when one failed to. */
  async ready(): Promise<boolean> {
    await this.#until(() => this.failed || this.#all("working", "stopped"));
    return !this.failed;
  }

  /** Resolves when no worker is at work any more: all stopped, or one failed. */
  async idle(): Promise<void> {
    await this.#until(() => this.failed || this.#all("stopped"));
  }

  /** After the phase was set to stop: resolves when every worker has stopped or is gone. */
  async stopped(timeoutMs: number): Promise<void> {
    this.#replacing = false;
    await this.#untilOrKill(timeoutMs, "stop", () => this.#all("stopped", "done", "gone"));
  }

  /** After the phase was set to drain: resolves when every thread has ended. */
  async ended(timeoutMs: number): Promise<void> {
    await this.#untilOrKill(timeoutMs, "end", () => this.#all("gone"));
  }

  /** Terminates one worker at work, whatever it is doing. Its exit reaps the seat and replaces it. */
  killOne(random: Random): void {
    const working = this.#members.filter((member) => member.state === "working");
    const victim = working[random.between(0, working.length - 1)];
    if (victim === undefined) return;
    victim.state = "killed";
    this.record.kills++;
    const { threadId } = victim.thread;
    const seat = this.#heap.seats().find((info) => info.threadId === threadId && info.state !== "FREE");
    victim.thread.once("exit", () => {
      const now = this.#heap.seats().find((info) => info.seat === seat?.seat);
      if (seat === undefined) return;
      if (now === undefined || now.state === "FREE" || now.incarnation !== seat.incarnation) {
        this.record.reaped++;
      } else {
        this.record.errors.push(`seat ${seat.seat} of killed worker ${victim.number} is still ${now.state}`);
      }
    });
    void victim.thread.terminate();
  }

  #start(slot: number): void {
    const number = this.record.started++;
    const task: WorkerTask = { ...this.#task, heap: this.#heap.share(), slot, worker: number };
    const thread = new Worker(new URL("./worker.js", import.meta.url), { workerData: task });
    // Reaps the worker's seat when it exits, before the listener below sees the exit.
    this.#heap.watch(thread);
    const member: Member = { thread, number, slot, state: "starting" };
    this.#members[slot] = member;
    thread.on("message", (message: WorkerMessage) => this.#heard(member, message));
    thread.on("error", (error) => {
      this.record.errors.push(
        `worker ${number} failed: ${error instanceof Error ? error.stack : String(error)}`,
      );
    });
    thread.on("exit", (code) => this.#left(member, code));
  }

  #heard(member: Member, message: WorkerMessage): void {
    switch (message.type) {
      case "ready":
        if (member.state === "starting") member.state = "working";
        this.record.releaser ??= message.releaser;
        break;
      case "stopped":
        if (member.state !== "killed") member.state = "stopped";
        break;
      case "done":
        member.state = "done";
        this.record.leaked.push(message.leaked);
        break;
      case "damage":
        if (this.record.damage.length < MAX_KEPT_DAMAGE) this.record.damage.push(message.damage);
        break;
    }
    this.#changed();
  }

  #left(member: Member, code: number): void {
    const { state } = member;
    member.state = "gone";
    if (state === "killed" && this.#replacing) this.#start(member.slot);
    else if (state !== "killed" && (state !== "done" || code !== 0) && !this.failed) {
      this.record.errors.push(
        `worker ${member.number} ended by itself with exit code ${code} while ${state}`,
      );
    }
    this.#changed();
  }

  #all(...states: MemberState[]): boolean {
    return this.#members.every((member) => states.includes(member.state));
  }

  #changed(): void {
    for (const wake of this.#waiting) wake();
  }

  #until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        if (!condition()) return;
        this.#waiting.delete(wake);
        resolve();
      };
      this.#waiting.add(wake);
      wake();
    });
  }

  /** Waits for `condition`; workers that do not get there in time are terminated and reported. */
  async #untilOrKill(timeoutMs: number, what: string, condition: () => boolean): Promise<void> {
    const timer = setTimeout(() => {
      for (const member of this.#members) {
        if (member.state === "gone" || (what === "stop" && member.state === "stopped")) continue;
        this.record.errors.push(`worker ${member.number} did not ${what} within ${timeoutMs / 1000} s`);
        member.state = "killed";
        void member.thread.terminate();
      }
    }, timeoutMs);
    await this.#until(condition);
    clearTimeout(timer);
  }
}
