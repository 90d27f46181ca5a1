/** The class users hold: one thread's attachment to a heap. */
import { release, retain } from "../epochs/refs.js";
import { advance, initRing } from "../epochs/ring.js";
import {
  AlreadyAttachedError,
  EpochClosedError,
  HeapDetachedError,
  HeapFormatError,
  InvalidTypeError,
  InvalidValueError,
  OutOfMemoryError,
  SeatAliveError,
} from "../errors.js";
import { loadSeq } from "../memory/atomics.js";
import { type Attachment, FAILURE_EPOCH_CLOSED } from "../memory/attachment.js";
import { booleanOption, resolveConfig } from "../memory/config.js";
import { recordAt, seatAt } from "../memory/layout.js";
import { ERA, LAYOUT_VERSION, REC_BASE, SEAT_THREAD, SLAB_ERA } from "../memory/offsets.js";
import { describe } from "../memory/size-classes.js";
import { createBuffer, openBuffer, publishHeap, touchPages } from "../memory/views.js";
import { reapSeat } from "../seats/reap.js";
import { startUnrefTimer, threadTag } from "../seats/runtime.js";
import { leaveSeat, takeSeat } from "../seats/seat.js";
import { idly, poll, sync } from "../seats/sync.js";
import { type WatchedThreads, watchWorker } from "../seats/watch.js";
import type {
  AllocFailure,
  AttachOptions,
  CloseReport,
  EpochId,
  EpochInfo,
  EpochRef,
  Handle,
  HeapCounters,
  HeapOptions,
  HeapRef,
  ReapReport,
  SeatInfo,
  VerifyReport,
  WorkerLike,
} from "../types.js";
import { recEra } from "../words/epoch-word.js";
import { writeLabel } from "../words/label.js";
import { checkEpoch } from "./alloc.js";
import { checkAttachOptions, checkHeapRef, checkInteger, checkLength, REF_KIND } from "./check.js";
import { closeEpoch, discardBefore, discardEpoch, epochRef, finishAutoClose } from "./close.js";
import { EpochDomain } from "./domain.js";
import { FastHeap } from "./fast-path.js";
import {
  confirmedOffset,
  confirmedSize,
  confirmLive,
  liveSlot,
  liveSlotOrThrow,
  slabOfSlot,
} from "./free.js";
import { epochInfo, heapCounters, listSeats } from "./info.js";
import { heldSeats, noteHeld, noteReleased } from "./registry.js";
import { shapeHeap } from "./shape.js";
import { verifyHeap } from "./verify.js";

/** Idle threads honour closes and reaps this often. */
const POLL_INTERVAL_MS = 50;
const FAILURES: readonly AllocFailure[] = ["none", "out-of-memory", "epoch-closed"];

/**
 * A heap in one SharedArrayBuffer, seen by one thread. Every attached thread has its own `SlabHeap` object;
 * all of its methods may be called at the same time as those of other threads.
 *
 * @example
 * ```ts
 * const heap = SlabHeap.create({ capacity: 64 * 1024 * 1024 });
 * const handle = heap.alloc(256);
 * heap.view(handle).set(bytes);
 * worker.postMessage({ ref: heap.share(), handle }); // over there: SlabHeap.attach(ref).free(handle)
 * ```
 */
