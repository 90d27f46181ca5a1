/**
 * The machine that runs several logical workers on one memory, one access at a time.
 *
 * It holds the memory model, decides nothing by itself, and asks its driver wherever a real machine could go more
 * than one way: which worker goes on before an access, whether a worker dies there and how much of its store buffer
 * got out, and which value a read may see.
 *
 *   sc     every access at once visible to all
 *   tso    plain stores wait in a buffer of their worker, in order; an atomic write empties it, an atomic load does not
 *   weak   plain stores leave the buffer in any order (each word's own stays); a plain load may see an older value: any
 *          one since this worker's last atomic load, or since the load half of its last atomic read-modify-write
 *
 * Delays are found on demand: a store leaves its buffer when somebody asks for the word, then or later, so that no
 * schedule is spent on delays nobody can see.
 *
 * Only words that at least two workers use and at least one writes (contested) are places to switch: other accesses
 * commute with everything. Which words these are is learnt from the runs themselves.
 */
import { mix1, mix2 } from "./hash.js";

export type Mode = "sc" | "tso" | "weak";

/** What a driver is asked to decide. */
export const PICK_GO_ON = 0;
/** + worker: switch to it. */
export const PICK_SWITCH = 1;
/** + how many entries of its store buffer got out: this worker dies. */
export const PICK_KILL = 100;
/** + how many stores stay behind, or how many values back. */
export const PICK_DELAY = 20_000;

export interface Driver {
  /** Index of one of the first `count` options. `key` names the place in the run. */
  pick(count: number, options: Int32Array, key: number): number;
  /** Whether what follows from this state has to be looked at; only asked where the run is new. */
  isNew(machine: Machine): boolean;
  /** Only a replay: whether there is a decision at this place. */
  knows(key: number): boolean;
}

const READ = 0;
const WRITE = 1;
const LOAD = 2;
const RMW = 3;

/** Longer than any run without an endless loop. */
const STEP_LIMIT = 60_000;

export type Routine = Generator<unknown, unknown, unknown>;

export class LogicalWorker {
  readonly index: number;
  readonly bit: number;
  readonly killable: boolean;
  routine: Routine | undefined;
  done = false;
  dead = false;
  /** While it waits for something: whether that has come. */
  waitsFor: (() => boolean) | undefined;
  /** Store buffer: words and values, oldest first. */
  readonly bufferWords: number[] = [];
  readonly bufferValues: number[] = [];
  /** Weak mode: how many of them, the oldest, were made before one that is out already. */
  overtaken = 0;
  /** What it has seen: with the same program and the same values seen, it is in the same state. */
  h1 = 0;
  h2 = 0;
  steps = 0;
  /** The announced access. */
  array: Int32Array | Uint8Array | undefined;
  word = 0;
  x = 0;
  y = 0;
  op = 0;
  key = 0;
  /** Weak mode: no plain load sees anything older than this. */
  acquired = 0;
  readonly coherent = new Map<number, number>();

  constructor(index: number, killable: boolean) {
    this.index = index;
    this.bit = 1 << index;
    this.killable = killable;
  }

  reset(): void {
    this.routine = undefined;
    this.done = false;
    this.dead = false;
    this.waitsFor = undefined;
    this.bufferWords.length = 0;
    this.bufferValues.length = 0;
    this.overtaken = 0;
    this.h1 = this.index + 1;
    this.h2 = this.index + 1;
    this.steps = 0;
    this.acquired = 0;
    this.coherent.clear();
  }

  /** Something it now knows. */
  see(value: number): void {
    this.h1 = mix1(this.h1, value);
    this.h2 = mix2(this.h2, value);
  }
}

export interface Limits {
  readonly preemptions: number;
  readonly kills: number;
  readonly delays: number;
}

/** Told of every change of a word as it becomes visible. */
export type OnChange = (word: number, before: number, now: number, worker: LogicalWorker) => void;

export interface Trace {
  line(worker: number, text: string): void;
  word(index: number, value: number): string;
}

