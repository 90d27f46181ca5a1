/**
 * Defends: a counter is 64 bits wide to a reader who may look between any two accesses of its writer: it never goes
 * back, never jumps ahead, and a writer that died in a carry loses nothing.
 * Method: the door to Atomics is replaced by one that lets a reader look before and after each access, also while
 * a slab's counts are folded into its class; then the halves of a carry are written by hand.
 */
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { C_ALLOCS } from "../../../src/allocator/counters/fields.js";
import { count, countLarge, finishCarry, readCounter } from "../../../src/allocator/counters/record.js";
import { foldCounts } from "../../../src/allocator/counters/slab-counts.js";
import { SlabHeap } from "../../../src/allocator/heap/heap.js";
import { recordAt } from "../../../src/allocator/memory/layout.js";
import { classCounter, slabOf, smallHeap } from "../support.js";

const TWO_32 = 2 ** 32;
const door = vi.hoisted(() => ({ look: undefined as (() => void) | undefined }));

vi.mock("../../../src/allocator/memory/atomics.js", async (importOriginal) => {
  const real = await importOriginal<typeof import("../../../src/allocator/memory/atomics.js")>();
  const look = (): void => {
    const watcher = door.look;
    door.look = undefined; // the reader itself does not trigger a look
    watcher?.();
    door.look = watcher;
  };
  return {
    ...real,
    storeSeq(m: Int32Array, i: number, value: number): void {
      look();
      real.storeSeq(m, i, value);
      look();
    },
  };
});

let m: Int32Array;
beforeEach(() => {
  m = new Int32Array(new SharedArrayBuffer(64));
});
afterEach(() => {
  door.look = undefined;
});

/** Sets a cell to a value between carries. */
function start(at: Int32Array, cell: number, value: number): void {
  at[cell] = value | 0;
  at[cell + 1] = Math.floor(value / TWO_32);
  at[cell + 2] = Math.floor(value / TWO_32);
}

const amounts = fc.oneof(fc.integer({ min: 0, max: 2 ** 31 - 1 }), fc.integer({ min: 0, max: 3 }));
const starts = fc.oneof(
  fc.integer({ min: 0, max: 2 ** 52 }),
  fc.integer({ min: TWO_32 - 5, max: TWO_32 + 5 }),
  fc.integer({ min: 2 ** 40 * 16 - 5, max: 2 ** 40 * 16 + 5 }),
);

test("sums are exact across any number of wraps of the low word", () => {
  fc.assert(
    fc.property(starts, fc.array(amounts, { maxLength: 40 }), (from, steps) => {
      start(m, 4, from);
      let sum = from;
      for (const step of steps) {
        count(m, 4, step);
        sum += step;
        expect(readCounter(m, 4)).toBe(sum);
      }
      expect([m[0], m[3], m[8]]).toEqual([0, 0, 0]);
    }),
  );
});

test("large amounts are added whole", () => {
  fc.assert(
    fc.property(starts, fc.integer({ min: 0, max: 2 ** 36 }), (from, amount) => {
      start(m, 0, from);
      countLarge(m, 0, amount);
      expect(readCounter(m, 0)).toBe(from + amount);
    }),
    { numRuns: 50 },
  );
});

test("amounts up to 2^53 take no longer, and what is no amount counts nothing", () => {
  fc.assert(
    fc.property(starts, fc.integer({ min: 0, max: 2 ** 52 }), (from, amount) => {
      start(m, 0, from);
      countLarge(m, 0, amount);
      expect(readCounter(m, 0)).toBe(from + amount);
      expect(m[1]).toBe(m[2]);
    }),
  );
  start(m, 0, 7);
  for (const none of [0, -1, -(2 ** 60), Number.NaN, Number.NEGATIVE_INFINITY]) countLarge(m, 0, none);
  expect(readCounter(m, 0)).toBe(7);
  countLarge(m, 0, Number.MAX_SAFE_INTEGER - 7);
  expect(readCounter(m, 0)).toBe(Number.MAX_SAFE_INTEGER);
  for (const huge of [1e18, 2 ** 80, Number.POSITIVE_INFINITY]) countLarge(m, 0, huge);
});