export class SlabHeap extends FastHeap implements Disposable {
  /** The whole heap, metadata included; use {@link byteOffset} to find objects in it. */
  readonly buffer: SharedArrayBuffer;
  /** Views of the whole buffer, made once. Divide a byte offset by the element size to index them. */
  readonly u8: Uint8Array;
  readonly i8: Int8Array;
  readonly u16: Uint16Array;
  readonly i16: Int16Array;
  readonly u32: Uint32Array;
  readonly i32: Int32Array;
  readonly f32: Float32Array;
  readonly f64: Float64Array;
  readonly u64: BigUint64Array;
  readonly i64: BigInt64Array;
  /** This thread's seat, 1..maxWorkers. */
  readonly seat: number;
  /** How often the seat has been taken, modulo 65536: with `seat` it names this attachment for {@link reap}. */
  readonly incarnation: number;
  /** Object sizes in bytes, ascending; larger objects take runs of slabs. */
  readonly sizeClasses: readonly number[];
  /** Payload bytes. */
  readonly capacity: number;
  /** Bytes per slab. */
  readonly slabSize: number;
  /** @internal */ readonly domains: EpochDomain[] = [];
  private readonly watched: WatchedThreads = new Set();
  private readonly stopTimer: () => void;

  private constructor(a: Attachment) {
    super(a);
    const { buffer, layout } = a;
    const n = layout.bufferBytes;
    this.buffer = buffer;
    this.u8 = a.u8;
    this.i8 = new Int8Array(buffer, 0, n);
    this.u16 = new Uint16Array(buffer, 0, n / 2);
    this.i16 = new Int16Array(buffer, 0, n / 2);
    this.u32 = new Uint32Array(buffer, 0, n / 4);
    this.i32 = new Int32Array(buffer, 0, n / 4);
    this.f32 = new Float32Array(buffer, 0, n / 4);
    this.f64 = new Float64Array(buffer, 0, n / 8);
    this.u64 = new BigUint64Array(buffer, 0, n / 8);
    this.i64 = new BigInt64Array(buffer, 0, n / 8);
    this.seat = a.seat;
    this.incarnation = a.incarnation;
    this.sizeClasses = layout.sizeClasses;
    this.capacity = layout.capacityBytes;
    this.slabSize = layout.slabSize;
    noteHeld(a);
    // Nothing that outlives this object may hold it: the timer gives the seat of a forgotten heap back.
    const self = new WeakRef(this);
    const stop = startUnrefTimer(() => {
      if (self.deref() !== undefined) {
        idly(() => poll(a));
        return;
      }
      stop();
      idly(() => leaveSeat(a));
      noteReleased(a);
    }, POLL_INTERVAL_MS);
    this.stopTimer = stop;
    a.onLost = () => self.deref()?.close();
    shapeHeap(this);
  }

  /**
   * Creates a heap and takes its first seat. Throws {@link InvalidTypeError} or {@link InvalidValueError} that name
   * the option, the value and the allowed range, or {@link BufferUnavailableError}.
   */
  static create(options?: HeapOptions): SlabHeap {
    const config = resolveConfig(options);
    const { buffer, layout } = createBuffer(config);
    const m = new Int32Array(buffer, 0, layout.metadataWords);
    initRing(m);
    if (options?.prefault === true) touchPages(buffer, layout);
    publishHeap(m);
    return new SlabHeap(takeSeat(buffer, layout, threadTag(0), options?.pageReleaser));
  }

  /**
   * Joins the heap that `ref` names. Throws {@link HeapFormatError} for anything that is not a heap of this version,
   * {@link SeatsExhaustedError} when all seats are taken, {@link AlreadyAttachedError} when this thread has one.
   */
  static attach(ref: HeapRef, options: AttachOptions = {}): SlabHeap {
    const { sameThread, pageReleaser } = checkAttachOptions(options);
    const { buffer, token } = checkHeapRef(ref);
    const layout = openBuffer(buffer);
    const held = heldSeats(new Int32Array(buffer, 0, layout.metadataWords));
    if (held.length > 0 && !sameThread) {
      throw new AlreadyAttachedError(
        `attach: this thread already holds seat ${held[0]?.seat} of that heap; use that SlabHeap object, or pass { sameThread: true } to act as a second worker.`,
      );
    }
    return new SlabHeap(takeSeat(buffer, layout, threadTag(token), pageReleaser));
  }

