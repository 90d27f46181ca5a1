/**
 * The heap's one buffer: what lies where, computed by one pure function.
 *
 *   byte 0                                                                    (word index = byte / 4)
 *   +--------------------------------------------------------------------------------------------+
 *   | header      magic, version, checksum, config | PHASE | ERA | DEEP | PRESSURE | DOOMS       |
 *   | ring        rec[16] refs[16] retains[16] | per ring slot: open time, label x2, close facts |
 *   | classes     object size and slots per slab of each class                                   |
 *   | class map   request size -> bin offset                                                     |
 *   | slab record 0, 1, 2 ...           64 bytes each; record -1 is the dummy slab (always full)  |
 *   | free map    1 bit per slab, with summary levels above it (hints)                           |
 *   | resident    1 bit per slab: its pages may be resident                                      |
 *   | seat 1, 2 ...  seat word | owner-only words | memberships | own lists | counters | pending ..|
 *   +--------------------------------------------- page boundary --------------------------------+
 *   | slot words  one per slot: generation and state              (untouched = generation 0, FREE) |
 *   | link words  one per slot: next free slot of the same slab                                   |
 *   +--------------------------------------------- page boundary --------------------------------+
 *   | payload     slab 0 | slab 1 | ...                     the only bytes users are given         |
 *   +--------------------------------------------------------------------------------------------+
 *
 * Metadata is out of band, so no write through a payload view can damage it. Everything is 0 in a fresh
 * heap but the header, the ring, the class tables and the free map: capacity that was never used costs
 * address space only.
 *
 * Glossary
 *   slab     slabSize bytes of payload, cut into slots of one size class, or part of a large run
 *   slot     room for one object; slot index = slab index * slotsPerSlab + position in the slab
 *   tag      who holds a slab and what for (words/slab-tag.ts)
 *   epoch    one of 16 ring slots; era: its monotonic stamp; epoch id = era % 16
 *   seat     a thread's place in the heap; incarnation: how often the seat was taken
 *   bin      a thread's working state for one size class
 */
import {
  CLASS_SHARD_WORDS,
  EPOCH_SHARD_WORDS,
  HISTOGRAM_SHARD_WORDS,
  SEAT_SHARD_WORDS,
} from "../counters/fields.js";
import { alignUp, log2Ceil } from "./bits.js";
import type { HeapConfig } from "./config.js";
import {
  LINE_WORDS,
  MAX_FREE_LEVELS,
  MAX_SLOTS,
  PAGE,
  RING_SIZE,
  SEAT_COUNTERS,
  SLAB_BASE,
  SLAB_SHIFT_WORDS,
  SLAB_WORDS,
} from "./offsets.js";

// biome-ignore lint/performance/noReExportAll: offsets and layout are one vocabulary, split only for the build's inlining
export * from "./offsets.js";

/** Every offset and size that depends on the configuration. Word indices unless named bytes. */
export interface Layout {
  readonly slabCount: number;
  readonly slabSize: number;
  readonly slabSizeShift: number;
  readonly capacityBytes: number;
  readonly classCount: number;
  readonly sizeClasses: readonly number[];
  /** Slots per slab of each class; the buffer's copy may have been overwritten. */
  readonly classSlots: readonly number[];
  readonly maxSmallSize: number;
  readonly maxWorkers: number;
  readonly zeroOnFree: boolean;
  readonly prefault: boolean;
  /** log2 of slots per slab. */
  readonly slotsShift: number;
  /** 2^slotsShift - 1: masks a slot's position in its slab. */
  readonly positionMask: number;
  /** Power of two minus one: every handle's slot bits masked with it address a slot word. */
  readonly slotMask: number;
  /** Base of each free-map level; level 0 has a bit per slab, level k+1 a bit per word of level k. */
  readonly freeLevels: readonly number[];
  readonly freeLevelWords: readonly number[];
  /** First word of the resident map; it has as many as the lowest level of the free map. */
  readonly residentBase: number;
  readonly seatBase: number;
  readonly seatWords: number;
  readonly seatEpochShards: number;
  readonly seatBins: number;
  readonly seatPending: number;
  readonly seatHistograms: number;
  readonly pendingWords: number;
  readonly slotBase: number;
  /** Link word of a slot = slot word + this. */
  readonly linkDelta: number;
  readonly metadataWords: number;
  readonly payloadOffset: number;
  readonly bufferBytes: number;
}

/**
 * Computes the layout of a heap.
 *
 * `maxBufferBytes` is the runtime's limit for one buffer; when metadata and payload do not fit, payload is
 * cut to whole slabs that do. Very large heaps get fewer slots per slab than slabSize / smallest class (the
 * slot index of a handle has 26 bits): their smallest classes then use only part of each slab.
 */
