/**
 * The hot path, twice: the same four functions with the heap's constants in object fields (FastHeap) and
 * captured by a closure (specialise).
 *
 * Why twice: V8 compiles a closure that exists once with its captured constants folded in, which makes the
 * first heap of a thread about a third faster than field loads do. A second closure of the same source takes
 * that away and makes call sites see two targets they no longer inline: 2-3 times slower. So the only heap of
 * a thread gets the specialised functions through its prototype, and as soon as there is a second heap both
 * use the field version (`heap/shape.ts` decides). What the two must have in common is checked by running
 * every test of this folder on both.
 *
 * Shape rules that keep it fast (each measured; `npm run bench` shows what breaking one costs):
 *   - one Int32Array for all metadata: a second array costs a nanosecond per pair
 *   - slow paths out of line; they return a slot's index, an int, and the handle is made here: a handle that comes
 *     back from a call has been through the JS heap. Both ways out are written out: joined, they take 0.7 ns from
 *     the fast path
 *   - PHASE is compared with the value this seat last honoured, on alloc and on free; nothing else is polled
 *   - plain accesses only: every word written here is written by this thread alone
 *   - one count per operation, in the slab (counters/slab-counts.ts says why that is enough), and in this order:
 *     alloc counts before the slot becomes ALLOC, free after it became FREE
 *   - every 1024th allocation of a slab leaves the fast path: sampling costs nothing but that
 *   - offsets as literals with their name behind them: V8 stops inlining at 460 bytecodes per function and 920
 *     per caller, and a captured constant costs twice the bytecodes of a literal. A test compares each literal
 *     with the constant it names.
 */
import type { Attachment } from "../memory/attachment.js";
import { SEAT_EPOCH, SEAT_PHASE } from "../memory/offsets.js";
import { noteRoom } from "../slabs/slab.js";
import type { EpochId, Handle } from "../types.js";
import { freeNamed, freeOffsetSlow, freeSlow, objectOffset } from "./free.js";
import { allocMaybeTimed } from "./sampling.js";

/** The two allocating and the two freeing operations, with the constants in fields. */
export class FastHeap {
  /** @internal */ readonly _a: Attachment;
  private readonly _m: Int32Array;
  private readonly _phase: number;
  private readonly _bins: number;
  private readonly _slots: number;
  /** Link word = slot word + this; a power of two, so minus one it masks the slot bits. */
  private readonly _links: number;
  private readonly _slotsShift: number;
  private readonly _me: number;
  private readonly _bias: number;
  private readonly _payload: number;
  private readonly _capacity: number;
  private readonly _slabShift: number;
  private readonly _inSlabMask: number;
  private readonly _positionMask: number;

  /** @internal */
  constructor(a: Attachment) {
    const { layout } = a;
    this._a = a;
    this._m = a.m;
    this._phase = a.seatBase + SEAT_PHASE;
    this._bins = a.binBase;
    this._slots = layout.slotBase;
    this._links = layout.linkDelta;
    this._slotsShift = layout.slotsShift;
    this._me = a.me;
    this._bias = a.handleBias;
    this._payload = layout.payloadOffset;
    // Larger offsets are no int32 and take the slow path; capping keeps negative ones out of the unsigned compare.
    this._capacity = Math.min(layout.capacityBytes, 2 ** 31);
    this._slabShift = layout.slabSizeShift;
    this._inSlabMask = layout.slabSize - 1;
    this._positionMask = layout.positionMask;
  }

