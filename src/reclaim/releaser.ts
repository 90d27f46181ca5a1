/** Releasing whole pages of a buffer through `madvise`, and proving in each buffer that this is what happens. */
import { checkInteger, describeValue, InvalidTypeError } from "../allocator/index.js";
import type { Advice } from "./advice.js";
import { baseAddress, type Libc } from "./libc.js";
import { bytesToPage, wholePageBytes } from "./pages.js";
import type { PageReleaseBackend, SystemPageReleaser } from "./types.js";

/** What is known about one buffer. */
interface Place {
  /** Address of its first byte; undefined when that cannot be told. */
  readonly base: number | undefined;
  /** `unproven` until a release has shown zeros; `refused` for good when one has not. */
  trust: "unproven" | "proven" | "refused";
}

const NO_PAGE_BYTES = 4096;
/** Any byte but 0. */
const MARK = 0xa5;

/** A releaser that calls `libc`, which has passed the checks of `openChecked`. */
export function libcReleaser(
  backend: Exclude<PageReleaseBackend, "none">,
  reason: string,
  libc: Libc,
  advice: Advice,
): SystemPageReleaser {
  const { pageBytes } = libc;
  const places = new WeakMap<SharedArrayBuffer, Place>();

  const placeOf = (buffer: SharedArrayBuffer, size: number): Place => {
    const known = places.get(buffer);
    if (known !== undefined) return known;
    const place: Place = { base: baseAddress(libc, buffer, size), trust: "unproven" };
    // A growable buffer may have no bytes yet, and so no address.
    if (size > 0) places.set(buffer, place);
    return place;
  };

  const advise = (address: number, length: number): boolean => {
    try {
      return libc.madvise(address, length, advice.release) === 0;
    } catch {
      return false;
    }
  };

  /**
   * The first release in a buffer. The caller holds the range, so nobody sees the marks; what they replaced comes back
   * when nothing was released, because a range that was refused must not have changed. Where the range was overwritten with
   * zeros the system may keep what it finds: there the marks are zeros too, which an older content must not replace.
   */
  const prove = (place: Place, address: number, bytes: Uint8Array): boolean => {
    const mark = advice.zeroFirst ? 0 : MARK;
    const last = bytes.length - 1;
    const first = Atomics.exchange(bytes, 0, mark);
    const final = Atomics.exchange(bytes, last, mark);
    const advised = advise(address, bytes.length);
    // Atomics, lest a compiler answer from what was just stored.
    if (advised && Atomics.load(bytes, 0) === 0 && Atomics.load(bytes, last) === 0) {
      place.trust = "proven";
      return true;
    }
    // A call that failed proves nothing: a locked range may be unlocked later. One that lied will lie again.
    if (advised) place.trust = "refused";
    Atomics.store(bytes, last, final);
    Atomics.store(bytes, 0, first);
    return false;
  };

  const release = (buffer: SharedArrayBuffer, byteOffset: number, byteLength: number): number => {
    const size = checkRange("release", buffer, byteOffset, byteLength);
    const place = placeOf(buffer, size);
    const { base } = place;
    if (base === undefined) return byteLength < pageBytes ? 0 : -1;
    const length = wholePageBytes(base + byteOffset, byteLength, pageBytes);
    if (length === 0) return 0;
    if (place.trust === "refused") return -1;
    const start = byteOffset + bytesToPage(base + byteOffset, pageBytes);
    if (advice.zeroFirst) new Uint8Array(buffer, start, length).fill(0);
    const done =
      place.trust === "proven"
        ? advise(base + start, length)
        : prove(place, base + start, new Uint8Array(buffer, start, length));
    return done ? length : -1;
  };

  const { reuse: reuseAdvice } = advice;
  /**
   * Every page the range touches, rather than every whole one: neighbours that were released in one call may be used one by
   * one, and the page between them is in use with the first. Never beyond the buffer's own pages, though. Whether this
   * thread has released anything says nothing: the range may be another thread's gift.
   */
  const reuse = (buffer: SharedArrayBuffer, byteOffset: number, byteLength: number): void => {
    const size = checkRange("reuse", buffer, byteOffset, byteLength);
    const { base } = placeOf(buffer, size);
    if (base === undefined || byteLength === 0) return;
    const own = base + bytesToPage(base, pageBytes);
    const ownEnd = own + wholePageBytes(base, size, pageBytes);
    const from = base + byteOffset;
    const start = Math.max(own, from - (from % pageBytes));
    const end = Math.min(ownEnd, from + byteLength + bytesToPage(from + byteLength, pageBytes));
    if (start >= end) return;
    try {
      libc.madvise(start, end - start, reuseAdvice as number);
    } catch {
      // The system's count is off; the bytes are not.
    }
  };

  return Object.freeze({
    backend,
    reason,
    advice: advice.name,
    pageBytes,
    enabled: true,
    release,
    ...(reuseAdvice === undefined ? {} : { reuse }),
  });
}

/** A releaser that releases nothing. */
export function noReleaser(reason: string): SystemPageReleaser {
  const release = (buffer: SharedArrayBuffer, byteOffset: number, byteLength: number): number => {
    checkRange("release", buffer, byteOffset, byteLength);
    return byteLength < NO_PAGE_BYTES ? 0 : -1;
  };
  return Object.freeze({
    backend: "none",
    reason,
    advice: "none",
    pageBytes: NO_PAGE_BYTES,
    enabled: false,
    release,
  });
}

/** Nothing outside a buffer may ever reach the system. Returns the true size of the buffer. */
function checkRange(method: string, buffer: unknown, byteOffset: number, byteLength: number): number {
  const size = sharedLength(buffer);
  if (size === undefined) {
    throw new InvalidTypeError(
      `${method}: buffer must be a SharedArrayBuffer; got ${describeValue(buffer)}.`,
    );
  }
  checkInteger(`${method}: byteOffset`, byteOffset, 0, size);
  checkInteger(`${method}: byteLength`, byteLength, 0, size - byteOffset);
  return size;
}

const getLength =
  typeof SharedArrayBuffer === "undefined"
    ? undefined
    : Object.getOwnPropertyDescriptor(SharedArrayBuffer.prototype, "byteLength")?.get;

/** The language's own getter: it takes nothing but shared buffers, of any realm, and no property can hide it. */
function sharedLength(buffer: unknown): number | undefined {
  try {
    return getLength?.call(buffer) as number | undefined;
  } catch {
    return undefined;
  }
}
