/** The pool: pointers, typed arrays, and the heap they come from. */
import {
  type AttachOptions,
  describeValue,
  HeapDetachedError,
  type HeapRef,
  InvalidTypeError,
  InvalidValueError,
  NULL_HANDLE,
  SlabHeap,
  StaleHandleError,
} from "../allocator/index.js";
import { StatsReader } from "../stats/index.js";
import {
  type ArrayType,
  type BigIntArrayType,
  classOf,
  classOfArray,
  holdsBigInts,
  type NumberArrayType,
  type PoolArray,
  type PoolArrays,
} from "./arrays.js";
import { type MemPoolOptions, openHeap } from "./options.js";
import { type MemPoolStats, poolStats } from "./stats.js";

/** Sizes above this are no int32 and take the slow way. */
const INT_LIMIT = 2 ** 31 - 1;

/**
 * A pool of memory blocks named by plain ints, byte offsets into one `SharedArrayBuffer`, with the methods of
 * `@thi.ng/malloc`'s class of that name. A pool is its heap, seen through pointers: {@link malloc} and {@link free} take
 * constant time however many blocks there are, and every thread may allocate, and free what another one allocated.
 *
 * A pointer is not checked for the block it was issued for: once freed, it may name a later block in the same place.
 * Where that matters use handles: `pool.heap.alloc`, or `pool.heap.handleAt(pointer)`.
 *
 * @example
 * ```ts
 * const pool = new MemPool({ size: 16 * 1024 * 1024 });
 * const pointer = pool.malloc(256);
 * const samples = pool.mallocAs("f32", 1024); // Float32Array | undefined
 * worker.postMessage({ ref: pool.share(), pointer }); // over there: MemPool.attach(ref).free(pointer)
 * ```
 */
export class MemPool implements Disposable {
  /** The heap that the blocks live in: epochs, handles, `verify()`, everything else there is. */
  readonly heap: SlabHeap;
  /**
   * The whole buffer, the heap's own data included. Take `pool.heap.u8`, `.f32` and so on for views of it: an array made
   * of the buffer alone tracks its length in V8, which makes every access many times slower.
   */
  readonly buf: SharedArrayBuffer;
  /** Largest size that the heap can be asked for and that is an int32. */
  private readonly limit: number;
  private ownsHeap: boolean;
  private reader: StatsReader | undefined;

  /**
   * Makes a pool: in a heap of its own, in `buf`, or in `heap`. Throws {@link InvalidTypeError} or
   * {@link InvalidValueError} that name the option, the value and what is allowed; with `skipInitialization` what
   * `SlabHeap.attach` throws.
   */
  constructor(options: MemPoolOptions = {}) {
    const { heap, own } = openHeap(options);
    this.heap = heap;
    this.buf = heap.buffer;
    this.limit = Math.min(heap.capacity, INT_LIMIT);
    this.ownsHeap = own;
    this.reader = undefined;
  }

  /**
   * A pool in this thread on the heap of another thread's pool, or of a `SlabHeap`: `ref` is what `share()` returned
   * there. Throws as `SlabHeap.attach` does; {@link release} gives the seat back.
   */
  static attach(ref: HeapRef, options?: AttachOptions): MemPool {
    const pool = new MemPool({ heap: SlabHeap.attach(ref, options) });
    pool.ownsHeap = true;
    return pool;
  }

  /** What another thread needs to {@link attach}; send it with workerData or postMessage. In browsers make one per worker. */
  share(): HeapRef {
    return this.heap.share();
  }

  /**
   * Allocates `bytes` bytes in the epoch that is current at that moment; a fraction is rounded up. Returns the
   * block's byte offset into {@link buf}, a multiple of 8 or of the `align` that was asked for; 0 when there is no room,
   * and for sizes of 0, less than 0 or more than the pool has. Contents are whatever was there before. Throws
   * {@link InvalidTypeError} for what is no number, {@link InvalidValueError} for NaN. From any attached thread.
   */
  malloc(bytes: number): number {
    // The type first: `8n | 0` throws an error of the language's.
    if (typeof bytes !== "number" || (bytes | 0) !== bytes || bytes <= 0 || bytes > this.limit) {
      return +this.mallocOdd(bytes);
    }
    const pointer = this.heap.allocOffset(bytes);
    return pointer !== 0 ? pointer : +this.mallocAgain(bytes);
  }

