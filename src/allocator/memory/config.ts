/** Options -> checked, frozen configuration. Nothing is allocated before every option has passed. */
import { InvalidTypeError, InvalidValueError } from "../errors.js";
import type { HeapOptions } from "../types.js";
import { isPowerOfTwo } from "./bits.js";
import { booleanOption, integerOption, MAX_CAPACITY } from "./options.js";
import { type ReleaseConfig, releaseConfig } from "./release-config.js";
import { describe, resolveSizeClasses } from "./size-classes.js";

/** What the layout is computed from; two heaps with equal configs have equal layouts. */
export interface HeapConfig {
  readonly capacityBytes: number;
  readonly slabSize: number;
  readonly sizeClasses: readonly number[];
  readonly maxWorkers: number;
  readonly zeroOnFree: boolean;
  readonly prefault: boolean;
}

/** What `SlabHeap.create` needs besides: where to build, and how. Each option read once. */
export interface CreateConfig extends HeapConfig {
  readonly release: ReleaseConfig;
  readonly buffer: SharedArrayBuffer | undefined;
  /** No capacity was asked for: the payload is whatever `buffer` has room for. */
  readonly fillBuffer: boolean;
}

const KIB = 1024;
export const MIN_SLAB_SIZE = 4 * KIB;
export const MAX_SLAB_SIZE = 1024 * KIB;
export const DEFAULT_SLAB_SIZE = 64 * KIB;
export const DEFAULT_CAPACITY = 64 * KIB * KIB;
export const DEFAULT_MAX_WORKERS = 64;
/** The owner field of a slab tag has 8 bits and 0 means "nobody". */
export const MAX_WORKERS_LIMIT = 255;

const KNOWN_OPTIONS = [
  "capacity",
  "slabSize",
  "sizeClasses",
  "maxWorkers",
  "zeroOnFree",
  "prefault",
  "pageReleaser",
  "releasePolicy",
  "buffer",
];

/** Checks `options` and fills in defaults. Throws {@link InvalidTypeError} or {@link InvalidValueError}. */
export function resolveConfig(options: HeapOptions | undefined): CreateConfig {
  if (options !== undefined && (typeof options !== "object" || options === null)) {
    throw new InvalidTypeError(`Heap options must be an object; got ${describe(options)}.`);
  }
  const given: HeapOptions = { ...options };
  for (const key of Object.keys(given)) {
    if (!KNOWN_OPTIONS.includes(key)) {
      throw new InvalidTypeError(
        `Unknown heap option ${JSON.stringify(key)}; known are ${KNOWN_OPTIONS.join(", ")}.`,
      );
    }
  }
  const slabSize = integerOption("slabSize", given.slabSize, DEFAULT_SLAB_SIZE, MIN_SLAB_SIZE, MAX_SLAB_SIZE);
  if (!isPowerOfTwo(slabSize)) {
    throw new InvalidValueError(
      `Option "slabSize" must be a power of two from ${MIN_SLAB_SIZE} to ${MAX_SLAB_SIZE}; got ${slabSize}.`,
    );
  }
  const capacityBytes = integerOption(
    "capacity",
    given.capacity,
    given.buffer === undefined ? DEFAULT_CAPACITY : MAX_CAPACITY,
    MIN_SLAB_SIZE,
    MAX_CAPACITY,
  );
  const maxWorkers = integerOption("maxWorkers", given.maxWorkers, DEFAULT_MAX_WORKERS, 1, MAX_WORKERS_LIMIT);
  const release = releaseConfig(given.pageReleaser, given.releasePolicy);
  checkBuffer(given.buffer);
  return Object.freeze({
    capacityBytes,
    slabSize,
    sizeClasses: Object.freeze(resolveSizeClasses(given.sizeClasses, slabSize)),
    maxWorkers,
    zeroOnFree: booleanOption("zeroOnFree", given.zeroOnFree),
    prefault: booleanOption("prefault", given.prefault),
    release,
    buffer: given.buffer,
    fillBuffer: given.capacity === undefined,
  });
}

function checkBuffer(value: unknown): void {
  if (value === undefined || (typeof SharedArrayBuffer !== "undefined" && value instanceof SharedArrayBuffer))
    return;
  throw new InvalidTypeError(
    `Option "buffer" must be a SharedArrayBuffer, which all threads of a heap can see; got ${describe(value)}.`,
  );
}
