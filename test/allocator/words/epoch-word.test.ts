/**
 * Defends: records keep 30 bits of era; reference words tell older, same and newer eras apart although they keep 16
 * bits; entries skip 0 when they wrap; retains belong to one era.
 * Method: properties over eras, and the values at each limit.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { MAX_ERA, RING_SIZE } from "../../../src/allocator/memory/layout.js";
import * as E from "../../../src/allocator/words/epoch-word.js";

const eras = fc.oneof(fc.integer({ min: 0, max: MAX_ERA }), fc.integer({ min: MAX_ERA - 20, max: MAX_ERA }));

test("records survive packing as signed words, up to the last era", () => {
  fc.assert(
    fc.property(eras, fc.integer({ min: 0, max: 3 }), (era, state) => {
      const rec = E.packRec(era, state);
      expect(rec).toBe(rec | 0);
      expect(E.recEra(rec)).toBe(era);
      expect(E.recState(rec)).toBe(state);
      expect(E.ringOf(era)).toBe(era % RING_SIZE);
    }),
  );
});

test("a reference word compares with an era of its ring slot by age, for half a million eras to either side", () => {
  fc.assert(
    fc.property(eras, fc.integer({ min: -32767, max: 32767 }), (era, laps) => {
      const other = era + laps * RING_SIZE;
      fc.pre(other >= 0 && other <= MAX_ERA);
      const word = E.packRefs(other, 1, E.REFS_AUTO);
      expect(Math.sign(E.compareEraTag(word, era))).toBe(Math.sign(laps));
    }),
  );
});

test("entries and flags do not disturb each other", () => {
  fc.assert(
    fc.property(
      eras,
      fc.integer({ min: 0, max: 0x3fff }),
      fc.integer({ min: 0, max: 3 }),
      (era, entries, flags) => {
        const word = E.packRefs(era, entries, flags);
        expect(E.refsEntries(word)).toBe(entries);
        expect(word & (E.REFS_AUTO | E.REFS_CLOSED)).toBe(flags);
        expect(E.wordEraTag(word)).toBe(E.eraTag(era));
        expect(E.compareEraTag(word, era)).toBe(0);
      },
    ),
  );
});

test("entries wrap from their last value to 1: 0 means that nobody ever entered", () => {
  expect(E.bumpEntries(0)).toBe(1);
  expect(E.bumpEntries(0x3ffe)).toBe(0x3fff);
  expect(E.bumpEntries(0x3fff)).toBe(1);
});

test("retains count for their own era only", () => {
  fc.assert(
    fc.property(eras, fc.integer({ min: 0, max: E.MAX_RETAINS }), (era, count) => {
      const word = E.packRetains(era, count);
      expect(E.retainsCount(word, era)).toBe(count);
      if (era + RING_SIZE <= MAX_ERA) expect(E.retainsCount(word, era + RING_SIZE)).toBe(0);
    }),
  );
});

test("records are described in words", () => {
  expect(E.describeRec(E.packRec(17, E.EPOCH_DISCARD))).toBe("era 17 DISCARD");
});