  /** What another thread needs to {@link attach}; send it with workerData or postMessage. In browsers make one per worker. */
  share(): HeapRef {
    return {
      kind: REF_KIND,
      layoutVersion: LAYOUT_VERSION,
      buffer: this.buffer,
      token: 1 + Math.floor(Math.random() * (2 ** 31 - 2)),
    };
  }

  /** Why this thread's last alloc returned NULL_HANDLE; "none" after one that did not fail in the slow path. */
  get lastFailure(): AllocFailure {
    return FAILURES[this._a.lastFailure] as AllocFailure;
  }

  /** As `alloc`, but throws {@link OutOfMemoryError} or {@link EpochClosedError} instead of returning NULL_HANDLE. */
  allocOrThrow(size: number, epoch?: EpochId): Handle {
    const handle = this.alloc(size, epoch);
    if (handle !== 0) return handle;
    this.assertAttached("allocOrThrow");
    if (this._a.lastFailure === FAILURE_EPOCH_CLOSED) {
      throw new EpochClosedError(
        `alloc(${size}): epoch ${epoch ?? this.currentEpoch.id} is not open; allocate in currentEpoch.`,
      );
    }
    throw new OutOfMemoryError(
      `alloc(${size}): no room in ${this.capacity} bytes of payload; free or discard objects, or create a larger heap.`,
    );
  }

  /** True while `handle` names a live object; false as soon as it is freed or its epoch discarded, by whichever thread. */
  isLive(handle: Handle): boolean {
    if (typeof handle !== "number") {
      throw new InvalidTypeError(`isLive: handle must be a number; got ${describe(handle)}.`);
    }
    poll(this._a);
    return liveSlot(this._a, handle) !== 0;
  }

  /** Byte offset of the object into {@link buffer}. Throws {@link StaleHandleError}. */
  byteOffset(handle: Handle): number {
    const slot = liveSlotOrThrow(this._a, handle, "byteOffset");
    return confirmedOffset(this._a, slot, handle, "byteOffset");
  }

  /** Usable bytes of the object: its size class, or whole slabs. Throws {@link StaleHandleError}. */
  sizeOf(handle: Handle): number {
    const slot = liveSlotOrThrow(this._a, handle, "sizeOf");
    return confirmedSize(this._a, slot, handle, "sizeOf");
  }

  /**
   * A view of the object's bytes, or of its first `length`. The view is not revoked when the object is freed:
   * using it later reads and writes whatever lives there then, never the allocator's own data.
   */
  view(handle: Handle, length?: number): Uint8Array {
    const slot = liveSlotOrThrow(this._a, handle, "view");
    const offset = confirmedOffset(this._a, slot, handle, "view");
    const size = confirmedSize(this._a, slot, handle, "view");
    if (length !== undefined) checkLength(length, size);
    return new Uint8Array(this.buffer, offset, length ?? size);
  }

  /** The epoch the object was allocated in. Throws {@link StaleHandleError}. */
  epochOf(handle: Handle): EpochRef {
    const slot = liveSlotOrThrow(this._a, handle, "epochOf");
    const era = loadSeq(this._a.m, recordAt(slabOfSlot(this._a, slot)) + SLAB_ERA);
    confirmLive(this._a, slot, handle, "epochOf");
    return epochRef(era);
  }

  /** The epoch that is open for allocation, the same for every thread. */
  get currentEpoch(): EpochRef {
    return epochRef(loadSeq(this._a.m, ERA));
  }

  /**
   * Opens the next epoch and returns it; the one before is CLOSING from now on: its objects live on, allocation in it
   * ends. What this thread allocates from now on is of the returned epoch, or of a later one.
   */
  advanceEpoch(): EpochRef {
    const era = advance(this._a);
    poll(this._a);
    return epochRef(era);
  }

