/** One logical worker: its script, its store buffer, and what it has seen. */
import { mix1, mix2 } from "./hash.js";

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
