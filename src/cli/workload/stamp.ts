/**
 * The stamp every object carries: who allocated it and as which object, at its start and its end.
 *
 *   word  0        1           2 .. n-3   n-2             n-1                 then 0-3 bytes
 *         owner    sequence    filler     owner ^ END     sequence ^ END      low bytes
 *
 * The filler is written and checked only for objects stamped in full. An object too short for all
 * four words carries as many as fit, from the start.
 */

const END = 0x5a5a5a5a;
const OWNER_WORKER_BITS = 16;

/** The owner word: the seat and the running number of the worker in this run. */
export function ownerWord(seat: number, worker: number): number {
  return (seat << OWNER_WORKER_BITS) | (worker & 0xffff);
}

/** An owner word and a sequence number in words a reader of the report understands. */
export function describeStamp(owner: number, sequence: number): string {
  return `seat ${owner >>> OWNER_WORKER_BITS} worker ${owner & 0xffff} object ${sequence >>> 0}`;
}

/** Writes and checks stamps in the payload bytes of one heap. Offsets are multiples of 4. */
export class Stamper {
  readonly #i32: Int32Array;
  readonly #u8: Uint8Array;

  constructor(i32: Int32Array, u8: Uint8Array) {
    this.#i32 = i32;
    this.#u8 = u8;
  }

  write(offset: number, length: number, owner: number, sequence: number, full: boolean): void {
    const i32 = this.#i32;
    const base = offset / 4;
    const words = Math.floor(length / 4);
    if (words >= 4) {
      i32[base] = owner;
      i32[base + 1] = sequence;
      i32[base + words - 2] = owner ^ END;
      i32[base + words - 1] = sequence ^ END;
      if (full) {
        for (let w = 2; w < words - 2; w++) i32[base + w] = filler(owner, sequence, w);
      }
    } else {
      for (let w = 0; w < words; w++) i32[base + w] = expectedWord(owner, sequence, w, words);
    }
    for (let b = words * 4; b < length; b++) this.#u8[offset + b] = sequence + b;
  }

  /** Byte in the object where the stamp is not what `write` left there, or -1. */
  firstMismatch(offset: number, length: number, owner: number, sequence: number, full: boolean): number {
    const i32 = this.#i32;
    const base = offset / 4;
    const words = Math.floor(length / 4);
    if (words >= 4) {
      if (i32[base] !== owner) return 0;
      if (i32[base + 1] !== sequence) return 4;
      if (full) {
        for (let w = 2; w < words - 2; w++) {
          if (i32[base + w] !== filler(owner, sequence, w)) return w * 4;
        }
      }
      if (i32[base + words - 2] !== (owner ^ END)) return words * 4 - 8;
      if (i32[base + words - 1] !== (sequence ^ END)) return words * 4 - 4;
    } else {
      for (let w = 0; w < words; w++) {
        if (i32[base + w] !== expectedWord(owner, sequence, w, words)) return w * 4;
      }
    }
    for (let b = words * 4; b < length; b++) {
      if (this.#u8[offset + b] !== ((sequence + b) & 0xff)) return b;
    }
    return -1;
  }

  /** What `firstMismatch` compared at that byte: expected and found, in hexadecimal. */
  compareAt(
    offset: number,
    length: number,
    owner: number,
    sequence: number,
    at: number,
  ): [expected: string, found: string] {
    const words = Math.floor(length / 4);
    if (at >= words * 4) return [hex((sequence + at) & 0xff, 2), hex(this.#u8[offset + at], 2)];
    const expected = expectedWord(owner, sequence, at / 4, words);
    return [hex(expected, 8), hex(this.#i32[(offset + at) / 4], 8)];
  }

  /** The stamp that stands at an object's start now, whatever it says. */
  foundAt(offset: number, length: number): string {
    if (length < 8) return "too short to tell";
    return describeStamp(this.#i32[offset / 4], this.#i32[offset / 4 + 1]);
  }
}

function expectedWord(owner: number, sequence: number, word: number, words: number): number {
  if (words === 1) return (owner ^ sequence) | 0;
  if (word === 0) return owner;
  if (word === 1) return sequence;
  if (word === words - 1) return sequence ^ END;
  if (word === words - 2) return owner ^ END;
  return filler(owner, sequence, word);
}

function filler(owner: number, sequence: number, word: number): number {
  return (Math.imul(owner ^ sequence, 0x9e3779b1) + word) | 0;
}

function hex(value: number, digits: number): string {
  return `0x${(value >>> 0).toString(16).padStart(digits, "0")}`;
}
