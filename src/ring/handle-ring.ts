/** The class users hold: one thread's end, or both ends, of a ring of handles. */
import {
  describeValue,
  type Handle,
  InvalidTypeError,
  InvalidValueError,
  loadSeq,
  NULL_HANDLE,
  type SlabHeap,
} from "../allocator/index.js";
import {
  type AbortSignalLike,
  checkHeap,
  checkOptionKeys,
  checkWaitOptions,
  deadlineAfter,
  RECHECK_MS,
  timeLeft,
  type WaitOptions,
  waitAsync,
  waitBlocking,
} from "../threads/index.js";
import { HandleIterator } from "./iterator.js";
import {
  CLOSED,
  closeRing,
  createRing,
  type HandleRingRef,
  laneSize,
  MAX_CAPACITY,
  MAX_PRODUCERS,
  MIN_CAPACITY,
  openRing,
  R_STATE,
  RING_KIND,
  RING_VERSION,
  type RingShape,
  roundUp,
  WAITING,
} from "./layout.js";
import { Receiver } from "./receiver.js";
import { refuseHandle, Sender } from "./sender.js";
import { Turns } from "./turns.js";

/** Options of {@link HandleRing.create}. */
export interface HandleRingOptions {
  /** Handles each producer's lane holds, 2..1,048,576, rounded up to a power of two; default 1024. 8 bytes each. */
  readonly capacity?: number;
  /** Threads that may send at the same time, 1..64; default 1. */
  readonly producers?: number;
}

/** Options of the methods that block. */
export interface BlockingOptions {
  /** Milliseconds to wait at most, 0 or more; without it there is no limit. */
  readonly timeoutMs?: number | undefined;
}

const BLOCKING = ["timeoutMs"] as const;

/**
 * Passes handles from up to 64 producing threads to one consuming thread, in shared memory and without locks. Each
 * producer has a lane, a bounded queue of its own, so what it sends arrives in its order; the consumer visits the lanes
 * in turn, and stays at one for as long as what it found there lasts.
 *
 * A handle that is received shows what its sender wrote into the object before sending it. Sending does not change who
 * owns an object; by custom whoever receives a handle frees it.
 *
 * A thread takes a lane with its first send, and the consumer's place with its first receive, and keeps them until it
 * calls {@link leave}, or dies and is reaped. What a dead producer had sent is still delivered; at most what it was sending
 * is lost. What a dead consumer was receiving, one handle or one batch, goes to its successor if the consumer had not
 * got past it; otherwise it is gone, and the objects stay until their epoch is discarded. Where a batch went into memory
 * that outlives its thread, the successor may receive the same again: the heap then refuses the second free.
 *
 * One `HandleRing` object belongs to one thread. {@link leave} before the heap is detached: afterwards every method but
 * {@link leave}, {@link close} and {@link share} throws `HeapDetachedError`.
 *
 * @example
 * ```ts
 * const ring = HandleRing.create(heap, { capacity: 4096 });
 * new Worker("./producer.js", { workerData: { heap: heap.share(), ring: ring.share() } });
 * for await (const handle of ring) {      // in producer.js: HandleRing.attach(heap, workerData.ring).send(handle)
 *   consume(heap.view(handle));
 *   heap.free(handle);
 * }
 * ```
 */
export class HandleRing implements Disposable {
  /** Handles each lane holds. */
  readonly capacity: number;
  /** Lanes: threads that may send at the same time. */
  readonly producers: number;
  private readonly heap: SlabHeap;
  private readonly shape: RingShape;
  private readonly sender: Sender;
  private readonly receiver: Receiver;
  private readonly sends = new Turns();
  private readonly receives = new Turns();

  private constructor(heap: SlabHeap, shape: RingShape) {
    this.heap = heap;
    this.shape = shape;
    this.capacity = shape.capacity;
    this.producers = shape.producers;
    this.sender = new Sender(shape, heap);
    this.receiver = new Receiver(shape, heap);
  }

  /**
   * A new ring, in memory of its own, for handles of `heap`. Throws `InvalidTypeError` or `InvalidValueError` that name
   * the option, the value and the allowed range, or `BufferUnavailableError`.
   */
  static create(heap: SlabHeap, options?: HandleRingOptions): HandleRing {
    checkHeap("HandleRing.create", heap).assertAttached("HandleRing.create");
    const given = checkOptionKeys("HandleRing.create", options, ["capacity", "producers"]);
    // Each option is read once.
    const { capacity, producers }: { capacity?: unknown; producers?: unknown } = given;
    const slots = roundUp(wholeOption("capacity", capacity, 1024, MIN_CAPACITY, MAX_CAPACITY));
    return new HandleRing(
      heap,
      createRing(heap, slots, wholeOption("producers", producers, 1, 1, MAX_PRODUCERS)),
    );
  }

