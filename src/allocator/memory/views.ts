/** Making the buffer, writing its header, and refusing buffers that are not a heap of this version. */
import { CLASS_SHARD_WORDS } from "../counters/fields.js";
import { BufferUnavailableError, HeapFormatError, InvalidValueError } from "../errors.js";
import { loadSeq, storeSeq } from "./atomics.js";
import { isPowerOfTwo } from "./bits.js";
import type { HeapConfig } from "./config.js";
import { computeLayout, type Layout, slotsInSlab } from "./layout.js";
import {
  CLASS_MAP_BASE,
  CLASS_MAP_WORDS,
  CLASS_SIZE_BASE,
  CLASS_SLOTS_BASE,
  FLAG_PREFAULT,
  FLAG_ZERO_ON_FREE,
  H_BUFFER_PAGES,
  H_CHECKSUM,
  H_CLASS_COUNT,
  H_CONFIG_FIRST,
  H_CONFIG_LAST,
  H_CREATED_MS_HI,
  H_CREATED_MS_LO,
  H_FLAGS,
  H_HEAP_ID,
  H_MAGIC,
  H_MAX_WORKERS,
  H_METADATA_PAGES,
  H_NONCE,
  H_READY,
  H_SLAB_COUNT,
  H_SLAB_SIZE,
  H_SLOTS_SHIFT,
  H_VERSION,
  HEAP_ID_BITS,
  LAYOUT_VERSION,
  MAGIC,
  SLAB_BASE,
} from "./offsets.js";
import { GRANULE_BYTES, MAX_CLASSES } from "./size-classes.js";
import { storeWide } from "./wide.js";

const PAGE = 4096;
const FOUR_GIB = 2 ** 32;
/** Node 22+, Deno and current browsers allow this much; Node 20 and Bun stop at 4 GiB. */
const LARGE_BUFFER = 8 * 2 ** 30;

interface GrowableConstructor {
  new (byteLength: number, options?: { maxByteLength: number }): SharedArrayBuffer;
}

/**
 * Creates the buffer for `config` and writes everything that is not 0 in a fresh heap, except READY.
 *
 * V8 places a growable buffer on a page boundary and a fixed one 16 bytes after; our views have a fixed
 * length, which is as fast on both (length-tracking views are 15-30 times slower). Bun is the other way
 * round: its plain buffers are page-aligned and growable ones slower.
 */
export function createBuffer(config: HeapConfig): Place {
  let layout = computeLayout(config, LARGE_BUFFER);
  let buffer = tryBuffer(layout.bufferBytes);
  if (buffer === undefined && layout.bufferBytes > FOUR_GIB) {
    layout = computeLayout(config, FOUR_GIB);
    buffer = tryBuffer(layout.bufferBytes);
  }
  if (buffer === undefined) {
    throw new BufferUnavailableError(
      `The runtime gave no SharedArrayBuffer of ${layout.bufferBytes} bytes (capacity ${config.capacityBytes}); ask for less, or in a browser serve the page cross-origin isolated.`,
    );
  }
  return writeHeader({ buffer, layout });
}

/** A buffer, and what lies where in it. */
export interface Place {
  readonly buffer: SharedArrayBuffer;
  readonly layout: Layout;
}

/**
 * As {@link createBuffer}, in a buffer of the caller's; `fill`: as much payload as fits rather than all that `config`
 * asks for. Nothing is written before everything has been checked.
 */
export function useBuffer(buffer: SharedArrayBuffer, config: HeapConfig, fill: boolean): Place {
  const layout = fill ? largestLayout(config, buffer.byteLength) : computeLayout(config, Infinity);
  if (layout.bufferBytes > buffer.byteLength) {
    throw new InvalidValueError(
      `Option "buffer" must have at least ${layout.bufferBytes} bytes for ${layout.capacityBytes} bytes of payload and the heap's metadata; got one of ${buffer.byteLength}.`,
    );
  }
  const m = new Int32Array(buffer, 0, layout.metadataWords);
  if (m[H_MAGIC] === MAGIC && loadSeq(m, H_READY) === 1) {
    throw new InvalidValueError(
      'Option "buffer" must not hold a heap: other threads may be using it. Attach to it, or zero its first 16 bytes.',
    );
  }
  // A heap starts out as zeros, but for its header, ring and class tables; the payload may hold anything.
  m.fill(0);
  return writeHeader({ buffer, layout });
}

/** The layout with the most slabs that fits; the one with a single slab when none does. */
function largestLayout(config: HeapConfig, byteLength: number): Layout {
  const withSlabs = (slabs: number): Layout =>
    computeLayout({ ...config, capacityBytes: slabs * config.slabSize }, Infinity);
  let fits = 1;
  let tooMany = Math.floor(Math.min(byteLength, config.capacityBytes) / config.slabSize) + 1;
  while (tooMany - fits > 1) {
    const slabs = Math.floor((fits + tooMany) / 2);
    if (withSlabs(slabs).bufferBytes <= byteLength) fits = slabs;
    else tooMany = slabs;
  }
  return withSlabs(fits);
}

