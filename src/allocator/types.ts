/// <reference lib="esnext.disposable" preserve="true" />
/** Types users see. Behaviour is described on {@link SlabHeap}. */

declare const brand: unique symbol;

/** A live object's name: a safe integer that holds slot and generation. 0 is {@link NULL_HANDLE}. */
export type Handle = number & { readonly [brand]: "Handle" };

/** Ring slot of an epoch, 0..15. Reused: pair it with the era ({@link EpochRef}) to name one epoch forever. */
export type EpochId = number & { readonly [brand]: "EpochId" };

/** Names one epoch for the life of the heap: (id, era) never repeats. */
export interface EpochRef {
  readonly id: EpochId;
  readonly era: number;
}

/**
 * Gives pages back to the operating system: `autoPageReleaser()` of `temporal-slab/reclaim`, or one of your own.
 * Belongs to the thread that made it.
 */
export interface PageReleaser {
  /**
   * Releases the whole pages within `byteLength` bytes at `byteOffset` of `buffer`; returns how many bytes that were, 0
   * where there is no whole page, -1 where the system refused (an error thrown counts as that). Released bytes read as
   * zero afterwards. Nobody else uses the range during the call. Must not call this thread's heap.
   */
  release(buffer: SharedArrayBuffer, byteOffset: number, byteLength: number): number;
  /** Called before a range that was released is used again. For systems that keep books of it; must not throw. */
  reuse?(buffer: SharedArrayBuffer, byteOffset: number, byteLength: number): void;
  /** Bytes of a page of the system: a power of two, 4 KiB..1 MiB; default 4096. */
  readonly pageBytes?: number;
  /** False: releases nothing, and the heap does as if it had no releaser. Default true. */
  readonly enabled?: boolean;
}

/** When this thread gives pages back, where it has a {@link PageReleaser}. `trim()` does so at any time. */
export interface ReleasePolicy {
  /**
   * Closing, discarding and detaching release the pages of free slabs beyond the reserve; what becomes free at other times
   * follows in `poll()`, and while the thread's event loop turns. Default true.
   */
  onClose?: boolean;
  /**
   * Bytes of free slabs whose pages a close leaves resident, so that the next allocations pay no page faults; 0..4 GiB.
   * Default 1/128 of the capacity, at most 1 MiB; all of it where the heap was made with `prefault`.
   */
  reserveBytes?: number;
  /**
   * Milliseconds over which pages of free slabs that stay unused go back, the reserve included, a little at a time and
   * most of them halfway; 50..3,600,000, or 0 (default): never. Needs an event loop that turns.
   */
  decayMs?: number;
}

/** Options of `SlabHeap.create`. */
export interface HeapOptions {
  /**
   * Payload bytes, 4 KiB..4 GiB, rounded up to whole slabs; default 64 MiB. Address space only: pages are
   * touched on use. Where the runtime limits a buffer to 4 GiB (Node 20, Bun) metadata comes out of the
   * largest heaps; `heap.capacity` says what was given.
   */
  capacity?: number;
  /** Bytes per slab: a power of two, 4 KiB..1 MiB; default 64 KiB. */
  slabSize?: number;
  /** Object sizes in bytes, ascending multiples of 8, or a named list. Classes above `slabSize` are left out of a named list. */
  sizeClasses?: readonly number[] | "default" | "seed";
  /** Seats, that is threads attached at once, 1..255; default 64. */
  maxWorkers?: number;
  /** Overwrite objects with zeros when they are freed or discarded; every free then takes the slow path. Default false. */
  zeroOnFree?: boolean;
  /** Touch every page at creation, so that no alloc pays a page fault. Default false. */
  prefault?: boolean;
  /** Gives pages of free slabs back to the system. Default none: memory once used stays resident. */
  pageReleaser?: PageReleaser;
  /** When it does so. */
  releasePolicy?: ReleasePolicy;
  /**
   * Build the heap in this buffer, from its first byte on, instead of a new one: for example the memory of a WebAssembly
   * module. What it held is lost. Without `capacity` the payload is as much as fits, at most 4 GiB. A buffer that
   * already holds a heap is refused.
   */
  buffer?: SharedArrayBuffer;
}

/** A class of typed arrays, such as `Float64Array`. */
export interface TypedArrayConstructor<T extends ArrayBufferView> {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: SharedArrayBuffer, byteOffset: number, length: number): T;
}

/** Options of `SlabHeap.attach`. */
export interface AttachOptions {
  /**
   * Allow a second seat for a thread that already holds one. Off by default: it is nearly always a mistake.
   * Tools and tests use it to act as several workers from one thread.
   */
  sameThread?: boolean;
  /** As in {@link HeapOptions}; page release is a matter of each thread's runtime and is not inherited. */
  pageReleaser?: PageReleaser;
  /** As in {@link HeapOptions}, for this thread. */
  releasePolicy?: ReleasePolicy;
}

/** What another thread needs to attach; survives structured cloning. */
export interface HeapRef {
  readonly kind: "temporal-slab/heap";
  readonly layoutVersion: number;
  readonly buffer: SharedArrayBuffer;
  /** Names the attachment made with this ref where the runtime has no thread ids (browsers). */
  readonly token: number;
}

