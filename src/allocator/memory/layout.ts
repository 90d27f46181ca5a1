/**
 * The heap's one buffer: what lies where, computed by one pure function.
 *
 *   byte 0                                                                    (word index = byte / 4)
 *   +--------------------------------------------------------------------------------------------+
 *   | header      magic, version, checksum, config | PHASE | ERA | DEEP | PRESSURE | DOOMS       |
 *   | ring        rec[16] refs[16] retains[16] | per ring slot: open time, label x2, close facts |
 *   | classes     object size and slots per slab of each class                                   |
 *   | slab record 0, 1, 2 ...           64 bytes each; record -1 is the dummy slab (always full)  |
 *   | class map   request size -> bin offset                                                     |
 *   | free map    1 bit per slab, with summary levels above it (hints)                           |
 *   | seat 1, 2 ...  seat word | owner-only words | memberships | own lists | counters | pending   |
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
import { CLASS_SHARD_WORDS, EPOCH_SHARD_WORDS, SEAT_SHARD_WORDS } from "../counters/fields.js";
import { alignUp, log2Ceil } from "./bits.js";
import type { HeapConfig } from "./config.js";
import { GRANULE_BYTES, MAX_CLASSES } from "./size-classes.js";

export const MAGIC = 0x424c5354; // "TSLB" in memory order
export const LAYOUT_VERSION = 1;

/** Epochs in the ring; eras start here, so that era 16 is epoch 0 and no record ever needs a negative era. */
export const RING_SIZE = 16;
export const FIRST_ERA = RING_SIZE;
/** The era field of an epoch record has 30 bits. */
export const MAX_ERA = 2 ** 30 - 1;

// --- header: word indices -----------------------------------------------------------------------------
export const H_MAGIC = 0;
export const H_VERSION = 1;
export const H_CHECKSUM = 2;
/** 1 once the creator has written everything else; A-stored last, so an attacher never sees half a heap. */
export const H_READY = 3;
/** First and last word the checksum covers (the class sizes are added to it). */
export const H_CONFIG_FIRST = 4;
export const H_SLAB_COUNT = 4;
export const H_SLAB_SIZE = 5;
export const H_CLASS_COUNT = 6;
export const H_MAX_WORKERS = 7;
export const H_SLOTS_SHIFT = 8;
export const H_FLAGS = 9;
export const H_METADATA_PAGES = 10;
export const H_BUFFER_PAGES = 11;
export const H_HEAP_ID = 12;
export const H_CONFIG_LAST = 12;
/** With the id these tell heaps of one process apart. */
export const H_CREATED_MS_LO = 16;
export const H_CREATED_MS_HI = 17;
export const H_NONCE = 18;
/** The heap id is random and biases handle generations, so that handles of another heap are refused. */
export const HEAP_ID_BITS = 25;
export const FLAG_ZERO_ON_FREE = 1;

// One cache line each: PHASE is polled by every operation of every thread and must stay in shared state.
/** Bumped after every change threads must honour (advance, close, discard, reap, pressure). Only grows (mod 2^32). */
export const PHASE = 64;
/** The newest era. Only grows. */
export const ERA = 80;
/** Bumped when slabs were orphaned or hints may be lost: the next sync looks at every tag. */
export const DEEP = 96;
/** Bumped by a thread that is out of memory: give empty slabs back although their epoch is open. */
export const PRESSURE = 112;
/** Bumped after dooms were marked on slabs of a wrapped era: look at `SLAB_DOOM` of draining slabs. */
export const DOOMS = 128;
/** Slabs not FREE (gauge; may drift by one for a thread killed between claiming and counting). */
export const COMMITTED = 144;
const HEADER_WORDS = 256;

// --- ring ---------------------------------------------------------------------------------------------
export const REC_BASE = HEADER_WORDS;
export const REFS_BASE = REC_BASE + RING_SIZE;
export const RETAINS_BASE = REFS_BASE + RING_SIZE;
export const EPOCH_BASE = RETAINS_BASE + RING_SIZE;
/** Words per ring slot in the epoch table. */
export const EPOCH_WORDS = 64;
/** count<<9 | seat<<1 | busy; count selects the readable label buffer. */
export const EP_LABEL_SEQ = 0;
export const EP_LABEL_A = 16;
export const EP_LABEL_B = 32;
/** Label buffer: era it belongs to, byte length, 8 words of text. */
export const LABEL_ERA = 0;
export const LABEL_LENGTH = 1;
export const LABEL_TEXT = 2;
export const LABEL_MAX_BYTES = 31;
/** Era whose opening time follows (0 while it is being written), Unix milliseconds in two words. */
export const EP_OPEN_ERA = 1;
export const EP_OPEN_MS_LO = 2;
export const EP_OPEN_MS_HI = 3;
/** Facts of the last close: era, Unix ms (two words), committed slabs before and after. */
export const EP_CLOSE_ERA = 4;
export const EP_CLOSE_MS_LO = 5;
export const EP_CLOSE_MS_HI = 6;
export const EP_CLOSE_COMMITTED_BEFORE = 7;
export const EP_CLOSE_COMMITTED_AFTER = 8;

// --- classes ------------------------------------------------------------------------------------------
export const CLASS_SIZE_BASE = EPOCH_BASE + RING_SIZE * EPOCH_WORDS;
export const CLASS_SLOTS_BASE = CLASS_SIZE_BASE + MAX_CLASSES + 1;
/** Class field of the tag of a large run. */
export const LARGE_CLASS = MAX_CLASSES;

