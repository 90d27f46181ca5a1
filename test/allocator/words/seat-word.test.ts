/** Defends: a seat's incarnation, holder and state are kept apart; incarnations wrap at 16 bits. Method: properties. */
import fc from "fast-check";
import { expect, test } from "vitest";
import * as W from "../../../src/allocator/words/seat-word.js";

const incarnations = fc.oneof(
  fc.integer({ min: 0, max: 0xffff }),
  fc.constantFrom(0, 0x7fff, 0x8000, 0xffff),
);

test("fields survive packing as a signed word", () => {
  fc.assert(
    fc.property(
      incarnations,
      fc.integer({ min: 0, max: W.WHO_MASK }),
      fc.integer({ min: 0, max: 3 }),
      (incarnation, who, state) => {
        const word = W.packSeat(incarnation, who, state);
        expect(word).toBe(word | 0); // what an Int32Array would give back
        expect(W.seatIncarnation(word)).toBe(incarnation);
        expect(W.seatWho(word)).toBe(who);
        expect(W.seatState(word)).toBe(state);
      },
    ),
  );
});

test("of a holder only the low 14 bits are kept", () => {
  expect(W.seatWho(W.packSeat(1, 0x12345, W.SEAT_LIVE))).toBe(0x12345 & 0x3fff);
  expect(W.seatIncarnation(W.packSeat(1, -1, W.SEAT_LIVE))).toBe(1);
});

test("the next incarnation is one more, and wraps to 1: a word of 0 is a seat nobody ever took", () => {
  fc.assert(
    fc.property(incarnations, (incarnation) => {
      expect(W.nextIncarnation(W.packSeat(incarnation, 5, W.SEAT_FREE))).toBe((incarnation % 0xffff) + 1);
    }),
  );
});
