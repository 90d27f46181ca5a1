/**
 * Does the process keep its size over the run?
 *
 * A reading is taken after every lap, when all its threads are gone and garbage was collected twice. From the resident
 * memory the bytes are taken off that heaps were allowed to touch: the current one's slabs that were ever used.
 *
 * Resident memory is noisy (arenas of the C library, buffers whose pages are not returned yet), but only upwards: a
 * leak raises the lowest readings too. So the lowest of the last third is compared with the lowest of the first third,
 * the first two readings left out, because code and arenas are still growing then. The bound is what a busy machine has been
 * seen to add, well below what one leaked heap buffer or worker per round adds up to. Fewer than nine readings are not judged.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

export interface Reading {
  readonly rssBytes: number;
  readonly jsBytes: number;
}

const MIB = 2 ** 20;
const WARM_UP = 2;
const MIN_READINGS = 9;
/** A worker's isolate is some 5 MiB and a heap 2 MiB on average: a minute that leaks one per lap is beyond these. */
export const RSS_BOUND = 48 * MIB;
export const JS_BOUND = 6 * MIB;

let collect: (() => void) | undefined;

/** Collects garbage, whether or not the process was started with --expose-gc. */
function collectGarbage(): void {
  if (collect === undefined) {
    setFlagsFromString("--expose-gc");
    collect = globalThis.gc ?? (runInNewContext("gc") as () => void);
  }
  collect();
  collect();
}

/** `allowedBytes`: what the heap that is still there may have made resident. */
export function takeReading(allowedBytes: number): Reading {
  collectGarbage();
  const { rss, heapUsed } = process.memoryUsage();
  return { rssBytes: Math.max(0, rss - allowedBytes), jsBytes: heapUsed };
}

/** Sentences about growth; none when there is none, or too few readings to tell. */
export function judge(readings: readonly Reading[]): string[] {
  if (readings.length < MIN_READINGS) return [];
  const settled = readings.slice(WARM_UP);
  const third = Math.floor(settled.length / 3);
  const grown = (of: (reading: Reading) => number): [number, number] => [
    Math.min(...settled.slice(0, third).map(of)),
    Math.min(...settled.slice(-third).map(of)),
  ];
  const found: string[] = [];
  const look = (what: string, bound: number, of: (reading: Reading) => number): void => {
    const [first, last] = grown(of);
    if (last - first > bound) {
      found.push(
        `${what} grew from ${mib(first)} to ${mib(last)} MiB over ${readings.length} laps, more than ${mib(bound)}`,
      );
    }
  };
  look("resident memory without the heap", RSS_BOUND, (reading) => reading.rssBytes);
  look("the JavaScript heap", JS_BOUND, (reading) => reading.jsBytes);
  return found;
}

export function mib(bytes: number): string {
  return (bytes / MIB).toFixed(bytes < 100 * MIB ? 1 : 0);
}
