/**
 * Defends: the layout is a pure function of the configuration; its regions neither overlap nor leave the buffer;
 * what two threads write never shares a cache line; slots fit a handle; payload starts on a page.
 * Method: random configurations over the whole allowed range; regions are collected and sorted.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  CLASS_SHARD_WORDS,
  EPOCH_SHARD_WORDS,
  HISTOGRAM_SHARD_WORDS,
  SEAT_SHARD_WORDS,
} from "../../../src/allocator/counters/fields.js";
import type { HeapConfig } from "../../../src/allocator/memory/config.js";
import * as L from "../../../src/allocator/memory/layout.js";
import { MAX_CLASSES, resolveSizeClasses } from "../../../src/allocator/memory/size-classes.js";

const LINE = 16;
const NO_LIMIT = Number.MAX_SAFE_INTEGER;

const configs: fc.Arbitrary<HeapConfig> = fc
  .record({
    slabExponent: fc.integer({ min: 12, max: 20 }),
    capacity: fc.oneof(
      fc.integer({ min: 4096, max: 2 ** 32 }),
      fc.integer({ min: 4096, max: 2 ** 20 }),
      fc.constantFrom(4096, 2 ** 26, 2 ** 32),
    ),
    classes: fc.oneof(
      fc.constantFrom("default", "seed"),
      fc.uniqueArray(fc.integer({ min: 1, max: 512 }), { minLength: 1, maxLength: MAX_CLASSES }),
    ),
    maxWorkers: fc.integer({ min: 1, max: 255 }),
    zeroOnFree: fc.boolean(),
    prefault: fc.boolean(),
  })
  .map(({ slabExponent, capacity, classes, maxWorkers, zeroOnFree, prefault }) => {
    const slabSize = 2 ** slabExponent;
    const option = typeof classes === "string" ? classes : classes.map((n) => n * 8).sort((a, b) => a - b);
    const sizeClasses = resolveSizeClasses(option, slabSize);
    return { capacityBytes: capacity, slabSize, sizeClasses, maxWorkers, zeroOnFree, prefault };
  });

/** [first word, words, name] of every region of metadata. */
function regions(layout: L.Layout): [number, number, string][] {
  const list: [number, number, string][] = [
    [0, L.CLASS_MAP_BASE, "header, ring, classes"],
    [L.CLASS_MAP_BASE, L.FAST_SIZE_LIMIT / 8 + 1, "class map"],
    [L.DUMMY_SLAB, L.SLAB_WORDS, "dummy slab"],
    [L.SLAB_BASE, layout.slabCount * L.SLAB_WORDS, "slab records"],
    [layout.slotBase, layout.slotMask + 1, "slot words"],
    [layout.slotBase + layout.linkDelta, layout.slotMask + 1, "link words"],
  ];
  layout.freeLevels.forEach((base, i) => {
    list.push([base, layout.freeLevelWords[i], `free map ${i}`]);
  });
  for (const seat of [1, Math.ceil(layout.maxWorkers / 2), layout.maxWorkers]) {
    list.push([L.seatAt(layout, seat), layout.seatWords, `seat ${seat}`]);
  }
  return list.filter((region, i) => list.findIndex((other) => other[0] === region[0]) === i);
}

test("regions neither overlap nor leave the buffer, and start on cache lines", () => {
  fc.assert(
    fc.property(configs, (config) => {
      const layout = L.computeLayout(config, NO_LIMIT);
      let end = 0;
      for (const [from, length, name] of regions(layout).sort((a, b) => a[0] - b[0])) {
        expect(from, `${name} overlaps`).toBeGreaterThanOrEqual(end);
        // Link words are their slab owner's alone; in a heap of a few slots they follow the slot words at once.
        if (name !== "link words") expect(from % LINE, `${name} is not aligned`).toBe(0);
        end = from + length;
      }
      expect(end).toBeLessThanOrEqual(layout.metadataWords);
      expect(layout.payloadOffset).toBe(layout.metadataWords * 4);
      expect(layout.bufferBytes).toBe(layout.payloadOffset + layout.slabCount * layout.slabSize);
    }),
    { numRuns: 300 },
  );
});

test("payload is page-aligned, covers the capacity, and every slot fits the slot bits of a handle", () => {
  fc.assert(
    fc.property(configs, (config) => {
      const layout = L.computeLayout(config, NO_LIMIT);
      expect(layout.payloadOffset % 4096).toBe(0);
      expect((layout.slotBase * 4) % 4096).toBe(0);
      expect(layout.capacityBytes).toBe(Math.ceil(config.capacityBytes / config.slabSize) * config.slabSize);
      expect(layout.slabCount * 2 ** layout.slotsShift).toBeLessThanOrEqual(2 ** L.SLOT_BITS);
      expect(Math.log2(layout.slotMask + 1) % 1).toBe(0);
      expect(layout.slotMask + 1).toBeGreaterThanOrEqual(layout.slabCount * 2 ** layout.slotsShift);
      for (const size of layout.sizeClasses) {
        const slots = L.slotsInSlab(layout, size);
        expect(slots).toBeGreaterThanOrEqual(1);
        expect(slots * size).toBeLessThanOrEqual(layout.slabSize);
        expect(slots).toBeLessThanOrEqual(2 ** layout.slotsShift);
      }
    }),
    { numRuns: 300 },
  );
});

