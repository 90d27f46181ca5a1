/** Scenarios that show one step each, with an order of events that the general ones leave to chance: epochs, discards, domains, labels. */
import { EF_ERA, EF_RECYCLED } from "../../../src/allocator/counters/fields.js";
import {
  ERA,
  LABEL_REGISTRY_BASE,
  LABEL_REGISTRY_WORDS,
  REC_BASE,
  seatAt,
} from "../../../src/allocator/memory/layout.js";
import { EPOCH_ACTIVE, packRec } from "../../../src/allocator/words/epoch-word.js";
import {
  advance,
  alloc,
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
  readLabel,
  reap,
  retain,
  sync,
  take,
} from "../explorer/ops.js";
import type { Scenario } from "../explorer/setup.js";
import type { Actor } from "../explorer/world.js";

import { alone, domainAlloc, enterAny, honest, labelIs, lapped, one, shared } from "./pointed-ops.js";

export const POINTED_EPOCHS: readonly Scenario[] = [
  {
    name: "enter-stay",
    about: "a member stays while another comes and goes",
    scripts: [[enter("d"), exit("d")], [enter("d")]],
  },
  {
    name: "retain-stay",
    about: "a reference is taken and kept while the last member leaves",
    scripts: [[enter("d"), exit("d")], [retain(0)]],
  },
  {
    name: "close-told",
    about: "an alloc after somebody said that the epoch is closed",
    setup: one,
    scripts: [
      [take("c"), alloc("y")],
      [close(2), give("c")],
    ],
  },
  {
    name: "epoch-bins",
    about: "an alloc after somebody said that there is a new epoch",
    setup: one,
    scripts: [
      [take("c"), alloc("y")],
      [advance, give("c")],
    ],
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
    scripts: [
      [take("d"), free("x")],
      [discard(2), give("d")],
    ],
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
    name: "discard-old-late",
    about: "the same for an owner that is up to date but for a close of something else",
    slabs: 1,
    setup(s) {
      lapped(s);
      s.sync();
    },
    scripts: [[sync], [discard(2)], [close(3)]],
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
    scripts: [
      [enter("d"), domainAlloc, exit("d")],
      [advance, advance],
    ],
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
    scripts: [
      [alloc("y", { epoch: 1 })],
      [call("sync", (actor) => actor.own.sync(actor.heap._a, false) as never), alloc("x"), detach],
    ],
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
      const facts = seatAt(layout, seat) + layout.seatEpochShards;
      const [era, slabs] = [world.m[facts + EF_ERA], world.m[facts + EF_RECYCLED]];
      if (era !== 4 || slabs !== 1)
        world.fail(`worker 1 gave back one slab of era 4, not ${slabs} of era ${era}`);
    },
  },
];
