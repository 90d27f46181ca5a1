/**
 * What must be true of owner words and rings, kept beside the words.
 *
 * O1  a living owner's word is changed by nobody but itself (or by whom it offers the thing to), and nothing has two owners
 * O2  what a ring delivers was sent, whole, in its sender's order and never twice
 * O3  what a send answered true for is delivered, what it answered false for is not; a send that dies may go either way,
 *     and a receiver that dies takes along at most what it was receiving
 * O4  a send that finds room succeeds, a receive that finds something returns something
 * O5  a send that begins after a close is refused; nothing is delivered after the end
 * O6  nobody sleeps while there is something to do and nobody about to wake it (the machine's "waits for ever")
 */
import { mix1 } from "./hash.js";
import type { Machine } from "./machine.js";
import type { LogicalWorker } from "./worker.js";

/** Sent by worker (from 0) as its n-th (from 0); the same number in both halves, so that a torn one shows. */
export function handleOf(worker: number, n: number): number {
  const half = 1 + worker * 16 + n;
  return half * 2 ** 32 + half;
}

interface Sent {
  readonly worker: number;
  readonly n: number;
  result: boolean | "begun";
}

export class WordsOracle {
  private readonly machine: Machine;
  /** Thing -> who holds it, as the results of operations say. */
  private readonly holders = new Map<number, number>();
  private readonly sent = new Map<number, Sent>();
  private readonly delivered: number[] = [];
  /** Receives that were going on when their worker died, in handles. */
  private mayMiss = 0;
  private receiving = new Map<number, number>();
  closed = false;

  constructor(machine: Machine) {
    this.machine = machine;
  }

  reset(): void {
    this.holders.clear();
    this.sent.clear();
    this.delivered.length = 0;
    this.mayMiss = 0;
    this.receiving = new Map();
    this.closed = false;
  }

  private note(...what: number[]): void {
    this.machine.noteGhost(what.reduce((hash, value) => mix1(hash, value), 0x3c6ef372));
  }

  private lives(worker: number): boolean {
    return this.machine.workers[worker]?.dead === false;
  }

  // -- owner words ---------------------------------------------------------------------------------------

  took(worker: number, thing: number): void {
    const before = this.holders.get(thing);
    if (before !== undefined && before !== worker && this.lives(before))
      this.machine.fail(`O1: thing ${thing} is worker ${before + 1}'s, and worker ${worker + 1} took it`);
    this.holders.set(thing, worker);
    this.note(1, worker, thing);
  }

  /** From now on it may be somebody else's. */
  letGo(worker: number, thing: number): void {
    if (this.holders.get(thing) !== worker) return;
    this.holders.delete(thing);
    this.note(1, worker, thing);
  }

  holds(worker: number, thing: number): boolean {
    return this.holders.get(thing) === worker;
  }

  heldThings(): readonly (readonly [thing: number, worker: number])[] {
    return [...this.holders];
  }

  // -- rings ---------------------------------------------------------------------------------------------

  beginSend(worker: number, n: number): number {
    const handle = handleOf(worker, n);
    this.sent.set(handle, { worker, n, result: "begun" });
    this.note(2, worker, n);
    return handle;
  }

  endSend(handle: number, result: boolean): void {
    const sent = this.sent.get(handle) as Sent;
    sent.result = result;
    this.note(3, sent.worker, sent.n, result ? 1 : 0);
    if (!result && this.delivered.includes(handle))
      this.machine.fail(`O3: send answered false, yet ${name(sent)} came`);
  }

  /** `count` handles at most are being received. */
  beginReceive(worker: number, count: number): void {
    this.receiving.set(worker, count);
  }

  endReceive(worker: number, handles: readonly number[]): void {
    this.receiving.delete(worker);
    for (const handle of handles) this.deliver(handle);
  }

  private deliver(handle: number): void {
    const sent = this.sent.get(handle);
    if (sent === undefined) {
      this.machine.fail(`O2: 0x${handle.toString(16)} came, which nobody sent`);
      return;
    }
    if (this.delivered.includes(handle)) this.machine.fail(`O2: ${name(sent)} came twice`);
    const later = this.delivered.map((other) => this.sent.get(other) as Sent);
    if (later.some(({ worker, n }) => worker === sent.worker && n > sent.n))
      this.machine.fail(`O2: ${name(sent)} came after a later one of the same sender`);
    if (sent.result === false) this.machine.fail(`O3: ${name(sent)} came, though its send answered false`);
    this.delivered.push(handle);
    this.note(4, handle % 2 ** 32, this.delivered.length);
  }

  died(worker: LogicalWorker): void {
    this.mayMiss += this.receiving.get(worker.index) ?? 0;
    this.receiving.delete(worker.index);
    this.note(5, worker.index, this.mayMiss);
  }

  /** Everything has been received that there is. */
  checkAllDelivered(): string | undefined {
    const missing = [...this.sent].filter(
      ([h, { result }]) => result === true && !this.delivered.includes(h),
    );
    if (missing.length <= this.mayMiss) return undefined;
    return `O3: never came: ${missing.map(([, sent]) => name(sent)).join(", ")}`;
  }
}

function name({ worker, n }: Sent): string {
  return `handle ${n + 1} of worker ${worker + 1}`;
}
