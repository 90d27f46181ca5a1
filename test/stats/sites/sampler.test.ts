/**
 * Defends: what a sampler reports is alive, correctly attributed and right on average; it holds no more than twice what
 * is alive; and once it has stopped nothing of it is left in the heap.
 * Method: fixed seeds; objects ended in every way there is; estimates compared with what the test itself allocated, within
 * four standard errors.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { InvalidTypeError } from "../../../src/allocator/errors.js";
import { FastHeap } from "../../../src/allocator/heap/fast-path.js";
import { SlabHeap } from "../../../src/allocator/heap/heap.js";
import type { Handle } from "../../../src/allocator/types.js";
import { type SiteOptions, type SiteSampler, sampleSites } from "../../../src/stats/sites/sampler.js";
import { LiveSamples } from "../../../src/stats/sites/samples.js";
import { another, lap, randomFrom, slotWordOf } from "../../allocator/support.js";
import { checkProfile } from "./check-profile.js";

const plain = Object.getOwnPropertyDescriptors(FastHeap.prototype);
let heap: SlabHeap;

beforeEach(() => {
  heap = SlabHeap.create({ capacity: 32 * 2 ** 20, maxWorkers: 4 });
});
afterEach(() => {
  heap.detach();
  for (const name of ["alloc", "allocOffset"] as const) {
    expect(FastHeap.prototype[name] === plain[name].value, `${name} is back`).toBe(true);
  }
});

/** A sampler that samples every object but a negligible few. */
const every = (options: SiteOptions = {}): SiteSampler =>
  sampleSites(heap, { bytesPerSample: 1, seed: 1, ...options });

const inner = (sampler: SiteSampler): string[] =>
  sampler.sites().map(({ frames }) => frames[0]?.functionName ?? "none");

function leaky(size: number): Handle {
  return heap.alloc(size);
}

function tidy(size: number): void {
  heap.free(heap.alloc(size));
}

