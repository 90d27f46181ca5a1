/**
 * Defends: at the last era, after which none can be opened, whatever would close it by itself leaves it open instead: an
 * exit, a release, giving the seat back and reaping do all of their work. They threw half-way out of it, and the seat
 * stayed taken for good.
 * Method: a heap is put at an era near the last one by hand, the way its ring would look there.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { EpochClosedError } from "../../src/allocator/errors.js";
import type { SlabHeap } from "../../src/allocator/heap/heap.js";
import {
  ERA,
  MAX_ERA,
  PHASE,
  REC_BASE,
  REFS_BASE,
  RETAINS_BASE,
  RING_SIZE,
} from "../../src/allocator/memory/layout.js";
import { reapSeat } from "../../src/allocator/seats/reap.js";
import {
  EPOCH_ACTIVE,
  EPOCH_CLOSING,
  packRec,
  packRefs,
  packRetains,
  ringOf,
} from "../../src/allocator/words/epoch-word.js";
import { another, expectHealthy, smallHeap } from "../allocator/support.js";

const LAST = MAX_ERA - 1;

function heapAt(era: number): SlabHeap {
  const heap = smallHeap();
  const { m } = heap._a;
  m[ERA] = era;
  for (let back = 0; back < RING_SIZE; back++) {
    const ring = ringOf(era - back);
    m[REC_BASE + ring] = packRec(era - back, back === 0 ? EPOCH_ACTIVE : EPOCH_CLOSING);
    m[REFS_BASE + ring] = packRefs(era - back, 0, 0);
    m[RETAINS_BASE + ring] = packRetains(era - back, 0);
  }
  m[PHASE]++;
  heap.poll();
  expect(heap.currentEpoch.era).toBe(era);
  return heap;
}

let heap: SlabHeap;
let other: SlabHeap;
beforeEach(() => {
  heap = heapAt(LAST);
  other = another(heap);
});
afterEach(() => {
  for (const each of [heap, other]) if (!each._a.detached) each.detach();
});

/** Open, nobody inside, and in use. */
function expectOpen(): void {
  const { id, era } = heap.currentEpoch;
  expect(era).toBe(LAST);
  expect(heap.epochInfo(id)).toMatchObject({ state: "ACTIVE", refcount: 0 });
  for (const each of [heap, other]) if (!each._a.detached) expect(each.alloc(64)).not.toBe(0);
  expectHealthy(heap);
}

test("the one before it closes as ever; the last one is refused", () => {
  const near = heapAt(LAST - 1);
  near.openDomain({ autoClose: true }).exit();
  expect(near.currentEpoch.era).toBe(LAST);
  expect(() => near.advanceEpoch()).toThrow(EpochClosedError);
  expect(() => near.closeEpoch(near.currentEpoch)).toThrow("create a new heap");
  expect(near.alloc(64)).not.toBe(0);
  expectHealthy(near);
  near.detach();
});

describe("what would close the last era leaves it open", () => {
  test("the last exit of a domain, any number of times", () => {
    for (let i = 0; i < 3; i++) {
      const domain = heap.openDomain({ autoClose: true });
      domain.exit();
      expect(domain.depth).toBe(0);
      expect(heap.domains).toEqual([]);
      expectOpen();
    }
  });

  test("disposing of nested domains", () => {
    {
      using outer = heap.openDomain({ autoClose: true });
      outer.enter();
      using inner = heap.openDomain({ autoClose: true });
      inner.enter();
      expect(heap.domains).toHaveLength(4);
    }
    expect(heap.domains).toEqual([]);
    expectOpen();
  });

  test("the last release", () => {
    const domain = heap.openDomain({ autoClose: true });
    heap.retainEpoch(domain.epoch.id);
    domain.exit();
    expect(heap.releaseEpoch(domain.epoch.id)).toBe(0);
    expectOpen();
  });

  test("giving the seat back", () => {
    const handle = other.alloc(64);
    other.openDomain({ autoClose: true });
    other.detach();
    expect(heap.seats()[1].state).toBe("FREE");
    expectOpen();
    expect(heap.free(handle)).toBe(true);
  });

  test("reaping", () => {
    const handle = other.alloc(64);
    other.openDomain({ autoClose: true });
    expect(reapSeat(heap._a, other.seat, other.incarnation)).toMatchObject({
      status: "reaped",
      slabsOrphaned: 1,
    });
    other.poll();
    expect(heap.seats()[1].state).toBe("FREE");
    expect(reapSeat(heap._a, other.seat, other.incarnation).status).toBe("free");
    expectOpen();
    expect(heap.free(handle)).toBe(true);
    const successor = another(heap);
    expect(successor.seat).toBe(other.seat);
    successor.detach();
  });
});