export function computeLayout(config: HeapConfig, maxBufferBytes: number): Layout {
  let slabCount = Math.ceil(config.capacityBytes / config.slabSize);
  for (;;) {
    const layout = layoutFor(config, slabCount);
    if (layout.bufferBytes <= maxBufferBytes) return layout;
    const excess = Math.ceil((layout.bufferBytes - maxBufferBytes) / config.slabSize);
    slabCount -= Math.max(1, excess);
    if (slabCount < 1) return layout;
  }
}

function layoutFor(config: HeapConfig, slabCount: number): Layout {
  const { slabSize, sizeClasses, maxWorkers } = config;
  const smallest = sizeClasses[0] as number;
  const maxSmallSize = sizeClasses[sizeClasses.length - 1] as number;
  let slotsShift = Math.floor(Math.log2(Math.max(1, Math.floor(slabSize / smallest))));
  if (2 ** slotsShift * smallest < slabSize - smallest) slotsShift += 1;
  while (slotsShift > 0 && slabCount * 2 ** slotsShift > MAX_SLOTS) slotsShift -= 1;
  const slotSpan = 2 ** log2Ceil(slabCount * 2 ** slotsShift);

  let at = SLAB_BASE + slabCount * SLAB_WORDS;
  const take = (words: number): number => {
    const base = at;
    at = alignUp(at + words, LINE_WORDS);
    return base;
  };
  const freeLevels: number[] = [];
  const freeLevelWords: number[] = [];
  let words = Math.ceil(slabCount / 32);
  for (;;) {
    freeLevels.push(take(words));
    freeLevelWords.push(words);
    if (words === 1 || freeLevels.length === MAX_FREE_LEVELS) break;
    words = Math.ceil(words / 32);
  }

  const residentBase = take(Math.ceil(slabCount / 32));

  const pendingWords = Math.ceil(slabCount / 32);
  const seatEpochShards = SEAT_COUNTERS + SEAT_SHARD_WORDS;
  const seatBins = seatEpochShards + RING_SIZE * EPOCH_SHARD_WORDS;
  const seatPending = seatBins + (sizeClasses.length + 1) * CLASS_SHARD_WORDS;
  const seatHistograms = alignUp(seatPending + pendingWords, LINE_WORDS);
  const seatWords = alignUp(seatHistograms + HISTOGRAM_SHARD_WORDS, LINE_WORDS * 2);
  const seatBase = take(maxWorkers * seatWords);

  const slotBase = alignUp(at, PAGE / 4);
  const linkDelta = slotSpan;
  const metadataWords = alignUp(slotBase + 2 * slotSpan, PAGE / 4);
  const payloadOffset = metadataWords * 4;
  return Object.freeze({
    slabCount,
    slabSize,
    slabSizeShift: Math.log2(slabSize),
    capacityBytes: slabCount * slabSize,
    classCount: sizeClasses.length,
    sizeClasses,
    classSlots: Object.freeze(sizeClasses.map((size) => slotsPerSlab(slotsShift, slabSize, size))),
    maxSmallSize,
    maxWorkers,
    zeroOnFree: config.zeroOnFree,
    prefault: config.prefault,
    slotsShift,
    positionMask: 2 ** slotsShift - 1,
    slotMask: slotSpan - 1,
    freeLevels: Object.freeze(freeLevels),
    freeLevelWords: Object.freeze(freeLevelWords),
    residentBase,
    seatBase,
    seatWords,
    seatEpochShards,
    seatBins,
    seatPending,
    seatHistograms,
    pendingWords,
    slotBase,
    linkDelta,
    metadataWords,
    payloadOffset,
    bufferBytes: payloadOffset + slabCount * slabSize,
  });
}

/** Slots a slab of object size `size` has in this layout. */
export function slotsInSlab(layout: Layout, size: number): number {
  return slotsPerSlab(layout.slotsShift, layout.slabSize, size);
}

function slotsPerSlab(slotsShift: number, slabSize: number, size: number): number {
  return Math.min(2 ** slotsShift, Math.floor(slabSize / size));
}

/** First word of a seat's area; seats count from 1. */
export function seatAt(layout: Layout, seat: number): number {
  return layout.seatBase + (seat - 1) * layout.seatWords;
}

/** Bin (class shard) of a seat; class `classCount` holds the counters of large objects. */
export function binAt(layout: Layout, seat: number, classIndex: number): number {
  return seatAt(layout, seat) + layout.seatBins + classIndex * CLASS_SHARD_WORDS;
}

/** Record of a slab. */
export function recordAt(slab: number): number {
  return SLAB_BASE + slab * SLAB_WORDS;
}

/** Slab of a record. */
export function slabOfRecord(record: number): number {
  return (record - SLAB_BASE) >> SLAB_SHIFT_WORDS;
}

/** Does a slab's record begin at this word? For links, which a stray write may have changed. */
export function isRecord(layout: Layout, record: number): boolean {
  const at = record - SLAB_BASE;
  return at >= 0 && at < layout.slabCount * SLAB_WORDS && (at & (SLAB_WORDS - 1)) === 0;
}
