/** Spreads requests over time without spinning: says how many are due and how long to sleep. */
export class Pacer {
  readonly #perMs: number;
  readonly #start = performance.now();
  #taken = 0;

  /** `perSecond` 0: as fast as possible. */
  constructor(perSecond: number) {
    this.#perMs = perSecond / 1000;
  }

  /** How many requests to run now, at most `limit`. A worker that fell behind catches up. */
  take(limit: number): number {
    if (this.#perMs === 0) return limit;
    const due = Math.floor((performance.now() - this.#start) * this.#perMs) - this.#taken;
    const count = Math.max(0, Math.min(due, limit));
    this.#taken += count;
    return count;
  }

  /** Milliseconds until the next request is due; 0 when one is due already. */
  msUntilNext(): number {
    if (this.#perMs === 0) return 0;
    return Math.max(0, (this.#taken + 1) / this.#perMs - (performance.now() - this.#start));
  }
}