export class Machine {
  readonly m: Int32Array;
  readonly mode: Mode;
  readonly workers: readonly LogicalWorker[];
  readonly limits: Limits;
  driver: Driver;
  onChange: OnChange = () => {};
  trace: Trace | undefined;

  /** Words to switch at, and who used them. */
  readonly contested: Uint8Array;
  private readonly users: Uint8Array;
  private readonly writers: Uint8Array;
  /** A word was found to be contested in this run: places to switch have been missed so far. */
  learnt = false;

  current: LogicalWorker;
  next: LogicalWorker | undefined;
  /** Why the run is over before its end. */
  violation: string | undefined;
  cut = false;
  at = 0;
  private boundaries = 0;
  preemptions = 0;
  kills = 0;
  delays = 0;
  /** Hash of all words, and of what the observers know. */
  private z1 = 0;
  private z2 = 0;
  ghost1 = 0;
  ghost2 = 0;
  private clock = 0;
  /** Weak mode: per contested word, when it changed and what it was before. */
  private readonly past = new Map<number, number[]>();
  private order1 = 0;
  private readonly waiting: Uint8Array;
  private readonly options = new Int32Array(256);

  constructor(m: Int32Array, mode: Mode, workers: readonly LogicalWorker[], limits: Limits, driver: Driver) {
    this.m = m;
    this.mode = mode;
    this.workers = workers;
    this.limits = limits;
    this.driver = driver;
    this.current = workers[0] as LogicalWorker;
    this.contested = new Uint8Array(m.length);
    this.users = new Uint8Array(m.length);
    this.writers = new Uint8Array(m.length);
    this.waiting = new Uint8Array(m.length);
  }

  reset(): void {
    for (const worker of this.workers) {
      for (const word of worker.bufferWords) this.waiting[word] = 0;
      worker.reset();
    }
    this.next = undefined;
    this.violation = undefined;
    this.cut = false;
    this.learnt = false;
    this.at = 0;
    this.boundaries = 0;
    this.preemptions = 0;
    this.kills = 0;
    this.delays = 0;
    this.z1 = 0;
    this.z2 = 0;
    this.ghost1 = 0;
    this.ghost2 = 0;
    this.clock = 0;
    this.order1 = 0;
    this.past.clear();
  }

  /** Lets the workers run to the end, or to a violation, or to where nothing new follows. */
  run(): void {
    let worker = this.pickNext();
    while (worker !== undefined) {
      this.current = worker;
      this.next = undefined;
      const { done } = (worker.routine as Routine).next();
      if (this.violation !== undefined || this.cut) return;
      if (done === true) {
        worker.done = true;
        worker = this.pickNext();
      } else {
        worker = this.next ?? this.pickNext();
      }
    }
    if (this.violation !== undefined || this.cut) return;
    const stuck = this.workers.find((w) => !w.done && !w.dead);
    if (stuck !== undefined) this.fail(`worker ${stuck.index + 1} waits for ever`);
  }

  fail(message: string): void {
    this.violation ??= message;
  }

  /** A message is sent: everything this worker has stored is visible to whoever gets it. */
  publish(worker: LogicalWorker): void {
    this.flush(worker);
  }

  /** A message is received: nothing older than now is seen. */
  acquire(worker: LogicalWorker): void {
    worker.acquired = this.clock;
  }

  /** Everything that waits in buffers of living workers becomes visible. */
  settleAll(): void {
    for (const worker of this.workers) this.flush(worker);
  }

  private isReady(worker: LogicalWorker): boolean {
    if (worker.done || worker.dead) return false;
    return worker.waitsFor === undefined || worker.waitsFor();
  }

  /** Who goes on when nobody is interrupted. */
  private pickNext(): LogicalWorker | undefined {
    const { options } = this;
    let count = 0;
    for (const worker of this.workers) {
      if (this.isReady(worker)) options[count++] = PICK_SWITCH + worker.index;
    }
    if (count === 0) return undefined;
    const index = count === 1 ? 0 : this.driver.pick(count, options, -++this.boundaries);
    return this.workers[(options[index] as number) - PICK_SWITCH];
  }

