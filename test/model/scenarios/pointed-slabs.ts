/** Scenarios that show one step each, with an order of events that the general ones leave to chance: objects, slabs, seats, counts. */
import { C_DISCARDED, C_REMOTE_COLLECTED } from "../../../src/allocator/counters/fields.js";
import {
  advance,
  alloc,
  attach,
  close,
  detach,
  discard,
  free,
  give,
  large,
  readCounters,
  reap,
  signal,
  sync,
  take,
  wait,
} from "../explorer/ops.js";
import type { Scenario } from "../explorer/setup.js";

import { allocIfFree, attachToFree, counted, one, shared } from "./pointed-ops.js";

export const POINTED_SLABS: readonly Scenario[] = [
  {
    name: "collect-stale",
    about: "a second remote free, whose pending bit is set already, while the owner takes back",
    setup(s) {
      shared(s);
      s.alloc(1, "y");
      s.give(1, 2, "y");
    },
    scripts: [[alloc("p")], [free("x"), free("y")]],
  },
  {
    name: "recycle-seen",
    about: "a slab is looked at while it is given back",
    slabs: 1,
    setup(s) {
      s.alloc(1, "x");
      s.advance(2);
      s.sync();
    },
    scripts: [[free("x")], [alloc("p")]],
  },
  {
    name: "run-conflict-tail",
    about: "a run of three loses its last slab to another worker",
    slabs: 4,
    scripts: [[large("x", 3)], [large("y", 1)]],
  },
  {
    name: "run-conflict-death",
    about: "the same, and the claimer of the run dies",
    slabs: 4,
    killable: [1],
    scripts: [[large("x", 3)], [large("y", 1), reap(1)]],
  },
  {
    name: "partial-close",
    about: "a slab waits for its turn when the epoch closes",
    slabs: 4,
    setup(s) {
      for (const name of ["x", "y", "u", "v"]) s.alloc(1, name);
      s.give(1, 2, "y");
    },
    scripts: [[free("x"), free("u"), close(2), alloc("a"), alloc("b"), alloc("c")], [free("y")]],
  },
  {
    name: "attach-both",
    about: "two workers want the last seat: one gets it and keeps it",
    unattached: [1, 2],
    options: { maxWorkers: 2 },
    scripts: [[attach], [attach]],
    check({ actors }) {
      for (const { heap, worker, world } of actors) {
        if (heap?._a.detached === true) world.fail(`worker ${worker.index + 1} got a seat and lost it`);
      }
    },
  },
  {
    name: "deep-cached",
    about: "an owner syncs while a worker that has freed untold is reaped",
    killable: [2],
    setup: shared,
    scripts: [[sync, sync], [free("x")], [close(2), reap(2)]],
  },
  {
    name: "detach-attach-lists",
    about: "a dead worker's seat is taken by one that allocates at once",
    unattached: [3],
    options: { maxWorkers: 3 },
    slabs: 3,
    setup(s) {
      s.alloc(1, "x");
      s.kill(1);
    },
    scripts: [[], [reap(1)], [attachToFree, alloc("q"), free("q")]],
  },
  {
    name: "commit-old-note",
    about: "a worker dies after it gave a slab back that another one allocates in",
    slabs: 1,
    killable: [1],
    setup: one,
    scripts: [
      [free("x"), close(2), sync],
      [sync, alloc("p"), reap(1)],
    ],
  },
  {
    name: "counts-exact",
    about: "every allocation and every free is counted once, whatever is given back between",
    slabs: 3,
    scripts: [[alloc("a"), free("a"), large("x", 2), free("x"), close(2), alloc("b")], [sync]],
    check(world) {
      const { allocCount, freeCount } = world.plain.heapCounters(world.janitor._a);
      if (allocCount !== 3 || freeCount !== 2) {
        world.fail(`I7: 3 allocations and 2 frees were made, ${allocCount} and ${freeCount} are counted`);
      }
    },
  },
  {
    name: "drained-fast-free",
    about: "an owner that has synced frees the last object of a closed epoch",
    setup: one,
    scripts: [
      [wait("a"), sync, free("x")],
      [advance, signal("a")],
    ],
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
    scripts: [
      [wait("f"), alloc("z")],
      [free("x"), free("y"), signal("f"), reap(1)],
    ],
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
    scripts: [
      [wait("f"), alloc("z"), free("y")],
      [free("x"), signal("f"), reap(1)],
    ],
    check: counted(C_REMOTE_COLLECTED, 1),
  },
  {
    name: "discard-count-death",
    about: "an owner dies while it carries a discard out: those objects count as discarded",
    killable: [1],
    setup: one,
    scripts: [
      [wait("d"), sync],
      [discard(2), signal("d"), reap(1)],
    ],
    check: counted(C_DISCARDED, 1),
  },
];
