/**
 * Defends: a domain keeps its epoch open while it is entered and allocates in that epoch only; domains of a thread are
 * left in reverse order, and a mistake changes nothing; leaving by `using`, twice, or after detach is safe.
 * Method: one heap, two seats, the refcount and record of the epoch looked at after each step.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  DomainOrderError,
  EpochClosedError,
  HeapDetachedError,
  InvalidTypeError,
} from "../../../src/allocator/errors.js";
import { EpochDomain } from "../../../src/allocator/heap/domain.js";
import { SlabHeap } from "../../../src/allocator/heap/heap.js";
import {
  another,
  epochId,
  expectHealthy,
  expectWholeMemoryBack,
  lap,
  slabOf,
  smallHeap,
  tagAt,
} from "../support.js";

let heap: SlabHeap;
beforeEach(() => {
  heap = smallHeap();
});
afterEach(() => {
  if (heap._a.detached) return;
  expectHealthy(heap);
  heap.detach();
});

const refcount = (id = 0): number => heap.epochInfo(epochId(id)).refcount;

describe("opening", () => {
  test("enters the current epoch once and describes itself", () => {
    const domain = heap.openDomain({ label: "request" });
    expect(domain).toBeInstanceOf(EpochDomain);
    expect(domain.epoch).toEqual(heap.currentEpoch);
    expect([domain.label, domain.depth, domain.autoClose]).toEqual(["request", 1, false]);
    expect(refcount()).toBe(1);
    expect(EpochDomain.current(heap)).toBe(domain);
    expect(heap.epochInfo(epochId(0)).label).toBe("request");
    domain.exit();
    expect([domain.depth, refcount()]).toEqual([0, 0]);
    expect(EpochDomain.current(heap)).toBeUndefined();
  });

  test("without label leaves the epoch's label alone; a long one is cut for the epoch only", () => {
    heap.setEpochLabel(epochId(0), "mine");
    const plain = heap.openDomain();
    expect(plain.label).toBe("");
    expect(heap.epochInfo(epochId(0)).label).toBe("mine");
    const long = heap.openDomain({ label: "ä".repeat(20) });
    expect(long.label).toBe("ä".repeat(20));
    expect(heap.epochInfo(epochId(0)).label).toBe("ä".repeat(15));
    long.exit();
    plain.exit();
  });

  test("on a named epoch works while that is open, and is refused otherwise", () => {
    const domain = heap.openDomain({ epoch: epochId(0) });
    domain.exit();
    heap.advanceEpoch();
    for (const epoch of [epochId(0), epochId(7)]) {
      expect(() => heap.openDomain({ epoch })).toThrow(EpochClosedError);
      expect(() => heap.openDomain({ epoch })).toThrow(`epoch ${epoch}`);
    }
    expect(EpochDomain.current(heap)).toBeUndefined();
    expect(refcount()).toBe(0);
  });

  test("follows what another thread advanced", () => {
    const other = another(heap);
    heap.poll();
    const next = other.advanceEpoch();
    const domain = heap.openDomain();
    expect(domain.epoch).toEqual(next);
    expect(heap.epochOf(domain.alloc(64))).toEqual(next);
    domain.exit();
    other.detach();
  });

  test("checks its options", () => {
    for (const options of [null, 5, "x"])
      expect(() => heap.openDomain(options as never)).toThrow(InvalidTypeError);
    expect(() => heap.openDomain({ label: 5 as never })).toThrow('"label" must be a string; got 5');
    expect(() => heap.openDomain({ autoClose: 1 as never })).toThrow(
      '"autoClose" must be true or false; got 1',
    );
    expect(() => heap.openDomain({ epoch: 16 as never })).toThrow("got 16");
    expect(refcount()).toBe(0);
  });
});

describe("nesting", () => {
  test("depth counts levels; each exit takes one", () => {
    const domain = heap.openDomain();
    expect(domain.enter()).toBe(domain);
    domain.enter();
    expect([domain.depth, refcount()]).toEqual([3, 3]);
    domain.exit();
    domain.exit();
    expect([domain.depth, refcount()]).toEqual([1, 1]);
    domain.exit();
    expect(() => domain.exit()).toThrow(DomainOrderError);
    expect(() => domain.exit()).toThrow("is not entered");
  });

  test("leaving the outer one first is refused by name and changes nothing", () => {
    const outer = heap.openDomain({ label: "outer" });
    const inner = heap.openDomain({ label: "inner" });
    expect(EpochDomain.current(heap)).toBe(inner);
    for (let n = 0; n < 2; n++) {
      expect(() => outer.exit()).toThrow(DomainOrderError);
      expect(() => outer.exit()).toThrow(/leave domain "inner".*before domain "outer"/);
    }
    expect([outer.depth, inner.depth, refcount()]).toEqual([1, 1, 2]);
    inner.exit();
    outer.exit();
    expect(refcount()).toBe(0);
  });

  test("domains of different epochs nest too", () => {
    const outer = heap.openDomain({ autoClose: true });
    heap.advanceEpoch();
    const inner = heap.openDomain({ autoClose: true });
    expect(() => outer.exit()).toThrow(DomainOrderError);
    expect([refcount(0), refcount(1)]).toEqual([1, 1]);
    inner.exit();
    expect(heap.epochInfo(epochId(1)).state).toBe("CLOSING");
    outer.exit();
    expect(refcount(0)).toBe(0);
  });

  test("the order is each attachment's own", () => {
    const other = another(heap);
    const mine = heap.openDomain();
    const theirs = other.openDomain();
    mine.exit();
    expect(EpochDomain.current(other)).toBe(theirs);
    theirs.exit();
    other.detach();
  });

  test("an interleaved re-entry is left in order", () => {
    const a = heap.openDomain({ label: "a" });
    const b = heap.openDomain({ label: "b" });
    a.enter();
    expect(() => b.exit()).toThrow(DomainOrderError);
    a.exit();
    b.exit();
    a.exit();
    expect(refcount()).toBe(0);
  });
});

describe("allocating", () => {
  test("happens in the domain's epoch, and ends with it", () => {
    const domain = heap.openDomain();
    const handle = domain.alloc(64);
    expect(heap.epochOf(handle)).toEqual(domain.epoch);
    heap.advanceEpoch();
    expect(domain.alloc(64)).toBe(0);
    expect(heap.lastFailure).toBe("epoch-closed");
    expect(heap.isLive(handle)).toBe(true);
    domain.exit();
  });

  test("never happens in a newer era of the same ring slot", () => {
    const domain = heap.openDomain();
    lap(heap);
    expect(heap.currentEpoch.id).toBe(domain.epoch.id);
    expect(domain.alloc(64)).toBe(0);
    expect(heap.lastFailure).toBe("epoch-closed");
    expect(heap.verify().liveObjects).toBe(0);
    domain.exit();
  });

  test("forceClose closes it now, for everybody inside, and stays entered", () => {
    const other = another(heap);
    const domain = heap.openDomain();
    const theirs = other.openDomain();
    const handle = theirs.alloc(64);
    expect(domain.forceClose()).toMatchObject({ epoch: domain.epoch, applied: true, reason: "closed" });
    expect([domain.alloc(64), theirs.alloc(64)]).toEqual([0, 0]);
    expect(other.isLive(handle)).toBe(true);
    expect(domain.forceClose()).toMatchObject({ applied: false, reason: "already-closed" });
    expect(domain.depth).toBe(1);
    domain.exit();
    theirs.exit();
    expectWholeMemoryBack(heap, other);
    other.detach();
  });

  test("forceClose of a domain whose ring slot was reused closes nothing", () => {
    const domain = heap.openDomain();
    lap(heap);
    expect(domain.forceClose()).toMatchObject({ applied: false, reason: "stale" });
    expect(heap.epochInfo(epochId(0)).state).toBe("ACTIVE");
    domain.exit();
  });
});

describe("closing by itself", () => {
  test("the last of several threads out closes, and the slabs go back", () => {
    const others = [another(heap), another(heap)];
    const domains = [heap, ...others].map((h) => h.openDomain({ autoClose: true }));
    const handles = domains.map((domain) => domain.alloc(64));
    domains[1].exit();
    domains[0].exit();
    expect(heap.epochInfo(epochId(0)).state).toBe("ACTIVE");
    domains[2].exit();
    expect(heap.epochInfo(epochId(0)).state).toBe("CLOSING");
    [heap, ...others].forEach((h, i) => {
      h.free(handles[i]);
    });
    expect(handles.map((handle) => tagAt(heap, slabOf(heap, handle)))).toEqual([0, 0, 0]);
    expectWholeMemoryBack(heap, ...others);
    for (const other of others) other.detach();
  });

  test("a retained epoch is not closed until it is released", () => {
    heap.retainEpoch(epochId(0));
    const domain = heap.openDomain({ autoClose: true });
    domain.exit();
    expect(heap.epochInfo(epochId(0)).state).toBe("ACTIVE");
    expect(heap.alloc(64)).not.toBe(0);
    heap.releaseEpoch(epochId(0));
    expect(heap.epochInfo(epochId(0)).state).toBe("CLOSING");
  });

  test("a wrapped domain's exit does not close the epoch that took its ring slot", () => {
    const domain = heap.openDomain({ autoClose: true });
    lap(heap);
    domain.exit();
    expect(heap.epochInfo(epochId(0)).state).toBe("ACTIVE");
    expect(domain.depth).toBe(0);
  });

  test("entering a domain whose epoch has closed is refused and leaves it as it was", () => {
    const domain = heap.openDomain({ autoClose: true });
    domain.exit();
    expect(() => domain.enter()).toThrow(EpochClosedError);
    expect(() => domain.enter()).toThrow("open a domain on the current epoch");
    expect([domain.depth, refcount()]).toEqual([0, 0]);
    lap(heap);
    expect(() => domain.enter()).toThrow(EpochClosedError);
    expect(EpochDomain.current(heap)).toBeUndefined();
  });
});

test("the current domain of what is no heap is refused", () => {
  for (const value of [undefined, null, 5, "heap", Symbol("x"), {}, { domains: [] }, { _a: {} }, SlabHeap]) {
    const ask = (): unknown => EpochDomain.current(value as never);
    expect(ask).toThrow(InvalidTypeError);
    expect(ask).toThrow("EpochDomain.current: heap must be a SlabHeap; got");
  }
});

describe("using", () => {
  test("leaves every level at the end of the block, also when it throws", () => {
    expect(() => {
      using domain = heap.openDomain({ autoClose: true });
      domain.enter();
      throw new Error("in the middle");
    }).toThrow("in the middle");
    expect(heap.epochInfo(epochId(0))).toMatchObject({ state: "CLOSING", refcount: 0 });
  });

  test("disposing twice, or after exit, does nothing more", () => {
    const domain = heap.openDomain();
    domain[Symbol.dispose]();
    domain[Symbol.dispose]();
    const left = heap.openDomain();
    left.exit();
    left[Symbol.dispose]();
    expect(refcount()).toBe(0);
  });

  test("disposing out of order is refused like exit", () => {
    const outer = heap.openDomain();
    const inner = heap.openDomain();
    expect(() => outer[Symbol.dispose]()).toThrow(DomainOrderError);
    expect(outer.depth).toBe(1);
    inner[Symbol.dispose]();
    outer[Symbol.dispose]();
  });
});

describe("after detach", () => {
  test("disposing is quiet; everything else says that the heap is detached", () => {
    const domain = heap.openDomain({ autoClose: true });
    const other = another(heap);
    heap.detach();
    expect(other.epochInfo(epochId(0))).toMatchObject({ refcount: 0, state: "CLOSING" });
    for (const step of [
      () => domain.exit(),
      () => domain.enter(),
      () => domain.alloc(64),
      () => domain.forceClose(),
    ]) {
      expect(step).toThrow(HeapDetachedError);
    }
    domain[Symbol.dispose]();
    domain[Symbol.dispose]();
    expect(domain.depth).toBe(0);
    expect(EpochDomain.current(heap)).toBeUndefined();
    expectHealthy(other);
    other.detach();
  });
});
