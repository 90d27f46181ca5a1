/**
 * Defends: what a slab counts in one packed word is exact wherever its two fields stand, reaches its class's counters
 * once, is never seen as more than happened, and a thread that dies between any two stores has either counted or left a
 * note that completes the count.
 * Method: random histories near every place where a field, the word or a counter wraps, against plain numbers; commits
 * stopped before each of their accesses, finished as a reaper would, also by one that dies in its turn; a reader stopped
 * before each of its own while the owner goes on; slabs of real heaps, up to the largest one.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  C_DISCARDED,
  C_REMOTE_COLLECTED,
  COUNT_ALLOC,
  COUNT_FREE,
  SAMPLE_INTERVAL,
  SAMPLE_MASK,
} from "../../../src/allocator/counters/fields.js";
import { readCounter } from "../../../src/allocator/counters/record.js";
import {
  commit,
  finishCommit,
  foldCounts,
  liveCount,
  type SlabCounts,
} from "../../../src/allocator/counters/slab-counts.js";
import { SEAT_COMMIT_RECORD, SLAB_COUNTS, SLAB_FOLDED } from "../../../src/allocator/memory/offsets.js";
import { watchWords } from "../../regression/interleave.js";
import {
  alloc,
  BIN,
  CELLS,
  counters,
  free,
  MOST_LIVE,
  m,
  NOTE,
  occupancies,
  packed,
  positions,
  RECORD,
  readCells,
  SEAT,
  seen,
  setCell,
  start,
  TWO_14,
  TWO_32,
  upTo,
} from "./slab-counts-words.js";

describe("the packed word", () => {
  test("adding, taking away and the sampling mask are those of 14 bits above 18", () => {
    expect([COUNT_ALLOC, COUNT_FREE]).toEqual([packed(1, 1), packed(0, 1)]);
    expect(SAMPLE_INTERVAL).toBe(1024);
    for (let allocs = 0; allocs < TWO_14; allocs += 37) {
      expect((packed(allocs, MOST_LIVE) & SAMPLE_MASK) === 0).toBe(allocs % SAMPLE_INTERVAL === 0);
    }
    expect(packed(SAMPLE_INTERVAL * 5, MOST_LIVE) & SAMPLE_MASK).toBe(0);
  });

  test("the live count is exact wherever the fields stand, and read from outside the same", () => {
    fc.assert(
      fc.property(positions, occupancies, (allocs, live) => {
        start(allocs, live, 0);
        expect(liveCount(m, RECORD)).toBe(live);
        expect(seen()).toEqual({ occupied: live, unfoldedAllocs: 0, unfoldedFrees: 0 });
      }),
    );
  });

  test("up to 1024 allocations and a whole slab of frees are told apart across every wrap", () => {
    fc.assert(
      fc.property(
        positions,
        occupancies,
        fc.integer({ min: 0, max: SAMPLE_INTERVAL }),
        fc.nat(),
        (at, live, allocs, n) => {
          const frees = n % (live + allocs + 1);
          start(at, live, 0);
          m[RECORD + SLAB_COUNTS] = packed(at + allocs, live + allocs - frees);
          expect(seen()).toEqual({
            occupied: live + allocs - frees,
            unfoldedAllocs: allocs,
            unfoldedFrees: frees,
          });
        },
      ),
    );
  });
});

describe("random histories against plain numbers", () => {
  type Step = readonly [kind: "alloc" | "free" | "collect" | "discard" | "fold", amount: number];
  const few = fc.integer({ min: 1, max: 4 });
  const many = fc.integer({ min: 500, max: 3000 });
  const all = fc.constant(MOST_LIVE);
  const step: fc.Arbitrary<Step> = fc.oneof(
    fc.tuple(fc.constant("alloc" as const), fc.oneof(few, many)),
    fc.tuple(fc.constant("free" as const), fc.oneof(few, many, all)),
    fc.tuple(fc.constantFrom("collect" as const, "discard" as const), fc.oneof(few, many, all)),
    fc.tuple(fc.constant("fold" as const), fc.constant(0)),
  );
  /** Every one of its steps, looked at from outside. */
  function follow(steps: readonly Step[], at: number, live: number, from: number): void {
    start(at, live, from);
    const truth = { live, totals: [from, from, from, from], allocs: 0, frees: 0 };
    const folded = (): void => {
      truth.totals[0] += truth.allocs;
      truth.totals[1] += truth.frees;
      truth.allocs = truth.frees = 0;
    };
    let position = at;
    for (const [kind, amount] of steps) {
      const ended = Math.min(amount, truth.live);
      if (kind === "alloc") {
        for (let n = Math.min(amount, MOST_LIVE - truth.live); n > 0; n--) {
          alloc();
          truth.live++;
          truth.allocs++;
          if (++position % SAMPLE_INTERVAL === 0) folded();
        }
      } else if (kind === "free") {
        for (let n = 0; n < ended; n++) free();
        truth.frees += ended;
        truth.live -= ended;
      } else if (kind === "fold") {
        foldCounts(m, SEAT, RECORD, BIN);
        folded();
      } else {
        commit(m, SEAT, RECORD, BIN, kind === "collect" ? C_REMOTE_COLLECTED : C_DISCARDED, ended);
        folded();
        truth.totals[kind === "collect" ? 2 : 3] += ended;
        truth.live -= ended;
      }
      expect(truth.allocs).toBeLessThan(SAMPLE_INTERVAL);
      expect(liveCount(m, RECORD)).toBe(truth.live);
      expect(seen()).toEqual({
        occupied: truth.live,
        unfoldedAllocs: truth.allocs,
        unfoldedFrees: truth.frees,
      });
      expect(readCells()).toEqual(truth.totals);
      expect(m[RECORD + SLAB_COUNTS]).toBe(packed(position, truth.live));
      expect(m[SEAT + SEAT_COMMIT_RECORD]).toBe(0);
    }
  }

  test("every step leaves the counts and the counters as they should be", () => {
    const histories = fc.array(step, { minLength: 1, maxLength: 30 });
    fc.assert(fc.property(histories, positions, occupancies, counters, follow));
  });

  test("three times round the 14 bits, and round the counters' low words", () => {
    const pairs: Step[] = [];
    for (let n = 0; n < 3 * TWO_14; n += 700) pairs.push(["alloc", 700], ["free", 690], ["collect", 10]);
    for (const from of [0, 2 ** 31 - 20_000, TWO_32 - 20_000]) follow(pairs, 5, 3, from);
  });
});

