/** What lies at a handle: the heap's bytes, and one object's place, size, epoch and views. */
import { EpochClosedError, InvalidTypeError, OutOfMemoryError } from "../errors.js";
import { loadSeq } from "../memory/atomics.js";
import { type Attachment, FAILURE_EPOCH_CLOSED } from "../memory/attachment.js";
import { recordAt } from "../memory/layout.js";
import { ERA, SLAB_ERA } from "../memory/offsets.js";
import { describe } from "../memory/size-classes.js";
import { poll } from "../seats/sync.js";
import type { AllocFailure, EpochId, EpochRef, Handle, TypedArrayConstructor } from "../types.js";
import { checkLength, checkTypedArray, detachedError } from "./check.js";
import { epochRef } from "./close.js";
import { FastHeap } from "./fast-path.js";
import {
  confirmedOffset,
  confirmedSize,
  confirmLive,
  handleAtOffset,
  liveSlot,
  liveSlotOrThrow,
  slabOfSlot,
} from "./free.js";

const FAILURES: readonly AllocFailure[] = ["none", "out-of-memory", "epoch-closed"];

/** The part of `SlabHeap` that deals with single objects. */
export class ObjectHeap extends FastHeap {
  /** The whole heap, metadata included; use {@link byteOffset} to find objects in it. */
  readonly buffer: SharedArrayBuffer;
  /** Views of the whole buffer, made once. Divide a byte offset by the element size to index them. */
  readonly u8: Uint8Array;
  readonly i8: Int8Array;
  readonly u16: Uint16Array;
  readonly i16: Int16Array;
  readonly u32: Uint32Array;
  readonly i32: Int32Array;
  readonly f32: Float32Array;
  readonly f64: Float64Array;
  readonly u64: BigUint64Array;
  readonly i64: BigInt64Array;
  /** Object sizes in bytes, ascending; larger objects take runs of slabs. */
  readonly sizeClasses: readonly number[];
  /** Objects a slab holds, for each of {@link sizeClasses}. */
  readonly slotsPerSlab: readonly number[];
  /** Payload bytes: the last ones of {@link u8}. */
  readonly capacity: number;
  /** Bytes per slab. */
  readonly slabSize: number;

  /** @internal */
  constructor(a: Attachment) {
    super(a);
    const { buffer, layout } = a;
    const n = layout.bufferBytes;
    this.buffer = buffer;
    this.u8 = a.u8;
    this.i8 = new Int8Array(buffer, 0, n);
    this.u16 = new Uint16Array(buffer, 0, n / 2);
    this.i16 = new Int16Array(buffer, 0, n / 2);
    this.u32 = new Uint32Array(buffer, 0, n / 4);
    this.i32 = new Int32Array(buffer, 0, n / 4);
    this.f32 = new Float32Array(buffer, 0, n / 4);
    this.f64 = new Float64Array(buffer, 0, n / 8);
    this.u64 = new BigUint64Array(buffer, 0, n / 8);
    this.i64 = new BigInt64Array(buffer, 0, n / 8);
    this.sizeClasses = layout.sizeClasses;
    this.slotsPerSlab = layout.classSlots;
    this.capacity = layout.capacityBytes;
    this.slabSize = layout.slabSize;
  }

  /** Why this thread's last alloc returned NULL_HANDLE; "none" after one that did not fail in the slow path. */
  get lastFailure(): AllocFailure {
    return FAILURES[this._a.lastFailure] as AllocFailure;
  }

  /** The epoch that is open for allocation, the same for every thread. */
  get currentEpoch(): EpochRef {
    return epochRef(loadSeq(this._a.m, ERA));
  }

