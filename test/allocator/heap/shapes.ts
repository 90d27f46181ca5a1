/** Heaps whose four fast operations are of a chosen version, however many heaps the thread has: see heap/fast-path.ts. */
import { specialise } from "../../../src/allocator/heap/fast-path.js";
import { SlabHeap } from "../../../src/allocator/heap/heap.js";
import { isSpecialised } from "../../../src/allocator/heap/shape.js";

// The thread's first two heaps settle what the allocator itself does: every later one has the field version.
const first = SlabHeap.create({ capacity: 4096, slabSize: 4096, maxWorkers: 1 });
const second = SlabHeap.create({ capacity: 4096, slabSize: 4096, maxWorkers: 1 });
if (isSpecialised(first) || isSpecialised(second)) throw new Error("two heaps, and one is specialised");
second.detach();
first.detach();

/** Puts the specialised operations in, the way the allocator does it for a thread's only heap. */
function specialised(heap: SlabHeap): SlabHeap {
  const generic = Object.getPrototypeOf(heap) as object;
  return Object.setPrototypeOf(heap, Object.assign(Object.create(generic), specialise(heap._a)));
}

/** Names and makers for `describe.each`: what is true of one version must be true of the other. */
export const SHAPES: readonly [string, (heap: SlabHeap) => SlabHeap][] = [
  ["specialised", specialised],
  ["field version", (heap) => heap],
];
