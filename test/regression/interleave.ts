/**
 * Two seats of one thread, interleaved: one operation is stopped before each of its accesses to the shared words in
 * turn, plain ones and atomic ones, and there another seat runs a whole operation, or the first one dies.
 *
 * The words' array is replaced for the time of that operation by one that tells of every access, and the functions of
 * Atomics by ones that know it. Every n gets a world of its own, so a failure names the access and repeats.
 */
import { expect } from "vitest";
import type { SlabHeap } from "../../src/allocator/heap/heap.js";
import { isSpecialised } from "../../src/allocator/heap/shape.js";
import { reapSeat } from "../../src/allocator/seats/reap.js";

/** Two seats of the same heap: what `a` does is taken apart, `b` does things in between. */
export interface Seats {
  readonly a: SlabHeap;
  readonly b: SlabHeap;
}

/** Thrown out of the operation of a seat that dies. */
class Killed extends Error {}

const ATOMICS = ["load", "store", "compareExchange", "or", "and", "add", "exchange"] as const;
type Access = (m: Int32Array, index: number, x: number, y: number) => number;
const INDEX = /^\d+$/;

/** The operation being watched, if any. */
let current:
  | { readonly standIn: Int32Array; readonly words: Int32Array; readonly look: (access: string) => void }
  | undefined;
let replaced = false;

/** Runs `body` with functions of Atomics that know the stand-ins. Once around a loop: every change costs V8 its code. */
function withAtomics<T>(body: () => T): T {
  if (replaced) return body();
  const atomics = Atomics as unknown as Record<string, Access>;
  const real = ATOMICS.map((name) => atomics[name]);
  ATOMICS.forEach((name, i) => {
    const original = real[i];
    atomics[name] = (m, index, x, y) => {
      if (m !== current?.standIn) return original(m, index, x, y);
      const { words, look } = current;
      look(`${name} of word ${index}`);
      return original(words, index, x, y);
    };
  });
  replaced = true;
  try {
    return body();
  } finally {
    replaced = false;
    ATOMICS.forEach((name, i) => {
      atomics[name] = real[i];
    });
  }
}

/** Runs `act` on a stand-in for `words` and calls `look` before every access to it. */
export function watchWords<T>(
  words: Int32Array,
  act: (watched: Int32Array) => T,
  look: (access: string) => void,
): T {
  const standIn = new Proxy(words, {
    get(target, name) {
      if (typeof name === "string" && INDEX.test(name)) {
        look(`read of word ${name}`);
        return target[Number(name)];
      }
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
    set(target, name, value: number) {
      look(`write of word ${String(name)}`);
      target[Number(name)] = value;
      return true;
    },
  });
  if (current !== undefined) throw new Error("One operation at a time can be watched.");
  current = { standIn, words, look };
  try {
    return withAtomics(() => act(standIn));
  } finally {
    current = undefined;
  }
}

/** Runs `act` and calls `look` before every access `heap` makes to the shared words. */
export function watchAccesses<T>(heap: SlabHeap, act: () => T, look: (access: string) => void): T {
  if (isSpecialised(heap))
    throw new Error("The only heap of a thread captures its words: attach another one.");
  const words = heap._a.m;
  const seat = heap as unknown as { _m: Int32Array; _a: { m: Int32Array } };
  const use = (m: Int32Array): void => {
    seat._m = m;
    seat._a.m = m;
  };
  try {
    return watchWords(
      words,
      (watched) => {
        use(watched);
        return act();
      },
      look,
    );
  } finally {
    use(words);
  }
}

/** How many accesses to the shared words `act` makes. */
export function countAccesses(heap: SlabHeap, act: () => unknown): number {
  let accesses = 0;
  watchAccesses(heap, act, () => accesses++);
  return accesses;
}

/** Kills `heap` in `act`: before the first access at which `due` holds. */
export function killWhen(heap: SlabHeap, act: () => unknown, due: () => boolean): void {
  let dead = false;
  try {
    watchAccesses(heap, act, (access) => {
      // Also what an operation does while the exception leaves it.
      dead ||= due();
      if (dead) throw new Killed(access);
    });
  } catch (error) {
    if (!(error instanceof Killed)) throw error;
  }
  expect(dead, "was killed").toBe(true);
}

/** What `act` returned, or threw. */
export interface Outcome<R> {
  readonly result: R | undefined;
  readonly error: unknown;
}

export interface Race<W extends Seats, R> {
  /** A new heap, ready for the operation. */
  build(): W;
  /** The operation of seat `a` that is interrupted. */
  act(world: W): R;
  /** Runs once, before the n-th access of `act`. */
  meanwhile(world: W): void;
  /** Looks at the world after `act` has ended. */
  check(world: W, outcome: Outcome<R>): void;
}

/** Runs the race once for every access of `act`; returns how many there were. */
export function atEveryAccess<W extends Seats, R>(race: Race<W, R>): number {
  return forEachAccess(race.build, (world, n, at) => {
    let seen = 0;
    let error: unknown;
    let result: R | undefined;
    let broken: unknown;
    try {
      const act = (): R => race.act(world);
      result = watchAccesses(world.a, act, (access) => {
        if (seen++ !== n) return;
        at(access);
        try {
          race.meanwhile(world);
        } catch (failure) {
          broken = failure;
        }
      });
    } catch (thrown) {
      error = thrown;
    }
    if (broken !== undefined) throw broken;
    if (seen <= n) return false;
    race.check(world, { result, error });
    return true;
  });
}

export interface Death<W extends Seats> {
  build(): W;
  act(world: W): unknown;
  /** Runs while `a` is dead and nobody has noticed. */
  unnoticed?(world: W): void;
  /** Runs after `b` has reaped `a`. */
  check(world: W): void;
}

/** Kills seat `a` at every access of `act` and reaps it from seat `b`; returns how many accesses there were. */
export function killAtEveryAccess<W extends Seats>(death: Death<W>): number {
  return forEachAccess(death.build, (world, n, at) => {
    const { a, b } = world;
    let seen = 0;
    try {
      watchAccesses(
        a,
        () => death.act(world),
        (access) => {
          if (seen++ === n) at(access);
          if (seen > n) throw new Killed(access);
        },
      );
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
    }
    if (seen <= n) return false;
    death.unnoticed?.(world);
    // It may have died after the very end of giving the seat back.
    const held = b.seats().some((seat) => seat.seat === a.seat && seat.state !== "FREE");
    expect(reapSeat(b._a, a.seat, a.incarnation).status).toBe(held ? "reaped" : "free");
    a.poll(); // notices, and stops its timer
    death.check(world);
    return true;
  });
}

/** `run` answers whether there was an n-th access, and says which one through `at` as soon as it knows. */
function forEachAccess<W extends Seats>(
  build: () => W,
  run: (world: W, n: number, at: (access: string) => void) => boolean,
): number {
  return withAtomics(() => {
    for (let n = 0; ; n++) {
      const world = build();
      let place = "end";
      let reached = false;
      try {
        reached = run(world, n, (access) => {
          place = access;
        });
      } catch (error) {
        throw new Error(`access ${n} (${place}): ${(error as Error).message}`, { cause: error });
      }
      for (const heap of [world.a, world.b]) if (!heap._a.detached) heap.detach();
      if (!reached) return n;
    }
  });
}
