/**
 * UTF-8 in memory that several threads write.
 *
 * The platform's decoder must not see shared memory. It passes over the bytes twice, once for the size of the string and
 * once to fill it; when another thread writes in between, Node 20 and 22 write past the end of that string and crash
 * (`test/data/utf8.test.ts` does it within a second). Browsers refuse shared memory instead. So bytes are copied first,
 * into memory that no other thread knows. Encoding goes through such memory too: browsers refuse to encode into shared
 * memory that can grow, which is what heaps are made of, and so the length is known before the first byte is written.
 */
import { describeValue, InvalidTypeError } from "../allocator/index.js";

const SCRATCH_BYTES = 16 * 1024;
/** A UTF-16 unit takes at most this many bytes (a pair takes four). */
const MAX_UNIT_BYTES = 3;

/**
 * Where a loop over single units or bytes beats calls of the platform, which need arrays made for them: short texts take a
 * half to a quarter of the time, on every runtime.
 */
const LOOP_UNITS = 24;
const LOOP_BYTES = 12;
const COPY_BYTES = 32;
/** Up to here {@link textBytes} counts by itself. */
const COUNT_UNITS = 64;

const encoder = new TextEncoder();
// Without ignoreBOM a text that begins with U+FEFF would come back without it.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
/** This thread's own: every use ends before the function that uses it returns. */
const scratch = new Uint8Array(SCRATCH_BYTES);
const fromCharCode = String.fromCharCode;

/** What {@link encodeInto} did. */
export interface EncodeResult {
  /** UTF-16 units of the text that were encoded. */
  readonly read: number;
  /** Bytes written. */
  readonly written: number;
}

/**
 * As `TextEncoder.encodeInto`, on every runtime, into shared memory too: encodes as much of `text` as `bytes` has room
 * for, whole characters only; lone surrogates become U+FFFD. Bytes beyond `written` are left alone. A thread that reads
 * meanwhile sees some bytes of before and some of after. Throws {@link InvalidTypeError}.
 */
export function encodeInto(bytes: Uint8Array, text: string): EncodeResult {
  checkBytes("encodeInto", bytes);
  checkText("encodeInto", text);
  const room = bytes.length;
  let read = 0;
  let written = 0;
  while (read < text.length) {
    const piece = pieceOf(text, read);
    const into = room - written < SCRATCH_BYTES ? scratch.subarray(0, room - written) : scratch;
    const done = encoder.encodeInto(piece, into);
    bytes.set(scratch.subarray(0, done.written), written);
    read += done.read;
    written += done.written;
    if (done.read < piece.length) break;
  }
  return { read, written };
}

/**
 * Text of UTF-8 `bytes`, on every runtime, from shared memory too; what is no UTF-8 becomes U+FFFD, and U+FEFF is kept.
 * When another thread writes meanwhile, the text is that of a mixture of bytes from before and after.
 * Throws {@link InvalidTypeError}.
 */
export function decode(bytes: Uint8Array): string {
  checkBytes("decode", bytes);
  return decodeAt(bytes, 0, bytes.length);
}

/** Bytes that `text` takes in UTF-8; lone surrogates count as U+FFFD, 3 bytes. Throws {@link InvalidTypeError}. */
export function textBytes(text: string): number {
  checkText("textBytes", text);
  let bytes = 0;
  if (text.length > COUNT_UNITS) {
    for (let at = 0; at < text.length; ) {
      const piece = pieceOf(text, at);
      bytes += encoder.encodeInto(piece, scratch).written;
      at += piece.length;
    }
    return bytes;
  }
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) bytes += 1;
    else if (unit < 0x800) bytes += 2;
    else if (isHigh(unit) && isLow(text.charCodeAt(i + 1))) {
      bytes += 4;
      i++;
    } else bytes += 3;
  }
  return bytes;
}

/** Text of `length` bytes of `u8` from `at` on. */
export function decodeAt(u8: Uint8Array, at: number, length: number): string {
  if (length <= LOOP_BYTES) {
    const text = asciiAt(u8, at, length);
    if (text !== undefined) return text;
  }
  if (length <= COPY_BYTES) {
    for (let i = 0; i < length; i++) scratch[i] = u8[at + i] as number;
    return decoder.decode(scratch.subarray(0, length));
  }
  const source = at === 0 && length === u8.length ? u8 : u8.subarray(at, at + length);
  // The constructor copies. `slice()` of a Buffer would not.
  if (length > SCRATCH_BYTES) return decoder.decode(new Uint8Array(source));
  scratch.set(source);
  return decoder.decode(scratch.subarray(0, length));
}

/** The same for a few bytes, or undefined if one is not ASCII. */
function asciiAt(u8: Uint8Array, at: number, length: number): string | undefined {
  const end = at + length;
  let text = "";
  let i = at;
  for (; i + 4 <= end; i += 4) {
    const a = u8[i] as number;
    const b = u8[i + 1] as number;
    const c = u8[i + 2] as number;
    const d = u8[i + 3] as number;
    if ((a | b | c | d) > 0x7f) return undefined;
    text += fromCharCode(a, b, c, d);
  }
  for (; i < end; i++) {
    const a = u8[i] as number;
    if (a > 0x7f) return undefined;
    text += fromCharCode(a);
  }
  return text;
}

/** Whether `text` is short enough for {@link writeAscii}, and nothing but ASCII: as many bytes as units. */
export function isShortAscii(text: string): boolean {
  if (text.length > LOOP_UNITS) return false;
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}

export function writeAscii(u8: Uint8Array, at: number, text: string): void {
  for (let i = 0; i < text.length; i++) u8[at + i] = text.charCodeAt(i);
}

/** UTF-8 of `text` in this thread's own memory; good until the next call of anything in this file. */
export function encodePrivately(text: string): Uint8Array {
  if (text.length * MAX_UNIT_BYTES > SCRATCH_BYTES) return encoder.encode(text);
  return scratch.subarray(0, encoder.encodeInto(text, scratch).written);
}

/** A piece of `text` from `at` on that fits the scratch memory whole and does not part a pair of surrogates. */
function pieceOf(text: string, at: number): string {
  const most = Math.floor(SCRATCH_BYTES / MAX_UNIT_BYTES);
  if (text.length - at <= most) return at === 0 ? text : text.slice(at);
  const end = at + most;
  return text.slice(at, isHigh(text.charCodeAt(end - 1)) ? end - 1 : end);
}

const isHigh = (unit: number): boolean => (unit & 0xfc00) === 0xd800;
const isLow = (unit: number): boolean => (unit & 0xfc00) === 0xdc00;

function checkBytes(method: string, bytes: unknown): void {
  if (bytes instanceof Uint8Array) return;
  throw new InvalidTypeError(`${method}: bytes must be a Uint8Array; got ${describeValue(bytes)}.`);
}

export function checkText(method: string, text: unknown): void {
  if (typeof text === "string") return;
  throw new InvalidTypeError(`${method}: text must be a string; got ${describeValue(text)}.`);
}