function writeHeader(place: Place): Place {
  const { buffer, layout } = place;
  const m = new Int32Array(buffer, 0, layout.metadataWords);
  m[H_SLAB_COUNT] = layout.slabCount;
  m[H_SLAB_SIZE] = layout.slabSize;
  m[H_CLASS_COUNT] = layout.classCount;
  m[H_MAX_WORKERS] = layout.maxWorkers;
  m[H_SLOTS_SHIFT] = layout.slotsShift;
  m[H_FLAGS] = (layout.zeroOnFree ? FLAG_ZERO_ON_FREE : 0) | (layout.prefault ? FLAG_PREFAULT : 0);
  m[H_METADATA_PAGES] = (layout.metadataWords * 4) / PAGE;
  m[H_BUFFER_PAGES] = layout.bufferBytes / PAGE;
  m[H_HEAP_ID] = Math.floor(Math.random() * 2 ** HEAP_ID_BITS);
  storeWide(m, H_CREATED_MS_LO, Date.now());
  m[H_NONCE] = Math.floor(Math.random() * 2 ** 31);
  writeClasses(m, layout);
  m[H_CHECKSUM] = configChecksum(m);
  m[H_VERSION] = LAYOUT_VERSION;
  m[H_MAGIC] = MAGIC;
  return place;
}

function tryBuffer(byteLength: number): SharedArrayBuffer | undefined {
  const SharedBuffer = globalThis.SharedArrayBuffer as GrowableConstructor | undefined;
  if (SharedBuffer === undefined) return undefined;
  const growable = "growable" in SharedBuffer.prototype && !("Bun" in globalThis);
  try {
    return growable
      ? new SharedBuffer(byteLength, { maxByteLength: byteLength })
      : new SharedBuffer(byteLength);
  } catch {
    return undefined;
  }
}

/** For every number of 8-byte granules the offset of the bin that serves it; past the last class, that of large objects. */
export function classMap(layout: Layout): Int32Array {
  const map = new Int32Array(CLASS_MAP_WORDS);
  let classIndex = 0;
  for (let granules = 0; granules < CLASS_MAP_WORDS; granules++) {
    while (
      classIndex < layout.classCount &&
      (layout.sizeClasses[classIndex] as number) < granules * GRANULE_BYTES
    ) {
      classIndex++;
    }
    map[granules] = classIndex * CLASS_SHARD_WORDS;
  }
  return map;
}

function writeClasses(m: Int32Array, layout: Layout): void {
  layout.sizeClasses.forEach((size, i) => {
    m[CLASS_SIZE_BASE + i] = size;
    m[CLASS_SLOTS_BASE + i] = slotsInSlab(layout, size);
  });
  m.set(classMap(layout), CLASS_MAP_BASE);
  for (let level = 0, bits = layout.slabCount; level < layout.freeLevels.length; level++) {
    const base = layout.freeLevels[level] as number;
    for (let bit = 0; bit < bits; bit += 32) {
      m[base + bit / 32] = bits - bit >= 32 ? -1 : 2 ** (bits - bit) - 1;
    }
    bits = layout.freeLevelWords[level] as number;
  }
}

/** Lets attachers in: everything stored before is visible to whoever sees READY. */
export function publishHeap(m: Int32Array): void {
  storeSeq(m, H_READY, 1);
}

/** FNV-1a over the configuration words and the class sizes. */
export function configChecksum(m: Int32Array): number {
  let hash = 0x811c9dc5 | 0;
  const mix = (word: number): void => {
    for (let shift = 0; shift < 32; shift += 8)
      hash = Math.imul(hash ^ ((word >>> shift) & 0xff), 0x01000193);
  };
  for (let i = H_CONFIG_FIRST; i <= H_CONFIG_LAST; i++) mix(m[i] as number);
  const classes = Math.min(m[H_CLASS_COUNT] as number, MAX_CLASSES);
  for (let i = 0; i < classes; i++) mix(m[CLASS_SIZE_BASE + i] as number);
  return hash;
}

/**
 * Reads and checks the header of a buffer someone sent us, and recomputes its layout from it.
 * Throws {@link HeapFormatError} that says what does not fit.
 */
