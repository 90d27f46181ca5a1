/**
 * Defends: refs and options are read once, so that what is used is what was checked; a wrong id inside an EpochRef is
 * called by its name; a refused call changes no word.
 * Method: proxies that answer otherwise when they are asked again; values of all types in one place of a right ref.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { HeapFormatError, InvalidTypeError, InvalidValueError } from "../../../src/allocator/errors.js";
import { checkHeapRef } from "../../../src/allocator/heap/check.js";
import { SlabHeap } from "../../../src/allocator/heap/heap.js";
import type { HeapRef } from "../../../src/allocator/types.js";
import {
  epochId,
  expectHealthy,
  expectMetadata,
  expectWholeMemoryBack,
  metadata,
  smallHeap,
} from "../support.js";

let heap: SlabHeap;
beforeEach(() => {
  heap = smallHeap();
});
afterEach(() => {
  expectHealthy(heap);
  expectWholeMemoryBack(heap);
  heap.detach();
});

describe("attach", () => {
  /** Right the first time, then something else; notes what is asked for. */
  function fickle<Value extends object>(value: Value, reads: string[]): Value {
    return new Proxy(value, {
      get(target, key) {
        const isFirst = !reads.includes(String(key));
        reads.push(String(key));
        return isFirst ? (Reflect.get(target, key) as unknown) : {};
      },
    });
  }

  test("reads its ref and its options once", () => {
    const reads: string[] = [];
    const options = {
      sameThread: true,
      pageReleaser: { release: () => 0 },
      releasePolicy: { reserveBytes: 2 * 4096 },
    };
    const ref = heap.share();
    const other = SlabHeap.attach(fickle(ref, reads), fickle(options, reads));
    const expected = [...Object.keys(ref), ...Object.keys(options)];
    expect(reads.sort()).toEqual(expected.sort());
    expect(other._a.rules).toMatchObject({ releaser: options.pageReleaser, reserveSlabs: 2 });
    other.detach();
  });

  test("gives back what it checked", () => {
    const { kind, layoutVersion, ...used } = heap.share();
    expect(checkHeapRef(fickle({ kind, layoutVersion, ...used }, []))).toEqual(used);
  });

  test.each([0, -1, 0.5, Number.NaN, Infinity, 2 ** 53, "5", 5n, null, undefined, {}, Symbol("x")])(
    "refuses a ref by its token: %#",
    (token) => {
      const before = metadata(heap);
      const attach = (): unknown =>
        SlabHeap.attach({ ...heap.share(), token } as HeapRef, { sameThread: true });
      expect(attach).toThrow(HeapFormatError);
      expect(attach).toThrow("ref.token must be a positive whole number; got");
      expectMetadata(heap, before);
    },
  );
});

describe.each(["closeEpoch", "discardEpoch", "discardBefore"] as const)("%s", (method) => {
  test.each<unknown>(["1", [1], {}, { valueOf: () => 1 }, true, null, undefined, 1n, Symbol("1")])(
    "an id that is no number is called EpochRef.id: %#",
    (id) => {
      const before = metadata(heap);
      const ask = (): unknown => heap[method]({ id: id as never, era: 16 });
      expect(ask).toThrow(InvalidTypeError);
      expect(ask).toThrow(/^EpochRef.id must be a number from 0 to 15; got (?!.*object Object)/);
      expectMetadata(heap, before);
    },
  );

  test.each([-1, 16, 0.5, Number.NaN, Infinity, 2 ** 32])("and so is one out of range: %d", (id) => {
    const before = metadata(heap);
    const ask = (): unknown => heap[method]({ id: epochId(id), era: 16 });
    expect(ask).toThrow(InvalidValueError);
    expect(ask).toThrow(`EpochRef.id must be a whole number from 0 to 15; got ${id}.`);
    expectMetadata(heap, before);
  });
});
