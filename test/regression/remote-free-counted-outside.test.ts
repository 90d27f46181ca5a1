/**
 * Defends: a remote free writes to the freed slot, to the owner's pending bits and to its own seat's counters, and nowhere
 * else. The slab may be given back and become the tail of a run before the free is counted; the bits that were its
 * class then belong to the number of the run's head, and the counter they led to was a word of another seat.
 * Method: a remote free is stopped before each of its accesses; there the owner gives the slab back and takes a run over
 * it whose head has a number high enough. All metadata is compared around the rest of the free.
 */
import { expect, test } from "vitest";
import { C_REMOTE_FREES } from "../../src/allocator/counters/fields.js";
import { seatAt } from "../../src/allocator/memory/layout.js";
import { SEAT_COUNTERS, SEAT_WORD } from "../../src/allocator/memory/offsets.js";
import type { Handle } from "../../src/allocator/types.js";
import { TAG_TAIL, tagClass, tagState } from "../../src/allocator/words/slab-tag.js";
import {
  another,
  classCounter,
  expectHealthy,
  expectWholeMemoryBack,
  SLAB,
  slabOf,
  slotWordOf,
  smallHeap,
  tagAt,
} from "../allocator/support.js";
import { atEveryAccess, type Seats } from "./interleave.js";

const SLABS = 1280;
const CLASSES = 3;
/** Head of the run that comes instead: 4 in the place of a class, where the classes and large objects are 0 to 3. */
const HEAD = 1024;

interface World extends Seats {
  readonly handles: readonly Handle[];
  readonly target: Handle;
  run: Handle;
  before: Int32Array;
}

test("a slab that became the tail of a run while an object in it was freed", () => {
  let tails = 0;
  const accesses = atEveryAccess<World, boolean>({
    build() {
      const b = smallHeap({ capacity: SLABS * SLAB, sizeClasses: [64, 1024, SLAB] });
      const a = another(b);
      const handles = Array.from({ length: HEAD + 16 }, () => b.alloc(SLAB));
      a.poll();
      const target = handles[HEAD + 5];
      expect(slabOf(b, target)).toBe(HEAD + 5);
      return { a, b, handles, target, run: 0 as Handle, before: new Int32Array(0) };
    },
    act: ({ a, target }) => a.free(target),
    meanwhile(world) {
      const { b, handles, target } = world;
      for (const handle of handles.slice(HEAD)) if (handle !== target) b.free(handle);
      another(b).detach(); // after it everybody looks for frees that nobody was told of
      b.closeEpoch(b.currentEpoch);
      world.run = b.alloc((SLABS - HEAD) * SLAB);
      const tag = tagAt(b, slabOf(b, target));
      if (tagState(tag) === TAG_TAIL) {
        expect(slabOf(b, world.run)).toBe(HEAD);
        expect(tagClass(tag)).toBeGreaterThan(CLASSES);
        tails++;
      }
      world.before = b._a.m.slice();
    },
    check({ a, b, handles, target, run, before }, { result, error }) {
      expect(error).toBeUndefined();
      expect(result).toBe(true);
      const { layout } = a._a;
      const allowed = (word: number): boolean => {
        const inSeat = word - a._a.seatBase;
        const owner = seatAt(layout, b.seat);
        return (
          word === slotWordOf(a, target) ||
          (inSeat > SEAT_WORD && inSeat < SEAT_COUNTERS) || // what it has honoured
          (inSeat >= SEAT_COUNTERS && inSeat < layout.seatPending) ||
          (word >= owner + layout.seatPending && word < owner + layout.seatPending + layout.pendingWords)
        );
      };
      const changed: number[] = [];
      a._a.m.forEach((value, word) => {
        if (value !== before[word] && !allowed(word)) changed.push(word);
      });
      expect(changed, "words written").toEqual([]);
      let counted = 0;
      for (let c = 0; c <= CLASSES; c++) counted += classCounter(a, c, C_REMOTE_FREES);
      expect(counted).toBe(1);
      expectHealthy(a, b);
      expect(a.isLive(target)).toBe(false);
      if (run !== 0) expect(b.isLive(run)).toBe(true);
      for (const handle of handles.slice(0, HEAD)) b.free(handle);
      expectWholeMemoryBack(b, a);
    },
  });
  expect(accesses).toBeGreaterThan(8);
  expect(tails).toBeGreaterThan(1);
});
