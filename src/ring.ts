/** `temporal-slab/ring`: handles passed between threads in shared memory. */
export { RingBusyError } from "./allocator/index.js";
export {
  type BlockingOptions,
  HandleRing,
  type HandleRingOptions,
  type HandleRingRef,
} from "./ring/index.js";
export type { AbortSignalLike, WaitOptions } from "./threads/index.js";
