/**
 * Defends: whatever value is given in a handle's place, from whichever seat, the answer is `false` or a typed error, not a
 * word of the heap changes but the counters of refused frees, and every live object keeps its place and contents and can
 * be freed exactly once.
 * Method: several seats of one thread do random legal things beside a model of what is live; between any two of them
 * hostile values go into every method that takes a handle or an offset, and all bytes are compared.
 */
import type { EpochDomain } from "../../src/allocator/heap/domain.js";
import { SlabHeap } from "../../src/allocator/heap/heap.js";
import type { EpochId, EpochRef, Handle } from "../../src/allocator/types.js";
import { Dice, mix } from "./dice.js";
import { answerOf, bytesOf, hostileCall } from "./hostile-calls.js";
import { LiveObjects } from "./live-objects.js";
import { newTally, type Tally, Violation } from "./outcome.js";

const SLAB = 4096;
const SEATS = 3;
const MOST_STALE = 200;

/** For canaries: damages every heap object of a run. */
export type Spoil = (heap: SlabHeap) => void;

/** Throws {@link Violation}, whose message does not name the seed: the caller knows it. */
export function runHandles(seed: number, steps: number, spoil: Spoil = () => {}): Tally {
  const run = new HandleRun(new Dice(mix(seed)), spoil);
  try {
    for (let step = 0; step < steps; step++) run.step(step);
    run.finish();
    return run.tally;
  } finally {
    run.close();
  }
}

class HandleRun {
  readonly tally = newTally();
  private readonly dice: Dice;
  private readonly spoil: Spoil;
  private readonly live = new LiveObjects();
  private readonly stale: Handle[] = [];
  private readonly seats: SlabHeap[];
  private readonly foreign: SlabHeap;
  private readonly foreignHandles: readonly number[];

  constructor(dice: Dice, spoil: Spoil) {
    this.dice = dice;
    this.spoil = spoil;
    const options = {
      capacity: (12 + dice.below(20)) * SLAB,
      slabSize: SLAB,
      maxWorkers: SEATS + 1,
      sizeClasses: dice.pick([
        [64, 128, 1024],
        [96, 512, 1360, 4096],
        [8, 24, 4000],
      ]),
      zeroOnFree: dice.oneIn(4),
    };
    this.seats = [SlabHeap.create(options)];
    for (let n = 1; n < SEATS; n++) this.attach();
    this.foreign = SlabHeap.create(options);
    this.foreignHandles = Array.from({ length: 40 }, () => this.foreign.alloc(1 + dice.below(1000)));
    for (const seat of this.seats) spoil(seat);
  }

  step(step: number): void {
    this.legal();
    for (const seat of this.seats) seat.poll();
    for (let n = this.dice.below(4); n > 0; n--) this.hostile();
    if (step % 64 === 63) this.check();
  }

  finish(): void {
    this.check();
    this.live.list().forEach(({ handle }, i) => {
      this.free(this.seats[i % this.seats.length], handle);
    });
    this.check();
    const [heap] = this.seats;
    for (const seat of this.seats) for (const domain of [...seat.domains].reverse()) domain.exit();
    heap.discardBefore(heap.advanceEpoch());
    for (const seat of this.seats) seat.poll();
    const all = heap.alloc(heap.capacity);
    this.demand(all !== 0, "memory was lost: the whole payload cannot be allocated");
    this.demand(heap.free(all), "the whole payload cannot be freed");
  }

  close(): void {
    for (const heap of [...this.seats, this.foreign]) heap.detach();
  }

  private demand(holds: boolean, message: string): void {
    if (!holds) throw new Violation("wrong", message);
  }

  private attach(): void {
    const heap = SlabHeap.attach(this.seats[0].share(), { sameThread: true });
    this.spoil(heap);
    this.seats.push(heap);
  }

  // -- what users may do