/** Options of `SlabHeap.openDomain`. */
export interface DomainOptions {
  /** Names the epoch, for reports; at most 31 bytes of UTF-8 are kept. */
  label?: string;
  /** Ring slot of the epoch to enter; default the current one. */
  epoch?: EpochId;
  /** Close the epoch when its last domain is left. Default false. */
  autoClose?: boolean;
  /**
   * Leave the domain in any order. By default the domains of a thread nest: the one entered last is left first, and
   * `EpochDomain.current` shows it. Work that interleaves on one thread, such as async functions, does not nest;
   * its domains are unordered and never current. Default false.
   */
  unordered?: boolean;
}

/** Why the last `alloc` of this thread returned NULL_HANDLE. */
export type AllocFailure = "none" | "out-of-memory" | "epoch-closed";

/** What closing or discarding an epoch found and gave back in the calling thread. */
export interface CloseReport {
  readonly epoch: EpochRef;
  /** False when the ref was stale or nothing was left to do; the epoch is closed either way. */
  readonly applied: boolean;
  /** What happened, in words. */
  readonly reason: "closed" | "discarded" | "already-closed" | "already-discarded" | "stale" | "never-opened";
  /** Slabs of that epoch this thread looked at, and how many of them became free. Other threads follow at their next operation. */
  readonly slabsScanned: number;
  readonly slabsRecycled: number;
  readonly bytesRecycled: number;
  /** Bytes of free slabs, of this epoch or any other, whose pages went back to the system during the call; see {@link ReleasePolicy}. */
  readonly bytesReleased: number;
  /** Objects this thread made stale (discard only). */
  readonly objectsDiscarded: number;
  readonly durationNs: number;
}

/** Options of `SlabHeap.trim`. */
export interface TrimOptions {
  /** Bytes of free slabs whose pages may stay resident, 0..4 GiB; default 0. */
  keepBytes?: number;
}

/** What `SlabHeap.trim` did. */
export interface TrimReport {
  /** Empty slabs of open epochs, and of closed ones, that this thread gave back to the heap. */
  readonly slabsRecycled: number;
  /** Slabs whose pages went back to the system, and the bytes of these pages. 0 without a page releaser. */
  readonly slabsReleased: number;
  readonly bytesReleased: number;
  /** Calls of the page releaser, and how many the system refused: after one that is refused no more are made. */
  readonly calls: number;
  readonly failures: number;
  readonly durationNs: number;
}

/** State of one ring slot. */
export interface EpochInfo {
  readonly id: EpochId;
  readonly era: number;
  readonly state: "ACTIVE" | "CLOSING";
  /** True when the epoch was discarded: its objects are stale. */
  readonly discarded: boolean;
  /** Unix milliseconds; 0 when unknown (never opened, or its opener died in between). */
  readonly openSince: number;
  readonly ageSec: number;
  /** Domain levels entered plus explicit retains. */
  readonly refcount: number;
  /** At most 31 bytes of UTF-8; empty when none was set. */
  readonly label: string;
  /** Objects of exactly this (id, era); may include remote frees its owners have not collected yet. */
  readonly liveObjects: number;
  /** Slabs of exactly this (id, era). */
  readonly slabs: number;
  /** Objects of older eras that share the ring slot and are not drained yet, and the oldest such era (0: none). */
  readonly olderLiveObjects: number;
  readonly oldestEra: number;
}

/** State of a seat. */
export type SeatState = "FREE" | "LIVE" | "SUSPECT" | "REAPING";

/** One seat that is, or was, in use. */
export interface SeatInfo {
  readonly seat: number;
  readonly incarnation: number;
  readonly state: SeatState;
  /** The runtime's thread id; -1 when the runtime has none. */
  readonly threadId: number;
}

/** What recovering a dead thread's seat did. */
export interface ReapReport {
  readonly seat: number;
  readonly incarnation: number;
  /** `free`: nothing to do. `stale`: the seat has another incarnation now. `busy`: another thread is reaping it. */
  readonly status: "reaped" | "free" | "stale" | "busy";
  /** Slabs with objects that were orphaned (this call's sync adopts them), and half-made claims undone. */
  readonly slabsOrphaned: number;
  readonly claimsUndone: number;
}

/** Result of a whole-heap check. */
export interface VerifyReport {
  readonly ok: boolean;
  /** One sentence per disagreement; empty when `ok`. At most 100 are listed. */
  readonly problems: readonly string[];
  readonly liveObjects: number;
  /** Slabs not FREE. */
  readonly slabs: number;
}

/** Worker objects `watch` understands: Node, Deno and Bun `node:worker_threads`, and Web Workers. */
export interface WorkerLike {
  readonly threadId?: number;
  once?(event: "exit", listener: (code: number) => void): unknown;
  terminate(): unknown;
}

/** Whole-heap totals since creation; see `SlabHeap.counters`. */
export interface HeapCounters {
  readonly allocCount: number;
  readonly freeCount: number;
  readonly remoteFrees: number;
  readonly slowPathHits: number;
  readonly newSlabs: number;
  readonly recycledSlabs: number;
  readonly reusedSlabs: number;
  readonly adoptedSlabs: number;
  readonly outOfMemory: number;
  readonly epochClosed: number;
  readonly invalidFrees: number;
  readonly epochCloses: number;
  readonly committedSlabs: number;
  readonly peakCommittedSlabs: number;
  readonly liveObjects: number;
}
