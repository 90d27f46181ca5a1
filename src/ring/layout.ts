/**
 * The words of a ring, in a buffer of its own: an object of the heap would end with its epoch.
 *
 *   header | state | consumer | lane owners | lane 0 | lane 1 | ...
 *   lane:    tail | head, waits | slots: two words per handle, low half first
 *
 * Whatever different threads write lies 128 bytes apart: processors fetch cache lines in pairs.
 *
 * | word | written by | read by | ordering |
 * |---|---|---|---|
 * | state | consumer (WAITING, ENDED), whoever closes, senders that found it not 0 | senders after publishing, consumer | A; P by senders before they write, who may be late |
 * | consumer, lane owners | see threads/owners.ts | those who look for a place | A CAS |
 * | tail | the lane's owner | consumer, next owner | A store: it publishes the slots |
 * | head | the consumer | the lane's owner, next consumer | A store: the slot is free once it is visible |
 * | waits | the lane's owner (1), consumer and closer (0) | consumer after moving head | A |
 * | slots | the lane's owner, before tail | consumer, after tail | P between two A |
 *
 * tail and head count up modulo 2^32; their difference is what waits in the lane, the low bits are the slot.
 */
import {
  BufferUnavailableError,
  describeValue,
  HeapFormatError,
  heapIdentity,
  loadSeq,
  orSeq,
  type SlabHeap,
  storeSeq,
} from "../allocator/index.js";
import { wake } from "../threads/index.js";

export const RING_MAGIC = 0x52534c54; // "TLSR"
export const RING_VERSION = 1;
export const RING_KIND = "temporal-slab/handle-ring";
export const MIN_CAPACITY = 2;
export const MAX_CAPACITY = 1048576;
export const MAX_PRODUCERS = 64;

// Literals on purpose: the build writes them into the code.
const R_MAGIC = 0;
const R_VERSION = 1;
const R_CAPACITY = 2;
const R_PRODUCERS = 3;
const R_HEAP = 4;
/** Words of the heap's identity kept in the header. */
const HEAP_WORDS = 2;
export const R_STATE = 32;
export const R_CONSUMER = 64;
export const R_LANE_OWNERS = 96;
export const R_LANES = 160;
/** Words within a lane. */
export const L_TAIL = 0;
export const L_HEAD = 32;
/** 1: the lane's owner waits, or has waited, for head to move. */
export const L_WAITS = 33;
export const L_SLOTS = 64;

/**
 * State: 0 as long as nobody has to do anything but move handles.
 *
 *   31              3   2       1        0
 *   |     races     | ENDED | CLOSED | WAITING |
 */
/** The consumer waits, or has waited: whoever publishes next clears this and wakes it. Never cleared by the consumer. */
export const WAITING = 1;
/** No send begins any more. */
export const CLOSED = 2;
/** The consumer has found the closed ring empty, and takes nothing from it any more. */
export const ENDED = 4;
/** Added by each send that finds the ring closed after it has published. */
export const RACE = 8;

/** A ring's words and measures: all that sender and receiver need of it. */
export interface RingShape {
  readonly m: Int32Array;
  /** Where the ring begins in `m`. */
  readonly base: number;
  /** Handles per lane, a power of two. */
  readonly capacity: number;
  readonly producers: number;
}

/** Words from one lane to the next. */
export function laneWords(capacity: number): number {
  return (L_SLOTS + 2 * capacity + 31) & ~31;
}

/** First word of a lane in `m`. */
export function laneAt({ base, capacity }: RingShape, lane: number): number {
  return base + R_LANES + lane * laneWords(capacity);
}

export function ringWords(capacity: number, producers: number): number {
  return R_LANES + producers * laneWords(capacity);
}

/** The lowest power of two that is at least `value`. */
export function roundUp(value: number): number {
  return 2 ** Math.ceil(Math.log2(value));
}

/** What another thread needs to attach; survives structured cloning. */
export interface HandleRingRef {
  readonly kind: "temporal-slab/handle-ring";
  readonly version: number;
  readonly buffer: SharedArrayBuffer;
}

