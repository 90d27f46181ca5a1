/**
 * Defends: a rotator opens the next epoch when it is time and never where that would displace somebody; it ends each epoch
 * once, when nobody is inside, whoever was last; objects live as long as a domain of their epoch.
 * Method: one heap, a second seat in the same thread as "another thread", each rule in the smallest case.
 */
import { describe, expect, test } from "vitest";
import {
  EpochClosedError,
  type EpochRef,
  type Handle,
  NULL_HANDLE,
  type SlabHeap,
} from "../../src/allocator/index.js";
import { runInDomain } from "../../src/async/index.js";
import { lap } from "../allocator/support.js";
import { until } from "../threads/crew.js";
import { rotating, turn } from "./support.js";

let heap: SlabHeap;
let other: SlabHeap;
const { rotatorOf, open } = rotating((made, second) => {
  heap = made;
  other = second;
});

const stateOf = ({ id }: EpochRef): string => {
  const { state, discarded } = heap.epochInfo(id);
  return discarded ? "DISCARDED" : state;
};

describe("when it is time", () => {
  test("after so many domains", () => {
    const first = heap.currentEpoch;
    const rotator = rotatorOf({ everyDomains: 4 });
    open(rotator, 4);
    expect(heap.currentEpoch).toEqual(first);
    open(rotator, 1);
    expect(heap.currentEpoch.era).toBe(first.era + 1);
    open(rotator, 8);
    expect(rotator.stats()).toMatchObject({
      rotations: { count: 3, time: 0, manual: 0, otherThread: 0 },
      delayed: 0,
      closed: 3,
      discarded: 0,
      waiting: 0,
      domainsOpened: 13,
      domainsLeft: 13,
      domainsOpen: 0,
    });
  });

  test("after so many milliseconds, also while nothing happens; an unused epoch stays", async () => {
    const rotator = rotatorOf({ everyMs: 5 });
    const first = heap.currentEpoch;
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(heap.currentEpoch).toEqual(first);
    const domain = rotator.open();
    await until("the clock", () => rotator.stats().rotations.time === 1);
    expect(heap.currentEpoch.era).toBe(first.era + 1);
    expect([rotator.stats().closed, rotator.stats().waiting]).toEqual([0, 1]);
    domain.end();
    expect([rotator.stats().closed, rotator.stats().waiting]).toEqual([1, 0]);
  });

  test("by the clock when a domain opens, before a timer gets to it", () => {
    const rotator = rotatorOf({ everyMs: 1 });
    const { era } = heap.currentEpoch;
    rotator.open().end();
    for (const from = performance.now(); performance.now() - from < 2; );
    const domain = rotator.open();
    expect(domain.epoch.era).toBe(era + 1);
    expect(rotator.stats().rotations).toMatchObject({ time: 1 });
    domain.end();
  });

  test("by hand", () => {
    const rotator = rotatorOf();
    const { era } = heap.currentEpoch;
    expect(rotator.rotate()).toEqual(heap.currentEpoch);
    expect(heap.currentEpoch.era).toBe(era + 1);
    expect(rotator.stats()).toMatchObject({ rotations: { manual: 1 }, closed: 1 });
  });

  test("when another thread says so: domains are counted anew", () => {
    const rotator = rotatorOf({ everyDomains: 4 });
    open(rotator, 3);
    other.advanceEpoch();
    const { era } = heap.currentEpoch;
    open(rotator, 4);
    expect(heap.currentEpoch.era).toBe(era);
    open(rotator, 1);
    expect(heap.currentEpoch.era).toBe(era + 1);
    expect(rotator.stats()).toMatchObject({ rotations: { count: 1, otherThread: 1 }, closed: 2 });
  });
});

