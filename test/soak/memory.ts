/**
 * Does the process keep its size?
 *
 * Over the run: a reading is taken after every round, when its threads are gone, its heap is dropped and garbage was
 * collected twice. Resident memory is noisy (arenas of the C library, buffers whose pages are not returned yet), but only
 * upwards: a leak raises the lowest readings too. So the lowest of the last third is compared with the lowest of the first
 * third, the first two readings left out, because code and arenas are still growing then. Fewer than nine are not judged.
 *
 * Within a round, lap after lap on one heap: never more than after its first lap, its buffer and the same bound.
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
/**
 * What a busy machine has been seen to add, with something to spare: each thread has an arena of the C library. A thread
 * is some 5 MiB and a heap 4: leaking one of them per round is beyond this within two minutes.
 */
export function rssBound(threads: number): number {
  return (32 + 4 * threads) * MIB;
}
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

export function takeReading(): Reading {
  collectGarbage();
  const { rss, heapUsed } = process.memoryUsage();
  return { rssBytes: rss, jsBytes: heapUsed };
}

/** After a lap; `first`: after the round's first one. Sentences about what is more than the heap explains. */
export function judgeLap(first: Reading, now: Reading, bufferBytes: number, threads: number): string[] {
  const found: string[] = [];
  const rss = now.rssBytes - first.rssBytes - bufferBytes;
  if (rss > rssBound(threads))
    found.push(`resident memory grew by ${mib(rss)} MiB more than the heap within a round`);
  const js = now.jsBytes - first.jsBytes;
  if (js > JS_BOUND) found.push(`the JavaScript heap grew by ${mib(js)} MiB within a round`);
  return found;
}

/** Sentences about growth; none when there is none, or too few readings to tell. */
export function judge(readings: readonly Reading[], threads: number): string[] {
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
        `${what} grew from ${mib(first)} to ${mib(last)} MiB over ${readings.length} rounds, more than ${mib(bound)}`,
      );
    }
  };
  look("resident memory", rssBound(threads), (reading) => reading.rssBytes);
  look("the JavaScript heap", JS_BOUND, (reading) => reading.jsBytes);
  return found;
}

export function mib(bytes: number): string {
  return (bytes / MIB).toFixed(bytes < 100 * MIB ? 1 : 0);
}
