/**
 * Defends: the hot path's literals are the constants they are commented with, no number in it goes without a name,
 * and the specialised and the field version of the four operations do exactly the same.
 * Method: the source text is parsed, and the parser is fed texts that must fail; then two heaps that are equal byte for
 * byte run one random script, each through one version, and must stay equal byte for byte.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import * as fields from "../../../src/allocator/counters/fields.js";
import { FastHeap, type FastOperations, specialise } from "../../../src/allocator/heap/fast-path.js";
import type { SlabHeap } from "../../../src/allocator/heap/heap.js";
import * as offsets from "../../../src/allocator/memory/layout.js";
import type { HeapOptions } from "../../../src/allocator/types.js";
import * as handles from "../../../src/allocator/words/handle.js";
import * as slots from "../../../src/allocator/words/slot-word.js";
import { another, expectHealthy, forged, SLAB, smallHeap, withSeed } from "../support.js";

const SOURCE = readFileSync(
  fileURLToPath(new URL("../../../src/allocator/heap/fast-path.ts", import.meta.url)),
  "utf8",
);
const CONSTANTS: Readonly<Record<string, unknown>> = { ...fields, ...offsets, ...handles, ...slots };
/** Numbers that mean themselves: 0 and 1, the granule's 7 and 3, the 3 that ends an ALLOC, 2 to a power. */
const PLAIN = new Set([0, 1, 2, 3, 7]);

/** What is wrong with the literals of `text`, and how often each name occurs. */
function checkLiterals(text: string): { problems: string[]; names: Map<string, number> } {
  const code = text.replace(/\/\*\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
  const problems: string[] = [];
  const names = new Map<string, number>();
  // The value right before the comment, possibly with the bracket that closes its expression in between.
  const named = /(?:(-?\d+)|(\w+))?\)?\s*\/\* ([A-Z][A-Z_0-9]*) \*\//g;
  for (const [, literal, word, name] of code.matchAll(named)) {
    names.set(name, (names.get(name) ?? 0) + 1);
    // A word alone stands for "plus 0": `bin /* BIN_CURRENT */`.
    const value = literal === undefined ? (word === undefined ? undefined : 0) : Number(literal);
    if (typeof CONSTANTS[name] !== "number") problems.push(`${name} is no known constant`);
    else if (value !== CONSTANTS[name]) problems.push(`${name} is ${CONSTANTS[name]}, not ${value}`);
  }
  for (const [, digits] of code
    .replace(named, "")
    .replace(/2 \*\* \d+/g, "")
    .matchAll(/(?<![\w.])(\d+)(?![\w.])/g)) {
    if (!PLAIN.has(Number(digits))) problems.push(`${digits} has no name`);
  }
  return { problems, names };
}

