/**
 * Defends: an epoch that wants to close with its last domain stays open while a thread is inside, whatever else that
 * thread or others do: entering a domain of an era 16 or more epochs ago, whose place in the ring the new epoch has,
 * fails without ever hiding the membership in the new one; and a domain opened while another thread is just opening
 * that epoch does not close it.
 * Method: entering the old domain is stopped before each of its accesses, and there the only other member leaves; advancing
 * is stopped before each of its accesses, and there another seat opens a domain, or opens and leaves one.
 */
import { describe, expect, test } from "vitest";
import { EpochClosedError } from "../../src/allocator/errors.js";
import type { EpochDomain } from "../../src/allocator/heap/domain.js";
import { RING_SIZE } from "../../src/allocator/memory/layout.js";
import { another, epochId, expectHealthy, smallHeap } from "../allocator/support.js";
import { atEveryAccess, killAtEveryAccess, type Seats } from "./interleave.js";

interface World extends Seats {
  readonly old: EpochDomain;
  /** The domain of the new epoch in the same place of the ring that this thread is inside. */
  readonly mine: EpochDomain;
  readonly other: EpochDomain;
}

describe.each([1, 2])("entering a domain of the era %i rounds ago", (rounds) => {
  function build(): World {
    const b = smallHeap();
    const a = another(b);
    const old = a.openDomain({ label: "old" });
    old.exit();
    for (let i = 0; i < rounds * RING_SIZE; i++) a.advanceEpoch();
    b.poll();
    const mine = a.openDomain({ autoClose: true });
    const other = b.openDomain({ autoClose: true });
    expect([mine.epoch.id, other.epoch]).toEqual([old.epoch.id, mine.epoch]);
    return { a, b, old, mine, other };
  }

  test("while the other member of the new epoch leaves", () => {
    const accesses = atEveryAccess<World, unknown>({
      build,
      act: ({ old }) => old.enter(),
      meanwhile: ({ other }) => other.exit(),
      check({ a, b, old, mine }, { error }) {
        expect(error).toBeInstanceOf(EpochClosedError);
        expect(old.depth).toBe(0);
        expect(b.epochInfo(mine.epoch.id)).toMatchObject({
          state: "ACTIVE",
          refcount: 1,
          era: mine.epoch.era,
        });
        expect(mine.alloc(64)).not.toBe(0);
        mine.exit();
        expect(b.epochInfo(mine.epoch.id).state).toBe("CLOSING");
        expectHealthy(a, b);
      },
    });
    expect(accesses).toBeGreaterThan(0);
  });

  test("before, and after: nothing changes", () => {
    const { a, b, old, mine, other } = build();
    expect(() => old.enter()).toThrow(EpochClosedError);
    other.exit();
    expect(() => old.enter()).toThrow(EpochClosedError);
    expect(b.epochInfo(mine.epoch.id)).toMatchObject({ state: "ACTIVE", refcount: 1 });
    mine.exit();
    expect(b.epochInfo(mine.epoch.id)).toMatchObject({ state: "CLOSING", refcount: 0 });
    for (const heap of [a, b]) heap.detach();
  });

  test("and dying in it ends the membership in the new epoch like any death", () => {
    const accesses = killAtEveryAccess<World>({
      build,
      act({ old }) {
        try {
          old.enter();
        } catch (error) {
          if (!(error instanceof EpochClosedError)) throw error;
        }
      },
      check({ b, other }) {
        expect(b.epochInfo(other.epoch.id)).toMatchObject({ state: "ACTIVE", refcount: 1 });
        other.exit();
        expect(b.epochInfo(other.epoch.id)).toMatchObject({ state: "CLOSING", refcount: 0 });
        expectHealthy(b);
      },
    });
    expect(accesses).toBeGreaterThan(0);
  });
});

describe("while another thread opens the next epoch", () => {
  interface Opening extends Seats {
    readonly era: number;
    domain: EpochDomain | undefined;
  }
  function build(rounds: number): Opening {
    const b = smallHeap();
    const a = another(b);
    for (let i = 0; i < rounds * RING_SIZE; i++) a.advanceEpoch();
    b.poll();
    return { a, b, era: a.currentEpoch.era, domain: undefined };
  }

  test.each([0, 1])("a domain somebody is inside does not close it (round %i)", (rounds) => {
    let inNew = 0;
    const accesses = atEveryAccess<Opening, unknown>({
      build: () => build(rounds),
      act: ({ a }) => a.advanceEpoch(),
      meanwhile(world) {
        world.domain = world.b.openDomain({ autoClose: true });
      },
      check({ a, b, era, domain }) {
        expect(a.currentEpoch.era).toBe(era + 1);
        if (domain?.epoch.era === era + 1) {
          inNew++;
          expect(b.epochInfo(domain.epoch.id)).toMatchObject({ state: "ACTIVE", refcount: 1 });
          expect(domain.alloc(64)).not.toBe(0);
        }
        domain?.exit();
        expect(b.currentEpoch.era).toBe(domain?.epoch.era === era + 1 ? era + 2 : era + 1);
        expectHealthy(a, b);
      },
    });
    expect(inNew).toBeGreaterThan(10);
    expect(accesses).toBeGreaterThan(inNew);
  });

  test("a domain entered and left closes its own epoch only", () => {
    atEveryAccess<Opening, unknown>({
      build: () => build(0),
      act: ({ a }) => a.advanceEpoch(),
      meanwhile(world) {
        world.domain = world.b.openDomain({ autoClose: true });
        world.domain.exit();
      },
      check({ a, b, era, domain }) {
        for (const heap of [a, b]) heap.poll();
        const epochs = [era, era + 1].map((each) => b.epochInfo(epochId(each % RING_SIZE)).state);
        const closedNew = domain?.epoch.era === era + 1;
        expect(epochs[0]).toBe("CLOSING");
        if (closedNew) expect(epochs[1]).toBe("CLOSING");
        expect(b.epochInfo(b.currentEpoch.id).state).toBe("ACTIVE");
        expectHealthy(a, b);
      },
    });
  });
});