/** Runs `step` while a reader looks at every access; what it reads must lie between before and after. */
function watched(read: () => number, step: () => void): number[] {
  const seen: number[] = [read()];
  door.look = () => seen.push(read());
  step();
  door.look = undefined;
  seen.push(read());
  for (let i = 1; i < seen.length; i++) expect(seen[i]).toBeGreaterThanOrEqual(seen[i - 1]);
  return seen;
}

describe("a reader between the accesses of a carry", () => {
  test("sees the old sum or the new one, never less and never a torn one", () => {
    for (const amount of [1, 2, 1000, 2 ** 31 - 1]) {
      for (const high of [0, 1, 7]) {
        const from = (high + 1) * TWO_32 - 1;
        start(m, 0, from);
        const seen = watched(
          () => readCounter(m, 0),
          () => count(m, 0, amount),
        );
        expect(seen.length).toBeGreaterThanOrEqual(6);
        for (const value of seen) expect([from, from + amount]).toContain(value);
      }
    }
  });

  test("sees no less and no more than there will be while a large amount is added", () => {
    for (const amount of [2 ** 31, 2 ** 32, 5 * TWO_32 + 9, 2 ** 45 + 2 ** 31 + 1]) {
      for (const from of [0, 3, 2 ** 31, TWO_32 - 1, 7 * TWO_32 + 12]) {
        start(m, 0, from);
        const seen = watched(
          () => readCounter(m, 0),
          () => countLarge(m, 0, amount),
        );
        expect(seen[seen.length - 1]).toBe(from + amount);
      }
    }
  });

  test("sees no less either while the count of a slab wraps on its way into a class", () => {
    const heap = smallHeap();
    const { m: words, binBase } = heap._a;
    const cell = binBase + C_ALLOCS;
    const handle = heap.alloc(64);
    for (let i = 0; i < 9; i++) heap.alloc(64);
    heap.advanceEpoch();
    start(words, cell, TWO_32 - 4);
    const seen: number[] = [];
    const folding = watched(
      () => readCounter(words, cell),
      () => {
        foldCounts(words, heap._a.seatBase, recordAt(slabOf(heap, handle)), binBase);
        seen.push(readCounter(words, cell));
      },
    );
    expect(seen).toEqual([TWO_32 + 6]);
    expect(folding.length).toBeGreaterThanOrEqual(6);
    for (const value of folding) expect([TWO_32 - 4, TWO_32 + 6]).toContain(value);
    expect(heap.counters().allocCount).toBe(TWO_32 + 6);
    heap.detach();
  });
});

describe("a carry whose writer died", () => {
  test("before the low word wrapped counts as not done, after it as done", () => {
    start(m, 0, TWO_32 - 1);
    m[1] = 1; // announced
    expect(readCounter(m, 0)).toBe(TWO_32 - 1);
    m[0] = 5; // wrapped
    expect(readCounter(m, 0)).toBe(TWO_32 + 5);
    m[2] = 1; // done
    expect(readCounter(m, 0)).toBe(TWO_32 + 5);
  });

  test("that wrapped several times: as many as were announced", () => {
    start(m, 0, TWO_32 - 1);
    m[1] = 7;
    expect(readCounter(m, 0)).toBe(TWO_32 - 1);
    m[0] = 5;
    expect(readCounter(m, 0)).toBe(7 * TWO_32 + 5);
    finishCarry(m, 0);
    expect(readCounter(m, 0)).toBe(7 * TWO_32 + 5);
  });

  test("is finished by the next holder of the seat: allocations go on without a jump", () => {
    const heap = smallHeap();
    const cell = heap._a.binBase + C_ALLOCS;
    const ref = heap.share();
    heap.detach();
    const words = heap._a.m;
    start(words, cell, TWO_32 + 7);
    words[cell + 2] = 0;
    const next = SlabHeap.attach(ref);
    expect(next.seat).toBe(heap.seat);
    expect(words[cell + 2]).toBe(1);
    next.alloc(64);
    expect(classCounter(next, 0, C_ALLOCS)).toBe(TWO_32 + 8);
    next.detach();
    expect(readCounter(words, cell)).toBe(TWO_32 + 8);
    words[cell] = 0x90000000; // far into the second half, where an unfinished carry could not be told apart
    expect(readCounter(words, cell)).toBe(TWO_32 + 0x90000000);
  });
});
