import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  C_MADVISE_BYTES,
  C_MADVISE_CALLS,
  C_MADVISE_FAILURES,
  C_RECYCLED,
} from "../../../src/allocator/counters/fields.js";
import type { SlabHeap } from "../../../src/allocator/heap/heap.js";
import { SEAT_WORD, seatAt } from "../../../src/allocator/memory/layout.js";
import { reapSeat } from "../../../src/allocator/seats/reap.js";
import { setFree } from "../../../src/allocator/slabs/free-map.js";
import type { Handle, HeapOptions, ReleasePolicy } from "../../../src/allocator/types.js";
import { countWarm, isResident } from "../../../src/allocator/words/resident-map.js";
import { packTag, TAG_FREE, TAG_RELEASING } from "../../../src/allocator/words/slab-tag.js";
import { Kernel, releasingHeap, residentSlabs } from "../kernel.js";
import {
  another,
  classCounter,
  expectHealthy,
  expectWholeMemoryBack,
  fill,
  freeAll,
  SLAB,
  setTag,
  smallHeap,
} from "../support.js";

const CLASS_64 = 0;
const LARGE = 3;
const ALL: ReleasePolicy = { reserveBytes: 0 };

let kernel: Kernel;
let heap: SlabHeap;
function make(releasePolicy: ReleasePolicy = ALL, options: HeapOptions = {}): void {
  [heap, kernel] = releasingHeap(releasePolicy, options);
}
beforeEach(() => make());
afterEach(() => {
  vi.useRealTimers();
  heap.detach();
});

const many = (from: SlabHeap, size: number, objects: number): Handle[] =>
  Array.from({ length: objects }, () => from.alloc(size));
const warm = (): number => countWarm(heap._a.m, heap._a.layout);
const resident = (): number => residentSlabs(heap);

describe("what is released", () => {
  test("a close releases what it gave back, neighbours in one call; not what is in use", () => {
    const kept = heap.alloc(64); // slab 0
    const small = many(heap, 1024, 4); // slab 1
    const runs = [heap.alloc(3 * SLAB), heap.alloc(2 * SLAB)]; // slabs 13..15, 11..12
    freeAll(heap, [...small, ...runs]);
    expect(kernel.calls).toEqual([]);
    const report = heap.closeEpoch(heap.currentEpoch);
    expect(kernel.calls).toEqual([
      [11, 5],
      [1, 1],
    ]);
    expect(report).toMatchObject({ slabsRecycled: 1, bytesReleased: 6 * SLAB });
    expect(heap.isLive(kept)).toBe(true);
    expect([resident(), warm()]).toEqual([1, 0]);
    heap.free(kept);
    heap.poll();
    expect(kernel.calls[2]).toEqual([0, 1]);
    expect([resident(), warm()]).toEqual([0, 0]);
  });

  test.each<[string, (from: SlabHeap) => void]>([
    ["a discard", (from) => void from.discardEpoch(from.currentEpoch)],
    [
      "a discard of what is older",
      (from) => {
        from.alloc(64);
        from.discardBefore(from.advanceEpoch());
      },
    ],
    [
      "a domain's end",
      (from) => {
        const domain = from.openDomain({ autoClose: true });
        from.free(domain.alloc(64));
        domain.exit();
      },
    ],
    ["poll()", (from) => from.poll()],
    ["trim()", (from) => void from.trim()],
  ])("%s releases too", (_name, act) => {
    heap.free(heap.alloc(2 * SLAB));
    act(heap);
    expect(kernel.calls.length).toBeGreaterThan(0);
    expect(warm()).toBe(0);
  });

  test("a thread that leaves releases what it gives back, and its seat is free after that", () => {
    kernel.answer = (bytes) => {
      expect(heap._a.m[seatAt(heap._a.layout, other.seat) + SEAT_WORD] & 3).toBe(1);
      return bytes;
    };
    const other = another(heap, { pageReleaser: kernel, releasePolicy: ALL });
    heap.poll();
    other.free(other.alloc(64));
    other.detach();
    expect(kernel.calls).toHaveLength(1);
    expect(warm()).toBe(0);
  });

  test("alloc and free never release", () => {
    for (let n = 0; n < 50; n++) {
      const handle = heap.alloc(2 * SLAB);
      another(heap, { pageReleaser: kernel, releasePolicy: ALL }).detach();
      kernel.calls.length = 0;
      heap.free(handle);
      heap.free(heap.alloc(64));
      expect(kernel.calls).toEqual([]);
    }
  });

  test("a slab never used, or released before, is not offered", () => {
    heap.free(heap.alloc(SLAB));
    heap.trim();
    expect(kernel.calls).toEqual([[15, 1]]);
    heap.trim();
    heap.closeEpoch(heap.currentEpoch);
    expect(kernel.calls).toHaveLength(1);
  });

  test("with prefault every slab counts as resident, and stays so until trim()", () => {
    heap.detach();
    make({}, { prefault: true });
    expect(resident()).toBe(16);
    heap.free(heap.alloc(2 * SLAB));
    heap.closeEpoch(heap.currentEpoch);
    expect(kernel.calls).toEqual([]);
    expect(heap.trim()).toMatchObject({ slabsReleased: 16, bytesReleased: 16 * SLAB, calls: 1, failures: 0 });
    expect(resident()).toBe(0);
  });

  test("pages larger than slabs: only those whose slabs are all free", () => {
    heap.detach();
    kernel = new Kernel();
    kernel.pageBytes = 16384;
    heap = smallHeap({ pageReleaser: kernel, releasePolicy: ALL });
    kernel.heap = heap;
    const handles = fill(heap, 1024); // all 16 slabs, four objects each
    const { payloadOffset } = heap._a.layout;
    freeAll(heap, handles.slice(4)); // slab 0 stays
    heap.closeEpoch(heap.currentEpoch);
    const from = Math.ceil((payloadOffset + SLAB) / 16384) * 16384;
    const to = Math.floor((payloadOffset + 16 * SLAB) / 16384) * 16384;
    expect(kernel.calls).toEqual([[(from - payloadOffset) / SLAB, (to - from) / SLAB]]);
    expect(heap.counters().committedSlabs).toBe(1);
    expect(heap.isLive(handles[0])).toBe(true);
    expectHealthy(heap);
  });

  test("released memory is told of before it is used again, runs in one call", () => {
    heap.free(heap.alloc(3 * SLAB));
    heap.free(heap.alloc(64));
    expect(kernel.reused).toEqual([]);
    heap.trim();
    heap.alloc(3 * SLAB);
    heap.alloc(64);
    heap.alloc(1024); // never used before
    expect(kernel.reused).toEqual([
      [13, 3],
      [0, 1],
    ]);
    kernel.reuse = () => {
      throw new Error("books");
    };
    heap.advanceEpoch();
    heap.discardBefore(heap.currentEpoch);
    expect(heap.alloc(64)).not.toBe(0);
    expect(classCounter(heap, CLASS_64, C_MADVISE_FAILURES)).toBe(1);
  });
});

