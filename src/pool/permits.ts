/**
 * The limit on buffers that several threads share: one owner word per permit, in a small buffer of its own (an object of
 * the heap would end with its epoch).
 *
 *   word 0 magic | 1 version | 2 limit | 3 and 4 which heap | 5 this limit's id | 16 BELL | 32.. one owner word per permit
 *
 * Words 0 to 5. Written by: the thread that makes the buffer, before anybody else has it. Read by: whoever attaches.
 *
 * Owner words are those of threads/owners.ts with a little more: a permit whose buffer travels to another thread has bit 24
 * set, and a number in the bits 25 to 30 that changes with every journey.
 * Written by: CAS from the sender's own word when it detaches a buffer, CAS from exactly that when somebody adopts it.
 * Why: a buffer adopted twice gets its permit once, because the second adopter does not find the word of that journey.
 * Whoever judges owners looks at seat and incarnation only, so a permit whose sender died is taken back like others.
 *
 * BELL: bit 0 says that somebody waits for a permit; the bits above count how often waiters were called.
 * Written by: waiters, CAS that sets bit 0; whoever gives a permit back and finds bit 0 set, CAS that adds 1, which
 *   clears the bit and counts in one step.
 * Read by: whoever gives a permit back; waiters sleep while it is what they saw.
 * Ordering: A throughout. A waiter sets the bit, then looks at the permits once more, then sleeps; a giver gives the permit
 *   back, then looks at the bit. Each writes first and reads second, so at least one sees the other: the waiter finds the
 *   permit, or the giver finds the bit. With either pair swapped, both can miss each other.
 * Why one word: a giver that dies can leave nothing half done but a notification, and a giver whose CAS fails has lost to
 *   another giver, whose call wakes the same waiters. Waiters look again every RECHECK_MS all the same: nobody rings
 *   for permits of the dead.
 */
import {
  casSeq,
  describeValue,
  HeapFormatError,
  heapIdentity,
  InvalidValueError,
  loadSeq,
  type SeatInfo,
  type SlabHeap,
} from "../allocator/index.js";
import {
  type AbortSignalLike,
  OwnerWords,
  RECHECK_MS,
  type SeatSource,
  UNOWNED,
  waitAsync,
  wake,
} from "../threads/index.js";

const MAGIC = 0x7473_706c;
const VERSION = 1;

const P_MAGIC = 0;
const P_VERSION = 1;
const P_LIMIT = 2;
const P_HEAP = 3;
const P_ID = 5;
const P_BELL = 16;
const P_OWNERS = 32;

/** Bit of an owner word: the permit's buffer is on its way to another thread. Six bits above it count journeys. */
const TRAVELLING = 1 << 24;
const JOURNEY_SHIFT = 25;
const JOURNEY_MASK = 0x3f;
const WAITED_FOR = 1;

/** What `journey` of a ref can be. */
export const FIRST_JOURNEY = TRAVELLING;
export const LAST_JOURNEY = 2 ** 31 - 1;

/** Most permits a pool can have. */
export const MAX_PERMITS = 2 ** 20;

/** Stands for a buffer that has no permit. */
export const NO_PERMIT = -1;

/** A permit on its way to another thread. */
export interface PermitRef {
  readonly index: number;
  /** What its word is on the way: the sender, and which journey. */
  readonly journey: number;
  /** The limit it belongs to. */
  readonly limit: number;
}

/** One thread's use of a shared limit. */
export class Permits {
  readonly buffer: SharedArrayBuffer;
  readonly limit: number;
  private readonly m: Int32Array;
  private readonly owners: OwnerWords;
  private readonly heap: SeatSource;
  /** Where the next free permit probably is: the one given back last, or after the one taken last. */
  private hint = 0;
  private journeys = 0;
  /** The seats as they were before the last search for permits of the dead, and when that was. */
  private searched: readonly SeatInfo[] = [];
  private searchedAt = Number.NEGATIVE_INFINITY;

  private constructor(heap: SlabHeap, m: Int32Array, buffer: SharedArrayBuffer) {
    this.heap = heap;
    this.m = m;
    this.buffer = buffer;
    this.limit = m[P_LIMIT] as number;
    this.owners = new OwnerWords(m, P_OWNERS, this.limit, heap);
  }

  /** A new limit of `limit` buffers for the threads of `heap`. */
  static create(heap: SlabHeap, limit: number): Permits {
    const buffer = new SharedArrayBuffer((P_OWNERS + limit) * 4);
    const m = new Int32Array(buffer);
    m[P_MAGIC] = MAGIC;
    m[P_VERSION] = VERSION;
    m[P_LIMIT] = limit;
    m.set(heapIdentity(heap.i32), P_HEAP);
    m[P_ID] = 1 + Math.floor(Math.random() * (2 ** 31 - 2));
    return new Permits(heap, m, buffer);
  }