  /**
   * Frees the block that starts at a pointer, or where an array from {@link mallocAs} starts, whichever thread allocated
   * it. Returns false, and harms nothing, for anything that is not the start of a live block: freed already, in the
   * middle of one, of another buffer. Throws {@link InvalidTypeError} for what is neither number nor array.
   *
   * Of two threads that free one block at the same instant, exactly one gets true, unless one of them owns the
   * block's slab: then both may; the block is freed once.
   */
  free(block: number | ArrayBufferView): boolean {
    if (typeof block === "number") return this.heap.freeOffset(block);
    return this.freeView(block);
  }

  /** As {@link malloc}, and fills the first `bytes` bytes with `fill`, a number that is cut to 8 bits; default 0. */
  calloc(bytes: number, fill = 0): number {
    checkNumber("calloc: fill", fill);
    const wanted = wholeBytes("calloc", bytes);
    const pointer = this.malloc(wanted);
    if (pointer !== 0) this.heap.u8.fill(fill, pointer, pointer + wanted);
    return pointer;
  }

  /**
   * Makes the block at `pointer` at least `bytes` bytes long and returns where it is now. It stays where it is while its
   * size class has room, always when it shrinks; otherwise its contents move and the old pointer is void. Returns 0
   * and changes nothing when there is no room, when `bytes` is 0 or less, and for anything that is not the start of a
   * live block. Throws as {@link malloc}.
   *
   * No other thread may free, move or write to the block meanwhile; if one does, contents may be lost, the heap not.
   */
  realloc(pointer: number, bytes: number): number {
    checkNumber("realloc: pointer", pointer);
    const wanted = wholeBytes("realloc", bytes);
    if (wanted <= 0) return 0;
    const { heap } = this;
    // A handle, because it stays false once the block ended: another thread's next block here must not be freed for it.
    const old = heap.handleAt(pointer);
    const usable = old === NULL_HANDLE ? 0 : sizeOrZero(heap, old);
    if (usable === 0) return 0;
    if (wanted <= usable) return pointer;
    const moved = this.malloc(wanted);
    if (moved === 0) return 0;
    heap.u8.copyWithin(moved, pointer, pointer + usable);
    if (heap.free(old)) return moved;
    // Somebody else has ended the block: then there is nothing to move.
    heap.freeOffset(moved);
    return 0;
  }

  /**
   * Allocates an array of `length` elements of `type` and returns it, or undefined where {@link malloc} returns 0.
   * Contents are whatever was there before. Throws {@link InvalidTypeError} for an unknown type.
   */
  mallocAs<T extends ArrayType>(type: T, length: number): PoolArrays[T] | undefined;
  // A second signature, because the compiler then finds the class assignable to `IMemPool` of `@thi.ng/malloc`.
  mallocAs(type: ArrayType, length: number): PoolArrays[ArrayType] | undefined;
  mallocAs<T extends ArrayType>(type: T, length: number): PoolArrays[T] | undefined {
    const ElementArray = classOf("mallocAs", type);
    checkNumber("mallocAs: length", length);
    const pointer = this.malloc(length * ElementArray.BYTES_PER_ELEMENT);
    return pointer === 0 ? undefined : new ElementArray(this.buf, pointer, length);
  }

  /**
   * As {@link mallocAs}, and fills the array with `fill`; default 0. Arrays of `i64` and `u64` take a bigint, or the
   * number 0. Throws {@link InvalidTypeError} for a fill the elements cannot hold.
   */
  callocAs<T extends NumberArrayType>(type: T, length: number, fill?: number): PoolArrays[T] | undefined;
  callocAs<T extends BigIntArrayType>(type: T, length: number, fill?: bigint | 0): PoolArrays[T] | undefined;
  callocAs(type: ArrayType, length: number, fill: number | bigint = 0): PoolArrays[ArrayType] | undefined {
    const ElementArray = classOf("callocAs", type);
    checkFill(ElementArray.name, holdsBigInts(ElementArray), fill);
    checkNumber("callocAs: length", length);
    const array = this.mallocAs(type, length);
    if (array === undefined) return undefined;
    if (fill === 0 && !Object.is(fill, -0)) {
      this.heap.u8.fill(0, array.byteOffset, array.byteOffset + array.byteLength);
    } else {
      (array as { fill(value: number | bigint): unknown }).fill(fill);
    }
    return array;
  }

  /**
   * As {@link realloc} for an array from {@link mallocAs}: returns one of the same type with `length` elements, or
   * undefined where realloc returns 0, and for an array of another buffer. Elements that were not there before are
   * whatever was there. Throws {@link InvalidTypeError} for what is no typed array.
   */
  reallocAs<T extends PoolArray>(array: T, length: number): T | undefined {
    const ElementArray = classOfArray("reallocAs", array);
    checkNumber("reallocAs: length", length);
    if (array.buffer !== this.buf) return undefined;
    const pointer = this.realloc(array.byteOffset, length * ElementArray.BYTES_PER_ELEMENT);
    return pointer === 0 ? undefined : (new ElementArray(this.buf, pointer, length) as unknown as T);
  }

