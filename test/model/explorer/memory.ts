/**
 * The memory model: which store is visible to whom, and when.
 *
 *   sc     every access at once visible to all
 *   tso    plain stores wait in a buffer of their worker, in order; an atomic write empties it, an atomic load does not
 *   weak   plain stores leave the buffer in any order (each word's own stays); a plain load may see an older value: any
 *          one since this worker's last atomic load, or since the load half of its last atomic read-modify-write
 *
 * Delays are found on demand: a store leaves its buffer when somebody asks for the word, then or later, so that no
 * schedule is spent on delays nobody can see.
 */
import { type Driver, type Limits, PICK_DELAY } from "./decisions.js";
import { mix1, mix2 } from "./hash.js";
import type { LogicalWorker } from "./worker.js";

export type Mode = "sc" | "tso" | "weak";

/** Told of every change of a word as it becomes visible. */
export type OnChange = (word: number, before: number, now: number, worker: LogicalWorker) => void;

export class Memory {
  readonly m: Int32Array;
  readonly mode: Mode;
  driver: Driver;
  onChange: OnChange = () => {};
  /** A store that died with its worker. */
  onDropped: (worker: LogicalWorker, word: number, value: number) => void = () => {};
  /** Words that several workers use and at least one writes: what the others know depends on their values. */
  readonly contested: Uint8Array;
  delays = 0;
  /** Hash of all words. */
  z1 = 0;
  z2 = 0;
  /** Weak mode: hash of the order in which contested words changed. */
  order1 = 0;
  private readonly workers: readonly LogicalWorker[];
  private readonly limits: Limits;
  /** How many stores of each word wait in buffers. */
  private readonly waiting: Uint8Array;
  private readonly options = new Int32Array(64);
  private clock = 0;
  /** Weak mode: per contested word, when it changed and what it was before. */
  private readonly past = new Map<number, number[]>();

  constructor(m: Int32Array, mode: Mode, workers: readonly LogicalWorker[], limits: Limits, driver: Driver) {
    this.m = m;
    this.mode = mode;
    this.workers = workers;
    this.limits = limits;
    this.driver = driver;
    this.contested = new Uint8Array(m.length);
    this.waiting = new Uint8Array(m.length);
  }

  /** Buffers are empty again; the words themselves are put back by whoever owns them. */
  reset(): void {
    for (const worker of this.workers) for (const word of worker.bufferWords) this.waiting[word] = 0;
    this.delays = 0;
    this.z1 = 0;
    this.z2 = 0;
    this.order1 = 0;
    this.clock = 0;
    this.past.clear();
  }

  /** A plain store. */
  store(worker: LogicalWorker, word: number, value: number): void {
    if (this.mode === "sc") {
      this.commit(worker, word, value);
    } else {
      worker.bufferWords.push(word);
      worker.bufferValues.push(value);
      this.waiting[word] = (this.waiting[word] as number) + 1;
    }
  }

  /** An atomic read-modify-write, or store; `result` says what the word becomes, undefined: it stays. */
  update(
    worker: LogicalWorker,
    word: number,
    isStore: boolean,
    result: (before: number) => number | undefined,
  ): number {
    this.flush(worker);
    if (this.waiting[word] !== 0) this.letOut(worker, word);
    const before = this.m[word] as number;
    const changedAt = this.mode === "weak" ? this.lastChange(word) : 0;
    const now = result(before);
    if (now === undefined) {
      // A compare-exchange that failed is a load.
      worker.acquired = this.clock;
    } else {
      // Its load half may have come as early as the word had this value, but not before an earlier acquire.
      if (!isStore) worker.acquired = Math.max(worker.acquired, changedAt);
      this.commit(worker, word, now | 0);
    }
    if (!isStore && this.contested[word] !== 0) worker.see(before);
    return before;
  }

  /** The worker dies: the first `out` entries of its buffer get out, the others never. */
  kill(worker: LogicalWorker, out: number): void {
    worker.dead = true;
    for (let i = 0; i < worker.bufferWords.length; i++) {
      const word = worker.bufferWords[i] as number;
      const value = worker.bufferValues[i] as number;
      if (i < out) this.commit(worker, word, value);
      else this.onDropped(worker, word, value);
    }
    for (const word of worker.bufferWords) this.waiting[word] = (this.waiting[word] as number) - 1;
    worker.bufferWords.length = 0;
    worker.bufferValues.length = 0;
    worker.overtaken = 0;
  }

  /** Nothing older than now is seen by this worker. */
  acquire(worker: LogicalWorker): void {
    worker.acquired = this.clock;
  }

  plainLoad(worker: LogicalWorker, word: number): number {
    if (this.mode !== "sc") {
      if (this.waiting[word] !== 0) {
        const own = worker.bufferWords.lastIndexOf(word);
        if (own >= 0) return worker.bufferValues[own] as number;
        this.letOut(worker, word);
      }
      if (this.mode === "weak" && this.contested[word] !== 0) {
        const value = this.maybeOld(worker, word);
        worker.see(value);
        return value;
      }
    }
    const value = this.m[word] as number;
    if (this.contested[word] !== 0) worker.see(value);
    return value;
  }