  /**
   * Allocates `size` bytes (1 up to the whole payload) in `epoch`, by default the current one.
   *
   * Never blocks. Returns NULL_HANDLE when the heap is full or the epoch is not open; `lastFailure` says which.
   * Contents are whatever was there before. Throws {@link InvalidTypeError} or {@link InvalidValueError} for a
   * size or epoch that makes no sense. From any attached thread.
   */
  alloc(size: number, epoch?: EpochId): Handle {
    const m = this._m;
    if (
      m[64 /* PHASE */] !== m[this._phase] ||
      (size | 0) !== size ||
      (size - 1) >>> 0 >= 32768 /* FAST_SIZE_LIMIT */ ||
      (epoch !== undefined && epoch !== m[this._phase + (SEAT_EPOCH - SEAT_PHASE)])
    ) {
      const at = allocMaybeTimed(this._a, size, epoch);
      if (at === 0) return 0 as Handle;
      return (at - this._slots - ((m[at] as number) + this._bias) * -16777216) /* NEGATIVE_UNIT */ as Handle;
    }
    const bin = this._bins + (m[2048 /* CLASS_MAP_BASE */ + ((size + 7) >> 3)] as number);
    const record = m[bin /* BIN_CURRENT */] as number;
    const slot = m[record + 17 /* SLAB_HEAD */] as number;
    const counts = ((m[record + 16 /* SLAB_COUNTS */] as number) + 262145) /* COUNT_ALLOC */ | 0;
    if (slot === 0 || (counts & 268173312) /* SAMPLE_MASK */ === 0) {
      const at = allocMaybeTimed(this._a, size, epoch);
      if (at === 0) return 0 as Handle;
      return (at - this._slots - ((m[at] as number) + this._bias) * -16777216) /* NEGATIVE_UNIT */ as Handle;
    }
    const word = m[slot] as number;
    m[record + 16 /* SLAB_COUNTS */] = counts;
    m[record + 17 /* SLAB_HEAD */] = m[slot + this._links] as number;
    m[slot] = word + 1;
    return (slot - this._slots - (word + 1 + this._bias) * -16777216) /* NEGATIVE_UNIT */ as Handle;
  }

  /**
   * Frees an object from any attached thread. Returns false, and harms nothing, for NULL_HANDLE and for handles
   * that are stale, forged, of another heap or already freed. Never throws on a number.
   */
  free(handle: Handle): boolean {
    const m = this._m;
    const slot = handle & (this._links - 1);
    const at = this._slots + slot;
    const word = m[at] as number;
    const record = 6208 /* SLAB_BASE */ + ((slot >> this._slotsShift) << 5) /* SLAB_SHIFT_WORDS */;
    if (
      (word & 268435459) /* FAST_FREE_MASK */ !== 1 ||
      slot - (word + this._bias) * -16777216 /* NEGATIVE_UNIT */ !== handle
    ) {
      return freeSlow(this._a, handle);
    }
    if (m[record + 4 /* SLAB_FAST_OWNER */] !== this._me || m[64 /* PHASE */] !== m[this._phase]) {
      return freeNamed(this._a, at, word);
    }
    const head = m[record + 17 /* SLAB_HEAD */] as number;
    m[at] = word + 3;
    m[at + this._links] = head;
    m[record + 17 /* SLAB_HEAD */] = at;
    m[record + 16 /* SLAB_COUNTS */] = (m[record + 16 /* SLAB_COUNTS */] as number) - 1 /* COUNT_FREE */;
    if (head === 0) noteRoom(this._a, record);
    return true;
  }

  /**
   * As {@link alloc} in the current epoch, but returns the byte offset into `buffer`, 0 on failure: a plain
   * int that costs less to keep than a handle and is not checked for its generation when used.
   */
  allocOffset(size: number): number {
    const m = this._m;
    if (
      m[64 /* PHASE */] !== m[this._phase] ||
      (size | 0) !== size ||
      (size - 1) >>> 0 >= 32768 /* FAST_SIZE_LIMIT */
    ) {
      return allocOffsetSlow(this._a, size);
    }
    const bin = this._bins + (m[2048 /* CLASS_MAP_BASE */ + ((size + 7) >> 3)] as number);
    const record = m[bin /* BIN_CURRENT */] as number;
    const slot = m[record + 17 /* SLAB_HEAD */] as number;
    const counts = ((m[record + 16 /* SLAB_COUNTS */] as number) + 262145) /* COUNT_ALLOC */ | 0;
    if (slot === 0 || (counts & 268173312) /* SAMPLE_MASK */ === 0) return allocOffsetSlow(this._a, size);
    m[record + 16 /* SLAB_COUNTS */] = counts;
    m[record + 17 /* SLAB_HEAD */] = m[slot + this._links] as number;
    m[slot] = (m[slot] as number) + 1;
    const index = slot - this._slots;
    return (
      this._payload +
      (((index >> this._slotsShift) << this._slabShift) >>> 0) +
      Math.imul(index & this._positionMask, m[record + 5 /* SLAB_OBJECT_SIZE */] as number)
    );
  }

