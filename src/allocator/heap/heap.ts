/** The class users hold: one thread's attachment to a heap. */
import { release as releaseRef, retain } from "../epochs/refs.js";
import { advance, initRing } from "../epochs/ring.js";
import {
  AlreadyAttachedError,
  EpochClosedError,
  HeapFormatError,
  InvalidTypeError,
  InvalidValueError,
  SeatAliveError,
} from "../errors.js";
import { loadSeq } from "../memory/atomics.js";
import type { Attachment } from "../memory/attachment.js";
import { resolveConfig } from "../memory/config.js";
import { seatAt } from "../memory/layout.js";
import { LAYOUT_VERSION, REC_BASE, SEAT_THREAD } from "../memory/offsets.js";
import { booleanOption } from "../memory/options.js";
import { describe } from "../memory/size-classes.js";
import { createBuffer, openBuffer, publishHeap, touchPages, useBuffer } from "../memory/views.js";
import { reapSeat } from "../seats/reap.js";
import { startUnrefTimer, threadTag } from "../seats/runtime.js";
import { leaveSeat, takeSeat } from "../seats/seat.js";
import { idly, poll, sync } from "../seats/sync.js";
import { type WatchedThreads, watchWorker } from "../seats/watch.js";
import { IDLE_BYTES, newReleaseTally, releaseGivenBack } from "../slabs/release.js";
import type {
  AttachOptions,
  CloseReport,
  DomainOptions,
  EpochId,
  EpochInfo,
  EpochRef,
  HeapCounters,
  HeapOptions,
  HeapRef,
  ReapReport,
  SeatInfo,
  TrimOptions,
  TrimReport,
  VerifyReport,
  WorkerLike,
} from "../types.js";
import { refcount } from "../words/epoch-table.js";
import { recEra } from "../words/epoch-word.js";
import { writeLabel } from "../words/label.js";
import { fillResident } from "../words/resident-map.js";
import { checkEpoch } from "./alloc.js";
import { checkAttachOptions, checkHeapRef, checkInteger, detachedError, REF_KIND } from "./check.js";
import { checkRef, closeEpoch, discardBefore, discardEpoch, epochRef, finishAutoClose } from "./close.js";
import { EpochDomain } from "./domain.js";
import { FastHeap } from "./fast-path.js";
import { epochInfo, heapCounters, listSeats } from "./info.js";
import { ObjectHeap } from "./objects.js";
import { heldSeats, noteHeld, noteReleased } from "./registry.js";
import { shapeHeap } from "./shape.js";
import { IdleReleaser, trim } from "./trim.js";
import { verifyHeap } from "./verify.js";

/** Idle threads honour closes and reaps this often. */
const POLL_INTERVAL_MS = 50;

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
export class SlabHeap extends ObjectHeap implements Disposable {
  /** This thread's seat, 1..maxWorkers. */
  readonly seat: number;
  /** How often the seat has been taken, modulo 65536: with `seat` it names this attachment for {@link reap}. */
  readonly incarnation: number;
  /** @internal */ readonly domains: EpochDomain[] = [];
  private readonly watched: WatchedThreads = new Set();
  private readonly stopTimer: () => void;