describe("literals", () => {
  test("are the constants they name", () => {
    const { problems, names } = checkLiterals(SOURCE);
    expect(problems).toEqual([]);
    expect([...names.keys()].sort()).toEqual([
      "BIN_CURRENT",
      "CLASS_MAP_BASE",
      "COUNT_ALLOC",
      "COUNT_FREE",
      "FAST_FREE_MASK",
      "FAST_SIZE_LIMIT",
      "NEGATIVE_UNIT",
      "PHASE",
      "SAMPLE_MASK",
      "SLAB_BASE",
      "SLAB_COUNTS",
      "SLAB_FAST_OWNER",
      "SLAB_HEAD",
      "SLAB_OBJECT_SIZE",
      "SLAB_SHIFT_WORDS",
      "SLAB_SIZE_SHIFT",
    ]);
    // Both versions of an operation name the same things.
    for (const [name, times] of names) expect(times % 2, `${name} occurs ${times} times`).toBe(0);
  });

  test("without a name mean what the words' own definitions say", () => {
    expect(offsets.SLAB_WORDS).toBe(2 ** 5);
    expect(slots.SLOT_ALLOC).toBe(1);
    for (const generation of [0, 1, 77, slots.LAST_GENERATION - 1]) {
      const alloc = (generation << 2) | slots.SLOT_ALLOC;
      expect(slots.nextFree(alloc)).toBe(alloc + 3);
    }
    for (const word of [0, 4, 1 << 20]) expect((word | slots.SLOT_ALLOC) - word).toBe(1);
  });

  /** Every named literal of the source, one at a time, off by one. */
  const occurrences = [...SOURCE.matchAll(/(\d+)(\)?) \/\* ([A-Z][A-Z_0-9]*) \*\//g)];

  test("a wrong one is noticed, wherever it stands", () => {
    expect(occurrences.length).toBeGreaterThan(50);
    for (const { 0: all, 1: digits, 2: bracket, 3: name, index } of occurrences) {
      const wrong = `${Number(digits) + 1}${bracket} /* ${name} */`;
      const text = SOURCE.slice(0, index) + wrong + SOURCE.slice(index + all.length);
      expect(checkLiterals(text).problems).toHaveLength(1);
      expect(checkLiterals(text).problems[0]).toContain(name);
    }
  });

  test.each<[string, string, string]>([
    ["a name that does not exist", "m[5 /* SLAB_HAED */]", "SLAB_HAED is no known constant"],
    ["a name of something else", "m[record + 5 /* SLAB_COUNTS */]", "SLAB_COUNTS is 16, not 5"],
    ["a sign lost", "(word * 16777216) /* NEGATIVE_UNIT */", "NEGATIVE_UNIT is -16777216, not 16777216"],
    ["an offset left out", "m[record /* SLAB_HEAD */]", "SLAB_HEAD is 17, not 0"],
    ["nothing to name", "m[ /* PHASE */]", "PHASE is 64, not undefined"],
    ["a number without a name", "m[record + 12]", "12 has no name"],
  ])("the checker notices %s", (_name, text, problem) => {
    expect(checkLiterals(text).problems).toEqual([problem]);
  });
});

describe("both versions", () => {
  const STEPS = 12_000;
  let open: SlabHeap[] = [];

  beforeEach(() => {
    // Everything random or timed in a heap stands still, so that two heaps can be compared byte for byte.
    vi.useFakeTimers();
    vi.spyOn(Math, "random").mockReturnValue(0.625);
    vi.spyOn(process.memoryUsage, "rss").mockReturnValue(0); // or else measured for some closes only
  });
  afterEach(() => {
    vi.restoreAllMocks();
    vi.useRealTimers();
    for (const heap of open) heap.detach();
    open = [];
  });
  afterAll(() => expect(vi.isFakeTimers()).toBe(false));

  interface Side {
    readonly heap: SlabHeap;
    readonly other: SlabHeap;
    readonly fast: FastOperations;
  }

  function side(options: HeapOptions, fastOf: (heap: SlabHeap) => FastOperations): Side {
    const heap = smallHeap(options);
    const other = another(heap);
    heap.poll();
    open.push(other, heap);
    return { heap, other, fast: fastOf(heap) };
  }

  const fieldVersion = (heap: SlabHeap): FastOperations => {
    const { alloc, free, allocOffset, freeOffset } = FastHeap.prototype;
    return {
      alloc: alloc.bind(heap),
      free: free.bind(heap),
      allocOffset: allocOffset.bind(heap),
      freeOffset: freeOffset.bind(heap),
    };
  };

  /** What a call answers: its value, or the name and words of what it throws. */
  function answer(call: () => unknown): unknown {
    try {
      return call();
    } catch (error) {
      return `${(error as Error).name}: ${(error as Error).message}`;
    }
  }

  test.each<[string, HeapOptions]>([
    ["powers of two", {}],
    ["other sizes", { sizeClasses: [24, 40, 104, 1000] }],
    ["zeroOnFree", { zeroOnFree: true }],
    ["a nearly full heap of one class", { capacity: 4 * SLAB, sizeClasses: [512] }],
    [
      "classes above the fast path's limit",
      { slabSize: 65536, capacity: 65536 * 8, sizeClasses: [4096, 40000] },
    ],
  ])("do the same, byte for byte: %s", (_name, options) => {
    vi.mocked(Math.random).mockRestore();
    withSeed((random) => {
      vi.spyOn(Math, "random").mockReturnValue(0.625);
      const sides = [side(options, fieldVersion), side(options, (heap) => specialise(heap._a))];
      const below = (n: number): number => Math.floor(random() * n);
      const live: number[] = [];
      const dead: number[] = [0];
      const offsetsLive: number[] = [];
      /** Runs a step on both sides; returns what both answered. */
      const both = (what: string, step: (side: Side) => unknown): unknown => {
        const [field, special] = sides.map((one) => answer(() => step(one)));
        expect(special, what).toEqual(field);
        return field;
      };
      const keep = (list: number[], result: unknown): void => {
        if (typeof result === "number" && result !== 0) list.push(result);
      };
      const take = (list: number[]): number => list.splice(below(list.length), 1)[0] ?? 0;
      const { capacity, slabSize } = sides[0].heap;
      const payload = sides[0].heap._a.layout.payloadOffset;
      const sizes = (): number =>
        [
          1 + below(1024),
          1 + below(200),
          below(slabSize * 3),
          [0, -1, 1.5, Number.NaN, 2 ** 32 + 64][below(5)],
        ][Math.min(3, below(40) >> 3)];
      const bad = (): number => [take(dead), -1, 0.5, 2 ** 53, Number.NaN, random() * 2 ** 53][below(6)];
      const steps: (() => void)[] = [
        () =>
          keep(
            live,
            both("alloc", (s) => s.fast.alloc(1 + below2)),
          ),
        () =>
          keep(
            live,
            both("alloc any", (s) => s.fast.alloc(size)),
          ),
        () =>
          keep(
            live,
            both("alloc in an epoch", (s) => s.fast.alloc(64, epoch as never)),
          ),
        () =>
          keep(
            offsetsLive,
            both("allocOffset", (s) => s.fast.allocOffset(size)),
          ),
        () => both("free", (s) => s.fast.free(forged(mine))),
        () => both("free of nothing", (s) => s.fast.free(forged(wrong))),
        () => both("freeOffset", (s) => s.fast.freeOffset(at)),
        () => both("freeOffset of nothing", (s) => s.fast.freeOffset(payload + below3)),
        () =>
          keep(
            live,
            both("other's alloc", (s) => s.other.alloc(1 + below2)),
          ),
        () => both("remote free", (s) => s.other.free(forged(mine))),
      ];
      let [size, below2, below3, epoch, mine, wrong, at] = [0, 0, 0, 0, 0, 0, 0];
      for (let step = 0; step < STEPS; step++) {
        [size, below2, below3, epoch] = [sizes(), below(300), below(capacity + 100) - 50, below(16)];
        if (below(3) === 0) epoch = sides[0].heap.currentEpoch.id;
        const kind = below(steps.length);
        mine = kind === 4 || kind === 9 ? take(live) : 0;
        at = kind === 6 ? take(offsetsLive) : 0;
        wrong = kind === 5 ? bad() : 0;
        if (mine !== 0) dead.push(mine);
        steps[kind]();
        if (below(400) === 0) both("advance", (s) => s.heap.advanceEpoch());
        if (below(900) === 0) both("discard", (s) => s.heap.discardEpoch(s.heap.currentEpoch));
        if (step % 1000 === 0) expectEqual(sides);
      }
      expectEqual(sides);
      const { allocCount, freeCount, remoteFrees } = sides[0].heap.counters();
      expect(allocCount).toBeGreaterThan(STEPS / 10);
      expect(freeCount).toBeGreaterThan(STEPS / 20);
      expect(remoteFrees).toBeGreaterThan(STEPS / 50);
      for (const { heap, other } of sides) expectHealthy(heap, other);
    });
  });

  function expectEqual(sides: readonly Side[]): void {
    const [a, b] = sides.map(({ heap }) => new Uint8Array(heap.buffer, 0, heap._a.layout.payloadOffset));
    expect(Buffer.compare(a, b)).toBe(0);
  }
});
