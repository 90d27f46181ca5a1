/**
 * What each system is told, and what it makes of it.
 *
 * Linux, Android   MADV_DONTNEED drops the pages of a private mapping at once. The next access finds zeros, and the
 *                  resident set is smaller when the call returns.
 * macOS            MADV_DONTNEED frees nothing there. MADV_FREE_REUSABLE takes the pages out of the process's footprint at
 *                  once but leaves them in place until somebody needs memory: until then they hold what they held.
 *                  The promise is zeros, so the range is overwritten with them first, which leaves the system two
 *                  choices, a page of zeros or none. MADV_FREE_REUSE puts pages into the footprint again before they
 *                  are used; a page written to without it is kept like any that was written to, but not counted.
 * FreeBSD          MADV_FREE has neither the zeros nor a count that falls, and MADV_DONTNEED frees nothing: not offered.
 * Windows          no madvise.
 *
 * The numbers are those of the systems' headers, the same on every processor that JavaScript runtimes exist for.
 */
import type { SystemPageReleaser } from "./types.js";

export interface Advice {
  readonly name: Exclude<SystemPageReleaser["advice"], "none">;
  readonly release: number;
  /** Told before released pages are used again; absent where nothing needs to be. */
  readonly reuse?: number;
  /** Released pages keep their contents for a while: overwrite them first. */
  readonly zeroFirst: boolean;
  /**
   * The C library by the name that the dynamic loader finds without looking for a file: it is in every process already.
   * (musl takes any name that begins with "libc." for itself.) A name that were searched for could be found in the
   * current folder, which Bun looks into.
   */
  readonly library: string;
}

const DONTNEED = { name: "MADV_DONTNEED", release: 4, zeroFirst: false } as const;

const ADVICE: Readonly<Record<string, Advice>> = {
  linux: { ...DONTNEED, library: "libc.so.6" },
  android: { ...DONTNEED, library: "libc.so" },
  darwin: {
    name: "MADV_FREE_REUSABLE",
    release: 7,
    reuse: 8,
    zeroFirst: true,
    library: "/usr/lib/libSystem.B.dylib",
  },
};

/** Half a sentence for systems that people may ask about. */
const WHY_NOT: Readonly<Record<string, string>> = {
  win32: "Windows has no madvise",
  freebsd: "FreeBSD's madvise promises no zeros",
};

/** What to tell the system `platform`, or half a sentence that says why nothing. */
export function adviceFor(platform: string): Advice | string {
  if (Object.hasOwn(ADVICE, platform)) return ADVICE[platform] as Advice;
  if (Object.hasOwn(WHY_NOT, platform)) return WHY_NOT[platform] as string;
  return `what madvise does on ${platform === "" ? "this system" : platform} is not known`;
}
