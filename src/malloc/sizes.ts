/** Size classes for a pool whose pointers are aligned to more than the heap's own classes are. */

/** Four steps per doubling, as the heap's own default list has, which ends here. */
const LARGEST = 32768;
const STEPS = 4;
const FIRST = 64;

/**
 * The heap's default list, every size rounded up to a multiple of `align`, ascending, up to the slab's size. Objects of a
 * class lie side by side from the start of a slab, which is a multiple of 4096: so all of them are aligned.
 */
export function alignedClasses(align: number, slabSize: number): number[] {
  const sizes = [16, 32, 48, FIRST];
  for (let base = FIRST; base < LARGEST; base *= 2) {
    for (let step = 1; step <= STEPS; step++) sizes.push(base + (base / STEPS) * step);
  }
  const rounded = sizes.map((size) => Math.ceil(size / align) * align);
  return [...new Set(rounded)].filter((size) => size <= slabSize);
}
