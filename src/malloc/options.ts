/** Options of a pool, and the heap they ask for. Everything is checked before anything is made. */
import {
  booleanOption,
  DEFAULT_CAPACITY,
  DEFAULT_MAX_WORKERS,
  describeValue,
  HeapFormatError,
  type HeapOptions,
  InvalidTypeError,
  InvalidValueError,
  integerOption,
  LAYOUT_VERSION,
  MAX_CAPACITY,
  MAX_WORKERS_LIMIT,
  SlabHeap,
} from "../allocator/index.js";
import { alignedClasses } from "./sizes.js";

/** Options of `new MemPool`: those of `@thi.ng/malloc`, and `heap`, `maxWorkers` and `sameThread`. */
export interface MemPoolOptions {
  /**
   * Build the pool in this buffer, from its first byte on, or with {@link skipInitialization} use the pool that is in it.
   * A part of it is the heap's own data: about 40 KiB for each of {@link maxWorkers}, and more for large buffers.
   */
  buf?: SharedArrayBuffer;
  /**
   * Bytes of payload, 1..4 GiB; default 64 MiB. The pool gets that much in whole slabs of 4 KiB to 64 KiB, and one
   * slab more for each size class, so that small pools too can serve every size at once. Address space only: pages
   * are touched on use. Where the runtime ends buffers at 4 GiB (Node 20, Bun) the largest pools get less. Ignored
   * with `buf`.
   */
  size?: number;
  /** Allocate in this heap, beside whoever else uses it. `release()` leaves it attached. Not with `buf` or `size`. */
  heap?: SlabHeap;
  /**
   * Every pointer is a multiple of this: a power of two, 8..4096. Default 8; 16 costs nothing, more rounds sizes up. A
   * heap that exists already must have been made for it.
   */
  align?: number;
  /** `buf` holds a pool or a heap: attach to it rather than build one. Default false. */
  skipInitialization?: boolean;
  /** Must be 0, as it is by default: a heap begins at the start of its buffer. */
  start?: number;
  /** Must be the length of the buffer, as it is by default. */
  end?: number;
  /** No effect: blocks of one size have nothing to merge. */
  compact?: boolean;
  /** No effect: a block is never split. */
  split?: boolean;
  /** No effect; above 8 as in `@thi.ng/malloc`. */
  minSplit?: number;
  /**
   * Threads attached at once, 1..255. Default 64; in a `buf` as many as an eighth of it has room for, 4..64. Not
   * with `heap` or `skipInitialization`: it is decided when the heap is made.
   */
  maxWorkers?: number;
  /** With `skipInitialization`: allow it in a thread that has a seat in that heap already. Default false. */
  sameThread?: boolean;
}

const KNOWN: readonly (keyof MemPoolOptions)[] = [
  "buf",
  "size",
  "heap",
  "align",
  "skipInitialization",
  "start",
  "end",
  "compact",
  "split",
  "minSplit",
  "maxWorkers",
  "sameThread",
];

const KIB = 1024;
const MIN_ALIGN = 8;
const MAX_ALIGN = 4 * KIB;
const MIN_SLAB = 4 * KIB;
const MAX_SLAB = 64 * KIB;
/** Slabs that a pool is cut into at least, as long as they do not get smaller than MIN_SLAB. */
const SLABS = 64;
/** What a seat takes of a buffer, roughly. */
const SEAT_BYTES = 40 * KIB;
const MIN_SEATS_IN_BUF = 4;

/** The heap a pool works on, and whether it is the pool's to detach. */
export interface Opened {
  readonly heap: SlabHeap;
  readonly own: boolean;
}

