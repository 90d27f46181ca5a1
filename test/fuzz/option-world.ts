/** A busy heap for calls with hostile arguments, and what no refused call may change of it. */
import type { EpochDomain } from "../../src/allocator/heap/domain.js";
import { SlabHeap } from "../../src/allocator/heap/heap.js";
import type { EpochRef } from "../../src/allocator/types.js";
import { type HeapSnapshot, StatsReader } from "../../src/stats.js";
import { LiveObjects } from "./live-objects.js";
import { Violation } from "./outcome.js";

const SLAB = 4096;

export class OptionWorld {
  readonly heap: SlabHeap;
  readonly other: SlabHeap;
  readonly outer: EpochDomain;
  readonly live = new LiveObjects();
  readonly reader: StatsReader;
  readonly document: HeapSnapshot;
  /** An epoch that holds nothing. */
  readonly empty: EpochRef;
  private readonly seatsInUse: number;

  constructor() {
    this.heap = SlabHeap.create({
      capacity: 16 * SLAB,
      slabSize: SLAB,
      maxWorkers: 6,
      sizeClasses: [64, 512, 1360],
    });
    this.other = SlabHeap.attach(this.heap.share(), { sameThread: true });
    this.empty = this.heap.currentEpoch;
    this.heap.advanceEpoch();
    for (const size of [64, 100, 1360, 2 * SLAB]) {
      for (const heap of [this.heap, this.other]) {
        const handle = heap.allocOrThrow(size);
        this.live.add(heap, handle, size, heap.currentEpoch.era);
      }
    }
    this.heap.advanceEpoch();
    this.outer = this.heap.openDomain({ label: "outer" });
    this.reader = StatsReader.open(this.heap);
    this.document = this.reader.snapshot();
    this.poll();
    this.seatsInUse = this.countSeats();
  }

  /** Nothing was lost, whatever was answered. */
  check(): void {
    this.poll();
    if (this.countSeats() !== this.seatsInUse) {
      throw new Violation("wrong", `${this.countSeats()} seats in use instead of ${this.seatsInUse}`);
    }
    if (this.heap.domains.at(-1) !== this.outer) throw new Violation("wrong", "a domain was left entered");
    this.live.list().forEach((object, i) => {
      this.live.look(i % 2 === 0 ? this.heap : this.other, object);
    });
    const report = this.heap.verify();
    if (!report.ok) throw new Violation("late", report.problems.slice(0, 3).join(" | "));
    if (report.liveObjects !== this.live.size) {
      throw new Violation("wrong", `${report.liveObjects} live objects instead of ${this.live.size}`);
    }
  }

  close(): void {
    this.other.detach();
    this.heap.detach();
  }

  private poll(): void {
    this.heap.poll();
    this.other.poll();
  }

  private countSeats(): number {
    return this.heap.seats().filter(({ state }) => state !== "FREE").length;
  }
}

/** Counts the timers that were started and not stopped. */
export class TimerCount {
  running = 0;
  private readonly start = globalThis.setInterval;
  private readonly stop = globalThis.clearInterval;

  constructor() {
    const timers = new Set<unknown>();
    const { start, stop } = this;
    const count = (): void => {
      this.running = timers.size;
    };
    globalThis.setInterval = ((...args: Parameters<typeof setInterval>) => {
      const timer = start(...args);
      timers.add(timer);
      count();
      return timer;
    }) as typeof setInterval;
    globalThis.clearInterval = ((timer: NodeJS.Timeout) => {
      timers.delete(timer);
      count();
      stop(timer);
    }) as typeof clearInterval;
  }

  [Symbol.dispose](): void {
    globalThis.setInterval = this.start;
    globalThis.clearInterval = this.stop;
  }
}