/** Commits to take apart: what is unfolded before, and what else has ended. */
const COMMITS: readonly (readonly [string, number, number, number, number])[] = [
  // name, unfolded allocations, unfolded frees, cell, ended
  ["a fold", 10, 6, 0, 0],
  ["a fold of frees only", 0, 9, 0, 0],
  ["a full fold", SAMPLE_INTERVAL, SAMPLE_INTERVAL, 0, 0],
  ["a collect", 10, 6, C_REMOTE_COLLECTED, 3],
  ["a collect with nothing to fold", 0, 0, C_REMOTE_COLLECTED, 1],
  ["a discard", 3, 0, C_DISCARDED, 12],
];
/** Where the counts stand, and the counters, when a commit is taken apart. */
const PLACES = [
  [0, 0],
  [TWO_14 - 5, TWO_32 - 2],
  [TWO_14 / 2 - 5, 2 ** 31 - 2],
  [TWO_14 - 1, TWO_32 * 3 - 1],
];
const LIVE = 20;

describe.each(COMMITS)("%s", (_name, allocs, frees, cell, ended) => {
  const act = (words: Int32Array): void => commit(words, SEAT, RECORD, BIN, cell, ended);
  const before = LIVE + allocs - frees;
  const after = before - ended;
  const prepare = (at: number, from: number): void => {
    start(at, LIVE, from);
    m[RECORD + SLAB_COUNTS] = packed(at + allocs, before);
  };
  /** The counters when all of it is counted. */
  const whole = (from: number): number[] => [
    from + allocs,
    from + frees,
    from + (cell === C_REMOTE_COLLECTED ? ended : 0),
    from + (cell === C_DISCARDED ? ended : 0),
  ];
  /** All words but the note's must be as if nothing had happened but this. */
  const expectWhole = (at: number, from: number): void => {
    const words = m.slice();
    start(at + allocs, after, from);
    whole(from).forEach((value, i) => {
      setCell(BIN + CELLS[i], value);
    });
    for (const word of NOTE) m[SEAT + word] = words[SEAT + word];
    m[SEAT + SEAT_COMMIT_RECORD] = 0;
    expect(words).toEqual(m);
  };

  test.each(PLACES)("at %i, counters at %i: is whole, and a second finish adds nothing", (at, from) => {
    prepare(at, from);
    act(m);
    expectWhole(at, from);
    finishCommit(m, SEAT);
    foldCounts(m, SEAT, RECORD, BIN);
    expectWhole(at, from);
  });

  test.each(PLACES)("at %i, counters at %i: died at any access, so do its reapers", (at, from) => {
    let deaths = 0;
    let announced = 0;
    let reapersDied = 0;
    for (let n = 0; ; n++, deaths++) {
      prepare(at, from);
      if (!upTo(n, act)) break;
      const dead = m.slice();
      const noted = m[SEAT + SEAT_COMMIT_RECORD] !== 0;
      if (noted) announced++;
      // What anybody sees meanwhile is no more than happened.
      const { occupied, unfoldedAllocs, unfoldedFrees } = seen();
      expect([before, after]).toContain(occupied);
      const figures = readCells();
      const counted = [figures[0] + unfoldedAllocs, figures[1] + unfoldedFrees];
      if (!noted) expect(counted).toEqual(whole(from).slice(0, 2));
      counted.forEach((figure, i) => {
        expect(figure).toBeLessThanOrEqual(whole(from)[i]);
      });
      for (let k = 0; ; k++) {
        m.set(dead);
        const died = upTo(k, (words) => finishCommit(words, SEAT));
        // The next reaper may die as well: in its middle, having found what the first left.
        if (died) upTo(k >> 1, (words) => finishCommit(words, SEAT));
        finishCommit(m, SEAT);
        expect(m[SEAT + SEAT_COMMIT_RECORD]).toBe(0);
        if (liveCount(m, RECORD) === before && ended > 0) {
          // Nothing was done: whoever adopts the slab finds the excess, and counts it.
          expect(noted).toBe(false);
          expect(readCells()).toEqual([from, from, from, from]);
          act(m);
        }
        foldCounts(m, SEAT, RECORD, BIN);
        expectWhole(at, from);
        if (!died) break;
        reapersDied++;
      }
    }
    expectWhole(at, from);
    expect(deaths).toBeGreaterThan(18);
    expect(announced).toBeGreaterThan(4);
    expect(reapersDied).toBeGreaterThan(deaths);
  });

  test.each(PLACES)("at %i, counters at %i: a reader that takes the counters first", (at, from) => {
    prepare(at, from);
    const taken: number[][] = [];
    const looks: SlabCounts[] = [];
    const look = (): void => {
      taken.push(readCells());
      looks.push(seen());
    };
    watchWords(m, act, look);
    look();
    const [allAllocs, allFrees, ...others] = whole(from);
    expect(taken[0][0] + looks[0].unfoldedAllocs).toBe(allAllocs);
    expect(taken[0][1] + looks[0].unfoldedFrees).toBe(allFrees);
    for (let i = 0; i < taken.length; i++) {
      others.forEach((all, which) => {
        expect(taken[i][2 + which]).toBeLessThanOrEqual(all);
      });
      for (let j = i; j < looks.length; j++) {
        expect(taken[i][0] + looks[j].unfoldedAllocs).toBeLessThanOrEqual(allAllocs);
        expect(taken[i][1] + looks[j].unfoldedFrees).toBeLessThanOrEqual(allFrees);
        expect([before, after]).toContain(looks[j].occupied);
      }
    }
    expect(taken.at(-1)).toEqual(whole(from));
  });

  test("what an earlier commit left in the note is not done again", () => {
    prepare(0, 0);
    act(m);
    m[RECORD + SLAB_COUNTS] = packed(allocs + 1, after + 1);
    const words = m.slice();
    finishCommit(m, SEAT);
    expect(m).toEqual(words);
  });
});

test("a whole slab's worth ends in one commit, finished from the note alone", () => {
  for (const from of [0, TWO_32 - 1000]) {
    for (const cell of [C_REMOTE_COLLECTED, C_DISCARDED]) {
      start(TWO_14 - 1, MOST_LIVE - 1, from);
      alloc();
      const dead = m.slice();
      watchWords(
        m,
        (words) => commit(words, SEAT, RECORD, BIN, cell, MOST_LIVE),
        () => {
          if (m[SEAT + SEAT_COMMIT_RECORD] !== 0 && m[RECORD + SLAB_FOLDED] === dead[RECORD + SLAB_FOLDED])
            dead.set(m);
        },
      );
      const done = m.slice();
      m.set(dead);
      expect(m[SEAT + SEAT_COMMIT_RECORD]).toBe(RECORD);
      expect(liveCount(m, RECORD)).toBe(MOST_LIVE);
      finishCommit(m, SEAT);
      expect(m).toEqual(done);
      expect(liveCount(m, RECORD)).toBe(0);
      expect(readCounter(m, BIN + cell)).toBe(from + MOST_LIVE);
    }
  }
});
