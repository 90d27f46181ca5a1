/** Front door of the ring layer. */
export { type BlockingOptions, HandleRing, type HandleRingOptions } from "./handle-ring.js";
export type { HandleRingRef } from "./layout.js";
