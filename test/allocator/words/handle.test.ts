/**
 * Defends: a handle names one (slot, generation) of one heap and nothing else: packing is reversible and exact in a
 * double, and no number, forged or once valid, frees or shows a slot that is not ALLOC with that generation.
 * Method: properties over packing; then one heap whose slots are put into every state while random doubles and
 * the handles computed from those very words are tried.
 */
import fc from "fast-check";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { HEAP_ID_BITS, SLOT_BITS } from "../../../src/allocator/memory/layout.js";
import type { Handle } from "../../../src/allocator/types.js";
import { handleBias, handleSlot, packHandle } from "../../../src/allocator/words/handle.js";
import {
  LAST_GENERATION,
  SLOT_ALLOC,
  SLOT_FREE,
  SLOT_REMOTE_FREED,
  SLOT_RETIRED,
} from "../../../src/allocator/words/slot-word.js";
import { expectHealthy, forged, slotWordOf, smallHeap } from "../support.js";

const slots = fc.integer({ min: 0, max: 2 ** SLOT_BITS - 1 });
const generations = fc.integer({ min: 0, max: LAST_GENERATION });
const ids = fc.integer({ min: 0, max: 2 ** HEAP_ID_BITS - 1 });
const alloc = (generation: number): number => (generation << 2) | SLOT_ALLOC;

describe("packing", () => {
  test("is a positive safe integer made of generation, bias and slot", () => {
    fc.assert(
      fc.property(slots, generations, ids, (slot, generation, id) => {
        const handle = packHandle(slot, alloc(generation), handleBias(id));
        expect(Number.isSafeInteger(handle)).toBe(true);
        expect(handle).toBe((generation + 1 + id) * 2 ** SLOT_BITS + slot);
        expect(handleSlot(handle)).toBe(slot);
      }),
    );
  });

  test("the largest handle is still exact, and none is 0", () => {
    const largest = packHandle(2 ** SLOT_BITS - 1, alloc(LAST_GENERATION), handleBias(2 ** HEAP_ID_BITS - 1));
    expect(largest).toBeLessThan(2 ** 53);
    expect(packHandle(0, alloc(0), handleBias(0))).toBe(2 ** SLOT_BITS);
  });

  test("different (slot, generation) give different handles", () => {
    fc.assert(
      fc.property(slots, generations, slots, generations, ids, (s1, g1, s2, g2, id) => {
        const same = s1 === s2 && g1 === g2;
        const bias = handleBias(id);
        expect(packHandle(s1, alloc(g1), bias) === packHandle(s2, alloc(g2), bias)).toBe(same);
      }),
    );
  });

  test("the slot of any number is a slot index", () => {
    fc.assert(
      fc.property(fc.double(), (value) => {
        const slot = handleSlot(value);
        expect(Number.isInteger(slot) && slot >= 0 && slot < 2 ** SLOT_BITS).toBe(true);
      }),
    );
  });
});

describe("forged numbers", () => {
  const heap = smallHeap({ capacity: 4 * 4096 });
  const { m, layout } = { m: heap._a.m, layout: heap._a.layout };
  const bias = heap._a.handleBias;
  let saved: Int32Array;
  let live: Handle[];

  beforeEach(() => {
    if (saved === undefined) {
      live = [64, 128, 1024, 64, 64].map((size) => heap.alloc(size));
      saved = m.slice(layout.slotBase, layout.slotBase + layout.slotMask + 1);
    }
    m.set(saved, layout.slotBase);
  });
  afterAll(() => heap.detach());

  /** Puts every slot into a state with a random generation. */
  const spoil = (states: readonly number[], random: () => number): void => {
    for (let slot = 0; slot <= layout.slotMask; slot++) {
      const generation = Math.floor(random() * (LAST_GENERATION + 1));
      m[layout.slotBase + slot] = (generation << 2) | states[Math.floor(random() * states.length)];
    }
  };

  const numbers = fc.oneof(
    fc.double(),
    fc.double({ min: 0, max: 2 ** 53, noNaN: true }),
    fc.maxSafeInteger(),
    fc.maxSafeNat(),
    fc.integer(),
    fc.constantFrom(0, -0, Number.NaN, Infinity, -Infinity, 2 ** 53, 2 ** 63, 2 ** 64, 1e300, 5e-324, 0.5),
  );

  test("none of them names a FREE, REMOTE_FREED or RETIRED slot", () => {
    fc.assert(
      fc.property(fc.array(numbers, { maxLength: 50 }), fc.integer({ min: 0 }), (values, seed) => {
        let state = seed;
        const random = (): number => {
          state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
          return state / 2 ** 32;
        };
        spoil([SLOT_FREE, SLOT_REMOTE_FREED, SLOT_RETIRED], random);
        const before = m.slice(layout.slotBase, layout.slotBase + layout.slotMask + 1);
        for (let slot = 0; slot <= layout.slotMask; slot += 7) {
          const word = m[layout.slotBase + slot];
          for (const other of [word, (word & ~3) | SLOT_ALLOC]) values.push(packHandle(slot, other, bias));
        }
        for (const value of values) {
          expect(heap.isLive(forged(value))).toBe(false);
          expect(heap.free(forged(value))).toBe(false);
        }
        expect(m.slice(layout.slotBase, layout.slotBase + layout.slotMask + 1)).toEqual(before);
      }),
      { numRuns: 50 },
    );
  });

  test("near a live handle only the handle itself is accepted", () => {
    for (const handle of live) {
      const near = [0.5, -0.5, 1, -1, 2 ** SLOT_BITS, -(2 ** SLOT_BITS), 2 ** 52, 2 ** 53, -2 * handle];
      for (const delta of near) {
        const other = handle + delta;
        if (other === handle || live.includes(forged(other))) continue;
        expect(heap.isLive(forged(other))).toBe(false);
        expect(heap.free(forged(other))).toBe(false);
      }
      expect(heap.isLive(handle)).toBe(true);
    }
    expectHealthy(heap);
  });

  test("every generation but the right one is stale", () => {
    fc.assert(
      fc.property(fc.nat({ max: 4 }), generations, (i, generation) => {
        const slotWord = slotWordOf(heap, live[i]);
        const right = m[slotWord] >>> 2 === generation;
        const handle = packHandle(slotWord - layout.slotBase, alloc(generation), bias);
        expect(heap.isLive(handle)).toBe(right);
      }),
    );
  });
});