/** Makes, joins or takes the heap that `options` ask for. */
export function openHeap(options: MemPoolOptions): Opened {
  const given = readOptions(options);
  const { buf, heap, align, skipInitialization } = given;
  if (heap !== undefined) {
    for (const name of ["buf", "size", "maxWorkers", "sameThread"] as const) refuseWith("heap", given, name);
    if (skipInitialization) refuse("skipInitialization", "heap");
    checkEnd(given, heap.buffer.byteLength);
    checkClasses(heap, align);
    return { heap, own: false };
  }
  if (skipInitialization) {
    if (buf === undefined) {
      throw new InvalidValueError(
        'Option "skipInitialization" needs "buf", the buffer of the pool to attach to.',
      );
    }
    refuseWith("skipInitialization", given, "maxWorkers");
    checkEnd(given, buf.byteLength);
    return attachTo(buf, given);
  }
  refuseWithout("skipInitialization", given, "sameThread");
  checkEnd(given, buf === undefined ? given.size : buf.byteLength);
  return { heap: buf === undefined ? createHeap(given) : buildIn(buf, given), own: true };
}

function attachTo(buf: SharedArrayBuffer, { align, sameThread }: MemPoolOptions): Opened {
  const token = 1 + Math.floor(Math.random() * (2 ** 31 - 2));
  const ref = { kind: "temporal-slab/heap", layoutVersion: LAYOUT_VERSION, buffer: buf, token } as const;
  let heap: SlabHeap;
  try {
    heap = SlabHeap.attach(ref, { sameThread: sameThread === true });
  } catch (error) {
    if (!(error instanceof HeapFormatError)) throw error;
    throw new HeapFormatError(
      `Option "buf" holds no pool that "skipInitialization" could use; leave that out to build one. ${error.message}`,
    );
  }
  try {
    checkClasses(heap, align);
  } catch (error) {
    heap.detach();
    throw error;
  }
  return { heap, own: true };
}

function createHeap({ size = DEFAULT_CAPACITY, align = MIN_ALIGN, maxWorkers }: MemPoolOptions): SlabHeap {
  const slabSize = slabSizeFor(size);
  const sizeClasses = alignedClasses(align, slabSize);
  const slabs = Math.ceil(size / slabSize) + sizeClasses.length;
  return SlabHeap.create({
    capacity: Math.min(slabs * slabSize, MAX_CAPACITY),
    slabSize,
    sizeClasses,
    maxWorkers: maxWorkers ?? DEFAULT_MAX_WORKERS,
  });
}

function buildIn(buf: SharedArrayBuffer, { align = MIN_ALIGN, maxWorkers }: MemPoolOptions): SlabHeap {
  const slabSize = slabSizeFor(buf.byteLength);
  const seats = Math.floor(buf.byteLength / 8 / SEAT_BYTES);
  const options: HeapOptions = {
    buffer: buf,
    slabSize,
    sizeClasses: alignedClasses(align, slabSize),
    maxWorkers: maxWorkers ?? Math.min(Math.max(seats, MIN_SEATS_IN_BUF), DEFAULT_MAX_WORKERS),
  };
  try {
    return SlabHeap.create(options);
  } catch (error) {
    if (!(error instanceof InvalidValueError)) throw error;
    // Too short, or in use: the heap says so of its option, whose name the caller has not heard of.
    throw new InvalidValueError(
      `Option "buf" (${buf.byteLength} bytes, maxWorkers ${options.maxWorkers}) cannot hold the pool. Give fewer maxWorkers or a larger buffer, or skipInitialization to use the pool that is in it. ${error.message}`,
    );
  }
}

/** Small pools get small slabs: a slab serves one size class at a time. */
function slabSizeFor(bytes: number): number {
  const slab = 2 ** Math.floor(Math.log2(Math.max(1, bytes / SLABS)));
  return Math.min(Math.max(slab, MIN_SLAB), MAX_SLAB);
}

