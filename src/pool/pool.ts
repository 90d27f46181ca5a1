/** Pooled buffers on a shared heap. */
import {
  checkInteger,
  describeValue,
  type EpochRef,
  type Handle,
  HeapDetachedError,
  HeapFormatError,
  InvalidValueError,
  NULL_HANDLE,
  type PoolExhaustedError,
  type SlabHeap,
  StaleHandleError,
} from "../allocator/index.js";
import { DomainBuffers, type Scope } from "./domains.js";
import { LeakWatch, RELEASED_FILL } from "./leaks.js";
import {
  type AcquireAsyncOptions,
  type AcquireOptions,
  asyncOptions,
  type BufferPoolAttachOptions,
  type BufferPoolOptions,
  checkPooledRef,
  checkPoolHeap,
  chooseScope,
  domainOption,
  POOL_KIND,
  type PoolConfig,
  type PoolRef,
  resolvePoolOptions,
  sendsPermit,
} from "./options.js";
import { NO_PERMIT, type PermitRef, Permits } from "./permits.js";
import { type DetachOptions, type Keeper, PooledBuffer, type PooledRef } from "./pooled-buffer.js";
import { checkTries, disposedError, type Refusal, refusedError, tooLongError } from "./refusal.js";
import {
  ACQUIRED,
  ADOPTED,
  add,
  type BufferPoolStats,
  type Counts,
  countIn,
  countOut,
  DETACHED,
  EXHAUSTED,
  newCounts,
  OUT_OF_MEMORY,
  poolStats,
  RELEASED_STALE,
  WAITS,
} from "./stats.js";
import { Views } from "./views.js";
import { WaitingLine } from "./waiting-line.js";

/**
 * Hands out buffers that lie in a {@link SlabHeap}: no garbage but two small objects per buffer, any thread can read
 * them, and releasing one twice, or one that is gone, does nothing. A pool keeps no free buffers of its own, the
 * heap does; make as many pools of a heap as there are things to count or limit.
 *
 * Buffers above the heap's largest size class (32 KiB by default) take whole slabs, which costs ten times as much as the
 * others do: for many of those make the heap with a larger `slabSize` and `sizeClasses` that include them.
 *
 * A pool belongs to the thread that made it. Threads that shall respect one limit {@link attach} to it.
 *
 * @example
 * ```ts
 * const pool = new BufferPool(heap, { label: "requests", maxBuffers: 1000 });
 * using buffer = pool.acquire(body.length);  // released at the end of the block
 * buffer.bytes.set(body);
 * ```
 */
export class BufferPool implements Keeper, Disposable {
  /** Names the pool in errors, warnings and statistics. */
  readonly label: string;
  /** Where the buffers lie. */
  readonly heap: SlabHeap;
  /** @internal */ readonly capacity: number;
  /** The limit, as in {@link BufferPoolOptions.maxBuffers}. */
  readonly maxBuffers: number | undefined;
  private readonly currentDomain: (heap: SlabHeap) => Scope | null | undefined;
  private readonly zero: boolean;
  private readonly views: Views;
  private readonly counts: Counts = newCounts();
  private readonly permits: Permits | undefined;
  private readonly watch: LeakWatch | undefined;
  private readonly domains = new DomainBuffers();
  private readonly line: WaitingLine;
  private disposed = false;
  /** Nothing to do but to allocate: no limit, no filling, no debug mode, not disposed. */
  private plain: boolean;

  /**
   * Throws {@link InvalidTypeError} or {@link InvalidValueError} that name the option, the value and what is allowed,
   * {@link HeapDetachedError} for a heap that has been detached.
   */
  constructor(heap: SlabHeap, options?: BufferPoolOptions);
  /** @internal */
  constructor(heap: SlabHeap, config: PoolConfig, permits: Permits);
  constructor(heap: SlabHeap, options?: BufferPoolOptions | PoolConfig, permits?: Permits) {
    checkPoolHeap("BufferPool", heap);
    const config =
      permits === undefined ? resolvePoolOptions("BufferPool", options, "pool") : (options as PoolConfig);
    this.label = config.label;
    this.heap = heap;
    this.capacity = heap.capacity;
    this.currentDomain = config.currentDomain;
    this.zero = config.zero;
    this.views = new Views(heap, config.views);
    this.watch = config.debug === undefined ? undefined : new LeakWatch(config.label, config.debug);
    this.permits =
      permits ?? (config.maxBuffers === undefined ? undefined : Permits.create(heap, config.maxBuffers));
    this.maxBuffers = this.permits?.limit;
    this.line = new WaitingLine(this.permits, ({ size, scope, origin }) => this.take(size, scope, origin));
    this.plain = !this.zero && this.watch === undefined && this.permits === undefined;
  }

