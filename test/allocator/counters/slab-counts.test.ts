/**
 * Defends: what a slab counts in one packed word is exact wherever its two fields stand, reaches its class's counters
 * once, is never seen as more than happened, and a thread that dies between any two stores has either counted or left a
 * note that completes the count.
 * Method: random histories near every place where a field, the word or a counter wraps, against plain numbers; commits
 * stopped before each of their accesses, finished as a reaper would, also by one that dies in its turn; a reader stopped
 * before each of its own while the owner goes on; slabs of real heaps, up to the largest one.
 */
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  C_ALLOCS,
  C_DISCARDED,
  C_LOCAL_FREES,
  C_NEW_SLAB,
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
  readSlabCounts,
  type SlabCounts,
  startCounts,
} from "../../../src/allocator/counters/slab-counts.js";
import { SlabHeap } from "../../../src/allocator/heap/heap.js";
import { recordAt } from "../../../src/allocator/memory/layout.js";
import {
  SEAT_COMMIT_ALLOCS,
  SEAT_COMMIT_CELL,
  SEAT_COMMIT_COUNTS,
  SEAT_COMMIT_FREES,
  SEAT_COMMIT_RECORD,
  SEAT_COMMIT_SHARD,
  SEAT_COMMIT_TARGET,
  SLAB_COLLECTING,
  SLAB_COUNTS,
  SLAB_FOLDED,
} from "../../../src/allocator/memory/offsets.js";
import type { Handle } from "../../../src/allocator/types.js";
import { watchWords } from "../../regression/interleave.js";
import { another, expectCountersExact, expectHealthy, freeAll, slabOf, smallHeap } from "../support.js";

const TWO_32 = 2 ** 32;
/** Allocations after which the upper field is where it was. */
const TWO_14 = 2 ** 14;
/** Slots of a slab of 1 MiB with objects of 8 bytes. */
const MOST_LIVE = 2 ** 17;
/** Places in the words of a bare array: a seat, a shard with a bin header, a slab record. */
const SEAT = 0;
const BIN = 64;
const RECORD = 256;
const CELLS = [C_ALLOCS, C_LOCAL_FREES, C_REMOTE_COLLECTED, C_DISCARDED];
const NOTE = [
  SEAT_COMMIT_RECORD,
  SEAT_COMMIT_COUNTS,
  SEAT_COMMIT_SHARD,
  SEAT_COMMIT_ALLOCS,
  SEAT_COMMIT_FREES,
  SEAT_COMMIT_CELL,
  SEAT_COMMIT_TARGET,
];

let m: Int32Array;
beforeEach(() => {
  m = new Int32Array(new SharedArrayBuffer(4 * 320));
});

/** The packed word, put together without a look at how the source does it. */
function packed(allocs: number, live: number): number {
  return ((allocs % TWO_14) * 2 ** 18 + live) | 0;
}

function setCell(cell: number, value: number): void {
  m[cell] = value;
  m[cell + 1] = m[cell + 2] = Math.floor(value / TWO_32);
}

/** A slab that has folded `allocs` allocations, and counters that stand at `from`. Old notes are left in the seat. */
function start(allocs: number, live: number, from: number): void {
  m.fill(0);
  for (const word of NOTE) m[SEAT + word] = 12345;
  m[SEAT + SEAT_COMMIT_RECORD] = 0;
  m[RECORD + SLAB_COUNTS] = m[RECORD + SLAB_FOLDED] = packed(allocs, live);
  for (const cell of CELLS) setCell(BIN + cell, from);
}

/** What the fast paths store, and what the slow one does at every 1024th allocation. */
function alloc(): void {
  const counts = (m[RECORD + SLAB_COUNTS] + COUNT_ALLOC) | 0;
  m[RECORD + SLAB_COUNTS] = counts;
  if ((counts & SAMPLE_MASK) === 0) foldCounts(m, SEAT, RECORD, BIN);
}
function free(): void {
  m[RECORD + SLAB_COUNTS] = m[RECORD + SLAB_COUNTS] - COUNT_FREE;
}

