/**
 * Defends: no FREE slab is forgotten. A summary bit of the free map was lost where one thread took the last hint of a word
 * while another set a hint in it, and where a thread died between setting a hint and its summary; the heap then
 * answered "out of memory" with slabs left.
 * Method: taking a slab is stopped before each of its accesses, and there another seat gives back a slab of the same word
 * of the map; then giving one back is killed at each of its accesses. Each time everything left is allocated.
 */
import { expect, test } from "vitest";
import type { SlabHeap } from "../../src/allocator/heap/heap.js";
import type { Layout } from "../../src/allocator/memory/layout.js";
import { clearFree, findFree, setFree } from "../../src/allocator/slabs/free-map.js";
import type { Handle } from "../../src/allocator/types.js";
import {
  another,
  expectHealthy,
  expectWholeMemoryBack,
  fill,
  SLAB,
  slabOf,
  smallHeap,
} from "../allocator/support.js";
import { atEveryAccess, killAtEveryAccess, type Seats, watchWords } from "./interleave.js";

/** Four words of hints below one of summaries. */
const SLABS = 128;

interface World extends Seats {
  readonly handles: readonly Handle[];
}

function largerHeap(): SlabHeap {
  return smallHeap({ capacity: SLABS * SLAB, sizeClasses: [2048, SLAB] });
}

function take(heap: SlabHeap, slabs: number): Handle[] {
  return Array.from({ length: slabs }, () => heap.alloc(SLAB));
}

/** Summary bits that are missing above hints. */
function lostSummaries(heap: SlabHeap): number[] {
  const { m, layout } = heap._a;
  const [hints, summaries] = layout.freeLevels;
  const lost: number[] = [];
  for (let word = 0; word < layout.freeLevelWords[0]; word++) {
    if (m[hints + word] !== 0 && ((m[summaries + (word >> 5)] >>> (word & 31)) & 1) === 0) lost.push(word);
  }
  return lost;
}

test("a slab given back while another one of its word is taken", () => {
  const accesses = atEveryAccess<World, Handle>({
    build() {
      const a = largerHeap();
      const b = another(a);
      const handles = take(b, 63);
      a.poll();
      expect(slabOf(b, handles[62])).toBe(62);
      return { a, b, handles };
    },
    act: ({ a }) => a.alloc(SLAB), // slab 63: the last one of its word
    meanwhile({ b, handles }) {
      b.free(handles[40]);
      b.closeEpoch(b.currentEpoch);
    },
    check({ a, b }, { result }) {
      expect(lostSummaries(a)).toEqual([]);
      for (const heap of [a, b]) heap.poll();
      expectHealthy(a, b);
      expect(fill(a, SLAB)).toHaveLength(SLABS - 62 - (result === 0 ? 0 : 1));
      expectWholeMemoryBack(a, b);
    },
  });
  expect(accesses).toBeGreaterThan(20);
});

test("the map alone: clearing and setting, at every pair of slabs that matters, on three levels", () => {
  const slabs = 32 * 32 * 2;
  const freeLevels = [0, slabs / 32, slabs / 32 + 2];
  const layout = { slabCount: slabs, freeLevels, freeLevelWords: [slabs / 32, 2, 1] } as unknown as Layout;
  // Taken, and given back meanwhile: in the same word, under the same summary word, under another one.
  for (const [taken, given] of [
    [5, 6],
    [5, 40],
    [5, 1200],
    [1055, 1024],
  ]) {
    for (const others of [[], [64], [1500], [64, 1500]]) {
      for (let n = 0; ; n++) {
        const m = new Int32Array(new SharedArrayBuffer(4 * (freeLevels[2] + 1)));
        for (const slab of [taken, ...others]) setFree(m, layout, slab);
        let seen = 0;
        watchWords(
          m,
          (watched) => clearFree(watched, layout, taken),
          () => {
            if (seen++ === n) setFree(m, layout, given);
          },
        );
        if (seen <= n) {
          expect(n).toBeGreaterThan(1);
          break;
        }
        const found: number[] = [];
        for (let slab = findFree(m, layout, 0); slab >= 0; slab = findFree(m, layout, slab + 1))
          found.push(slab);
        expect(found, `slab ${given} set before access ${n} of clearing slab ${taken}`).toEqual(
          [given, ...others].sort((x, y) => x - y),
        );
      }
    }
  }
});

test("a thread killed at any access of giving a slab back", () => {
  const accesses = killAtEveryAccess<World>({
    build() {
      const b = largerHeap();
      take(b, 32);
      const a = another(b);
      const handles = take(a, 32); // all of word 1
      b.advanceEpoch();
      a.poll();
      return { a, b, handles };
    },
    act: ({ a, handles }) => a.free(handles[7]),
    check({ b }) {
      expect(lostSummaries(b)).toEqual([]);
      expectHealthy(b);
      const { slabs } = b.verify();
      expect([63, 64]).toContain(slabs);
      expect(fill(b, SLAB)).toHaveLength(SLABS - slabs);
      expectWholeMemoryBack(b);
    },
  });
  expect(accesses).toBeGreaterThan(20);
});

test("a thread killed at any access of taking the last slab of a word", () => {
  const accesses = killAtEveryAccess<World>({
    build() {
      const b = largerHeap();
      const handles = take(b, 63);
      const a = another(b);
      return { a, b, handles };
    },
    act: ({ a }) => a.alloc(SLAB),
    check({ b }) {
      expect(lostSummaries(b)).toEqual([]);
      expectHealthy(b);
      const { liveObjects } = b.verify();
      expect([63, 64]).toContain(liveObjects);
      expect(fill(b, SLAB)).toHaveLength(SLABS - liveObjects);
      expectWholeMemoryBack(b);
    },
  });
  expect(accesses).toBeGreaterThan(20);
});