  /**
   * Frees the object that starts at byte `offset`, from any attached thread. Returns false for anything that is
   * not the start of a live object. Unlike a handle, an offset cannot tell the object it was issued for from
   * a later one in the same place. Throws {@link InvalidTypeError} for what is no number.
   */
  freeOffset(offset: number): boolean {
    const m = this._m;
    // Looks at the type, or arithmetic would free the object at the number that "135168" or [135168] turns into.
    const at = typeof offset === "number" ? offset - this._payload : -1;
    if ((at | 0) !== at || at >>> 0 >= this._capacity) return freeOffsetSlow(this._a, offset);
    const slab = at >> this._slabShift;
    const inSlab = at & this._inSlabMask;
    const record = 6208 /* SLAB_BASE */ + (slab << 5) /* SLAB_SHIFT_WORDS */;
    const shift = m[record + 6 /* SLAB_SIZE_SHIFT */] as number;
    const size = m[record + 5 /* SLAB_OBJECT_SIZE */] as number;
    const position = shift >= 0 ? inSlab >> shift : (inSlab / size) | 0;
    const slot = this._slots + (slab << this._slotsShift) + position;
    const word = m[slot] as number;
    if (
      m[record + 4 /* SLAB_FAST_OWNER */] !== this._me ||
      position > this._positionMask ||
      Math.imul(position, size) !== inSlab ||
      (word & 268435459) /* FAST_FREE_MASK */ !== 1 ||
      m[64 /* PHASE */] !== m[this._phase]
    ) {
      return freeOffsetSlow(this._a, offset);
    }
    const head = m[record + 17 /* SLAB_HEAD */] as number;
    m[slot] = word + 3;
    m[slot + this._links] = head;
    m[record + 17 /* SLAB_HEAD */] = slot;
    m[record + 16 /* SLAB_COUNTS */] = (m[record + 16 /* SLAB_COUNTS */] as number) - 1 /* COUNT_FREE */;
    if (head === 0) noteRoom(this._a, record);
    return true;
  }
}

function allocOffsetSlow(a: Attachment, size: number): number {
  const slotWord = allocMaybeTimed(a, size, undefined);
  return slotWord === 0 ? 0 : objectOffset(a, slotWord);
}

/** What {@link specialise} provides. */
export interface FastOperations {
  alloc(size: number, epoch?: EpochId): Handle;
  free(handle: Handle): boolean;
  allocOffset(size: number): number;
  freeOffset(offset: number): boolean;
}

