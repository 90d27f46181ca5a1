/**
 * Defends: rotators do not open an epoch whose ring slot somebody is still inside, nor discard one that somebody enters at
 * the last moment; of threads that find at once that it is time one advances; the ring's end is an end.
 * Method: one heap, a second seat in the same thread as "another thread"; what another thread does between two steps is done
 * there by a call in place of one of the steps.
 */
import { describe, expect, test } from "vitest";
import type { EpochDomain, EpochRef, Handle, SlabHeap } from "../../src/allocator/index.js";
import {
  ERA,
  MAX_ERA,
  PHASE,
  REC_BASE,
  REFS_BASE,
  RETAINS_BASE,
  RING_SIZE,
} from "../../src/allocator/memory/layout.js";
import {
  EPOCH_ACTIVE,
  EPOCH_CLOSING,
  packRec,
  packRefs,
  packRetains,
  ringOf,
} from "../../src/allocator/words/epoch-word.js";
import { until } from "../threads/crew.js";
import { refcounts, rotating } from "./support.js";

let heap: SlabHeap;
let other: SlabHeap;
const { rotatorOf, open } = rotating((made, second) => {
  heap = made;
  other = second;
});

describe("the ring", () => {
  test("a request that stays for 40 rotations delays them, and is not disturbed", () => {
    const rotator = rotatorOf({ everyDomains: 3, onLastExit: "discard" });
    const long = rotator.open();
    const handle = long.allocOrThrow(777);
    heap.view(handle).fill(7);
    const { era } = long.epoch;
    const seen = new Set<number>();
    for (let i = 0; i < 40 * 3; i++) {
      const short = rotator.open();
      short.allocOrThrow(64);
      seen.add(short.epoch.era);
      short.end();
    }
    // 16 epochs are in the ring: its own and 15 more.
    expect([...seen]).toEqual(Array.from({ length: 16 }, (_, i) => era + i));
    expect(heap.currentEpoch.era).toBe(era + 15);
    expect(rotator.rotate()).toEqual(heap.currentEpoch);
    expect(rotator.stats()).toMatchObject({
      delayed: 1,
      discarded: 14,
      waiting: 1,
      rotations: { count: 15 },
    });
    expect(heap.view(handle).every((x) => x === 7)).toBe(true);
    expect(refcounts(heap)[long.epoch.id]).toBe(1);
    long.end();
    expect(heap.isLive(handle)).toBe(false);
    open(rotator, 4);
    expect(heap.currentEpoch.era).toBe(era + 17);
    expect(rotator.stats()).toMatchObject({ delayed: 1, discarded: 17, waiting: 0 });
  });

  test("somebody else's domain, or a reference, delays them too", () => {
    const rotator = rotatorOf();
    const { id, era } = heap.currentEpoch;
    const outside = other.openDomain();
    heap.retainEpoch(id);
    for (let i = 0; i < 20; i++) rotator.rotate();
    expect(heap.currentEpoch.era).toBe(era + 15);
    outside.exit();
    expect(rotator.rotate().era).toBe(era + 15);
    heap.releaseEpoch(id);
    expect(rotator.rotate().era).toBe(era + 16);
    expect(rotator.stats()).toMatchObject({ delayed: 1, rotations: { manual: 16 } });
  });

  test.each(["close", "discard"] as const)(
    "a thread that slept through 40 epochs: %s",
    async (onLastExit) => {
      const rotator = rotatorOf({ onLastExit });
      const objects: Handle[] = [];
      for (let i = 0; i < 40; i++) {
        objects.push(other.allocOrThrow(64));
        other.advanceEpoch();
      }
      await until(
        "the timer",
        () => rotator.stats().waiting === 0 && rotator.stats().rotations.otherThread === 40,
      );
      // What is out of the ring is closed, but it can still be discarded.
      const { closed, discarded } = rotator.stats();
      expect([closed, discarded]).toEqual(onLastExit === "close" ? [15, 0] : [0, 40]);
      const live = objects.filter((handle) => heap.isLive(handle)).length;
      expect(live).toBe(onLastExit === "close" ? 40 : 0);
      for (const handle of objects) heap.free(handle);
    },
  );

  test("at the last era of all the rotator stays there", () => {
    const { m } = heap._a;
    const last = MAX_ERA - 1;
    m[ERA] = last;
    for (let back = 0; back < RING_SIZE; back++) {
      const ring = ringOf(last - back);
      m[REC_BASE + ring] = packRec(last - back, back === 0 ? EPOCH_ACTIVE : EPOCH_CLOSING);
      m[REFS_BASE + ring] = packRefs(last - back, 0, 0);
      m[RETAINS_BASE + ring] = packRetains(last - back, 0);
    }
    m[PHASE]++;
    const rotator = rotatorOf({ everyDomains: 1, onLastExit: "discard" });
    open(rotator, 3);
    expect(rotator.rotate().era).toBe(last);
    expect(rotator.stats()).toMatchObject({ delayed: 1, discarded: 0, domainsLeft: 3 });
  });

  test("of two that find one after the other that it is time, one advances", () => {
    const [mine, theirs] = [rotatorOf({ everyDomains: 2 }), rotatorOf({ everyDomains: 2 }, other)];
    const { era } = heap.currentEpoch;
    open(mine, 2);
    open(theirs, 2);
    open(mine, 1);
    open(theirs, 1);
    expect(heap.currentEpoch.era).toBe(era + 1);
    expect(theirs.stats().rotations).toMatchObject({ count: 0, otherThread: 1 });
  });
});

describe("two threads at once", () => {
  /** Has `meanwhile` happen once, just after `of` has looked whether anybody is inside `era`: as if in another thread. */
  function afterLookingAt(of: SlabHeap, era: number, meanwhile: () => void): void {
    const look = of.refcount.bind(of);
    let done = false;
    Object.defineProperty(of, "refcount", {
      configurable: true,
      value(epoch: EpochRef) {
        const count = look(epoch);
        if (epoch.era === era && !done) {
          done = true;
          meanwhile();
        }
        return count;
      },
    });
  }

  test("find that it is time: one advances, so that every ring slot was looked at", () => {
    const [mine, theirs] = [rotatorOf(), rotatorOf({}, other)];
    const { era } = heap.currentEpoch;
    afterLookingAt(heap, era + 1 - RING_SIZE, () => theirs.rotate());
    mine.rotate();
    expect(heap.currentEpoch.era).toBe(era + 1);
    const passed = [mine, theirs].map((rotator) => rotator.stats().rotations);
    for (const { manual, otherThread } of passed) expect(manual + otherThread).toBe(1);
  });

  test("one enters an epoch whose end its opener has not written down: it is not discarded", () => {
    const rotator = rotatorOf({ onLastExit: "discard" });
    const first = rotator.open();
    const handle = first.allocOrThrow(64);
    first.end();
    const { id, era } = first.epoch;
    other.poll();
    // As if a third thread was held up between the two steps of opening the next one.
    heap._a.m[ERA]++;
    let guest: EpochDomain | undefined;
    afterLookingAt(heap, era, () => {
      guest = other.openDomain({ epoch: id });
    });
    rotator.tick();
    expect(guest?.epoch).toEqual(first.epoch);
    expect([heap.isLive(handle), rotator.stats().waiting]).toEqual([true, 1]);
    guest?.exit();
    rotator.tick();
    expect([heap.isLive(handle), rotator.stats().discarded]).toEqual([false, 1]);
  });
});