  /**
   * The ring that another thread shared. `heap` is this thread's `SlabHeap` of the same heap. Throws `HeapFormatError` for
   * anything that is no ring of this version, or one made for another heap.
   */
  static attach(heap: SlabHeap, ref: HandleRingRef): HandleRing {
    checkHeap("HandleRing.attach", heap).assertAttached("HandleRing.attach");
    return new HandleRing(heap, openRing(heap, ref));
  }

  /** What another thread needs to {@link attach}; send it with workerData or postMessage. */
  share(): HandleRingRef {
    return { kind: RING_KIND, version: RING_VERSION, buffer: this.shape.m.buffer as SharedArrayBuffer };
  }

  /**
   * Sends a handle without waiting. False: this thread's lane is full, or the ring is closed. True: it is delivered, also
   * when the ring is being closed at this moment. Takes a lane on first use; throws `RingBusyError` when living threads
   * hold all of them, `InvalidTypeError` or `InvalidValueError` for NULL_HANDLE and anything that is no safe integer.
   * Does not queue behind {@link sendAsync} calls that wait.
   */
  trySend(handle: Handle): boolean {
    this.heap.assertAttached("trySend");
    return this.sender.trySend(handle);
  }

  /**
   * Sends as many of `handles[from..to)` as fit, in that order, with a single publication; returns how many. Throws like
   * {@link trySend} at the first of them that is no handle, and then has sent none; those that do not fit are not looked at.
   */
  trySendMany(handles: ArrayLike<Handle>, from = 0, to?: number): number {
    this.heap.assertAttached("trySendMany");
    const length = lengthOf("trySendMany: handles", handles);
    checkWhole("trySendMany: from", from, 0, length);
    if (to !== undefined) checkWhole("trySendMany: to", to, 0, length);
    return this.sender.trySendMany(handles, from, to ?? length);
  }

  /** Sends a handle, blocking the thread while its lane is full. False: the time is over, or the ring is closed. Otherwise as {@link trySend}. */
  send(handle: Handle, options?: BlockingOptions): boolean {
    const { timeoutMs } = checkWaitOptions("send", options, BLOCKING);
    if (this.trySend(handle)) return true;
    const { sender, shape, heap } = this;
    const deadline = deadlineAfter(timeoutMs);
    while (!this.closed) {
      const left = timeLeft(deadline, RECHECK_MS);
      if (left === 0) return false;
      if (sender.prepareToWait()) waitBlocking(shape.m, sender.waitsAt, 1, left, "sendAsync");
      // A thread that blocks still owes the heap what idle threads do.
      heap.poll();
      if (sender.trySend(handle)) return true;
    }
    return false;
  }

  /**
   * As {@link send}, without blocking the thread. Calls that wait are served in the order they were made. Rejects with the
   * signal's reason when that aborts; the handle is not sent then.
   */
  async sendAsync(handle: Handle, options?: WaitOptions): Promise<boolean> {
    const { timeoutMs, signal } = checkWaitOptions("sendAsync", options);
    checkAborted(signal);
    if (!this.sends.busy && this.trySend(handle)) return true;
    this.heap.assertAttached("sendAsync");
    // Now, not when its turn has come.
    if (!Number.isSafeInteger(handle) || handle <= 0) refuseHandle("sendAsync", handle);
    const { sender, sends, shape } = this;
    const deadline = deadlineAfter(timeoutMs);
    const ticket = sends.join();
    try {
      while (!this.closed) {
        const first = sends.isFirst(ticket);
        if (first && this.trySend(handle)) return true;
        const left = timeLeft(deadline, RECHECK_MS);
        if (left === 0) return false;
        if (!first) await sends.turn(ticket, deadline, signal);
        else if (sender.prepareToWait())
          await waitAsync(shape.m, sender.waitsAt, 1, { timeoutMs: left, signal });
        // Nothing is sent for a call that was given up, also where the wait ended for another reason.
        checkAborted(signal);
      }
      return false;
    } finally {
      sends.leave(ticket);
    }
  }

  /**
   * The next handle without waiting; NULL_HANDLE when there is none. Where {@link closed} was true before, NULL_HANDLE
   * means that none will ever come. Takes the consumer's place on first use; throws `RingBusyError` when a living thread
   * holds it. Does not queue behind {@link receiveAsync} calls that wait.
   */
  tryReceive(): Handle {
    this.heap.assertAttached("tryReceive");
    return this.receiver.tryReceive();
  }

  /**
   * Receives up to `max` handles without waiting, into `into[0]` and following; returns how many. `max` is the length of
   * `into` unless given; a plain array may be shorter than `max` and grows.
   */
  tryReceiveMany(into: Float64Array | Handle[], max?: number): number {
    this.heap.assertAttached("tryReceiveMany");
    const isPlain = Array.isArray(into);
    if (!isPlain && !(into instanceof Float64Array)) {
      throw new InvalidTypeError(
        `tryReceiveMany: into must be an array or a Float64Array; got ${describeValue(into)}.`,
      );
    }
    if (max !== undefined) checkWhole("tryReceiveMany: max", max, 0, isPlain ? 2 ** 32 - 1 : into.length);
    return this.receiver.tryReceiveMany(into, max ?? into.length);
  }

