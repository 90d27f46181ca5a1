/**
 * Checked objects: every allocation is claimed, stamped and measured, every free is preceded by a
 * check of the stamp and must succeed. Whatever is not as it must be is reported as damage.
 */
import { type EpochId, type Handle, NULL_HANDLE, type SlabHeap, StaleHandleError } from "../../index.js";
import type { ClaimMap } from "./claims.js";
import type { Tally } from "./control.js";
import type { Damage, DamageKind } from "./messages.js";
import type { Patience } from "./patience.js";
import { describeStamp, ownerWord, Stamper } from "./stamp.js";

/** The self-test scribbles over that object of each worker, unless it is freed before. */
const INJECT_AT_SEQUENCE = 100;

export interface ObjectsOptions {
  readonly heap: SlabHeap;
  readonly claims: ClaimMap;
  readonly tally: Tally;
  readonly patience: Patience;
  readonly worker: number;
  readonly checkEvery: number;
  readonly injectDamage: boolean;
  readonly report: (damage: Damage) => void;
}

/** One worker's way to the heap. The last allocation's figures are left in `handle`, `length`, `sequence`. */
export class CheckedObjects {
  /** First word of every stamp of this worker. */
  readonly owner: number;
  handle: Handle = NULL_HANDLE;
  length = 0;
  sequence = 0;
  /** The epoch allocations go to; moves on by itself when it is found closed. */
  epoch: EpochId;

  readonly #options: ObjectsOptions;
  readonly #heap: SlabHeap;
  readonly #claims: ClaimMap;
  readonly #tally: Tally;
  readonly #stamper: Stamper;
  readonly #bufferBytes: number;
  readonly #checkEvery: number;

  constructor(options: ObjectsOptions) {
    this.#options = options;
    this.#heap = options.heap;
    this.#claims = options.claims;
    this.#tally = options.tally;
    this.#stamper = new Stamper(options.heap.i32, options.heap.u8);
    this.#bufferBytes = options.heap.buffer.byteLength;
    this.#checkEvery = options.checkEvery;
    this.owner = ownerWord(options.heap.seat, options.worker);
    this.epoch = options.heap.currentEpoch.id;
  }

  /** Allocates, claims and stamps; false when the heap is out of memory. */
  allocate(size: number): boolean {
    const handle = this.#allocInOpenEpoch(size);
    if (handle === NULL_HANDLE) return false;
    this.#tally.allocs++;
    const sequence = (this.sequence + 1) | 0;
    const full = this.#isFull(sequence);
    const length = full ? this.#heap.sizeOf(handle) : size;
    const offset = this.#heap.byteOffset(handle);
    this.handle = handle;
    this.length = length;
    this.sequence = sequence;
    if (length < size || (offset & 7) !== 0 || offset + length > this.#bufferBytes) {
      this.#damaged(
        "misplaced",
        offset,
        0,
        `${size} bytes, 8-aligned, inside the buffer`,
        `${length} bytes at ${offset}`,
      );
    }
    if (!this.#claims.claim(offset, length)) {
      this.#damaged("overlap", offset, 0, "memory of no live object", this.#stamper.foundAt(offset, length));
    }
    this.#stamper.write(offset, length, this.owner, sequence, full);
    if (this.#options.injectDamage && sequence === INJECT_AT_SEQUENCE) this.#scribble(offset, length);
    return true;
  }

  /** Checks an object, own or handed over, and frees it. */
  free(handle: Handle, length: number, owner: number, sequence: number): void {
    const offset = this.#offsetOf(handle, length, owner, sequence);
    if (offset < 0) return;
    this.#check(handle, offset, length, owner, sequence);
    if (!this.#claims.release(offset, length)) {
      this.#found(
        "overlap",
        handle,
        offset,
        length,
        0,
        describeStamp(owner, sequence),
        "released by another owner",
      );
    }
    if (!this.#heap.free(handle)) {
      this.#found(
        "free-refused",
        handle,
        offset,
        length,
        0,
        describeStamp(owner, sequence),
        "free returned false",
      );
      return;
    }
    this.#tally.frees++;
    if (owner !== this.owner) this.#tally.foreign_frees++;
  }

  /** Checks an object that stays live. */
  inspect(handle: Handle, length: number, owner: number, sequence: number): void {
    const offset = this.#offsetOf(handle, length, owner, sequence);
    if (offset >= 0) this.#check(handle, offset, length, owner, sequence);
  }

  #allocInOpenEpoch(size: number): Handle {
    const handle = this.#heap.alloc(size, this.epoch);
    return handle === NULL_HANDLE ? this.#allocAgain(size) : handle;
  }

  /** After a refusal: follows the current epoch until it is served or the heap is full. */
  #allocAgain(size: number): Handle {
    const { patience } = this.#options;
    while (this.#heap.lastFailure === "epoch-closed") {
      this.#tally.epoch_closed++;
      patience.refused(`alloc(${size})`);
      this.epoch = this.#heap.currentEpoch.id;
      const handle = this.#heap.alloc(size, this.epoch);
      if (handle !== NULL_HANDLE) {
        patience.served();
        return handle;
      }
    }
    this.#tally.out_of_memory++;
    patience.served();
    return NULL_HANDLE;
  }

  #isFull(sequence: number): boolean {
    return (sequence >>> 0) % this.#checkEvery === 0;
  }

  #offsetOf(handle: Handle, length: number, owner: number, sequence: number): number {
    try {
      return this.#heap.byteOffset(handle);
    } catch (error) {
      if (!(error instanceof StaleHandleError)) throw error;
      this.#found("stale-handle", handle, -1, length, 0, describeStamp(owner, sequence), error.message);
      return -1;
    }
  }

  #check(handle: Handle, offset: number, length: number, owner: number, sequence: number): void {
    const full = this.#isFull(sequence);
    if (full) this.#tally.checked_full++;
    const at = this.#stamper.firstMismatch(offset, length, owner, sequence, full);
    if (at < 0) return;
    const [expected, found] = this.#stamper.compareAt(offset, length, owner, sequence, at);
    this.#found(
      "stamp",
      handle,
      offset,
      length,
      at,
      `${expected} (${describeStamp(owner, sequence)})`,
      `${found} (start of object: ${this.#stamper.foundAt(offset, length)})`,
    );
  }

  #scribble(offset: number, length: number): void {
    const last = offset + length - 1;
    this.#heap.u8[last] = this.#heap.u8[last] ^ 0xff;
  }

  /** Damage to the object just allocated. */
  #damaged(kind: DamageKind, offset: number, at: number, expected: string, found: string): void {
    this.#found(kind, this.handle, offset, this.length, at, expected, found);
  }

  #found(
    kind: DamageKind,
    handle: Handle,
    offset: number,
    length: number,
    at: number,
    expected: string,
    found: string,
  ): void {
    this.#tally.damage++;
    const noticed_by = this.#options.worker;
    this.#options.report({ kind, handle, offset, length, at, expected, found, noticed_by });
  }
}