describe("an epoch ends", () => {
  test.each(["close", "discard"] as const)("when the last domain leaves it: %s", async (onLastExit) => {
    const rotator = rotatorOf({ onLastExit });
    const first = heap.currentEpoch;
    const [a, b] = [rotator.open(), rotator.open()];
    const outside = other.openDomain();
    const objects = [a, b].map((domain, i) => {
      const handle = domain.allocOrThrow(100);
      heap.view(handle).fill(i + 1);
      return handle;
    });
    rotator.rotate();
    const intact = (): boolean[] =>
      objects.map((handle, i) => heap.isLive(handle) && heap.view(handle, 100).every((x) => x === i + 1));
    const done = (): number => rotator.stats()[onLastExit === "close" ? "closed" : "discarded"];
    for (const leave of [() => a.end(), () => outside.exit()]) {
      expect([intact(), done(), stateOf(first)]).toEqual([[true, true], 0, "CLOSING"]);
      leave();
      await turn();
    }
    expect([intact(), done()]).toEqual([[true, true], 0]);
    b.end();
    expect(done()).toBe(1);
    const live = onLastExit === "close";
    expect([intact(), stateOf(first)]).toEqual([[live, live], live ? "CLOSING" : "DISCARDED"]);
    const { objectsGivenBack, bytesGivenBack } = rotator.stats();
    expect([objectsGivenBack, bytesGivenBack > 0]).toEqual(live ? [0, false] : [2, true]);
    for (const handle of objects) heap.free(handle);
  });

  test("by the timer, where the last one out has no rotator, or only holds a reference", async () => {
    const rotator = rotatorOf({ onLastExit: "discard" });
    const first = heap.currentEpoch;
    const domain = rotator.open();
    const handle = domain.allocOrThrow(100);
    const outside = other.openDomain({ unordered: true });
    heap.retainEpoch(first.id);
    rotator.rotate();
    domain.end();
    outside.exit();
    expect([rotator.stats().waiting, heap.isLive(handle)]).toEqual([1, true]);
    await turn();
    expect(heap.isLive(handle)).toBe(true);
    other.releaseEpoch(first.id);
    await until("the timer", () => rotator.stats().discarded === 1);
    expect(heap.isLive(handle)).toBe(false);
  });

  test("also one in which no domain of this rotator was ever opened", async () => {
    const rotator = rotatorOf({ onLastExit: "discard" });
    other.advanceEpoch();
    const handle = other.alloc(100);
    const outside = other.openDomain();
    other.advanceEpoch();
    outside.exit();
    await until("the timer", () => rotator.stats().discarded === 2);
    expect(heap.isLive(handle)).toBe(false);
    expect(rotator.stats().rotations.otherThread).toBe(2);
  });

  test("once, with two rotators on one heap, by the one that sees the last domain leave", () => {
    const mine = rotatorOf({ onLastExit: "discard" });
    const theirs = rotatorOf({ onLastExit: "discard" }, other);
    const [a, b] = [mine.open(), theirs.open()];
    expect(a.epoch).toEqual(b.epoch);
    const handle = a.allocOrThrow(64);
    theirs.rotate();
    const young = theirs.open();
    expect(young.epoch.era).toBe(a.epoch.era + 1);
    young.end();
    b.end();
    expect([heap.isLive(handle), theirs.stats().discarded]).toEqual([true, 0]);
    a.end();
    expect([heap.isLive(handle), mine.stats().discarded]).toEqual([false, 1]);
    // It began with an epoch of its own, which ended the first of mine.
    expect(mine.stats().rotations.otherThread).toBe(2);
  });

  test("never under a domain that came along from an older one", () => {
    const rotator = rotatorOf({ onLastExit: "discard" });
    const domain = rotator.open();
    const objects: Handle[] = [];
    for (let i = 0; i < 10; i++) {
      const handle = domain.allocOrThrow(500);
      heap.view(handle).fill(i);
      objects.push(handle);
      rotator.rotate();
    }
    expect(domain.epochs.length).toBe(10);
    expect(rotator.stats()).toMatchObject({ waiting: 10, discarded: 0 });
    for (const [i, handle] of objects.entries()) {
      expect(heap.view(handle).every((x) => x === i)).toBe(true);
    }
    domain.end();
    expect(rotator.stats()).toMatchObject({ waiting: 0, discarded: 10, objectsGivenBack: 10 });
    expect(heap.verify().liveObjects).toBe(0);
  });

  test("never under a domain of its own that lost its membership to who advances without asking", () => {
    const rotator = rotatorOf({ onLastExit: "discard" });
    const domain = rotator.open();
    const handle = domain.allocOrThrow(64);
    lap(heap);
    const young = rotator.open();
    expect(young.epoch.id).toBe(domain.epoch.id);
    expect(heap.refcount(domain.epoch)).toBe(0);
    rotator.rotate();
    expect(heap.isLive(handle)).toBe(true);
    young.end();
    domain.end();
    expect(heap.isLive(handle)).toBe(false);
  });
});