  /**
   * Closes an epoch: empty slabs go back at once, the others as their last object is freed. An id means the epoch
   * now in that ring slot; a ref whose ring slot was reused is stale and has no effect. Closing the current epoch
   * opens the next one first. Costs time in proportion to this thread's slabs of the epoch; other threads do
   * their part at their next operation.
   */
  closeEpoch(epoch: EpochId | EpochRef): CloseReport {
    return closeEpoch(this._a, epoch);
  }

  /** Closes an epoch and frees every object in it at once, whoever owns it: their handles are stale when this returns. */
  discardEpoch(epoch: EpochId | EpochRef): CloseReport {
    return discardEpoch(this._a, epoch);
  }

  /** Discards every epoch older than `epoch`, those whose ring slot has been reused included. Looks at every slab's tag. */
  discardBefore(epoch: EpochRef): CloseReport {
    return discardBefore(this._a, epoch);
  }

  /** State of the epoch in a ring slot. Looks at every slab's tag. */
  epochInfo(id: EpochId): EpochInfo {
    return epochInfo(this._a, checkEpoch(id));
  }

  /**
   * Names the epoch in a ring slot, for reports. At most 31 bytes of UTF-8 are kept, cut at a character boundary.
   * When two threads set a label at the same instant, one of the two stays.
   */
  setEpochLabel(id: EpochId, label: string): void {
    if (typeof label !== "string") {
      throw new InvalidTypeError(`setEpochLabel: label must be a string; got ${describe(label)}.`);
    }
    const ring = checkEpoch(id);
    writeLabel(this._a.m, ring, recEra(loadSeq(this._a.m, REC_BASE + ring)), this.seat, label);
  }

  /** Adds a reference to the epoch in a ring slot, by whichever thread; returns its refcount. Delays auto-close. */
  retainEpoch(id: EpochId): number {
    return retain(this._a, checkEpoch(id));
  }

  /** Drops a reference made by {@link retainEpoch}; the count stops at 0. Returns the refcount. */
  releaseEpoch(id: EpochId): number {
    const left = release(this._a, checkEpoch(id), (era) => finishAutoClose(this._a, era));
    poll(this._a);
    return left;
  }

  /**
   * Opens and enters a domain on the current epoch, or on `epoch` while that is open. A label names the epoch too.
   * With `autoClose` (default false) the epoch closes when its last domain is left. Throws {@link EpochClosedError}.
   */
  openDomain(options: { label?: string; epoch?: EpochId; autoClose?: boolean } = {}): EpochDomain {
    if (typeof options !== "object" || options === null) {
      throw new InvalidTypeError(`openDomain: options must be an object; got ${describe(options)}.`);
    }
    const { label = "", epoch } = options;
    if (typeof label !== "string") {
      throw new InvalidTypeError(`Option "label" must be a string; got ${describe(label)}.`);
    }
    const autoClose = booleanOption("autoClose", options.autoClose);
    if (epoch !== undefined) checkEpoch(epoch);
    for (let chase = 0; ; chase++) {
      poll(this._a);
      const ref =
        epoch === undefined ? this.currentEpoch : epochRef(recEra(loadSeq(this._a.m, REC_BASE + epoch)));
      try {
        const domain = new EpochDomain(this, ref, label, autoClose).enter();
        if (label !== "") writeLabel(this._a.m, ref.id, ref.era, this.seat, label);
        return domain;
      } catch (error) {
        // The ring moved on between reading and entering: follow it, unless this very epoch was asked for.
        if (!(error instanceof EpochClosedError) || epoch !== undefined || chase > 64) throw error;
        // Whoever moved it may not have got to its PHASE bump: look without waiting for that.
        sync(this._a, false);
      }
    }
  }

  /**
   * Honours closes, discards and reaps of other threads now. alloc and free do it by themselves, and so does a timer
   * while the thread's event loop turns; call it in long loops that do neither.
   */
  poll(): void {
    poll(this._a);
  }

