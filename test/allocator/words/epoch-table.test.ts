/**
 * Defends: the opening time of an epoch is that of the era asked for, never of another one in the same ring slot and never
 * torn; references are those of one era.
 * Method: eras that share a ring slot; a reader at every access of a writer; refcounts in a heap with several seats.
 */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { RING_SIZE, SLAB_BASE } from "../../../src/allocator/memory/layout.js";
import { memberLevels, openedAt, recordOpening, refcount } from "../../../src/allocator/words/epoch-table.js";
import { watchWords } from "../../regression/interleave.js";
import { another, epochId, lap, smallHeap } from "../support.js";

const NOW = 1_900_000_000_123;
let m: Int32Array;
beforeEach(() => {
  m = new Int32Array(new SharedArrayBuffer(SLAB_BASE * 4));
});
afterEach(() => {
  vi.restoreAllMocks();
});
function openAt(era: number, ms: number): void {
  vi.spyOn(Date, "now").mockReturnValue(ms);
  recordOpening(m, era);
}

describe("opening times", () => {
  test.each([1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, NOW, 2 ** 42 + 5])("keep %i ms", (ms) => {
    openAt(21, ms);
    expect(openedAt(m, 21)).toBe(ms);
  });

  test("are of one era of the ring slot, and of one ring slot", () => {
    for (let era = RING_SIZE; era < 2 * RING_SIZE; era++) openAt(era, NOW + era);
    for (let era = RING_SIZE; era < 2 * RING_SIZE; era++) expect(openedAt(m, era)).toBe(NOW + era);
    openAt(32, NOW);
    expect([openedAt(m, 16), openedAt(m, 32), openedAt(m, 48), openedAt(m, 17)]).toEqual([
      0,
      NOW,
      0,
      NOW + 17,
    ]);
  });

  test("a reader at any access of the writer gets the old time, the new one or none", () => {
    const [old, young] = [2 ** 32 - 1, 2 ** 33];
    openAt(16, old);
    vi.spyOn(Date, "now").mockReturnValue(young);
    const seen: number[][] = [];
    watchWords(
      m,
      (watched) => recordOpening(watched, 32),
      () => seen.push([openedAt(m, 16), openedAt(m, 32)]),
    );
    expect(seen.length).toBe(4);
    for (const [before, after] of seen) {
      expect([old, 0]).toContain(before);
      expect([young, 0]).toContain(after);
    }
    expect(seen[0]).toEqual([old, 0]);
    expect(openedAt(m, 32)).toBe(young);
  });

  test("a reader between whose accesses the era changes gets no time", () => {
    vi.spyOn(Date, "now").mockReturnValue(2 ** 33);
    for (let n = 0; n < 4; n++) {
      openAt(16, 2 ** 32 - 1);
      let at = 0;
      const read = watchWords(
        m,
        (watched) => openedAt(watched, 16),
        () => {
          if (at++ === n) openAt(32, 2 ** 33);
        },
      );
      expect(read).toBe(0);
      expect(at).toBe(n === 0 ? 1 : 4);
    }
  });
});

test("refcounts add the levels of all seats and the retains, of that era only", () => {
  const heap = smallHeap();
  const other = another(heap);
  heap.poll();
  const { m: words, layout } = heap._a;
  const counts = (era: number): number[] => [
    memberLevels(words, layout, 0, era),
    refcount(words, layout, 0, era),
  ];
  const domain = heap.openDomain();
  domain.enter();
  const theirs = other.openDomain();
  heap.retainEpoch(epochId(0));
  expect(counts(16)).toEqual([3, 4]);
  expect(counts(32)).toEqual([0, 0]);
  domain.exit();
  theirs.exit();
  expect(counts(16)).toEqual([1, 2]);
  lap(other);
  const young = other.openDomain();
  expect(young.epoch).toEqual({ id: 0, era: 32 });
  expect(counts(32)).toEqual([1, 1]);
  expect(counts(16)).toEqual([1, 1]); // its retains went with the ring slot, its member has not left
  young.exit();
  domain.exit();
  for (const each of [other, heap]) each.detach();
});
