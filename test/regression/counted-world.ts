/**
 * A heap whose counts are known to be exact, in which one seat is to be killed or interrupted: its seats and objects, what
 * can be prepared in it, and what must hold when the dead have been reaped.
 */
import { expect } from "vitest";
import type { SlabHeap } from "../../src/allocator/heap/heap.js";
import { recordAt, SLAB_COUNTS, SLAB_FOLDED } from "../../src/allocator/memory/layout.js";
import { reapSeat } from "../../src/allocator/seats/reap.js";
import { freeRemote } from "../../src/allocator/slabs/remote-free.js";
import type { Handle, HeapOptions } from "../../src/allocator/types.js";
import { tagOwner } from "../../src/allocator/words/slab-tag.js";
import { slotState } from "../../src/allocator/words/slot-word.js";
import {
  allCounters,
  another,
  expectCountersExact,
  expectHealthy,
  expectNothingTakenBack,
  SLAB,
  slabOf,
  slotWordOf,
  smallHeap,
  tagAt,
} from "../allocator/support.js";
import type { Seats } from "./interleave.js";

export interface World extends Seats {
  /** Seat `a` is killed, `b` survives, `c` is one more when a scenario needs it. */
  readonly c: SlabHeap;
  /** Objects of `a`, and all there are. */
  readonly mine: Handle[];
  readonly all: Handle[];
  before: ReadonlyMap<string, number>;
}

export interface Scenario {
  readonly name: string;
  readonly options?: HeapOptions;
  /** Brings the world to where the operation starts. */
  prepare?(world: World): unknown;
  /** Somebody has died, or not told an owner of a free, in `prepare`: counts are behind until that is found. */
  readonly behind?: true;
  act(world: World): unknown;
  /** Fewer accesses than this mean that the operation is not the one the name promises. */
  readonly least: number;
}

export function build({ options, prepare, behind }: Omit<Scenario, "act">): World {
  const b = smallHeap({ capacity: 8 * SLAB, maxWorkers: 3, ...options });
  const [a, c] = [another(b), another(b)];
  b.poll();
  a.poll();
  const world: World = { a, b, c, mine: [], all: [], before: new Map() };
  // Counts that are not folded, and slots that are in their second generation.
  take(world, b, 3, 64);
  take(world, a, 7, 64);
  for (const handle of world.mine.splice(0, 3)) expect(a.free(handle)).toBe(true);
  prepare?.(world);
  if (behind !== true) expectCountersExact(b);
  world.before = allCounters(b);
  return world;
}

/** `count` more objects of a seat; those of `a` are the ones operations are about. */
export function take(world: World, heap: SlabHeap, count: number, size: number): Handle[] {
  const taken = Array.from({ length: count }, () => heap.alloc(size));
  for (const handle of taken) expect(handle).not.toBe(0);
  if (heap === world.a) world.mine.push(...taken);
  world.all.push(...taken);
  return taken;
}

export const last = (world: World): Handle => world.mine[world.mine.length - 1];

/** Puts the slab's allocation count shortly before one that leaves the fast path and folds, as if it had been there for long. */
export function countUpToSample(heap: SlabHeap, handle: Handle): void {
  const { m } = heap._a;
  const record = recordAt(slabOf(heap, handle));
  const by = (4095 - ((m[record + SLAB_COUNTS] >>> 18) & 4095)) << 18;
  m[record + SLAB_COUNTS] += by;
  m[record + SLAB_FOLDED] += by;
}

/** Frees by `b` that `a` has not taken back: every third object of `a`. */
export function freedByOthers(world: World): void {
  const { b, mine } = world;
  for (let i = 0; i < mine.length; i += 3) expect(b.free(mine[i])).toBe(true);
}

/** The same before they have told the owner: their pending bits are still on their way. */
export function freedUntold(world: World): void {
  const { m, seatBase, layout } = world.a._a;
  freedByOthers(world);
  m[seatBase + layout.seatPending] = 0;
}

/** Leaves slabs of 64 and 1024 bytes and a run that nobody owns, with remote frees nobody was told of. */
export function orphans(world: World): void {
  const { b, c } = world;
  const objects = [...take(world, c, 9, 64), ...take(world, c, 4, 1024), ...take(world, c, 1, 2 * SLAB)];
  expect(c.free(objects[0])).toBe(true);
  c.detach();
  for (const i of [1, 2, 10]) freeUnseen(b, objects[i]);
}

/** A remote free by a thread that has not noticed yet what else happened: it would adopt the slab first. */
export function freeUnseen(heap: SlabHeap, handle: Handle): void {
  const slotWord = slotWordOf(heap, handle);
  expect(freeRemote(heap._a, slabOf(heap, handle), slotWord, heap._a.m[slotWord])).toBe(true);
}

/** Whether the slot of `handle` is in a state, asked while another seat is at work. */
export function slotIs(world: World, handle: Handle, state: number): () => boolean {
  const { m } = world.b._a;
  const slotWord = slotWordOf(world.b, handle);
  return () => slotState(m[slotWord]) === state;
}

/** After the reap by `b`: exact, nothing taken back; and exact to the end when everything goes. */
export function expectExact(world: World): void {
  const { a, b, c } = world;
  if (!c._a.detached) {
    reapSeat(b._a, c.seat, c.incarnation);
    c.poll(); // notices, and stops its timer
  }
  expect(a._a.detached).toBe(true);
  expect(tagsOf(b, a.seat), "slabs of the dead").toBe(0);
  expectHealthy(b);
  expectCountersExact(b);
  expectNothingTakenBack(b, world.before);
  for (const handle of world.all) b.free(handle);
  b.alloc(64);
  expectCountersExact(b);
  b.discardBefore(b.advanceEpoch());
  expectHealthy(b);
  expectCountersExact(b);
  expect(b.counters().liveObjects).toBe(0);
}

function tagsOf(heap: SlabHeap, seat: number): number {
  let found = 0;
  for (let slab = 0; slab < heap._a.layout.slabCount; slab++) {
    if (tagOwner(tagAt(heap, slab)) === seat) found++;
  }
  return found;
}

/**
 * What a reader can have seen by the time of the death. While counts move from a slab to its class they are in neither
 * for a moment: what was read before counts then.
 */
export function highest(x: ReadonlyMap<string, number>, y: ReadonlyMap<string, number>): Map<string, number> {
  return new Map([...x].map(([name, value]) => [name, Math.max(value, y.get(name) ?? Number.NaN)]));
}