describe("the policy", () => {
  test("a reserve of warm slabs stays, the lowest ones", () => {
    heap.detach();
    make({ reserveBytes: 3 * SLAB + 1 });
    freeAll(heap, fill(heap, 1024));
    heap.closeEpoch(heap.currentEpoch);
    expect(kernel.calls).toEqual([[3, 13]]);
    expect([0, 1, 2, 3].map((slab) => isResident(heap._a.m, heap._a.layout, slab))).toEqual([
      true,
      true,
      true,
      false,
    ]);
    expect(heap.trim({ keepBytes: SLAB })).toMatchObject({ slabsReleased: 2, bytesReleased: 2 * SLAB });
    expect(warm()).toBe(1);
  });

  test("the default reserve is 1/128 of the heap, 1 MiB at most, everything with prefault", () => {
    const reserve = (options: HeapOptions): number => {
      const made = smallHeap({ slabSize: 65536, ...options });
      const { reserveSlabs } = made._a.rules;
      made.detach();
      return reserveSlabs * 65536;
    };
    const MIB = 1024 * 1024;
    expect(reserve({ capacity: 64 * MIB })).toBe(MIB / 2);
    expect(reserve({ capacity: 512 * MIB })).toBe(MIB);
    expect(reserve({ capacity: 2048 * MIB })).toBe(MIB);
    expect(reserve({ capacity: MIB })).toBe(0);
    expect(reserve({ capacity: 4 * MIB, prefault: true })).toBe(4 * MIB);
  });

  test("without onClose only trim() and decay release", () => {
    heap.detach();
    make({ onClose: false, reserveBytes: 0 });
    heap.free(heap.alloc(2 * SLAB));
    heap.closeEpoch(heap.currentEpoch);
    heap.poll();
    expect(kernel.calls).toEqual([]);
    heap.trim();
    expect(kernel.calls).toHaveLength(1);
  });

  test("the idle timer releases what is left, also what threads without a releaser gave back", () => {
    vi.useFakeTimers();
    heap.detach();
    make();
    const other = another(heap);
    heap.poll();
    heap.free(heap.alloc(SLAB));
    vi.advanceTimersByTime(60);
    expect(kernel.calls).toHaveLength(1);
    other.free(other.alloc(2 * SLAB));
    vi.advanceTimersByTime(2000);
    expect(kernel.calls).toHaveLength(2);
    expect(warm()).toBe(0);
    other.detach();
  });

  test("decay lets a burst fade, the reserve included, also beside work that goes on", () => {
    vi.useFakeTimers();
    heap.detach();
    make({ onClose: false, decayMs: 1000 });
    freeAll(heap, fill(heap, 1024));
    heap.advanceEpoch();
    const churn = (ms: number): void => {
      for (let at = 0; at < ms; at += 50) {
        vi.advanceTimersByTime(50);
        for (let n = 0; n < 20; n++) {
          heap.free(heap.alloc(64));
          heap.advanceEpoch();
        }
      }
    };
    churn(100);
    expect(warm()).toBeGreaterThanOrEqual(14);
    churn(450);
    expect(warm()).toBeGreaterThan(4);
    expect(warm()).toBeLessThan(12);
    churn(600);
    expect(warm(), "what is worked in").toBeLessThanOrEqual(2);
    vi.advanceTimersByTime(1100);
    expect(warm()).toBe(0);
  });

  test("a releaser that is not enabled is none", () => {
    const release = vi.fn(() => SLAB);
    const plain = smallHeap({ pageReleaser: { enabled: false, release }, releasePolicy: ALL });
    plain.free(plain.alloc(SLAB));
    plain.closeEpoch(plain.currentEpoch);
    expect(plain.trim()).toMatchObject({ slabsReleased: 0, bytesReleased: 0, calls: 0, failures: 0 });
    expect(release).not.toHaveBeenCalled();
    plain.detach();
  });
});

