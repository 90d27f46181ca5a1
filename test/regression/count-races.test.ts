/**
 * Defends: whoever reads the counters while others work never sees more than there will be, and a remote free that gets
 * between any two steps of the owner is counted once.
 * Method: every operation is watched at each of its accesses to the shared words: a reader adds up the counters there, or
 * another seat frees an object there; objects are counted in the slot words, which know nothing of counters.
 */
import { describe, expect, test } from "vitest";
import { collect, freeRemote } from "../../src/allocator/slabs/remote-free.js";
import type { Handle } from "../../src/allocator/types.js";
import { expectCountersExact, expectHealthy, slabOf, slotWordOf } from "../allocator/support.js";
import { SCENARIOS } from "./counted-scenarios.js";
import { build, take, type World } from "./counted-world.js";
import { atEveryAccess, watchAccesses } from "./interleave.js";

describe("a reader between any two accesses", () => {
  test.each(SCENARIOS)("never sees more than there will be, nor less than there was: $name", (scenario) => {
    const world = build(scenario);
    const { a, b } = world;
    const { allocCount, freeCount } = b.counters();
    const allocs: number[] = [];
    const frees: number[] = [];
    watchAccesses(
      a,
      () => scenario.act(world),
      () => {
        const seen = b.counters();
        allocs.push(seen.allocCount);
        frees.push(seen.freeCount);
      },
    );
    const after = b.counters();
    expect(Math.max(...allocs)).toBeLessThanOrEqual(after.allocCount);
    expect(Math.max(...frees)).toBeLessThanOrEqual(after.freeCount);
    // While counts move from a slab to its class they are in neither: less, but only for moments.
    expect(after.allocCount).toBeGreaterThanOrEqual(allocCount);
    expect(after.freeCount).toBeGreaterThanOrEqual(freeCount);
    expect(allocs.length).toBeGreaterThanOrEqual(scenario.least);
    for (const each of [a, b, world.c]) if (!each._a.detached) each.detach();
  });
});

interface Race extends World {
  target: Handle;
  word: number;
  freed: boolean;
}

/** A seat that had found the object alive and its epoch open before anything else happened frees it in between. */
const RACES: [string, (world: Race) => unknown][] = [
  ["the discard of its epoch", ({ a }) => a.discardEpoch(a.currentEpoch)],
  ["a close of its epoch", ({ a }) => a.closeEpoch(a.currentEpoch)],
  [
    "a collect of its slab",
    ({ a, target }) => {
      const { m, seatBase, layout } = a._a;
      m[seatBase + layout.seatPending] |= 1 << slabOf(a, target);
      collect(a._a, true);
    },
  ],
  ["its owner's detach", ({ a }) => a.detach()],
];
describe("a remote free between any two accesses is counted once", () => {
  for (const [name, act] of RACES) {
    test(`of ${name}`, () => expectCountedOnce(act));
  }
});

function expectCountedOnce(act: (world: Race) => unknown): void {
  let freed = 0;
  const accesses = atEveryAccess<Race, unknown>({
    build() {
      const world = build({ name: "", least: 0, prepare: (w) => take(w, w.a, 6, 64) });
      const target = world.mine[5];
      return { ...world, target, word: world.b._a.m[slotWordOf(world.b, target)], freed: false };
    },
    act,
    meanwhile(world) {
      const { c, target, word } = world;
      world.freed = freeRemote(c._a, slabOf(c, target), slotWordOf(c, target), word);
      if (world.freed) freed++;
    },
    check({ a, b, c }, { error }) {
      expect(error).toBeUndefined();
      const seats = [a, b, c].filter((seat) => !seat._a.detached);
      expectHealthy(...seats);
      expectCountersExact(...seats);
      c.detach();
    },
  });
  expect(freed).toBeGreaterThan(3);
  expect(accesses).toBeGreaterThanOrEqual(freed);
}
