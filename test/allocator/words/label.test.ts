/**
 * Defends: a label is at most 31 bytes of whole characters, belongs to one era, is never shown torn, and survives a
 * writer that dies half-way; busy bits of the dead are cleared by reap. Labels have numbers that never change their
 * text, as long as there is room for them, so that slabs know the label of an era that has left the ring.
 * Method: the words are written directly on a bare array of metadata size, including half-written states; a writer is
 * killed at every access.
 */
import fc from "fast-check";
import { beforeEach, describe, expect, test, vi } from "vitest";
import {
  EP_LABEL_A,
  EP_LABEL_B,
  EP_LABEL_SEQ,
  EPOCH_BASE,
  EPOCH_WORDS,
  LABEL_ERA,
  LABEL_LENGTH,
  LABEL_MAX_BYTES,
  LABEL_NONE,
  LABEL_OTHER,
  LABEL_REGISTRY_BASE,
  LABEL_REGISTRY_WORDS,
  LABEL_TEXT,
  RING_SIZE,
  recordAt,
  SLAB_BASE,
  SLAB_LABEL,
  SLAB_OPENED_SEC,
} from "../../../src/allocator/memory/layout.js";
import { reapSeat } from "../../../src/allocator/seats/reap.js";
import {
  labelText,
  readLabel,
  readLabelNumber,
  releaseLabels,
  writeLabel,
} from "../../../src/allocator/words/label.js";
import { watchWords } from "../../regression/interleave.js";
import { another, epochId, expectHealthy, lap, slabOf, smallHeap } from "../support.js";

let m: Int32Array;
beforeEach(() => {
  m = new Int32Array(new SharedArrayBuffer(SLAB_BASE * 4));
});

const seqAt = (ring: number): number => EPOCH_BASE + ring * EPOCH_WORDS + EP_LABEL_SEQ;
const bytes = (text: string): number => new TextEncoder().encode(text).length;

describe("text", () => {
  test.each([
    ["", ""],
    ["GET /users", "GET /users"],
    ["a".repeat(31), "a".repeat(31)],
    ["a".repeat(32), "a".repeat(31)],
    ["ä".repeat(16), "ä".repeat(15)],
    [`${"a".repeat(30)}ä`, "a".repeat(30)],
    ["€".repeat(11), "€".repeat(10)],
    ["🚀".repeat(8), "🚀".repeat(7)],
    [`${"a".repeat(28)}🚀`, "a".repeat(28)],
    [`${"a".repeat(27)}🚀`, `${"a".repeat(27)}🚀`],
    ["日本語のラベル", "日本語のラベル"],
    ["x\0y\n", "x\0y\n"],
  ])("%j is kept as %j", (given, kept) => {
    expect(writeLabel(m, 3, 19, 1, given)).toBe(true);
    expect(readLabel(m, 3, 19)).toBe(kept);
  });

  test("any text is cut to its longest prefix of whole characters in 31 bytes", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 60 }), (given) => {
        writeLabel(m, 0, 16, 1, given);
        const kept = readLabel(m, 0, 16);
        expect(given.startsWith(kept)).toBe(true);
        expect(bytes(kept)).toBeLessThanOrEqual(LABEL_MAX_BYTES);
        const [next] = given.slice(kept.length);
        if (next !== undefined) expect(bytes(kept + next)).toBeGreaterThan(LABEL_MAX_BYTES);
      }),
    );
  });

  test("half a surrogate pair is kept as the replacement character, not as garbage", () => {
    writeLabel(m, 0, 16, 1, "a\ud83d");
    expect(readLabel(m, 0, 16)).toBe("a\ufffd");
  });

  test("a shorter label leaves nothing of a longer one behind", () => {
    for (const label of ["a".repeat(31), "b".repeat(31), "c", ""]) {
      writeLabel(m, 5, 21, 1, label);
      expect(readLabel(m, 5, 21)).toBe(label);
    }
  });

  test("ring slots do not disturb each other", () => {
    for (let ring = 0; ring < RING_SIZE; ring++) writeLabel(m, ring, 16 + ring, 1, `epoch ${ring}`);
    for (let ring = 0; ring < RING_SIZE; ring++) expect(readLabel(m, ring, 16 + ring)).toBe(`epoch ${ring}`);
  });
});

test("a label of another era is not shown", () => {
  writeLabel(m, 2, 18, 1, "old");
  expect(readLabel(m, 2, 34)).toBe("");
  expect(readLabel(m, 2, 2)).toBe("");
  writeLabel(m, 2, 34, 1, "new");
  expect(readLabel(m, 2, 34)).toBe("new");
  expect(readLabel(m, 2, 18)).toBe("");
});

test("the count wraps without losing the label", () => {
  m[seqAt(0)] = -1 << 9; // the last count, odd: buffer B is readable
  for (const label of ["first", "second", "third"]) {
    expect(writeLabel(m, 0, 16, 9, label)).toBe(true);
    expect(readLabel(m, 0, 16)).toBe(label);
  }
});

