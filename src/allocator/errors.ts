/**
 * Every error this package throws.
 *
 * All of them answer `error instanceof TemporalSlabError` and carry a stable `code`. Two of them also are
 * what the language uses for bad arguments: {@link InvalidValueError} is a `RangeError` and
 * {@link InvalidTypeError} is a `TypeError`, so that generic callers keep working.
 */

const BRAND: unique symbol = Symbol.for("temporal-slab.error") as never;

/** Stable machine-readable reason; never changes between versions. */
export type ErrorCode =
  | "ERR_TSLAB_OUT_OF_RANGE"
  | "ERR_TSLAB_INVALID_TYPE"
  | "ERR_TSLAB_BUFFER_UNAVAILABLE"
  | "ERR_TSLAB_FORMAT"
  | "ERR_TSLAB_SEATS_EXHAUSTED"
  | "ERR_TSLAB_ALREADY_ATTACHED"
  | "ERR_TSLAB_DETACHED"
  | "ERR_TSLAB_OUT_OF_MEMORY"
  | "ERR_TSLAB_EPOCH_CLOSED"
  | "ERR_TSLAB_STALE_HANDLE"
  | "ERR_TSLAB_DOMAIN_ORDER"
  | "ERR_TSLAB_SEAT_ALIVE"
  | "ERR_TSLAB_ALREADY_SAMPLED"
  | "ERR_TSLAB_RING_BUSY"
  | "ERR_TSLAB_POOL_EXHAUSTED"
  | "ERR_TSLAB_PAGE_RELEASER_UNAVAILABLE";

/** Base of all errors of this package. */
export class TemporalSlabError extends Error {
  /** Stable reason, `ERR_TSLAB_...`. */
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string) {
    super(message);
    this.name = new.target.name;
    this.code = code;
    mark(this);
  }

  /** `RangeError`s and `TypeError`s of this package count as ours although their class chain is the language's. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    // biome-ignore lint/complexity/noThisInStatic: subclasses inherit this method and need the ordinary test
    if (this !== TemporalSlabError) return Function.prototype[Symbol.hasInstance].call(this, value);
    return typeof value === "object" && value !== null && BRAND in value;
  }
}

function mark(error: Error): void {
  Object.defineProperty(error, BRAND, { value: true });
}

/** A number, size or option is outside its allowed range. Is a `RangeError`. */
export class InvalidValueError extends RangeError {
  readonly code: ErrorCode = "ERR_TSLAB_OUT_OF_RANGE";
  constructor(message: string) {
    super(message);
    this.name = "InvalidValueError";
    mark(this);
  }
}

/** An argument or option has the wrong type. Is a `TypeError`. */
export class InvalidTypeError extends TypeError {
  readonly code: ErrorCode = "ERR_TSLAB_INVALID_TYPE";
  constructor(message: string) {
    super(message);
    this.name = "InvalidTypeError";
    mark(this);
  }
}

/** The runtime would not give a SharedArrayBuffer of the needed size. */
export class BufferUnavailableError extends TemporalSlabError {
  constructor(message: string) {
    super("ERR_TSLAB_BUFFER_UNAVAILABLE", message);
  }
}

/** The buffer is not a heap of this layout version: foreign, truncated, damaged or made by another version. */
export class HeapFormatError extends TemporalSlabError {
  constructor(message: string) {
    super("ERR_TSLAB_FORMAT", message);
  }
}

/** Every seat of the heap is taken: raise `maxWorkers`, or detach or reap threads that are gone. */
export class SeatsExhaustedError extends TemporalSlabError {
  constructor(message: string) {
    super("ERR_TSLAB_SEATS_EXHAUSTED", message);
  }
}

/** This thread already holds a seat in that heap. */
export class AlreadyAttachedError extends TemporalSlabError {
  constructor(message: string) {
    super("ERR_TSLAB_ALREADY_ATTACHED", message);
  }
}

/** The heap object has given its seat back, or lost it to a reaper. */
export class HeapDetachedError extends TemporalSlabError {
  constructor(message: string) {
    super("ERR_TSLAB_DETACHED", message);
  }
}

/** No slab, or no run of slabs, is left for the request. */
export class OutOfMemoryError extends TemporalSlabError {
  constructor(message: string) {
    super("ERR_TSLAB_OUT_OF_MEMORY", message);
  }
}

/** The epoch is closing, discarded, or its ring slot belongs to another era. */
export class EpochClosedError extends TemporalSlabError {
  constructor(message: string) {
    super("ERR_TSLAB_EPOCH_CLOSED", message);
  }
}

/** The handle does not name a live object: null, freed, forged, or discarded with its epoch. */
export class StaleHandleError extends TemporalSlabError {
  constructor(message: string) {
    super("ERR_TSLAB_STALE_HANDLE", message);
  }
}

/** Domains of one thread must be left in the reverse order of entering. */
export class DomainOrderError extends TemporalSlabError {
  constructor(message: string) {
    super("ERR_TSLAB_DOMAIN_ORDER", message);
  }
}

/** A seat may only be reaped when its thread is dead; this one is known to be alive. */
export class SeatAliveError extends TemporalSlabError {
  constructor(message: string) {
    super("ERR_TSLAB_SEAT_ALIVE", message);
  }
}

/** The allocation sites of this heap object are being sampled already: stop that sampler first. */
export class AlreadySampledError extends TemporalSlabError {
  constructor(message: string) {
    super("ERR_TSLAB_ALREADY_SAMPLED", message);
  }
}

/** A ring has no place left: every producer's lane, or the consumer's place, is held by a thread that lives. */
export class RingBusyError extends TemporalSlabError {
  constructor(message: string) {
    super("ERR_TSLAB_RING_BUSY", message);
  }
}

/** A pool has handed out as many buffers as it may, waiting for one took too long, or the pool was disposed. */
export class PoolExhaustedError extends TemporalSlabError {
  constructor(message: string) {
    super("ERR_TSLAB_POOL_EXHAUSTED", message);
  }
}

/** This runtime, or this system, has no way to give pages back by the means that was asked for. */
export class PageReleaserUnavailableError extends TemporalSlabError {
  constructor(message: string) {
    super("ERR_TSLAB_PAGE_RELEASER_UNAVAILABLE", message);
  }
}
