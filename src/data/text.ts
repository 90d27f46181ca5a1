/**
 * Texts as objects of a heap: a 4-byte length in bytes, then the UTF-8.
 *
 *   object:  | length (u32, host order) | UTF-8 ... | unused up to the object's size |
 *
 * Length - Written by: whoever writes the text, after its bytes. Read by: `readText`, before the bytes. Ordering: atomic
 * both times, so that a reader who sees the new length also sees the bytes that were written before it. Invariant: at
 * most the object's size less 4; a reader checks it, because an object that never was a text may say anything there.
 */
import {
  type EpochId,
  type Handle,
  InvalidTypeError,
  InvalidValueError,
  type SlabHeap,
} from "../allocator/index.js";
import { checkHeap } from "../threads/index.js";
import { allocIn, type Domain } from "./place.js";
import { checkText, decodeAt, encodePrivately, isShortAscii, writeAscii } from "./utf8.js";

const LENGTH_BYTES = 4;

/**
 * Allocates an object that holds `text`, 4 bytes and its UTF-8; lone surrogates become U+FFFD. From any attached thread.
 *
 * Returns NULL_HANDLE, as `alloc` does, when the heap is full or the epoch is not open; `heap.lastFailure` says
 * which. `where`: the ring slot of an epoch (default: the current one), or a domain of the same heap. Throws
 * {@link InvalidTypeError} for what is no heap, text or domain, {@link InvalidValueError} for a text larger than the heap
 * or a domain of another one, and what the domain's `alloc` throws once it has ended.
 *
 * @example
 * ```ts
 * const handle = allocText(heap, "Grüße"); // 4 + 7 bytes
 * worker.postMessage(handle);              // there: readText(heap, handle), heap.free(handle)
 * ```
 */
export function allocText(heap: SlabHeap, text: string, where?: EpochId | Domain): Handle {
  checkHeap("allocText", heap);
  checkText("allocText", text);
  const utf8 = isShortAscii(text) ? undefined : encodePrivately(text);
  const length = utf8?.length ?? text.length;
  const handle = allocIn("allocText", heap, LENGTH_BYTES + length, where);
  if (handle !== 0) store(heap, heap.byteOffset(handle), text, utf8, length);
  return handle;
}

/**
 * The text in the object that `handle` names.
 *
 * Another thread may write it meanwhile: the result is then the text of a mixture of old and new bytes, with U+FFFD
 * where they make no character. It never throws for that and never reads beyond the object. Threads that need whole
 * texts write each into an object of its own and pass the handle, or take turns.
 *
 * Throws {@link StaleHandleError}, and {@link InvalidValueError} when the object's length word says more than the object
 * holds, as in an object that is no text.
 */
export function readText(heap: SlabHeap, handle: Handle): string {
  checkHeap("readText", heap);
  const at = heap.byteOffset(handle);
  const room = heap.sizeOf(handle) - LENGTH_BYTES;
  const length = Atomics.load(heap.u32, at / LENGTH_BYTES);
  if (length > room) {
    throw new InvalidValueError(
      `readText: handle ${handle} names no text: its length word must be from 0 to ${room} bytes (what the object has room for); it is ${length}.`,
    );
  }
  return decodeAt(heap.u8, at + LENGTH_BYTES, length);
}

/**
 * Replaces the text in the object that `handle` names, whatever it held; returns the bytes of UTF-8 written. What other
 * threads see meanwhile is said at {@link readText}; of two that write at once both texts may be mixed.
 *
 * Throws {@link StaleHandleError}, {@link InvalidTypeError} for what is no text, and {@link InvalidValueError}, with
 * nothing written, when the text does not fit: it may have 4 bytes less than `heap.sizeOf(handle)`.
 */
export function writeText(heap: SlabHeap, handle: Handle, text: string): number {
  checkHeap("writeText", heap);
  checkText("writeText", text);
  const at = heap.byteOffset(handle);
  const room = heap.sizeOf(handle) - LENGTH_BYTES;
  const utf8 = isShortAscii(text) ? undefined : encodePrivately(text);
  const length = utf8?.length ?? text.length;
  if (length > room) {
    throw new InvalidValueError(
      `writeText: text must be from 0 to ${room} bytes of UTF-8 (what the object has room for); got ${length}.`,
    );
  }
  store(heap, at, text, utf8, length);
  return length;
}

function store(heap: SlabHeap, at: number, text: string, utf8: Uint8Array | undefined, length: number): void {
  if (utf8 === undefined) writeAscii(heap.u8, at + LENGTH_BYTES, text);
  else heap.u8.set(utf8, at + LENGTH_BYTES);
  // After the bytes: whoever sees this length sees them too.
  Atomics.store(heap.u32, at / LENGTH_BYTES, length);
}