  /** Another name of {@link reallocAs}: the one `@thi.ng/malloc` has. */
  reallocArray<T extends PoolArray>(array: T, length: number): T | undefined {
    return this.reallocAs(array, length);
  }

  /**
   * Frees every block of the heap at once, whichever thread allocated it, by handle or by pointer: all of them are
   * refused from now on. What other threads allocate meanwhile may go too. Takes time by the slabs, not by the
   * blocks; other threads give their slabs back at their next operation.
   */
  freeAll(): void {
    this.heap.discardBefore(this.heap.advanceEpoch());
  }

  /** Free, used and available memory, for all threads together. Takes time by the slabs. From any attached thread. */
  stats(): MemPoolStats {
    this.reader ??= StatsReader.open(this.heap);
    return poolStats(this.heap, this.reader);
  }

  /**
   * Ends this pool; always true. A heap that the pool made or attached to gets this thread's seat back; a `heap` that was
   * given stays as it is. Blocks live on for the other threads. Every later call but this one, `share()` and `buf`
   * throws {@link HeapDetachedError}.
   */
  release(): boolean {
    if (this.ownsHeap) this.heap.detach();
    this.ownsHeap = false;
    Object.setPrototypeOf(this, RELEASED);
    return true;
  }

  /** Same as {@link release}. */
  [Symbol.dispose](): void {
    this.release();
  }

  /** {@link malloc} for sizes that are no int32 above 0, or more than there is. */
  private mallocOdd(bytes: unknown): number {
    const wanted = wholeBytes("malloc", bytes);
    if (wanted <= 0 || wanted > this.heap.capacity) return 0;
    const pointer = this.heap.allocOffset(wanted);
    return pointer !== 0 ? pointer : this.mallocAgain(wanted);
  }

  /**
   * What the heap's 0 meant. "epoch-closed" is said after other threads advanced the epoch dozens of times meanwhile: a
   * pool has no epoch of its own, and there always is a current one.
   */
  private mallocAgain(bytes: number): number {
    let pointer = 0;
    while (pointer === 0 && this.heap.lastFailure === "epoch-closed") pointer = this.heap.allocOffset(bytes);
    return pointer;
  }

  private freeView(view: unknown): boolean {
    if (!ArrayBuffer.isView(view)) {
      throw new InvalidTypeError(`free: expected a pointer or a typed array; got ${describeValue(view)}.`);
    }
    return view.buffer === this.buf && this.heap.freeOffset(view.byteOffset);
  }
}

function sizeOrZero(heap: SlabHeap, handle: Parameters<SlabHeap["sizeOf"]>[0]): number {
  try {
    return heap.sizeOf(handle);
  } catch (error) {
    // Another thread has ended the object since it was found.
    if (error instanceof StaleHandleError) return 0;
    throw error;
  }
}

function checkNumber(what: string, value: unknown): void {
  if (typeof value !== "number")
    throw new InvalidTypeError(`${what} must be a number; got ${describeValue(value)}.`);
  if (Number.isNaN(value)) throw new InvalidValueError(`${what} must be a number; got NaN.`);
}

/** Bytes to ask for: fractions rounded up. 0 or less stands for "nothing". */
function wholeBytes(method: string, bytes: unknown): number {
  checkNumber(`${method}: size`, bytes);
  return Math.ceil(bytes as number);
}

function checkFill(elements: string, bigints: boolean, fill: unknown): void {
  if (typeof fill === (bigints ? "bigint" : "number") || (bigints && fill === 0)) return;
  throw new InvalidTypeError(
    `callocAs: fill must be ${bigints ? "a bigint, or the number 0," : "a number"} for ${elements}; got ${describeValue(fill)}.`,
  );
}

/** Prototype of a released pool, as the heap has one for detached heaps: being released costs the live pool no test. */
const RELEASED: MemPool = Object.create(MemPool.prototype);
const STILL_ALLOWED = ["constructor", "release", "share"];
for (const name of Object.getOwnPropertyNames(MemPool.prototype)) {
  if (STILL_ALLOWED.includes(name)) continue;
  Object.defineProperty(RELEASED, name, {
    value(): never {
      throw new HeapDetachedError(`${name}: this MemPool was released; make or attach another one.`);
    },
  });
}