/** Each option read once and of the right type; combinations are judged by the caller. */
function readOptions(options: unknown): MemPoolOptions {
  if (typeof options !== "object" || options === null) {
    throw new InvalidTypeError(`MemPool: options must be an object; got ${describeValue(options)}.`);
  }
  const given: MemPoolOptions = { ...options };
  for (const key of Object.keys(given)) {
    if (!(KNOWN as readonly string[]).includes(key)) {
      throw new InvalidTypeError(
        `Unknown MemPool option ${JSON.stringify(key)}; known are ${KNOWN.join(", ")}.`,
      );
    }
  }
  checkBuf(given.buf);
  if (given.heap !== undefined && !(given.heap instanceof SlabHeap)) {
    throw new InvalidTypeError(`Option "heap" must be a SlabHeap; got ${describeValue(given.heap)}.`);
  }
  integerOption("size", given.size, 1, 1, MAX_CAPACITY);
  integerOption("align", given.align, MIN_ALIGN, MIN_ALIGN, MAX_ALIGN);
  if (given.align !== undefined && !Number.isInteger(Math.log2(given.align))) {
    throw new InvalidValueError(
      `Option "align" must be a power of two from ${MIN_ALIGN} to ${MAX_ALIGN}; got ${given.align}.`,
    );
  }
  integerOption("maxWorkers", given.maxWorkers, 1, 1, MAX_WORKERS_LIMIT);
  integerOption("minSplit", given.minSplit, 9, 9, Number.MAX_SAFE_INTEGER);
  for (const name of ["skipInitialization", "compact", "split", "sameThread"] as const) {
    booleanOption(name, given[name]);
  }
  checkStart(given.start);
  return given;
}

function checkBuf(buf: unknown): void {
  if (buf === undefined) return;
  if (typeof SharedArrayBuffer !== "undefined" && buf instanceof SharedArrayBuffer) return;
  throw new InvalidTypeError(
    `Option "buf" must be a SharedArrayBuffer, which every thread of the pool can see: pass new SharedArrayBuffer(n), or leave "buf" out and give "size"; got ${describeValue(buf)}.`,
  );
}

function checkStart(start: unknown): void {
  if (start === undefined || start === 0) return;
  if (typeof start !== "number") {
    throw new InvalidTypeError(`Option "start" must be the number 0; got ${describeValue(start)}.`);
  }
  throw new InvalidValueError(
    `Option "start" must be 0: a heap begins at the first byte of its buffer, so that every thread finds it; got ${start}.`,
  );
}

/** `length` is undefined where the buffer is the pool's own affair. */
function checkEnd({ end }: MemPoolOptions, length: number | undefined): void {
  const value: unknown = end;
  if (value === undefined || value === length) return;
  if (typeof value !== "number") {
    throw new InvalidTypeError(`Option "end" must be a number of bytes; got ${describeValue(value)}.`);
  }
  throw new InvalidValueError(
    `Option "end" must be the length of the buffer${length === undefined ? "" : ` (${length})`}: a heap has all of its buffer; to use less, pass a shorter one; got ${value}.`,
  );
}

/** A heap that exists has its size classes: they must be such as `align` needs. */
function checkClasses({ sizeClasses }: SlabHeap, align: number | undefined): void {
  const odd = align === undefined ? undefined : sizeClasses.find((size) => size % align !== 0);
  if (odd === undefined) return;
  throw new InvalidValueError(
    `Option "align" must divide every size class of the heap; got ${align}, and the heap has a class of ${odd} bytes. Make the heap with other sizeClasses.`,
  );
}

function refuseWith(other: string, given: MemPoolOptions, name: keyof MemPoolOptions): void {
  if (given[name] !== undefined) refuse(name, other);
}

function refuseWithout(other: string, given: MemPoolOptions, name: keyof MemPoolOptions): void {
  if (given[name] === undefined) return;
  throw new InvalidValueError(`Option "${name}" goes with "${other}" only.`);
}

function refuse(name: string, other: string): never {
  throw new InvalidValueError(
    `Option "${name}" cannot go together with "${other}": it was decided when that heap was made.`,
  );
}
