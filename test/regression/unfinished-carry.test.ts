/**
 * Defends: whichever counter a thread was carrying when it died, the next holder of the seat finishes the carry, so that
 * the sum neither loses 2^32 nor gains them when the counter goes on. Only the allocation counters were finished.
 * Method: every cell of a seat is left between the last two stores of a carry; the seat is taken again, and each cell is
 * counted on across the middle of its low word, where an unfinished carry cannot be told from a finished one.
 */
import { expect, test } from "vitest";
import {
  BIN_HEADER_WORDS,
  CELL_WORDS,
  CLASS_FIELDS,
  CLASS_SHARD_WORDS,
  EF_MADVISE_BYTES,
  EPOCH_FIELDS,
  EPOCH_SHARD_WORDS,
  HISTOGRAM_FIELDS,
  HISTOGRAM_WORDS,
  S_FREE_STALE,
  SEAT_FIELDS,
} from "../../src/allocator/counters/fields.js";
import { histogramAt } from "../../src/allocator/counters/histogram.js";
import { count, readCounter } from "../../src/allocator/counters/record.js";
import type { SlabHeap } from "../../src/allocator/heap/heap.js";
import { binAt, RING_SIZE, SEAT_COUNTERS, seatAt } from "../../src/allocator/memory/layout.js";
import { reapSeat } from "../../src/allocator/seats/reap.js";
import { another, forged, smallHeap } from "../allocator/support.js";

const TWO_32 = 2 ** 32;
const LOW = 0x7fff0000;

/** Every counter cell of a seat, by name. */
function cellsOf(heap: SlabHeap, seat: number): Map<string, number> {
  const { layout } = heap._a;
  const base = seatAt(layout, seat);
  const cells = new Map<string, number>();
  for (const { cell, name } of SEAT_FIELDS) cells.set(name, base + SEAT_COUNTERS + cell);
  for (let c = 0; c <= layout.classCount; c++) {
    for (const { cell, name } of CLASS_FIELDS) cells.set(`class ${c} ${name}`, binAt(layout, seat, c) + cell);
  }
  for (let ring = 0; ring < RING_SIZE; ring++) {
    const shard = base + layout.seatEpochShards + ring * EPOCH_SHARD_WORDS;
    for (const { cell, name } of EPOCH_FIELDS) cells.set(`epoch ${ring} ${name}`, shard + cell);
    cells.set(`epoch ${ring} bytes released`, shard + EF_MADVISE_BYTES);
  }
  HISTOGRAM_FIELDS.forEach(({ name }, which) => {
    const at = histogramAt(layout, seat, which);
    for (let cell = 0; cell < HISTOGRAM_WORDS; cell += CELL_WORDS) cells.set(`${name} + ${cell}`, at + cell);
  });
  expect(CLASS_FIELDS.length * CELL_WORDS + BIN_HEADER_WORDS).toBeLessThanOrEqual(CLASS_SHARD_WORDS);
  return cells;
}

/** Wrapped once more than its high half says, and counted on since. */
function leaveUnfinished(m: Int32Array, cell: number, high: number): void {
  m[cell] = LOW;
  m[cell + 1] = high + 1;
  m[cell + 2] = high;
}

test.each([0, 1, 5])("every counter of a seat taken again after a death, high half %i", (high) => {
  const heap = smallHeap();
  const dead = another(heap);
  const { m } = heap._a;
  const cells = cellsOf(heap, dead.seat);
  for (const cell of cells.values()) leaveUnfinished(m, cell, high);
  expect(reapSeat(heap._a, dead.seat, dead.incarnation).status).toBe("reaped");
  dead.poll();
  const next = another(heap);
  expect(next.seat).toBe(dead.seat);
  const wrong: string[] = [];
  for (const [name, cell] of cells) {
    if (m[cell + 1] !== high + 1 || m[cell + 2] !== high + 1) wrong.push(name);
    // Counting may have gone on: attaching is itself counted.
    const before = readCounter(m, cell);
    expect(before - ((high + 1) * TWO_32 + LOW), name).toBeLessThan(1000);
    count(m, cell, 0x20000);
    if (readCounter(m, cell) !== before + 0x20000) wrong.push(name);
  }
  expect([...new Set(wrong)], "carries left unfinished").toEqual([]);
  for (const each of [heap, next]) each.detach();
});

test("a carry that has not reached its low word is not one yet", () => {
  const heap = smallHeap();
  const dead = another(heap);
  const { m } = heap._a;
  const cells = cellsOf(heap, dead.seat);
  for (const cell of cells.values()) {
    m[cell] = -5; // about to wrap: announced, not stored
    m[cell + 1] = 1;
  }
  dead.detach();
  const next = another(heap);
  for (const [name, cell] of cells) {
    const before = readCounter(m, cell);
    count(m, cell, 3);
    expect(readCounter(m, cell), name).toBe(before + 3);
    expect(before, name).toBeGreaterThanOrEqual(TWO_32 - 5);
    expect(before, name).toBeLessThan(TWO_32 + 1000);
    count(m, cell, 100);
    expect(readCounter(m, cell), name).toBe(before + 103);
    expect(m[cell + 2], name).toBe(1);
  }
  for (const each of [heap, next]) each.detach();
});

test("the totals of a heap do not jump while its counters go on", () => {
  const heap = smallHeap();
  const dead = another(heap);
  const cell = seatAt(heap._a.layout, dead.seat) + SEAT_COUNTERS + S_FREE_STALE;
  leaveUnfinished(heap._a.m, cell, 0);
  heap._a.m[cell] = 0x7ffffffe;
  dead.detach();
  const next = another(heap);
  const before = heap.counters().invalidFrees;
  expect(before).toBe(TWO_32 + 0x7ffffffe);
  for (let i = 1; i <= 5; i++) {
    next.free(forged(5));
    expect(heap.counters().invalidFrees).toBe(before + i);
  }
  for (const each of [heap, next]) each.detach();
});