describe("what is older than the rotator", () => {
  test("is not discarded", () => {
    const table = heap.allocOrThrow(200);
    const rotator = rotatorOf({ onLastExit: "discard" });
    const domain = rotator.open();
    const handle = domain.allocOrThrow(200);
    domain.end();
    rotator.stop();
    expect([heap.isLive(table), heap.isLive(handle)]).toEqual([true, false]);
    expect(rotator.stats()).toMatchObject({ discarded: 1, closed: 0, objectsGivenBack: 1 });
    heap.free(table);
  });

  test("nor where it cannot begin with a new epoch", () => {
    const outside = other.openDomain();
    for (let i = 0; i < 15; i++) heap.advanceEpoch();
    const { era } = heap.currentEpoch;
    const table = heap.allocOrThrow(200);
    const rotator = rotatorOf({ onLastExit: "discard" });
    expect(heap.currentEpoch.era).toBe(era);
    outside.exit();
    const [first, second] = Array.from({ length: 2 }, () => {
      const domain = rotator.open();
      const handle = domain.allocOrThrow(64);
      domain.end();
      rotator.rotate();
      return handle;
    });
    expect([table, first, second].map((h) => heap.isLive(h ?? NULL_HANDLE))).toEqual([true, true, false]);
    expect(rotator.stats()).toMatchObject({ closed: 1, discarded: 1 });
    heap.free(table);
    heap.free(first ?? NULL_HANDLE);
  });
});

describe("stopped", () => {
  test("it gives back what its domains used, and opens no more", () => {
    const rotator = rotatorOf({ onLastExit: "discard" });
    const domain = rotator.open();
    domain.allocOrThrow(64);
    domain.end();
    rotator.stop();
    rotator[Symbol.dispose]();
    expect(heap.verify().liveObjects).toBe(0);
    expect(rotator.stats().rotations.manual).toBe(1);
    expect(() => rotator.open()).toThrow(EpochClosedError);
    expect(() => rotator.rotate()).toThrow(/stopped/);
    expect(() => runInDomain(heap, { rotator }, () => {})).toThrow(EpochClosedError);
  });

  test("with domains open it looks after them until they have left", async () => {
    const rotator = rotatorOf({ onLastExit: "discard" });
    const [a, b] = [rotator.open(), rotator.open()];
    const outside = other.openDomain();
    const first = a.allocOrThrow(64);
    rotator.stop();
    expect(heap.isLive(first)).toBe(true);
    const second = a.allocOrThrow(64);
    a.end();
    b.end();
    expect(rotator.stats().domainsOpen).toBe(0);
    expect(heap.isLive(first)).toBe(true);
    outside.exit();
    await until("the timer", () => rotator.stats().discarded === 2);
    expect([heap.isLive(first), heap.isLive(second)]).toEqual([false, false]);
  });

  test("with others inside it looks after the epoch for as long as it takes", async () => {
    const rotator = rotatorOf({ everyMs: 2, onLastExit: "discard" });
    const outside = other.openDomain();
    const domain = rotator.open();
    const handle = domain.allocOrThrow(64);
    domain.end();
    rotator.stop();
    // Several looks in vain: not the last ones.
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect([heap.isLive(handle), rotator.stats().waiting]).toEqual([true, 1]);
    outside.exit();
    await until("the timer", () => !heap.isLive(handle));
  });

  test("or unused it changes nothing", () => {
    const rotator = rotatorOf();
    const first = heap.currentEpoch;
    rotator.stop();
    expect(heap.currentEpoch).toEqual(first);
  });
});

test("epochs bear the rotator's label, domains their own", () => {
  const rotator = rotatorOf({ label: "requests", everyDomains: 1 });
  for (let i = 0; i < 3; i++) {
    const domain = rotator.open({ label: `GET /${i}` });
    expect(domain.label).toBe(`GET /${i}`);
    expect(heap.epochInfo(domain.epoch.id).label).toBe("requests");
    domain.end();
  }
});

test("a rotator's onRotate holds for its domains, unless they say otherwise", () => {
  const rotator = rotatorOf({ onRotate: "refuse" });
  const [strict, follower] = [rotator.open(), rotator.open({ onRotate: "follow" })];
  rotator.rotate();
  expect([strict.alloc(64) === NULL_HANDLE, follower.alloc(64) === NULL_HANDLE]).toEqual([true, false]);
  for (const domain of [strict, follower]) domain.end();
});

test("a heap that was detached with domains open does not matter to them", () => {
  const rotator = rotatorOf({ onLastExit: "discard" }, other);
  const [a, b] = [rotator.open(), rotator.open()];
  rotator.rotate();
  a.end();
  other.detach();
  b.end();
  expect(b.ended).toBe(true);
  expect(rotator.stats().domainsOpen).toBe(0);
});
