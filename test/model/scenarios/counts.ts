/** Counters: folding a slab's counts, the note of a count under way, facts about epochs; read meanwhile, killed meanwhile. */
import { advance, alloc, close, discard, free, readCounters, reap, sample, sync } from "../explorer/ops.js";
import type { Scenario, Setup } from "../explorer/setup.js";

/** Worker 1's next allocation moves its slab's counts; others know x and y. */
function beforeFold(s: Setup): void {
  s.alloc(1, "x");
  s.alloc(1, "y");
  s.free(1, "y");
  s.nextFolds(1, "x");
  s.give(1, 2, "x");
}

export const COUNTS: readonly Scenario[] = [
  {
    name: "fold-read",
    about: "totals are read while a slab's counts move to its owner's counters",
    core: true,
    setup: beforeFold,
    scripts: [
      [alloc("z"), free("z"), alloc("w")],
      [readCounters, readCounters],
    ],
  },
  {
    name: "fold-read-recycle",
    about: "totals are read while slabs are given back and taken by another worker",
    setup: beforeFold,
    scripts: [
      [free("x"), close(2), alloc("p")],
      [alloc("q"), free("q")],
      [readCounters, readCounters],
    ],
  },
  {
    name: "fold-death",
    about: "a worker dies while its slab's counts move",
    core: true,
    killable: [1],
    setup: beforeFold,
    scripts: [
      [alloc("z"), free("z")],
      [readCounters, reap(1), readCounters],
    ],
  },
  {
    name: "commit-death",
    about: "an owner dies while it counts what others freed",
    core: true,
    killable: [1],
    setup(s) {
      s.alloc(1, "x");
      s.alloc(1, "y");
      s.give(1, 2, "x");
      s.give(1, 2, "y");
    },
    scripts: [
      [alloc("z"), alloc("w")],
      [free("x"), free("y"), reap(1)],
    ],
  },
  {
    name: "commit-reaper-death",
    about: "and its reaper dies while it completes that count",
    killable: [1, 2],
    kills: 2,
    setup(s) {
      s.alloc(1, "x");
      s.alloc(1, "y");
      s.free(1, "y");
      s.nextFolds(1, "x");
    },
    scripts: [[alloc("z")], [reap(1), alloc("p")], [reap(2), reap(1)]],
  },
  {
    name: "commit-discard-death",
    about: "an owner dies while it counts what a discard ended, beside a remote free",
    killable: [1],
    setup(s) {
      s.alloc(1, "x");
      s.alloc(1, "y");
      s.give(1, 2, "x");
    },
    scripts: [[sync], [free("x"), discard(2), reap(1)]],
  },
  {
    name: "facts-death",
    about: "a worker dies while it notes what a close gave back, and its seat goes on noting",
    killable: [1],
    setup(s) {
      s.alloc(1, "x");
    },
    scripts: [
      [free("x"), close(2), alloc("y"), free("y"), close(3)],
      [reap(1), advance],
    ],
  },
  {
    name: "sampled-death",
    about: "a worker that measures itself dies",
    killable: [1],
    setup(s) {
      s.alloc(2, "x");
      s.give(2, 1, "x");
    },
    scripts: [
      [sample, alloc("y"), free("x"), alloc("z")],
      [reap(1), alloc("p")],
    ],
  },
];
