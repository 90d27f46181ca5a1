/** One scenario for every defect that the explorer, the soak or the fuzzing has found, so that it stays found. */
import { advance, alloc, close, free, readCounters, reap } from "../explorer/ops.js";
import type { Scenario, Setup } from "../explorer/setup.js";

function full(s: Setup): void {
  s.alloc(1, "x");
  s.alloc(1, "y");
  s.give(1, 2, "x");
}

export const REGRESSIONS: readonly Scenario[] = [
  {
    // advanceEpoch returned the newest era, which another thread may have opened a moment ago; the next alloc was then of
    // an older epoch than the one the caller had been given, and a discard of everything older took its object.
    name: "found-advance-returned-later-era",
    about: "what is allocated after advanceEpoch is not older than what it returned",
    core: true,
    scripts: [[advance, alloc("x")], [advance]],
  },
  {
    // The counters could be seen before the slab's words that said what had been folded into them.
    name: "found-fold-counted-twice",
    about: "totals read while counts are folded, where stores get out of order",
    setup(s) {
      s.alloc(1, "x");
      s.alloc(1, "y");
      s.free(1, "y");
      s.nextFolds(1, "x");
    },
    scripts: [[alloc("z")], [readCounters]],
  },
  {
    // A slab that was taken again started at another count, and a reader saw one of the two words that say so.
    name: "found-counts-started-anew",
    about: "totals are read while a slab is given back and taken again",
    setup(s) {
      s.alloc(1, "x");
    },
    scripts: [[free("x"), close(2), alloc("p")], [readCounters]],
  },
  {
    // A slot became FREE before it was zeroed: whoever adopted it from a dead owner handed out old contents.
    name: "found-contents-survived-death",
    about: "a heap that zeroes: an owner dies while it takes a remote free back",
    options: { zeroOnFree: true },
    killable: [1],
    setup: full,
    scripts: [
      [alloc("z"), alloc("w")],
      [free("x"), reap(1), alloc("p"), alloc("q")],
    ],
  },
  {
    // The same in an adopter.
    name: "found-contents-survived-adopter",
    about: "a heap that zeroes: an adopter dies while it takes a remote free back",
    options: { zeroOnFree: true },
    killable: [3],
    setup(s) {
      full(s);
      s.kill(1);
    },
    scripts: [[], [free("x"), reap(3), reap(1), alloc("p"), alloc("q")], [reap(1), alloc("r")]],
  },
  {
    // The number of slabs in use was off for good by the slab that a thread died taking or giving back.
    name: "found-committed-drifted",
    about: "a worker dies while it takes a slab, and while it gives one back",
    killable: [1],
    setup(s) {
      s.alloc(1, "x");
      s.advance();
    },
    scripts: [[free("x"), alloc("y")], [reap(1)]],
  },
];
