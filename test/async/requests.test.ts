/**
 * Defends: a thousand requests at once, ending in every way there is, leave nobody inside any epoch; every object is of an
 * era that its domain held, and keeps its contents for as long as that domain lasts, whoever rotates meanwhile.
 * Method: seeded random requests that allocate, free, await, nest, defer, throw and are aborted, with a model of what each
 * should have; under each rule of rotation, and with epochs advanced by hand.
 */
import { describe, expect, test } from "vitest";
import type { Handle, SlabHeap } from "../../src/allocator/index.js";
import { type AsyncDomain, currentDomain, EpochRotator, runInDomain } from "../../src/async/index.js";
import { Random, testSeed } from "../model/seed.js";
import { asyncHeap, expectNobodyInside, KIB, refcounts, turn, watchRejections } from "./support.js";

const REQUESTS = 1000;

class Thrown extends Error {}

interface Options {
  readonly rotator?: EpochRotator;
  readonly autoClose?: boolean;
}

/** One world per test: a heap, its random numbers, and what is expected to be live. */
class World {
  readonly heap: SlabHeap = asyncHeap({ capacity: 16 * KIB * KIB });
  readonly options: Options;
  readonly ends = { value: 0, thrown: 0, aborted: 0, refused: 0 };
  /** Handles that their domains left behind. */
  readonly left: Handle[] = [];
  checks = 0;
  eras = 0;
  private readonly random: Random;

  constructor(random: Random, options: (heap: SlabHeap) => Options) {
    this.random = random;
    this.options = options(this.heap);
  }

  /** One request, whatever becomes of it. */
  async request(serial: number): Promise<void> {
    const { random } = this;
    const abort = new AbortController();
    const dice = random.below(10);
    if (dice === 0) abort.abort();
    else if (dice < 3) setTimeout(() => abort.abort(), random.below(8));
    const signal = dice < 5 ? { signal: abort.signal } : {};
    try {
      const value = await runInDomain(this.heap, { ...this.options, ...signal }, (domain) =>
        random.below(8) === 0 ? this.steps(domain, serial, 3) : this.body(domain, serial, 2),
      );
      expect(value).toBe(serial);
      this.ends.value++;
    } catch (error) {
      if (error instanceof Thrown) this.ends.thrown++;
      else if (dice === 0) this.ends.refused++;
      else if (error === abort.signal.reason) this.ends.aborted++;
      else throw error;
    }
  }

  /** An asynchronous body. `nest`: how deep it may go on inside of itself. */
  private async body(domain: AsyncDomain, serial: number, nest: number): Promise<number> {
    const { random, heap } = this;
    const mine = this.own(domain, serial);
    for (let i = random.below(6); i >= 0; i--) {
      mine.some();
      await this.pause();
      if (currentDomain(heap) !== domain) throw new Error(`request ${serial} is in another domain`);
      mine.check();
      if (random.below(12) === 0) throw new Thrown();
      if (domain.signal?.aborted && random.below(2) === 0) return serial;
      if (nest > 0 && random.below(8) === 0) {
        const inner = serial + 1_000_000 * nest;
        await runInDomain(heap, this.options, (inside) => this.body(inside, inner, nest - 1));
      }
    }
    return serial;
  }

  /** A synchronous one. */
  private steps(domain: AsyncDomain, serial: number, steps: number): number {
    const mine = this.own(domain, serial);
    for (let i = 0; i < steps; i++) {
      mine.some();
      mine.check();
      if (this.random.below(6) === 0) throw new Thrown();
    }
    return serial;
  }

