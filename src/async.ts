/**
 * `temporal-slab/async`: domains that follow `await`, and epochs that take turns while requests come and go. Needs
 * `node:async_hooks`: Node, Deno and Bun.
 */
export {
  EpochClosedError,
  HeapDetachedError,
  InvalidTypeError,
  InvalidValueError,
  OutOfMemoryError,
  TemporalSlabError,
} from "./allocator/index.js";
export {
  AsyncDomain,
  type AsyncDomainOptions,
  currentDomain,
  EpochRotator,
  type OnRotate,
  type RotatorOptions,
  type RotatorStats,
  type RunInDomainOptions,
  runInDomain,
} from "./async/index.js";
