/** `temporal-slab/pool`: pooled buffers on a shared heap, with a limit that threads can share. */
export {
  HeapDetachedError,
  HeapFormatError,
  InvalidTypeError,
  InvalidValueError,
  OutOfMemoryError,
  PoolExhaustedError,
  StaleHandleError,
  TemporalSlabError,
} from "./allocator/index.js";
export {
  type AcquireAsyncOptions,
  type AcquireOptions,
  BufferPool,
  type BufferPoolAttachOptions,
  type BufferPoolOptions,
  type BufferPoolStats,
  type DebugOptions,
  type DetachOptions,
  type LeakReport,
  type PermitRef,
  PooledBuffer,
  type PooledRef,
  type PoolRef,
  type Scope,
} from "./pool/index.js";
export type { AbortSignalLike, WaitOptions } from "./threads/index.js";
