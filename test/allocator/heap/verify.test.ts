/**
 * Defends: `verify` names every disagreement in a sentence that says which slab, seat or epoch is meant, says nothing
 * about a sound heap in whatever state it is, and comes to an end however damaged the heap is.
 * Method: one heap per way of damaging it (corruptions.ts), and all of verify's sentences compared; its sources are
 * parsed for sentences that no case reaches; then random scripts on three seats with an oracle of what is live.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { COUNT_FREE } from "../../../src/allocator/counters/fields.js";
import { HeapFormatError } from "../../../src/allocator/errors.js";
import type { SlabHeap } from "../../../src/allocator/heap/heap.js";
import {
  ERA,
  PHASE,
  REC_BASE,
  recordAt,
  SEAT_PHASE,
  SLAB_BIN,
  SLAB_CARVED,
  SLAB_COUNTS,
  SLAB_DOOM,
  SLAB_FAST_OWNER,
  SLAB_HEAD,
  SLAB_OWN_NEXT,
  SLAB_OWN_PREV,
} from "../../../src/allocator/memory/layout.js";
import { hasFreeHint, repairFree } from "../../../src/allocator/slabs/free-map.js";
import type { Handle } from "../../../src/allocator/types.js";
import { EPOCH_CLOSING, packRec } from "../../../src/allocator/words/epoch-word.js";
import {
  another,
  expectHealthy,
  expectWholeMemoryBack,
  fill,
  freeAll,
  SLAB,
  slabOf,
  smallHeap,
  withSeed,
} from "../support.js";
import { SHARED_CORRUPTIONS } from "./corruptions.js";
import { HEADER_CORRUPTIONS } from "./corruptions-header.js";
import { OWNED_CORRUPTIONS } from "./corruptions-owned.js";
import { Words } from "./damage.js";

/** Sentences seen by this file's tests, for the last one. */
const seen: string[] = [];

function problemsOf(heap: SlabHeap): string[] {
  const report = heap.verify();
  expect(report.ok).toBe(report.problems.length === 0);
  seen.push(...report.problems);
  return [...report.problems];
}

/** The heap that corruptions.ts describes. */
function prepared(): SlabHeap {
  const heap = smallHeap();
  const other = another(heap);
  const idle = another(heap);
  for (const seat of [heap, other]) seat.poll();
  // Every slab has been used once.
  expect(heap.free(heap.alloc(heap.capacity))).toBe(true);
  const sizes = [3 * SLAB, 64, 64, ...new Array<number>(8).fill(1024)];
  const handles = sizes.map((size) => heap.alloc(size));
  // Of slab 2 first, of slab 1 last: the slab that got room last is the current one.
  freeAll(
    heap,
    [8, 4, 5, 6].map((i) => handles[i]),
  );
  handles.push(other.alloc(128));
  expect(handles.map((handle) => slabOf(heap, handle))).toEqual([13, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3]);
  expectHealthy(heap, other, idle);
  return heap;
}

