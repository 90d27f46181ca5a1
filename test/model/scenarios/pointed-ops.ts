/** Operations of the scenarios that show one step each, and beginnings they share. */
import { C_DISCARDED } from "../../../src/allocator/counters/fields.js";
import {
  binAt,
  PHASE,
  recordAt,
  SEAT_PHASE,
  SEAT_WORD,
  SLAB_ERA,
  SLAB_TAG,
  seatAt,
} from "../../../src/allocator/memory/layout.js";
import { SEAT_FREE, seatState } from "../../../src/allocator/words/seat-word.js";
import { TAG_FREE } from "../../../src/allocator/words/slab-tag.js";
import { notHonoured } from "../explorer/honoured.js";
import { alloc, attach, call, type Op, SLOT } from "../explorer/ops.js";
import type { Setup } from "../explorer/setup.js";
import type { Actor, World } from "../explorer/world.js";

export const one = (s: Setup): unknown => s.alloc(1, "x");

export function shared(s: Setup): void {
  s.alloc(1, "x");
  s.give(1, 2, "x");
}

export function lapped(s: Setup): void {
  s.alloc(1, "x");
  s.advance(2);
  s.advance(2);
}

/** Everybody else has ended. */
export function alone(world: World, actor: Actor): boolean {
  return world.actors.every(({ worker }) => worker === actor.worker || worker.done || worker.dead);
}

/** Who believes to be up to date has honoured everything there is. */
export const honest = call(
  "be honest",
  // biome-ignore lint/correctness/useYield: a look of the observer's
  function* ({ heap: { _a: a }, worker, world }) {
    const { m } = world;
    const index = a.seatBase + SEAT_PHASE;
    const at = worker.bufferWords.lastIndexOf(index);
    if (a.detached || (at >= 0 ? worker.bufferValues[at] : m[index]) !== m[PHASE]) return;
    const old = notHonoured(a);
    if (old.length > 0)
      world.fail(`worker ${worker.index + 1} has honoured PHASE, but not ${old.join(", ")}`);
  },
  { ready: alone },
);

/** Must get memory if there is a FREE slab when it begins and nobody is at work. */
export const allocIfFree: Op = {
  ...alloc("f"),
  text: "alloc f if there is a FREE slab",
  ready: alone,
  *run(actor) {
    const free = actor.world.m[recordAt(0) + SLAB_TAG] === TAG_FREE;
    yield* alloc("f", { must: free }).run(actor);
  },
};

/** Enters and leaves an epoch, which may be any but must be had. */
export const enterAny = call("enter and leave any epoch", function* (actor) {
  const domain = (yield* actor.heap.openDomain({ autoClose: true })) as { exit(): Generator };
  yield* domain.exit();
});

export const domainAlloc = call(
  "alloc in the domain",
  function* (actor) {
    const { world, worker } = actor;
    const domain = actor.domains.get("d");
    if (domain === undefined) return;
    const floor = world.oracle.beginAlloc(worker);
    const handle = (yield* domain.alloc(SLOT)) as number;
    if (handle === 0) {
      world.oracle.ghost.perhapsAllocated++;
      return;
    }
    world.oracle.allocated(worker, handle, SLOT, floor);
    const era = world.m[recordAt(world.oracle.slabOf(handle)) + SLAB_ERA];
    if (era !== domain.epoch.era)
      world.fail(`I4: era ${domain.epoch.era}'s domain got an object of era ${era}`);
  },
  { mayLose: 1 },
);

export const attachToFree: Op = {
  ...attach,
  ready: ({ m, oracle: { layout } }) => seatState(m[seatAt(layout, 2) + SEAT_WORD] as number) === SEAT_FREE,
};

export function labelIs(era: number, text: string): Op {
  return call(`label of era ${era} is ${JSON.stringify(text)}`, function* (actor) {
    const found = (yield* actor.readLabel(actor.world.ringOf(era), era)) as string;
    if (found !== text)
      actor.world.fail(`the label of era ${era} is ${JSON.stringify(found)}, not ${JSON.stringify(text)}`);
  });
}

/** So many objects ended that way, over all seats. */
export function counted(cell: number, expected: number): (world: World) => void {
  return (world) => {
    const { plain, m, oracle } = world;
    const { layout } = oracle;
    let found = 0;
    for (let seat = 1; seat <= layout.maxWorkers; seat++) {
      for (let c = 0; c <= layout.classCount; c++)
        found += plain.readCounter(m, binAt(layout, seat, c) + cell);
    }
    if (found !== expected) {
      const what = cell === C_DISCARDED ? "discarded" : "taken back from others";
      world.fail(`I7: ${found} objects are counted as ${what}, not ${expected}`);
    }
  };
}
