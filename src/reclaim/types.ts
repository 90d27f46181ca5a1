/** Types users see. Behaviour is described on {@link autoPageReleaser}. */
import type { PageReleaser } from "../allocator/index.js";

/** What calls the system: the runtime's own foreign functions, the package koffi, or nothing. */
export type PageReleaseBackend = "node:ffi" | "koffi" | "deno" | "bun" | "none";

/**
 * A {@link PageReleaser} on the system's `madvise`, and how it came to be. Belongs to the thread that made it: workers make
 * their own.
 */
export interface SystemPageReleaser extends PageReleaser {
  /** What calls the system; `"none"` where nothing can. */
  readonly backend: PageReleaseBackend;
  /** One sentence: why this backend and, for those tried before it, why not. For people; the wording may change. */
  readonly reason: string;
  /** What the system is told about pages that are released. */
  readonly advice: "MADV_DONTNEED" | "MADV_FREE_REUSABLE" | "none";
  /** Bytes of a page of the system, which was asked: 4096 on most, 16384 on Apple silicon; 4096 for `"none"`. */
  readonly pageBytes: number;
  /** False for `"none"`. */
  readonly enabled: boolean;
  /**
   * Releases the whole pages within `byteLength` bytes at `byteOffset` of `buffer`; whole by their true addresses, so
   * that a page shared with bytes outside the range stays. Returns how many bytes that were, 0 where there is no whole
   * page, -1 where the system refused; then each byte is what it was, or zero. Released bytes read as zero. The caller
   * holds the range: nobody reads or writes it during the call.
   *
   * The first release in a buffer proves the promise on the first and the last byte it releases. Where they do not read
   * as zero (memory shared between processes, an emulator that ignores the advice), nothing is released in that buffer
   * any more.
   *
   * Throws `InvalidTypeError` when `buffer` is no `SharedArrayBuffer` or a number is none, `InvalidValueError` for a
   * range that is not within the buffer.
   */
  release(buffer: SharedArrayBuffer, byteOffset: number, byteLength: number): number;
  /**
   * Only where `advice` is `"MADV_FREE_REUSABLE"`: tells the system that the pages of a released range are in use again, so
   * that it counts them as this process's. Never changes what the bytes hold. Throws as `release` does, for wrong
   * arguments only.
   */
  reuse?(buffer: SharedArrayBuffer, byteOffset: number, byteLength: number): void;
}