test("a seat's own words, counters, bins and pending bits do not overlap", () => {
  fc.assert(
    fc.property(configs, (config) => {
      const layout = L.computeLayout(config, NO_LIMIT);
      const parts: [number, number][] = [
        [L.SEAT_WORD, 2],
        [L.SEAT_PHASE, 7],
        [L.SEAT_SREF, L.RING_SIZE],
        [L.SEAT_DEPTH, L.RING_SIZE],
        [L.SEAT_OWN, L.RING_SIZE],
        [L.SEAT_COUNTERS, SEAT_SHARD_WORDS],
        [layout.seatEpochShards, L.RING_SIZE * EPOCH_SHARD_WORDS],
        [layout.seatBins, (layout.classCount + 1) * CLASS_SHARD_WORDS],
        [layout.seatPending, layout.pendingWords],
        [layout.seatHistograms, HISTOGRAM_SHARD_WORDS],
      ];
      let end = 0;
      for (const [from, length] of parts) {
        expect(from).toBeGreaterThanOrEqual(end);
        end = from + length;
      }
      expect(end).toBeLessThanOrEqual(layout.seatWords);
      expect(layout.pendingWords * 32).toBeGreaterThanOrEqual(layout.slabCount);
      // Others set pending bits: the histograms begin on a line of their own.
      expect(layout.seatHistograms % LINE).toBe(0);
      // Others set pending bits: they share no line with the next seat's polled words.
      expect(layout.seatWords % (LINE * 2)).toBe(0);
      expect(L.binAt(layout, 1, 0)).toBe(layout.seatBase + layout.seatBins);
    }),
  );
});

test("is pure: equal configurations give equal, frozen layouts", () => {
  fc.assert(
    fc.property(configs, (config) => {
      const layout = L.computeLayout(config, NO_LIMIT);
      expect(L.computeLayout({ ...config }, NO_LIMIT)).toEqual(layout);
      expect(Object.isFrozen(layout)).toBe(true);
    }),
    { numRuns: 20 },
  );
});

test("words that different threads poll or bump lie on lines of their own", () => {
  const lines = [L.PHASE, L.ERA, L.DEEP, L.PRESSURE, L.DOOMS].map((word) => Math.floor(word / LINE));
  expect(new Set(lines).size).toBe(lines.length);
  expect(lines).not.toContain(0);
  expect(L.SLAB_WORDS % LINE).toBe(0);
  expect(Math.floor(L.SEAT_PHASE / LINE)).not.toBe(Math.floor(L.SEAT_WORD / LINE));
  expect(Math.floor(L.SEAT_SREF / LINE)).not.toBe(Math.floor(L.SEAT_PHASE / LINE));
});

/** Parts [name, first word, words] that fit `words` and have no word in common, in whatever order. */
function expectDisjoint(words: number, parts: readonly [string, number, number][]): void {
  let end = 0;
  for (const [name, from, length] of [...parts].sort((a, b) => a[1] - b[1])) {
    expect(from, `${name} overlaps`).toBeGreaterThanOrEqual(end);
    end = from + length;
  }
  expect(end).toBeLessThanOrEqual(words);
}

/** Every constant of a group, as parts of one word each. */
function wordsNamed(prefix: string, except: readonly string[]): [string, number, number][] {
  return Object.entries(L)
    .filter(([name]) => name.startsWith(prefix) && !except.includes(name))
    .map(([name, word]) => [name, word as number, 1]);
}

test("words of a slab record do not overlap; what the owner writes on every operation is on the second line", () => {
  const slab = wordsNamed("SLAB_", ["SLAB_WORDS", "SLAB_SHIFT_WORDS", "SLAB_BASE"]);
  expect(slab).toHaveLength(21);
  expect(L.SLAB_WORDS).toBe(2 * LINE);
  expectDisjoint(L.SLAB_WORDS, slab);
  const hot = [L.SLAB_COUNTS, L.SLAB_HEAD, L.SLAB_FOLDED, L.SLAB_COLLECTING];
  const handedOver = [L.SLAB_TAG, L.SLAB_ERA, L.SLAB_FAST_OWNER, L.SLAB_OBJECT_SIZE, L.SLAB_SIZE_SHIFT];
  for (const word of hot) expect(word).toBeGreaterThanOrEqual(LINE);
  for (const word of handedOver) expect(word).toBeLessThan(LINE);
});

