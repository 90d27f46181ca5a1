/**
 * Defends: the free map shows exactly the slabs set free and not claimed, at every number of levels; the lowest free
 * slab and the highest free run are found as a slab-by-slab scan would find them; repair mends lost summaries.
 * Method: random changes beside a Set, with a naive scan as the judge, on a bare array laid out like a heap's map.
 */
import { describe, expect, test } from "vitest";
import type { Layout } from "../../../src/allocator/memory/layout.js";
import {
  clearFree,
  clearTailBits,
  findFree,
  findFreeRun,
  hasFreeHint,
  levelWithTailBits,
  repairFree,
  setFree,
} from "../../../src/allocator/slabs/free-map.js";
import { withSeed } from "../support.js";

interface FreeMap {
  readonly m: Int32Array;
  readonly layout: Layout;
}

function emptyMap(slabCount: number): FreeMap {
  const freeLevels: number[] = [];
  const freeLevelWords: number[] = [];
  let at = 0;
  for (let bits = slabCount; ; ) {
    const count = Math.ceil(bits / 32);
    freeLevels.push(at);
    freeLevelWords.push(count);
    at += count;
    if (count === 1) break;
    bits = count;
  }
  const m = new Int32Array(new SharedArrayBuffer(at * 4));
  return { m, layout: { slabCount, freeLevels, freeLevelWords } as unknown as Layout };
}

function naiveRun(free: ReadonlySet<number>, length: number, end: number): number {
  for (let from = end - length, run = 0; ; ) {
    if (from < 0) return -1;
    for (run = length; run > 0 && free.has(from + run - 1); run--);
    if (run === 0) return from;
    from = from + run - 1 - length;
  }
}

function naiveFirst(free: ReadonlySet<number>, from: number, slabCount: number): number {
  for (let slab = from; slab < slabCount; slab++) if (free.has(slab)) return slab;
  return -1;
}

/** Summaries say "some bit below" exactly where there is one. */
function expectSummaries({ m, layout }: FreeMap): void {
  for (let level = 1; level < layout.freeLevels.length; level++) {
    for (let i = 0; i < layout.freeLevelWords[level - 1]; i++) {
      const bit = (m[layout.freeLevels[level] + (i >> 5)] >>> (i & 31)) & 1;
      expect(bit, `level ${level}, bit ${i}`).toBe(m[layout.freeLevels[level - 1] + i] === 0 ? 0 : 1);
    }
  }
}

const COUNTS = [1, 31, 32, 33, 40, 64, 1000, 1024, 1025, 70_000];

describe.each(COUNTS)("%i slabs", (slabCount) => {
  test("random changes: hints, lowest free slab and free runs agree with a set", () => {
    withSeed((random) => {
      const map = emptyMap(slabCount);
      const { m, layout } = map;
      const free = new Set<number>();
      const any = (limit: number): number => Math.floor(random() * limit);
      for (let round = 0; round < 60; round++) {
        // Blocks rather than single slabs, so that runs of every length appear.
        for (let n = 0; n < 8; n++) {
          const from = any(slabCount);
          const to = Math.min(slabCount, from + 1 + any(random() < 0.3 ? 300 : 6));
          const set = random() < (round % 20) / 20;
          for (let slab = from; slab < to; slab++) {
            if (set) {
              setFree(m, layout, slab);
              free.add(slab);
            } else {
              clearFree(m, layout, slab);
              free.delete(slab);
            }
            expect(hasFreeHint(m, layout, slab)).toBe(set);
          }
        }
        expect(findFree(m, layout, 0)).toBe(naiveFirst(free, 0, slabCount));
        for (let n = 0; n < 4; n++) {
          const from = any(slabCount + 1);
          expect(findFree(m, layout, from)).toBe(naiveFirst(free, from, slabCount));
          const length = 1 + any(random() < 0.5 ? 8 : 200);
          const end = 1 + any(slabCount);
          expect(findFreeRun(m, layout, length, end), `run ${length} below ${end}`).toBe(
            naiveRun(free, length, end),
          );
        }
      }
      expectSummaries(map);
    });
  });

  test("setting all, then clearing all, shows all and then nothing", () => {
    const map = emptyMap(slabCount);
    const { m, layout } = map;
    for (let slab = 0; slab < slabCount; slab++) setFree(m, layout, slab);
    expect(findFreeRun(m, layout, slabCount, slabCount)).toBe(0);
    expect(findFreeRun(m, layout, 1, slabCount)).toBe(slabCount - 1);
    expect(findFree(m, layout, slabCount - 1)).toBe(slabCount - 1);
    expect(findFree(m, layout, slabCount)).toBe(-1);
    expectSummaries(map);
    for (let slab = 0; slab < slabCount; slab++) clearFree(m, layout, slab);
    expect(m.every((word) => word === 0)).toBe(true);
    expect(findFree(m, layout, 0)).toBe(-1);
    expect(findFreeRun(m, layout, 1, slabCount)).toBe(-1);
  });

  test("the last free slab is found, wherever it is", () => {
    const { m, layout } = emptyMap(slabCount);
    const places = new Set([0, 1, 31, 32, 33, 1023, 1024, 32767, 32768, slabCount >> 1, slabCount - 1]);
    for (const slab of [...places].filter((place) => place < slabCount)) {
      setFree(m, layout, slab);
      expect(findFree(m, layout, 0)).toBe(slab);
      expect(findFree(m, layout, slab)).toBe(slab);
      expect(findFree(m, layout, slab + 1)).toBe(-1);
      expect(findFreeRun(m, layout, 1, slabCount)).toBe(slab);
      expect(findFreeRun(m, layout, 1, slab + 1)).toBe(slab);
      if (slab > 0) expect(findFreeRun(m, layout, 1, slab)).toBe(-1);
      expect(findFreeRun(m, layout, 2, slabCount)).toBe(-1);
      clearFree(m, layout, slab);
    }
  });

  test("repair mends a bit and every summary above it", () => {
    const { m, layout } = emptyMap(slabCount);
    for (const slab of [0, slabCount >> 1, slabCount - 1]) {
      // A killed thread left the bit, but none of its summaries.
      m[layout.freeLevels[0] + (slab >> 5)] |= 1 << (slab & 31);
      repairFree(m, layout, slab);
      expect(findFree(m, layout, slab)).toBe(slab);
      clearFree(m, layout, slab);
      expect(findFree(m, layout, 0)).toBe(-1);
    }
  });
});

test.each([1, 31, 33, 1000, 1025, 40_000])(
  "bits beyond the last of %i slabs are never found, are told of and can be cleared",
  (slabCount) => {
    const { m, layout } = emptyMap(slabCount);
    setFree(m, layout, 0);
    expect(levelWithTailBits(m, layout)).toBe(-1);
    for (let level = layout.freeLevels.length - 1; level >= 0; level--) {
      const bits = level === 0 ? slabCount : layout.freeLevelWords[level - 1];
      if (bits % 32 === 0) continue;
      m[layout.freeLevels[level] + (bits >> 5)] |= -1 << (bits & 31);
      expect(levelWithTailBits(m, layout)).toBe(level);
    }
    expect(findFree(m, layout, 0)).toBe(0);
    expect(findFree(m, layout, 1)).toBe(-1);
    expect(findFreeRun(m, layout, 2, slabCount)).toBe(-1);
    clearTailBits(m, layout);
    expect(levelWithTailBits(m, layout)).toBe(-1);
    expect(findFree(m, layout, 0)).toBe(0);
  },
);
