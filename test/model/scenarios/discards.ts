/** Discards: racing frees and allocs, the ring going on, several discards that hit one slab. */
import {
  advance,
  alloc,
  close,
  discard,
  discardBefore,
  free,
  give,
  large,
  look,
  reap,
  sync,
  take,
} from "../explorer/ops.js";
import type { Scenario, Setup } from "../explorer/setup.js";

const one = (s: Setup): unknown => s.alloc(1, "x");

/** Two advances after x was allocated: its ring slot has a newer era. */
function lapped(s: Setup): void {
  s.alloc(1, "x");
  s.advance(2);
  s.advance(2);
}

export const DISCARDS: readonly Scenario[] = [
  {
    name: "discard-race",
    about: "a discard against an alloc, an own free and a remote free",
    core: true,
    setup(s) {
      s.alloc(1, "x");
      s.alloc(1, "y");
      s.give(1, 2, "x");
    },
    scripts: [[alloc("z"), free("y"), sync], [free("x")], [discard(2)]],
  },
  {
    name: "discard-wrap",
    about: "the ring comes round before the owner has honoured a discard",
    core: true,
    setup: one,
    scripts: [
      [alloc("z"), look("x")],
      [discard(2), advance, advance],
    ],
  },
  {
    name: "discard-wrap-race",
    about: "a discard against two advances",
    core: true,
    setup: one,
    scripts: [[alloc("z")], [discard(2)], [advance, advance]],
  },
  {
    name: "discard-wrap-free",
    about: "a discard, remote and own frees, and the ring going on between them",
    setup(s) {
      s.alloc(1, "x");
      s.alloc(1, "y");
      s.give(1, 2, "x");
    },
    scripts: [
      [free("y"), sync],
      [discard(2), advance, free("x"), advance],
    ],
  },
  {
    name: "discard-old",
    about: "an epoch is discarded after its ring slot went on",
    setup: one,
    scripts: [
      [sync, alloc("z")],
      [advance, advance, discard(2)],
    ],
  },
  {
    name: "discard-old-recycle",
    about: "a late discard hits a slab that is given back and taken for a newer era",
    slabs: 1,
    core: true,
    setup: lapped,
    scripts: [[free("x"), alloc("z")], [discard(2)]],
  },
  {
    name: "discard-two",
    about: "discards of two eras of one ring slot hit one slab, the older one late",
    slabs: 1,
    setup: lapped,
    scripts: [[free("x"), alloc("z")], [discard(2)], [advance, advance, discard(4)]],
  },
  {
    name: "discard-two-late",
    about: "the same, once the slab belongs to the newer era",
    slabs: 1,
    setup: lapped,
    scripts: [
      [free("x"), alloc("z"), give("z"), sync],
      [discard(2)],
      [take("z"), advance, advance, discard(4)],
    ],
  },
  {
    name: "discard-other",
    about: "a discard of the newer era leaves the older era's objects in the same ring slot alone",
    slabs: 1,
    setup: lapped,
    scripts: [[sync, look("x")], [discard(4)]],
  },
  {
    name: "discard-late-claim",
    about: "a claim held up across a discard and a lap",
    slabs: 1,
    core: true,
    scripts: [[alloc("z")], [discard(2), advance, advance]],
  },
  {
    name: "discard-late-claim-closed",
    about: "a claim held up across a close, a lap and a late discard",
    slabs: 1,
    scripts: [[alloc("z")], [close(2), advance, advance, discard(2)]],
  },
  {
    name: "discard-orphan",
    about: "a discard hits a slab whose owner dies",
    setup: one,
    killable: [1],
    scripts: [[alloc("y")], [discard(2), alloc("p")], [reap(1)]],
  },
  {
    name: "discard-before",
    about: "everything older is discarded while somebody allocates and somebody advances",
    setup(s) {
      s.alloc(1, "x");
      s.advance(2);
    },
    scripts: [[free("x"), alloc("z")], [discardBefore(3)], [advance]],
  },
  {
    name: "discard-run",
    about: "a discard hits a large object that is freed remotely",
    setup(s) {
      s.alloc(1, "x", 8192);
      s.give(1, 2, "x");
    },
    scripts: [[sync, large("z", 2)], [free("x")], [discard(2)]],
  },
];
