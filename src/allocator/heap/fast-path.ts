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
 *   - slow paths out of line, called as `+slow()`: a tagged return value would box the handle
 *   - PHASE is compared with the value this seat last honoured, on alloc and on free; nothing else is polled
 *   - plain accesses only: every word written here is written by this thread alone
 */
import { BIN_CURRENT as BIN_CURRENT_WORD, C_ALLOCS as ALLOCS_CELL } from "../counters/fields.js";
import { carry } from "../counters/record.js";
import type { Attachment } from "../memory/attachment.js";
import {
  PHASE as PHASE_WORD,
  SEAT_EPOCH,
  SEAT_PHASE,
  SLAB_BASE as RECORDS,
  SLAB_FAST_OWNER,
  SLAB_HEAD,
  SLAB_LIVE,
  SLAB_OBJECT_SIZE,
  SLAB_SIZE_SHIFT,
} from "../memory/layout.js";
import type { EpochId, Handle } from "../types.js";
import { packHandle } from "../words/handle.js";
import { FAST_FREE_MASK } from "../words/slot-word.js";
import { noteRoom } from "../slabs/slab.js";
import { allocSlow } from "./alloc.js";
import { freeOffsetSlow, freeSlow, objectOffset } from "./free.js";

// Module constants of this file fold into the code; imported bindings would be loaded each time.
const PHASE = PHASE_WORD;
const BASE = RECORDS;
const HEAD = SLAB_HEAD;
const LIVE = SLAB_LIVE;
const OWNER = SLAB_FAST_OWNER;
const SIZE = SLAB_OBJECT_SIZE;
const SIZE_SHIFT = SLAB_SIZE_SHIFT;
const CURRENT = BIN_CURRENT_WORD;
const ALLOCS = ALLOCS_CELL;
const FREE_MASK = FAST_FREE_MASK;
const UNIT = -16777216; // NEGATIVE_UNIT of words/handle.ts; a literal, so that it is a constant double

/** The two allocating and the two freeing operations, with the constants in fields. */
export class FastHeap {
  /** @internal */ readonly _a: Attachment;
  private readonly _m: Int32Array;
  private readonly _phase: number;
  private readonly _map: number;
  private readonly _bins: number;
  private readonly _maxSmall: number;
  private readonly _slots: number;
  private readonly _links: number;
  private readonly _slotMask: number;
  private readonly _slotsShift: number;
  private readonly _me: number;
  private readonly _bias: number;
  private readonly _payload: number;
  private readonly _capacity: number;
  private readonly _slabShift: number;