describe("attribution", () => {
  test("a leak stands out by its call site, with its bytes", () => {
    using sampler = sampleSites(heap, { bytesPerSample: 4096, seed: 7 });
    const kept: Handle[] = [];
    let bytes = 0;
    for (let i = 0; i < 20_000; i++) {
      tidy(500);
      if (i % 2 === 0) kept.push(leaky(400));
      if (i % 2 === 0) bytes += 400;
      if (i % 10 === 0) kept.push(heap.alloc(200));
    }
    const [leak, rest, ...others] = sampler.sites();
    expect(others).toEqual([]);
    expect(leak.frames[0]).toMatchObject({ functionName: "leaky" });
    expect(leak.frames[0].url).toMatch(/^file:\/\/\/.*sampler\.test\.ts$/);
    expect(leak.samples).toBeGreaterThan(800);
    expect(Math.abs(leak.liveBytes / bytes - 1)).toBeLessThan(4 / Math.sqrt(leak.samples));
    expect(Math.abs(leak.liveObjects / 10_000 - 1)).toBeLessThan(4 / Math.sqrt(leak.samples));
    expect(Math.abs(rest.liveBytes / 400_000 - 1)).toBeLessThan(4 / Math.sqrt(rest.samples));
    expect(sampler.sites({ top: 1 })).toEqual([leak]);
    for (const handle of kept) heap.free(handle);
    expect(sampler.sites()).toEqual([]);
  });

  test("the site is who called this package, whichever way", () => {
    using sampler = every();
    const domain = heap.openDomain();
    const ways = {
      byAlloc: () => heap.alloc(100),
      byOffset: () => heap.allocOffset(100),
      orThrow: () => heap.allocOrThrow(100),
      inDomain: () => domain.alloc(100),
      large: () => heap.alloc(200_000),
      offsetOfLarge: () => heap.allocOffset(200_000),
    };
    for (const way of Object.values(ways)) expect(way()).not.toBe(0);
    domain.exit();
    expect(inner(sampler).sort()).toEqual(Object.keys(ways).sort());
  });

  test("wrappers named by the user are left out, as far as they are called", () => {
    const allocBuffer = (size: number): Handle => heap.allocOrThrow(size);
    const outer = (size: number): Handle => allocBuffer(size);
    const caller = (): Handle => outer(10);
    const direct = (): Handle => heap.alloc(10);
    using sampler = every({ wrappers: [allocBuffer, outer] });
    caller();
    direct();
    expect(inner(sampler).sort()).toEqual(["caller", "direct"]);
  });

  test("stacks are cut to maxDepth callers, the innermost", () => {
    const down = (n: number): Handle => (n === 0 ? heap.alloc(10) : down(n - 1));
    using sampler = every({ maxDepth: 3 });
    down(10);
    expect(sampler.sites()[0].frames.map((frame) => frame.functionName)).toEqual(["down", "down", "down"]);
    sampler.stop();
    using deep = every({ maxDepth: 300 });
    down(200);
    expect(deep.sites()[0].frames.filter((frame) => frame.functionName === "down")).toHaveLength(201);
  });

  test("Error is left as it was found, whatever it was, and nobody's formatter is called", () => {
    const { stackTraceLimit, prepareStackTrace } = Error;
    const before = Object.getOwnPropertyDescriptors(Error);
    const formatter = (): never => {
      throw new Error("called");
    };
    try {
      using sampler = every();
      leaky(10);
      expect(Object.getOwnPropertyDescriptors(Error)).toEqual(before);
      Error.stackTraceLimit = 0;
      Error.prepareStackTrace = formatter;
      leaky(20);
      expect(Error.stackTraceLimit).toBe(0);
      expect(Error.prepareStackTrace).toBe(formatter);
      Reflect.deleteProperty(Error, "prepareStackTrace");
      expect(inner(sampler)).toEqual(["leaky", "leaky"]);
    } finally {
      Error.stackTraceLimit = stackTraceLimit;
      if (prepareStackTrace === undefined) Reflect.deleteProperty(Error, "prepareStackTrace");
      else Error.prepareStackTrace = prepareStackTrace;
    }
  });

  test.each(["no captureStackTrace", "only text"])("%s: the text of a stack will do", (what) => {
    const { captureStackTrace } = Error;
    using sampler = every({ maxDepth: 5 });
    try {
      const textOnly = (target: object): void => {
        Object.assign(target, { stack: "Error\n    at leaky (/x.js:3:4)" });
      };
      Object.assign(Error, {
        captureStackTrace: what === "only text" ? textOnly : undefined,
      });
      leaky(10);
    } finally {
      Object.assign(Error, { captureStackTrace });
    }
    expect(inner(sampler)).toEqual(["leaky"]);
    const [{ frames }] = sampler.sites();
    expect(frames.length).toBe(what === "only text" ? 1 : 5);
    expect(checkProfile(JSON.parse(JSON.stringify(sampler.profile())))).toEqual([]);
  });

  test("an engine that tells nothing: bytes are counted at the root", () => {
    const { captureStackTrace } = Error;
    using sampler = every();
    try {
      Object.assign(Error, { captureStackTrace: () => {} });
      leaky(1000);
    } finally {
      Object.assign(Error, { captureStackTrace });
    }
    expect(sampler.sites()).toEqual([{ frames: [], liveBytes: 1000, liveObjects: 1, samples: 1 }]);
    expect(sampler.profile().head).toMatchObject({ selfSize: 1000, children: [] });
  });

  test("no stack left: the handle reaches its caller all the same", () => {
    using sampler = every();
    let deepest: Handle | undefined;
    const dive = (): void => {
      deepest = heap.alloc(16);
      dive();
    };
    expect(dive).toThrow(RangeError);
    expect(heap.isLive(deepest as Handle)).toBe(true);
    const { taken, live, dropped } = sampler.stats();
    expect(live + dropped).toBe(taken);
    expect(live).toBeGreaterThan(0);
  });
});