function readCells(): number[] {
  return CELLS.map((cell) => readCounter(m, BIN + cell));
}

/** The counts as another thread sees them. */
function seen(words = m): SlabCounts {
  const counts = { occupied: -1, unfoldedAllocs: -1, unfoldedFrees: -1 };
  readSlabCounts(words, RECORD, counts);
  return counts;
}

/** Runs `step` up to its n-th access to the words; false when it ended before. */
function upTo(n: number, step: (words: Int32Array) => void): boolean {
  const CUT = "cut";
  let at = 0;
  try {
    watchWords(m, step, () => {
      if (at++ === n) throw new Error(CUT);
    });
  } catch (error) {
    expect((error as Error).message).toBe(CUT);
    return true;
  }
  return false;
}

/** Where the upper field stands: near its ends, where the word changes its sign, near a fold, or anywhere. */
const positions = fc.oneof(
  fc
    .constantFrom(0, SAMPLE_INTERVAL, TWO_14 / 2, TWO_14 - SAMPLE_INTERVAL)
    .chain((at) => fc.integer({ min: at - 3, max: at + 3 }).map((n) => (n + TWO_14) % TWO_14)),
  fc.integer({ min: 0, max: TWO_14 - 1 }),
);
const occupancies = fc.oneof(
  fc.integer({ min: 0, max: 3 }),
  fc.constantFrom(MOST_LIVE / 2, MOST_LIVE - 1, MOST_LIVE),
  fc.integer({ min: 0, max: MOST_LIVE }),
);
/** Where the class's counters stand: their low words wrap or change sign soon. */
const counters = fc.constantFrom(0, 3, 2 ** 31 - 5, TWO_32 - 700, TWO_32 - 2, TWO_32 * 7 - 1);

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

describe("a reader that is held up between its looks", () => {
  /** What the owner has done since the reader began, and the most that was not folded at any time. */
  interface Truth {
    allocs: number;
    frees: number;
    mostAllocs: number;
    mostFrees: number;
  }
  let truth: Truth;
  let unfolded: { allocs: number; frees: number };
  let live: number;
  let position: number;
  function begin(at: number): void {
    start(at, 0, 0);
    truth = { allocs: 0, frees: 0, mostAllocs: 0, mostFrees: 0 };
    unfolded = { allocs: 0, frees: 0 };
    live = 0;
    position = at;
  }
  /** The owner goes on: up to `keep` objects live, the oldest freed or taken back from others. */
  function work(allocs: number, keep: number): void {
    for (let n = 0; n < allocs; n++) {
      alloc();
      truth.allocs++;
      unfolded.allocs++;
      position++;
      live++;
      truth.mostAllocs = Math.max(truth.mostAllocs, unfolded.allocs);
      if (position % SAMPLE_INTERVAL === 0) unfolded = { allocs: 0, frees: 0 };
      if (live <= keep) continue;
      live--;
      if (n % 97 === 0) {
        commit(m, SEAT, RECORD, BIN, C_REMOTE_COLLECTED, 1);
        unfolded = { allocs: 0, frees: 0 };
      } else {
        free();
        truth.frees++;
        truth.mostFrees = Math.max(truth.mostFrees, ++unfolded.frees);
      }
    }
  }
  /** Reads with a pause before each access; what it gives together with the counters taken first. */
  function read(pauses: readonly number[], keep: number): { counts: SlabCounts; figures: number[] } {
    const [allocs, frees] = readCells();
    let at = 0;
    const counts = watchWords(m, seen, () => {
      const pause = pauses[at++] ?? 0;
      // The owner's own accesses are not the reader's: they go to the words themselves.
      if (pause > 0) work(pause, keep);
    });
    return { counts, figures: [allocs + counts.unfoldedAllocs, frees + counts.unfoldedFrees] };
  }
  function expectNotTooMuch(pauses: readonly number[], keep: number, at: number): void {
    begin(at);
    work(300, keep);
    const { counts, figures } = read(pauses, keep);
    const why = `pauses of ${pauses.join(", ")} allocations, ${keep} live, from ${at}`;
    expect(counts.unfoldedAllocs, why).toBeLessThanOrEqual(truth.mostAllocs);
    expect(counts.unfoldedFrees, why).toBeLessThanOrEqual(truth.mostFrees);
    expect(figures[0], why).toBeLessThanOrEqual(truth.allocs);
    expect(figures[1], why).toBeLessThanOrEqual(truth.frees);
  }
  const keeps = [0, 64, MOST_LIVE];
  const starts = [0, 700, TWO_14 / 2 - 10, TWO_14 - 400];

  test("for as long as the 14 bits can tell older from newer", () => {
    const lengths = [1, 300, 723, 724, 725, 1024, 2000, 4096, 7000, TWO_14 / 2 - 300, TWO_14 / 2];
    for (const keep of keeps) {
      for (const at of starts) {
        for (const length of lengths) {
          for (let access = 0; access < 4; access++) {
            expectNotTooMuch([...Array<number>(access).fill(0), length], keep, at);
          }
        }
      }
    }
  });

  test("for longer than that", () => {
    const lengths = [8193, 8900, 10_000, 12_000, 15_900, TWO_14 - 1, TWO_14, TWO_14 + 500, 26_000, 33_000];
    for (const keep of keeps) {
      for (const at of starts) {
        for (const length of lengths) {
          for (let access = 0; access < 4; access++) {
            expectNotTooMuch([...Array<number>(access).fill(0), length], keep, at);
          }
        }
      }
    }
  });

  test("operations under way never make anything negative", () => {
    start(5, 9, 0);
    m[RECORD + SLAB_COUNTS] = packed(4, 10);
    expect(seen()).toEqual({ occupied: 10, unfoldedAllocs: 0, unfoldedFrees: 0 });
  });
});

