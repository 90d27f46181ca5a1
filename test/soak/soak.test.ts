/**
 * Defends: as main.ts, for some seconds; and that every checker of the soak notices what it is there for.
 * Method: one short round with deaths through the same code, then rounds and heaps with one planted fault each.
 */
import { type EpochId, NULL_HANDLE, SlabHeap } from "temporal-slab";
import { describe, expect, test } from "vitest";
import { C_ALLOCS, C_REMOTE_COLLECTED, S_ADVANCES } from "../../src/allocator/counters/fields.js";
import { binAt, recordAt, SEAT_COUNTERS, SLAB_TAG, seatAt } from "../../src/allocator/memory/layout.js";
import { packTag, TAG_CLAIMED, TAG_FREE } from "../../src/allocator/words/slab-tag.js";
import { testSeed } from "../model/seed.js";
import { checkIdentities, checkWholeMemory, Observer } from "./checks.js";
import { JS_BOUND, judge, judgeLap, rssBound } from "./memory.js";
import { parseOptions, UsageError } from "./options.js";
import { nextSeed, planRound, type RoundPlan } from "./plan.js";
import { type Meddle, runRound } from "./round.js";

const KIB = 1024;

/** A lap of a few threads without deaths, long enough for every thread to have run many patterns. */
function shortRound(over: Partial<RoundPlan> = {}): RoundPlan {
  const seed = testSeed("soak");
  return {
    seed,
    heap: { capacity: 1024 * KIB, slabSize: 8 * KIB, sizeClasses: [16, 64, 256, 1024], maxWorkers: 8 },
    threads: 2,
    watchers: 1,
    most: 100,
    ringCells: 16,
    stallMs: 30_000,
    laps: [{ seed, ms: 300, killEveryMs: 0, reapMode: "watch" }],
    ...over,
  };
}

test("a short round", { timeout: 120_000 }, async () => {
  const seed = testSeed("soak, short round");
  const plan = shortRound({
    threads: 4,
    laps: [
      { seed, ms: 1500, killEveryMs: 100, reapMode: "both" },
      { seed: nextSeed(seed), ms: 700, killEveryMs: 0, reapMode: "watch" },
    ],
  });
  const { problems, totals } = await runRound(plan);
  expect(problems).toEqual([]);
  for (const name of ["kills", "allocs", "frees", "checked", "snapshots"] as const) {
    expect(totals[name], name).toBeGreaterThan(0);
  }
  console.log(`short round: ${JSON.stringify(totals)}`);
});

describe("canaries: a round with a planted fault fails", () => {
  const failure = async (over: Partial<RoundPlan>, meddle?: Meddle): Promise<string> =>
    (await runRound(shortRound(over), meddle)).problems.join("\n");

  test.each([
    ["damage", /is damaged at byte|is stamped/],
    ["lose", /was lost/],
    ["leak", /objects were not given back, though nobody died/],
    ["throw", /uncaught .*planted/],
  ])("%s", { timeout: 60_000 }, async (planted, expected) => {
    expect(await failure({ planted, threads: 1, watchers: 0 })).toMatch(expected);
  });

  test("a thread that hangs is named with its pattern", { timeout: 60_000 }, async () => {
    const text = await failure({ planted: "stall", threads: 1, watchers: 0, stallMs: 1500 });
    expect(text).toMatch(/worker 1 \(thread \d+\) has given no sign of life for \d+ ms, in "[a-zA-Z ]+"/);
  });

  test.each<[string, Meddle, RegExp]>([
    [
      "a counter changed",
      ({ _a: { m, layout } }) => {
        (m[binAt(layout, 1, 0) + C_ALLOCS] as number) += 1;
      },
      /allocations - frees, objects in slots/,
    ],
    [
      "a slab's tag changed",
      ({ _a: { m } }) => {
        m[recordAt(lastFreeSlab(m)) + SLAB_TAG] = 0x7f;
      },
      /verify: slab \d+/,
    ],
    [
      "a seat somebody holds",
      (heap) => {
        SlabHeap.attach(heap.share(), { sameThread: true });
      },
      /seat \d+ is LIVE .* with all threads gone/,
    ],
    [
      "a domain nobody leaves",
      (heap) => {
        heap.openDomain();
      },
      /epoch \d+ has 1 references with all threads gone/,
    ],
    [
      "an object nobody frees",
      (heap) => {
        heap.alloc(64);
      },
      /allocations: \d+, the threads said \d+/,
    ],
  ])("%s", { timeout: 60_000 }, async (_name, meddle, expected) => {
    const brief = {
      threads: 1,
      watchers: 0,
      laps: [{ ...shortRound().laps[0], ms: 200 }],
    } as Partial<RoundPlan>;
    expect(await failure(brief, meddle)).toMatch(expected);
  });
});

