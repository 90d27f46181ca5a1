/**
 * Defends: a slot's generation grows with every free and never wraps; only ALLOC words below the last generation
 * pass the fast free's mask.
 * Method: properties over random generations, and the words at the limit.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import * as S from "../../../src/allocator/words/slot-word.js";

const generations = fc.oneof(
  fc.integer({ min: 0, max: S.LAST_GENERATION }),
  fc.integer({ min: S.LAST_GENERATION - 3, max: S.LAST_GENERATION }),
);
const word = (generation: number, state: number): number => (generation << 2) | state;

test("state and generation survive packing, and no word is negative", () => {
  fc.assert(
    fc.property(generations, fc.integer({ min: 0, max: 3 }), (generation, state) => {
      const packed = word(generation, state);
      expect(packed).toBeGreaterThanOrEqual(0);
      expect(S.slotState(packed)).toBe(state);
      expect(S.generationOf(packed)).toBe(generation);
      expect(S.isOccupied(packed)).toBe(state === S.SLOT_ALLOC || state === S.SLOT_REMOTE_FREED);
    }),
  );
});

test("a free leads to the next generation, whichever thread frees", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: S.LAST_GENERATION - 1 }),
      fc.constantFrom(S.SLOT_ALLOC, S.SLOT_REMOTE_FREED),
      (generation, state) => {
        const next = S.nextFree(word(generation, state));
        expect(S.slotState(next)).toBe(S.SLOT_FREE);
        expect(S.generationOf(next)).toBe(generation + 1);
      },
    ),
  );
});

test("the last generation retires", () => {
  for (const state of [S.SLOT_ALLOC, S.SLOT_REMOTE_FREED]) {
    const next = S.nextFree(word(S.LAST_GENERATION, state));
    expect(S.slotState(next)).toBe(S.SLOT_RETIRED);
    expect(S.generationOf(next)).toBe(S.LAST_GENERATION);
    expect(S.isOccupied(next)).toBe(false);
  }
});

test("the fast free's mask lets exactly ALLOC below the last generation through", () => {
  fc.assert(
    fc.property(generations, fc.integer({ min: 0, max: 3 }), (generation, state) => {
      const passes = (word(generation, state) & S.FAST_FREE_MASK) === S.SLOT_ALLOC;
      expect(passes).toBe(state === S.SLOT_ALLOC && generation < S.LAST_GENERATION);
    }),
  );
});

test("fresh memory is a free slot", () => {
  expect(S.slotState(0)).toBe(S.SLOT_FREE);
  expect(S.describeSlot(0)).toBe("FREE generation 0");
  expect(S.describeSlot(word(7, S.SLOT_REMOTE_FREED))).toBe("REMOTE_FREED generation 7");
});