  /** The limit in `buffer`. Throws {@link HeapFormatError} when there is none, or one of another heap. */
  static open(heap: SlabHeap, buffer: unknown): Permits {
    if (!(buffer instanceof SharedArrayBuffer) || buffer.byteLength < (P_OWNERS + 1) * 4) {
      throw new HeapFormatError(
        `BufferPool.attach: ref.buffer must be the SharedArrayBuffer that share() gave; got ${describeValue(buffer)}.`,
      );
    }
    const m = new Int32Array(buffer, 0, buffer.byteLength >> 2);
    const limit = m[P_LIMIT] as number;
    if (m[P_MAGIC] !== MAGIC || limit < 1 || limit > MAX_PERMITS || m.length !== P_OWNERS + limit) {
      throw new HeapFormatError("BufferPool.attach: ref.buffer does not hold the limit of a pool.");
    }
    if (m[P_VERSION] !== VERSION) {
      throw new HeapFormatError(
        `BufferPool.attach: the limit has version ${m[P_VERSION]}, this package reads version ${VERSION}; use the same package version in every thread.`,
      );
    }
    if (heapIdentity(heap.i32).some((word, i) => m[P_HEAP + i] !== word)) {
      throw new HeapFormatError(
        "BufferPool.attach: the pool of that ref is of another heap; attach to that heap, and pass it.",
      );
    }
    return new Permits(heap, m, buffer);
  }

  /** Takes a permit, those of threads that are gone included: its index, or {@link NO_PERMIT} when all are in use. */
  take(): number {
    let index = this.owners.claim(this.hint);
    if (index < 0) {
      if (!this.mayHaveDied()) return NO_PERMIT;
      if (this.owners.freeDead(this.heap) === 0) return NO_PERMIT;
      // There may be more than this thread takes, and nobody else was told.
      this.ring();
      index = this.owners.claim(0);
      if (index < 0) return NO_PERMIT;
    }
    this.hint = index + 1 === this.limit ? 0 : index + 1;
    return index;
  }

  /** Gives a permit back and calls who waits for one. Nothing happens when it was taken from this thread as from a dead one. */
  give(index: number): void {
    if (!this.owners.release(index)) return;
    this.hint = index;
    this.ring();
  }

  /** Marks a permit as travelling with its buffer; undefined when it is not this thread's any more. */
  send(index: number): PermitRef | undefined {
    const { me } = this.owners;
    const journey = me | TRAVELLING | (this.journeys << JOURNEY_SHIFT);
    this.journeys = (this.journeys + 1) & JOURNEY_MASK;
    if (!casSeq(this.m, P_OWNERS + index, me, journey)) return undefined;
    return { index, journey, limit: this.m[P_ID] as number };
  }

  /** Takes a travelling permit over; false when it has another owner by now. Throws when it is not one of this limit's. */
  receive({ index, journey, limit }: PermitRef): boolean {
    if (limit !== this.m[P_ID] || index >= this.limit) {
      throw new InvalidValueError(
        "adopt: the buffer's permit is of another pool's limit; make this pool with BufferPool.attach(heap, pool.share()), or send the buffer with detach({ permit: false }).",
      );
    }
    return this.owners.transfer(index, journey);
  }

  /** Permits in use by all threads; may change at once. */
  inUse(): number {
    let used = 0;
    for (let index = 0; index < this.limit; index++) if (this.owners.ownerOf(index) !== UNOWNED) used++;
    return used;
  }

  /** Says that this thread waits. Try {@link take} once more after it, then {@link called} with what it returned. */
  announce(): number {
    for (;;) {
      const seen = loadSeq(this.m, P_BELL);
      if ((seen & WAITED_FOR) !== 0) return seen;
      if (casSeq(this.m, P_BELL, seen, seen | WAITED_FOR)) return seen | WAITED_FOR;
    }
  }

  /** Resolves when a permit was given back since {@link announce}, and after {@link RECHECK_MS} anyway. */
  async called(seen: number, signal: AbortSignalLike): Promise<void> {
    await waitAsync(this.m, P_BELL, seen, { timeoutMs: RECHECK_MS, signal });
  }

  /**
   * Whether somebody may have died since this thread last looked for permits of the dead, so that refusing costs a look at
   * the seats and none at all owners. The seats known were read before the words that were searched then: who is in them
   * as gone wrote its last word before that search, and who is not is gone only after a change to the seats. Read after
   * the search, they would show a holder gone whose word the search had not seen yet. Searches all the same every
   * RECHECK_MS, because a detached thread that still asks its pool bears a dead name for a moment, and may be killed in it.
   */
  private mayHaveDied(): boolean {
    const seats = this.heap.seats();
    const { searched, searchedAt } = this;
    const now = performance.now();
    if (now - searchedAt < RECHECK_MS && sameSeats(seats, searched)) return false;
    this.searched = seats;
    this.searchedAt = now;
    return true;
  }

  private ring(): void {
    const seen = loadSeq(this.m, P_BELL);
    if ((seen & WAITED_FOR) === 0) return;
    if (casSeq(this.m, P_BELL, seen, (seen + 1) | 0)) wake(this.m, P_BELL);
  }
}

/** Whether nobody has come or gone between the two. Both have the seats in the same order. */
function sameSeats(some: readonly SeatInfo[], others: readonly SeatInfo[]): boolean {
  if (some.length !== others.length) return false;
  for (let i = 0; i < some.length; i++) {
    const one = some[i] as SeatInfo;
    const other = others[i] as SeatInfo;
    if (one.seat !== other.seat || one.incarnation !== other.incarnation || one.state !== other.state)
      return false;
  }
  return true;
}
