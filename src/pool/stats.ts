/** What a pool has counted. */

/** Statistics of one pool object, exact: what this thread did with it. */
export interface BufferPoolStats {
  readonly label: string;
  /** Buffers handed out by `acquire`, `tryAcquire` and `acquireAsync`. */
  readonly acquired: number;
  /** Buffers taken over from other threads. */
  readonly adopted: number;
  /** Buffers given up for other threads. */
  readonly detached: number;
  /** Buffers released, by hand or with their domain. */
  readonly released: number;
  /** Of these, how many had been freed behind the pool's back, or were released after the heap was detached. */
  readonly releasedStale: number;
  /** Buffers handed out or adopted, and neither released nor detached yet. */
  readonly inUse: number;
  /** The most there ever were at once. */
  readonly peakInUse: number;
  /** Bytes asked for, of the buffers in use. */
  readonly bytesInUse: number;
  /** `acquireAsync` calls that wait now, and how many ever had to. */
  readonly waiting: number;
  readonly waits: number;
  /** Times a buffer was refused, or waiting took too long, because `maxBuffers` were in use. */
  readonly exhausted: number;
  /** Times a buffer was refused, or waiting took too long, because the heap was full. */
  readonly outOfMemory: number;
  /** Buffers lost without release; 0 unless the pool has `debug`. */
  readonly leaked: number;
  /** The limit; undefined when there is none. */
  readonly maxBuffers: number | undefined;
  /**
   * Permits in use, by all threads that share the limit, buffers on their way from thread to thread included. May lag;
   * undefined without `maxBuffers`.
   */
  readonly inUseAllThreads: number | undefined;
  /** Buffers whose view was there already, and views made. */
  readonly viewHits: number;
  readonly viewMisses: number;
}

/** Doubles, so that counting costs the same whether a count is past 2^31 or not. Indices below. */
export type Counts = Float64Array;

export const ACQUIRED = 0;
export const ADOPTED = 1;
export const DETACHED = 2;
export const RELEASED_STALE = 3;
export const IN_USE = 4;
export const PEAK_IN_USE = 5;
export const BYTES_IN_USE = 6;
export const WAITS = 7;
export const EXHAUSTED = 8;
export const OUT_OF_MEMORY = 9;

export function newCounts(): Counts {
  return new Float64Array(OUT_OF_MEMORY + 1);
}

/** One more buffer in use. */
export function countIn(counts: Counts, bytes: number): void {
  const inUse = (counts[IN_USE] as number) + 1;
  counts[IN_USE] = inUse;
  if (inUse > (counts[PEAK_IN_USE] as number)) counts[PEAK_IN_USE] = inUse;
  counts[BYTES_IN_USE] = (counts[BYTES_IN_USE] as number) + bytes;
}

/** One buffer less in use. */
export function countOut(counts: Counts, bytes: number): void {
  counts[IN_USE] = (counts[IN_USE] as number) - 1;
  counts[BYTES_IN_USE] = (counts[BYTES_IN_USE] as number) - bytes;
}

export function add(counts: Counts, which: number): void {
  counts[which] = (counts[which] as number) + 1;
}

/** Everything that is not counted in {@link Counts}. */
export type OtherStats = Pick<
  BufferPoolStats,
  "label" | "waiting" | "leaked" | "maxBuffers" | "inUseAllThreads" | "viewHits" | "viewMisses"
>;

export function poolStats(counts: Counts, others: OtherStats): BufferPoolStats {
  const at = (which: number): number => counts[which] as number;
  return {
    ...others,
    acquired: at(ACQUIRED),
    adopted: at(ADOPTED),
    detached: at(DETACHED),
    released: at(ACQUIRED) + at(ADOPTED) - at(DETACHED) - at(IN_USE),
    releasedStale: at(RELEASED_STALE),
    inUse: at(IN_USE),
    peakInUse: at(PEAK_IN_USE),
    bytesInUse: at(BYTES_IN_USE),
    waits: at(WAITS),
    exhausted: at(EXHAUSTED),
    outOfMemory: at(OUT_OF_MEMORY),
  };
}