describe("only what lives", () => {
  test.each<[string, (handle: Handle, other: SlabHeap) => void]>([
    ["freed", (handle) => heap.free(handle)],
    ["freed by offset", (handle) => heap.freeOffset(heap.byteOffset(handle))],
    ["freed by another thread, not collected yet", (handle, other) => other.free(handle)],
    ["discarded", () => heap.discardEpoch(heap.currentEpoch)],
    [
      "discarded by another thread, its owner not aware of it",
      (_handle, other) => other.discardEpoch(other.currentEpoch),
    ],
    [
      "discarded by another thread after its ring slot was reused",
      (_handle, other) => {
        const next = other.advanceEpoch();
        lap(other);
        other.discardBefore(next);
      },
    ],
    [
      "freed and its place taken again",
      (handle) => {
        const before = slotWordOf(heap, handle);
        heap.free(handle);
        sampler.stop();
        expect(slotWordOf(heap, heap.alloc(100))).toBe(before);
      },
    ],
  ])("%s", (_how, end) => {
    const other = another(heap);
    sampler = every();
    const [handle, large] = [leaky(100), leaky(100_000)];
    expect(sampler.stats()).toEqual({ taken: 2, live: 2, dropped: 0 });
    end(handle, other);
    if (other.isLive(large)) other.free(large);
    expect(sampler.stats()).toEqual({ taken: 2, live: 0, dropped: 2 });
    expect(sampler.sites()).toEqual([]);
    expect(sampler.profile()).toMatchObject({ head: { selfSize: 0, children: [] }, samples: [] });
    sampler.stop();
    other.detach();
  });
  let sampler: SiteSampler;

  test("objects outlive the heap object that made them, and are still reported", () => {
    const other = another(heap);
    const sampler = every();
    const [kept, freed] = [leaky(100), leaky(100)];
    heap.detach();
    expect(other.free(freed)).toBe(true);
    expect(sampler.stats()).toEqual({ taken: 2, live: 1, dropped: 1 });
    other.poll();
    expect(other.free(kept)).toBe(true);
    expect(sampler.stats().live).toBe(0);
    other.detach();
  });

  test("what is held follows what is alive, however much was sampled", () => {
    const samples = new LiveSamples(heap._a);
    let most = 0;
    const live = Array.from({ length: 3000 }, () => heap.alloc(32));
    for (const handle of live) samples.add(slotWordOf(heap, handle), 32, [], 1);
    for (let i = 0; i < 50_000; i++) {
      const handle = heap.alloc(32);
      // Each from a place of its own, like generated code.
      samples.add(slotWordOf(heap, handle), 32, [{ functionName: `f${i}`, url: "", line: 1, column: 1 }], i);
      heap.free(handle);
      most = Math.max(most, samples.held);
    }
    expect(most).toBeLessThanOrEqual(2 * 3000 + 1);
    expect(samples.live()).toHaveLength(3000);
    for (const handle of live) heap.free(handle);
    expect(samples.live()).toHaveLength(0);
    expect(samples.held).toBe(0);
  });
});

describe("estimates", () => {
  test.each([
    ["far smaller than the interval", 48, 16_384, 30_000],
    ["near the interval", 3000, 4096, 5000],
    ["far larger: each is sampled, and counts once", 150_000, 4096, 100],
  ])("are right on average for objects %s", (_name, size, bytesPerSample, count) => {
    let ratios = 0;
    let samples = 0;
    const runs = 12;
    for (let seed = 1; seed <= runs; seed++) {
      using sampler = sampleSites(heap, { bytesPerSample, seed });
      let made = 0;
      for (let i = 0; i < count; i++) if (leaky(size) !== 0) made++;
      expect(made).toBe(count);
      const [site] = sampler.sites();
      ratios += site.liveBytes / (size * count);
      samples += site.samples;
      expect(site.liveObjects / count).toBeCloseTo(site.liveBytes / (size * count), 2);
      heap.discardEpoch(heap.currentEpoch);
    }
    // Standard error of a sum of independent picks with chance p: sqrt((1 - p) / picks).
    const p = 1 - Math.exp(-size / bytesPerSample);
    expect(samples / runs / count / p).toBeGreaterThan(0.9);
    expect(Math.abs(ratios / runs - 1)).toBeLessThanOrEqual(4 * Math.sqrt((1 - p) / samples) + 1e-9);
  });

  test("do not depend on the order of sizes: each size gets its share of one mixed run", () => {
    using sampler = sampleSites(heap, { bytesPerSample: 8192, seed: 99 });
    const random = randomFrom(5);
    const small = (): Handle => heap.alloc(64);
    const middle = (): Handle => heap.alloc(2048);
    const big = (): Handle => heap.alloc(40_000);
    const truth: Record<string, number> = { small: 0, middle: 0, big: 0 };
    for (let i = 0; i < 20_000; i++) {
      const dice = random();
      const [name, size, from] =
        dice < 0.9 ? ["small", 64, small] : dice < 0.99 ? ["middle", 2048, middle] : ["big", 40_000, big];
      expect((from as () => Handle)()).not.toBe(0);
      truth[name as string] += size as number;
    }
    for (const { frames, liveBytes, samples } of sampler.sites()) {
      const name = frames[0].functionName;
      expect(Math.abs(liveBytes / truth[name] - 1), name).toBeLessThan(4 / Math.sqrt(samples));
    }
    expect(sampler.sites()).toHaveLength(3);
  });

  test("the same seed picks the same objects, another one others", () => {
    const picks = (seed: number): unknown => {
      using sampler = sampleSites(heap, { bytesPerSample: 5000, seed });
      for (let i = 0; i < 3000; i++) leaky(100 + (i % 50));
      return sampler.profile().samples;
    };
    const first = picks(3);
    expect(picks(3)).toEqual(first);
    expect(picks(4)).not.toEqual(first);
  });
});