describe("slabs start at places spread over the interval between two samples", () => {
  function startAfter(slabs: number): number {
    m[BIN + C_NEW_SLAB] = slabs;
    m[RECORD + SLAB_COUNTS] = packed(77, 3);
    m[RECORD + SLAB_FOLDED] = packed(3, 77);
    m[RECORD + SLAB_COLLECTING] = 1;
    startCounts(m, RECORD, BIN);
    expect(seen()).toEqual({ occupied: 0, unfoldedAllocs: 0, unfoldedFrees: 0 });
    expect(liveCount(m, RECORD)).toBe(0);
    expect(m[RECORD + SLAB_COLLECTING]).toBe(0);
    expect(m[RECORD + SLAB_FOLDED]).toBe(m[RECORD + SLAB_COUNTS]);
    const place = m[RECORD + SLAB_COUNTS] / 2 ** 18;
    expect(Number.isInteger(place) && place >= 0 && place < SAMPLE_INTERVAL).toBe(true);
    return place;
  }

  test.each([0, 100_000, 2 ** 31 - 512, TWO_32 - 512])("from slab %i on", (first) => {
    const starts = Array.from({ length: 1024 }, (_, n) => startAfter(first + n));
    const shares = (part: number[], of: number): number[] =>
      Array.from(
        { length: of },
        (_, i) => part.filter((place) => Math.floor((place * of) / 1024) === i).length,
      );
    for (const share of shares(starts, 32)) expect(Math.abs(share - 32)).toBeLessThanOrEqual(4);
    // Also the few slabs that a small program fills.
    for (let n = 0; n + 16 <= starts.length; n++) {
      const few = shares(starts.slice(n, n + 16), 4);
      expect(Math.max(...few.map((share) => Math.abs(share - 4)))).toBeLessThanOrEqual(2);
    }
  });

  test("does not depend on the rest of the shard, and leaves it alone", () => {
    const place = startAfter(5);
    for (const cell of CELLS) setCell(BIN + cell, 99);
    const words = m.slice();
    expect(startAfter(5)).toBe(place);
    expect(m).toEqual(words);
  });
});

