/** The C library as a backend sees it, and the checks every backend's must pass before it is used. */

/** Two functions of the C library and the size of a page. */
export interface Libc {
  /** For sentences: "koffi 3.3.4". */
  readonly title: string;
  readonly pageBytes: number;
  /** The runtime's object for the library: collected, it could take the functions with it. */
  readonly keep: unknown;
  /** As in C: 0, or -1 when the system refused. */
  madvise(address: number, length: number, advice: number): number;
  /** Address of the first byte of a view on shared memory. */
  addressOf(view: Uint8Array): number;
}

/** A library, or half a sentence that says why there is none. */
export type Opened = Libc | { readonly why: string };

/**
 * Signatures shared by the backends that name types alike. `memmove` returns its first argument, and moving nothing touches
 * nothing: a way to learn the address of a view where the runtime has no other.
 */
export const MADVISE = "madvise";
export const PAGE_SIZE = "getpagesize";
export const MEMMOVE = "memmove";

const MIN_PAGE = 4096;
const MAX_PAGE = 1024 * 1024;
const PROBE_BYTES = 64;

/** Opens a library and checks it; whatever goes wrong becomes a reason. */
export function openChecked(title: string, open: () => Opened): Opened {
  try {
    const opened = open();
    if ("why" in opened) return opened;
    const { pageBytes } = opened;
    if (!(pageBytes >= MIN_PAGE && pageBytes <= MAX_PAGE) || (pageBytes & (pageBytes - 1)) !== 0) {
      return { why: `${title} says that a page has ${pageBytes} bytes` };
    }
    const probe = new SharedArrayBuffer(PROBE_BYTES);
    if (baseAddress(opened, probe, PROBE_BYTES) === undefined) {
      return { why: `${title} cannot tell the address of shared memory` };
    }
    return opened;
  } catch (error) {
    return { why: `${title} failed: ${firstLine(error)}` };
  }
}

/**
 * The address of a buffer's first byte, or undefined when it cannot be trusted. It never changes: threads that share the
 * memory have it in their registers. A library that passed a copy of the bytes, or forgot where in the buffer a view
 * begins, would name an address with somebody else's bytes: two views must be as far apart as they are in the buffer.
 *
 * `byteLength`: the true one, which the property of that name need not be.
 */
export function baseAddress(libc: Libc, buffer: SharedArrayBuffer, byteLength: number): number | undefined {
  if (byteLength === 0) return undefined;
  try {
    const base = libc.addressOf(new Uint8Array(buffer));
    const last = libc.addressOf(new Uint8Array(buffer, byteLength - 1));
    const known = base > 0 && last === base + byteLength - 1;
    // Beyond 2^53, as with addresses that carry a tag, a number would be another address.
    return known && Number.isSafeInteger(last) ? base : undefined;
  } catch {
    return undefined;
  }
}

/** What an error says, for the middle of a sentence. */
export function firstLine(error: unknown): string {
  const text = String(error instanceof Error ? error.message : error);
  return (text.split("\n", 1)[0] as string).trim().replace(/\.+$/, "");
}
