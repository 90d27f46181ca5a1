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
  LABEL_LENGTH,
  LABEL_MAX_BYTES,
  LABEL_TEXT,
  RING_SIZE,
} from "../memory/offsets.js";

const BUSY = 1;
const SEAT_SHIFT = 1;
const SEAT_MASK = 0xff;
const COUNT_SHIFT = 9;
const READ_TRIES = 4;

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
  const seq = loadSeq(m, seqIndex(ring));
  if ((seq & BUSY) !== 0) return false;
  const count = seq >>> COUNT_SHIFT;
  if (!casSeq(m, seqIndex(ring), seq, (count << COUNT_SHIFT) | (seat << SEAT_SHIFT) | BUSY)) return false;
  const base = bufferIndex(ring, count + 1);
  const words = new Int32Array(bytes.buffer);
  for (let i = 0; i < words.length; i++) m[base + LABEL_TEXT + i] = words[i] as number;
  m[base + LABEL_LENGTH] = length;
  m[base + LABEL_ERA] = era;
  storeSeq(m, seqIndex(ring), (count + 1) << COUNT_SHIFT);
  return true;
}

/** Label of (ring, era), or "" when it has none or could not be read untorn in a few tries. */
export function readLabel(m: Int32Array, ring: number, era: number): string {
  const words = new Int32Array((LABEL_MAX_BYTES + 1) / 4);
  for (let attempt = 0; attempt < READ_TRIES; attempt++) {
    const count = loadSeq(m, seqIndex(ring)) >>> COUNT_SHIFT;
    const base = bufferIndex(ring, count);
    const labelEra = loadSeq(m, base + LABEL_ERA);
    const length = loadSeq(m, base + LABEL_LENGTH);
    for (let i = 0; i < words.length; i++) words[i] = loadSeq(m, base + LABEL_TEXT + i);
    if (loadSeq(m, seqIndex(ring)) >>> COUNT_SHIFT !== count) continue;
    if (labelEra !== era || length < 0 || length > LABEL_MAX_BYTES) return "";
    return decoder.decode(new Uint8Array(words.buffer, 0, length));
  }
  return "";
}

/** Clears the busy bits a dead seat left behind. */
export function releaseLabels(m: Int32Array, seat: number): void {
  for (let ring = 0; ring < RING_SIZE; ring++) {
    const seq = loadSeq(m, seqIndex(ring));
    if ((seq & BUSY) !== 0 && ((seq >>> SEAT_SHIFT) & SEAT_MASK) === seat) {
      casSeq(m, seqIndex(ring), seq, seq & (-1 << COUNT_SHIFT));
    }
  }
}
