/** Objects: freeing from several workers at once, stale handles, and taking remote frees back. */
import { alloc, close, free, freeOffset, give, look, sync, take } from "../explorer/ops.js";
import type { Scenario, Setup } from "../explorer/setup.js";

/** x and y fill a slab of worker 1, and the workers named know them too. */
function full(s: Setup, knowX: readonly number[], knowY: readonly number[] = []): void {
  s.alloc(1, "x");
  s.alloc(1, "y");
  for (const worker of knowX) s.give(1, worker, "x");
  for (const worker of knowY) s.give(1, worker, "y");
}

export const OBJECTS: readonly Scenario[] = [
  {
    name: "free-race",
    about: "the owner and another worker free one object",
    core: true,
    setup: (s) => full(s, [2]),
    scripts: [[free("x"), alloc("z")], [free("x")]],
  },
  {
    name: "free-race-three",
    about: "the owner and two other workers free one object, which is reused at once",
    core: true,
    setup: (s) => full(s, [2, 3]),
    scripts: [[free("x"), alloc("z"), free("y")], [free("x"), alloc("q")], [free("x")]],
  },
  {
    name: "free-remote-race",
    about: "two workers free one object of a third, which takes it back and reuses it",
    core: true,
    setup: (s) => full(s, [2, 3]),
    scripts: [[alloc("p"), alloc("q")], [free("x")], [free("x")]],
  },
  {
    name: "free-offset-race",
    about: "a free by offset while another object of the slab is freed remotely",
    setup: (s) => full(s, [], [2]),
    scripts: [[freeOffset("x"), alloc("z"), alloc("w")], [free("y")]],
  },
  {
    name: "stale-reuse",
    about: "a handle is used after its slot has a new object",
    core: true,
    setup(s) {
      s.alloc(1, "x");
      s.give(1, 2, "x");
    },
    scripts: [
      [free("x"), alloc("z"), give("z"), alloc("w")],
      [take("z"), look("x"), free("x"), free("z")],
    ],
  },
  {
    name: "stale-reuse-race",
    about: "a handle is freed remotely at the moment its slot gets a new object",
    core: true,
    setup: (s) => full(s, [2]),
    scripts: [
      [free("x"), alloc("z"), look("z"), free("z")],
      [look("x"), free("x"), look("x")],
    ],
  },
  {
    name: "stale-local",
    about: "an owner's stale handle, while another worker closes the epoch",
    setup(s) {
      s.alloc(1, "x");
      s.free(1, "x");
    },
    slabs: 1,
    scripts: [
      [alloc("z"), free("x"), free("z"), look("x")],
      [alloc("y"), close(2)],
    ],
  },
  {
    name: "remote-collect",
    about: "remote frees while the owner takes them back",
    core: true,
    setup: (s) => full(s, [2], [2]),
    scripts: [
      [alloc("p"), alloc("q"), sync],
      [free("x"), free("y")],
    ],
  },
  {
    name: "remote-collect-two",
    about: "two workers' remote frees while the owner takes them back",
    core: true,
    setup: (s) => full(s, [2], [3]),
    scripts: [[alloc("p"), alloc("q"), sync], [free("x")], [free("y")]],
  },
  {
    name: "two-pending",
    about: "remote frees in two slabs of one pending word",
    core: true,
    options: { sizeClasses: [4096] },
    setup(s) {
      s.alloc(1, "x", 4096);
      s.alloc(1, "y", 4096);
      s.give(1, 2, "x");
      s.give(1, 3, "y");
    },
    scripts: [[alloc("p", { size: 4096 }), sync, alloc("q", { size: 4096 })], [free("x")], [free("y")]],
  },
  {
    name: "remote-recycle",
    about: "a remote free of the last object while the slab is given back and taken again",
    core: true,
    setup: (s) => full(s, [2]),
    scripts: [
      [free("y"), close(2), sync],
      [free("x"), alloc("q")],
    ],
  },
  {
    name: "generations-end",
    about: "a slot at its last generations, freed by its owner and remotely",
    slabs: 1,
    retires: true,
    setup(s) {
      s.alloc(1, "x");
      s.age(1, "x", 2);
      s.give(1, 2, "x");
    },
    scripts: [
      [alloc("p"), free("p"), alloc("q"), free("q"), alloc("r"), free("r")],
      [free("x"), free("x"), alloc("s")],
    ],
  },
  {
    name: "zeroing",
    about: "freed contents are overwritten, remotely freed ones too",
    options: { zeroOnFree: true },
    setup: (s) => full(s, [2]),
    scripts: [[free("y"), alloc("z"), alloc("w")], [free("x")]],
  },
];