  /**
   * A pool of this thread that shares the limit of another thread's pool; what {@link share} returned says which. `heap` is
   * this thread's attachment to the same heap. Throws {@link HeapFormatError} for what is no such ref, or one of another
   * heap, {@link HeapDetachedError} for a heap that has been detached.
   */
  static attach(heap: SlabHeap, ref: PoolRef, options?: BufferPoolAttachOptions): BufferPool {
    checkPoolHeap("BufferPool.attach", heap);
    const { kind, label, buffer }: Partial<PoolRef> = typeof ref === "object" && ref !== null ? ref : {};
    if (kind !== POOL_KIND || typeof label !== "string") {
      throw new HeapFormatError(
        `BufferPool.attach: expected what share() returned, possibly received through postMessage; got ${describeValue(ref)}.`,
      );
    }
    const config = resolvePoolOptions("BufferPool.attach", options, label);
    return new BufferPool(heap, config, Permits.open(heap, buffer));
  }

  /** What other threads need to {@link attach}. Throws {@link InvalidValueError} when there is no `maxBuffers` to share. */
  share(): PoolRef {
    if (this.permits === undefined) {
      throw new InvalidValueError(
        `share: pool ${JSON.stringify(this.label)} has no maxBuffers; only the limit is shared. Give each thread a pool of its own.`,
      );
    }
    return { kind: POOL_KIND, label: this.label, buffer: this.permits.buffer };
  }

  /**
   * A buffer of exactly `size` bytes, 1 up to the whole payload of the heap; contents are what was there before, unless the
   * pool has `zero`. It is allocated in the current domain's epoch and ends with that domain, if there is one.
   *
   * Throws {@link PoolExhaustedError} when `maxBuffers` are in use, {@link OutOfMemoryError} when the heap is full,
   * {@link InvalidTypeError} or {@link InvalidValueError} for a size that makes no sense or a domain of another heap,
   * {@link HeapDetachedError}.
   * Does not wait, and does not respect those who do: see {@link acquireAsync}.
   */
  acquire(size: number, options?: AcquireOptions): PooledBuffer {
    if (
      this.plain &&
      options === undefined &&
      (size | 0) === size &&
      size > 0 &&
      size <= this.capacity &&
      this.currentDomain(this.heap) === undefined
    ) {
      const handle = this.heap.alloc(size);
      if (handle !== NULL_HANDLE) {
        const bytes = this.views.of(handle, size);
        if (bytes !== undefined) {
          add(this.counts, ACQUIRED);
          countIn(this.counts, size);
          return new PooledBuffer(this, handle, bytes, NO_PERMIT);
        }
      }
    }
    return this.acquireOtherwise(size, options);
  }

  /** As {@link acquire}, but returns undefined when `maxBuffers` are in use or the heap is full. */
  tryAcquire(size: number, options?: AcquireOptions): PooledBuffer | undefined {
    const got = this.request("tryAcquire", size, options, this.tryAcquire);
    return typeof got === "string" ? undefined : got;
  }

  /**
   * As {@link acquire}, but waits until there are a permit and room, behind everybody who waits already: callers of this
   * thread are served in their order; between threads there is none. Rejects with the signal's reason when that aborts,
   * with {@link PoolExhaustedError} after `timeoutMs` (above 2^31 - 1 there is no limit), and at once for a size the heap
   * could never serve. The buffer belongs to the domain that was current when it was asked for, and is refused with
   * that domain's error when it has ended since.
   */
  async acquireAsync(size: number, options?: AcquireAsyncOptions): Promise<PooledBuffer> {
    const { domain, timeoutMs, signal } = asyncOptions(options);
    this.checkUsable("acquireAsync", size);
    if (signal?.aborted === true) throw signal.reason;
    const scope = chooseScope("acquireAsync", domain, this.heap, this.currentDomain);
    const origin = this.watch?.origin(this.acquireAsync) ?? "";
    const tooLong = (refusal: Refusal): PoolExhaustedError => {
      add(this.counts, refusal === "exhausted" ? EXHAUSTED : OUT_OF_MEMORY);
      return tooLongError(size, timeoutMs, refusal, this);
    };
    if (this.line.length === 0) {
      const got = this.take(size, scope, origin);
      if (typeof got !== "string") return got;
      if (timeoutMs === 0) throw tooLong(got);
    }
    add(this.counts, WAITS);
    return this.line.join({ size, scope, origin }, { timeoutMs, signal, tooLong });
  }