describe("on and off", () => {
  test("one sampler per heap object; stopping twice, or after a successor started, is harmless", () => {
    const first = every();
    expect(() => every()).toThrow(expect.objectContaining({ code: "ERR_TSLAB_ALREADY_SAMPLED" }));
    first.stop();
    first.stop();
    const second = every();
    first[Symbol.dispose]();
    leaky(10);
    expect([first, second].map((s) => s.stats().taken)).toEqual([0, 1]);
    second.stop();
    leaky(10);
    expect(second.stats()).toEqual({ taken: 1, live: 1, dropped: 0 });
  });

  test("a second heap may be sampled at the same time, and each sees its own", () => {
    using one = every();
    const other = SlabHeap.create({ capacity: 2 ** 20 });
    using two = sampleSites(other, { bytesPerSample: 1, seed: 2 });
    leaky(10);
    other.alloc(20);
    other.allocOffset(30);
    expect([one, two].map((s) => s.stats().live)).toEqual([1, 2]);
    other.detach();
    leaky(10);
    expect([one, two].map((s) => s.stats().taken)).toEqual([2, 2]);
  });

  test("nothing is sampled of a heap that was detached", () => {
    const sampler = every();
    heap.detach();
    sampler.stop();
    expect(() => heap.alloc(10)).toThrow("gave its seat");
    expect(() => every()).toThrow(expect.objectContaining({ code: "ERR_TSLAB_DETACHED" }));
    expect(sampler.stats()).toEqual({ taken: 0, live: 0, dropped: 0 });
  });

  test.each<[string, unknown, string[]]>([
    ["bytesPerSample", 0, ["bytesPerSample", "1 to 4294967296", "got 0"]],
    ["bytesPerSample", 1.5, ["bytesPerSample", "whole number", "got 1.5"]],
    ["bytesPerSample", "1", ["bytesPerSample", "number", 'got "1"']],
    ["maxDepth", 1001, ["maxDepth", "1 to 1000", "got 1001"]],
    ["seed", -1, ["seed", "0 to 4294967295", "got -1"]],
    ["wrappers", leaky, ["wrappers", "array of functions", "got a function"]],
    ["wrappers", [leaky, 5], ["wrappers", "array of functions", "got 5"]],
    ["wrappers", null, ["wrappers", "array of functions", "got null"]],
    ["bytesPerSamples", 5, ["bytesPerSamples", "bytesPerSample, maxDepth"]],
  ])("bad option %s = %j", (name, value, words) => {
    const start = (): SiteSampler => sampleSites(heap, { [name]: value });
    for (const word of words) expect(start).toThrow(word);
    expect(start).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^ERR_TSLAB_(OUT|INVALID)/) }),
    );
    every().stop();
  });

  test("bad arguments", () => {
    const prototype = Object.getPrototypeOf(heap) as SlabHeap;
    for (const value of [{}, undefined, null, Symbol("x"), prototype, Object.create(prototype)]) {
      expect(() => sampleSites(value as SlabHeap)).toThrow(InvalidTypeError);
      expect(() => sampleSites(value as SlabHeap)).toThrow("heap must be a SlabHeap; got");
    }
    expect(() => sampleSites(heap, null as unknown as SiteOptions)).toThrow("options must be an object");
    using sampler = every();
    expect(() => sampler.sites({ top: 0 })).toThrow('Option "top" must be a whole number from 1');
    expect(() => sampler.sites(3 as never)).toThrow("options must be an object; got 3");
  });
});