/** A new, empty ring for handles of `heap`. */
export function createRing(heap: SlabHeap, capacity: number, producers: number): RingShape {
  const bytes = 4 * ringWords(capacity, producers);
  let buffer: SharedArrayBuffer;
  try {
    buffer = new SharedArrayBuffer(bytes);
  } catch (cause) {
    const error = new BufferUnavailableError(
      `HandleRing.create: this runtime gives no SharedArrayBuffer of ${bytes} bytes, which ${producers} lanes of ${capacity} handles take; ask for fewer.`,
    );
    error.cause = cause;
    throw error;
  }
  const m = new Int32Array(buffer);
  const [h1, h2] = heapIdentity(heap.i32);
  [RING_MAGIC, RING_VERSION, capacity, producers, h1, h2].forEach((word, i) => {
    m[R_MAGIC + i] = word;
  });
  return { m, base: 0, capacity, producers };
}

/** The ring that `ref` names. Throws {@link HeapFormatError} for anything that is not a ring of this version and heap. */
export function openRing(heap: SlabHeap, ref: unknown): RingShape {
  const given: Partial<HandleRingRef> = typeof ref === "object" && ref !== null ? ref : {};
  const { kind, version, buffer } = given;
  const refuse = (why: string): never => {
    throw new HeapFormatError(`HandleRing.attach: ${why}`);
  };
  if (kind !== RING_KIND)
    return refuse(
      `expected what share() returned, possibly received through postMessage; got ${describeValue(ref)}.`,
    );
  if (!(buffer instanceof SharedArrayBuffer))
    return refuse(`ref.buffer must be a SharedArrayBuffer; got ${describeValue(buffer)}.`);
  if (version !== RING_VERSION)
    return refuse(
      `the ref has version ${describeValue(version)}, this package reads version ${RING_VERSION}; use the same package version in every thread.`,
    );
  if (buffer.byteLength < 4 * R_LANES || buffer.byteLength % 4 !== 0)
    return refuse(`a buffer of ${buffer.byteLength} bytes holds no ring.`);
  const m = new Int32Array(buffer);
  const capacity = m[R_CAPACITY] as number;
  const producers = m[R_PRODUCERS] as number;
  const isRing = m[R_MAGIC] === RING_MAGIC && m[R_VERSION] === RING_VERSION;
  const isSound =
    capacity >= MIN_CAPACITY &&
    capacity <= MAX_CAPACITY &&
    roundUp(capacity) === capacity &&
    producers >= 1 &&
    producers <= MAX_PRODUCERS &&
    buffer.byteLength === 4 * ringWords(capacity, producers);
  if (!isRing || !isSound)
    return refuse("the buffer holds no ring of this version, or its header is damaged.");
  const identity = heapIdentity(heap.i32);
  for (let i = 0; i < HEAP_WORDS; i++) {
    if (m[R_HEAP + i] !== identity[i])
      return refuse("the ring was made for another heap; attach it with a SlabHeap of that one.");
  }
  return { m, base: 0, capacity, producers };
}

/** No send begins from now on; wakes everybody who waits. */
export function closeRing(shape: RingShape): void {
  const { m, base, producers } = shape;
  // First the state, then who waits: a thread announces that it waits first and reads the state second.
  orSeq(m, base + R_STATE, CLOSED);
  wake(m, base + R_STATE);
  for (let lane = 0; lane < producers; lane++) wakeSender(m, laneAt(shape, lane) + L_WAITS);
}

/** Wakes the lane's owner if it has announced that it waits. */
export function wakeSender(m: Int32Array, waitsAt: number): void {
  if (loadSeq(m, waitsAt) === 0) return;
  storeSeq(m, waitsAt, 0);
  wake(m, waitsAt);
}

/** Handles in a lane. Exact for an instant between the two loads; 0..capacity. */
export function laneSize(shape: RingShape, lane: number): number {
  const at = laneAt(shape, lane);
  const head = loadSeq(shape.m, at + L_HEAD);
  const size = (loadSeq(shape.m, at + L_TAIL) - head) | 0;
  return Math.min(shape.capacity, Math.max(0, size));
}
