/** What the workers of these tests need, from the sources: bundled once and loaded by each. */
export { SlabHeap } from "../../../src/allocator/index.js";
export { HandleRing } from "../../../src/ring/index.js";