describe("a writer that died half-way", () => {
  const SEAT = 200;

  /** As writeLabel up to a point: busy, and part of the new text in the buffer that is not readable. */
  function dieWriting(ring: number, seat: number): void {
    const seq = m[seqAt(ring)];
    const count = seq >>> 9;
    m[seqAt(ring)] = (count << 9) | (seat << 1) | 1;
    const base = EPOCH_BASE + ring * EPOCH_WORDS + ((count + 1) & 1 ? EP_LABEL_B : EP_LABEL_A);
    m[base + LABEL_TEXT] = 0x2a2a2a2a;
    m[base + LABEL_LENGTH] = 31;
    m[base + LABEL_ERA] = 16 + ring;
  }

  test("leaves the old label readable", () => {
    for (const label of ["one", "two"]) {
      writeLabel(m, 4, 20, 1, label);
      dieWriting(4, SEAT);
      expect(readLabel(m, 4, 20)).toBe(label);
      releaseLabels(m, SEAT);
    }
  });

  test("keeps others from writing until its seat is reaped, and no longer", () => {
    writeLabel(m, 4, 20, 1, "old");
    dieWriting(4, SEAT);
    expect(writeLabel(m, 4, 20, 2, "new")).toBe(false);
    releaseLabels(m, SEAT - 1);
    expect(writeLabel(m, 4, 20, 2, "new")).toBe(false);
    releaseLabels(m, SEAT);
    expect(readLabel(m, 4, 20)).toBe("old");
    expect(writeLabel(m, 4, 20, 2, "new")).toBe(true);
    expect(readLabel(m, 4, 20)).toBe("new");
  });

  test("is cleared in every ring slot at once", () => {
    for (let ring = 0; ring < RING_SIZE; ring++) dieWriting(ring, SEAT);
    releaseLabels(m, SEAT);
    for (let ring = 0; ring < RING_SIZE; ring++) expect(writeLabel(m, ring, 16 + ring, 1, "x")).toBe(true);
  });

  test("garbage in a readable buffer is not shown as a label", () => {
    const base = EPOCH_BASE + EP_LABEL_A;
    m[base + LABEL_ERA] = 16;
    for (const length of [-1, 32, 2 ** 31 - 1]) {
      m[base + LABEL_LENGTH] = length;
      expect(readLabel(m, 0, 16)).toBe("");
    }
  });
});

describe("numbers of labels", () => {
  const write = (era: number, label: string, seat = 1): number => {
    expect(writeLabel(m, era % RING_SIZE, era, seat, label)).toBe(true);
    return readLabelNumber(m, era % RING_SIZE, era);
  };

  test("are the same for the same text, different for different ones, and 0 for none", () => {
    const first = write(16, "GET /users");
    const second = write(17, "GET /user");
    expect(write(18, "GET /users")).toBe(first);
    expect(write(16, "GET /user")).toBe(second);
    expect(new Set([first, second, LABEL_NONE, LABEL_OTHER]).size).toBe(4);
    expect(write(19, "")).toBe(LABEL_NONE);
    expect([first, second, LABEL_NONE].map((id) => labelText(m, id))).toEqual([
      "GET /users",
      "GET /user",
      "",
    ]);
  });

  test("are of the era asked for, or -1", () => {
    const id = write(16, "x");
    expect([readLabelNumber(m, 0, 16), readLabelNumber(m, 0, 32), readLabelNumber(m, 1, 17)]).toEqual([
      id,
      -1,
      -1,
    ]);
  });

  test("tell texts apart that end alike in the words: zero bytes count", () => {
    const ids = ["a", "a\0", "a\0\0", "\0a"].map((label, i) => write(16 + i, label));
    expect(new Set(ids).size).toBe(4);
    expect(ids.map((id) => labelText(m, id))).toEqual(["a", "a\0", "a\0\0", "\0a"]);
  });

  test("are of the text as it was kept, cut to whole characters", () => {
    const id = write(16, "a".repeat(40));
    expect(labelText(m, id)).toBe("a".repeat(31));
    expect(write(17, "a".repeat(31))).toBe(id);
    expect(labelText(m, write(18, "ä".repeat(16)))).toBe("ä".repeat(15));
  });

  test("when the registry is full the others share one, and known ones stay known", () => {
    const ids = Array.from({ length: LABEL_OTHER - 1 }, (_, i) => write(16 + i, `label ${i}`));
    expect([...ids].sort((x, y) => x - y)).toEqual(ids.map((_, i) => i + 1));
    for (const late of ["one more", "and another"]) {
      const id = write(40, late);
      expect(id).toBe(LABEL_OTHER);
      expect(readLabel(m, 8, 40)).toBe(late); // the epoch itself has its own text
    }
    expect(labelText(m, LABEL_OTHER)).toBe("(other)");
    ids.forEach((id, i) => {
      expect(write(50, `label ${i}`)).toBe(id);
      expect(labelText(m, id)).toBe(`label ${i}`);
    });
  });

  test("that the registry does not have are no text", () => {
    for (const id of [-1, 1, 14, 16, 1000, 0.5, Number.NaN]) expect(labelText(m, id)).toBeUndefined();
    m[LABEL_REGISTRY_BASE + 3 * LABEL_REGISTRY_WORDS] = -7; // being written
    expect(labelText(m, 3)).toBeUndefined();
  });

  test("an entry of a writer that died in it is passed by, and free again when the writer is reaped", () => {
    const dead = 7;
    const entry = (id: number): number => m[LABEL_REGISTRY_BASE + id * LABEL_REGISTRY_WORDS];
    let halfWritten = 0;
    let accesses = 0;
    for (let n = 0; ; n++) {
      m.fill(0);
      const kept = write(16, "kept");
      let at = 0;
      try {
        watchWords(
          m,
          (words) => writeLabel(words, 1, 17, dead, "GET /dead"),
          () => {
            if (at++ === n) throw new Error("killed");
          },
        );
      } catch (error) {
        expect((error as Error).message).toBe("killed");
      }
      if (at <= n) break;
      accesses++;
      const half = entry(kept + 1) === -dead;
      if (half) halfWritten++;
      expect(labelText(m, kept + 1)).toBe(entry(kept + 1) > 0 ? "GET /dead" : undefined);
      if (half) {
        const passed = write(18, "GET /live", 2);
        expect(passed).toBe(kept + 2);
        releaseLabels(m, dead + 1);
        expect(entry(kept + 1)).toBe(-dead);
      }
      releaseLabels(m, dead);
      expect(entry(kept + 1)).toBeGreaterThanOrEqual(0);
      const next = write(17, "GET /next", 2);
      expect(labelText(m, next)).toBe("GET /next");
      if (half) expect(next).toBe(kept + 1);
      expect(labelText(m, kept)).toBe("kept");
    }
    expect(accesses).toBeGreaterThan(20);
    expect(halfWritten).toBeGreaterThan(8);
  });
});