describe("canaries: single checkers", () => {
  const create = (): SlabHeap => SlabHeap.create({ capacity: 64 * KIB, slabSize: 4 * KIB, maxWorkers: 2 });

  test("a counter that goes back", () => {
    const heap = create();
    heap.advanceEpoch();
    const observer = new Observer(heap);
    expect(observer.look().problems).toEqual([]);
    (heap._a.m[seatAt(heap._a.layout, 1) + SEAT_COUNTERS + S_ADVANCES] as number) -= 1;
    expect(observer.look().problems.join()).toMatch(/advances went back from 1 to 0/);
    heap.detach();
  });

  test("figures of a document that disagree", () => {
    const heap = create();
    const observer = new Observer(heap);
    expect(checkIdentities(observer.look().document, 0)).toEqual([]);
    (heap._a.m[binAt(heap._a.layout, 1, 0) + C_REMOTE_COLLECTED] as number) += 2;
    expect(checkIdentities(observer.look().document, 0).join()).toMatch(
      /2 more remote frees were collected than made/,
    );
    (heap._a.m[binAt(heap._a.layout, 1, 0) + C_ALLOCS] as number) += 5;
    expect(checkIdentities(observer.look().document, 0).join()).toMatch(
      /allocated = freed \+ discarded \+ live/,
    );
    heap.detach();
  });

  test("a slab that does not come back", () => {
    const heap = create();
    expect(checkWholeMemory(heap, false)).toEqual([]);
    const { m } = heap._a;
    // As a thread leaves it that died in a claim and was not reaped.
    m[recordAt(lastFreeSlab(m)) + SLAB_TAG] = packTag(TAG_CLAIMED, 2, 0, 0);
    const text = checkWholeMemory(heap, false).join("\n");
    expect(text).toMatch(/1 slabs are in use after the discard/);
    expect(text).toMatch(/no object of the whole/);
    heap.detach();
  });

  test("bytes that zeroOnFree left", () => {
    const heap = SlabHeap.create({ capacity: 64 * KIB, slabSize: 4 * KIB, zeroOnFree: true });
    expect(checkWholeMemory(heap, true)).toEqual([]);
    heap.u8[heap.buffer.byteLength - 5000] = 7;
    expect(checkWholeMemory(heap, true).join()).toMatch(/byte \d+ of the payload was not overwritten/);
    heap.detach();
  });

  test("a thread that holds the memory back", () => {
    const heap = create();
    const other = SlabHeap.attach(heap.share(), { sameThread: true });
    expect(other.alloc(64, heap.currentEpoch.id as EpochId)).not.toBe(NULL_HANDLE);
    expect(checkWholeMemory(heap, false).join("\n")).toMatch(/slabs are in use after the discard/);
    other.detach();
    heap.detach();
  });

  test("a process that grows, and one that is merely noisy", () => {
    const bound = rssBound(5);
    const first = { rssBytes: 1e8, jsBytes: 1e7 };
    const grown = (rss: number, js: number) => ({ rssBytes: 1e8 + rss, jsBytes: 1e7 + js });
    expect(judgeLap(first, grown(bound + 1e6, JS_BOUND), 1e6, 5)).toEqual([]);
    expect(judgeLap(first, grown(bound + 2e6, JS_BOUND + 1), 1e6, 5)).toHaveLength(2);

    const of = (rss: (lap: number) => number, js: (lap: number) => number): string =>
      judge(
        Array.from({ length: 30 }, (_, lap) => grown(rss(lap), js(lap))),
        5,
      ).join();
    const noise = (lap: number): number => (lap % 3) * bound;
    const still = (): number => 0;
    expect(of(noise, still)).toBe("");
    expect(of((lap) => noise(lap) + (lap * bound) / 10, still)).toMatch(/resident memory grew/);
    expect(of(noise, (lap) => (lap * JS_BOUND) / 10)).toMatch(/the JavaScript heap grew/);
    const few = Array.from({ length: 8 }, (_, lap) => grown(lap * bound, 0));
    expect(judge(few, 5)).toEqual([]);
  });
});

test("rounds follow from their seed, and bad arguments are refused", () => {
  expect(planRound(42, 5, undefined, 60_000)).toEqual(planRound(42, 5, undefined, 60_000));
  expect(planRound(nextSeed(42), 5, undefined, 60_000)).not.toEqual(planRound(42, 5, undefined, 60_000));
  expect(parseOptions(["--minutes", "0.5", "--seed", "7", "--capacity", "1048576"])).toMatchObject({
    minutes: 0.5,
    seed: 7,
    capacity: 1048576,
  });
  for (const bad of [
    ["--minutes", "0"],
    ["--seed", "1.5"],
    ["--threads", "99"],
    ["--capacity", ""],
    ["--unknown", "1"],
    ["stray"],
  ]) {
    expect(() => parseOptions(bad), bad.join(" ")).toThrow(UsageError);
  }
});

/** A slab nobody holds, at the end of the heap. */
function lastFreeSlab(m: Int32Array): number {
  for (let slab = 15; slab >= 0; slab--) if (m[recordAt(slab) + SLAB_TAG] === TAG_FREE) return slab;
  throw new Error("no slab is free");
}
