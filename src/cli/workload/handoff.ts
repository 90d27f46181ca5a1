/**
 * Handles on their way to another worker: small rings in shared memory, one per (producer, peer),
 * each with a single writer and a single reader. The reader frees what arrives, so frees from a
 * foreign thread happen for real.
 *
 *   ring: [tail in one cache line] [head in the next] then 1024 entries of 24 bytes:
 *         f64 handle | i32 owner word | i32 sequence | f64 length
 *
 * Written by  tail: the producer; head: the consumer; entries: the producer, before tail.
 * Ordering    Atomics.store of tail publishes the entries; Atomics.load of it takes them over.
 * Death       the consumer moves head before it frees: a consumer that dies loses what it took,
 *             and its replacement never frees an object a second time. A producer that dies
 *             before it stored tail loses what it wrote. Both are recovered by a bulk discard.
 */

const RING_ENTRIES = 1024;
/** Objects written between two publications: one Atomics.store for that many. */
const PUBLISH_EVERY = 32;
const ENTRY_BYTES = 24;
const HEADER_BYTES = 128;
const RING_BYTES = HEADER_BYTES + RING_ENTRIES * ENTRY_BYTES;
const HEAD_WORD = 16;
/** A worker hands objects to at most that many neighbours. */
const MAX_PEERS = 3;

/** Receives one object that was handed over. */
export type Receive = (handle: number, length: number, owner: number, sequence: number) => void;

/** Memory for the rings of `threads` workers. */
export function createRings(threads: number): SharedArrayBuffer {
  return new SharedArrayBuffer(Math.max(1, threads * peersOf(threads)) * RING_BYTES);
}

function peersOf(threads: number): number {
  return Math.min(MAX_PEERS, threads - 1);
}

class Ring {
  readonly #control: Int32Array;
  readonly #f64: Float64Array;
  readonly #i32: Int32Array;
  #tail: number;

  constructor(rings: SharedArrayBuffer, index: number) {
    const start = index * RING_BYTES;
    this.#control = new Int32Array(rings, start, HEADER_BYTES / 4);
    this.#f64 = new Float64Array(rings, start + HEADER_BYTES, (RING_ENTRIES * ENTRY_BYTES) / 8);
    this.#i32 = new Int32Array(rings, start + HEADER_BYTES, (RING_ENTRIES * ENTRY_BYTES) / 4);
    this.#tail = Atomics.load(this.#control, 0);
  }

  push(handle: number, length: number, owner: number, sequence: number): boolean {
    const head = Atomics.load(this.#control, HEAD_WORD);
    if (((this.#tail - head) | 0) >= RING_ENTRIES) return false;
    const entry = this.#tail & (RING_ENTRIES - 1);
    this.#f64[entry * 3] = handle;
    this.#i32[entry * 6 + 2] = owner;
    this.#i32[entry * 6 + 3] = sequence;
    this.#f64[entry * 3 + 2] = length;
    this.#tail = (this.#tail + 1) | 0;
    if (this.#tail % PUBLISH_EVERY === 0) this.publish();
    return true;
  }

  publish(): void {
    Atomics.store(this.#control, 0, this.#tail);
  }

  /** Takes all published entries over, then hands each to `receive`. Returns how many. */
  take(batch: Batch, receive: Receive): number {
    const tail = Atomics.load(this.#control, 0);
    const head = Atomics.load(this.#control, HEAD_WORD);
    const count = (tail - head) | 0;
    for (let i = 0; i < count; i++) {
      const entry = (head + i) & (RING_ENTRIES - 1);
      batch.handles[i] = this.#f64[entry * 3];
      batch.owners[i] = this.#i32[entry * 6 + 2];
      batch.sequences[i] = this.#i32[entry * 6 + 3];
      batch.lengths[i] = this.#f64[entry * 3 + 2];
    }
    if (count > 0) Atomics.store(this.#control, HEAD_WORD, (head + count) | 0);
    for (let i = 0; i < count; i++) {
      receive(batch.handles[i], batch.lengths[i], batch.owners[i], batch.sequences[i]);
    }
    return count;
  }
}

/** Entries between leaving a ring and being freed. */
interface Batch {
  readonly handles: Float64Array;
  readonly lengths: Float64Array;
  readonly owners: Int32Array;
  readonly sequences: Int32Array;
}

/** One worker's ends of the rings: it hands over to its next neighbours, round robin. */
export class Handoff {
  readonly #outgoing: readonly Ring[];
  readonly #incoming: readonly Ring[];
  readonly #batch: Batch = {
    handles: new Float64Array(RING_ENTRIES),
    lengths: new Float64Array(RING_ENTRIES),
    owners: new Int32Array(RING_ENTRIES),
    sequences: new Int32Array(RING_ENTRIES),
  };
  #next = 0;

  constructor(rings: SharedArrayBuffer, threads: number, index: number) {
    const peers = peersOf(threads);
    const distances = Array.from({ length: peers }, (_, i) => i);
    this.#outgoing = distances.map((d) => new Ring(rings, index * peers + d));
    this.#incoming = distances.map((d) => {
      const producer = (index - d - 1 + threads * 2) % threads;
      return new Ring(rings, producer * peers + d);
    });
  }

  /** Hands an object over; false when the neighbour's ring is full. Visible after `publish` at the latest. */
  push(handle: number, length: number, owner: number, sequence: number): boolean {
    const ring = this.#outgoing[this.#next];
    this.#next = this.#next + 1 === this.#outgoing.length ? 0 : this.#next + 1;
    return ring?.push(handle, length, owner, sequence) ?? false;
  }

  publish(): void {
    for (const ring of this.#outgoing) ring.publish();
  }

  /** Takes what has arrived. Returns how many objects that were. */
  receive(receive: Receive): number {
    let taken = 0;
    for (const ring of this.#incoming) taken += ring.take(this.#batch, receive);
    return taken;
  }
}
