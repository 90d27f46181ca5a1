/**
 * Reads a recorded allocation trace: gzip of little-endian Int32 pairs. `[size > 0, i]` allocates
 * `size` bytes and keeps the handle in slot `i`; `[0, i]` frees the handle in slot `i`.
 *
 * The whole trace is checked here, once, so that the replay itself needs no check of its input.
 */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { UsageError } from "../args.js";

/** A checked trace in shared memory, so that all workers read one copy. */
export interface Trace {
  /** Pairs of (size or 0, slot). */
  readonly events: Int32Array;
  readonly slots: number;
  readonly largest: number;
  /** Most bytes live at once, by requested size. */
  readonly peakBytes: number;
  readonly peakObjects: number;
}

/** Reads and checks a trace file. Throws `UsageError` naming the file and what is wrong with it. */
export function readTrace(path: string): Trace {
  let packed: Buffer;
  try {
    packed = readFileSync(path);
  } catch (error) {
    const reason = error instanceof Error && "code" in error ? String(error.code) : String(error);
    const why = reason === "ENOENT" ? "no such file" : `cannot be read (${reason})`;
    throw new UsageError(`--trace: "${path}": ${why}; give the path of a recorded .trace.gz file`);
  }
  let bytes: Buffer;
  try {
    bytes = gunzipSync(packed);
  } catch {
    throw damaged(path, "is not a complete gzip file");
  }
  if (bytes.length === 0 || bytes.length % 8 !== 0) {
    throw damaged(path, `holds ${bytes.length} bytes, which is not a positive multiple of 8`);
  }
  return checkedTrace(path, bytes);
}

function checkedTrace(path: string, bytes: Buffer): Trace {
  const count = bytes.length / 8;
  const events = new Int32Array(new SharedArrayBuffer(bytes.length));
  // A slot number needs no more room than there are events; sizes[slot] is 0 while it is empty.
  const sizes = new Int32Array(count);
  let [slots, largest, live, peakObjects, liveBytes, peakBytes] = [0, 0, 0, 0, 0, 0];
  for (let i = 0; i < count; i++) {
    const size = bytes.readInt32LE(i * 8);
    const slot = bytes.readInt32LE(i * 8 + 4);
    const at = `event ${i} [${size}, ${slot}]`;
    if (slot < 0 || slot >= count) throw damaged(path, `${at}: slot outside 0 to ${count - 1}`);
    const held = sizes[slot];
    if (size < 0) throw damaged(path, `${at}: negative size`);
    if (size > 0 && held > 0) throw damaged(path, `${at}: allocates into a slot that is in use`);
    if (size === 0 && held === 0) throw damaged(path, `${at}: frees a slot that is empty`);
    events[i * 2] = size;
    events[i * 2 + 1] = slot;
    sizes[slot] = size;
    live += size > 0 ? 1 : -1;
    liveBytes += size > 0 ? size : -held;
    slots = Math.max(slots, slot + 1);
    largest = Math.max(largest, size);
    peakObjects = Math.max(peakObjects, live);
    peakBytes = Math.max(peakBytes, liveBytes);
  }
  return { events, slots, largest, peakBytes, peakObjects };
}

function damaged(path: string, what: string): UsageError {
  return new UsageError(
    `--trace: "${path}" ${what}; expected gzip of little-endian Int32 pairs [size or 0, slot]: record it again`,
  );
}
