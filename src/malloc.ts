/** `temporal-slab/malloc`: plain int pointers and typed arrays, with the methods of `@thi.ng/malloc`, for many threads. */
export {
  AlreadyAttachedError,
  type AttachOptions,
  BufferUnavailableError,
  HeapDetachedError,
  HeapFormatError,
  type HeapRef,
  InvalidTypeError,
  InvalidValueError,
  SeatsExhaustedError,
  TemporalSlabError,
} from "./allocator/index.js";
export {
  type ArrayType,
  type BigIntArrayType,
  MemPool,
  type MemPoolOptions,
  type MemPoolStats,
  type NumberArrayType,
  type PoolArray,
  type PoolArrays,
} from "./malloc/index.js";
