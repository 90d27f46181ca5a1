/**
 * Whole pages of a range, by true addresses: a buffer need not begin on a page (V8 places plain SharedArrayBuffers 16 bytes
 * after one), and a page that begins before the range or ends behind it holds bytes that are not the caller's. Addresses
 * go beyond 2^32, so this is arithmetic of numbers, never of 32-bit words.
 */

/** Bytes from `address` up to the next page, 0 on a page. */
export function bytesToPage(address: number, pageBytes: number): number {
  const past = address % pageBytes;
  return past === 0 ? 0 : pageBytes - past;
}

/** Bytes of the whole pages in `byteLength` bytes from `address` on, which are consecutive; 0 when there is none. */
export function wholePageBytes(address: number, byteLength: number, pageBytes: number): number {
  const behindHead = byteLength - bytesToPage(address, pageBytes);
  return behindHead < pageBytes ? 0 : behindHead - (behindHead % pageBytes);
}