  /** @internal */
  constructor(a: Attachment) {
    const { layout } = a;
    this._a = a;
    this._m = a.m;
    this._phase = a.seatBase + SEAT_PHASE;
    this._map = layout.classMapBase;
    this._bins = a.binBase;
    this._maxSmall = layout.maxSmallSize;
    this._slots = layout.slotBase;
    this._links = layout.linkDelta;
    this._slotMask = layout.slotMask;
    this._slotsShift = layout.slotsShift;
    this._me = a.me;
    this._bias = a.handleBias;
    this._payload = layout.payloadOffset;
    this._capacity = layout.capacityBytes;
    this._slabShift = layout.slabSizeShift;
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
      m[PHASE] !== m[this._phase] ||
      (size | 0) !== size ||
      (size - 1) >>> 0 >= this._maxSmall ||
      (epoch !== undefined && epoch !== m[this._phase + (SEAT_EPOCH - SEAT_PHASE)])
    ) {
      return +this.allocOut(size, epoch) as Handle;
    }
    const bin = this._bins + (m[this._map + ((size + 7) >> 3)] as number);
    const record = m[bin + CURRENT] as number;
    const slot = m[record + HEAD] as number;
    if (slot === 0) return +this.allocOut(size, epoch) as Handle;
    const word = m[slot] as number;
    m[record + HEAD] = m[slot + this._links] as number;
    m[slot] = word + 1;
    m[record + LIVE] = (m[record + LIVE] as number) + 1;
    const allocs = ((m[bin + ALLOCS] as number) + 1) | 0;
    m[bin + ALLOCS] = allocs;
    if (allocs === 0) carry(m, bin + ALLOCS, 0);
    return (slot - this._slots - (word + 1 + this._bias) * UNIT) as Handle;
  }

  /**
   * Frees an object from any attached thread. Returns false, and harms nothing, for NULL_HANDLE and for handles
   * that are stale, forged, of another heap or already freed. Never throws on a number.
   */
  free(handle: Handle): boolean {
    const m = this._m;
    const slot = handle & this._slotMask;
    const at = this._slots + slot;
    const word = m[at] as number;
    const record = BASE + ((slot >> this._slotsShift) << 4);
    if (
      (word & FREE_MASK) !== 1 ||
      slot - (word + this._bias) * UNIT !== handle ||
      m[record + OWNER] !== this._me ||
      m[PHASE] !== m[this._phase]
    ) {
      return freeSlow(this._a, handle);
    }
    const head = m[record + HEAD] as number;
    m[at] = word + 3;
    m[at + this._links] = head;
    m[record + HEAD] = at;
    m[record + LIVE] = (m[record + LIVE] as number) - 1;
    if (head === 0) noteRoom(this._a, record);
    return true;
  }

  /**
   * As {@link alloc} in the current epoch, but returns the byte offset into `buffer`, 0 on failure: a plain
   * int that costs less to keep than a handle and is not checked for its generation when used.
   */
  allocOffset(size: number): number {
    const m = this._m;
    if (m[PHASE] !== m[this._phase] || (size | 0) !== size || (size - 1) >>> 0 >= this._maxSmall) {
      return this.allocOffsetOut(size);
    }
    const bin = this._bins + (m[this._map + ((size + 7) >> 3)] as number);
    const record = m[bin + CURRENT] as number;
    const slot = m[record + HEAD] as number;
    if (slot === 0) return this.allocOffsetOut(size);
    m[record + HEAD] = m[slot + this._links] as number;
    m[slot] = (m[slot] as number) + 1;
    m[record + LIVE] = (m[record + LIVE] as number) + 1;
    const allocs = ((m[bin + ALLOCS] as number) + 1) | 0;
    m[bin + ALLOCS] = allocs;
    if (allocs === 0) carry(m, bin + ALLOCS, 0);
    const slab = (record - BASE) >> 4;
    return (
      this._payload +
      slab * 2 ** this._slabShift +
      (slot - this._slots - (slab << this._slotsShift)) * (m[record + SIZE] as number)
    );
  }

  /**
   * Frees the object that starts at byte `offset`, from any attached thread. Returns false for anything that is
   * not the start of a live object. Unlike a handle, an offset cannot tell the object it was issued for from
   * a later one in the same place.
   */
  freeOffset(offset: number): boolean {
    const m = this._m;
    const at = offset - this._payload;
    if ((at | 0) !== at || at < 0 || at >= this._capacity) return freeOffsetSlow(this._a, offset);
    const slab = at >> this._slabShift;
    const inSlab = at & ((1 << this._slabShift) - 1);
    const record = BASE + (slab << 4);
    const shift = m[record + SIZE_SHIFT] as number;
    const size = m[record + SIZE] as number;
    const position = shift >= 0 ? inSlab >> shift : (inSlab / size) | 0;
    const slot = this._slots + (slab << this._slotsShift) + position;
    const word = m[slot] as number;
    if (
      m[record + OWNER] !== this._me ||
      position >> this._slotsShift !== 0 ||
      position * size !== inSlab ||
      (word & FREE_MASK) !== 1 ||
      m[PHASE] !== m[this._phase]
    ) {
      return freeOffsetSlow(this._a, offset);
    }
    const head = m[record + HEAD] as number;
    m[slot] = word + 3;
    m[slot + this._links] = head;
    m[record + HEAD] = slot;
    m[record + LIVE] = (m[record + LIVE] as number) - 1;
    if (head === 0) noteRoom(this._a, record);
    return true;
  }

  /** @internal */
  allocOut(size: number, epoch: EpochId | undefined): Handle {
    return allocHandleSlow(this._a, size, epoch);
  }

  /** @internal */
  allocOffsetOut(size: number): number {
    return allocOffsetSlow(this._a, size);
  }
}

function allocHandleSlow(a: Attachment, size: number, epoch: EpochId | undefined): Handle {
  const slotWord = allocSlow(a, size, epoch);
  if (slotWord === 0) return 0 as Handle;
  return packHandle(slotWord - a.layout.slotBase, a.m[slotWord] as number, a.handleBias);
}

