/** What a round is like: everything about it that its seed decides. */
import type { HeapOptions } from "temporal-slab";
import { Random } from "./board.mjs";

/** Who reaps the dead: the controller that watches its workers, another worker that is told, or either. */
export type ReapMode = "watch" | "told" | "both";

/** A time of work on the round's heap; at its end all threads leave and the heap must be empty. */
export interface LapPlan {
  readonly seed: number;
  readonly ms: number;
  /** Milliseconds between kills, on average; 0: nobody is killed, and all figures must be exact. */
  readonly killEveryMs: number;
  readonly reapMode: ReapMode;
}

/** A round is the life of one heap: several laps. */
export interface RoundPlan {
  readonly seed: number;
  readonly heap: HeapOptions & { readonly capacity: number };
  readonly threads: number;
  readonly watchers: number;
  /** Objects a thread keeps over several patterns. */
  readonly most: number;
  readonly laps: readonly LapPlan[];
  readonly ringCells: number;
  /** A thread without a sign of life for so long has hung. */
  readonly stallMs: number;
  /** Name of a fault in planted.mjs, for the canaries. */
  readonly planted?: string;
}

const KIB = 1024;
const CLASSES: readonly HeapOptions["sizeClasses"][] = [
  "default",
  "seed",
  [16, 64, 256, 1024],
  [32, 96, 520, 2048],
  [8, 24, 208],
  [4096],
];
const SLABS = [64, 128, 256, 1024];
/** Every byte is stamped and checked: in large heaps threads do little else. */
const MAX_CAPACITY = [2, 2, 4, 4, 4, 4, 8, 16];

export function planRound(
  seed: number,
  threads: number,
  capacity: number | undefined,
  mostMs: number,
): RoundPlan {
  const random = new Random(seed);
  const pick = <T>(list: readonly T[]): T => list[random.below(list.length)] as T;
  const slabSize = pick([4, 4, 8, 16, 64]) * KIB;
  const sizeClasses = pick(CLASSES);
  const bytes = capacity ?? Math.min(pick(MAX_CAPACITY) * KIB * KIB, pick(SLABS) * slabSize);
  // Sometimes just enough seats: then the newcomer waits until the dead are reaped.
  const maxWorkers = threads + 1 + pick([0, 2, threads + 2]);
  const wanted = 1 + random.below(3);
  const laps: LapPlan[] = [];
  let left = mostMs;
  for (let lap = 0; lap < wanted && (lap === 0 || left > 500); lap++) {
    const ms = Math.max(200, Math.min(left, 1500 + random.below(2000)));
    left -= ms;
    laps.push({
      seed: random.next(),
      ms,
      killEveryMs: pick([0, 100, 200, 400]),
      reapMode: pick<ReapMode>(["watch", "told", "both"]),
    });
  }
  return {
    seed,
    heap: {
      capacity: bytes,
      slabSize,
      sizeClasses: sizeClasses as NonNullable<HeapOptions["sizeClasses"]>,
      maxWorkers,
      zeroOnFree: random.below(4) === 0,
      prefault: random.below(8) === 0,
    },
    threads,
    watchers: 1 + random.below(2),
    most: pick([20, 150, 600]),
    laps,
    ringCells: pick([16, 64, 512]),
    stallMs: 30_000,
  };
}

/** Seed of the round after the one with this seed. */
export function nextSeed(seed: number): number {
  return new Random(seed ^ 0x5bd1e995).next() >>> 1;
}

/** The plan in one line. */
export function describePlan({ heap, threads, watchers, laps }: RoundPlan): string {
  const classes = Array.isArray(heap.sizeClasses) ? heap.sizeClasses.join("/") : heap.sizeClasses;
  const kills = laps.map((lap) => (lap.killEveryMs === 0 ? "none" : `${lap.killEveryMs} ms ${lap.reapMode}`));
  const zero = heap.zeroOnFree === true ? ", zeroOnFree" : "";
  return (
    `${heap.capacity / KIB} KiB in slabs of ${(heap.slabSize ?? 0) / KIB} KiB, classes ${classes}${zero}, ` +
    `${threads} + ${watchers} threads on ${heap.maxWorkers} seats, kills: ${kills.join(", ")}`
  );
}