  /** The objects of one domain. The last look is taken when it ends. */
  private own(domain: AsyncDomain, serial: number): { some(): void; check(): void } {
    const { heap, random } = this;
    const objects = new Set<Handle>();
    const byte = serial % 251;
    const check = (): void => {
      const held = new Set(domain.epochs.map(({ era }) => era));
      for (const handle of objects) {
        if (!held.has(heap.epochOf(handle).era)) throw new Error(`request ${serial}: era not held`);
        if (!heap.view(handle).every((x) => x === byte)) throw new Error(`request ${serial}: damaged`);
        this.checks++;
      }
      this.eras = Math.max(this.eras, held.size);
    };
    domain.defer(() => {
      check();
      this.left.push(...objects);
    });
    const some = (): void => {
      for (let i = random.below(4); i > 0; i--) {
        const handle = domain.allocOrThrow(1 + random.below(random.below(5) === 0 ? 6000 : 300));
        heap.view(handle).fill(byte);
        objects.add(handle);
      }
      for (const handle of objects) {
        if (random.below(3) > 0) continue;
        objects.delete(handle);
        if (!heap.free(handle)) throw new Error(`request ${serial}: its object was gone`);
      }
    };
    return { some, check };
  }

  private async pause(): Promise<void> {
    const dice = this.random.below(10);
    if (dice < 3) return;
    if (dice < 8) return turn();
    await new Promise((resolve) => setTimeout(resolve, dice === 8 ? 1 : this.random.below(20)));
  }
}

const WORLDS: [string, (heap: SlabHeap) => Options, boolean][] = [
  ["without a rotator", () => ({}), false],
  ["without a rotator, each last one closes", () => ({ autoClose: true }), false],
  ["a rotator that closes", (heap) => ({ rotator: new EpochRotator(heap, { everyDomains: 64 }) }), false],
  [
    "a rotator that discards",
    (heap) => ({
      rotator: new EpochRotator(heap, { everyDomains: 50, everyMs: 3, onLastExit: "discard" }),
    }),
    false,
  ],
  ["epochs advanced by hand", () => ({}), true],
];

describe.each(WORLDS)("%s", (name, options, byHand) => {
  test(`${REQUESTS} requests at once, twice`, async () => {
    const rejections = watchRejections();
    const world = new World(new Random(testSeed(name)), options);
    const { heap, left } = world;
    const { rotator } = world.options;
    for (let round = 0; round < 2; round++) {
      let running = REQUESTS;
      const requests = Array.from({ length: REQUESTS }, async (_, serial) => {
        // Some at once, the others as these go on.
        for (let i = serial % 4; i > 0; i--) await turn();
        await world.request(serial).finally(() => running--);
      });
      // Never further than the ring is long: who advances by hand sees to that.
      const { era } = heap.currentEpoch;
      while (byHand && running > 0 && heap.currentEpoch.era < era + 15) {
        heap.advanceEpoch();
        await turn();
      }
      await Promise.all(requests);
      // An abort ends a request before its work has.
      while (refcounts(heap).some((count) => count > 0)) await turn();
    }
    rotator?.stop();
    expectNobodyInside(heap);
    expect(world.ends.value + world.ends.thrown + world.ends.aborted + world.ends.refused).toBe(2 * REQUESTS);
    for (const count of Object.values(world.ends)) expect(count).toBeGreaterThan(0);
    expect(world.checks).toBeGreaterThan(REQUESTS);

    const live = left.filter((handle) => heap.isLive(handle)).length;
    const stats = rotator?.stats();
    console.log(`${name}: ${JSON.stringify({ ...world.ends, eras: world.eras, left: left.length, stats })}`);
    if (stats !== undefined) {
      expect(stats.domainsOpened).toBe(stats.domainsLeft);
      expect([stats.waiting, stats.domainsOpen]).toEqual([0, 0]);
      const { count, time, manual, otherThread } = stats.rotations;
      expect(count + time).toBeGreaterThan(5);
      expect(otherThread).toBe(0);
      expect(stats.closed + stats.discarded).toBe(count + time + manual);
    }
    const discards = stats !== undefined && stats.discarded > 0;
    expect(live).toBe(discards ? 0 : left.length);
    if (stats !== undefined && discards) expect(stats.objectsGivenBack).toBe(left.length);
    if (byHand) expect(world.eras).toBeGreaterThan(2);
    expect(heap.verify().liveObjects).toBe(live);
    for (const handle of left) heap.free(handle);
    heap.closeEpoch(heap.currentEpoch);
    expect(heap.verify()).toMatchObject({ problems: [], liveObjects: 0, slabs: 0 });
    expect(rejections()).toEqual([]);
    heap.detach();
  });
});
