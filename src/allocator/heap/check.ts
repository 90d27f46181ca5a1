/** Checks of arguments that only the heap's methods take; each throws a typed error that names what is wrong. */
import { HeapFormatError, InvalidTypeError, InvalidValueError } from "../errors.js";
import { LAYOUT_VERSION } from "../memory/offsets.js";
import { describe } from "../memory/size-classes.js";
import type { HeapRef } from "../types.js";

export const REF_KIND = "temporal-slab/heap";

/** The buffer of what `share()` returned. */
export function checkHeapRef(ref: unknown): SharedArrayBuffer {
  const given = ref as Partial<HeapRef> | null | undefined;
  if (typeof given !== "object" || given === null || given.kind !== REF_KIND) {
    throw new HeapFormatError(
      `attach: expected what share() returned, possibly received through postMessage; got ${describe(ref)}.`,
    );
  }
  if (!(given.buffer instanceof SharedArrayBuffer)) {
    throw new HeapFormatError(
      `attach: ref.buffer must be a SharedArrayBuffer; got ${describe(given.buffer)}.`,
    );
  }
  if (given.layoutVersion !== LAYOUT_VERSION) {
    throw new HeapFormatError(
      `attach: the ref has layout version ${describe(given.layoutVersion)}, this package reads version ${LAYOUT_VERSION}; use the same package version in every thread.`,
    );
  }
  if (!Number.isInteger(given.token) || (given.token as number) < 1) {
    throw new HeapFormatError(
      `attach: ref.token must be a positive whole number; got ${describe(given.token)}.`,
    );
  }
  return given.buffer;
}

/** A number of bytes from 0 to `size`. */
export function checkLength(length: unknown, size: number): void {
  if (typeof length !== "number") {
    throw new InvalidTypeError(`view: length must be a number from 0 to ${size}; got ${describe(length)}.`);
  }
  if (!Number.isInteger(length) || length < 0 || length > size) {
    throw new InvalidValueError(
      `view: length must be a whole number from 0 to ${size} (the object's usable size); got ${length}.`,
    );
  }
}

/** A whole number in the given range. */
export function checkInteger(name: string, value: unknown, min: number, max: number): void {
  if (typeof value !== "number") {
    throw new InvalidTypeError(`${name} must be a number from ${min} to ${max}; got ${describe(value)}.`);
  }
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new InvalidValueError(`${name} must be a whole number from ${min} to ${max}; got ${value}.`);
  }
}
