/**
 * Defends: rotators of several threads on one heap end every epoch exactly when nobody is inside, never one with a domain
 * inside and never by reusing its ring slot; none is forgotten, also when threads die with domains open; with "discard"
 * everything comes back.
 * Method: real workers under load, each with a rotator and dozens of requests at once that check their objects, their eras
 * and the refcounts; some are terminated in the middle. At the end the words of the heap are counted.
 */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { RING_SIZE, SlabHeap } from "temporal-slab";
import { EpochRotator, type RotatorOptions, runInDomain } from "temporal-slab/async";
import { describe, expect, test } from "vitest";
import { testSeed } from "../model/seed.js";
import { expectExactCounts, foreignSeats, problemsOf, stopAll, until } from "../threads/crew.js";
import { Control, CUSTOM, newControl, Random, READY } from "../threads/workers/shared.mjs";

const MIB = 1024 * 1024;
const SERVED = CUSTOM;
const OPENED = CUSTOM + 1;
const LEFT = CUSTOM + 2;
const ALLOCATED = CUSTOM + 3;
const UNDER_WAY = CUSTOM + 16;

const RULES: readonly [string, RotatorOptions][] = [
  ["close, by count", { everyDomains: 25 }],
  ["discard, by count and by the clock", { everyDomains: 40, everyMs: 2, onLastExit: "discard" }],
];

class Crew {
  readonly heap: SlabHeap = SlabHeap.create({ capacity: 32 * MIB, slabSize: 16 * 1024, maxWorkers: 8 });
  readonly control: Control = new Control(newControl());
  readonly random: Random;
  readonly options: RotatorOptions;

  constructor(seed: number, options: RotatorOptions) {
    this.random = new Random(seed);
    this.options = options;
  }

  start(owner: number, concurrency: number): Worker {
    const { heap, control, options } = this;
    const worker = new Worker(new URL("./rotating-worker.mjs", import.meta.url), {
      workerData: {
        owner,
        concurrency,
        options,
        seed: this.random.next(),
        ref: heap.share(),
        control: control.words.buffer,
      },
    });
    worker.on("error", (error) => control.fail(`worker ${owner}: ${error.stack ?? error}`));
    heap.watch(worker);
    return worker;
  }

  until(what: string, condition: () => boolean): Promise<void> {
    return until(what, () => condition() || this.control.failure() !== "");
  }

  /** Everybody is gone, and `rotator` has had the time to notice. */
  async expectAllEnded(rotator: EpochRotator): Promise<void> {
    const { heap, control, options } = this;
    expect(control.failure()).toBe("");
    await until("the reaping", () => foreignSeats(heap).length === 0);
    rotator.stop();
    await until("the last epochs", () => rotator.stats().waiting === 0);
    const { id } = heap.currentEpoch;
    for (let ring = 0; ring < RING_SIZE; ring++) {
      const { refcount, state } = heap.epochInfo(ring as typeof id);
      expect([ring, refcount, state]).toEqual([ring, 0, ring === id ? "ACTIVE" : "CLOSING"]);
    }
    const stats = rotator.stats();
    const { count, time, manual, otherThread } = stats.rotations;
    expect(stats.domainsOpened).toBe(stats.domainsLeft);
    if (options.onLastExit === "discard") {
      expect(stats.discarded).toBe(count + time + manual + otherThread);
      expect(heap.verify().liveObjects).toBe(0);
    } else {
      // Of those that were out of the ring before this thread looked there was nothing left to close.
      expect(stats.closed).toBeGreaterThan(0);
      expect(stats.closed).toBeLessThanOrEqual(count + time + manual + otherThread);
    }
    expect(problemsOf(heap)).toBe("");
    expectExactCounts(heap);
    console.log(`${JSON.stringify(stats)}, ${control.get(ALLOCATED)} objects`);
  }
}

describe.each(RULES)("%s", (name, options) => {
  test("three threads and this one under load", { timeout: 240_000 }, async () => {
    const crew = new Crew(testSeed(`rotators, ${name}`), options);
    const { heap, control } = crew;
    const rotator = new EpochRotator(heap, options);
    const workers = [1, 2, 3].map((owner) => crew.start(owner, 24));
    await crew.until("the workers", () => control.get(READY) === 3);
    // This thread's requests hold more than one epoch, and may be the last ones out.
    while (control.get(SERVED) < 20_000 && control.failure() === "") {
      await runInDomain(heap, { rotator }, async (domain) => {
        const handles = [];
        for (let i = 0; i < 5; i++) {
          handles.push(domain.allocOrThrow(200));
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
        for (const handle of handles) expect(heap.isLive(handle)).toBe(true);
        for (const handle of handles) heap.free(handle);
      });
    }
    await stopAll(control, workers);
    expect(control.get(OPENED)).toBe(control.get(LEFT));
    expect(control.get(OPENED)).toBe(control.get(SERVED));
    await crew.expectAllEnded(rotator);
    expect(rotator.stats().rotations.otherThread).toBeGreaterThan(0);
    heap.detach();
  });

  test("threads that are killed with domains open", { timeout: 240_000 }, async () => {
    const KILLS = 15;
    const crew = new Crew(testSeed(`kills, ${name}`), options);
    const { heap, control, random } = crew;
    const rotator = new EpochRotator(heap, options);
    const survivor = crew.start(0, 12);
    let inside = 0;
    for (let owner = 1; owner <= KILLS && control.failure() === ""; owner++) {
      const ready = control.get(READY) + 1;
      const doomed = crew.start(owner, 16);
      await crew.until("a worker", () => control.get(READY) >= ready && control.get(UNDER_WAY + owner) > 0);
      const served = control.get(SERVED) + random.below(300);
      await crew.until("some requests", () => control.get(SERVED) >= served);
      const gone = once(doomed, "exit");
      await doomed.terminate();
      await gone;
      inside += control.get(UNDER_WAY + owner);
    }
    expect(control.failure()).toBe("");
    expect(inside).toBeGreaterThan(0);
    await stopAll(control, [survivor]);
    await crew.expectAllEnded(rotator);
    heap.detach();
  });
});
