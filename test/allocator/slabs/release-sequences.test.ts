/**
 * Defends: whatever two threads with releasers do, and whenever the system refuses, objects keep their contents, free
 * slabs with resident pages are known, and in the end everything can be given back.
 * Method: random sequences of operations by two seats over a releaser that zeroes what it is given.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { countWarm } from "../../../src/allocator/words/resident-map.js";
import { releasingHeap, residentSlabs } from "../kernel.js";
import { another, expectHealthy, lap, SLAB } from "../support.js";

type Step = readonly ["alloc", number] | readonly ["free", number] | readonly [Rest];
type Rest = "advance" | "close" | "discard" | "trim" | "poll" | "refuse" | "grant" | "other";
const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.tuple(fc.constant("alloc" as const), fc.constantFrom(64, 128, 1024, SLAB, 3 * SLAB)),
  },
  { weight: 5, arbitrary: fc.tuple(fc.constant("free" as const), fc.nat(30)) },
  {
    weight: 4,
    arbitrary: fc
      .constantFrom<Rest>("advance", "close", "discard", "trim", "poll", "refuse", "grant", "other")
      .map((rest) => [rest] as const),
  },
);

test("objects keep their contents, free slabs with resident pages stay known, bytes add up", () => {
  fc.assert(
    fc.property(fc.array(steps, { maxLength: 60 }), fc.integer({ min: 0, max: 5 }), (sequence, reserve) => {
      const [heap, kernel] = releasingHeap({ reserveBytes: reserve * SLAB });
      const { m, layout } = heap._a;
      const other = another(heap, { pageReleaser: kernel, releasePolicy: { reserveBytes: 0 } });
      heap.poll();
      let acting = heap;
      let stamp = 0;
      let live: { handle: number; stamp: number; at: number; size: number; era: number }[] = [];
      for (const [kind, value] of sequence) {
        if (kind === "alloc") {
          const handle = acting.alloc(value);
          if (handle === 0) continue;
          const at = acting.byteOffset(handle);
          heap.u8.fill(++stamp & 0xff || 1, at, at + value);
          live.push({ handle, stamp: stamp & 0xff || 1, at, size: value, era: acting.epochOf(handle).era });
        } else if (kind === "free") {
          const [gone] = live.splice(value % Math.max(1, live.length), 1);
          if (gone !== undefined) expect(acting.free(gone.handle as never)).toBe(true);
        } else if (kind === "advance") acting.advanceEpoch();
        else if (kind === "close") acting.closeEpoch(acting.currentEpoch);
        else if (kind === "discard") {
          const { era } = acting.discardEpoch(acting.currentEpoch).epoch;
          live = live.filter((object) => object.era !== era);
        } else if (kind === "trim") acting.trim();
        else if (kind === "poll") acting.poll();
        else if (kind === "refuse") kernel.answer = () => -1;
        else if (kind === "grant") kernel.answer = (bytes) => bytes;
        else acting = acting === heap ? other : heap;
        for (const { at, size, stamp: wanted } of live) {
          expect([heap.u8[at], heap.u8[at + size - 1]]).toEqual([wanted, wanted]);
        }
      }
      for (const one of [heap, other, heap, other]) one.poll();
      for (const { handle } of live) expect(heap.free(handle as never)).toBe(true);
      lap(heap);
      kernel.answer = (bytes) => bytes;
      for (const one of [heap, other, heap]) {
        one.poll();
        one.trim();
      }
      expect([residentSlabs(heap), countWarm(m, layout)]).toEqual([0, 0]);
      expect(heap.u8.subarray(heap._a.layout.payloadOffset).every((byte) => byte === 0)).toBe(true);
      other.detach();
      expectHealthy(heap);
      heap.detach();
    }),
    { numRuns: 300 },
  );
});