  /**
   * Takes over a buffer that another thread gave up: what its `detach()` returned, or just handle and length. Its permit
   * comes along; without one, or when the sender died meanwhile, a pool with `maxBuffers` takes a permit of its own.
   * Throws {@link StaleHandleError} when the object is gone, {@link PoolExhaustedError} when no permit is left (the
   * object stays: try again), {@link InvalidValueError} for a length it has no room for or a permit of another limit.
   * The buffer ends with the current domain, if there is one, although its object may be of another epoch.
   *
   * @example
   * ```ts
   * worker.postMessage(buffer.detach());                        // there:
   * parentPort.on("message", (ref) => { using buffer = pool.adopt(ref); ... });
   * ```
   */
  adopt(ref: PooledRef, options?: AcquireOptions): PooledBuffer {
    const { handle, byteLength, permit: sent } = checkPooledRef(ref);
    const domain = domainOption("adopt", options);
    if (this.disposed) throw disposedError("adopt", this.label);
    if (sent !== undefined && this.permits === undefined) {
      throw new InvalidValueError(
        "adopt: the buffer comes with a permit, and this pool has no limit; make it with BufferPool.attach(heap, pool.share()), or send the buffer with detach({ permit: false }).",
      );
    }
    const scope = chooseScope("adopt", domain, this.heap, this.currentDomain);
    checkInteger("adopt: byteLength", byteLength, 1, this.roomOf(handle, sent));
    const origin = this.watch?.origin(this.adopt) ?? "";
    let permit = NO_PERMIT;
    if (this.permits !== undefined) {
      if (sent !== undefined && this.permits.receive(sent)) permit = sent.index;
      else permit = this.permits.take();
      if (permit === NO_PERMIT) {
        add(this.counts, EXHAUSTED);
        throw refusedError("adopt", "exhausted", this);
      }
    }
    try {
      const bytes = this.views.fresh(handle, byteLength);
      const epoch = this.watch === undefined ? undefined : this.heap.epochOf(handle);
      const buffer = this.handOut(handle, bytes, permit, scope, epoch, origin);
      add(this.counts, ADOPTED);
      return buffer;
    } catch (error) {
      // The object is still the sender's to give: only the permit goes back.
      this.givePermit(permit);
      throw error;
    }
  }

  /** What this pool has done so far, and what it has out now. */
  stats(): BufferPoolStats {
    return poolStats(this.counts, {
      label: this.label,
      waiting: this.line.length,
      leaked: this.watch?.leaked ?? 0,
      maxBuffers: this.maxBuffers,
      inUseAllThreads: this.permits?.inUse(),
      viewHits: this.views.hits,
      viewMisses: this.views.misses,
    });
  }

