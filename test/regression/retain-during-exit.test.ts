/**
 * Defends: a reference taken in time keeps its epoch open: an exit that had looked at the references just before may not
 * close the epoch all the same.
 * Method: the last exit of a domain that closes its epoch is stopped before each of its accesses; there another seat
 * retains the epoch. Unless the exit had decided by then (its CLOSED bit), the epoch stays open until the reference
 * goes.
 */
import { expect, test } from "vitest";
import type { EpochDomain } from "../../src/allocator/heap/domain.js";
import { REFS_BASE } from "../../src/allocator/memory/layout.js";
import { REFS_CLOSED } from "../../src/allocator/words/epoch-word.js";
import { another, epochId, expectHealthy, smallHeap } from "../allocator/support.js";
import { atEveryAccess, type Seats } from "./interleave.js";

const FIRST = epochId(0);

interface World extends Seats {
  readonly domain: EpochDomain;
  inTime: boolean;
}

test.each([1, 3])("retaining %i times while the last domain is left", (times) => {
  let kept = 0;
  const accesses = atEveryAccess<World, void>({
    build() {
      const b = smallHeap();
      const a = another(b);
      const domain = a.openDomain({ autoClose: true });
      b.poll();
      return { a, b, domain, inTime: false };
    },
    act: ({ domain }) => domain.exit(),
    meanwhile(world) {
      for (let i = 0; i < times; i++) expect(world.b.retainEpoch(FIRST)).toBeGreaterThan(i);
      world.inTime = (world.b._a.m[REFS_BASE] & REFS_CLOSED) === 0;
    },
    check({ a, b, inTime }, { error }) {
      expect(error).toBeUndefined();
      if (inTime) {
        kept++;
        expect(b.epochInfo(FIRST)).toMatchObject({ state: "ACTIVE", refcount: times });
        expect(a.alloc(64, FIRST)).not.toBe(0);
        for (let i = times; i > 0; i--) {
          expect(b.epochInfo(FIRST).state).toBe("ACTIVE");
          expect(b.releaseEpoch(FIRST)).toBe(i - 1);
        }
      }
      expect(b.epochInfo(FIRST).state).toBe("CLOSING");
      expectHealthy(a, b);
    },
  });
  // Leaving, looking at refs, at four seats and at the references: all of it comes before the decision.
  expect(kept).toBeGreaterThan(7);
  expect(accesses).toBeGreaterThan(kept);
});
