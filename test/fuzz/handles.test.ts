/** Bounded part of `handles.ts`; the long one is `npm run fuzz -- --kind handles`. */
import { describe, expect, test } from "vitest";
import type { SlabHeap } from "../../src/allocator/heap/heap.js";
import type { Handle } from "../../src/allocator/types.js";
import { testSeed } from "../model/seed.js";
import { HANDLE_STEPS } from "./fuzz-run.js";
import { runHandles, type Spoil } from "./handles.js";
import { Violation } from "./outcome.js";

test.each([1, 2, 3])("hostile handles are refused and change nothing: seed %d", (seed) => {
  expect(runHandles(seed, HANDLE_STEPS)).toMatchObject({ violations: 0 });
});

test("hostile handles are refused and change nothing: any seed", () => {
  const seed = testSeed("hostile handles");
  let cases = 0;
  try {
    for (let n = 0; n < 2; n++) cases += runHandles(seed + n, HANDLE_STEPS).cases;
  } catch (error) {
    throw new Error(`npm run fuzz -- --kind handles --seed ${seed}, and the one after it`, { cause: error });
  }
  expect(cases).toBeGreaterThan(1000);
});

describe("canaries: a heap that is wrong is found out", () => {
  const original = (heap: SlabHeap) => Object.getPrototypeOf(heap) as SlabHeap;
  const truncated = (h: Handle): Handle => (typeof h === "number" ? Math.trunc(h) : h) as Handle;
  const put = (heap: SlabHeap, methods: object): void => {
    Object.assign(heap, methods);
  };

  test.each<[string, Spoil]>([
    ["a free that says yes to everything", (heap) => put(heap, { free: () => true })],
    ["a free that frees nothing", (heap) => put(heap, { free: (h: Handle) => heap.isLive(h) })],
    [
      "a free that rounds",
      (heap) => {
        put(heap, { free: (h: Handle) => original(heap).free.call(heap, truncated(h)) });
      },
    ],
    ["an isLive that sees no end", (heap) => put(heap, { isLive: () => true })],
    [
      "a view of something else",
      (heap) => put(heap, { view: (h: Handle) => new Uint8Array(heap.sizeOf(h)) }),
    ],
    [
      "a sizeOf that writes",
      (heap) => {
        put(heap, {
          sizeOf(handle: Handle): number {
            heap.u8[heap._a.layout.payloadOffset] ^= 1;
            return original(heap).sizeOf.call(heap, handle);
          },
        });
      },
    ],
    [
      "an epochOf that throws an engine's error",
      (heap) => {
        put(heap, {
          epochOf: () => {
            throw new RangeError("Invalid array length");
          },
        });
      },
    ],
  ])("%s", (_name, spoil) => {
    expect(() => runHandles(11, HANDLE_STEPS, spoil)).toThrow(Violation);
  });
});
