/**
 * Defends: a reaper stores nothing through a dead seat's notes unless they are such as its thread can have left.
 * Method: a heap whose second seat is left behind with a note written by hand; reaped, and all words outside the
 * statistics of the two seats compared with those of a reap without a note.
 */
import { expect, test } from "vitest";
import { C_NEW_SLAB, C_REMOTE_COLLECTED } from "../../../src/allocator/counters/fields.js";
import {
  binAt,
  H_SLAB_COUNT,
  recordAt,
  SEAT_CHANGE_CELL,
  SEAT_CHANGE_COMMITTED,
  SEAT_CHANGE_RECORD,
  SEAT_CHANGE_TARGET,
  SEAT_COMMIT_CELL,
  SEAT_COMMIT_COUNTS,
  SEAT_COMMIT_RECORD,
  SEAT_COMMIT_SHARD,
  SLAB_COUNTS,
  seatAt,
} from "../../../src/allocator/memory/layout.js";
import { another, expectHealthy, expectWholeMemoryBack, smallHeap } from "../support.js";

function left() {
  const heap = smallHeap();
  const dead = another(heap);
  const mine = heap.alloc(64);
  dead.alloc(128);
  dead._a.detached = true;
  const { m, layout } = heap._a;
  const base = seatAt(layout, dead.seat);
  return { heap, dead, mine, m, layout, base };
}

test.each<[string, (w: ReturnType<typeof left>) => Record<number, number>]>([
  ["of no slab", ({ base }) => ({ [base + SEAT_COMMIT_RECORD]: H_SLAB_COUNT - SLAB_COUNTS })],
  ["of a negative slab", ({ base }) => ({ [base + SEAT_COMMIT_RECORD]: -recordAt(1) })],
  ["of another seat's slab", ({ base }) => ({ [base + SEAT_COMMIT_RECORD]: recordAt(0) })],
  [
    "in another seat's counters",
    ({ base, layout }) => ({
      [base + SEAT_COMMIT_RECORD]: recordAt(1),
      [base + SEAT_COMMIT_SHARD]: binAt(layout, 1, 0),
    }),
  ],
  [
    "in no counters",
    ({ base }) => ({ [base + SEAT_COMMIT_RECORD]: recordAt(1), [base + SEAT_COMMIT_SHARD]: 5 }),
  ],
  [
    "in no cell",
    ({ base, layout }) => ({
      [base + SEAT_COMMIT_RECORD]: recordAt(1),
      [base + SEAT_COMMIT_SHARD]: binAt(layout, 2, 1),
      [base + SEAT_COMMIT_CELL]: C_REMOTE_COLLECTED + 1,
    }),
  ],
  [
    "of a slab that is none",
    ({ base }) => ({ [base + SEAT_CHANGE_RECORD]: 5, [base + SEAT_CHANGE_CELL]: H_SLAB_COUNT }),
  ],
  [
    "of a slab, in no cell",
    ({ base }) => ({ [base + SEAT_CHANGE_RECORD]: recordAt(1), [base + SEAT_CHANGE_CELL]: H_SLAB_COUNT }),
  ],
  [
    "of a slab given back, in the cell of new ones",
    ({ base, layout }) => ({
      [base + SEAT_CHANGE_RECORD]: -recordAt(6),
      [base + SEAT_CHANGE_CELL]: binAt(layout, 2, 1) + C_NEW_SLAB,
    }),
  ],
])("a note %s is dropped", (_name, note) => {
  const world = left();
  const { heap, dead, mine, m, base } = world;
  const header = m.slice(0, 64);
  const counts = m[recordAt(0) + SLAB_COUNTS];
  m[base + SEAT_COMMIT_COUNTS] = 0;
  m[base + SEAT_CHANGE_COMMITTED] = 900;
  m[base + SEAT_CHANGE_TARGET] = 900;
  for (const [word, value] of Object.entries(note(world))) m[Number(word)] = value;
  expect(heap.reap(dead.seat, dead.incarnation)).toMatchObject({ status: "reaped", slabsOrphaned: 1 });
  expect([m[base + SEAT_COMMIT_RECORD], m[base + SEAT_CHANGE_RECORD]]).toEqual([0, 0]);
  expect(m.slice(0, 64)).toEqual(header);
  expect(m[recordAt(0) + SLAB_COUNTS]).toBe(counts);
  expect(heap.isLive(mine)).toBe(true);
  expect(heap.verify()).toMatchObject({ ok: true, liveObjects: 2, slabs: heap.counters().committedSlabs });
  expectHealthy(heap);
  heap.discardEpoch(heap.currentEpoch);
  expectWholeMemoryBack(heap);
  heap.detach();
});
