/** Defends: a tag keeps owner, class, ring slot and tail's head apart for every value they can take. Method: properties. */
import fc from "fast-check";
import { expect, test } from "vitest";
import * as T from "../../../src/allocator/words/slab-tag.js";

const fields = fc.record({
  state: fc.constantFrom(T.TAG_CLAIMED, T.TAG_OWNED, T.TAG_ORPHANED, T.TAG_LARGE),
  owner: fc.integer({ min: 0, max: 255 }),
  classIndex: fc.integer({ min: 0, max: 63 }),
  ring: fc.integer({ min: 0, max: 15 }),
});

test("fields survive packing, and no tag but FREE is 0", () => {
  fc.assert(
    fc.property(fields, ({ state, owner, classIndex, ring }) => {
      const tag = T.packTag(state, owner, classIndex, ring);
      expect(tag).not.toBe(T.TAG_FREE);
      expect([T.tagState(tag), T.tagOwner(tag), T.tagClass(tag), T.tagRing(tag)]).toEqual([
        state,
        owner,
        classIndex,
        ring,
      ]);
    }),
  );
});

test("retag changes state and owner only", () => {
  fc.assert(
    fc.property(fields, fields, (a, b) => {
      const tag = T.retag(T.packTag(a.state, a.owner, a.classIndex, a.ring), b.state, b.owner);
      expect(tag).toBe(T.packTag(b.state, b.owner, a.classIndex, a.ring));
    }),
  );
});

test("a tail names its head, up to the last slab of the largest heap, and nobody holds it", () => {
  for (const head of [0, 1, 255, 256, 65535, 2 ** 20 - 1]) {
    const tail = T.packTail(head);
    expect(T.tagState(tail)).toBe(T.TAG_TAIL);
    expect(T.tailHead(tail)).toBe(head);
    expect(T.isHeld(tail)).toBe(false);
    for (let seat = 0; seat < 256; seat++) expect(T.isHeldBy(tail, seat)).toBe(false);
  }
});

test("held means OWNED or LARGE with an owner", () => {
  fc.assert(
    fc.property(fields, fc.integer({ min: 1, max: 255 }), ({ state, owner, classIndex, ring }, seat) => {
      const tag = T.packTag(state, owner, classIndex, ring);
      const held = (state === T.TAG_OWNED || state === T.TAG_LARGE) && owner !== 0;
      expect(T.isHeld(tag)).toBe(held);
      expect(T.isHeldBy(tag, seat)).toBe(held && owner === seat);
    }),
  );
});

test("tags are described in words", () => {
  expect(T.describeTag(0)).toBe("FREE");
  expect(T.describeTag(T.packTail(7))).toBe("TAIL of 7");
  expect(T.describeTag(T.packTag(T.TAG_OWNED, 3, 2, 1))).toBe("OWNED(seat 3, class 2, epoch 1)");
  expect(T.describeTag(T.packTag(T.TAG_RELEASING, 3, 0, 0))).toBe("RELEASING(seat 3)");
  expect(T.describeTag(7)).toContain("INVALID");
});
