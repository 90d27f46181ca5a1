/**
 * Defends: unordered domains are left in any order and count like others; what was deferred runs once, last first, before
 * the membership ends, and an error in it neither keeps others from running nor the domain entered; `refcount`
 * counts exactly one era.
 * Method: one heap, two seats, the refcount looked at after each step and inside the callbacks.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { DomainOrderError, InvalidTypeError } from "../../../src/allocator/errors.js";
import { EpochDomain } from "../../../src/allocator/heap/domain.js";
import type { SlabHeap } from "../../../src/allocator/heap/heap.js";
import { another, epochId, expectHealthy, lap, smallHeap } from "../support.js";

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

describe("unordered", () => {
  test("domains are left in any order, hold their epoch open, and are never current", () => {
    const a = heap.openDomain({ unordered: true, autoClose: true });
    const b = heap.openDomain({ unordered: true });
    const nested = heap.openDomain();
    const c = heap.openDomain({ unordered: true });
    expect([a.unordered, nested.unordered]).toEqual([true, false]);
    expect(EpochDomain.current(heap)).toBe(nested);
    expect(heap.refcount(a.epoch)).toBe(4);
    a.exit();
    expect(() => a.exit()).toThrow(DomainOrderError);
    nested.exit();
    expect(EpochDomain.current(heap)).toBeUndefined();
    c.enter();
    c.exit();
    c.exit();
    expect(heap.refcount(b.epoch)).toBe(1);
    expect(heap.currentEpoch).toEqual(b.epoch);
    b.exit();
    expect(heap.refcount(b.epoch)).toBe(0);
    // The first of them asked for it.
    expect(heap.epochInfo(b.epoch.id)).toMatchObject({ state: "CLOSING" });
  });

  test("of eras that share a ring slot keep each other's count right", () => {
    const old = heap.openDomain({ unordered: true });
    lap(heap);
    const young = heap.openDomain({ unordered: true });
    expect(young.epoch.id).toBe(old.epoch.id);
    expect([heap.refcount(old.epoch), heap.refcount(young.epoch)]).toEqual([0, 1]);
    old.exit();
    expect(heap.refcount(young.epoch)).toBe(1);
    young.exit();
    expect(heap.refcount(young.epoch)).toBe(0);
  });

  test("detaching with some entered gives the membership back", () => {
    const other = another(heap);
    const domain = heap.openDomain({ unordered: true });
    heap.detach();
    expect(other.refcount(domain.epoch)).toBe(0);
    domain[Symbol.dispose]();
    expect(domain.depth).toBe(0);
    other.detach();
  });
});

describe("deferred callbacks", () => {
  test("run once each, last first, while the thread is still a member, when the last level is left", () => {
    const seen: string[] = [];
    const domain = heap.openDomain();
    domain.enter();
    domain.defer(() => seen.push(`first ${heap.refcount(domain.epoch)}`));
    domain.defer(() => seen.push(`second ${heap.refcount(domain.epoch)}`));
    domain.exit();
    expect(seen).toEqual([]);
    domain.exit();
    expect(seen).toEqual(["second 1", "first 1"]);
    domain.enter();
    domain.exit();
    expect(seen).toHaveLength(2);
  });

  test("that throw do not keep others from running nor the domain entered", () => {
    const seen: number[] = [];
    const one = heap.openDomain({ unordered: true });
    one.defer(() => seen.push(1));
    one.defer(() => {
      throw new Error("alone");
    });
    expect(() => one.exit()).toThrow("alone");
    const two = heap.openDomain();
    two.defer(() => {
      throw new Error("a");
    });
    two.defer(() => {
      throw new Error("b");
    });
    expect(() => two[Symbol.dispose]()).toThrow(AggregateError);
    expect(seen).toEqual([1]);
    expect([one.depth, two.depth, refcount()]).toEqual([0, 0, 0]);
    expect(EpochDomain.current(heap)).toBeUndefined();
  });

  test("may use the heap, open domains and leave the domain themselves", () => {
    const domain = heap.openDomain();
    const handle = domain.alloc(64);
    domain.defer(() => domain.exit());
    domain.defer(() => {
      using inner = heap.openDomain();
      expect(inner.alloc(64)).not.toBe(0);
      heap.free(handle);
    });
    domain.exit();
    expect([domain.depth, refcount(), heap.isLive(handle)]).toEqual([0, 0, false]);
  });

  test("that leave another domain entered are told so, and the order can be put right", () => {
    const domain = heap.openDomain();
    let inner: EpochDomain | undefined;
    domain.defer(() => {
      inner = heap.openDomain({ label: "left open" });
    });
    expect(() => domain.exit()).toThrow('leave domain "left open"');
    inner?.exit();
    domain.exit();
    expect(refcount()).toBe(0);
  });

  test("that leave the domain, and another one that throws: others' memberships stay", () => {
    const outer = heap.openDomain({ autoClose: true });
    const side = heap.openDomain({ unordered: true });
    for (const unordered of [false, true]) {
      const domain = heap.openDomain({ unordered });
      domain.defer(() => domain.exit());
      domain.defer(() => {
        throw new Error("late");
      });
      expect(() => domain.exit()).toThrow("late");
      expect([domain.depth, outer.depth, side.depth, refcount()]).toEqual([0, 1, 1, 2]);
      expect(EpochDomain.current(heap)).toBe(outer);
    }
    side.exit();
    outer.exit();
  });

  test("that open a domain and throw: the order is told beside the error, and can be put right", () => {
    const domain = heap.openDomain();
    let inner: EpochDomain | undefined;
    domain.defer(() => {
      inner = heap.openDomain();
      throw new Error("in between");
    });
    expect(() => domain.exit()).toThrow(AggregateError);
    expect([domain.depth, inner?.depth]).toEqual([1, 1]);
    inner?.exit();
    domain.exit();
    expect(refcount()).toBe(0);
  });

  test.each([false, true])(
    "that detach the heap leave the seat's next holder alone; unordered: %s",
    (unordered) => {
      const other = another(heap);
      const domain = heap.openDomain({ unordered });
      let guest: EpochDomain | undefined;
      let next: SlabHeap | undefined;
      domain.defer(() => {
        heap.detach();
        next = another(other);
        guest = next.openDomain({ autoClose: true });
      });
      domain[Symbol.dispose]();
      expect(next?.seat).toBe(1);
      expect([domain.depth, guest?.depth]).toEqual([0, 1]);
      expect(guest === undefined ? 0 : other.refcount(guest.epoch)).toBe(1);
      guest?.exit();
      next?.detach();
      expectHealthy(other);
      other.detach();
    },
  );

  test("run when a domain is disposed after detach", () => {
    const seen: number[] = [];
    const domain = heap.openDomain();
    domain.defer(() => seen.push(1));
    heap.detach();
    domain[Symbol.dispose]();
    domain[Symbol.dispose]();
    expect(seen).toEqual([1]);
  });

  test("need an entered domain and a function", () => {
    const domain = heap.openDomain();
    for (const value of [undefined, null, 5, "f", {}]) {
      expect(() => domain.defer(value as never)).toThrow(InvalidTypeError);
    }
    domain.exit();
    expect(() => domain.defer(() => {})).toThrow("EpochDomain.defer: domain");
    expect(() => domain.defer(() => {})).toThrow(DomainOrderError);
  });
});

test("refcount counts levels and retains of exactly one era, and refuses what is no ref", () => {
  const { currentEpoch } = heap;
  const domain = heap.openDomain();
  domain.enter();
  heap.retainEpoch(currentEpoch.id);
  const other = another(heap);
  const far = other.openDomain();
  expect(heap.refcount(currentEpoch)).toBe(4);
  expect(heap.refcount({ id: currentEpoch.id, era: currentEpoch.era + 16 })).toBe(0);
  for (const value of [undefined, null, 0, {}, { id: 0 }, { id: 0, era: 17 }, { id: 99, era: 99 }]) {
    expect(() => heap.refcount(value as never)).toThrow();
  }
  far.exit();
  other.detach();
  domain[Symbol.dispose]();
  expect(heap.refcount(currentEpoch)).toBe(1);
  heap.releaseEpoch(currentEpoch.id);
  expect(heap.refcount(currentEpoch)).toBe(0);
});
