/**
 * Epoch labels: 31 bytes of text per ring slot that any thread may set and any thread may read, without locks.
 *
 *   seq:  31            9 8       1    0
 *         |    count    |  seat  | busy |        even count: buffer A is readable, odd: buffer B
 *
 * A writer sets busy by CAS, fills the buffer that is not readable, and stores count + 1 without busy. Readers
 * always use the readable buffer and accept what they read if count did not move, so a writer that dies
 * half-way leaves the old label readable; reap clears its busy bit. Busy means: no label for the second of two
 * simultaneous writers, who must not wait. The era is part of the buffer: a label never outlives its epoch.
 */
import { casSeq, loadSeq, storeSeq } from "../memory/atomics.js";
import {
  EP_LABEL_A,
  EP_LABEL_B,
  EP_LABEL_SEQ,
  EPOCH_BASE,
  EPOCH_WORDS,
  LABEL_ERA,
  LABEL_ID,
  LABEL_LENGTH,
  LABEL_MAX_BYTES,
  LABEL_NONE,
  LABEL_OTHER,
  LABEL_REGISTRY_BASE,
  LABEL_REGISTRY_WORDS,
  LABEL_TEXT,
  RING_SIZE,
} from "../memory/offsets.js";

const BUSY = 1;
const SEAT_SHIFT = 1;
const SEAT_MASK = 0xff;
const COUNT_SHIFT = 9;
const READ_TRIES = 4;
const TEXT_WORDS = 8;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function seqIndex(ring: number): number {
  return EPOCH_BASE + ring * EPOCH_WORDS + EP_LABEL_SEQ;
}

function bufferIndex(ring: number, count: number): number {
  return EPOCH_BASE + ring * EPOCH_WORDS + ((count & 1) === 0 ? EP_LABEL_A : EP_LABEL_B);
}

/** Sets the label of (ring, era); returns false when another thread was writing one at the same time. */
export function writeLabel(m: Int32Array, ring: number, era: number, seat: number, label: string): boolean {
  // encodeInto stops before a character that does not fit whole.
  const bytes = new Uint8Array(LABEL_MAX_BYTES + 1);
  const length = encoder.encodeInto(label, bytes.subarray(0, LABEL_MAX_BYTES)).written;
  const words = new Int32Array(bytes.buffer);
  const id = labelNumber(m, seat, words, length);
  const seq = loadSeq(m, seqIndex(ring));
  if ((seq & BUSY) !== 0) return false;
  const count = seq >>> COUNT_SHIFT;
  if (!casSeq(m, seqIndex(ring), seq, (count << COUNT_SHIFT) | (seat << SEAT_SHIFT) | BUSY)) return false;
  const base = bufferIndex(ring, count + 1);
  for (let i = 0; i < TEXT_WORDS; i++) m[base + LABEL_TEXT + i] = words[i] as number;
  m[base + LABEL_LENGTH] = length;
  m[base + LABEL_ID] = id;
  m[base + LABEL_ERA] = era;
  storeSeq(m, seqIndex(ring), (count + 1) << COUNT_SHIFT);
  return true;
}

/** Label of (ring, era), or "" when it has none or could not be read untorn in a few tries. */
export function readLabel(m: Int32Array, ring: number, era: number): string {
  for (let attempt = 0; attempt < READ_TRIES; attempt++) {
    const count = loadSeq(m, seqIndex(ring)) >>> COUNT_SHIFT;
    const base = bufferIndex(ring, count);
    const labelEra = loadSeq(m, base + LABEL_ERA);
    const label = readText(m, base + LABEL_TEXT, loadSeq(m, base + LABEL_LENGTH));
    if (loadSeq(m, seqIndex(ring)) >>> COUNT_SHIFT !== count) continue;
    return labelEra === era ? label : "";
  }
  return "";
}

/** Number of the label of (ring, era), or -1 when that is not known any more. */
export function readLabelNumber(m: Int32Array, ring: number, era: number): number {
  const count = loadSeq(m, seqIndex(ring)) >>> COUNT_SHIFT;
  const base = bufferIndex(ring, count);
  const id = loadSeq(m, base + LABEL_ID);
  const known = loadSeq(m, base + LABEL_ERA) === era;
  return known && loadSeq(m, seqIndex(ring)) >>> COUNT_SHIFT === count ? id : -1;
}

/** Text of a label by its number; undefined where the registry has none. */
export function labelText(m: Int32Array, id: number): string | undefined {
  if (id === LABEL_NONE) return "";
  if (id === LABEL_OTHER) return "(other)";
  if (!(id > 0 && id < LABEL_OTHER)) return undefined;
  const length = loadSeq(m, registryEntry(id));
  return length > 0 ? readText(m, registryEntry(id) + 1, length) : undefined;
}

/** Number of a label, which gets one now if there is room. Two threads that bring a new one at once may make it two. */
function labelNumber(m: Int32Array, seat: number, words: Int32Array, length: number): number {
  if (length === 0) return LABEL_NONE;
  for (let id = 1; id < LABEL_OTHER; id++) {
    const entry = registryEntry(id);
    const held = loadSeq(m, entry);
    if (held === length && sameText(m, entry + 1, words)) return id;
    if (held !== 0 || !casSeq(m, entry, 0, -seat)) continue;
    for (let i = 0; i < TEXT_WORDS; i++) m[entry + 1 + i] = words[i] as number;
    storeSeq(m, entry, length);
    return id;
  }
  return LABEL_OTHER;
}

function registryEntry(id: number): number {
  return LABEL_REGISTRY_BASE + id * LABEL_REGISTRY_WORDS;
}

function sameText(m: Int32Array, at: number, words: Int32Array): boolean {
  for (let i = 0; i < TEXT_WORDS; i++) if (m[at + i] !== words[i]) return false;
  return true;
}

function readText(m: Int32Array, at: number, length: number): string {
  if (length <= 0 || length > LABEL_MAX_BYTES) return "";
  const words = new Int32Array(TEXT_WORDS);
  for (let i = 0; i < TEXT_WORDS; i++) words[i] = loadSeq(m, at + i);
  return decoder.decode(new Uint8Array(words.buffer, 0, length));
}

/** Clears what a dead seat left half-written. */
export function releaseLabels(m: Int32Array, seat: number): void {
  for (let ring = 0; ring < RING_SIZE; ring++) {
    const seq = loadSeq(m, seqIndex(ring));
    if ((seq & BUSY) !== 0 && ((seq >>> SEAT_SHIFT) & SEAT_MASK) === seat) {
      casSeq(m, seqIndex(ring), seq, seq & (-1 << COUNT_SHIFT));
    }
  }
  for (let id = 1; id < LABEL_OTHER; id++) {
    if (loadSeq(m, registryEntry(id)) === -seat) casSeq(m, registryEntry(id), -seat, 0);
  }
}