test("words of a seat's opening lines do not overlap; the note of a count is with what its holder writes", () => {
  const arrays = ["SEAT_SREF", "SEAT_DEPTH", "SEAT_OWN"];
  const seat = wordsNamed("SEAT_", [...arrays, "SEAT_COUNTERS"]);
  expect(seat).toHaveLength(18);
  const rings = arrays.map((name): [string, number, number] => [
    name,
    (L as unknown as Record<string, number>)[name],
    L.RING_SIZE,
  ]);
  expectDisjoint(L.SEAT_COUNTERS, [...seat, ...rings]);
  const note = wordsNamed("SEAT_COMMIT_", []).map(([, word]) => word);
  expect(note).toHaveLength(7);
  for (const word of note) expect(Math.floor(word / LINE)).toBe(Math.floor(L.SEAT_PHASE / LINE));
});

test("fixed tables fit before the slab records", () => {
  expect(L.RETAINS_BASE + L.RING_SIZE).toBeLessThanOrEqual(L.EPOCH_BASE);
  const textWords = Math.ceil((L.LABEL_MAX_BYTES + 1) / 4);
  const label = Math.max(L.LABEL_ERA, L.LABEL_LENGTH, L.LABEL_ID, L.LABEL_TEXT + textWords - 1) + 1;
  expectDisjoint(L.EPOCH_WORDS, [
    ["label sequence", L.EP_LABEL_SEQ, 1],
    ["opening era", L.EP_OPEN_ERA, 1],
    ["opening ms", L.EP_OPEN_MS_LO, 1],
    ["opening ms, high", L.EP_OPEN_MS_HI, 1],
    ["label A", L.EP_LABEL_A, label],
    ["label B", L.EP_LABEL_B, label],
  ]);
  expectDisjoint(label, [
    ["era", L.LABEL_ERA, 1],
    ["length", L.LABEL_LENGTH, 1],
    ["text", L.LABEL_TEXT, textWords],
    ["number", L.LABEL_ID, 1],
  ]);
  expectDisjoint(L.SLAB_BASE, [
    ["header", 0, L.HEADER_WORDS],
    ["epoch records", L.REC_BASE, L.RING_SIZE],
    ["references", L.REFS_BASE, L.RING_SIZE],
    ["retains", L.RETAINS_BASE, L.RING_SIZE],
    ["epoch table", L.EPOCH_BASE, L.RING_SIZE * L.EPOCH_WORDS],
    // Also of LARGE_CLASS, whose tags are looked up like others.
    ["class sizes", L.CLASS_SIZE_BASE, MAX_CLASSES + 1],
    ["class slots", L.CLASS_SLOTS_BASE, MAX_CLASSES + 1],
    ["label registry", L.LABEL_REGISTRY_BASE, L.MAX_LABELS * L.LABEL_REGISTRY_WORDS],
    ["class map", L.CLASS_MAP_BASE, L.CLASS_MAP_WORDS],
    ["dummy slab", L.DUMMY_SLAB, L.SLAB_WORDS],
  ]);
  expect(1 + textWords).toBeLessThanOrEqual(L.LABEL_REGISTRY_WORDS);
  expect([L.LABEL_NONE, L.LABEL_OTHER]).toEqual([0, L.MAX_LABELS - 1]);
  expect(L.slabOfRecord(L.recordAt(12345))).toBe(12345);
});

describe("the largest heap", () => {
  const config: HeapConfig = {
    capacityBytes: 2 ** 32,
    slabSize: 65536,
    sizeClasses: resolveSizeClasses("default", 65536),
    maxWorkers: 255,
    zeroOnFree: false,
    prefault: false,
  };

  test("4 GiB fit when the runtime has no limit", () => {
    const layout = L.computeLayout(config, NO_LIMIT);
    expect(layout.capacityBytes).toBe(2 ** 32);
    expect(layout.slabCount).toBe(65536);
  });

  test("metadata comes out of the payload when the runtime stops at 4 GiB", () => {
    for (const slabSize of [4096, 65536, 2 ** 20]) {
      const sizeClasses = resolveSizeClasses("default", slabSize);
      const layout = L.computeLayout({ ...config, slabSize, sizeClasses }, 2 ** 32);
      expect(layout.bufferBytes).toBeLessThanOrEqual(2 ** 32);
      expect(layout.capacityBytes).toBeGreaterThan(3 * 2 ** 30);
      // Opening the buffer recomputes the layout from the slab count, without the limit: same result.
      const again = { ...config, slabSize, sizeClasses, capacityBytes: layout.capacityBytes };
      expect(L.computeLayout(again, NO_LIMIT)).toEqual(layout);
    }
  });

  test("4 KiB slabs: a million slabs, four levels of free map", () => {
    const layout = L.computeLayout({ ...config, slabSize: 4096, sizeClasses: [64] }, NO_LIMIT);
    expect(layout.slabCount).toBe(2 ** 20);
    expect(layout.freeLevelWords).toEqual([32768, 1024, 32, 1]);
    expect(layout.slotsShift).toBe(6);
  });
});
