/** Deaths between taking slabs, giving their pages back and freeing them, and what follows: reaping, reuse, a new holder. */
import { SEAT_WORD, seatAt } from "../../../src/allocator/memory/layout.js";
import { SEAT_FREE, seatState } from "../../../src/allocator/words/seat-word.js";
import { alloc, attach, detach, free, large, type Op, reap, sync, trim } from "../explorer/ops.js";
import type { Scenario, Setup } from "../explorer/setup.js";
import { alone } from "./pointed-ops.js";
import { last, PAGES, warm } from "./release-setups.js";

const must = { must: true } as const;
const warmOne = (s: Setup): void => warm(s, 1);
const warmTwo = (s: Setup): void => warm(s, 2);

/** Takes worker 1's seat when it is free; gives up when nobody else is left. */
const attachLate: Op = {
  ...attach,
  ready(world, actor) {
    const { m, oracle } = world;
    return seatState(m[seatAt(oracle.layout, 2) + SEAT_WORD] as number) === SEAT_FREE || alone(world, actor);
  },
};

export const RELEASE_DEATHS: readonly Scenario[] = [
  {
    name: "release-death",
    about: "a worker dies while it releases; whoever reaps it uses the slabs",
    ...PAGES,
    core: true,
    killable: [1],
    setup: warmTwo,
    scripts: [[trim()], [reap(1), large("y", 2), free("y")]],
  },
  {
    name: "release-death-poll",
    about: "a worker dies while it gives back and releases its last slab",
    ...PAGES,
    slabs: 1,
    killable: [1],
    setup: last,
    scripts: [
      [free("x"), sync],
      [reap(1), alloc("y"), trim()],
    ],
  },
  {
    name: "release-death-claim",
    about: "a worker dies while it takes a slab without pages; its adopter writes there",
    ...PAGES,
    slabs: 1,
    core: true,
    killable: [1],
    setup(s) {
      warm(s, 1);
      s.trim();
    },
    scripts: [[alloc("x")], [reap(1), alloc("y"), trim()]],
  },
  {
    name: "release-death-run",
    about: "the same with a run",
    ...PAGES,
    slabs: 3,
    killable: [1],
    setup(s) {
      warm(s, 3);
      s.trim();
    },
    scripts: [[large("x", 2)], [reap(1), trim(), large("y", 3)]],
  },
  {
    name: "release-death-run-zeroed",
    about: "the same in a heap that zeroes",
    ...PAGES,
    slabs: 2,
    options: { zeroOnFree: true },
    killable: [1],
    setup(s) {
      warm(s, 2);
      s.trim();
    },
    scripts: [
      [large("x", 2), free("x")],
      [reap(1), trim()],
    ],
  },
  {
    name: "release-death-two",
    about: "a worker dies while it releases beside another one that does",
    ...PAGES,
    killable: [1],
    setup: warmTwo,
    scripts: [[trim()], [trim(), reap(1), trim()]],
  },
  {
    name: "release-death-alloc",
    about: "a worker dies while it releases the only slab, which an alloc waits for",
    ...PAGES,
    slabs: 1,
    killable: [1],
    setup: warmOne,
    scripts: [[trim()], [alloc("y")], [reap(1), alloc("z")]],
  },
  {
    name: "release-death-reapers",
    about: "two reap a dead releaser, one of them releasing itself",
    ...PAGES,
    killable: [1],
    setup: warmTwo,
    scripts: [[trim()], [reap(1), trim()], [reap(1), alloc("y")]],
  },
  {
    name: "release-death-reaper",
    about: "whoever reaps a dead releaser dies too",
    ...PAGES,
    slabs: 1,
    killable: [1, 2],
    kills: 2,
    setup: warmOne,
    scripts: [[trim()], [reap(1), trim()], [reap(2), reap(1), alloc("y", must)]],
  },
  {
    name: "release-death-alive",
    about: "a worker is reaped while another one releases: that one keeps what it holds",
    ...PAGES,
    setup(s) {
      warm(s, 2);
      s.kill(3);
    },
    scripts: [[trim()], [reap(3), alloc("y")], []],
  },
  {
    name: "release-death-seat",
    about: "a dead releaser's seat has a new holder, which releases the same slabs",
    ...PAGES,
    slabs: 1,
    unattached: [3],
    options: { maxWorkers: 3 },
    killable: [1],
    setup: warmOne,
    scripts: [[trim()], [reap(1)], [attachLate, trim()]],
  },
  {
    name: "release-death-detach",
    about: "a worker dies while it leaves and releases",
    ...PAGES,
    killable: [1],
    setup(s) {
      s.alloc(1, "x");
      s.alloc(1, "y");
      s.alloc(1, "u");
    },
    scripts: [
      [free("x"), free("y"), detach],
      [reap(1), trim(), alloc("z")],
    ],
  },
  {
    name: "release-death-refused",
    about: "a worker dies around a call that the system refuses",
    pages: { refuses: (call) => call === 1 },
    slabs: 1,
    killable: [1],
    setup: warmOne,
    scripts: [
      [trim(), trim()],
      [reap(1), trim(), alloc("y")],
    ],
  },
];
