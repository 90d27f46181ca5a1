/** The last minutes of each figure, for its curve. */
import type { Interval, Reading } from "./interval.js";

/** Intervals kept: ten minutes of seconds. */
const KEPT = 600;

type Values = Readonly<Record<string, number | null>>;

export class History {
  readonly #values: Values[] = [];
  /** Intervals ever added. */
  #count = 0;

  add({ readings }: Interval): void {
    this.#push(Object.fromEntries(readings.map((reading) => [reading.figure.key, curveValue(reading)])));
  }

  /** An interval of which nothing is known. */
  addGap(): void {
    this.#push({});
  }

  /** Intervals that `width` bars cover when all are there. */
  covered(width: number, span: number): number {
    return Math.min(KEPT, width * perBar(width, span));
  }

  /**
   * At most `width` bars over the last `span` intervals of a figure, oldest first. Where there are more intervals than
   * bars, a bar is the mean of as many; they begin at the same intervals each time, so that bars move and do not change.
   */
  bars(key: string, width: number, span: number): (number | null)[] {
    const each = perBar(width, span);
    // Intervals are numbered from the very first one; the last bar may not be complete yet.
    const oldest = this.#count - this.#values.length;
    const lastBar = Math.floor((this.#count - 1) / each);
    const firstBar = Math.max(Math.floor(oldest / each), lastBar - width + 1);
    const bars = Array.from({ length: Math.max(0, lastBar - firstBar + 1) }, () => ({ sum: 0, known: 0 }));
    for (let i = Math.max(oldest, firstBar * each); i < this.#count; i++) {
      const value = this.#values[i - oldest]?.[key] ?? null;
      const bar = bars[Math.floor(i / each) - firstBar];
      if (value === null || bar === undefined) continue;
      bar.sum += value;
      bar.known++;
    }
    return bars.map(({ sum, known }) => (known === 0 ? null : sum / known));
  }

  #push(values: Values): void {
    this.#values.push(values);
    this.#count++;
    if (this.#values.length > KEPT) this.#values.shift();
  }
}

/** Intervals that one bar is the mean of. */
const perBar = (width: number, span: number): number =>
  Math.max(1, Math.ceil(Math.min(span, KEPT) / Math.max(1, width)));

/** Counters: how fast. Gauges: how much. */
function curveValue({ figure, now, perSec }: Reading): number | null {
  if (figure.kind === "counter") return perSec;
  return now === null ? null : Number(now);
}
