/** Deaths: a worker vanishes at any access, and whoever reaps it may vanish too. */
import { advance, alloc, attach, close, discard, free, large, reap, sync } from "../explorer/ops.js";
import type { Scenario, Setup } from "../explorer/setup.js";

/** x and y fill worker 1's slab. */
function full(s: Setup, knowX: readonly number[] = [], knowY: readonly number[] = []): void {
  s.alloc(1, "x");
  s.alloc(1, "y");
  for (const worker of knowX) s.give(1, worker, "x");
  for (const worker of knowY) s.give(1, worker, "y");
}

/** Worker 1 is dead and leaves x; the workers named know it. */
function orphan(s: Setup, know: readonly number[] = []): void {
  s.alloc(1, "x");
  for (const worker of know) s.give(1, worker, "x");
  s.kill(1);
}

export const DEATHS: readonly Scenario[] = [
  {
    name: "death-alloc",
    about: "a worker dies while it allocates, in the only slab",
    slabs: 1,
    core: true,
    killable: [1],
    scripts: [
      [alloc("x"), alloc("y")],
      [reap(1), alloc("z")],
    ],
  },
  {
    name: "death-claim",
    about: "a worker dies while it takes a slab used before",
    slabs: 1,
    core: true,
    killable: [1],
    setup(s) {
      s.alloc(1, "o");
      s.free(1, "o");
      s.advance();
      s.sync();
    },
    scripts: [[alloc("x")], [reap(1), alloc("y"), alloc("z")]],
  },
  {
    name: "death-claim-close",
    about: "the same while another worker closes the epoch",
    slabs: 1,
    killable: [1],
    scripts: [[alloc("x"), alloc("x2")], [close(2)], [reap(1), advance, alloc("y")]],
  },
  {
    name: "death-free",
    about: "a worker dies while it frees its own",
    core: true,
    killable: [1],
    setup: (s) => full(s),
    scripts: [
      [free("x"), alloc("z"), free("y")],
      [reap(1), alloc("p"), alloc("q")],
    ],
  },
  {
    name: "death-recycle",
    about: "a worker dies while it gives a slab back",
    slabs: 1,
    core: true,
    killable: [1],
    setup(s) {
      s.alloc(1, "x");
    },
    scripts: [
      [free("x"), close(2), sync],
      [reap(1), advance, alloc("y")],
    ],
  },
  {
    name: "death-owner",
    about: "an owner dies while others free its objects and reap it",
    killable: [1],
    setup: (s) => full(s, [2], [3]),
    scripts: [
      [free("y"), alloc("z")],
      [free("x"), reap(1)],
      [reap(1), alloc("r")],
    ],
  },
  {
    name: "death-owner-two",
    about: "an owner dies while it allocates and frees beside a remote free",
    killable: [1],
    setup: (s) => full(s, [2]),
    scripts: [
      [alloc("z"), free("y")],
      [free("x"), sync],
      [reap(1), alloc("r"), sync],
    ],
  },
  {
    name: "death-remote",
    about: "a worker dies while it frees remotely; the owner still gets the slot back",
    core: true,
    killable: [2],
    setup: (s) => full(s, [2], [3]),
    scripts: [[alloc("p"), sync], [free("x")], [free("y"), reap(2)]],
  },
  {
    name: "death-remote-close",
    about: "the same while the owner closes",
    killable: [2],
    setup(s) {
      s.alloc(1, "x");
      s.give(1, 2, "x");
    },
    scripts: [[close(2), sync], [free("x")], [reap(2)]],
  },
  {
    name: "death-remote-unseen",
    about: "the same with an owner that only polls",
    killable: [2],
    setup(s) {
      s.alloc(1, "x");
      s.give(1, 2, "x");
    },
    scripts: [[sync, sync], [free("x")], [reap(2), close(2)]],
  },
  {
    name: "death-collect",
    about: "an owner dies while it takes remote frees back",
    core: true,
    killable: [1],
    setup: (s) => full(s, [2], [2]),
    scripts: [
      [alloc("p"), sync],
      [free("x"), free("y")],
      [reap(1), alloc("q")],
    ],
  },
  {
    name: "death-zeroing",
    about: "a heap that zeroes: an owner dies while it frees, takes back, or adopts",
    options: { zeroOnFree: true },
    killable: [1, 3],
    kills: 2,
    setup: (s) => full(s, [2]),
    scripts: [
      [free("y"), alloc("z"), alloc("w")],
      [free("x"), reap(1), reap(3), alloc("p"), alloc("q")],
      [reap(1), alloc("r"), alloc("s")],
    ],
  },
  {
    name: "death-adopt",
    about: "a worker dies while it adopts",
    slabs: 1,
    killable: [2],
    setup(s) {
      full(s, [4]);
      s.kill(1);
    },
    scripts: [[], [reap(1), alloc("p")], [reap(2), alloc("q")], [free("x")]],
  },
  {
    name: "death-reap",
    about: "a reaper dies; whoever reaps it takes over",
    slabs: 1,
    core: true,
    killable: [2],
    setup: (s) => orphan(s, [3]),
    scripts: [[], [reap(1), alloc("p")], [free("x"), reap(1), reap(2), alloc("q")]],
  },
  {
    name: "reapers-two",
    about: "two workers reap one, and a new worker takes the seat",
    slabs: 1,
    setup: (s) => orphan(s),
    unattached: [4],
    options: { maxWorkers: 4 },
    scripts: [[], [reap(1)], [reap(1)], [attach, alloc("q")]],
  },
  {
    name: "reapers-two-busy",
    about: "the same with work for everybody",
    setup: (s) => orphan(s, [4]),
    unattached: [4],
    options: { maxWorkers: 4 },
    scripts: [[], [reap(1)], [reap(1), alloc("r")], [attach, alloc("q"), free("x")]],
  },
  {
    name: "reap-death-attach",
    about: "a reaper dies, its reaper takes over, a new worker attaches meanwhile",
    slabs: 1,
    setup: (s) => orphan(s),
    unattached: [4],
    options: { maxWorkers: 4 },
    killable: [2],
    scripts: [[], [reap(1)], [reap(1), reap(2)], [attach, alloc("q")]],
  },
  {
    name: "reap-chain",
    about: "reapers of reapers, two of them dying",
    slabs: 1,
    setup: (s) => orphan(s),
    killable: [2, 3],
    kills: 2,
    scripts: [[], [reap(1)], [reap(2), alloc("y")], [reap(3), reap(2), reap(1), alloc("q")]],
  },
  {
    name: "reap-pending",
    about: "a remote free that names the dead owner's seat, which has a new holder",
    slabs: 1,
    setup: (s) => orphan(s, [4]),
    unattached: [3],
    options: { maxWorkers: 4 },
    scripts: [[], [reap(1)], [attach, alloc("q"), sync], [free("x")]],
  },
  {
    name: "death-advance",
    about: "a worker dies while it advances",
    core: true,
    killable: [1],
    setup(s) {
      s.alloc(2, "x");
    },
    scripts: [[advance], [alloc("y"), alloc("z")], [reap(1), alloc("q")]],
  },
  {
    name: "death-advance-two",
    about: "a worker dies while two advance",
    killable: [1],
    setup(s) {
      s.alloc(1, "x");
    },
    scripts: [[advance], [advance], [reap(1), alloc("q")]],
  },
  {
    name: "death-close",
    about: "a worker dies while it closes",
    killable: [1],
    setup(s) {
      s.alloc(2, "x");
    },
    scripts: [[close(2)], [free("x"), sync], [reap(1)]],
  },
  {
    name: "death-discard",
    about: "a worker dies while it discards",
    slabs: 1,
    killable: [2],
    setup(s) {
      s.alloc(1, "x");
    },
    scripts: [[sync, alloc("z")], [discard(2)], [reap(2), advance, advance]],
  },
  {
    name: "death-discarded-owner",
    about: "an owner dies while it carries a discard out",
    killable: [1],
    setup: (s) => full(s),
    scripts: [[alloc("z"), sync], [discard(2)], [reap(1)]],
  },
  {
    name: "orphan-free",
    about: "a remote free of an object whose slab nobody owns",
    core: true,
    setup: (s) => orphan(s, [2]),
    scripts: [[], [free("x")], [reap(1), close(2)]],
  },
  {
    name: "orphan-adopt-two",
    about: "a remote free while the slab is orphaned and adopted",
    slabs: 1,
    core: true,
    setup(s) {
      full(s, [2]);
      s.kill(1);
    },
    scripts: [[], [free("x"), alloc("p")], [reap(1), alloc("q")]],
  },
  {
    name: "orphan-late",
    about: "a worker polls while another one's slabs are orphaned",
    setup: (s) => orphan(s),
    scripts: [[], [sync, alloc("y")], [reap(1)]],
  },
  {
    name: "run-death-claim",
    about: "a worker dies while it takes a run, beside another run of its own",
    slabs: 4,
    core: true,
    killable: [1],
    setup(s) {
      s.alloc(1, "w", 8192);
    },
    scripts: [
      [large("x", 2), free("w")],
      [reap(1), large("y", 2)],
    ],
  },
  {
    name: "run-death-free",
    about: "a worker dies while it frees a run that others free and use too",
    slabs: 3,
    killable: [1],
    setup(s) {
      s.alloc(1, "w", 8192);
      s.give(1, 2, "w");
    },
    scripts: [[free("w")], [free("w"), reap(1), alloc("z")], [reap(1), alloc("y"), alloc("y2")]],
  },
  {
    name: "run-death-again",
    about: "a run is freed and a longer one taken, and its owner dies",
    slabs: 3,
    killable: [1],
    setup(s) {
      s.alloc(1, "w", 8192);
      s.give(1, 2, "w");
    },
    scripts: [
      [free("w"), large("v", 3)],
      [free("w"), reap(1), large("z", 3)],
    ],
  },
  {
    name: "run-orphan",
    about: "an orphaned run: freed, reaped and taken by a new worker",
    setup(s) {
      s.alloc(1, "w", 8192);
      s.give(1, 2, "w");
      s.kill(1);
    },
    unattached: [4],
    options: { maxWorkers: 4 },
    scripts: [[], [free("w"), alloc("q")], [reap(1), alloc("z")], [attach, alloc("y")]],
  },
  {
    name: "deaths-two",
    about: "two workers die, each freeing the other's object",
    killable: [1, 2],
    kills: 2,
    setup(s) {
      s.alloc(1, "x");
      s.alloc(2, "y");
      s.give(1, 2, "x");
      s.give(2, 1, "y");
    },
    scripts: [
      [free("y"), alloc("z")],
      [free("x"), advance],
      [reap(1), reap(2)],
    ],
  },
  {
    name: "generations-end-death",
    about: "a worker dies around the last generation of a slot",
    slabs: 1,
    retires: true,
    killable: [1],
    setup(s) {
      s.alloc(1, "x");
      s.age(1, "x", 2);
      s.give(1, 2, "x");
    },
    scripts: [
      [alloc("p"), free("p"), alloc("q"), free("q")],
      [free("x"), reap(1), alloc("r"), free("r")],
    ],
  },
];