function allocOffsetSlow(a: Attachment, size: number): number {
  const slotWord = allocSlow(a, size, undefined);
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
  const { m, layout } = a;
  const phase = a.seatBase + SEAT_PHASE;
  const epochWord = a.seatBase + SEAT_EPOCH;
  const map = layout.classMapBase;
  const bins = a.binBase;
  const maxSmall = layout.maxSmallSize;
  const slots = layout.slotBase;
  const links = layout.linkDelta;
  const slotMask = layout.slotMask;
  const slotsShift = layout.slotsShift;
  const me = a.me;
  const bias = a.handleBias;
  const payload = layout.payloadOffset;
  const capacity = layout.capacityBytes;
  const slabShift = layout.slabSizeShift;
  const slabSize = layout.slabSize;
  const inSlabMask = slabSize - 1;

  return {
    alloc(size: number, epoch?: EpochId): Handle {
      if (
        m[PHASE] !== m[phase] ||
        (size | 0) !== size ||
        (size - 1) >>> 0 >= maxSmall ||
        (epoch !== undefined && epoch !== m[epochWord])
      ) {
        return +allocHandleSlow(a, size, epoch) as Handle;
      }
      const bin = bins + (m[map + ((size + 7) >> 3)] as number);
      const record = m[bin + CURRENT] as number;
      const slot = m[record + HEAD] as number;
      if (slot === 0) return +allocHandleSlow(a, size, epoch) as Handle;
      const word = m[slot] as number;
      m[record + HEAD] = m[slot + links] as number;
      m[slot] = word + 1;
      m[record + LIVE] = (m[record + LIVE] as number) + 1;
      const allocs = ((m[bin + ALLOCS] as number) + 1) | 0;
      m[bin + ALLOCS] = allocs;
      if (allocs === 0) carry(m, bin + ALLOCS, 0);
      return (slot - slots - (word + 1 + bias) * UNIT) as Handle;
    },

    free(handle: Handle): boolean {
      const slot = handle & slotMask;
      const at = slots + slot;
      const word = m[at] as number;
      const record = BASE + ((slot >> slotsShift) << 4);
      if (
        (word & FREE_MASK) !== 1 ||
        slot - (word + bias) * UNIT !== handle ||
        m[record + OWNER] !== me ||
        m[PHASE] !== m[phase]
      ) {
        return freeSlow(a, handle);
      }
      const head = m[record + HEAD] as number;
      m[at] = word + 3;
      m[at + links] = head;
      m[record + HEAD] = at;
      m[record + LIVE] = (m[record + LIVE] as number) - 1;
      if (head === 0) noteRoom(a, record);
      return true;
    },

    allocOffset(size: number): number {
      if (m[PHASE] !== m[phase] || (size | 0) !== size || (size - 1) >>> 0 >= maxSmall) {
        return +allocOffsetSlow(a, size);
      }
      const bin = bins + (m[map + ((size + 7) >> 3)] as number);
      const record = m[bin + CURRENT] as number;
      const slot = m[record + HEAD] as number;
      if (slot === 0) return +allocOffsetSlow(a, size);
      m[record + HEAD] = m[slot + links] as number;
      m[slot] = (m[slot] as number) + 1;
      m[record + LIVE] = (m[record + LIVE] as number) + 1;
      const allocs = ((m[bin + ALLOCS] as number) + 1) | 0;
      m[bin + ALLOCS] = allocs;
      if (allocs === 0) carry(m, bin + ALLOCS, 0);
      const slab = (record - BASE) >> 4;
      return payload + slab * slabSize + (slot - slots - (slab << slotsShift)) * (m[record + SIZE] as number);
    },

    freeOffset(offset: number): boolean {
      const at = offset - payload;
      if ((at | 0) !== at || at < 0 || at >= capacity) return freeOffsetSlow(a, offset);
      const slab = at >> slabShift;
      const inSlab = at & inSlabMask;
      const record = BASE + (slab << 4);
      const shift = m[record + SIZE_SHIFT] as number;
      const size = m[record + SIZE] as number;
      const position = shift >= 0 ? inSlab >> shift : (inSlab / size) | 0;
      const slot = slots + (slab << slotsShift) + position;
      const word = m[slot] as number;
      if (
        m[record + OWNER] !== me ||
        position >> slotsShift !== 0 ||
        position * size !== inSlab ||
        (word & FREE_MASK) !== 1 ||
        m[PHASE] !== m[phase]
      ) {
        return freeOffsetSlow(a, offset);
      }
      const head = m[record + HEAD] as number;
      m[slot] = word + 3;
      m[slot + links] = head;
      m[record + HEAD] = slot;
      m[record + LIVE] = (m[record + LIVE] as number) - 1;
      if (head === 0) noteRoom(a, record);
      return true;
    },
  };
}