  private legal(): void {
    const { dice } = this;
    const heap = dice.pick(this.seats);
    const kind = dice.below(100);
    if (kind < 50) this.alloc(heap, dice.oneIn(9) ? 1 + dice.below(4 * SLAB) : 1 + dice.below(1400));
    else if (kind < 80) this.freeAny(heap);
    else if (kind < 85) this.useDomain(heap);
    else if (kind < 90) heap.advanceEpoch();
    else if (kind < 95) this.endEpoch(heap);
    else if (kind < 97) this.changeSeats();
    else heap.poll();
  }

  private alloc(heap: SlabHeap, size: number): void {
    const handle = heap.alloc(size);
    if (handle !== 0) this.live.add(heap, handle, size, heap.currentEpoch.era);
    else this.demand(heap.lastFailure === "out-of-memory", `alloc(${size}) failed: ${heap.lastFailure}`);
  }

  private freeAny(heap: SlabHeap): void {
    if (this.live.size === 0) return;
    const object = this.dice.pick(this.live.list());
    if (this.dice.oneIn(4)) {
      this.demand(heap.freeOffset(object.offset), `freeOffset of a live object is false`);
      this.end([object.handle]);
    } else {
      this.free(heap, object.handle);
    }
  }

  private free(heap: SlabHeap, handle: Handle): void {
    this.demand(heap.free(handle), `free of live handle ${handle} is false`);
    this.end([handle]);
    this.demand(!heap.free(handle), `handle ${handle} was freed twice`);
  }

  /** These handles are stale from now on. */
  private end(handles: readonly Handle[]): void {
    for (const handle of handles) this.live.remove(handle);
    this.stale.push(...handles);
    this.stale.splice(0, Math.max(0, this.stale.length - MOST_STALE));
  }

  private useDomain(heap: SlabHeap): void {
    const innermost: EpochDomain | undefined = heap.domains.at(-1);
    if (innermost !== undefined && this.dice.oneIn(2)) {
      innermost.exit();
      return;
    }
    const domain = heap.openDomain({ label: "fuzz", autoClose: this.dice.oneIn(2) });
    const handle = domain.alloc(100);
    if (handle !== 0) this.live.add(heap, handle, 100, domain.epoch.era);
  }

  private endEpoch(heap: SlabHeap): void {
    if (this.live.size === 0) return;
    const { era } = this.dice.pick(this.live.list());
    const ref: EpochRef = { id: (era % 16) as EpochId, era };
    const kind = this.dice.below(4);
    if (kind === 0) {
      heap.discardEpoch(ref);
      this.end(this.live.discard((other) => other === era));
    } else if (kind === 1) {
      heap.discardBefore(ref);
      this.end(this.live.discard((other) => other < era));
    } else {
      heap.closeEpoch(ref);
    }
  }

  private changeSeats(): void {
    const [gone] = this.seats.splice(1, 1);
    gone.detach();
    this.attach();
  }

  /** Sound, complete, and every live object as it was left. */
  private check(): void {
    for (const seat of this.seats) seat.poll();
    this.live.list().forEach((object, i) => {
      this.live.look(this.seats[i % this.seats.length], object);
    });
    for (const seat of this.seats) {
      const report = seat.verify();
      this.demand(report.ok, `verify: ${report.problems.slice(0, 3).join(" | ")}`);
      this.demand(
        report.liveObjects === this.live.size,
        `${report.liveObjects} of ${this.live.size} objects`,
      );
    }
  }

  // -- what nobody should do

  private hostile(): void {
    const heap = this.dice.pick(this.seats);
    const call = hostileCall(this.dice, heap, this.live, this.stale, this.foreignHandles);
    if (call === undefined) return;
    const { name, expected } = call;
    const before = bytesOf(heap);
    const answer = answerOf(call.ask);
    this.tally.cases++;
    if (answer.startsWith("ERR")) this.tally.refused++;
    else this.tally.harmless++;
    this.demand(expected.includes(answer), `${name}: ${answer}, expected ${expected.join(" or ")}`);
    const after = bytesOf(heap);
    if (Buffer.compare(before, after) === 0) return;
    const at = before.findIndex((byte, i) => byte !== after[i]);
    throw new Violation("wrong", `${name} changed word ${at >> 2}`);
  }
}
