/**
 * Defends: counters are exact after any death. Whatever a thread was doing when it vanished, once it has been reaped and
 * its slabs adopted, allocations minus frees and discards is the number of objects there are, and no counter is
 * lower than it was; also when others freed or discarded the dead thread's objects before anybody noticed, and when
 * the reaper dies in its turn.
 * Method: every operation is killed at every access it makes to the shared words, in worlds of their own, each three times
 * over: with nothing, with frees of every object and with a discard between the death and the reaping. The objects are
 * counted in the slot words, which know nothing of counters.
 */
import { describe, expect, test } from "vitest";
import type { SlabHeap } from "../../src/allocator/heap/heap.js";
import { startSampling } from "../../src/allocator/heap/sampling.js";
import {
  ERA,
  PHASE,
  PRESSURE,
  recordAt,
  SEAT_COMMIT_CELL,
  SEAT_COMMIT_VALUE,
  SLAB_ALLOCS,
  SLAB_ALLOCS_FOLDED,
  SLAB_BALANCE,
  SLAB_COLLECTING,
} from "../../src/allocator/memory/layout.js";
import { closeEra, discardEra } from "../../src/allocator/epochs/ring.js";
import { reapSeat } from "../../src/allocator/seats/reap.js";
import { collect, freeRemote } from "../../src/allocator/slabs/remote-free.js";
import type { Handle, HeapOptions } from "../../src/allocator/types.js";
import { tagOwner } from "../../src/allocator/words/slab-tag.js";
import {
  LAST_GENERATION,
  SLOT_ALLOC,
  SLOT_FREE,
  SLOT_REMOTE_FREED,
  slotState,
} from "../../src/allocator/words/slot-word.js";
import {
  allCounters,
  another,
  epochId,
  expectCountersExact,
  expectHealthy,
  expectNothingTakenBack,
  SLAB,
  slabOf,
  slotWordOf,
  smallHeap,
  tagAt,
} from "../allocator/support.js";
import { atEveryAccess, killAtEveryAccess, killWhen, type Seats, watchAccesses } from "./interleave.js";

interface World extends Seats {
  /** Seat `a` is killed, `b` survives, `c` is one more when a scenario needs it. */
  readonly c: SlabHeap;
  /** Objects of `a`, and all there are. */
  readonly mine: Handle[];
  readonly all: Handle[];
  before: ReadonlyMap<string, number>;
}

interface Scenario {
  readonly name: string;
  readonly options?: HeapOptions;
  /** Brings the world to where the operation starts. */
  prepare?(world: World): unknown;
  /** Somebody has died in `prepare`: counts are behind until the reaping. */
  readonly behind?: true;
  act(world: World): unknown;
  /** Fewer accesses than this mean that the operation is not the one the name promises. */
  readonly least: number;
}