describe("trim()", () => {
  test("gives back empty slabs of the open epoch, this thread's now and the others' when they look", () => {
    const other = another(heap);
    heap.poll();
    freeAll(heap, many(heap, 64, 64 * 3));
    freeAll(other, many(other, 64, 64 * 2));
    const report = heap.trim();
    expect(report).toMatchObject({ slabsRecycled: 3, slabsReleased: 3, bytesReleased: 3 * SLAB, calls: 1 });
    expect(report.durationNs).toBeGreaterThan(0);
    expect(heap.counters().committedSlabs).toBe(2);
    other.poll();
    expect(heap.counters().committedSlabs).toBe(0);
    expect(heap.trim()).toMatchObject({ slabsRecycled: 0, slabsReleased: 2 });
    other.detach();
  });
});

describe("a releaser that fails", () => {
  test.each<[string, (bytes: number) => number]>([
    ["refuses", () => -1],
    [
      "throws",
      () => {
        throw new Error("no such page");
      },
    ],
    ["answers what is no number", () => "4096" as unknown as number],
    ["answers NaN", () => Number.NaN],
  ])("and %s is counted, costs no slab, and is left alone for a while", (_name, answer) => {
    const now = vi.spyOn(performance, "now");
    kernel.answer = answer;
    heap.free(heap.alloc(64));
    heap.closeEpoch(heap.currentEpoch);
    expect(kernel.calls).toHaveLength(1);
    expect(classCounter(heap, CLASS_64, C_MADVISE_CALLS)).toBe(1);
    expect(classCounter(heap, CLASS_64, C_MADVISE_FAILURES)).toBe(1);
    expect(classCounter(heap, CLASS_64, C_MADVISE_BYTES)).toBe(0);
    expect([warm(), resident()]).toEqual([1, 1]);
    expect(heap.verify()).toMatchObject({ ok: true, slabs: 0 });
    heap.closeEpoch(heap.currentEpoch);
    expect(kernel.calls).toHaveLength(1);
    const later = performance.now() + 1001;
    now.mockImplementation(() => later);
    heap.closeEpoch(heap.currentEpoch);
    expect(kernel.calls).toHaveLength(2);
    now.mockImplementation(() => later + 1001);
    heap.closeEpoch(heap.currentEpoch);
    expect(kernel.calls, "put off for twice as long").toHaveLength(2);
    expect(heap.trim(), "asked for").toMatchObject({ calls: 1, failures: 1, bytesReleased: 0 });
    kernel.answer = (bytes) => bytes;
    expect(heap.trim()).toMatchObject({ calls: 1, failures: 0, bytesReleased: SLAB });
    expectWholeMemoryBack(heap);
    now.mockRestore();
  });

  test("that says it released more than it was given is not believed", () => {
    kernel.answer = () => 1e9;
    heap.free(heap.alloc(64));
    expect(heap.closeEpoch(heap.currentEpoch).bytesReleased).toBe(SLAB);
  });

  test("that found no whole page leaves the slab to be released later, and was no call of the system", () => {
    kernel.answer = () => 0;
    heap.free(heap.alloc(64));
    expect(heap.closeEpoch(heap.currentEpoch).bytesReleased).toBe(0);
    expect([warm(), resident(), classCounter(heap, CLASS_64, C_MADVISE_CALLS)]).toEqual([1, 1, 0]);
  });

  test("that lost much of a range at its ends leaves it to be released later", () => {
    kernel.answer = (bytes) => bytes / 2;
    heap.free(heap.alloc(64));
    expect(heap.closeEpoch(heap.currentEpoch).bytesReleased).toBe(SLAB / 2);
    expect(warm()).toBe(1);
  });
});

