/**
 * The machine that runs several logical workers on one memory, one access at a time.
 *
 * It decides nothing by itself, and asks its driver wherever a real machine could go more than one way: which worker
 * goes on before an access, whether a worker dies there and how much of its store buffer got out, and (memory.ts) which
 * value a read may see.
 *
 * Only words that at least two workers use and at least one writes (contested) are places to switch: other accesses
 * commute with everything. Which words these are is learnt from the runs themselves.
 */
import { applyAtomic, atomicResult, OP_NAMES } from "./atomic-ops.js";
import { type Driver, type Limits, PICK_GO_ON, PICK_KILL, PICK_SWITCH } from "./decisions.js";
import { mix1, mix2 } from "./hash.js";
import { Memory, type Mode } from "./memory.js";
import type { LogicalWorker, Routine } from "./worker.js";

const READ = 0;
const WRITE = 1;
const LOAD = 2;
const RMW = 3;

/** Longer than any run without an endless loop. */
const STEP_LIMIT = 60_000;

export interface Trace {
  line(worker: number, text: string): void;
  word(index: number, value: number): string;
}

export class Machine {
  readonly m: Int32Array;
  readonly mode: Mode;
  readonly memory: Memory;
  readonly workers: readonly LogicalWorker[];
  readonly limits: Limits;
  trace: Trace | undefined;
  onKill: (worker: LogicalWorker) => void = () => {};
  /** Whether a word of this value changes only when somebody is reaped. */
  isHopeless: (value: number) => boolean = () => false;
  /** What is called now is called by one of the workers. */
  running = false;

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
  private fills = 0;
  preemptions = 0;
  kills = 0;
  /** Hash of what the observers know. */
  private ghost1 = 0;
  private ghost2 = 0;
  private readonly options = new Int32Array(256);

  constructor(m: Int32Array, mode: Mode, workers: readonly LogicalWorker[], limits: Limits, driver: Driver) {
    this.m = m;
    this.mode = mode;
    this.memory = new Memory(m, mode, workers, limits, driver);
    this.workers = workers;
    this.limits = limits;
    this.current = workers[0] as LogicalWorker;
    this.users = new Uint8Array(m.length);
    this.writers = new Uint8Array(m.length);
  }

  get driver(): Driver {
    return this.memory.driver;
  }

  set driver(driver: Driver) {
    this.memory.driver = driver;
  }

  reset(): void {
    this.memory.reset();
    for (const worker of this.workers) worker.reset();
    this.next = undefined;
    this.violation = undefined;
    this.cut = false;
    this.learnt = false;
    this.at = 0;
    this.boundaries = 0;
    this.fills = 0;
    this.preemptions = 0;
    this.kills = 0;
    this.ghost1 = 0;
    this.ghost2 = 0;
  }

  /** Lets the workers run to the end, or to a violation, or to where nothing new follows. */
  run(): void {
    this.running = true;
    this.runAll();
    this.running = false;
  }

  private runAll(): void {
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
    this.memory.flush(worker);
  }

  /** A message is received: nothing older than now is seen. */
  acquire(worker: LogicalWorker): void {
    this.memory.acquire(worker);
  }

  /** Everything that waits in buffers of living workers becomes visible. */
  settleAll(): void {
    for (const worker of this.workers) this.memory.flush(worker);
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

  /** Between two operations, where observers look: a place to die, and to give way. True: yield. */
  boundary(): boolean {
    if (this.violation !== undefined || this.cut) return true;
    // A place of its own: the access before it may have shown its worker nothing new.
    this.current.steps++;
    return this.decide(this.current, ++this.at);
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
    const value = this.memory.plainLoad(worker, word);
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
    if (word >= 0 && word < this.m.length) this.memory.store(worker, word, x | 0);
    else this.fail(`store of ${x} at word ${word}, outside the heap's metadata`);
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
    if (op === 0) {
      const value = this.memory.atomicLoad(worker, word);
      if (this.trace !== undefined) this.note(`AL ${this.trace.word(word, value)}`);
      return value;
    }
    const before = this.memory.update(worker, word, op === 1, (held) => atomicResult(op, held, x, y));
    if (this.trace !== undefined) {
      const now = atomicResult(op, before, x, y);
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
      // Not among the words: states before and after it would look the same.
      this.noteGhost(0x0f110000 + ++this.fills);
      return;
    }
    for (let word = from; word < to; word++) {
      if (this.write(array, word, value)) yield;
      this.put();
    }
  }

  /** A bounded look at a word, long enough for whoever lives: until it is not `value`, or nobody else can go on. */
  *changes(word: number, value: number): Generator<unknown, void, unknown> {
    const { current: worker, m } = this;
    const goesOn = (other: LogicalWorker): boolean =>
      other !== worker && !other.done && !other.dead && other.waitsFor === undefined;
    worker.waitsFor = () => m[word] !== value || this.isHopeless(value) || !this.workers.some(goesOn);
    worker.steps++;
    if (!worker.waitsFor()) yield;
    worker.waitsFor = undefined;
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
    if (this.memory.contested[word] === 0) this.learn(worker, word, writes);
    // An atomic write, of whatever word, lets stores out that others may still miss.
    const commutes = this.memory.contested[word] === 0 && !(kind === RMW && this.memory.holdsBack(worker));
    if (commutes && !mayDie && !this.driver.knows(key)) return false;
    return this.decide(worker, key);
  }

  private learn(worker: LogicalWorker, word: number, writes: boolean): void {
    const users = (this.users[word] as number) | worker.bit;
    const writers = writes ? (this.writers[word] as number) | worker.bit : (this.writers[word] as number);
    this.users[word] = users;
    this.writers[word] = writers;
    if (writers !== 0 && (users & (users - 1)) !== 0) {
      this.memory.contested[word] = 1;
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
    if (count === 1 && !this.driver.knows(key)) return false;
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
    const out = pick - PICK_KILL;
    if (this.trace !== undefined) {
      this.note(`** killed; ${out} of ${worker.bufferWords.length} stores got out`);
    }
    this.memory.kill(worker, out);
    worker.h1 = -1;
    worker.h2 = -1;
    worker.steps = -1;
    this.onKill(worker);
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
    const place = (this.kills << 8) | (this.memory.delays << 16) | this.current.index;
    let h1 = mix1(this.memory.z1 ^ this.ghost1, place);
    let h2 = mix2(this.memory.z2 ^ this.ghost2, place);
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
      h1 = mix1(h1, this.memory.order1);
      h2 = mix2(h2, this.memory.order1);
    }
    this.hash[0] = h1;
    this.hash[1] = h2;
    return this.hash;
  }
  private readonly hash: [number, number] = [0, 0];

  /** Hash of the words and of what the observers know, for runs that have ended. */
  get restHash(): readonly [number, number] {
    return [this.memory.z1 ^ this.ghost1, this.memory.z2 ^ this.ghost2];
  }
}

function isRoutine(value: unknown): value is Routine {
  return typeof value === "object" && value !== null && typeof (value as Routine).next === "function";
}
