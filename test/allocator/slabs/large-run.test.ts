/**
 * Defends: objects above the largest class take contiguous slabs, up to the whole heap; one hole in a nearly full
 * heap is found; runs can be freed from any thread, discarded, zeroed, and taken over; a failed claim undoes itself.
 * Method: sizes at slab borders, hand-made fragmentation, two seats in one thread, tags written by hand for lost races.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { C_CLAIM_RETRIES } from "../../../src/allocator/counters/fields.js";
import { SlabHeap } from "../../../src/allocator/heap/heap.js";
import { REC_BASE, recordAt, SLAB_ERA, SLAB_RUN, SLAB_TAG } from "../../../src/allocator/memory/layout.js";
import { claimRun, RUN_CLOSED, RUN_NONE, tryRun } from "../../../src/allocator/slabs/large-run.js";
import type { Handle } from "../../../src/allocator/types.js";
import { EPOCH_CLOSING, packRec } from "../../../src/allocator/words/epoch-word.js";
import {
  packTag,
  packTail,
  TAG_CLAIMED,
  TAG_FREE,
  TAG_LARGE,
  tagState,
} from "../../../src/allocator/words/slab-tag.js";
import { LAST_GENERATION } from "../../../src/allocator/words/slot-word.js";
import {
  another,
  classCounter,
  expectHealthy,
  expectWholeMemoryBack,
  freeAll,
  SLAB,
  slabOf,
  slotWordOf,
  smallHeap,
  tagAt,
} from "../support.js";

const LARGE = 3;
let heap: SlabHeap;
beforeEach(() => {
  heap = smallHeap();
});
afterEach(() => {
  if (!heap._a.detached) {
    expectHealthy(heap);
    heap.detach();
  }
});

describe("sizes", () => {
  test.each([
    [1025, 1],
    [SLAB, 1],
    [SLAB + 1, 2],
    [3 * SLAB, 3],
    [15 * SLAB + 1, 16],
    [16 * SLAB, 16],
  ])("%i bytes take %i slabs, slab-aligned and writable to the last byte", (size, slabs) => {
    const handle = heap.alloc(size);
    expect(heap.sizeOf(handle)).toBe(slabs * SLAB);
    expect((heap.byteOffset(handle) - heap._a.layout.payloadOffset) % SLAB).toBe(0);
    const view = heap.view(handle);
    expect(view.length).toBe(slabs * SLAB);
    view.fill(0xaa);
    expect(heap.verify()).toMatchObject({ ok: true, liveObjects: 1, slabs });
    expect(heap.free(handle)).toBe(true);
    expect(heap.isLive(handle)).toBe(false);
    expect(heap.free(handle)).toBe(false);
    expect(heap.verify()).toMatchObject({ ok: true, liveObjects: 0, slabs: 0 });
  });

  test("runs never overlap, and contents stay apart", () => {
    const sizes = [3, 1, 5, 2, 4].map((slabs) => slabs * SLAB - 7);
    const handles = sizes.map((size, i) => {
      const handle = heap.alloc(size);
      heap.view(handle).fill(i + 1);
      return handle;
    });
    expectHealthy(heap);
    handles.forEach((handle, i) => {
      expect(heap.view(handle).every((byte) => byte === i + 1)).toBe(true);
    });
    expect(heap.alloc(2 * SLAB)).toBe(0);
    expect(heap.lastFailure).toBe("out-of-memory");
    freeAll(heap, handles);
  });

  test("small objects fill from below and runs from above", () => {
    expect(slabOf(heap, heap.alloc(64))).toBe(0);
    expect(slabOf(heap, heap.alloc(2 * SLAB))).toBe(14);
    expect(slabOf(heap, heap.alloc(128))).toBe(1);
    expect(slabOf(heap, heap.alloc(SLAB))).toBe(13);
  });
});

describe("fragmentation", () => {
  test("a run is only had from neighbours", () => {
    const singles = Array.from({ length: 16 }, () => heap.alloc(SLAB));
    for (let i = 0; i < 16; i += 2) heap.free(singles[i]);
    expect(heap.alloc(2 * SLAB)).toBe(0);
    expect(heap.lastFailure).toBe("out-of-memory");
    heap.free(singles[1]);
    const run = heap.alloc(3 * SLAB);
    expect(run).not.toBe(0);
  });

  test("empty slabs of small classes make way for a run", () => {
    const small = Array.from({ length: 16 * 64 }, () => heap.alloc(64));
    freeAll(heap, small);
    const whole = heap.alloc(heap.capacity);
    expect(whole).not.toBe(0);
  });

  test("the only hole of a large, nearly full heap is found, wherever it is", () => {
    const big = SlabHeap.create({
      capacity: 70_000 * SLAB,
      slabSize: SLAB,
      sizeClasses: [64],
      maxWorkers: 2,
    });
    const bySlab: Handle[] = [];
    for (let i = 0; i < 70_000; i++) {
      const handle = big.alloc(SLAB);
      bySlab[slabOf(big, handle)] = handle;
    }
    expect(big.alloc(SLAB)).toBe(0);
    for (const at of [0, 31, 1023, 32_767, 69_998]) {
      big.free(bySlab[at]);
      big.free(bySlab[at + 1]);
      expect(big.alloc(3 * SLAB)).toBe(0);
      const run = big.alloc(2 * SLAB);
      expect(slabOf(big, run)).toBe(at);
      big.free(run);
      for (let n = 0; n < 2; n++) {
        const handle = big.alloc(SLAB);
        bySlab[slabOf(big, handle)] = handle;
      }
    }
    big.discardEpoch(big.currentEpoch);
    expect(big.alloc(big.capacity)).not.toBe(0);
    expect(big.verify().problems).toEqual([]);
    big.detach();
  });
});

describe("another thread", () => {
  test("frees a run at once stale; its owner takes the slabs back", () => {
    const other = another(heap);
    heap.poll();
    const handle = heap.alloc(5 * SLAB);
    expect(other.free(handle)).toBe(true);
    expect([heap.isLive(handle), other.isLive(handle), heap.free(handle), other.free(handle)]).toEqual([
      false,
      false,
      false,
      false,
    ]);
    expect(heap.alloc(heap.capacity)).not.toBe(0); // collected on the way
    other.detach();
  });

  test("reads and writes it at the same place", () => {
    const other = another(heap);
    const handle = heap.alloc(2 * SLAB);
    heap.view(handle).fill(9);
    expect(other.byteOffset(handle)).toBe(heap.byteOffset(handle));
    expect(other.sizeOf(handle)).toBe(2 * SLAB);
    expect(other.view(handle).every((byte) => byte === 9)).toBe(true);
    other.detach();
  });

  test("takes over the runs of one that left, freed in between or not", () => {
    const other = another(heap);
    const kept = other.alloc(2 * SLAB);
    const freed = other.alloc(3 * SLAB);
    heap.free(freed);
    other.view(kept).fill(5);
    other.detach();
    heap.poll();
    expect(heap.view(kept).every((byte) => byte === 5)).toBe(true);
    expect(heap.verify()).toMatchObject({ ok: true, liveObjects: 1, slabs: 2 });
    expect(heap.free(kept)).toBe(true);
    expect(heap.verify()).toMatchObject({ ok: true, liveObjects: 0, slabs: 0 });
  });

  test("frees a run nobody owns", () => {
    const other = another(heap);
    const handle = other.alloc(3 * SLAB);
    other.detach(); // heap has not looked yet: LARGE without an owner
    expect(tagState(tagAt(heap, slabOf(heap, handle)))).toBe(TAG_LARGE);
    const third = another(heap); // adopts at once
    expect(third.free(handle)).toBe(true);
    expectWholeMemoryBack(heap, third);
    third.detach();
  });
});

describe("epochs", () => {
  test("a run outlives its epoch's close and goes back when freed", () => {
    const handle = heap.alloc(2 * SLAB);
    const era = heap.currentEpoch;
    heap.closeEpoch(era);
    expect(heap.epochOf(handle)).toEqual(era);
    expect(heap.verify()).toMatchObject({ ok: true, slabs: 2 });
    heap.free(handle);
    expect(heap.verify()).toMatchObject({ ok: true, slabs: 0 });
  });

  test("discarding gives the whole run back and reports all of it", () => {
    const handle = heap.alloc(10 * SLAB);
    const report = heap.discardEpoch(heap.currentEpoch);
    expect(heap.isLive(handle)).toBe(false);
    expect(heap.verify()).toMatchObject({ ok: true, slabs: 0 });
    expect(report).toMatchObject({ applied: true, objectsDiscarded: 1, bytesRecycled: 10 * SLAB });
  });
});

describe("zeroOnFree", () => {
  const isZero = (of: SlabHeap): boolean =>
    new Uint8Array(of.buffer, of._a.layout.payloadOffset).every((byte) => byte === 0);

  test.each<[string, (zeroing: SlabHeap, other: SlabHeap, handle: Handle) => void]>([
    ["freed here", (zeroing, _other, handle) => void zeroing.free(handle)],
    ["freed there", (_zeroing, other, handle) => void other.free(handle)],
    ["discarded", (zeroing) => void zeroing.discardEpoch(zeroing.currentEpoch)],
    [
      "freed after its owner left",
      (zeroing, other, handle) => {
        zeroing.detach();
        other.free(handle);
      },
    ],
  ])("a run %s is zero afterwards", (_name, end) => {
    const zeroing = smallHeap({ zeroOnFree: true });
    const other = another(zeroing);
    const handle = zeroing.alloc(3 * SLAB);
    zeroing.view(handle).fill(0xff);
    end(zeroing, other, handle);
    if (!zeroing._a.detached) zeroing.verify(); // collects
    other.poll();
    expect(isZero(other)).toBe(true);
    zeroing.detach();
    other.detach();
  });
});

describe("claims that fail half-way", () => {
  test("a slab taken in between: everything claimed so far goes back, and the search goes on below", () => {
    const { m } = heap._a;
    heap.alloc(64);
    const era = heap.currentEpoch.era;
    // The free map still shows slab 12, but somebody has its tag.
    m[recordAt(12) + SLAB_TAG] = packTag(TAG_CLAIMED, 4, 0, 0);
    expect(tryRun(heap._a, 10, 4, era)).toBe(2);
    for (const slab of [10, 11, 13]) expect(tagAt(heap, slab)).toBe(TAG_FREE);
    expect(classCounter(heap, LARGE, C_CLAIM_RETRIES)).toBe(1);
    expect(claimRun(heap._a, 4, era)).toBe(8);
    m[recordAt(12) + SLAB_TAG] = TAG_FREE;
  });

  test("a head taken in between: nothing is touched", () => {
    const { m } = heap._a;
    m[recordAt(10) + SLAB_TAG] = packTail(9);
    expect(tryRun(heap._a, 10, 2, heap.currentEpoch.era)).toBe(0);
    expect(tagAt(heap, 11)).toBe(TAG_FREE);
    m[recordAt(10) + SLAB_TAG] = TAG_FREE;
  });

  test("an epoch closed in between: the run goes back and the caller is told", () => {
    const { m } = heap._a;
    const era = heap.currentEpoch.era;
    const rec = m[REC_BASE];
    m[REC_BASE] = packRec(era, EPOCH_CLOSING);
    expect(claimRun(heap._a, 3, era)).toBe(RUN_CLOSED);
    m[REC_BASE] = rec;
    expect(heap.verify()).toMatchObject({ ok: true, slabs: 0 });
  });

  test("nothing of the length is left", () => {
    heap.alloc(10 * SLAB);
    expect(claimRun(heap._a, 7, heap.currentEpoch.era)).toBe(RUN_NONE);
  });

  test("length and era are in place before the run is LARGE", () => {
    const handle = heap.alloc(3 * SLAB);
    const record = recordAt(slabOf(heap, handle));
    expect(heap._a.m[record + SLAB_RUN]).toBe(3);
    expect(heap._a.m[record + SLAB_ERA]).toBe(heap.currentEpoch.era);
  });
});

describe("a head whose slot is retired", () => {
  /** Uses up the last generation of the slot that a run with head `slab` would take. */
  function retireHead(slab: number): void {
    const slotWord = heap._a.layout.slotBase + slab * 2 ** heap._a.layout.slotsShift;
    heap._a.m[slotWord] = LAST_GENERATION << 2;
  }

  test("retires with its free, and is not used as a head again", () => {
    retireHead(15);
    const handle = heap.alloc(SLAB);
    expect(slabOf(heap, handle)).toBe(15);
    expect(heap.free(handle)).toBe(true);
    expect(heap.isLive(handle)).toBe(false);
    expect(heap.free(handle)).toBe(false);
    expect(heap._a.m[slotWordOf(heap, handle)] & 3).toBe(3);
    expect(slabOf(heap, heap.alloc(SLAB))).toBe(14);
    expectHealthy(heap);
  });

  test("can still be a tail: runs that need its slab are had", () => {
    for (const slab of [4, 5, 6]) retireHead(slab);
    // Highest free run of 12 slabs would begin at slab 4.
    for (const slab of [4, 5, 6])
      heap._a.m[heap._a.layout.slotBase + slab * 2 ** heap._a.layout.slotsShift] |= 3;
    const handle = heap.alloc(12 * SLAB);
    expect(handle).not.toBe(0);
    expect(slabOf(heap, handle)).toBe(3);
  });
});
