/** Scenarios made for single mutations: small, and with an order of events that the general ones leave to chance. */
import { C_DISCARDED, C_REMOTE_COLLECTED, EF_ERA } from "../../../src/allocator/counters/fields.js";
import {
  binAt,
  DEEP,
  DOOMS,
  ERA,
  LABEL_REGISTRY_BASE,
  LABEL_REGISTRY_WORDS,
  PHASE,
  PRESSURE,
  REC_BASE,
  recordAt,
  SEAT_PHASE,
  SEAT_WORD,
  SLAB_ERA,
  SLAB_TAG,
  seatAt,
} from "../../../src/allocator/memory/layout.js";
import { EPOCH_ACTIVE, packRec } from "../../../src/allocator/words/epoch-word.js";
import { SEAT_FREE, seatState } from "../../../src/allocator/words/seat-word.js";
import { TAG_FREE } from "../../../src/allocator/words/slab-tag.js";
import {
  advance,
  alloc,
  attach,
  call,
  close,
  detach,
  discard,
  discardBefore,
  enter,
  exit,
  free,
  give,
  label,
  large,
  look,
  type Op,
  readCounters,
  readLabel,
  reap,
  SLOT,
  signal,
  sync,
  take,
  wait,
} from "../explorer/ops.js";
import type { Actor, Scenario, Setup, World } from "../explorer/world.js";

const one = (s: Setup): unknown => s.alloc(1, "x");

function shared(s: Setup): void {
  s.alloc(1, "x");
  s.give(1, 2, "x");
}

function lapped(s: Setup): void {
  s.alloc(1, "x");
  s.advance(2);
  s.advance(2);
}

/** Everybody else has ended. */
function alone(world: World, actor: Actor): boolean {
  return world.actors.every(({ worker }) => worker === actor.worker || worker.done || worker.dead);
}

/** Who believes to be up to date has honoured everything there is. */
const honest = call(
  "be honest",
  // biome-ignore lint/correctness/useYield: looks without touching
  function* ({ heap: { _a: a }, worker, world }) {
    const { m } = world;
    const index = a.seatBase + SEAT_PHASE;
    const at = worker.bufferWords.lastIndexOf(index);
    if (a.detached || (at >= 0 ? worker.bufferValues[at] : m[index]) !== m[PHASE]) return;
    const old = [
      a.deepSeen !== m[DEEP] && "DEEP",
      a.doomsSeen !== m[DOOMS] && "DOOMS",
      a.pressureSeen !== m[PRESSURE] && "PRESSURE",
      [0, 1].some((ring) => a.rec[ring] !== m[REC_BASE + ring]) && "an epoch record",
    ].filter((what) => what !== false);
    if (old.length > 0) world.fail(`worker ${worker.index + 1} has honoured PHASE, but not ${old.join(", ")}`);
  },
  { ready: alone },
);

/** Must get memory if there is a FREE slab when it begins and nobody is at work. */
const allocIfFree: Op = {
  ...alloc("f"),
  text: "alloc f if there is a FREE slab",
  ready: alone,
  *run(actor) {
    const free = actor.world.m[recordAt(0) + SLAB_TAG] === TAG_FREE;
    yield* alloc("f", { must: free }).run(actor);
  },
};

/** Enters and leaves an epoch, which may be any but must be had. */
const enterAny = call("enter and leave any epoch", function* (actor) {
  const domain = (yield* actor.heap.openDomain({ autoClose: true })) as { exit(): Generator };
  yield* domain.exit();
});

const domainAlloc = call(
  "alloc in the domain",
  function* (actor) {
    const { world, worker } = actor;
    const domain = actor.domains.get("d");
    if (domain === undefined) return;
    const floor = world.oracle.beginAlloc(worker);
    const handle = (yield* domain.alloc(SLOT)) as number;
    if (handle === 0) return;
    world.oracle.allocated(worker, handle, SLOT, floor);
    const era = world.m[recordAt(world.oracle.slabOf(handle)) + SLAB_ERA];
    if (era !== domain.epoch.era) world.fail(`I4: era ${domain.epoch.era}'s domain got an object of era ${era}`);
  },
  { mayLose: 1 },
);

const attachToFree: Op = {
  ...attach,
  ready: ({ m, oracle: { layout } }) => seatState(m[seatAt(layout, 2) + SEAT_WORD] as number) === SEAT_FREE,
};

function labelIs(era: number, text: string): Op {
  return call(`label of era ${era} is ${JSON.stringify(text)}`, function* (actor) {
    const found = (yield* actor.readLabel(actor.world.ringOf(era), era)) as string;
    if (found !== text) actor.world.fail(`the label of era ${era} is ${JSON.stringify(found)}, not ${JSON.stringify(text)}`);
  });
}