  /** Between two operations: a place to die, and to give way while waiting. True: yield. */
  boundary(): boolean {
    const { current: worker } = this;
    if (this.violation !== undefined || this.cut) return true;
    if (worker.killable && this.kills < this.limits.kills) return this.decide(worker, ++this.at);
    return false;
  }

  /** A new view of the buffer the workers share is the one array there is. */
  words(array: Int32Array): Int32Array {
    const same = array.buffer === this.m.buffer && array.byteOffset === 0 && array.length === this.m.length;
    return same ? this.m : array;
  }

  // -- what transformed sources call ---------------------------------------------------------------------

  read(array: Int32Array | Uint8Array, word: number): boolean {
    const { current: worker } = this;
    worker.array = array;
    worker.word = word;
    return array === this.m && this.pause(worker, word, READ);
  }

  get(): number {
    const { current: worker } = this;
    const { array, word } = worker;
    if (array !== this.m) return array?.[word] as number;
    const value = this.plainLoad(worker, word);
    if (this.trace !== undefined) this.note(`PL ${this.trace.word(word, value)}`);
    return value;
  }

  write(array: Int32Array | Uint8Array, word: number, value: number): boolean {
    const { current: worker } = this;
    worker.array = array;
    worker.word = word;
    worker.x = value;
    return array === this.m && this.pause(worker, word, WRITE);
  }

  put(): number {
    const { current: worker } = this;
    const { array, word, x } = worker;
    if (array !== this.m) {
      if (array !== undefined) array[word] = x;
      return x;
    }
    if (this.trace !== undefined) this.note(`PS ${this.trace.word(word, x)}`);
    if (!(word >= 0 && word < this.m.length)) {
      this.fail(`store of ${x} at word ${word}, outside the heap's metadata`);
    } else if (this.mode === "sc") {
      this.commit(worker, word, x | 0);
    } else {
      worker.bufferWords.push(word);
      worker.bufferValues.push(x | 0);
      this.waiting[word] = (this.waiting[word] as number) + 1;
    }
    return x;
  }

  atomic(op: number, array: Int32Array, word: number, x: number, y: number): boolean {
    const { current: worker } = this;
    worker.array = array;
    worker.word = word;
    worker.op = op;
    worker.x = x;
    worker.y = y;
    return array === this.m && this.pause(worker, word, op === 0 ? LOAD : RMW);
  }

  rmw(): number {
    const { current: worker } = this;
    const { word, op, x, y, array } = worker;
    if (array !== this.m) return applyAtomic(array as Int32Array, op, word, x, y);
    if (op === 0) return this.atomicLoad(worker, word);
    this.flush(worker);
    if (this.waiting[word] !== 0) this.letOut(worker, word);
    const before = this.m[word] as number;
    const changedAt = this.mode === "weak" ? this.lastChange(word) : 0;
    const now = atomicResult(op, before, x, y);
    if (now === undefined) {
      // A compare-exchange that failed is a load.
      worker.acquired = this.clock;
    } else {
      // Its load half may have come as early as the word had this value, but not before an earlier acquire.
      if (op !== 1) worker.acquired = Math.max(worker.acquired, changedAt);
      this.commit(worker, word, now | 0);
    }
    if (op !== 1 && this.contested[word] !== 0) worker.see(before);
    if (this.trace !== undefined) {
      const effect = now === undefined ? "lost" : this.trace.word(word, now | 0);
      this.note(`${OP_NAMES[op]} ${this.trace.word(word, before)} -> ${effect}`);
    }
    return op === 1 ? x : before;
  }

  *fill(
    array: Int32Array | Uint8Array,
    value: number,
    from = 0,
    to = array.length,
  ): Generator<unknown, void, unknown> {
    if (array !== this.m) {
      // Payload: seen by nobody else meanwhile, but its worker may die before.
      if (this.boundary()) yield;
      array.fill(value, from, to);
      return;
    }
    for (let word = from; word < to; word++) {
      if (this.write(array, word, value)) yield;
      this.put();
    }
  }

  /** A callback may stop or not. */
  *call(result: unknown): Routine {
    return isRoutine(result) ? yield* result : result;
  }