  /**
   * Gives the seat back. Objects stay valid; slabs that hold any can be adopted by other threads. Using this object
   * afterwards throws {@link HeapDetachedError}. Idempotent.
   */
  detach(): void {
    if (this._a.detached) return;
    leaveSeat(this._a);
    this.close();
  }

  /** Same as {@link detach}. */
  [Symbol.dispose](): void {
    this.detach();
  }

  /** Seats in use, and seats used before. */
  seats(): readonly SeatInfo[] {
    return listSeats(this._a);
  }

  /**
   * Recovers the seat of a thread that is known to be dead: its slabs are adopted, its domains left, its half-done
   * steps undone. Call it only with proof of death (the worker's exit event): reaping a live thread breaks it.
   * Throws {@link SeatAliveError} where this thread can tell that the seat's holder lives.
   */
  reap(seat: number, incarnation: number): ReapReport {
    const { maxWorkers } = this._a.layout;
    checkInteger("reap: seat", seat, 1, maxWorkers);
    checkInteger("reap: incarnation", incarnation, 0, 0xffff);
    const current = listSeats(this._a).find((s) => s.seat === seat);
    const lives = current?.state !== "FREE" && current?.incarnation === incarnation;
    if (lives && heldSeats(this._a.m).some((h) => h.seat === seat && h.incarnation === incarnation)) {
      throw new SeatAliveError(`reap: seat ${seat} is held by this thread; use detach().`);
    }
    const thread = loadSeq(this._a.m, seatAt(this._a.layout, seat) + SEAT_THREAD);
    if (lives && this.watched.has(thread)) {
      throw new SeatAliveError(
        `reap: seat ${seat} belongs to thread ${thread - 1}, which is watched and has not exited; terminate it, and it is reaped by itself.`,
      );
    }
    return reapSeat(this._a, seat, incarnation);
  }

  /**
   * Reaps the seats of `worker` by itself when it exits. Call it right after starting the worker. Node, Deno and Bun
   * tell by thread id; a Web Worker is taken for dead when its `terminate()` was called, and needs the ref it got.
   * Watching ends when this heap is detached.
   */
  watch(worker: WorkerLike, ref?: HeapRef): void {
    this.assertAttached("watch");
    watchWorker(this._a, this.watched, worker, ref);
  }

  /**
   * Recomputes everything from the truth words and reports every disagreement in plain words. Meaningful while no
   * other thread is inside the heap.
   */
  verify(): VerifyReport {
    return verifyHeap(this._a);
  }

  /** Totals since creation over all threads, alive and gone; see `temporal-slab/stats` for everything else. */
  counters(): HeapCounters {
    return heapCounters(this._a);
  }

  /** @internal */
  assertAttached(method: string): void {
    if (this._a.detached) throw detachedError(method, this._a);
  }

  /** Stops using the seat; every later call throws. */
  private close(): void {
    this.stopTimer();
    noteReleased(this._a);
    this.domains.length = 0;
    Object.setPrototypeOf(this, DETACHED);
  }
}

function detachedError(method: string, a: Attachment): HeapDetachedError {
  return new HeapDetachedError(
    `${method}: this SlabHeap gave its seat ${a.seat} back, or lost it to a reaper; attach again.`,
  );
}

/** Prototype of a detached heap: compiled fast paths notice the change of prototype, so being attached costs them nothing. */
const DETACHED: SlabHeap = Object.create(SlabHeap.prototype);
const STILL_ALLOWED = ["constructor", "detach", "share", "assertAttached", "close", "currentEpoch"];
for (const prototype of [FastHeap.prototype, SlabHeap.prototype]) {
  for (const name of Object.getOwnPropertyNames(prototype)) {
    const own = Object.getOwnPropertyDescriptor(prototype, name);
    if (STILL_ALLOWED.includes(name) || typeof own?.value !== "function") continue;
    Object.defineProperty(DETACHED, name, {
      value(this: SlabHeap): never {
        throw detachedError(name, this._a);
      },
    });
  }
}
