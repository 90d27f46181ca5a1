/**
 * What lies in the objects the server and its workers pass: four int32 words, then the bytes.
 *
 *   word 0  number of the request        word 1  length of the bytes
 */
export const HEADER_BYTES = 16;

export function writeHeader(heap, handle, id, length) {
  const words = heap.viewAs(handle, Int32Array, 2);
  words[0] = id;
  words[1] = length;
}

export function requestId(heap, handle) {
  return heap.i32[heap.byteOffset(handle) / 4];
}

/** The bytes behind the header, in place. */
export function bytesOf(heap, handle) {
  const offset = heap.byteOffset(handle);
  return Buffer.from(heap.buffer, offset + HEADER_BYTES, heap.i32[offset / 4 + 1]);
}
