/**
 * Defends: a label is at most 31 bytes of whole characters, belongs to one era, is never shown torn, and survives a
 * writer that dies half-way; busy bits of the dead are cleared by reap.
 * Method: the words are written directly on a bare array of metadata size, including half-written states.
 */
import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import {
  EP_LABEL_A,
  EP_LABEL_B,
  EP_LABEL_SEQ,
  EPOCH_BASE,
  EPOCH_WORDS,
  LABEL_ERA,
  LABEL_LENGTH,
  LABEL_MAX_BYTES,
  LABEL_TEXT,
  RING_SIZE,
  SLAB_BASE,
} from "../../../src/allocator/memory/layout.js";
import { readLabel, releaseLabels, writeLabel } from "../../../src/allocator/words/label.js";

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
