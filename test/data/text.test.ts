/**
 * Defends: a text object gives back the text it was given; what does not fit, is no text or has ended is refused with
 * nothing changed; a length word of any value leads to an error or to bytes of the object, never beyond.
 * Method: random texts and object sizes against a plain map; exact fits and one byte less; every kind of damaged length.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  allocText,
  InvalidTypeError,
  InvalidValueError,
  readText,
  StaleHandleError,
  textBytes,
  writeText,
} from "../../src/data.js";
import { type Handle, HeapDetachedError, NULL_HANDLE } from "../../src/index.js";
import { another, expectWholeMemoryBack, SLAB, smallHeap } from "../allocator/support.js";
import { testSeed } from "../model/seed.js";
import { anyText, wellFormed } from "./arbitrary.js";

const roomy = () => smallHeap({ capacity: 256 * SLAB });

test("texts come, change and go like entries of a map", () => {
  const heap = roomy();
  const other = another(heap);
  const model = new Map<Handle, string>();
  const steps = fc.array(fc.tuple(fc.constantFrom("alloc", "write", "free"), anyText, fc.nat()), {
    minLength: 20,
    maxLength: 60,
  });
  fc.assert(
    fc.property(steps, (script) => {
      for (const [step, text, pick] of script) {
        const handle = [...model.keys()][pick % model.size];
        const seat = pick % 2 === 0 ? heap : other;
        if (step === "alloc" || handle === undefined) {
          const made = allocText(seat, text);
          if (made === NULL_HANDLE) expect(seat.lastFailure).toBe("out-of-memory");
          else model.set(made, wellFormed(text));
        } else if (step === "free") {
          expect(seat.free(handle)).toBe(true);
          model.delete(handle);
        } else if (textBytes(text) + 4 > heap.sizeOf(handle)) {
          expect(() => writeText(seat, handle, text)).toThrow(InvalidValueError);
        } else {
          expect(writeText(seat, handle, text)).toBe(textBytes(text));
          model.set(handle, wellFormed(text));
        }
        for (const [h, wanted] of [...model].slice(0, 8)) expect(readText(seat, h) === wanted).toBe(true);
      }
      for (const [h, wanted] of model) {
        expect(readText(heap, h) === wanted).toBe(true);
        expect(heap.free(h)).toBe(true);
      }
      model.clear();
    }),
    { seed: testSeed("texts"), numRuns: 120, endOnFailure: true },
  );
  expectWholeMemoryBack(heap, other);
});

describe("what fits", () => {
  test("an object is as large as the text needs, from empty on", () => {
    const heap = smallHeap({ sizeClasses: [8, 16, 64] });
    for (const [text, size] of [
      ["", 8],
      ["abcd", 8],
      ["abcde", 16],
      ["€€€€", 16],
      ["€€€€a", 64],
    ] as const) {
      const handle = allocText(heap, text);
      expect(heap.sizeOf(handle)).toBe(size);
      expect(new DataView(heap.buffer).getUint32(heap.byteOffset(handle), true)).toBe(textBytes(text));
      expect(readText(heap, handle)).toBe(text);
    }
  });

  test("a text may fill the object to its last byte, and one byte more changes nothing", () => {
    const heap = roomy();
    for (const size of [64, 128, 1024, 3 * SLAB, 8 * SLAB]) {
      const handle = heap.allocOrThrow(size);
      const neighbours = [heap.allocOrThrow(size), heap.allocOrThrow(size)];
      for (const n of neighbours) heap.view(n).fill(0xa5);
      const room = heap.sizeOf(handle) - 4;
      for (const character of ["a", "é", "€", "𝄞"]) {
        const width = textBytes(character);
        const exact = character.repeat(Math.floor(room / width)) + "x".repeat(room % width);
        expect(writeText(heap, handle, exact)).toBe(room);
        expect(readText(heap, handle) === exact).toBe(true);
        const before = heap.view(handle).slice();
        expect(() => writeText(heap, handle, `${exact}x`)).toThrow(
          `writeText: text must be from 0 to ${room} bytes of UTF-8 (what the object has room for); got ${room + 1}.`,
        );
        expect(heap.view(handle)).toEqual(before);
      }
      for (const n of neighbours) expect(heap.view(n).every((byte) => byte === 0xa5)).toBe(true);
    }
  });

  test("a full heap and a closed epoch answer NULL_HANDLE, a text larger than the heap is refused", () => {
    const heap = smallHeap();
    const old = heap.currentEpoch;
    heap.advanceEpoch();
    expect(allocText(heap, "late", old.id)).toBe(NULL_HANDLE);
    expect(heap.lastFailure).toBe("epoch-closed");
    const most = "m".repeat(heap.capacity - 4);
    const all = allocText(heap, most);
    expect(readText(heap, all) === most).toBe(true);
    expect(allocText(heap, "")).toBe(NULL_HANDLE);
    expect(heap.lastFailure).toBe("out-of-memory");
    expect(() => allocText(heap, `${most}m`)).toThrow(InvalidValueError);
    heap.free(all);
    expectWholeMemoryBack(heap);
  });

  test("a text belongs to the epoch it was asked for", () => {
    const heap = smallHeap();
    const epoch = heap.advanceEpoch();
    const handle = allocText(heap, "in", epoch.id);
    expect(heap.epochOf(handle)).toEqual(epoch);
    heap.discardEpoch(epoch);
    expect(() => readText(heap, handle)).toThrow(StaleHandleError);
  });
});

describe("what is refused", () => {
  test("every length word beyond the object, whatever its bits", () => {
    const heap = smallHeap();
    const handle = allocText(heap, "some text");
    const room = heap.sizeOf(handle) - 4;
    const at = heap.byteOffset(handle) / 4;
    for (const length of [room + 1, room + 4, 2 ** 16, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1]) {
      heap.u32[at] = length;
      expect(() => readText(heap, handle)).toThrow(InvalidValueError);
      expect(() => readText(heap, handle)).toThrow(`must be from 0 to ${room} bytes`);
      expect(() => readText(heap, handle)).toThrow(`it is ${length}.`);
    }
    heap.u32[at] = room;
    expect(readText(heap, handle).length).toBeLessThanOrEqual(room);
    expect(writeText(heap, handle, "again")).toBe(5);
    expect(readText(heap, handle)).toBe("again");
  });

  test("handles of nothing", () => {
    const heap = smallHeap();
    const handle = allocText(heap, "gone");
    heap.free(handle);
    for (const stale of [handle, NULL_HANDLE, 12345 as Handle, -1 as Handle]) {
      expect(() => readText(heap, stale)).toThrow(StaleHandleError);
      expect(() => writeText(heap, stale, "x")).toThrow(StaleHandleError);
    }
    expect(() => readText(heap, "1" as never)).toThrow(InvalidTypeError);
  });

  test("arguments of the wrong kind, with nothing allocated", () => {
    const heap = smallHeap();
    const before = heap.counters().allocCount;
    for (const bad of [undefined, null, 7, ["a"], {}, new String("boxed")]) {
      expect(() => allocText(heap, bad as never)).toThrow(InvalidTypeError);
      expect(() => allocText(heap, bad as never)).toThrow(/allocText: text must be a string; got /);
    }
    for (const bad of [undefined, null, {}, heap.buffer, "heap"]) {
      expect(() => allocText(bad as never, "a")).toThrow(/allocText: heap must be a SlabHeap; got /);
      expect(() => readText(bad as never, NULL_HANDLE)).toThrow(/readText: heap must be a SlabHeap; got /);
      expect(() => writeText(bad as never, NULL_HANDLE, "")).toThrow(InvalidTypeError);
    }
    expect(() => allocText(heap, "a", 16 as never)).toThrow(InvalidValueError);
    expect(heap.counters().allocCount).toBe(before);
  });

  test("a detached heap", () => {
    const heap = smallHeap();
    const handle = allocText(heap, "a");
    heap.detach();
    expect(() => allocText(heap, "a")).toThrow(HeapDetachedError);
    expect(() => readText(heap, handle)).toThrow(HeapDetachedError);
    expect(() => writeText(heap, handle, "b")).toThrow(HeapDetachedError);
  });
});
