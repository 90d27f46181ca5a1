/**
 * Running copies of the sources: the plain one, and a stoppable one per worker, because every thread loads its own.
 *
 * They are made once per compilation and serve one world after the other: loading them anew for each would have them
 * compiled and optimised anew. The switchboard leads to the machine of the world whose turn it is.
 */

import type { readCounter } from "../../../src/allocator/counters/record.js";
import type { specialise } from "../../../src/allocator/heap/fast-path.js";
import type { SlabHeap } from "../../../src/allocator/heap/heap.js";
import type { heapCounters } from "../../../src/allocator/heap/info.js";
import type { startSampling } from "../../../src/allocator/heap/sampling.js";
import type { Attachment } from "../../../src/allocator/memory/attachment.js";
import type { reapSeat } from "../../../src/allocator/seats/reap.js";
import type { leaveSeat, takeSeat } from "../../../src/allocator/seats/seat.js";
import type { sync } from "../../../src/allocator/seats/sync.js";
import type { HeapOptions } from "../../../src/allocator/types.js";
import type { readLabel } from "../../../src/allocator/words/label.js";
import type { EpochKeeper } from "../../../src/async/keeper.js";
import type { Permits } from "../../../src/pool/permits.js";
import type { closeRing } from "../../../src/ring/layout.js";
import type { Receiver } from "../../../src/ring/receiver.js";
import type { Sender } from "../../../src/ring/sender.js";
import type { OwnerWords } from "../../../src/threads/owners.js";
import type { Machine } from "./machine.js";
import type { Compiled } from "./source.js";
import type { Routine } from "./worker.js";

/** What a bundle exports. In the stoppable one nearly all of these are generators. */
export interface Allocator {
  readonly SlabHeap: {
    new (a: Attachment): SlabHeap;
    create(options: HeapOptions): SlabHeap;
    prototype: object;
  };
  readonly specialise: typeof specialise;
  readonly takeSeat: typeof takeSeat;
  readonly leaveSeat: typeof leaveSeat;
  readonly reapSeat: typeof reapSeat;
  readonly sync: typeof sync;
  readonly heapCounters: typeof heapCounters;
  readonly startSampling: typeof startSampling;
  readonly readCounter: typeof readCounter;
  readonly readLabel: typeof readLabel;
  readonly ringOf: (era: number) => number;
  readonly OwnerWords: typeof OwnerWords;
  readonly EpochKeeper: typeof EpochKeeper;
  readonly Permits: {
    /** Private in the sources, where a limit is made by `create` and found by `open`. */
    new (heap: object, m: Int32Array, buffer: ArrayBufferLike): Permits;
    create(heap: object, limit: number): Permits;
  };
  readonly Sender: typeof Sender;
  readonly Receiver: typeof Receiver;
  readonly closeRing: typeof closeRing;
}

type Array32 = Int32Array | Uint8Array;
type Callback = (item: unknown, index: number) => unknown;

/** What transformed sources call: all of it is the machine's. */
class Switchboard {
  machine: Machine | undefined;

  private get to(): Machine {
    return this.machine as Machine;
  }
  words(array: Int32Array): Int32Array {
    return this.to.words(array);
  }
  read(array: Array32, word: number): boolean {
    return this.to.read(array, word);
  }
  get(): number {
    return this.to.get();
  }
  write(array: Array32, word: number, value: number): boolean {
    return this.to.write(array, word, value);
  }
  put(): number {
    return this.to.put();
  }
  atomic(op: number, array: Int32Array, word: number, x: number, y: number): boolean {
    return this.to.atomic(op, array, word, x, y);
  }
  rmw(): number {
    return this.to.rmw();
  }
  fill(array: Array32, value: number, from?: number, to?: number): Routine {
    return this.to.fill(array, value, from, to);
  }
  changes(_: Int32Array, word: number, value: number): Routine {
    return this.to.changes(word, value);
  }
  call(result: unknown): Routine {
    return this.to.call(result);
  }
  from(items: ArrayLike<unknown>, callback: Callback): Routine {
    return this.to.from(items, callback);
  }
  map(items: readonly unknown[], callback: Callback): Routine {
    return this.to.from(items, callback);
  }
  forEach(items: readonly unknown[], callback: Callback): Routine {
    return this.to.from(items, callback);
  }
  filter(items: readonly unknown[], callback: Callback): Routine {
    return this.to.filter(items, callback);
  }
  find(items: readonly unknown[], callback: Callback): Routine {
    return this.to.find(items, callback);
  }
  some(items: readonly unknown[], callback: Callback): Routine {
    return this.to.some(items, callback);
  }

  // Runs must repeat: no clock, no chance, no timers.
  now(): number {
    return 1_700_000_000_000;
  }
  random(): number {
    return 0.5;
  }
  timer(): number {
    return 0;
  }
}

export class Instances {
  readonly plain: Allocator;
  private readonly switchboard = new Switchboard();
  private readonly stepping: Allocator[] = [];
  private readonly load: (switchboard: Switchboard) => Allocator;

  constructor(code: Compiled) {
    this.plain = new Function("G", code.plain)(this.switchboard) as Allocator;
    this.load = new Function("G", code.stepping) as (switchboard: Switchboard) => Allocator;
  }

  /** From now on it is this machine's turn. */
  use(machine: Machine): void {
    this.switchboard.machine = machine;
  }

  /** The copy of the worker with this number. */
  of(worker: number): Allocator {
    const copy = this.stepping[worker] ?? this.load(this.switchboard);
    this.stepping[worker] = copy;
    return copy;
  }
}

const instances = new WeakMap<Compiled, Instances>();

export function instancesOf(code: Compiled): Instances {
  const made = instances.get(code) ?? new Instances(code);
  instances.set(code, made);
  return made;
}