function build({ options, prepare, behind }: Omit<Scenario, "act">): World {
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
function take(world: World, heap: SlabHeap, count: number, size: number): Handle[] {
  const taken = Array.from({ length: count }, () => heap.alloc(size));
  for (const handle of taken) expect(handle).not.toBe(0);
  if (heap === world.a) world.mine.push(...taken);
  world.all.push(...taken);
  return taken;
}

const last = (world: World): Handle => world.mine[world.mine.length - 1];

/** Puts the slab's allocation count shortly before `next`, as if it had been there for long. */
function countUpTo(heap: SlabHeap, handle: Handle, next: number): void {
  const { m } = heap._a;
  const record = recordAt(slabOf(heap, handle));
  const by = (next - 1 - m[record + SLAB_ALLOCS]) | 0;
  m[record + SLAB_ALLOCS] += by;
  m[record + SLAB_ALLOCS_FOLDED] += by;
  m[record + SLAB_BALANCE] -= by;
}

/** Frees by `b` that `a` has not taken back: every third object of `a`. */
function freedByOthers(world: World): void {
  const { b, mine } = world;
  for (let i = 0; i < mine.length; i += 3) expect(b.free(mine[i])).toBe(true);
}

/** The same before they have told the owner: their pending bits are still on their way. */
function freedUntold(world: World): void {
  const { m, seatBase, layout } = world.a._a;
  freedByOthers(world);
  m[seatBase + layout.seatPending] = 0;
}

/** Leaves slabs of 64 and 1024 bytes and a run that nobody owns, with remote frees nobody was told of. */
function orphans(world: World): void {
  const { b, c } = world;
  const objects = [
    ...take(world, c, 9, 64),
    ...take(world, c, 4, 1024),
    ...take(world, c, 1, 2 * SLAB),
  ];
  expect(c.free(objects[0])).toBe(true);
  c.detach();
  for (const i of [1, 2, 10]) freeUnseen(b, objects[i]);
}

/** A remote free by a thread that has not noticed yet what else happened: it would adopt the slab first. */
function freeUnseen(heap: SlabHeap, handle: Handle): void {
  const slotWord = slotWordOf(heap, handle);
  expect(freeRemote(heap._a, slabOf(heap, handle), slotWord, heap._a.m[slotWord])).toBe(true);
}

/** Whether the slot of `handle` is in a state, asked while another seat is at work. */
function slotIs(world: World, handle: Handle, state: number): () => boolean {
  const { m } = world.b._a;
  const slotWord = slotWordOf(world.b, handle);
  return () => slotState(m[slotWord]) === state;
}

const SCENARIOS: Scenario[] = [
  { name: "alloc", act: ({ a }) => a.alloc(64), least: 9 },
  { name: "allocOffset", act: ({ a }) => a.allocOffset(64), least: 9 },
  { name: "alloc, a new slab", act: ({ a }) => a.alloc(128), least: 100 },
  { name: "alloc, more slots of the slab", prepare: (w) => take(w, w.a, 28, 64), act: ({ a }) => a.alloc(64), least: 100 },
  {
    name: "alloc, the 1024th of its slab",
    prepare: (w) => countUpTo(w.a, last(w), 1024),
    act: ({ a }) => a.alloc(64),
    least: 15,
  },
  {
    name: "alloc, sampled",
    prepare(w) {
      countUpTo(w.a, last(w), 1024);
      startSampling(w.a, { slowPathInterval: 1 });
    },
    act: ({ a }) => a.alloc(64),
    least: 25,
  },
  {
    name: "alloc, counts folded after 2^30",
    prepare: (w) => countUpTo(w.a, last(w), 2 ** 30),
    act: ({ a }) => a.alloc(64),
    least: 30,
  },
  {
    name: "alloc, counts folded at 2^32",
    prepare: (w) => countUpTo(w.a, last(w), 2 ** 32),
    act: ({ a }) => a.alloc(64),
    least: 30,
  },
  {
    name: "alloc, remote frees taken back",
    prepare(w) {
      take(w, w.a, 60, 64);
      freedByOthers(w);
    },
    act: ({ a }) => a.alloc(64),
    least: 200,
  },
  {
    name: "alloc, an orphan adopted",
    prepare: orphans,
    act: ({ a }) => a.alloc(1024),
    least: 300,
  },
  {
    name: "alloc, out of memory",
    prepare(w) {
      while (w.b.alloc(4000) !== 0);
    },
    act: ({ a }) => expect(a.alloc(2000)).toBe(0),
    least: 100,
  },
  { name: "alloc, the epoch closed", act: ({ a }) => expect(a.alloc(64, epochId(5))).toBe(0), least: 5 },
  { name: "alloc of a run", act: ({ a }) => a.alloc(3 * SLAB), least: 50 },
  {
    name: "alloc of a run, no room",
    prepare(w) {
      take(w, w.b, 1, 4 * SLAB);
    },
    act: ({ a }) => expect(a.alloc(3 * SLAB)).toBe(0),
    least: 50,
  },
  { name: "free", act: (w) => expect(w.a.free(last(w))).toBe(true), least: 10 },
  { name: "freeOffset", act: (w) => expect(w.a.freeOffset(w.a.byteOffset(last(w)))).toBe(true), least: 10 },
  {
    name: "free, into a full slab",
    prepare: (w) => take(w, w.a, 66, 64),
    act: (w) => w.a.free(w.mine[3]),
    least: 15,
  },
  {
    name: "free, of a closed epoch",
    prepare(w) {
      w.a.advanceEpoch();
    },
    act: (w) => w.a.free(last(w)),
    least: 15,
  },
  {
    name: "free, the last of a closed epoch",
    prepare(w) {
      w.a.advanceEpoch();
      for (const handle of w.mine.splice(1)) w.a.free(handle);
    },
    act: (w) => w.a.free(w.mine[0]),
    least: 60,
  },
  {
    name: "free, pages released",
    prepare(w) {
      Object.assign(w.a._a, { pageReleaser: { release: () => SLAB } });
      w.a.advanceEpoch();
      for (const handle of w.mine.splice(1)) w.a.free(handle);
    },
    act: (w) => w.a.free(w.mine[0]),
    least: 50,
  },
  { name: "free, zeroing", options: { zeroOnFree: true }, act: (w) => w.a.free(last(w)), least: 15 },
  {
    name: "free, of the last generation",
    prepare(w) {
      w.a._a.m[slotWordOf(w.a, last(w))] = (LAST_GENERATION << 2) | SLOT_ALLOC;
    },
    act: (w) => w.a.freeOffset(w.a._a.layout.payloadOffset + slabOf(w.a, last(w)) * SLAB + 64 * 3),
    least: 10,
  },
  { name: "free of a run", prepare: (w) => take(w, w.a, 1, 3 * SLAB), act: (w) => w.a.free(last(w)), least: 45 },
  { name: "remote free", prepare: (w) => take(w, w.b, 2, 64), act: ({ a, all }) => a.free(all[0]), least: 20 },
  {
    name: "remote free, sampled",
    prepare: (w) => startSampling(w.a, { remoteFreeInterval: 1 }),
    act: ({ a, all }) => a.free(all[0]),
    least: 22,
  },
  {
    name: "remote freeOffset",
    act: ({ a, all }) => a.freeOffset(a.byteOffset(all[0])),
    least: 20,
  },
  {
    name: "remote free of a run",
    prepare: (w) => take(w, w.b, 1, 2 * SLAB),
    act: ({ a, all }) => a.free(all[all.length - 1]),
    least: 20,
  },
  {
    name: "remote free into an orphan",
    prepare(w) {
      take(w, w.c, 3, 128);
      w.c.detach();
    },
    act: ({ a, all }) => freeUnseen(a, all[all.length - 1]),
    least: 10,
  },
  { name: "collect", prepare: freedByOthers, act: ({ a }) => expect(collect(a._a, true)).toBe(2), least: 50 },
  {
    name: "collect, zeroing",
    options: { zeroOnFree: true },
    prepare: freedByOthers,
    act: ({ a }) => collect(a._a, true),
    least: 50,
  },
  {
    name: "collect, the last objects of a closed epoch",
    prepare(w) {
      for (const handle of w.mine) w.b.free(handle);
      w.b.advanceEpoch();
    },
    act: ({ a }) => a.poll(),
    least: 130,
  },
  {
    name: "collect, a run",
    prepare(w) {
      w.b.free(take(w, w.a, 1, 2 * SLAB)[0]);
    },
    act: ({ a }) => expect(collect(a._a, true)).toBe(1),
    least: 45,
  },
  {
    name: "collect, stale bits",
    prepare(w) {
      const [run] = take(w, w.a, 1, 2 * SLAB);
      const { m, seatBase, layout } = w.a._a;
      m[seatBase + layout.seatPending] |= (1 << slabOf(w.a, run)) | (1 << slabOf(w.a, w.mine[0]));
    },
    act: ({ a }) => expect(collect(a._a, true)).toBe(0),
    least: 40,
  },
  {
    name: "close",
    prepare(w) {
      for (const handle of take(w, w.a, 5, 1024)) w.a.free(handle);
      take(w, w.a, 1, 2 * SLAB);
    },
    act: ({ a }) => expect(a.closeEpoch(a.currentEpoch).slabsRecycled).toBe(2),
    least: 240,
  },
  {
    name: "advance",
    prepare(w) {
      for (const handle of take(w, w.a, 1, 1024)) w.a.free(handle);
    },
    act: ({ a }) => a.advanceEpoch(),
    least: 130,
  },
  {
    name: "discard",
    prepare(w) {
      take(w, w.a, 9, 64);
      take(w, w.a, 1, 2 * SLAB);
    },
    act: ({ a }) => expect(a.discardEpoch(a.currentEpoch).objectsDiscarded).toBe(14),
    least: 280,
  },
  {
    name: "discard, with remote frees taken back",
    prepare(w) {
      take(w, w.a, 9, 64);
      freedByOthers(w);
      w.b.free(take(w, w.a, 1, 2 * SLAB)[0]);
    },
    act: ({ a }) => a.discardEpoch(a.currentEpoch),
    least: 270,
  },
  {
    name: "discard, with remote frees not told yet",
    prepare(w) {
      take(w, w.a, 9, 64);
      freedUntold(w);
    },
    act: ({ a }) => a.discardEpoch(a.currentEpoch),
    least: 240,
  },
  {
    name: "discard, zeroing",
    options: { zeroOnFree: true },
    prepare(w) {
      take(w, w.a, 9, 64);
    },
    act: ({ a }) => a.discardEpoch(a.currentEpoch),
    least: 300,
  },
  {
    name: "another's discard honoured",
    prepare: (w) => w.b.discardEpoch(w.b.currentEpoch),
    act: ({ a }) => a.poll(),
    least: 150,
  },
  {
    name: "discardBefore",
    prepare(w) {
      w.a.advanceEpoch();
      take(w, w.a, 3, 64);
      w.a.advanceEpoch();
      take(w, w.a, 3, 64);
    },
    act: ({ a }) => expect(a.discardBefore(a.currentEpoch).objectsDiscarded).toBe(7),
    least: 400,
  },
  {
    name: "detach",
    prepare(w) {
      for (const handle of take(w, w.a, 5, 1024)) w.a.free(handle);
      take(w, w.a, 1, 2 * SLAB);
    },
    act: ({ a }) => a.detach(),
    least: 250,
  },
  {
    name: "detach, with remote frees not told yet",
    prepare(w) {
      take(w, w.a, 1, 2 * SLAB);
      freedUntold(w);
    },
    act: ({ a }) => a.detach(),
    least: 170,
  },
  {
    name: "leaving a domain that closes its epoch",
    prepare(w) {
      w.a.openDomain({ autoClose: true, label: "x" });
      for (const handle of take(w, w.a, 5, 1024)) w.a.free(handle);
    },
    act: ({ a }) => a.domains[0].exit(),
    least: 230,
  },
  {
    name: "a release that closes its epoch",
    prepare(w) {
      w.a.retainEpoch(epochId(0));
      w.a.openDomain({ autoClose: true }).exit();
      for (const handle of take(w, w.a, 5, 1024)) w.a.free(handle);
    },
    act: ({ a }) => expect(a.releaseEpoch(epochId(0))).toBe(0),
    least: 230,
  },
  {
    name: "empty slabs given back under pressure",
    prepare(w) {
      for (const handle of take(w, w.a, 5, 1024)) w.a.free(handle);
      w.a._a.m[PRESSURE]++;
      w.a._a.m[PHASE]++;
    },
    act: ({ a }) => a.poll(),
    least: 130,
  },
  { name: "adoption", prepare: orphans, act: ({ a }) => a.poll(), least: 400 },
  {
    name: "adoption, zeroing",
    options: { zeroOnFree: true },
    prepare: orphans,
    act: ({ a }) => a.poll(),
    least: 400,
  },
  {
    name: "adoption, of a closed epoch",
    prepare(w) {
      orphans(w);
      closeEra(w.b._a, w.b._a.m[ERA]); // without looking itself: b would adopt
    },
    act: ({ a }) => a.poll(),
    least: 400,
  },
  {
    name: "adoption, of a discarded epoch",
    prepare(w) {
      orphans(w);
      discardEra(w.b._a, w.b._a.m[ERA]);
    },
    act: ({ a }) => a.poll(),
    least: 300,
  },
  {
    name: "adoption, of slabs whose owner died in a free",
    behind: true,
    prepare(w) {
      const [handle] = take(w, w.c, 3, 64);
      killWhen(w.c, () => w.c.free(handle), slotIs(w, handle, SLOT_FREE));
      closeEra(w.b._a, w.b._a.m[ERA]);
    },
    act: ({ a, c }) => reapSeat(a._a, c.seat, c.incarnation),
    least: 300,
  },
  {
    name: "free of a run whose former owner died looking for remote frees",
    prepare(w) {
      const [run] = take(w, w.c, 1, 2 * SLAB);
      const { m, seatBase, layout } = w.c._a;
      m[seatBase + layout.seatPending] |= 1 << slabOf(w.c, run);
      const record = recordAt(slabOf(w.c, run));
      killWhen(w.c, () => collect(w.c._a, true), () => w.b._a.m[record + SLAB_COLLECTING] === 1);
      expect(reapSeat(w.a._a, w.c.seat, w.c.incarnation).status).toBe("reaped");
      w.mine.push(run);
    },
    act: (w) => expect(w.a.free(last(w))).toBe(true),
    least: 45,
  },
  {
    name: "free of a run where one was whose owner died taking it back",
    prepare(w) {
      const [run] = take(w, w.c, 1, 2 * SLAB);
      w.b.free(run);
      killWhen(w.c, () => collect(w.c._a, true), slotIs(w, run, SLOT_FREE));
      expect(reapSeat(w.a._a, w.c.seat, w.c.incarnation).status).toBe("reaped");
      const [again] = take(w, w.a, 1, 2 * SLAB);
      expect(slabOf(w.a, again)).toBe(slabOf(w.a, run));
    },
    act: (w) => expect(w.a.free(last(w))).toBe(true),
    least: 45,
  },
  {
    name: "reap",
    prepare: (w) => take(w, w.c, 9, 128),
    act: ({ a, c }) => reapSeat(a._a, c.seat, c.incarnation),
    least: 400,
  },
];

/** What others do while nobody has noticed the death. */
const MEANWHILE: Readonly<Record<string, (world: World) => void>> = {
  nothing: () => {},
  frees: ({ b, all }) => {
    for (const handle of all) b.free(handle);
  },
  discard: ({ b }) => {
    b.discardEpoch(b.currentEpoch);
  },
};

/** After the reap by `b`: exact, nothing taken back; and exact to the end when everything goes. */
function expectExact(world: World): void {
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

/** Not exact yet: remove a line when its fault is gone (the test then says so). */
const KNOWN_FAULTS = new Map<string, readonly string[]>([
  // The note of a remote free cannot tell its own compare-and-swap from what another did to the slot after its death.
  ["remote free", ["frees", "discard"]],
  ["remote free, sampled", ["frees", "discard"]],
  ["remote freeOffset", ["frees", "discard"]],
  ["remote free of a run", ["frees", "discard"]],
  ["remote free into an orphan", ["frees", "discard"]],
  // Remote-freed slots that the wipe had passed are counted as discarded, although their freers counted them.
  ["discard, with remote frees not told yet", ["nothing", "frees", "discard"]],
  // SLAB_COLLECTING stays 1 when a run is adopted, or claimed again.
  ["free of a run whose former owner died looking for remote frees", ["nothing", "frees", "discard"]],
  ["free of a run where one was whose owner died taking it back", ["nothing", "frees", "discard"]],
  // The wipe reads a slot and stores it: a free in between is counted by both.
  ["the discard of its epoch", ["race"]],
]);

describe.each(Object.keys(MEANWHILE))("killed at every access, before the reaping: %s", (between) => {
  for (const scenario of SCENARIOS) {
    const known = KNOWN_FAULTS.get(scenario.name)?.includes(between) === true;
    (known ? test.fails : test)(scenario.name, () => expectExactWhereverKilled(scenario, between));
  }
});

function expectExactWhereverKilled(scenario: Scenario, between: string): void {
  const accesses = killAtEveryAccess<World>({
    build: () => build(scenario),
    act: scenario.act,
    unnoticed(world) {
      const atDeath = allCounters(world.b);
      MEANWHILE[between](world);
      world.before = highest(world.before, atDeath);
    },
    check: expectExact,
  });
  expect(accesses).toBeGreaterThanOrEqual(scenario.least);
}

/** Where the first of two dead threads had got to. */
const FIRST_DEATHS: { readonly name: string; die(world: World): void }[] = [
  {
    name: "a free not counted",
    die(w) {
      const [handle] = take(w, w.c, 5, 64);
      killWhen(w.c, () => w.c.free(handle), slotIs(w, handle, SLOT_FREE));
    },
  },
  {
    name: "a remote free not counted",
    die(w) {
      killWhen(w.c, () => freeUnseen(w.c, w.all[0]), slotIs(w, w.all[0], SLOT_REMOTE_FREED));
      expect(w.b._a.m[w.c._a.seatBase + SEAT_COMMIT_CELL]).toBeLessThan(0);
    },
  },
  {
    name: "a remote free announced only",
    die(w) {
      const note = w.c._a.seatBase + SEAT_COMMIT_CELL;
      killWhen(w.c, () => freeUnseen(w.c, w.all[0]), () => w.b._a.m[note] < 0);
    },
  },
  {
    name: "a discard noted, nothing stored",
    die(w) {
      const note = w.c._a.seatBase + SEAT_COMMIT_CELL;
      take(w, w.c, 9, 64);
      killWhen(w.c, () => w.c.discardEpoch(w.c.currentEpoch), () => w.b._a.m[note] > 0);
    },
  },
  {
    name: "a discard noted, half stored",
    die(w) {
      const { m } = w.b._a;
      const note = w.c._a.seatBase;
      const record = recordAt(slabOf(w.c, take(w, w.c, 9, 64)[0]));
      const stored = (): boolean =>
        m[note + SEAT_COMMIT_CELL] > 0 && m[record + SLAB_BALANCE] === m[note + SEAT_COMMIT_VALUE];
      killWhen(w.c, () => w.c.discardEpoch(w.c.currentEpoch), stored);
    },
  },
  {
    name: "remote frees half taken back",
    die(w) {
      const handles = take(w, w.c, 9, 64);
      for (const handle of handles.slice(0, 5)) w.b.free(handle);
      killWhen(w.c, () => collect(w.c._a, true), slotIs(w, handles[3], SLOT_FREE));
    },
  },
  {
    name: "leaving, counts half folded",
    die(w) {
      const note = w.c._a.seatBase + SEAT_COMMIT_CELL;
      w.c.free(take(w, w.c, 9, 64)[0]);
      killWhen(w.c, () => w.c.detach(), () => w.b._a.m[note] > 0);
    },
  },
];

describe("a reaper killed at every access, reaped by another", () => {
  test.each(FIRST_DEATHS)("what it was reaping: $name", ({ die }) => {
    const accesses = killAtEveryAccess<World>({
      build() {
        const world = build({ name: "", least: 0 });
        const before = allCounters(world.b);
        die(world);
        world.before = highest(before, allCounters(world.b));
        return world;
      },
      act: ({ a, c }) => reapSeat(a._a, c.seat, c.incarnation),
      check: expectExact,
    });
    expect(accesses).toBeGreaterThan(180);
  });
});

describe("a reader between any two accesses", () => {
  test.each(SCENARIOS)("never sees more than there will be, nor less than there was: $name", (scenario) => {
    const world = build(scenario);
    const { a, b } = world;
    const { allocCount, freeCount } = b.counters();
    const allocs: number[] = [];
    const frees: number[] = [];
    watchAccesses(
      a,
      () => scenario.act(world),
      () => {
        const seen = b.counters();
        allocs.push(seen.allocCount);
        frees.push(seen.freeCount);
      },
    );
    const after = b.counters();
    expect(Math.max(...allocs)).toBeLessThanOrEqual(after.allocCount);
    expect(Math.max(...frees)).toBeLessThanOrEqual(after.freeCount);
    // While counts move from a slab to its class they are in neither: less, but only for moments.
    expect(after.allocCount).toBeGreaterThanOrEqual(allocCount);
    expect(after.freeCount).toBeGreaterThanOrEqual(freeCount);
    expect(allocs.length).toBeGreaterThanOrEqual(scenario.least);
    for (const each of [a, b, world.c]) if (!each._a.detached) each.detach();
  });
});

interface Race extends World {
  target: Handle;
  word: number;
  freed: boolean;
}

/** A seat that had found the object alive and its epoch open before anything else happened frees it in between. */
const RACES: [string, (world: Race) => unknown][] = [
  ["the discard of its epoch", ({ a }) => a.discardEpoch(a.currentEpoch)],
  ["a close of its epoch", ({ a }) => a.closeEpoch(a.currentEpoch)],
  [
    "a collect of its slab",
    ({ a, target }) => {
      const { m, seatBase, layout } = a._a;
      m[seatBase + layout.seatPending] |= 1 << slabOf(a, target);
      collect(a._a, true);
    },
  ],
  ["its owner's detach", ({ a }) => a.detach()],
];
describe("a remote free between any two accesses is counted once", () => {
  for (const [name, act] of RACES) {
    (KNOWN_FAULTS.has(name) ? test.fails : test)(`of ${name}`, () => expectCountedOnce(act));
  }
});

function expectCountedOnce(act: (world: Race) => unknown): void {
  let freed = 0;
  const accesses = atEveryAccess<Race, unknown>({
    build() {
      const world = build({ name: "", least: 0, prepare: (w) => take(w, w.a, 6, 64) });
      const target = world.mine[5];
      return { ...world, target, word: world.b._a.m[slotWordOf(world.b, target)], freed: false };
    },
    act,
    meanwhile(world) {
      const { c, target, word } = world;
      world.freed = freeRemote(c._a, slabOf(c, target), slotWordOf(c, target), word);
      if (world.freed) freed++;
    },
    check({ a, b, c }, { error }) {
      expect(error).toBeUndefined();
      const seats = [a, b, c].filter((seat) => !seat._a.detached);
      expectHealthy(...seats);
      expectCountersExact(...seats);
      c.detach();
    },
  });
  expect(freed).toBeGreaterThan(3);
  expect(accesses).toBeGreaterThanOrEqual(freed);
}

/**
 * What a reader can have seen by the time of the death. While counts move from a slab to its class they are in neither
 * for a moment: what was read before counts then.
 */
function highest(x: ReadonlyMap<string, number>, y: ReadonlyMap<string, number>): Map<string, number> {
  return new Map([...x].map(([name, value]) => [name, Math.max(value, y.get(name) ?? Number.NaN)]));
}
