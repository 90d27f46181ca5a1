/**
 * Which heaps of this thread run specialised code, and which heaps this thread holds at all.
 *
 * The first heap of a thread gets the specialised operations through its prototype. When a second one
 * appears the first goes back to the field version for good: see heap/fast-path.ts.
 */
import type { FastHeap } from "./fast-path.js";
import { specialise } from "./fast-path.js";
import { followShape } from "./intercept.js";

let specialised: { heap: WeakRef<FastHeap>; generic: object } | undefined;
let heapsSeen = 0;

/** Called once for every new heap object. */
export function shapeHeap(heap: FastHeap): void {
  heapsSeen++;
  if (heapsSeen === 1) {
    const generic = Object.getPrototypeOf(heap) as object;
    Object.setPrototypeOf(heap, Object.assign(Object.create(generic), specialise(heap._a)));
    specialised = { heap: new WeakRef(heap), generic };
    return;
  }
  if (specialised !== undefined) {
    const first = specialised.heap.deref();
    if (first !== undefined && !first._a.detached) {
      Object.setPrototypeOf(first, specialised.generic);
      followShape(first);
    }
    specialised = undefined;
  }
}

/** Whether `heap` runs the specialised code: for tests and benches. */
export function isSpecialised(heap: FastHeap): boolean {
  return specialised?.heap.deref() === heap && !heap._a.detached;
}
