/** Front door of the pool layer. */
export type { Scope } from "./domains.js";
export type { DebugOptions, LeakReport } from "./leaks.js";
export type {
  AcquireAsyncOptions,
  AcquireOptions,
  BufferPoolAttachOptions,
  BufferPoolOptions,
  PoolRef,
} from "./options.js";
export type { PermitRef } from "./permits.js";
export { BufferPool } from "./pool.js";
export { type DetachOptions, PooledBuffer, type PooledRef } from "./pooled-buffer.js";
export type { BufferPoolStats } from "./stats.js";
