/** Front door of the allocator layer. */
export {
  AlreadyAttachedError,
  AlreadySampledError,
  BufferUnavailableError,
  DomainOrderError,
  EpochClosedError,
  type ErrorCode,
  HeapDetachedError,
  HeapFormatError,
  InvalidTypeError,
  InvalidValueError,
  OutOfMemoryError,
  PageReleaserUnavailableError,
  PoolExhaustedError,
  RingBusyError,
  SeatAliveError,
  SeatsExhaustedError,
  StaleHandleError,
  TemporalSlabError,
} from "./errors.js";
export { checkInteger } from "./heap/check.js";
export { EpochDomain } from "./heap/domain.js";
export { slotAtOffset } from "./heap/free.js";
export { SlabHeap } from "./heap/heap.js";
export { interceptAllocs } from "./heap/intercept.js";
export { type Sampling, type SamplingOptions, startSampling } from "./heap/sampling.js";
export { andSeq, casSeq, loadSeq, orSeq, storeSeq } from "./memory/atomics.js";
export {
  DEFAULT_CAPACITY,
  DEFAULT_MAX_WORKERS,
  DEFAULT_SLAB_SIZE,
  MAX_WORKERS_LIMIT,
} from "./memory/config.js";
export { LABEL_MAX_BYTES, LAYOUT_VERSION, RING_SIZE } from "./memory/offsets.js";
export { booleanOption, integerOption, MAX_CAPACITY } from "./memory/options.js";
export { randomFrom } from "./memory/random.js";
export { describe as describeValue, namedSizeClasses } from "./memory/size-classes.js";
export { heapIdentity } from "./memory/views.js";
export type {
  AllocFailure,
  AttachOptions,
  CloseReport,
  DomainOptions,
  EpochId,
  EpochInfo,
  EpochRef,
  Handle,
  HeapCounters,
  HeapOptions,
  HeapRef,
  PageReleaser,
  ReapReport,
  ReleasePolicy,
  SeatInfo,
  SeatState,
  TrimOptions,
  TrimReport,
  TypedArrayConstructor,
  VerifyReport,
  WorkerLike,
} from "./types.js";
export { NULL_HANDLE } from "./words/handle.js";