/** So many objects ended that way, over all seats. */
function counted(cell: number, expected: number): (world: World) => void {
  return (world) => {
    const { plain, m, oracle } = world;
    const { layout } = oracle;
    let found = 0;
    for (let seat = 1; seat <= layout.maxWorkers; seat++) {
      for (let c = 0; c <= layout.classCount; c++) found += plain.readCounter(m, binAt(layout, seat, c) + cell);
    }
    if (found !== expected) {
      const what = cell === C_DISCARDED ? "discarded" : "taken back from others";
      world.fail(`I7: ${found} objects are counted as ${what}, not ${expected}`);
    }
  };
}

export const MUTANT_SCENARIOS: readonly Scenario[] = [
  {
    name: "close-told",
    about: "an alloc after somebody said that the epoch is closed",
    setup: one,
    scripts: [[take("c"), alloc("y")], [close(2), give("c")]],
  },
  {
    name: "epoch-bins",
    about: "an alloc after somebody said that there is a new epoch",
    setup: one,
    scripts: [[take("c"), alloc("y")], [advance, give("c")]],
  },
  {
    name: "alloc-close-two",
    about: "the first of two closers is held up, the second says it is closed",
    setup: one,
    scripts: [[take("c"), alloc("y")], [close(2)], [close(2), give("c")]],
  },
  {
    name: "discard-told",
    about: "an owner frees after somebody said that the epoch is discarded",
    setup: one,
    scripts: [[take("d"), free("x")], [discard(2), give("d")]],
  },
  {
    name: "discard-look",
    about: "a discarded handle is looked at before its owner has synced",
    setup: shared,
    scripts: [[], [discard(2), look("x")]],
  },
  {
    name: "discard-old-sync",
    about: "an owner syncs while an epoch whose ring slot went on is discarded",
    slabs: 1,
    setup: lapped,
    scripts: [[sync], [discard(2)]],
  },
  {
    name: "discard-before-old",
    about: "everything older is discarded, also where the ring slot went on",
    setup: lapped,
    scripts: [[sync], [discardBefore(4)]],
  },
  {
    name: "discard-close",
    about: "an epoch is closed and discarded at once",
    setup: one,
    scripts: [[sync], [discard(2)], [close(2)]],
  },
  {
    name: "discard-wrap-death",
    about: "whoever lets the ring go on over a discard dies",
    killable: [2],
    setup: one,
    scripts: [[], [discard(2), advance, advance], [reap(2)]],
  },
  {
    name: "discard-late-run",
    about: "a run of one slab is claimed across a discard and a lap",
    slabs: 1,
    scripts: [[large("z", 1)], [discard(2), advance, advance]],
  },
  {
    name: "drained-fast-free",
    about: "an owner that has synced frees the last object of a closed epoch",
    setup: one,
    scripts: [[wait("a"), sync, free("x")], [advance, signal("a")]],
  },
  {
    name: "partial-slabs",
    about: "two slabs of one class get room, fill up and drain",
    slabs: 3,
    setup(s) {
      for (const name of ["x", "y", "u", "v"]) s.alloc(1, name);
      s.give(1, 2, "y");
    },
    scripts: [[free("x"), free("u"), alloc("a"), alloc("b"), close(2)], [free("y")]],
  },
  {
    name: "hint-death",
    about: "a worker dies while it gives the only slab back; it is found all the same",
    slabs: 1,
    killable: [1],
    setup: one,
    scripts: [[free("x"), close(2)], [allocIfFree]],
  },
  {
    name: "pressure-heard",
    about: "a worker without memory gets another one's empty slab at its next poll",
    slabs: 1,
    setup(s) {
      s.alloc(1, "x");
      s.free(1, "x");
    },
    scripts: [
      [sync, wait("asked"), sync, signal("given")],
      [alloc("y"), signal("asked"), wait("given"), alloc("z", { must: true })],
    ],
  },
  {
    name: "honest-epochs",
    about: "nobody believes to be up to date after a close, a discard and an advance",
    setup: one,
    scripts: [[sync, sync, honest], [close(2)], [advance]],
  },
  {
    name: "honest-discard",
    about: "the same after a discard of an epoch that is closed already",
    setup(s) {
      s.alloc(1, "x");
      s.advance(2);
      s.sync();
    },
    scripts: [[sync, honest], [discard(2)]],
  },
  {
    name: "honest-reap",
    about: "the same after a reap",
    setup(s) {
      s.alloc(1, "x");
      s.kill(1);
    },
    scripts: [[], [reap(1)], [sync, honest]],
  },
  {
    name: "advance-must",
    about: "two advances beside a discard: the newest era can be used",
    scripts: [[discard(2)], [advance, advance, alloc("q", { must: true })]],
  },
  {
    name: "advance-death-must",
    about: "an advancer dies half-way: the newest era can be used all the same",
    killable: [1],
    scripts: [[advance], [{ ...alloc("q", { must: true }), ready: alone }]],
  },
  {
    name: "exit-mixed",
    about: "a member that wants the epoch closed, and one that does not care",
    scripts: [
      [enter("d"), exit("d")],
      [enter("e", { auto: false }), exit("e")],
    ],
  },
  {
    name: "enter-close",
    about: "an epoch is entered while it is closed by hand",
    scripts: [[enter("d"), exit("d")], [close(2)]],
  },
  {
    name: "enter-must",
    about: "entering while the last member is about to close",
    scripts: [[enter("d"), exit("d")], [enterAny]],
  },
  {
    name: "domain-alloc",
    about: "a domain's alloc while its ring slot goes on",
    setup({ world }) {
      // An advance closes the era before, whoever is inside.
      world.oracle.ghost.closedByHand = true;
    },
    scripts: [[enter("d"), domainAlloc, exit("d")], [advance, advance]],
  },
  {
    name: "detach-late-adopt",
    about: "a slab is given up and adopted at once by a worker without memory",
    slabs: 1,
    setup: one,
    scripts: [[detach], [alloc("p"), alloc("q")]],
  },
  {
    name: "detach-closed",
    about: "the last object of a closed epoch is freed while its owner leaves",
    setup(s) {
      shared(s);
      s.advance(2);
    },
    scripts: [[detach], [free("x"), alloc("p")]],
  },
  {
    name: "reap-pending-late",
    about: "a reaper is held up at its end while the seat's next holder gets remote frees",
    unattached: [3],
    options: { maxWorkers: 4 },
    setup(s) {
      s.alloc(1, "x");
      s.kill(1);
    },
    scripts: [[], [reap(1)], [attachToFree, alloc("q"), give("q")], [take("q"), free("q")]],
  },
  {
    name: "adopt-newer-era",
    about: "a worker that synced in the middle of an advance adopts a slab of the newer era",
    slabs: 1,
    setup(s) {
      s.advance(2);
      s.sync();
      const { world } = s;
      const { m } = world;
      // The advance to era 4 is held up after the first of the two records, and worker 1 has synced just then.
      const newer = packRec(4, EPOCH_ACTIVE);
      s.heap(1)._a.rec[0] = newer;
      m[REC_BASE] = newer;
      m[ERA] = 4;
    },
    scripts: [[alloc("y", { epoch: 1 })], [call("sync", (actor) => actor.own.sync(actor.heap._a, false) as never), alloc("x"), detach]],
  },
  {
    name: "label-three",
    about: "a label is read while two more are written over it",
    scripts: [
      [label(0, "aaaaaaa"), label(0, "bbbbbbb"), label(0, "ccccccc")],
      [readLabel(2), readLabel(2)],
    ],
  },
  {
    name: "label-older",
    about: "a new era has no label before it gets one",
    scripts: [[label(0, "aaaaaaa"), advance, advance, labelIs(4, "")], [readLabel(2)]],
  },
  {
    name: "label-death-must",
    about: "a worker dies while it writes a label; the next one can be set, and no number is lost",
    killable: [1],
    scripts: [[label(0, "aaaaaaa")], [reap(1), label(0, "ccccccc"), labelIs(2, "ccccccc")]],
    check(world) {
      for (let id = 1; id < 3; id++) {
        const held = world.m[LABEL_REGISTRY_BASE + id * LABEL_REGISTRY_WORDS] as number;
        if (held < 0) world.fail(`label number ${id} is still being taken by seat ${-held}`);
      }
    },
  },
  {
    name: "free-count-death",
    about: "a worker dies while it frees: no allocation is counted that never was",
    killable: [1],
    setup: one,
    scripts: [[free("x")], [reap(1), readCounters]],
  },
  {
    name: "collect-count-death",
    about: "an owner dies while it takes back: what others freed counts as theirs",
    killable: [1],
    setup(s) {
      shared(s);
      s.alloc(1, "y");
      s.give(1, 2, "y");
    },
    scripts: [[wait("f"), alloc("z")], [free("x"), free("y"), signal("f"), reap(1)]],
    check: counted(C_REMOTE_COLLECTED, 2),
  },
  {
    name: "own-count-death",
    about: "an owner that has taken back before dies in a free of its own",
    killable: [1],
    setup(s) {
      shared(s);
      s.alloc(1, "y");
    },
    scripts: [[wait("f"), alloc("z"), free("y")], [free("x"), signal("f"), reap(1)]],
    check: counted(C_REMOTE_COLLECTED, 1),
  },
  {
    name: "discard-count-death",
    about: "an owner dies while it carries a discard out: those objects count as discarded",
    killable: [1],
    setup: one,
    scripts: [[wait("d"), sync], [discard(2), signal("d"), reap(1)]],
    check: counted(C_DISCARDED, 1),
  },
  {
    name: "facts-older",
    about: "slabs of two eras of one ring slot are given back, the older one later",
    setup(s) {
      s.alloc(1, "x");
      s.advance();
      s.advance();
      s.alloc(1, "y");
    },
    scripts: [[free("y"), close(4), free("x")], [sync]],
    check(world) {
      const { layout } = world.oracle;
      const seat = (world.actors[0] as Actor).heap._a.seat;
      const era = world.m[seatAt(layout, seat) + layout.seatEpochShards + EF_ERA] as number;
      if (era !== 4) world.fail(`the newest era worker 1 gave slabs back of is 4, but its facts are about ${era}`);
    },
  },
];