// --- slab records -------------------------------------------------------------------------------------
/** 64 bytes per slab, so that two owners' live counts never share a cache line (0.6x instead of 1.9x with two threads). */
export const SLAB_WORDS = 16;
export const SLAB_SHIFT_WORDS = 4;
/** Records start at a literal index: the generic fast path saves a load. */
export const SLAB_BASE = 2048;
/** An always-full slab that idle bins point to, so that "no current slab" needs no test of its own. */
export const DUMMY_SLAB = SLAB_BASE - SLAB_WORDS;
/** Truth: words/slab-tag.ts. */
export const SLAB_TAG = 0;
/** Full era; A-stored while CLAIMED, constant until FREE. */
export const SLAB_ERA = 1;
/** 0 or the highest era whose discard hit this slab; only grows. */
export const SLAB_DOOM = 2;
/** Slabs in a large run (head only); A-stored by the claim before its tails. */
export const SLAB_RUN = 3;
/** Owner: slots not FREE (live objects and uncollected remote frees). */
export const SLAB_LIVE = 4;
/** Owner: word index of the first free slot's word, 0 = none. Links are in the link words. */
export const SLAB_HEAD = 5;
/** Owner: `me` of the thread that may free with the fast path; 0 while draining, large, zeroing. */
export const SLAB_FAST_OWNER = 6;
/** Owner: bin that allocates from this slab; 0 while draining or large. */
export const SLAB_BIN = 7;
/** Owner: next slab of the bin's partial list. */
export const SLAB_PARTIAL_NEXT = 8;
/** Owner: neighbours in the seat's own list of this ring slot (record indices, 0 = none). */
export const SLAB_OWN_NEXT = 9;
export const SLAB_OWN_PREV = 10;
/** Object size in bytes (constant while OWNED; for a large run slabs * slabSize does not fit, so 0). */
export const SLAB_OBJECT_SIZE = 11;
/** Owner: slots from here on were never linked in this tenure; they are FREE or RETIRED. */
export const SLAB_CARVED = 12;
/** 1 once any thread has used the slab: its pages may be resident. */
export const SLAB_USED = 13;
/** Log2 of the object size, or -1: lets offset-based free skip a division. */
export const SLAB_SIZE_SHIFT = 14;
/** Owner: 1 while in a bin's partial list. */
export const SLAB_LISTED = 15;

// --- seats: offsets from the seat's base --------------------------------------------------------------
export const SEAT_WORD = 0;
/** Runtime thread id + 1, or minus the ref token; 0 = unknown. A-stored after the seat was taken. */
export const SEAT_THREAD = 1;
/** Owner: last PHASE honoured. Own cache line: read by every operation. */
export const SEAT_PHASE = 16;
/** Owner: ring slot and era this thread allocates in. */
export const SEAT_EPOCH = 17;
export const SEAT_ERA = 18;
/** Membership: era this seat is inside per ring slot, 0 = none; and nesting depth. Written by the seat or its reaper. */
export const SEAT_SREF = 32;
export const SEAT_DEPTH = 48;
/** Owner: first record of the own list per ring slot. */
export const SEAT_OWN = 64;
export const SEAT_COUNTERS = 80;

/** Slot words are addressed by 26 bits of a handle. */
export const SLOT_BITS = 26;
const MAX_SLOTS = 2 ** SLOT_BITS;
const PAGE = 4096;
const LINE_WORDS = 16;
const MAX_FREE_LEVELS = 4;

/** Every offset and size that depends on the configuration. Word indices unless named bytes. */
export interface Layout {
  readonly slabCount: number;
  readonly slabSize: number;
  readonly slabSizeShift: number;
  readonly capacityBytes: number;
  readonly classCount: number;
  readonly sizeClasses: readonly number[];
  readonly maxSmallSize: number;
  readonly maxWorkers: number;
  readonly zeroOnFree: boolean;
  /** log2 of slots per slab. */
  readonly slotsShift: number;
  /** Power of two minus one: every handle's slot bits masked with it address a slot word. */
  readonly slotMask: number;
  readonly classMapBase: number;
  readonly classMapWords: number;
  /** Base of each free-map level; level 0 has a bit per slab, level k+1 a bit per word of level k. */
  readonly freeLevels: readonly number[];
  readonly freeLevelWords: readonly number[];
  readonly seatBase: number;
  readonly seatWords: number;
  readonly seatEpochShards: number;
  readonly seatBins: number;
  readonly seatPending: number;
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
  const classMapWords = maxSmallSize / GRANULE_BYTES + 1;
  const classMapBase = take(classMapWords);

  const freeLevels: number[] = [];
  const freeLevelWords: number[] = [];
  let words = Math.ceil(slabCount / 32);
  for (;;) {
    freeLevels.push(take(words));
    freeLevelWords.push(words);
    if (words === 1 || freeLevels.length === MAX_FREE_LEVELS) break;
    words = Math.ceil(words / 32);
  }

  const pendingWords = Math.ceil(slabCount / 32);
  const seatEpochShards = SEAT_COUNTERS + SEAT_SHARD_WORDS;
  const seatBins = seatEpochShards + RING_SIZE * EPOCH_SHARD_WORDS;
  const seatPending = seatBins + (sizeClasses.length + 1) * CLASS_SHARD_WORDS;
  const seatWords = alignUp(seatPending + pendingWords, LINE_WORDS * 2);
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
    maxSmallSize,
    maxWorkers,
    zeroOnFree: config.zeroOnFree,
    slotsShift,
    slotMask: slotSpan - 1,
    classMapBase,
    classMapWords,
    freeLevels: Object.freeze(freeLevels),
    freeLevelWords: Object.freeze(freeLevelWords),
    seatBase,
    seatWords,
    seatEpochShards,
    seatBins,
    seatPending,
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
  return Math.min(2 ** layout.slotsShift, Math.floor(layout.slabSize / size));
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