describe("in a heap, near where the fields wrap", () => {
  let heap: SlabHeap;
  let handles: Handle[];
  let record: number;
  beforeEach(() => {
    heap = smallHeap();
    handles = Array.from({ length: 10 }, () => heap.alloc(64));
    record = recordAt(slabOf(heap, handles[0]));
  });
  afterEach(() => {
    expectHealthy(heap);
    expectCountersExact(heap);
    heap.detach();
  });

  /** Moves the slab's place, as if so many objects had come and gone and been folded. */
  function move(allocs: number): void {
    const { m: words } = heap._a;
    const by = (packed(allocs, 0) - (words[record + SLAB_COUNTS] & ~0x3ffff)) | 0;
    words[record + SLAB_COUNTS] += by;
    words[record + SLAB_FOLDED] += by;
  }
  /** Allocations of the slab that are in nobody's counters yet, told from the bare words. */
  function unfolded(): number {
    const { m: words } = heap._a;
    return ((words[record + SLAB_COUNTS] >>> 18) - (words[record + SLAB_FOLDED] >>> 18)) & (TWO_14 - 1);
  }

  const places = [SAMPLE_INTERVAL, TWO_14 / 2, TWO_14 / 2 + SAMPLE_INTERVAL, TWO_14];
  test.each(places)("at %i: pairs stay exact, and the counts are folded there", (at) => {
    move(at - 20);
    const { m: words, binBase } = heap._a;
    const folded = readCounter(words, binBase + C_ALLOCS);
    for (let i = 1; i <= 40; i++) {
      const handle = heap.alloc(64);
      expect(heap.free(handle)).toBe(true);
      const { allocCount, freeCount, liveObjects } = heap.counters();
      expect([allocCount, freeCount, liveObjects]).toEqual([10 + i, i, 10]);
      // The 20th allocation is the one that leaves the fast path: it folds itself and all before it.
      expect(readCounter(words, binBase + C_ALLOCS) - folded).toBe(i < 20 ? 0 : 30);
      expect(liveCount(words, record)).toBe(10);
    }
    freeAll(heap, handles);
    expect(heap.counters().liveObjects).toBe(0);
  });

  test.each(places)("at %i: remote frees taken back there, and a discard, end what they should", (at) => {
    const b = another(heap);
    move(at - 2);
    for (let i = 0; i < 4; i++) handles.push(heap.alloc(64));
    freeAll(b, handles.splice(3, 5));
    expectCountersExact(heap, b);
    heap.advanceEpoch();
    expect(liveCount(heap._a.m, record)).toBe(14 - 5);
    heap.discardEpoch(heap.epochOf(handles[0]));
    const { m: words, binBase } = heap._a;
    const figures = CELLS.map((cell) => readCounter(words, binBase + cell));
    expect(figures).toEqual([14, 0, 5, 9]);
    expectCountersExact(heap, b);
    expect(heap.verify().slabs).toBe(0);
    b.detach();
  });

  test.each(places)("at %i: a slab that is given back there folds everything", (at) => {
    move(at - 5);
    heap.advanceEpoch();
    freeAll(heap, handles);
    expect(heap.verify().slabs).toBe(0);
    const { m: words, binBase } = heap._a;
    expect(readCounter(words, binBase + C_ALLOCS)).toBe(10);
    expect(readCounter(words, binBase + C_LOCAL_FREES)).toBe(10);
  });

  test("a slab that lives through several times 2^14 allocations: exact, at most 1024 of them not folded", () => {
    const b = another(heap);
    const total = 3 * TWO_14 + 500;
    let most = 0;
    let collected = 0;
    for (let i = 1; i <= total; i++) {
      // Pairs by handle and by offset, and now and then one that another seat frees.
      if (i % 3 === 0) {
        const offset = heap.allocOffset(64);
        most = Math.max(most, unfolded());
        if (!heap.freeOffset(offset)) throw new Error(`free ${i}`);
      } else {
        const handle = heap.alloc(64);
        most = Math.max(most, unfolded());
        const remote = i % 4000 === 1;
        if (remote) collected++;
        if (!(remote ? b : heap).free(handle)) throw new Error(`free ${i}`);
      }
      if (i % 1511 !== 0) continue;
      const { allocCount, freeCount, liveObjects } = heap.counters();
      expect([allocCount, freeCount, liveObjects]).toEqual([10 + i, i, 10]);
    }
    expect(heap.counters().newSlabs, "all in one slab").toBe(1);
    expect(most).toBeGreaterThan(SAMPLE_INTERVAL - 3);
    expect(most).toBeLessThanOrEqual(SAMPLE_INTERVAL);
    b.detach();
    freeAll(heap, handles);
    heap.advanceEpoch();
    const { m: words, binBase } = heap._a;
    expect(readCounter(words, binBase + C_ALLOCS)).toBe(10 + total);
    expect(readCounter(words, binBase + C_LOCAL_FREES)).toBe(10 + total - collected);
    expect(readCounter(words, binBase + C_REMOTE_COLLECTED)).toBe(collected);
  });

  test("a class counter that wraps in a fold", () => {
    const { m: words, binBase } = heap._a;
    words[binBase + C_ALLOCS] = -4;
    const before = heap.counters().allocCount;
    expect(before).toBe(TWO_32 - 4 + 10);
    words[binBase + C_LOCAL_FREES] = -4;
    heap.discardEpoch(heap.currentEpoch);
    expect(readCounter(words, binBase + C_ALLOCS)).toBe(before);
    expect(words[binBase + C_ALLOCS + 1]).toBe(1);
    expect(heap.counters()).toMatchObject({ allocCount: before, liveObjects: 0 });
  });
});