  /** As `alloc`, but throws {@link OutOfMemoryError} or {@link EpochClosedError} instead of returning NULL_HANDLE. */
  allocOrThrow(size: number, epoch?: EpochId): Handle {
    const handle = this.alloc(size, epoch);
    if (handle !== 0) return handle;
    if (this._a.detached) throw detachedError("allocOrThrow", this._a);
    if (this._a.lastFailure === FAILURE_EPOCH_CLOSED) {
      throw new EpochClosedError(
        `alloc(${size}): epoch ${epoch ?? this.currentEpoch.id} is not open; allocate in currentEpoch.`,
      );
    }
    throw new OutOfMemoryError(
      `alloc(${size}): no room in ${this.capacity} bytes of payload; free or discard objects, or create a larger heap.`,
    );
  }

  /** True while `handle` names a live object; false as soon as it is freed or its epoch discarded, by whichever thread. */
  isLive(handle: Handle): boolean {
    if (typeof handle !== "number") {
      throw new InvalidTypeError(`isLive: handle must be a number; got ${describe(handle)}.`);
    }
    poll(this._a);
    return liveSlot(this._a, handle) !== 0;
  }

  /** Byte offset of the object into {@link buffer}. Throws {@link StaleHandleError}. */
  byteOffset(handle: Handle): number {
    const slot = liveSlotOrThrow(this._a, handle, "byteOffset");
    return confirmedOffset(this._a, slot, handle, "byteOffset");
  }

  /**
   * Handle of the live object that begins exactly at byte `offset`; NULL_HANDLE for an offset into the middle of one, of
   * no live object, or outside the payload. The way from a plain pointer (`allocOffset`) to {@link sizeOf},
   * {@link isLive} and the other checked calls. Never throws on a number.
   */
  handleAt(offset: number): Handle {
    if (typeof offset !== "number") {
      throw new InvalidTypeError(`handleAt: offset must be a number; got ${describe(offset)}.`);
    }
    poll(this._a);
    return handleAtOffset(this._a, offset);
  }

  /** Usable bytes of the object: its size class, or whole slabs. Throws {@link StaleHandleError}. */
  sizeOf(handle: Handle): number {
    const slot = liveSlotOrThrow(this._a, handle, "sizeOf");
    return confirmedSize(this._a, slot, handle, "sizeOf");
  }

  /**
   * A view of the object's bytes, or of its first `length`. The view is not revoked when the object is freed:
   * using it later reads and writes whatever lives there then, never the allocator's own data.
   */
  view(handle: Handle, length?: number): Uint8Array {
    const slot = liveSlotOrThrow(this._a, handle, "view");
    const offset = confirmedOffset(this._a, slot, handle, "view");
    const size = confirmedSize(this._a, slot, handle, "view");
    if (length !== undefined) checkLength("view", length, size);
    return new Uint8Array(this.buffer, offset, length ?? size);
  }

  /**
   * As {@link view}, but of any element type: all whole elements the object has room for, or the first `length` of them.
   * Objects begin at multiples of 8 bytes, so every element type fits. Throws {@link StaleHandleError},
   * {@link InvalidTypeError} for what is no typed array constructor, {@link InvalidValueError} for a bad length.
   *
   * @example
   * ```ts
   * const samples = heap.viewAs(heap.allocOrThrow(8 * 1024), Float64Array); // 1,024 doubles on the shared bytes
   * ```
   */
  viewAs<T extends ArrayBufferView>(handle: Handle, type: TypedArrayConstructor<T>, length?: number): T {
    const elementBytes = checkTypedArray(type);
    const slot = liveSlotOrThrow(this._a, handle, "viewAs");
    const offset = confirmedOffset(this._a, slot, handle, "viewAs");
    const size = confirmedSize(this._a, slot, handle, "viewAs");
    const elements = Math.floor(size / elementBytes);
    if (length !== undefined) checkLength("viewAs", length, elements);
    return new type(this.buffer, offset, length ?? elements);
  }

  /** The epoch the object was allocated in. Throws {@link StaleHandleError}. */
  epochOf(handle: Handle): EpochRef {
    const slot = liveSlotOrThrow(this._a, handle, "epochOf");
    const era = loadSeq(this._a.m, recordAt(slabOfSlot(this._a, slot)) + SLAB_ERA);
    confirmLive(this._a, slot, handle, "epochOf");
    return epochRef(era);
  }
}
