/** Seats: taking one, giving it back, being suspected, and dying meanwhile. */
import { alloc, attach, detach, free, reap, suspect, sync } from "../explorer/ops.js";
import type { Scenario, Setup } from "../explorer/setup.js";

/** x and y fill worker 1's slab, and worker 2 knows x. */
function full(s: Setup): void {
  s.alloc(1, "x");
  s.alloc(1, "y");
  s.give(1, 2, "x");
}

export const SEATS: readonly Scenario[] = [
  {
    name: "death-attach",
    about: "a worker dies while it attaches",
    slabs: 1,
    killable: [3],
    unattached: [3],
    scripts: [
      [alloc("x"), free("x")],
      [reap(3), alloc("y")],
      [attach, alloc("q")],
    ],
  },
  {
    name: "attach-two",
    about: "two workers want the last seat",
    unattached: [1, 2],
    options: { maxWorkers: 2 },
    core: true,
    scripts: [[attach], [attach]],
  },
  {
    name: "detach-free",
    about: "a worker gives its seat back while its objects are freed",
    core: true,
    setup: full,
    scripts: [
      [free("y"), detach],
      [free("x"), sync, alloc("p")],
    ],
  },
  {
    name: "detach-death",
    about: "a worker dies while it gives its seat back",
    killable: [1],
    setup: full,
    scripts: [
      [free("y"), detach],
      [free("x"), reap(1), alloc("p")],
    ],
  },
  {
    name: "detach-attach",
    about: "a seat is given back and taken again",
    unattached: [2],
    options: { maxWorkers: 2 },
    setup(s) {
      s.alloc(1, "x");
      s.give(1, 2, "x");
    },
    scripts: [
      [alloc("y"), detach],
      [attach, free("x"), alloc("z")],
    ],
  },
  {
    name: "suspect",
    about: "a suspected worker answers, or is dead",
    slabs: 1,
    killable: [1],
    setup(s) {
      s.alloc(1, "x");
    },
    scripts: [
      [alloc("y"), free("x"), alloc("z")],
      [suspect(1), reap(1), alloc("q")],
    ],
  },
  {
    name: "suspect-two",
    about: "the same with two who suspect",
    slabs: 1,
    killable: [1],
    setup(s) {
      s.alloc(1, "x");
      s.give(1, 2, "x");
    },
    scripts: [
      [alloc("y"), alloc("z")],
      [suspect(1), free("x"), suspect(1)],
      [suspect(1), reap(1)],
    ],
  },
];