  *from(items: ArrayLike<unknown>, callback: (item: unknown, index: number) => unknown): Routine {
    const results: unknown[] = [];
    for (let i = 0; i < items.length; i++) results.push(yield* this.call(callback(items[i], i)));
    return results;
  }

  *filter(items: readonly unknown[], callback: (item: unknown, index: number) => unknown): Routine {
    const kept: unknown[] = [];
    for (let i = 0; i < items.length; i++) {
      if (yield* this.call(callback(items[i], i))) kept.push(items[i]);
    }
    return kept;
  }

  *find(items: readonly unknown[], callback: (item: unknown, index: number) => unknown): Routine {
    for (let i = 0; i < items.length; i++) if (yield* this.call(callback(items[i], i))) return items[i];
    return undefined;
  }

  *some(items: readonly unknown[], callback: (item: unknown, index: number) => unknown): Routine {
    for (let i = 0; i < items.length; i++) if (yield* this.call(callback(items[i], i))) return true;
    return false;
  }

  // -- places to decide ----------------------------------------------------------------------------------

  private pause(worker: LogicalWorker, word: number, kind: number): boolean {
    const key = ++this.at;
    worker.key = key;
    worker.steps++;
    if (this.violation !== undefined || this.cut) return true;
    if (key > STEP_LIMIT) {
      this.fail(`no end after ${STEP_LIMIT} accesses: worker ${worker.index + 1} goes round in a circle`);
      return true;
    }
    const writes = kind === WRITE || kind === RMW;
    const mayDie = writes && worker.killable && this.kills < this.limits.kills;
    if (this.contested[word] === 0) this.learn(worker, word, writes);
    if (this.contested[word] === 0 && !mayDie && !this.driver.knows(key)) return false;
    return this.decide(worker, key);
  }

  private learn(worker: LogicalWorker, word: number, writes: boolean): void {
    const users = (this.users[word] as number) | worker.bit;
    const writers = writes ? (this.writers[word] as number) | worker.bit : (this.writers[word] as number);
    this.users[word] = users;
    this.writers[word] = writers;
    if (writers !== 0 && (users & (users - 1)) !== 0) {
      this.contested[word] = 1;
      this.learnt = true;
    }
  }

  /** True: yield, because another worker is next, or this one is dead, or nothing new follows. */
  private decide(worker: LogicalWorker, key: number): boolean {
    if (!this.driver.isNew(this)) {
      this.cut = true;
      return true;
    }
    const { options } = this;
    let count = 0;
    options[count++] = PICK_GO_ON;
    if (this.preemptions < this.limits.preemptions) {
      for (const other of this.workers) {
        if (other !== worker && this.isReady(other)) options[count++] = PICK_SWITCH + other.index;
      }
    }
    if (worker.killable && this.kills < this.limits.kills) {
      const waiting = worker.bufferWords.length;
      // What others have seen it did; older stores get out then, whatever else is lost.
      for (let out = waiting; out >= worker.overtaken; out--) options[count++] = PICK_KILL + out;
    }
    if (count === 1) return false;
    const pick = options[this.driver.pick(count, options, key)] as number;
    if (pick === PICK_GO_ON) return false;
    if (pick < PICK_KILL) {
      this.preemptions++;
      this.next = this.workers[pick - PICK_SWITCH];
      return true;
    }
    this.kill(worker, pick);
    this.next = this.pickNext();
    return true;
  }

  private kill(worker: LogicalWorker, pick: number): void {
    this.kills++;
    const { bufferWords, bufferValues } = worker;
    const out = pick - PICK_KILL;
    if (this.trace !== undefined) this.note(`** killed; ${out} of ${bufferWords.length} stores got out`);
    worker.dead = true;
    for (let i = 0; i < bufferWords.length; i++) {
      const word = bufferWords[i] as number;
      const value = bufferValues[i] as number;
      if (i < out) this.commit(worker, word, value);
      else this.onDropped(worker, word, value);
    }
    for (const word of bufferWords) this.waiting[word] = (this.waiting[word] as number) - 1;
    bufferWords.length = 0;
    bufferValues.length = 0;
    worker.overtaken = 0;
    worker.h1 = -1;
    worker.h2 = -1;
    worker.steps = -1;
    this.onKill(worker);
  }

