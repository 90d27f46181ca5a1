/** Sums of the counters that threads keep in their seats. */
import { CLASS_FIELDS, HISTOGRAM_FIELDS, SEAT_FIELDS } from "../../allocator/counters/fields.js";
import {
  addHistogram,
  emptyHistogram,
  type HistogramSum,
  histogramAt,
} from "../../allocator/counters/histogram.js";
import { readCounter } from "../../allocator/counters/record.js";
import { loadSeq } from "../../allocator/memory/atomics.js";
import { binAt, seatAt } from "../../allocator/memory/layout.js";
import { SEAT_COUNTERS, SEAT_WORD } from "../../allocator/memory/offsets.js";
import type { HeapWords } from "./source.js";

type ClassCell = (typeof CLASS_FIELDS)[number]["name"];
type SeatCell = (typeof SEAT_FIELDS)[number]["name"];

interface Cell<Name extends string> {
  readonly cell: number;
  readonly name: Name;
}

/** Sums of one shard's cells, in the order of their declaration. */
export class CellSums<Name extends string> {
  private readonly sums: Float64Array;
  private readonly fields: readonly Cell<Name>[];

  constructor(fields: readonly Cell<Name>[]) {
    this.fields = fields;
    this.sums = new Float64Array(fields.length);
  }

  of(name: Name): number {
    return this.sums[this.fields.findIndex((field) => field.name === name)] as number;
  }

  /** Adds a shard, here and to `others`, which have the same fields. */
  add(m: Int32Array, shard: number, other?: CellSums<Name>): void {
    const { fields, sums } = this;
    for (let i = 0; i < fields.length; i++) {
      const cell = shard + (fields[i] as Cell<Name>).cell;
      // Most cells never counted anything. All three words: in the middle of a carry two of them are 0 at 2^32.
      if (m[cell] === 0 && m[cell + 1] === 0 && m[cell + 2] === 0) continue;
      const value = readCounter(m, cell);
      sums[i] = (sums[i] as number) + value;
      if (other !== undefined) other.sums[i] = (other.sums[i] as number) + value;
    }
  }

  toObject(): Record<Name, number> {
    const entries = this.fields.map((field, i) => [field.name, this.sums[i] as number]);
    return Object.fromEntries(entries) as Record<Name, number>;
  }

  /** Stores every sum that is not 0 under its name. */
  copyTo(row: Record<string, unknown>): void {
    for (let i = 0; i < this.sums.length; i++) {
      if (this.sums[i] !== 0) row[(this.fields[i] as Cell<Name>).name] = this.sums[i];
    }
  }
}

export type ClassCounts = CellSums<ClassCell>;

export interface SeatCounts {
  readonly seat: number;
  /** Sums over the size classes and large objects. */
  readonly totals: ClassCounts;
}

export interface Counts {
  /** One per size class; the last one is that of large objects. */
  readonly classes: readonly ClassCounts[];
  /** One per seat that is or was taken. */
  readonly seats: readonly SeatCounts[];
  readonly heap: CellSums<SeatCell>;
  /** In the order of HISTOGRAM_FIELDS. */
  readonly histograms: readonly HistogramSum[];
}

/** Each counter is exact when it is read; together they are not of one instant. */
export function readCounts({ m, layout }: HeapWords): Counts {
  const classes = Array.from({ length: layout.classCount + 1 }, () => new CellSums<ClassCell>(CLASS_FIELDS));
  const heap = new CellSums<SeatCell>(SEAT_FIELDS);
  const histograms = HISTOGRAM_FIELDS.map(emptyHistogram);
  const seats: SeatCounts[] = [];
  for (let seat = 1; seat <= layout.maxWorkers; seat++) {
    if (loadSeq(m, seatAt(layout, seat) + SEAT_WORD) === 0) continue; // never taken: all zero
    const totals = new CellSums<ClassCell>(CLASS_FIELDS);
    classes.forEach((sums, c) => {
      sums.add(m, binAt(layout, seat, c), totals);
    });
    heap.add(m, seatAt(layout, seat) + SEAT_COUNTERS);
    histograms.forEach((sum, which) => {
      addHistogram(m, histogramAt(layout, seat, which), sum);
    });
    seats.push({ seat, totals });
  }
  return { classes, seats, heap, histograms };
}