  /**
   * Ends the pool: acquiring and adopting throw {@link PoolExhaustedError} from now on, and whoever waits is rejected with
   * it. Buffers that are out stay valid until they are released. Idempotent.
   */
  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    this.plain = false;
    this.line.dismiss(disposedError("acquireAsync", this.label));
  }

  /** Same as {@link dispose}. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** @internal */
  takeBack(buffer: PooledBuffer, bytes: Uint8Array): boolean {
    const { handle, byteLength, permit } = buffer;
    countOut(this.counts, byteLength);
    if (this.watch !== undefined) this.watched(buffer, bytes, this.watch);
    const freed = this.free(handle);
    if (!freed) add(this.counts, RELEASED_STALE);
    // The object first: whoever gets the permit needs the room.
    if (permit !== NO_PERMIT) this.givePermit(permit);
    if (this.line.length > 0) this.line.kick();
    return freed;
  }

  /** @internal */
  letGo(buffer: PooledBuffer, options: DetachOptions | undefined): PooledRef {
    const { handle, byteLength, permit } = buffer;
    const along = sendsPermit(options);
    const sent = along && permit !== NO_PERMIT ? this.permits?.send(permit) : undefined;
    if (!along) this.givePermit(permit);
    this.watch?.remove(buffer);
    countOut(this.counts, byteLength);
    add(this.counts, DETACHED);
    if (this.line.length > 0) this.line.kick();
    return sent === undefined ? { handle, byteLength } : { handle, byteLength, permit: sent };
  }

  /** @internal */
  gone(method: string): StaleHandleError {
    return new StaleHandleError(
      `${method}: this buffer of pool ${JSON.stringify(this.label)} was released or detached; acquire a new one.`,
    );
  }

  private acquireOtherwise(size: number, options: AcquireOptions | undefined): PooledBuffer {
    const got = this.request("acquire", size, options, this.acquire);
    if (typeof got === "string") throw refusedError(`acquire(${size})`, got, this);
    return got;
  }

  private request(
    method: string,
    size: number,
    options: AcquireOptions | undefined,
    above: (size: number) => unknown,
  ): PooledBuffer | Refusal {
    const domain = options === undefined ? undefined : domainOption(method, options);
    this.checkUsable(method, size);
    const scope = chooseScope(method, domain, this.heap, this.currentDomain);
    const origin = this.watch?.origin(above) ?? "";
    const got = this.take(size, scope, origin);
    if (typeof got === "string") add(this.counts, got === "exhausted" ? EXHAUSTED : OUT_OF_MEMORY);
    return got;
  }

  /** Permit, object, view and list, or nothing of it. */
  private take(size: number, scope: Scope | undefined, origin: string): PooledBuffer | Refusal {
    const permit = this.permits === undefined ? NO_PERMIT : this.permits.take();
    if (permit === NO_PERMIT && this.permits !== undefined) return "exhausted";
    // A domain that does not say whose it is might allocate more than asked: see views.ts.
    const sized = scope === undefined || scope.heap === this.heap;
    let handle = NULL_HANDLE;
    try {
      for (let tries = 1; ; tries++) {
        handle = this.allocIn(scope, size);
        if (handle === NULL_HANDLE) {
          this.givePermit(permit);
          return "out-of-memory";
        }
        const bytes = sized ? this.views.of(handle, size) : this.views.once(handle, size);
        const epoch = this.watch === undefined ? undefined : this.epochOf(handle);
        // Discarded by another thread since it was allocated: the next one is in a newer epoch.
        if (bytes === undefined || (this.watch !== undefined && epoch === undefined)) {
          if (!sized) checkTries(tries);
          continue;
        }
        if (this.zero) bytes.fill(0);
        const buffer = this.handOut(handle, bytes, permit, scope, epoch, origin);
        add(this.counts, ACQUIRED);
        return buffer;
      }
    } catch (error) {
      if (handle !== NULL_HANDLE) this.free(handle);
      this.givePermit(permit);
      throw error;
    }
  }

  /** The room of an object that came from another thread; when it is gone the permit that came along goes home. */
  private roomOf(handle: Handle, sent: PermitRef | undefined): number {
    try {
      return this.heap.sizeOf(handle);
    } catch (error) {
      if (!(error instanceof StaleHandleError)) throw error;
      // Nobody else will bring it home.
      if (sent !== undefined && this.permits?.receive(sent)) this.permits.give(sent.index);
      throw new StaleHandleError(
        `adopt: handle ${handle} names no live object: it was freed or discarded on the way, is of another heap, or was adopted and released already.`,
      );
    }
  }

  /** Undefined when the object has ended. */
  private epochOf(handle: Handle): EpochRef | undefined {
    try {
      return this.heap.epochOf(handle);
    } catch (error) {
      if (error instanceof StaleHandleError) return undefined;
      throw error;
    }
  }

  private allocIn(scope: Scope | undefined, size: number): Handle {
    if (scope === undefined) return this.heap.alloc(size);
    const handle = scope.alloc(size);
    if (handle !== NULL_HANDLE || this.heap.lastFailure !== "epoch-closed") return handle;
    return this.heap.alloc(size);
  }

  private handOut(
    handle: Handle,
    bytes: Uint8Array,
    permit: number,
    scope: Scope | undefined,
    epoch: EpochRef | undefined,
    origin: string,
  ): PooledBuffer {
    const buffer = new PooledBuffer(this, handle, bytes, permit);
    if (scope !== undefined) this.domains.add(buffer, scope);
    if (epoch !== undefined) this.watch?.add(buffer, bytes, epoch, origin);
    countIn(this.counts, bytes.length);
    return buffer;
  }

  private watched(buffer: PooledBuffer, bytes: Uint8Array, watch: LeakWatch): void {
    watch.remove(buffer);
    // Not when it was freed behind our back: the bytes may be somebody else's by now. Who frees it from another thread
    // in this very moment can still have them overwritten, which is why this is for debugging.
    if (this.isLive(buffer.handle)) bytes.fill(RELEASED_FILL);
  }

  /** False when there was nothing to free, or no seat to free it from. */
  private free(handle: Handle): boolean {
    try {
      return this.heap.free(handle);
    } catch (error) {
      if (error instanceof HeapDetachedError) return false;
      throw error;
    }
  }

  private isLive(handle: Handle): boolean {
    try {
      return this.heap.isLive(handle);
    } catch (error) {
      if (error instanceof HeapDetachedError) return false;
      throw error;
    }
  }

  private givePermit(permit: number): void {
    if (permit !== NO_PERMIT) this.permits?.give(permit);
  }

  private checkUsable(method: string, size: number): void {
    checkInteger(`${method}: size`, size, 1, this.heap.capacity);
    if (this.disposed) throw disposedError(method, this.label);
  }
}