  onKill: (worker: LogicalWorker) => void = () => {};
  /** A store that died with its worker. */
  onDropped: (worker: LogicalWorker, word: number, value: number) => void = () => {};

  // -- memory --------------------------------------------------------------------------------------------

  private plainLoad(worker: LogicalWorker, word: number): number {
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

  private atomicLoad(worker: LogicalWorker, word: number): number {
    let value = this.m[word] as number;
    if (this.waiting[word] !== 0) {
      const own = worker.bufferWords.lastIndexOf(word);
      if (own >= 0) return worker.bufferValues[own] as number;
      this.letOut(worker, word);
      value = this.m[word] as number;
    }
    worker.acquired = this.clock;
    if (this.contested[word] !== 0) worker.see(value);
    if (this.trace !== undefined) this.note(`AL ${this.trace.word(word, value)}`);
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

  private flush(worker: LogicalWorker): void {
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

  private note(text: string): void {
    this.trace?.line(this.current.index, text);
  }

  // -- state ---------------------------------------------------------------------------------------------

  /** What an observer knows besides the words, as a set: entering the same value twice takes it out again. */
  noteGhost(value: number): void {
    this.ghost1 ^= mix1(0x51ed270b, value);
    this.ghost2 ^= mix2(0x2545f491, value);
  }

  /** Hash of everything that decides how this run may go on, but for the budget of preemptions. */
  stateHash(): readonly [number, number] {
    const place = (this.kills << 8) | (this.delays << 16) | this.current.index;
    let h1 = mix1(this.z1 ^ this.ghost1, place);
    let h2 = mix2(this.z2 ^ this.ghost2, place);
    for (const worker of this.workers) {
      h1 = mix1(mix1(h1, worker.h1), worker.steps);
      h2 = mix2(mix2(h2, worker.h2), worker.steps);
      const { bufferWords, bufferValues } = worker;
      for (let i = 0; i < bufferWords.length; i++) {
        h1 = mix1(mix1(h1, bufferWords[i] as number), bufferValues[i] as number);
        h2 = mix2(mix2(h2, bufferWords[i] as number), bufferValues[i] as number);
      }
      if (this.mode !== "weak") continue;
      h1 = mix1(mix1(h1, worker.acquired), worker.overtaken);
      h2 = mix2(mix2(h2, worker.acquired), worker.overtaken);
      for (const [word, time] of worker.coherent) {
        h1 = mix1(mix1(h1, word), time);
        h2 = mix2(mix2(h2, word), time);
      }
    }
    if (this.mode === "weak") {
      h1 = mix1(h1, this.order1);
      h2 = mix2(h2, this.order1);
    }
    this.hash[0] = h1;
    this.hash[1] = h2;
    return this.hash;
  }
  private readonly hash: [number, number] = [0, 0];

  /** Hash of the words and of what the observers know, for runs that have ended. */
  get restHash(): readonly [number, number] {
    return [this.z1 ^ this.ghost1, this.z2 ^ this.ghost2];
  }
}

const OP_NAMES = ["AL", "AS", "CAS", "OR", "AND", "ADD", "XCHG"];

/** The word after the operation; undefined when it stays. */
function atomicResult(op: number, before: number, x: number, y: number): number | undefined {
  switch (op) {
    case 1:
    case 6:
      return x;
    case 2:
      return before === (x | 0) ? y : undefined;
    case 3:
      return before | x;
    case 4:
      return before & x;
    default:
      return before + x;
  }
}

function applyAtomic(array: Int32Array, op: number, word: number, x: number, y: number): number {
  const before = Atomics.load(array, word);
  const now = op === 0 ? undefined : atomicResult(op, before, x, y);
  if (now !== undefined) Atomics.store(array, word, now);
  return op === 1 ? x : before;
}

function isRoutine(value: unknown): value is Routine {
  return typeof value === "object" && value !== null && typeof (value as Routine).next === "function";
}
