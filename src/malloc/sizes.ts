/** Size classes for a pool whose pointers are aligned to more than the heap's own classes are. */
import { namedSizeClasses } from "../allocator/index.js";

/**
 * The heap's default list, every size rounded up to a multiple of `align`, ascending, up to the slab's size. Objects of a
 * class lie side by side from the start of a slab, which is a multiple of 4096: so all of them are aligned.
 */
export function alignedClasses(align: number, slabSize: number): number[] {
  const rounded = namedSizeClasses("default").map((size) => Math.ceil(size / align) * align);
  return [...new Set(rounded)].filter((size) => size <= slabSize);
}