  /**
   * The next handle, blocking the thread until one comes. NULL_HANDLE: the time is over, or the ring is closed and
   * drained. Otherwise as {@link tryReceive}. Throws where the thread must not block: await {@link receiveAsync} there.
   */
  receive(options?: BlockingOptions): Handle {
    const { timeoutMs } = checkWaitOptions("receive", options, BLOCKING);
    let handle = this.tryReceive();
    if (handle !== NULL_HANDLE) return handle;
    const { receiver, shape, heap } = this;
    const deadline = deadlineAfter(timeoutMs);
    while (!receiver.hasEnded()) {
      const left = timeLeft(deadline, RECHECK_MS);
      if (left === 0) return NULL_HANDLE;
      if (receiver.prepareToWait()) waitBlocking(shape.m, receiver.stateAt, WAITING, left, "receiveAsync");
      heap.poll();
      handle = receiver.tryReceive();
      if (handle !== NULL_HANDLE) return handle;
    }
    return NULL_HANDLE;
  }

  /**
   * As {@link receive}, without blocking the thread. Calls that wait are served in the order they were made. Rejects with
   * the signal's reason when that aborts; no handle is taken then.
   */
  async receiveAsync(options?: WaitOptions): Promise<Handle> {
    const { timeoutMs, signal } = checkWaitOptions("receiveAsync", options);
    return this.receiveLater(timeoutMs, signal);
  }

  /** The handles as they come, until the ring is closed and drained. Ending the loop early leaves nothing behind. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Handle> {
    return new HandleIterator((signal) => this.receiveLater(undefined, signal));
  }

  /**
   * Ends the ring: no send begins any more, in any thread, and whoever waits is woken. What was sent is still received.
   * Idempotent; any thread may call it.
   */
  close(): void {
    closeRing(this.shape);
  }

  /** Whether the ring was closed. What was sent before may still be waiting to be received. */
  get closed(): boolean {
    return (loadSeq(this.shape.m, this.shape.base + R_STATE) & CLOSED) !== 0;
  }

  /** Handles sent and not received yet, over all lanes. Exact only while nobody sends or receives. */
  get size(): number {
    let size = 0;
    for (let lane = 0; lane < this.producers; lane++) size += laneSize(this.shape, lane);
    return size;
  }

  /**
   * Gives this thread's lane and the consumer's place back, if it holds them; the next send or receive takes them again.
   * What is in the lane is still delivered. Idempotent.
   */
  leave(): void {
    this.sender.leave();
    this.receiver.leave();
  }

  /** Same as {@link leave}. */
  [Symbol.dispose](): void {
    this.leave();
  }

  private async receiveLater(
    timeoutMs: number | undefined,
    signal: AbortSignalLike | undefined,
  ): Promise<Handle> {
    checkAborted(signal);
    const { receiver, receives, shape } = this;
    const deadline = deadlineAfter(timeoutMs);
    // No ticket where nothing has to be waited for.
    const handle = receives.busy ? NULL_HANDLE : this.tryReceive();
    if (handle !== NULL_HANDLE) return handle;
    const ticket = receives.join();
    try {
      for (;;) {
        const first = receives.isFirst(ticket);
        const next = first ? this.tryReceive() : NULL_HANDLE;
        if (next !== NULL_HANDLE || receiver.hasEnded()) return next;
        const left = timeLeft(deadline, RECHECK_MS);
        if (left === 0) return NULL_HANDLE;
        if (!first) await receives.turn(ticket, deadline, signal);
        else if (receiver.prepareToWait())
          await waitAsync(shape.m, receiver.stateAt, WAITING, { timeoutMs: left, signal });
        // Nothing is taken for a call that was given up, also where the wait ended for another reason.
        checkAborted(signal);
      }
    } finally {
      receives.leave(ticket);
    }
  }
}

function wholeOption(name: string, value: unknown, fallback: number, min: number, max: number): number {
  if (value === undefined) return fallback;
  checkWhole(`Option "${name}"`, value, min, max);
  return value as number;
}

function checkWhole(name: string, value: unknown, min: number, max: number): void {
  if (Number.isInteger(value) && (value as number) >= min && (value as number) <= max) return;
  const message = `${name} must be a whole number from ${min} to ${max}; got ${describeValue(value)}.`;
  throw typeof value === "number" ? new InvalidValueError(message) : new InvalidTypeError(message);
}

/** Throws the reason of a signal that was aborted. */
function checkAborted(signal: AbortSignalLike | undefined): void {
  if (signal?.aborted === true) throw signal.reason;
}

function lengthOf(name: string, value: unknown): number {
  const { length }: { length?: unknown } = typeof value === "object" && value !== null ? value : {};
  if (typeof length === "number" && Number.isInteger(length) && length >= 0) return length;
  throw new InvalidTypeError(
    `${name} must be an array or a typed array of handles; got ${describeValue(value)}.`,
  );
}