export function openBuffer(buffer: SharedArrayBuffer): Layout {
  if (buffer.byteLength < SLAB_BASE * 4) {
    throw new HeapFormatError(
      `The buffer has ${buffer.byteLength} bytes; a heap has at least ${SLAB_BASE * 4}. Pass the object that share() returned.`,
    );
  }
  const head = new Int32Array(buffer, 0, SLAB_BASE);
  const ready = loadSeq(head, H_READY);
  if (head[H_MAGIC] !== MAGIC) {
    throw new HeapFormatError(
      `The buffer does not begin with a temporal-slab header (found 0x${((head[H_MAGIC] as number) >>> 0).toString(16)}, expected 0x${MAGIC.toString(16)}).`,
    );
  }
  if (head[H_VERSION] !== LAYOUT_VERSION) {
    throw new HeapFormatError(
      `The heap has layout version ${head[H_VERSION]}, this package reads version ${LAYOUT_VERSION}; use the same package version in every thread.`,
    );
  }
  if (ready !== 1) throw new HeapFormatError("The heap was not finished by the thread that created it.");
  if (head[H_CHECKSUM] !== configChecksum(head)) {
    throw new HeapFormatError(
      "The heap's configuration does not match its checksum: the header was overwritten.",
    );
  }
  const layout = computeLayout(readConfig(head), Number.MAX_SAFE_INTEGER);
  if (
    head[H_METADATA_PAGES] !== (layout.metadataWords * 4) / PAGE ||
    head[H_BUFFER_PAGES] !== layout.bufferBytes / PAGE ||
    head[H_SLOTS_SHIFT] !== layout.slotsShift
  ) {
    throw new HeapFormatError(
      "The heap's sizes do not follow from its configuration: made by another build?",
    );
  }
  // A buffer of the caller's may be longer.
  if (buffer.byteLength < layout.bufferBytes) {
    throw new HeapFormatError(
      `The heap needs ${layout.bufferBytes} bytes but the buffer has ${buffer.byteLength}: truncated.`,
    );
  }
  return layout;
}

function readConfig(head: Int32Array): HeapConfig {
  const slabCount = head[H_SLAB_COUNT] as number;
  const slabSize = head[H_SLAB_SIZE] as number;
  const classCount = head[H_CLASS_COUNT] as number;
  const sizeClasses: number[] = [];
  for (let i = 0; i < Math.min(classCount, MAX_CLASSES); i++) {
    sizeClasses.push(head[CLASS_SIZE_BASE + i] as number);
  }
  const ascending = sizeClasses.every((s, i) => s % GRANULE_BYTES === 0 && s > (sizeClasses[i - 1] ?? 0));
  const maxWorkers = head[H_MAX_WORKERS] as number;
  if (
    slabCount < 1 ||
    slabCount > 2 ** 20 ||
    slabSize < PAGE ||
    !isPowerOfTwo(slabSize) ||
    classCount < 1 ||
    classCount > MAX_CLASSES ||
    !ascending ||
    (sizeClasses[sizeClasses.length - 1] as number) > slabSize ||
    maxWorkers < 1 ||
    maxWorkers > 255
  ) {
    throw new HeapFormatError("The heap's header holds impossible values although its checksum matches.");
  }
  return {
    capacityBytes: slabCount * slabSize,
    slabSize,
    sizeClasses,
    maxWorkers,
    zeroOnFree: ((head[H_FLAGS] as number) & FLAG_ZERO_ON_FREE) !== 0,
    prefault: ((head[H_FLAGS] as number) & FLAG_PREFAULT) !== 0,
  };
}

/** Tells the heaps of one process apart, also through different SharedArrayBuffer objects of the same memory. */
export function heapKey(m: Int32Array): string {
  return KEY_WORDS.map((i) => m[i]).join(":");
}

const KEY_WORDS = [H_HEAP_ID, H_CREATED_MS_LO, H_CREATED_MS_HI, H_NONCE, H_CHECKSUM];

/** What {@link heapKey} tells heaps apart by, in two words, for what must name its heap in shared memory. */
export function heapIdentity(m: Int32Array): readonly [number, number] {
  let h1 = 0x811c9dc5;
  let h2 = 0x1b873593;
  for (const i of KEY_WORDS) {
    const word = m[i] as number;
    h1 = Math.imul(h1 ^ word, 0x01000193);
    h2 = Math.imul((h2 << 13) ^ (h2 >>> 19) ^ word, 0x85ebca6b);
  }
  return [h1, h2];
}

/** Writes to every page so that later allocations pay no page fault. The heap must be unpublished: it stores zeros. */
export function touchPages(buffer: SharedArrayBuffer, layout: Layout): void {
  const m = new Int32Array(buffer, 0, layout.metadataWords);
  for (let i = 0; i < m.length; i += PAGE / 4) m[i] = m[i] as number;
  const payload = new Uint8Array(buffer, layout.payloadOffset, layout.capacityBytes);
  for (let i = 0; i < payload.length; i += PAGE) payload[i] = 0;
}