  private constructor(a: Attachment) {
    super(a);
    this.seat = a.seat;
    this.incarnation = a.incarnation;
    noteHeld(a);
    // Nothing that outlives this object may hold it: the timer gives the seat of a forgotten heap back.
    const self = new WeakRef(this);
    const idleReleaser = new IdleReleaser(a);
    const stop = startUnrefTimer(() => {
      if (self.deref() !== undefined) {
        idly(() => {
          poll(a);
          idleReleaser.tick();
        });
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
    const { buffer, layout } =
      config.buffer === undefined
        ? createBuffer(config)
        : useBuffer(config.buffer, config, config.fillBuffer);
    const m = new Int32Array(buffer, 0, layout.metadataWords);
    initRing(m);
    if (config.prefault) {
      touchPages(buffer, layout);
      fillResident(m, layout);
    }
    publishHeap(m);
    return new SlabHeap(takeSeat(buffer, layout, threadTag(0), config.release));
  }

  /**
   * Joins the heap that `ref` names. Throws {@link HeapFormatError} for anything that is not a heap of this version,
   * {@link SeatsExhaustedError} when all seats are taken, {@link AlreadyAttachedError} when this thread has one.
   */
  static attach(ref: HeapRef, options: AttachOptions = {}): SlabHeap {
    const { sameThread, release } = checkAttachOptions(options);
    const { buffer, token } = checkHeapRef(ref);
    const layout = openBuffer(buffer);
    const held = heldSeats(new Int32Array(buffer, 0, layout.metadataWords));
    if (held.length > 0 && !sameThread) {
      throw new AlreadyAttachedError(
        `attach: this thread already holds seat ${held[0]?.seat} of that heap; use that SlabHeap object, or pass { sameThread: true } to act as a second worker.`,
      );
    }
    return new SlabHeap(takeSeat(buffer, layout, threadTag(token), release));
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

  /**
   * Domain levels entered, by whichever thread, plus retains of exactly this (id, era); 0 for one whose ring slot was
   * reused. Looks at every seat, not at slabs; members may come and go meanwhile.
   */
  refcount(epoch: EpochRef): number {
    const { id, era } = checkRef(epoch);
    poll(this._a);
    return refcount(this._a.m, this._a.layout, id, era);
  }

  /** Adds a reference to the epoch in a ring slot, by whichever thread; returns its refcount. Delays auto-close. */
  retainEpoch(id: EpochId): number {
    return retain(this._a, checkEpoch(id));
  }

  /** Drops a reference made by {@link retainEpoch}; the count stops at 0. Returns the refcount. */
  releaseEpoch(id: EpochId): number {
    const left = releaseRef(this._a, checkEpoch(id), (era) => finishAutoClose(this._a, era));
    poll(this._a);
    return left;
  }

  /**
   * Opens and enters a domain on the current epoch, or on `epoch` while that is open. A label names the epoch too.
   * With `autoClose` (default false) the epoch closes when its last domain is left; an `unordered` domain need not nest.
   * Throws {@link EpochClosedError}.
   */
  openDomain(options: DomainOptions = {}): EpochDomain {
    if (typeof options !== "object" || options === null) {
      throw new InvalidTypeError(`openDomain: options must be an object; got ${describe(options)}.`);
    }
    const { label = "", epoch } = options;
    if (typeof label !== "string") {
      throw new InvalidTypeError(`Option "label" must be a string; got ${describe(label)}.`);
    }
    const autoClose = booleanOption("autoClose", options.autoClose);
    const unordered = booleanOption("unordered", options.unordered);
    if (epoch !== undefined) checkEpoch(epoch);
    for (let chase = 0; ; chase++) {
      poll(this._a);
      const ref =
        epoch === undefined ? this.currentEpoch : epochRef(recEra(loadSeq(this._a.m, REC_BASE + epoch)));
      try {
        const domain = new EpochDomain(this, ref, label, autoClose, unordered).enter();
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
   * while the thread's event loop turns; call it in long loops that do neither. Releases pages of slabs that became
   * free since, see {@link ReleasePolicy}.
   */
  poll(): void {
    poll(this._a);
    releaseGivenBack(this._a, newReleaseTally(), IDLE_BYTES);
  }

  /**
   * Gives memory back now: this thread's empty slabs to the heap, also those an open epoch kept ready, and the pages of
   * free slabs to the system, the reserve included. Other threads are asked to give back their empty slabs. Takes some
   * 100 us per MiB released. Throws {@link InvalidTypeError} or {@link InvalidValueError} for a bad option.
   *
   * @example
   * ```ts
   * const { bytesReleased } = heap.trim({ keepBytes: 1024 * 1024 }); // before a quiet phase
   * ```
   */
  trim(options: TrimOptions = {}): TrimReport {
    return trim(this._a, options);
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

/** Prototype of a detached heap: compiled fast paths notice the change of prototype, so being attached costs them nothing. */
const DETACHED: SlabHeap = Object.create(SlabHeap.prototype);
const STILL_ALLOWED = ["constructor", "detach", "share", "assertAttached", "close"];
for (const prototype of [FastHeap.prototype, ObjectHeap.prototype, SlabHeap.prototype]) {
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