describe("the fullest slab there is: 1 MiB of objects of 8 bytes", () => {
  let heap: SlabHeap;
  let handles: Handle[];
  let record: number;
  beforeEach(() => {
    const MIB = 2 ** 20;
    heap = SlabHeap.create({ capacity: 2 * MIB, slabSize: MIB, maxWorkers: 2, sizeClasses: [8, 1024] });
    handles = Array.from({ length: MOST_LIVE }, () => heap.alloc(8));
    record = recordAt(slabOf(heap, handles[0]));
    expect(slabOf(heap, handles[MOST_LIVE - 1])).toBe(slabOf(heap, handles[0]));
    expectExact(MOST_LIVE, 0);
  });
  afterEach(() => {
    expectHealthy(heap);
    heap.detach();
  });
  function expectExact(live: number, freed: number): void {
    expect(liveCount(heap._a.m, record)).toBe(live);
    const { allocCount, freeCount, liveObjects } = heap.counters();
    expect([allocCount, freeCount, liveObjects]).toEqual([MOST_LIVE, freed, MOST_LIVE - freed]);
  }
  const free = (by: SlabHeap): number => handles.filter((handle) => by.free(handle)).length;

  test("freed by its owner, none of it folded before the end", () => {
    expect(free(heap)).toBe(MOST_LIVE);
    expectExact(0, MOST_LIVE);
    heap.advanceEpoch();
    expect(readCounter(heap._a.m, heap._a.binBase + C_LOCAL_FREES)).toBe(MOST_LIVE);
    expectCountersExact(heap);
  });

  test("freed by another, taken back at once", () => {
    const b = another(heap);
    expect(free(b)).toBe(MOST_LIVE);
    expectExact(MOST_LIVE, MOST_LIVE);
    const filled = heap.currentEpoch;
    heap.advanceEpoch();
    heap.closeEpoch(filled);
    expect(readCounter(heap._a.m, heap._a.binBase + C_REMOTE_COLLECTED)).toBe(MOST_LIVE);
    expect(heap.verify().slabs).toBe(0);
    expectCountersExact(heap, b);
    b.detach();
  });

  test("discarded", () => {
    heap.discardEpoch(heap.currentEpoch);
    const { m: words, binBase } = heap._a;
    expect(readCounter(words, binBase + C_DISCARDED)).toBe(MOST_LIVE);
    expect(readCounter(words, binBase + C_LOCAL_FREES)).toBe(0);
    expectCountersExact(heap);
  });
});