  atomicLoad(worker: LogicalWorker, word: number): number {
    let value = this.m[word] as number;
    if (this.waiting[word] !== 0) {
      const own = worker.bufferWords.lastIndexOf(word);
      if (own >= 0) return worker.bufferValues[own] as number;
      this.letOut(worker, word);
      value = this.m[word] as number;
    }
    worker.acquired = this.clock;
    if (this.contested[word] !== 0) worker.see(value);
    return value;
  }

  /** Somebody asks for a word that waits in others' buffers: some or all of those stores become visible first. */
  private letOut(asker: LogicalWorker, word: number): void {
    for (const worker of this.workers) {
      if (worker === asker || worker.bufferWords.length === 0) continue;
      let pending = 0;
      for (const waiting of worker.bufferWords) if (waiting === word) pending++;
      if (pending === 0) continue;
      let stay = 0;
      if (this.delays < this.limits.delays) {
        for (let i = 0; i <= pending; i++) this.options[i] = PICK_DELAY + i;
        stay = this.driver.pick(pending + 1, this.options, asker.key + 0.25 + worker.index / 64);
      }
      if (stay > 0) this.delays++;
      this.letOutFirst(worker, word, pending - stay);
    }
  }

  /** The first `count` stores of `worker` to the word; in order also everything before them. */
  private letOutFirst(worker: LogicalWorker, word: number, count: number): void {
    const { bufferWords, bufferValues } = worker;
    let left = count;
    let kept = 0;
    // Entries below this place were made before one that is out.
    let limit = worker.overtaken;
    let below = 0;
    const length = bufferWords.length;
    for (let i = 0; i < length; i++) {
      const at = bufferWords[i] as number;
      const goes = left > 0 && (this.mode === "tso" || at === word);
      if (goes) {
        if (at === word) left--;
        if (this.mode === "weak" && i >= limit) {
          limit = i + 1;
          below = kept;
        }
        this.waiting[at] = (this.waiting[at] as number) - 1;
        this.commit(worker, at, bufferValues[i] as number);
      } else {
        bufferWords[kept] = at;
        bufferValues[kept] = bufferValues[i] as number;
        kept++;
        if (i < limit) below++;
      }
    }
    bufferWords.length = kept;
    bufferValues.length = kept;
    worker.overtaken = below;
  }

  /** Whether the worker's buffer has stores that others look for. */
  holdsBack({ bufferWords }: LogicalWorker): boolean {
    for (const word of bufferWords) if (this.contested[word] !== 0) return true;
    return false;
  }

  /** Everything in the worker's buffer becomes visible. */
  flush(worker: LogicalWorker): void {
    const { bufferWords, bufferValues } = worker;
    for (let i = 0; i < bufferWords.length; i++) {
      const word = bufferWords[i] as number;
      this.waiting[word] = (this.waiting[word] as number) - 1;
      this.commit(worker, word, bufferValues[i] as number);
    }
    bufferWords.length = 0;
    bufferValues.length = 0;
    worker.overtaken = 0;
  }

  private commit(worker: LogicalWorker, word: number, value: number): void {
    const before = this.m[word] as number;
    if (before === value) {
      if (this.mode === "weak") worker.coherent.set(word, this.clock);
      return;
    }
    this.m[word] = value;
    this.z1 ^= mix1(word, before) ^ mix1(word, value);
    this.z2 ^= mix2(word, before) ^ mix2(word, value);
    if (this.mode === "weak" && this.contested[word] !== 0) {
      this.clock++;
      const past = this.past.get(word) ?? [];
      past.push(this.clock, before);
      this.past.set(word, past);
      worker.coherent.set(word, this.clock);
      this.order1 = mix1(mix1(this.order1, word), before);
    }
    this.onChange(word, before, value, worker);
  }

  private lastChange(word: number): number {
    const past = this.past.get(word);
    return past === undefined ? 0 : (past[past.length - 2] as number);
  }

  /** Weak mode: the word's value, or one it had since this worker last acquired, or last saw the word. */
  private maybeOld(worker: LogicalWorker, word: number): number {
    const past = this.past.get(word);
    const value = this.m[word] as number;
    if (past === undefined) return value;
    const oldest = Math.max(worker.acquired, worker.coherent.get(word) ?? 0);
    let count = 1;
    for (let i = past.length - 2; i >= 0 && (past[i] as number) > oldest; i -= 2) count++;
    let back = 0;
    if (count > 1 && this.delays < this.limits.delays) {
      for (let i = 0; i < count; i++) this.options[i] = PICK_DELAY + i;
      back = this.driver.pick(count, this.options, worker.key + 0.5);
    }
    // Never older than this again: when the value that is seen came.
    const cameAt = past[past.length - 2 - 2 * back] ?? 0;
    worker.coherent.set(word, cameAt);
    if (back === 0) return value;
    this.delays++;
    return past[past.length - 2 * back + 1] as number;
  }
}
