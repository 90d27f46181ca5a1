/** Slabs and runs: taking, giving back, hints, and large objects in each other's way. */
import { advance, alloc, close, free, large, sync } from "../explorer/ops.js";
import type { Scenario, Setup } from "../explorer/setup.js";

/** Size class of whole slabs' halves is not needed here: one object per slab. */
const BIG = { sizeClasses: [2048] };

const one = (s: Setup): unknown => s.alloc(1, "x");

function run(s: Setup): void {
  s.alloc(1, "w", 8192);
  s.give(1, 2, "w");
}

export const SLABS: readonly Scenario[] = [
  {
    name: "acquire-two",
    about: "two workers want the only slab",
    slabs: 1,
    core: true,
    scripts: [[alloc("x")], [alloc("y")]],
  },
  {
    name: "acquire-three",
    about: "three workers want two slabs",
    core: true,
    scripts: [[alloc("x"), free("x")], [alloc("y")], [alloc("z")]],
  },
  {
    name: "hint-race",
    about: "a slab is given back and taken for the next era at once",
    slabs: 1,
    core: true,
    setup: one,
    scripts: [
      [free("x"), close(2), advance],
      [alloc("y"), alloc("z")],
    ],
  },
  {
    name: "hint-lost",
    about: "losers of a claim do not take the winner's hint along",
    slabs: 1,
    core: true,
    scripts: [[alloc("x"), free("x"), close(2)], [alloc("y")]],
  },
  {
    name: "hint-lost-three",
    about: "the same with two losers",
    slabs: 1,
    setup: one,
    scripts: [[free("x"), advance], [alloc("y")], [alloc("z")]],
  },
  {
    name: "hint-two-slabs",
    about: "two slabs given back and taken by two workers",
    scripts: [
      [alloc("x"), free("x"), advance],
      [alloc("y"), free("y")],
    ],
  },
  {
    name: "free-map-levels",
    about: "33 slabs: a hint and the summary above it",
    slabs: 33,
    options: BIG,
    setup(s) {
      for (let i = 0; i < 32; i++) s.alloc(1, `f${i}`, 4096);
      s.alloc(1, "x");
      s.advance();
    },
    scripts: [
      [free("x"), alloc("a")],
      [alloc("y"), free("y"), advance],
    ],
  },
  {
    name: "run-conflict",
    about: "two overlapping runs",
    slabs: 3,
    core: true,
    scripts: [[large("x", 2)], [large("y", 2)]],
  },
  {
    name: "run-conflict-long",
    about: "a run of three and a run of two in four slabs",
    slabs: 4,
    scripts: [[large("x", 3)], [large("y", 2)]],
  },
  {
    name: "run-conflict-three",
    about: "two runs and a single slab",
    slabs: 3,
    core: true,
    scripts: [[large("x", 2), free("x")], [large("y", 2)], [alloc("z")]],
  },
  {
    name: "run-remote",
    about: "a large object is freed remotely while its owner allocates",
    core: true,
    setup: run,
    scripts: [
      [alloc("q"), sync],
      [free("w"), alloc("z")],
    ],
  },
  {
    name: "run-free-race",
    about: "owner and another worker free one large object",
    core: true,
    setup: run,
    scripts: [[free("w"), large("v", 2)], [free("w")]],
  },
  {
    name: "run-close",
    about: "a large object is allocated while its epoch closes",
    core: true,
    scripts: [[large("x", 2), free("x")], [close(2)]],
  },
  {
    name: "run-under-foot",
    about: "a run is given back while another worker takes its slabs one by one",
    slabs: 3,
    setup: run,
    scripts: [
      [free("w"), sync],
      [alloc("a"), alloc("b"), alloc("c")],
    ],
  },
  {
    name: "run-retired-head",
    about: "a run whose head has used up its generations",
    slabs: 3,
    retires: true,
    setup(s) {
      run(s);
      s.age(1, "w", 1);
      s.give(1, 2, "w");
    },
    scripts: [
      [sync, large("x", 2)],
      [free("w"), alloc("y")],
    ],
  },
];
