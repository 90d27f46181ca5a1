/** Pages back to the system: taken, released, freed, while others take, free, close, discard, adopt or trim themselves. */
import {
  advance,
  alloc,
  attach,
  close,
  detach,
  discard,
  free,
  large,
  signal,
  sync,
  trim,
  wait,
} from "../explorer/ops.js";
import type { Scenario, Setup } from "../explorer/setup.js";
import { last, PAGES, warm } from "./release-setups.js";

const must = { must: true } as const;

const warmOne = (s: Setup): void => warm(s, 1);
const warmTwo = (s: Setup): void => warm(s, 2);
const warmThree = (s: Setup): void => warm(s, 3);

export const RELEASES: readonly Scenario[] = [
  {
    name: "release-close-alloc",
    about: "a close releases what another worker takes",
    ...PAGES,
    core: true,
    setup: warmTwo,
    scripts: [
      [close(3), close(4)],
      [alloc("y"), free("y"), alloc("z")],
    ],
  },
  {
    name: "release-close-own",
    about: "a close releases the slabs it drains, beside an alloc in the next epoch",
    ...PAGES,
    setup: (s) => s.alloc(1, "x"),
    scripts: [
      [free("x"), close(2)],
      [alloc("y"), alloc("z"), free("y")],
    ],
  },
  {
    name: "release-poll",
    about: "the last object of a closed epoch is freed, and a poll releases its slab",
    ...PAGES,
    slabs: 1,
    core: true,
    setup: last,
    scripts: [[free("x"), sync], [alloc("y")]],
  },
  {
    name: "release-trim-two",
    about: "two workers trim the same slabs",
    ...PAGES,
    core: true,
    setup: warmTwo,
    scripts: [[trim()], [trim()]],
  },
  {
    name: "release-trim-three",
    about: "the same with a third that takes what they leave",
    ...PAGES,
    slabs: 1,
    setup: warmOne,
    scripts: [[trim()], [trim()], [alloc("y")]],
  },
  {
    name: "release-trim-claim",
    about: "a worker takes and uses slabs while another one trims",
    ...PAGES,
    core: true,
    setup: warmTwo,
    scripts: [[trim()], [alloc("y", must), large("z", 1, must), free("y")]],
  },
  {
    name: "release-trim-again",
    about: "a slab is taken, given back and released anew while another worker trims",
    ...PAGES,
    slabs: 1,
    setup: warmOne,
    scripts: [[trim()], [alloc("y"), free("y"), advance, alloc("z")]],
  },
  {
    name: "release-late-look",
    about: "a slab is released, taken and used between another one's look and its hold",
    ...PAGES,
    slabs: 1,
    setup: warmOne,
    scripts: [[trim()], [trim(), alloc("y", must)]],
  },
  {
    name: "release-neighbours",
    about: "slabs of one word of the map are taken and released at once",
    ...PAGES,
    slabs: 3,
    core: true,
    setup(s) {
      warm(s, 1);
      s.alloc(2, "u", 4096);
    },
    scripts: [[trim()], [alloc("y"), alloc("y2"), alloc("z", must)]],
  },
  {
    name: "release-batches",
    about: "four slabs in two calls, while they are taken one by one",
    ...PAGES,
    slabs: 4,
    setup: (s) => warm(s, 4),
    scripts: [[trim(1)], [large("x", 1, must), large("y", 1, must), alloc("z", must)]],
  },
  {
    name: "release-reserve",
    about: "a close leaves one slab as it is, while others take and trim",
    pages: { reserveSlabs: 1 },
    slabs: 3,
    setup: warmThree,
    scripts: [[close(3)], [alloc("y"), free("y")], [trim(1)]],
  },
  {
    name: "release-run-claim",
    about: "a run is taken while its slabs' pages are released",
    ...PAGES,
    slabs: 3,
    core: true,
    setup: warmThree,
    scripts: [[trim()], [large("x", 2), free("x")]],
  },
  {
    name: "release-run-two",
    about: "a run of slabs without pages is taken beside a trim: its tails count as resident",
    ...PAGES,
    slabs: 3,
    setup(s) {
      warm(s, 3);
      s.trim();
      s.alloc(1, "x", 4096);
      s.advance();
      s.sync();
    },
    scripts: [[free("x"), trim()], [large("y", 2, must)]],
  },
  {
    name: "release-run-freed",
    about: "a run is given back and released while others take and trim its slabs",
    ...PAGES,
    slabs: 2,
    setup(s) {
      s.alloc(1, "w", 8192);
      s.give(1, 2, "w");
    },
    scripts: [
      [free("w"), trim()],
      [trim(), alloc("y")],
    ],
  },
  {
    name: "release-run-remote",
    about: "the same, freed remotely",
    ...PAGES,
    slabs: 3,
    setup(s) {
      s.alloc(1, "w", 8192);
      s.give(1, 2, "w");
    },
    scripts: [[trim()], [free("w"), alloc("y"), trim()]],
  },
  {
    name: "release-remote",
    about: "a slab is emptied remotely, collected, given back and released, and taken",
    ...PAGES,
    slabs: 1,
    core: true,
    setup: last,
    scripts: [
      [sync, trim()],
      [free("x"), trim(), alloc("y")],
    ],
  },
  {
    name: "release-trim-empty",
    about: "a trim asks for empty slabs of the open epoch while they are used again",
    ...PAGES,
    setup(s) {
      s.alloc(1, "x");
      s.free(1, "x");
    },
    scripts: [
      [alloc("a"), free("a"), sync],
      [trim(), trim()],
    ],
  },
  {
    name: "release-discard",
    about: "an epoch is discarded, and released, while a worker trims and frees in it",
    ...PAGES,
    setup(s) {
      s.alloc(1, "x");
      s.advance();
      s.sync();
    },
    scripts: [[free("x"), trim()], [discard(2)]],
  },
  {
    name: "release-discard-alloc",
    about: "the same against allocs",
    ...PAGES,
    slabs: 1,
    setup: (s) => s.alloc(1, "x"),
    scripts: [[alloc("y"), sync], [discard(2), alloc("z")], [trim()]],
  },
  {
    name: "release-room",
    about: "the only slab is being released when an alloc wants it",
    ...PAGES,
    slabs: 1,
    core: true,
    setup: warmOne,
    scripts: [[trim()], [alloc("y", must)]],
  },
  {
    name: "release-room-run",
    about: "all slabs are being released when a run wants them",
    ...PAGES,
    core: true,
    setup: warmTwo,
    scripts: [[trim()], [large("y", 2, must)]],
  },
  {
    name: "release-room-full",
    about: "the same for a worker that has found the heap full before",
    ...PAGES,
    slabs: 1,
    core: true,
    setup(s) {
      last(s);
      s.full(2);
    },
    scripts: [
      [free("x"), signal("f"), sync],
      [wait("f"), alloc("y", must)],
    ],
  },
  {
    name: "release-room-two",
    about: "two workers release the only slab by turns when an alloc wants it",
    ...PAGES,
    slabs: 1,
    setup: warmOne,
    scripts: [[trim()], [trim()], [alloc("y", must)]],
  },
  {
    name: "release-refused",
    about: "the system refuses the first call of each worker",
    pages: { refuses: (call) => call === 1 },
    slabs: 1,
    core: true,
    setup: warmOne,
    scripts: [
      [trim(), trim()],
      [alloc("y"), free("y"), close(3)],
    ],
  },
  {
    name: "release-refused-thrown",
    about: "the same, by an error; and a close leaves it alone then",
    pages: { refuses: (call) => call === 1, throws: true },
    slabs: 3,
    setup: warmThree,
    scripts: [
      [trim(), close(3)],
      [alloc("y", must), trim()],
    ],
    check(world) {
      const { calls } = world.pages.released(0);
      if (calls > 1) world.fail(`R7: worker 1 tried again at once what was refused: ${calls} calls`);
    },
  },
  {
    name: "release-large-pages",
    about: "pages of two slabs: one whose neighbour is in use stays",
    pages: { pageBytes: 8192 },
    slabs: 5,
    setup: (s) => warm(s, 5),
    scripts: [[trim(1)], [alloc("y"), free("y"), trim()]],
  },
  {
    name: "release-large-page-used",
    about: "the same while the neighbours are taken one by one",
    pages: { pageBytes: 8192 },
    slabs: 4,
    setup: (s) => warm(s, 4),
    scripts: [[trim()], [large("x", 1), large("y", 1), alloc("z")]],
  },
  {
    name: "release-books",
    about: "the system is told before released slabs are used again",
    pages: { books: true },
    slabs: 3,
    setup(s) {
      warm(s, 3);
      s.trim();
    },
    scripts: [[alloc("x"), large("y", 2), trim()], [trim()]],
  },
  {
    name: "release-zeroed",
    about: "a heap that zeroes: what was released is empty, what was used again is emptied",
    ...PAGES,
    slabs: 1,
    options: { zeroOnFree: true },
    setup: warmOne,
    scripts: [[trim()], [alloc("y"), free("y"), alloc("z")]],
  },
  {
    name: "release-detach",
    about: "a worker that leaves releases its slabs while others adopt and take",
    ...PAGES,
    core: true,
    setup(s) {
      s.alloc(1, "x");
      s.alloc(1, "y");
      s.alloc(1, "u");
      s.give(1, 2, "u");
    },
    scripts: [
      [free("x"), free("y"), detach],
      [free("u"), alloc("z")],
    ],
  },
  {
    name: "release-detach-attach",
    about: "the seat of a worker that leaves, and releases, is taken at once",
    ...PAGES,
    slabs: 1,
    unattached: [3],
    options: { maxWorkers: 3 },
    setup: warmOne,
    scripts: [[alloc("x"), free("x"), detach], [], [attach, alloc("y"), trim()]],
  },
];
