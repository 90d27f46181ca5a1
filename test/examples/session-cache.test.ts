/**
 * Defends: the session cache never gives one user's session to another, keeps what is used within its generations, drops
 * what is not, and a full heap costs new entries only.
 * Method: random traffic against a Map that remembers in which generation each entry was last used.
 */
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { SlabHeap } from "../../src/index.js";
import { randomFrom } from "../random.js";
import { root } from "./support.js";

interface Session {
  readonly user: number;
  readonly visits: number;
}
interface Cache {
  set(key: number, session: Session): boolean;
  get(key: number): Session | undefined;
  tick(): number;
  readonly size: number;
  readonly stats: Record<"hits" | "misses" | "refreshed" | "dropped" | "full", number>;
}
const { SessionCache } = (await import(join(root, "examples/session-cache/cache.mjs"))) as {
  SessionCache: new (heap: unknown, options?: { generations?: number }) => Cache;
};
const library = (await import("temporal-slab")) as { SlabHeap: typeof SlabHeap };
const newHeap = (capacity: number): SlabHeap => library.SlabHeap.create({ capacity, slabSize: 4096 });

describe.each([1, 2, 3, 7])("with %i generations", (generations) => {
  test("answers like a map that forgets what was not used for so long", () => {
    const heap = newHeap(4 * 1024 * 1024);
    const cache = new SessionCache(heap, { generations });
    const model = new Map<number, { session: Session; used: number }>();
    const random = randomFrom(generations);
    for (let tick = 0; tick < 25; tick++) {
      for (let i = 0; i < 300; i++) {
        const user = Math.floor(200 * random() ** 2);
        const known = model.get(user);
        const session = cache.get(user);
        expect(session).toEqual(known?.session);
        if (known !== undefined) known.used = tick;
        if (random() < 0.5) {
          const next = { user, visits: (session?.visits ?? 0) + 1 };
          expect(cache.set(user, next)).toBe(true);
          model.set(user, { session: next, used: tick });
        }
      }
      cache.tick();
      for (const [user, { used }] of model) if (used <= tick + 1 - generations) model.delete(user);
      expect(cache.size).toBe(model.size);
    }
    expect(cache.stats.dropped).toBeGreaterThan(0);
    expect(heap.verify()).toMatchObject({ ok: true, liveObjects: model.size });
    heap.detach();
  });
});

test("a full heap refuses new entries and keeps old ones", () => {
  const heap = newHeap(64 * 1024);
  const cache = new SessionCache(heap);
  let stored = 0;
  while (cache.set(stored, { user: stored, visits: 1 })) stored++;
  expect(cache.stats.full).toBe(1);
  for (let user = 0; user < stored; user++) expect(cache.get(user)).toEqual({ user, visits: 1 });
  for (let i = 0; i < 4; i++) cache.tick();
  expect(cache.size).toBe(0);
  expect(cache.set(1, { user: 1, visits: 1 })).toBe(true);
  heap.detach();
});

test.each([0, 15, 1.5, Number.NaN])("%d generations are refused", (generations) => {
  const heap = newHeap(64 * 1024);
  expect(() => new SessionCache(heap, { generations })).toThrow(RangeError);
  heap.detach();
});
