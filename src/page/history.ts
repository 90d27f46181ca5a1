/**
 * The last minutes of every curve: one row per event, columns as the charts want them, bounded in rows and in age.
 *
 * A value is a number, `undefined` where nothing was measured (the line goes on to the next point) or `null` where the
 * line must break: the page did not listen, or another heap began.
 */
export type Value = number | null | undefined;

export class History<Column extends string> {
  readonly #columns: readonly Column[];
  readonly #capacity: number;
  readonly #maxAgeSec: number;
  readonly #times: number[] = [];
  readonly #values: Map<Column, Value[]>;

  /** At most `capacity` rows, none older than `maxAgeSec` seconds before the newest. */
  constructor(columns: readonly Column[], capacity: number, maxAgeSec: number) {
    this.#columns = columns;
    this.#capacity = capacity;
    this.#maxAgeSec = maxAgeSec;
    this.#values = new Map(columns.map((column) => [column, []]));
  }

  get length(): number {
    return this.#times.length;
  }

  /** Seconds, ascending. */
  get times(): readonly number[] {
    return this.#times;
  }

  column(name: Column): readonly Value[] {
    return this.#values.get(name) ?? [];
  }

  /** Adds a row at `time` seconds; a time that is not after the last one is moved there, for charts need an order. */
  push(time: number, row: Readonly<Partial<Record<Column, Value>>>): void {
    const last = this.#times.at(-1);
    this.#times.push(last === undefined || time > last ? time : last + 0.001);
    for (const column of this.#columns) this.#values.get(column)?.push(row[column]);
    this.#prune();
  }

  /** Breaks every curve between the last row and `time`. Nothing where there is no row yet. */
  break(time: number): void {
    const last = this.#times.at(-1);
    if (last === undefined) return;
    const row: Partial<Record<Column, null>> = {};
    for (const column of this.#columns) row[column] = null;
    this.push((last + Math.max(time, last)) / 2, row);
  }

  /**
   * A column's value in the newest row, for sentences about "now"; null where that row has none: an older value is not
   * of now, and may be another heap's.
   */
  latest(name: Column): number | null {
    return this.#values.get(name)?.at(-1) ?? null;
  }

  /** The greatest value of a column from `since` seconds on; null if there is none. */
  max(name: Column, since = Number.NEGATIVE_INFINITY): number | null {
    let max: number | null = null;
    const values = this.column(name);
    for (let i = values.length - 1; i >= 0 && (this.#times[i] as number) >= since; i--) {
      const value = values[i];
      if (value !== null && value !== undefined && (max === null || value > max)) max = value;
    }
    return max;
  }

  #prune(): void {
    const newest = this.#times.at(-1) ?? 0;
    let drop = Math.max(0, this.#times.length - this.#capacity);
    while (drop < this.#times.length && newest - (this.#times[drop] as number) > this.#maxAgeSec) drop++;
    if (drop === 0) return;
    this.#times.splice(0, drop);
    for (const values of this.#values.values()) values.splice(0, drop);
  }
}
