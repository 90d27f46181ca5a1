/** Checks of arguments that only the heap's methods take; each throws a typed error that names what is wrong. */
import { HeapDetachedError, HeapFormatError, InvalidTypeError, InvalidValueError } from "../errors.js";
import { Attachment } from "../memory/attachment.js";
import { LAYOUT_VERSION } from "../memory/offsets.js";
import { booleanOption } from "../memory/options.js";
import { type ReleaseConfig, releaseConfig } from "../memory/release-config.js";
import { describe } from "../memory/size-classes.js";
import type { AttachOptions, HeapRef } from "../types.js";

export const REF_KIND = "temporal-slab/heap";

/** What `share()` returned. Each property is read once, and what was checked is given back: a getter may change its mind. */
export function checkHeapRef(ref: unknown): Pick<HeapRef, "buffer" | "token"> {
  const given: Partial<HeapRef> = typeof ref === "object" && ref !== null ? ref : {};
  const { kind, buffer, layoutVersion, token } = given;
  if (kind !== REF_KIND) {
    throw new HeapFormatError(
      `attach: expected what share() returned, possibly received through postMessage; got ${describe(ref)}.`,
    );
  }
  if (!(buffer instanceof SharedArrayBuffer)) {
    throw new HeapFormatError(`attach: ref.buffer must be a SharedArrayBuffer; got ${describe(buffer)}.`);
  }
  if (layoutVersion !== LAYOUT_VERSION) {
    throw new HeapFormatError(
      `attach: the ref has layout version ${describe(layoutVersion)}, this package reads version ${LAYOUT_VERSION}; use the same package version in every thread.`,
    );
  }
  if (typeof token !== "number" || !Number.isSafeInteger(token) || token < 1) {
    throw new HeapFormatError(`attach: ref.token must be a positive whole number; got ${describe(token)}.`);
  }
  return { buffer, token };
}

/** Options of `attach`, each read once. */
export function checkAttachOptions(options: unknown): {
  readonly sameThread: boolean;
  readonly release: ReleaseConfig;
} {
  if (typeof options !== "object" || options === null) {
    throw new InvalidTypeError(`attach: options must be an object; got ${describe(options)}.`);
  }
  const { sameThread, pageReleaser, releasePolicy }: AttachOptions = options;
  return {
    sameThread: booleanOption("sameThread", sameThread),
    release: releaseConfig(pageReleaser, releasePolicy),
  };
}

/** The attachment of a SlabHeap. Asks for no class: files that SlabHeap is made of cannot import it. */
export function checkHeap(method: string, heap: unknown): Attachment {
  const a = (heap as { readonly _a?: unknown } | null | undefined)?._a;
  if (!(a instanceof Attachment)) {
    throw new InvalidTypeError(`${method}: heap must be a SlabHeap; got ${describe(heap)}.`);
  }
  return a;
}

/** A number of bytes, or elements, from 0 to `limit`: what the object has room for. */
export function checkLength(method: string, length: unknown, limit: number): void {
  if (typeof length !== "number") {
    throw new InvalidTypeError(
      `${method}: length must be a number from 0 to ${limit}; got ${describe(length)}.`,
    );
  }
  if (!Number.isInteger(length) || length < 0 || length > limit) {
    throw new InvalidValueError(
      `${method}: length must be a whole number from 0 to ${limit} (what the object has room for); got ${length}.`,
    );
  }
}

/** Bytes per element of a typed array class; anything else is refused. */
export function checkTypedArray(type: unknown): number {
  const { prototype, BYTES_PER_ELEMENT }: { prototype?: unknown; BYTES_PER_ELEMENT?: unknown } =
    typeof type === "function" ? type : {};
  if (!(prototype instanceof TypedArray) || typeof BYTES_PER_ELEMENT !== "number") {
    throw new InvalidTypeError(
      `viewAs: type must be a typed array class such as Float64Array; got ${describe(type)}.`,
    );
  }
  return BYTES_PER_ELEMENT;
}

/** %TypedArray%: what all typed array classes inherit from; the language gives it no name of its own. */
const TypedArray = Object.getPrototypeOf(Uint8Array) as new () => unknown;

export function detachedError(method: string, a: Attachment): HeapDetachedError {
  return new HeapDetachedError(
    `${method}: this SlabHeap gave its seat ${a.seat} back, or lost it to a reaper; attach again.`,
  );
}

/** A whole number in the given range. */
export function checkInteger(
  name: string,
  value: unknown,
  min: number,
  max: number,
): asserts value is number {
  if (typeof value !== "number") {
    throw new InvalidTypeError(`${name} must be a number from ${min} to ${max}; got ${describe(value)}.`);
  }
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new InvalidValueError(`${name} must be a whole number from ${min} to ${max}; got ${value}.`);
  }
}