/** The same operations with every constant captured. Call once per thread: see the head of this file. */
export function specialise(a: Attachment): FastOperations {
  const { m: words, layout } = a;
  const phase = a.seatBase + SEAT_PHASE;
  const epochWord = a.seatBase + SEAT_EPOCH;
  const bins = a.binBase;
  const slots = layout.slotBase;
  const links = layout.linkDelta;
  const slotMask = layout.slotMask;
  const slotsShift = layout.slotsShift;
  const me = a.me;
  const bias = a.handleBias;
  const payload = layout.payloadOffset;
  const capacity = Math.min(layout.capacityBytes, 2 ** 31);
  const slabShift = layout.slabSizeShift;
  const inSlabMask = layout.slabSize - 1;
  const positionMask = layout.positionMask;

  return {
    alloc(size: number, epoch?: EpochId): Handle {
      const m = words;
      if (
        m[64 /* PHASE */] !== m[phase] ||
        (size | 0) !== size ||
        (size - 1) >>> 0 >= 32768 /* FAST_SIZE_LIMIT */ ||
        (epoch !== undefined && epoch !== m[epochWord])
      ) {
        const at = allocMaybeTimed(a, size, epoch);
        if (at === 0) return 0 as Handle;
        return (at - slots - ((m[at] as number) + bias) * -16777216) /* NEGATIVE_UNIT */ as Handle;
      }
      const bin = bins + (m[2048 /* CLASS_MAP_BASE */ + ((size + 7) >> 3)] as number);
      const record = m[bin /* BIN_CURRENT */] as number;
      const slot = m[record + 17 /* SLAB_HEAD */] as number;
      const counts = ((m[record + 16 /* SLAB_COUNTS */] as number) + 262145) /* COUNT_ALLOC */ | 0;
      if (slot === 0 || (counts & 268173312) /* SAMPLE_MASK */ === 0) {
        const at = allocMaybeTimed(a, size, epoch);
        if (at === 0) return 0 as Handle;
        return (at - slots - ((m[at] as number) + bias) * -16777216) /* NEGATIVE_UNIT */ as Handle;
      }
      const word = m[slot] as number;
      m[record + 16 /* SLAB_COUNTS */] = counts;
      m[record + 17 /* SLAB_HEAD */] = m[slot + links] as number;
      m[slot] = word + 1;
      return (slot - slots - (word + 1 + bias) * -16777216) /* NEGATIVE_UNIT */ as Handle;
    },

    free(handle: Handle): boolean {
      const m = words;
      const slot = handle & slotMask;
      const at = slots + slot;
      const word = m[at] as number;
      const record = 6208 /* SLAB_BASE */ + ((slot >> slotsShift) << 5) /* SLAB_SHIFT_WORDS */;
      if (
        (word & 268435459) /* FAST_FREE_MASK */ !== 1 ||
        slot - (word + bias) * -16777216 /* NEGATIVE_UNIT */ !== handle
      ) {
        return freeSlow(a, handle);
      }
      if (m[record + 4 /* SLAB_FAST_OWNER */] !== me || m[64 /* PHASE */] !== m[phase]) {
        return freeNamed(a, at, word);
      }
      const head = m[record + 17 /* SLAB_HEAD */] as number;
      m[at] = word + 3;
      m[at + links] = head;
      m[record + 17 /* SLAB_HEAD */] = at;
      m[record + 16 /* SLAB_COUNTS */] = (m[record + 16 /* SLAB_COUNTS */] as number) - 1 /* COUNT_FREE */;
      if (head === 0) noteRoom(a, record);
      return true;
    },

    allocOffset(size: number): number {
      const m = words;
      if (
        m[64 /* PHASE */] !== m[phase] ||
        (size | 0) !== size ||
        (size - 1) >>> 0 >= 32768 /* FAST_SIZE_LIMIT */
      ) {
        return +allocOffsetSlow(a, size);
      }
      const bin = bins + (m[2048 /* CLASS_MAP_BASE */ + ((size + 7) >> 3)] as number);
      const record = m[bin /* BIN_CURRENT */] as number;
      const slot = m[record + 17 /* SLAB_HEAD */] as number;
      const counts = ((m[record + 16 /* SLAB_COUNTS */] as number) + 262145) /* COUNT_ALLOC */ | 0;
      if (slot === 0 || (counts & 268173312) /* SAMPLE_MASK */ === 0) return +allocOffsetSlow(a, size);
      m[record + 16 /* SLAB_COUNTS */] = counts;
      m[record + 17 /* SLAB_HEAD */] = m[slot + links] as number;
      m[slot] = (m[slot] as number) + 1;
      const index = slot - slots;
      return (
        payload +
        (((index >> slotsShift) << slabShift) >>> 0) +
        Math.imul(index & positionMask, m[record + 5 /* SLAB_OBJECT_SIZE */] as number)
      );
    },

    freeOffset(offset: number): boolean {
      const m = words;
      // Looks at the type, or arithmetic would free the object at the number that "135168" or [135168] turns into.
      const at = typeof offset === "number" ? offset - payload : -1;
      if ((at | 0) !== at || at >>> 0 >= capacity) return freeOffsetSlow(a, offset);
      const slab = at >> slabShift;
      const inSlab = at & inSlabMask;
      const record = 6208 /* SLAB_BASE */ + (slab << 5) /* SLAB_SHIFT_WORDS */;
      const shift = m[record + 6 /* SLAB_SIZE_SHIFT */] as number;
      const size = m[record + 5 /* SLAB_OBJECT_SIZE */] as number;
      const position = shift >= 0 ? inSlab >> shift : (inSlab / size) | 0;
      const slot = slots + (slab << slotsShift) + position;
      const word = m[slot] as number;
      if (
        m[record + 4 /* SLAB_FAST_OWNER */] !== me ||
        position > positionMask ||
        Math.imul(position, size) !== inSlab ||
        (word & 268435459) /* FAST_FREE_MASK */ !== 1 ||
        m[64 /* PHASE */] !== m[phase]
      ) {
        return freeOffsetSlow(a, offset);
      }
      const head = m[record + 17 /* SLAB_HEAD */] as number;
      m[slot] = word + 3;
      m[slot + links] = head;
      m[record + 17 /* SLAB_HEAD */] = slot;
      m[record + 16 /* SLAB_COUNTS */] = (m[record + 16 /* SLAB_COUNTS */] as number) - 1 /* COUNT_FREE */;
      if (head === 0) noteRoom(a, record);
      return true;
    },
  };
}
