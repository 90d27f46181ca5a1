/**
 * Size classes: the fixed object sizes a slab is cut into.
 *
 * The default list takes four steps per doubling, so an object above 64 bytes wastes at most a fifth of its
 * slot (the step from 128 to 160 is the worst: a 129-byte object wastes 31 of 160 bytes).
 */
import { InvalidTypeError, InvalidValueError } from "../errors.js";

/** Object sizes are multiples of this many bytes, and so is every object's offset. */
export const GRANULE_BYTES = 8;

/** Most classes a heap can have: the class field of a slab tag has 6 bits and one value means "large". */
export const MAX_CLASSES = 63;

/** The list of the C allocator of the same name. */
export const SEED_CLASSES: readonly number[] = [64, 96, 128, 192, 256, 384, 512, 768];

const DEFAULT_CLASSES: readonly number[] = defaultClasses();

function defaultClasses(): number[] {
  const sizes = [16, 32, 48, 64];
  for (let base = 64; base < 32768; base *= 2) {
    for (let step = 1; step <= 4; step++) sizes.push(base + (base / 4) * step);
  }
  return sizes;
}

/**
 * The ascending list of object sizes an option stands for.
 *
 * Classes of a named list that exceed the slab are left out (they become runs of slabs). A custom list
 * is taken as given or refused.
 */
export function resolveSizeClasses(option: unknown, slabSize: number): readonly number[] {
  if (option === undefined || option === "default" || option === "seed") {
    return namedSizeClasses(option ?? "default").filter((s) => s <= slabSize);
  }
  if (!Array.isArray(option)) {
    throw new InvalidTypeError(
      `Option "sizeClasses" must be "default", "seed" or an array of numbers; got ${describe(option)}.`,
    );
  }
  if (option.length < 1 || option.length > MAX_CLASSES) {
    throw new InvalidValueError(
      `Option "sizeClasses" must hold 1..${MAX_CLASSES} sizes; got ${option.length}.`,
    );
  }
  let previous = 0;
  for (const size of option) {
    if (typeof size !== "number") {
      throw new InvalidTypeError(`Option "sizeClasses" must hold numbers; got ${describe(size)}.`);
    }
    if (!Number.isInteger(size) || size % GRANULE_BYTES !== 0 || size < GRANULE_BYTES || size > slabSize) {
      throw new InvalidValueError(
        `Option "sizeClasses" must hold multiples of ${GRANULE_BYTES} from ${GRANULE_BYTES} to the slab size ${slabSize}; got ${size}.`,
      );
    }
    if (size <= previous) {
      throw new InvalidValueError(`Option "sizeClasses" must be ascending; got ${size} after ${previous}.`);
    }
    previous = size;
  }
  return option.slice() as number[];
}

/** A named list, whatever the slab size. */
export function namedSizeClasses(name: "default" | "seed"): readonly number[] {
  return name === "seed" ? SEED_CLASSES : DEFAULT_CLASSES;
}

/** Short, safe description of any value for an error message. */
export function describe(value: unknown): string {
  if (typeof value === "string")
    return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}...` : value);
  if (value === null) return "null";
  if (value instanceof ArrayBuffer) return `an ArrayBuffer of ${value.byteLength} bytes`;
  if (typeof value === "object") return Array.isArray(value) ? "an array" : "an object";
  if (typeof value === "function") return "a function";
  return String(value);
}