describe("what is counted", () => {
  test("calls, bytes: with the class a slab last served, runs with all of theirs", () => {
    freeAll(heap, [heap.alloc(64), heap.alloc(3 * SLAB)]);
    heap.closeEpoch(heap.currentEpoch);
    expect(classCounter(heap, CLASS_64, C_MADVISE_BYTES)).toBe(SLAB);
    expect(classCounter(heap, LARGE, C_MADVISE_BYTES)).toBe(3 * SLAB);
    expect(classCounter(heap, CLASS_64, C_MADVISE_CALLS) + classCounter(heap, LARGE, C_MADVISE_CALLS)).toBe(
      2,
    );
    expect(classCounter(heap, CLASS_64, C_RECYCLED)).toBe(1);
  });
});

describe("threads at once", () => {
  test("one with a releaser is enough for all, whatever it calls", () => {
    const other = another(heap);
    heap.poll();
    for (const act of [() => heap.poll(), () => void heap.closeEpoch(heap.currentEpoch)]) {
      other.free(other.alloc(2 * SLAB));
      act();
      expect(warm()).toBe(0);
      other.poll();
    }
    other.detach();
  });

  test("two do not give away the reserve between them", () => {
    heap.detach();
    make({ reserveBytes: 8 * SLAB });
    const other = another(heap, { pageReleaser: kernel, releasePolicy: { reserveBytes: 8 * SLAB } });
    heap.poll();
    freeAll(heap, fill(heap, 1024));
    other.poll();
    let inside = false;
    kernel.answer = (bytes) => {
      if (!inside) {
        inside = true;
        other.closeEpoch(other.currentEpoch);
      }
      return bytes;
    };
    heap.closeEpoch(heap.currentEpoch);
    expect(warm()).toBe(8);
    other.detach();
  });

  test("a releaser stops after the call at hand when an alloc waits for slabs", () => {
    heap.detach();
    // 512 slabs of 4 KiB: two calls.
    make(ALL, { capacity: 512 * SLAB });
    const other = another(heap);
    heap.poll();
    freeAll(heap, fill(heap, 1024));
    let got: Handle | undefined;
    kernel.answer = (bytes) => {
      got ??= other.alloc(400 * SLAB);
      return bytes;
    };
    heap.closeEpoch(heap.currentEpoch);
    expect(kernel.calls).toHaveLength(1);
    // This thread cannot go on while it waits for itself; another one would.
    expect(got).toBe(0);
    expect(other.alloc(400 * SLAB)).not.toBe(0);
    other.detach();
  });
});

describe("slabs that others hold", () => {
  test("a slab somebody else took, or releases, is left alone whatever the maps say", () => {
    const other = another(heap);
    heap.poll();
    const theirs = other.alloc(64); // slab 0
    setFree(heap._a.m, heap._a.layout, 0); // a hint too many is allowed
    setTag(heap, 1, packTag(TAG_RELEASING, other.seat, 0, 0));
    heap._a.m[heap._a.layout.residentBase] |= 0b110;
    heap.trim();
    expect(kernel.calls).toEqual([[2, 1]]);
    expect(other.isLive(theirs)).toBe(true);
    setTag(heap, 1, TAG_FREE);
    heap.trim();
    expect(kernel.calls[1]).toEqual([1, 1]);
    other.detach();
  });

  test("a dead thread's slabs are free again, and those it had released too", () => {
    const other = another(heap);
    heap.poll();
    heap.free(heap.alloc(SLAB));
    setTag(heap, 15, packTag(TAG_RELEASING, other.seat, 0, 0));
    setTag(heap, 3, packTag(TAG_RELEASING, other.seat, 0, 0));
    reapSeat(heap._a, other.seat, other.incarnation);
    expectHealthy(heap);
    heap.trim();
    expect(kernel.calls).toEqual([[15, 1]]);
    expectWholeMemoryBack(heap);
  });
});
