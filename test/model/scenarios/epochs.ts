/** Epochs: opening, closing, and allocating meanwhile; the ring that comes round; PHASE and what it guards. */
import { advance, alloc, call, close, free, large, look, sync } from "../explorer/ops.js";
import type { Scenario, Setup } from "../explorer/setup.js";

const one = (s: Setup): unknown => s.alloc(1, "x");

/** x and y in worker 1's slab; worker 2 knows x. */
function shared(s: Setup): void {
  s.alloc(1, "x");
  s.alloc(1, "y");
  s.give(1, 2, "x");
}

export const EPOCHS: readonly Scenario[] = [
  {
    name: "alloc-close",
    about: "allocating while another worker closes the epoch",
    core: true,
    scripts: [[alloc("x"), alloc("y"), sync], [close(2)]],
  },
  {
    name: "alloc-close-advance",
    about: "allocating and freeing across an advance",
    core: true,
    setup: one,
    scripts: [
      [alloc("y"), free("x"), alloc("z")],
      [advance, alloc("q")],
    ],
  },
  {
    name: "alloc-in-closing",
    about: "allocating in an epoch by its id while it closes",
    setup: one,
    scripts: [
      [alloc("y", { epoch: 0 }), alloc("z", { epoch: 1 })],
      [close(2), alloc("q", { epoch: 1 })],
    ],
  },
  {
    name: "close-close",
    about: "two workers close one epoch",
    core: true,
    setup(s) {
      s.alloc(1, "x");
      s.give(1, 2, "x");
    },
    scripts: [
      [close(2), alloc("n")],
      [free("x"), close(2)],
    ],
  },
  {
    name: "close-three",
    about: "two closes and an advance",
    setup: one,
    scripts: [[close(2)], [close(2)], [alloc("q"), advance]],
  },
  {
    name: "advance-advance",
    about: "two workers advance",
    core: true,
    scripts: [[advance, alloc("x")], [advance]],
  },
  {
    name: "advance-three",
    about: "three advances by two workers",
    core: true,
    scripts: [[advance], [advance, advance, alloc("x")]],
  },
  {
    name: "close-wrap",
    about: "a late close while the ring comes round to its slot",
    core: true,
    setup: one,
    scripts: [
      [close(2), free("x")],
      [advance, advance],
    ],
  },
  {
    name: "wrap-undrained",
    about: "the ring comes round to an epoch that still has objects",
    core: true,
    setup: shared,
    scripts: [
      [alloc("z"), alloc("w")],
      [advance, advance, free("x")],
    ],
  },
  {
    name: "wrap-drains-late",
    about: "an owner that slept through a whole lap gives back what was freed meanwhile",
    setup: shared,
    scripts: [
      [free("y"), sync, alloc("z")],
      [advance, advance, alloc("r"), free("x")],
    ],
  },
  {
    name: "phase-race",
    about: "what a poll has honoured, and what it has not",
    core: true,
    setup: one,
    scripts: [[sync, alloc("y"), alloc("z")], [close(2)], [advance]],
  },
  {
    name: "phase-cached",
    about: "two polls around a close: nobody believes to be up to date with an old record",
    core: true,
    setup(s) {
      s.alloc(1, "x");
      s.free(1, "x");
    },
    scripts: [[sync, sync], [close(2)]],
  },
  {
    name: "poll-close",
    about: "polling and closing at once, with objects to free on both sides",
    core: true,
    setup(s) {
      shared(s);
      s.alloc(2, "u");
      s.give(2, 1, "u");
    },
    scripts: [
      [sync, free("u"), sync],
      [close(2), free("x"), sync],
    ],
  },
  {
    name: "look-wrap",
    about: "reading handles while their epoch closes and the ring goes on",
    setup: shared,
    scripts: [
      [close(2), free("y")],
      [
        look("x"),
        call("epochOf x", function* (actor) {
          const handle = actor.vars.get("x") as number;
          const ref = (yield* actor.heap.epochOf(handle)) as { era: number };
          actor.worker.see(ref.era);
          if (ref.era !== 2)
            actor.world.fail(`epochOf says era ${ref.era}, the object was allocated in era 2`);
        }),
        free("x"),
      ],
    ],
  },
  {
    name: "pressure",
    about: "a worker without memory asks another for its empty slab",
    slabs: 1,
    setup(s) {
      s.alloc(1, "x");
      s.free(1, "x");
    },
    scripts: [
      [sync, alloc("p")],
      [alloc("y"), alloc("z")],
    ],
  },
  {
    name: "pressure-large",
    about: "a run wanted where another worker's empty slab is in the way",
    setup(s) {
      s.alloc(1, "x");
      s.free(1, "x");
    },
    scripts: [
      [sync, alloc("p")],
      [large("y", 2), large("z", 2)],
    ],
  },
];