describe("in a heap", () => {
  test("an entry half-written by a dead thread is free again after the reap", () => {
    const heap = smallHeap();
    const dead = another(heap);
    heap.poll();
    heap._a.m[LABEL_REGISTRY_BASE + LABEL_REGISTRY_WORDS] = -dead.seat;
    reapSeat(heap._a, dead.seat, dead.incarnation);
    dead.poll();
    expect(heap._a.m[LABEL_REGISTRY_BASE + LABEL_REGISTRY_WORDS]).toBe(0);
    heap.setEpochLabel(epochId(0), "first");
    expect(labelText(heap._a.m, 1)).toBe("first");
    heap.detach();
  });

  test("slabs of a wrapped era still know its label and when it was opened; slabs without a label know that", () => {
    const now = vi.spyOn(Date, "now").mockReturnValue(1_900_000_000_999);
    const heap = smallHeap();
    const { m: words } = heap._a;
    const old = heap.alloc(64);
    const run = heap.alloc(5000);
    heap.setEpochLabel(heap.currentEpoch.id, "GET /users");
    now.mockReturnValue(1_900_000_100_000);
    heap.advanceEpoch();
    const unlabelled = heap.alloc(64);
    lap(heap);
    heap.setEpochLabel(heap.currentEpoch.id, "newer");
    lap(heap);
    const noted = [old, run, unlabelled].map((handle) => {
      const record = recordAt(slabOf(heap, handle));
      return [labelText(words, words[record + SLAB_LABEL]), words[record + SLAB_OPENED_SEC]];
    });
    expect(noted).toEqual([
      ["GET /users", 1_900_000_000],
      ["GET /users", 1_900_000_000],
      ["", 1_900_000_100],
    ]);
    vi.restoreAllMocks();
    expectHealthy(heap);
    heap.detach();
  });

  test("a slab that is taken again forgets the label of its former era", () => {
    const heap = smallHeap();
    const { m: words } = heap._a;
    const old = heap.alloc(64);
    heap.setEpochLabel(heap.currentEpoch.id, "old");
    const record = recordAt(slabOf(heap, old));
    heap.advanceEpoch();
    expect(labelText(words, words[record + SLAB_LABEL])).toBe("old");
    heap.free(old);
    const young = heap.alloc(64);
    expect(recordAt(slabOf(heap, young))).toBe(record);
    expect(words[record + SLAB_LABEL]).toBe(LABEL_NONE);
    heap.advanceEpoch();
    expect(words[record + SLAB_LABEL]).toBe(LABEL_NONE);
    heap.detach();
  });
});