describe("a damaged heap", () => {
  // Nobody must work on these heaps but the test: not even the timer that gives a forgotten heap's seat back.
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test.each([...HEADER_CORRUPTIONS, ...SHARED_CORRUPTIONS, ...OWNED_CORRUPTIONS])(
    "%s",
    (_name, damage, expected) => {
      const words = new Words(prepared());
      damage(words);
      const sentences = typeof expected === "function" ? expected(words) : expected;
      expect(problemsOf(words.heap).sort()).toEqual([...sentences].sort());
      // Looking does not mend, and does not make it worse.
      expect(problemsOf(words.heap).sort()).toEqual([...sentences].sort());
    },
  );

  test("with a free map whose summary hides free slabs", () => {
    const heap = smallHeap({ capacity: 64 * SLAB });
    const { m, layout } = heap._a;
    expect(layout.freeLevels).toHaveLength(2);
    m[layout.freeLevels[1]] &= ~2;
    expect(problemsOf(heap)).toEqual(
      Array.from({ length: 32 }, (_, i) => `slab ${32 + i}: FREE, but the free map does not show it`),
    );
  });

  test("without an open epoch", () => {
    const heap = smallHeap();
    heap._a.m[REC_BASE] = packRec(16, EPOCH_CLOSING);
    expect(problemsOf(heap)).toEqual([
      "epoch 0: era 16 CLOSING, although ERA is 16",
      "ring: no epoch is open for era 16",
    ]);
  });

  test("whose ERA moved on by itself", () => {
    const heap = smallHeap();
    heap._a.m[ERA] = 17;
    const problems = problemsOf(heap);
    expect(problems).toContain("epoch 0: era 16 ACTIVE, although ERA is 17");
    expect(problems).toContain(
      "epoch 1: its record names era 1 CLOSING, but with ERA 17 it should be era 17",
    );
    expect(problems).toContain("ring: no epoch is open for era 17");
  });

  test("with slabs of a closed epoch that are not drained", () => {
    const heap = smallHeap();
    const handle = heap.alloc(64);
    const words = new Words(heap);
    const bin = words.get(0, SLAB_BIN);
    heap.advanceEpoch();
    expectHealthy(heap);
    words.set(0, SLAB_FAST_OWNER, heap._a.me);
    expect(problemsOf(heap)).toEqual(["slab 0: era 16 is closed, but its frees still take the fast path"]);
    words.set(0, SLAB_FAST_OWNER, 0);
    words.set(0, SLAB_BIN, bin);
    const problems = problemsOf(heap);
    expect(problems).toContain("slab 0: era 16 is closed, but it is still in a bin");
    expect(problems).toContain("seat 1, class 0: slab 0 has free slots that no alloc can reach");
    words.set(0, SLAB_BIN, 0);
    expectHealthy(heap);

    // Freed, but the slab forgotten.
    const slot = words.slot(0, 0);
    words.m[slot] += 3;
    words.m[slot + heap._a.layout.linkDelta] = words.get(0, SLAB_HEAD);
    words.set(0, SLAB_HEAD, slot);
    words.set(0, SLAB_COUNTS, words.get(0, SLAB_COUNTS) - COUNT_FREE);
    expect(heap.isLive(handle)).toBe(false);
    expect(problemsOf(heap)).toEqual(["slab 0: empty slab of closed era 16 was not given back"]);
    // An owner that has not noticed the close yet is not blamed for it.
    words.seat(1, SEAT_PHASE, words.m[PHASE] - 1);
    const other = another(heap);
    words.seat(1, SEAT_PHASE, words.m[PHASE] - 1);
    expect(problemsOf(other)).toEqual([]);
  });

  test("with slabs of an old era that are doomed and were not wiped", () => {
    const heap = smallHeap();
    heap.alloc(64);
    for (let n = 0; n < 17; n++) heap.advanceEpoch();
    expectHealthy(heap);
    new Words(heap).set(0, SLAB_DOOM, 16);
    expect(problemsOf(heap)).toEqual(["slab 0: its era was discarded, but seat 1 has not given it back"]);
  });

  test.each<[string, number, (words: Words) => number, string]>([
    ["a circle", SLAB_OWN_NEXT, () => recordAt(0), "seat 1's list of epoch 0"],
    ["no record", SLAB_OWN_NEXT, () => 77, "seat 1's list of epoch 0"],
    ["another's slab", SLAB_OWN_NEXT, () => recordAt(3), "seat 1's list of epoch 0"],
    ["a bin that is none", SLAB_BIN, () => 300, "slab 0: its bin is 300"],
  ])("that its owner cannot drain: %s", (_name, field, value, what) => {
    const heap = prepared();
    const words = new Words(heap);
    words.set(0, field, value(words));
    words.m[PHASE]++;
    words.m[ERA]++;
    const error = new RegExp(`^${what}: the heap's metadata was overwritten`);
    for (let i = 0; i < 2; i++) {
      expect(() => heap.alloc(64)).toThrow(HeapFormatError);
      expect(() => heap.poll()).toThrow(error);
    }
    expect(problemsOf(heap)).toContainEqual(expect.stringMatching(/^this thread cannot go on: /));
  });

  test("with more carved slots than there are: remote frees are not looked for there", () => {
    const heap = prepared();
    const words = new Words(heap);
    words.setSlot(0, 0, words.m[words.slot(0, 0)] + 1);
    words.seat(1, heap._a.layout.seatPending, 1);
    words.set(0, SLAB_CARVED, 2 ** 30);
    words.m[PHASE]++;
    expect(() => heap.poll()).toThrow(/^slab 0: 1073741824 slots carved: .* overwritten/);
    expect(problemsOf(heap)).toContain("slab 0: 1073741824 of 64 slots carved");
  });

  test("with a wrong back link: its owner cannot leave", () => {
    const heap = prepared();
    new Words(heap).set(0, SLAB_OWN_PREV, recordAt(5));
    expect(() => heap.detach()).toThrow(/^seat 1's list of epoch 0: .* overwritten/);
    expect(heap._a.m[recordAt(5) + SLAB_OWN_NEXT]).toBe(0);
  });

  test("in many places: the first hundred are listed, the others counted", () => {
    const heap = smallHeap({ capacity: 64 * SLAB });
    const handle = heap.alloc(64);
    const words = new Words(heap);
    for (let slot = 0; slot < 64; slot++) words.setSlot(0, slot, -4);
    for (let slab = 1; slab < 61; slab++) words.tag(slab, 8);
    const problems = problemsOf(heap);
    expect(slabOf(heap, handle)).toBe(0);
    expect(problems).toHaveLength(101);
    const hidden = Number(/^\.\.\. and (\d+) more problems$/.exec(problems[100])?.[1]);
    expect(hidden).toBeGreaterThanOrEqual(64 + 60 - 100);
    expect(problems[0]).toBe("slab 0: slot 0 holds the impossible word 0xfffffffc");
  });

  test("that cannot be interpreted: nothing but its header is looked at", () => {
    const heap = prepared();
    expect(heap.verify()).toMatchObject({ liveObjects: 8, slabs: 7 });
    new Words(heap).m[0] = 0;
    expect(heap.verify()).toMatchObject({ ok: false, liveObjects: 0, slabs: 0 });
  });

  test("every sentence of the sources was said by one of the tests above", () => {
    const sentences = ["verify.ts", "verify-owned.ts", "verify-words.ts"].flatMap((file) => {
      const url = new URL(`../../../src/allocator/heap/${file}`, import.meta.url);
      const source = readFileSync(fileURLToPath(url), "utf8");
      const calls = [...source.matchAll(/findings\.add\(/g)];
      const texts = [...source.matchAll(/findings\.add\(\s*(?:`([^`]*)`|"([^"]*)")/g)];
      expect(texts.length, `${file}: sentences that are plain texts`).toBe(calls.length);
      return texts.map(([, template, text]) => template ?? text);
    });
    expect(sentences.length).toBeGreaterThan(40);
    const quote = (text: string): string => text.replace(/[.*+?^()[\]|\\]/g, "\\$&");
    const unsaid = sentences.filter((sentence) => {
      const pattern = new RegExp(
        `^${sentence
          .split(/\$\{[^}]*\}/)
          .map(quote)
          .join(".*")}$`,
      );
      return !seen.some((problem) => pattern.test(problem));
    });
    expect(unsaid).toEqual([]);
  });
});

describe("a sound heap", () => {
  test("a hint for a slab that is taken is no damage: a claim of it just fails", () => {
    const heap = smallHeap();
    const handles = fill(heap, 64).slice(0, 64 * 4);
    for (const slab of [0, 2]) repairFree(heap._a.m, heap._a.layout, slab);
    expect(hasFreeHint(heap._a.m, heap._a.layout, 2)).toBe(true);
    expect(problemsOf(heap)).toEqual([]);
    expect(heap.alloc(1024)).toBe(0);
    expect(handles.every((handle) => heap.isLive(handle))).toBe(true);
    expectWholeMemoryBack(heap);
    heap.detach();
  });

  test("has no problems in any state, and its objects and slabs are counted right", () => {
    withSeed((random) => {
      const below = (n: number): number => Math.floor(random() * n);
      let verified = 0;
      for (let round = 0; round < 12; round++) {
        const heap = smallHeap({ capacity: (4 + below(60)) * SLAB, zeroOnFree: below(3) === 0 });
        const seats = [heap, another(heap), another(heap)];
        const live: Handle[] = [];
        for (let step = 0; step < 600; step++) {
          const seat = seats[below(3)];
          const kind = below(100);
          if (kind < 55) {
            const handle = seat.alloc(1 + below(kind < 50 ? 1024 : 4 * SLAB));
            if (handle !== 0) live.push(handle);
          } else if (kind < 90 && live.length > 0) {
            expect(seat.free(live.splice(below(live.length), 1)[0])).toBe(true);
          } else if (kind < 94) {
            seat.advanceEpoch();
          } else if (kind < 95) {
            const doomed = new Set(live.filter((handle) => seat.epochOf(handle).era % 3 === 0));
            const eras = new Set([...doomed].map((handle) => seat.epochOf(handle).era));
            for (const era of eras) seat.discardEpoch({ id: (era % 16) as never, era });
            for (const handle of doomed) live.splice(live.indexOf(handle), 1);
          } else if (kind < 97) {
            seats.splice(1, 1)[0].detach();
            seats.push(another(heap));
          } else {
            // The owners collect what others freed and drain what was closed.
            for (const s of seats) s.poll();
            for (const s of seats) {
              const report = s.verify();
              expect(report.problems).toEqual([]);
              expect(report.liveObjects).toBe(live.length);
              expect(report.slabs).toBe(heap.counters().committedSlabs);
              verified++;
            }
          }
        }
        expectWholeMemoryBack(heap, ...seats.slice(1));
        for (const seat of seats) seat.detach();
      }
      expect(verified).toBeGreaterThan(100);
    });
  });
});
