/**
 * One bit per 8 payload bytes of the heap, set while a live object covers them: the proof that no
 * two live objects ever overlap, whichever threads hold them.
 *
 * A bit is set right after the allocation and cleared right before the free, both with Atomics, so
 * a bit found set on allocation is an overlap at that very moment. A thread that dies in between
 * leaves its bits set for objects that stay allocated, never for free memory.
 */

const GRANULE = 8;
const GRANULES_PER_WORD = 32;

/** The claim bits over a heap buffer; every worker attaches to the same shared words. */
export class ClaimMap {
  readonly #words: Int32Array;

  constructor(shared: SharedArrayBuffer) {
    this.#words = new Int32Array(shared);
  }

  /** Untouched claim memory costs address space only, like the heap's own. */
  static create(heapBytes: number): SharedArrayBuffer {
    const words = Math.ceil(heapBytes / (GRANULE * GRANULES_PER_WORD)) + 1;
    return new SharedArrayBuffer(words * 4);
  }

  /** Claims the bytes; false when part of them was claimed already. */
  claim(offset: number, length: number): boolean {
    let clean = true;
    const first = Math.floor(offset / GRANULE);
    const last = Math.floor((offset + length - 1) / GRANULE);
    for (let granule = first; granule <= last; ) {
      const mask = maskFrom(granule, last);
      if ((Atomics.or(this.#words, granule >>> 5, mask) & mask) !== 0) clean = false;
      granule = (granule | (GRANULES_PER_WORD - 1)) + 1;
    }
    return clean;
  }

  /** Gives the bytes back; false when part of them was not claimed. */
  release(offset: number, length: number): boolean {
    let clean = true;
    const first = Math.floor(offset / GRANULE);
    const last = Math.floor((offset + length - 1) / GRANULE);
    for (let granule = first; granule <= last; ) {
      const mask = maskFrom(granule, last);
      if ((Atomics.and(this.#words, granule >>> 5, ~mask) & mask) !== mask) clean = false;
      granule = (granule | (GRANULES_PER_WORD - 1)) + 1;
    }
    return clean;
  }
}

/** The bits of `granule`'s word from `granule` up to `last`, or to the end of the word. */
function maskFrom(granule: number, last: number): number {
  const low = granule & 31;
  const high = Math.min(31, last - (granule - low));
  return (-1 << low) & (-1 >>> (31 - high));
}
