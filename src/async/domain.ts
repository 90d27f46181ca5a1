/** One piece of asynchronous work, and the epochs it holds open while it runs. */
import {
  EpochClosedError,
  type EpochDomain,
  type EpochRef,
  type Handle,
  NULL_HANDLE,
  OutOfMemoryError,
  type SlabHeap,
} from "../allocator/index.js";
import type { OnRotate } from "./options.js";

/** Where a domain gets its memberships from, and who hears that it has left. */
export interface DomainHost {
  readonly heap: SlabHeap;
  /** Enters the current epoch; the domain is unordered. */
  enter(): EpochDomain;
  /** The domain has left all of `epochs`. */
  left(epochs: readonly EpochRef[]): void;
}

/** Each retry of an alloc means that somebody opened yet another epoch meanwhile. */
const MAX_CHASES = 64;

/**
 * What `runInDomain` and `EpochRotator.open` hand out: a stay in one or more epochs that lasts as long as a piece of work,
 * however often that work awaits. Thousands may be open on a thread, and end in any order.
 *
 * Every object belongs to exactly one epoch, the one it was allocated in, and the domain holds that epoch until it ends.
 * When the epoch it is in is not open any more, `alloc` enters the current one too ("follow"): the domain then holds
 * both. Belongs to the thread that opened it.
 */
export class AsyncDomain implements Disposable {
  /** The epoch it was opened in. */
  readonly epoch: EpochRef;
  /** As given; "" when none was. */
  readonly label: string;
  /** As given. The work decides what it does when it is aborted: the domain ends when the work does. */
  readonly signal: AbortSignal | undefined;
  /** @internal the domain this one was opened in. Changed only to leave out domains that have ended. */
  enclosing: AsyncDomain | undefined = undefined;
  private readonly host: DomainHost;
  private readonly onRotate: OnRotate;
  private readonly refs: EpochRef[] = [];
  /** Oldest first. The first one has the deferred callbacks and is left first, so that they run while all are held. */
  private readonly members: EpochDomain[] = [];
  /** The last of them: the one to allocate in. */
  private newest: EpochDomain;
  private state: "open" | "ending" | "ended" = "open";

  /** @internal */
  constructor(host: DomainHost, label: string, signal: AbortSignal | undefined, onRotate: OnRotate) {
    this.host = host;
    this.label = label;
    this.signal = signal;
    this.onRotate = onRotate;
    this.newest = this.enter();
    this.epoch = this.newest.epoch;
  }

  /** The heap it is about. */
  get heap(): SlabHeap {
    return this.host.heap;
  }

  /** The epochs it holds, oldest first; after it has ended, those that it held. */
  get epochs(): readonly EpochRef[] {
    return this.refs.slice();
  }

  /** True once it has been left: its objects may be gone, and nothing more is allocated through it. */
  get ended(): boolean {
    return this.state === "ended";
  }

  /**
   * Allocates `size` bytes in the epoch it is in, or in the current one if that is not open any more (`onRotate`).
   * NULL_HANDLE when there is no room, and with "refuse" when the epoch is not open; `heap.lastFailure` says which. Throws
   * {@link EpochClosedError} after the domain has ended, and what `heap.alloc` throws for a bad size.
   */
  alloc(size: number): Handle {
    if (this.state === "ended") throw this.hasEnded("alloc");
    const { heap } = this.host;
    const follows = this.onRotate === "follow";
    for (let chase = 0; ; chase++) {
      const { newest } = this;
      // Looked at first: an alloc in an epoch that is over counts as one refused, which diagnostics call a bug.
      if (!follows || chase === MAX_CHASES || heap.currentEpoch.era === newest.epoch.era) {
        const handle = newest.alloc(size);
        if (handle !== NULL_HANDLE || !follows || chase === MAX_CHASES) return handle;
        if (heap.lastFailure !== "epoch-closed") return handle;
      }
      this.newest = this.enter();
    }
  }

  /** As {@link alloc}, but throws {@link OutOfMemoryError} or {@link EpochClosedError} instead of returning NULL_HANDLE. */
  allocOrThrow(size: number): Handle {
    const handle = this.alloc(size);
    if (handle !== NULL_HANDLE) return handle;
    if (this.heap.lastFailure === "epoch-closed") {
      throw new EpochClosedError(
        `AsyncDomain.allocOrThrow(${size}): ${this.describe()} is in an epoch that is not open any more; use onRotate: "follow".`,
      );
    }
    throw new OutOfMemoryError(
      `AsyncDomain.allocOrThrow(${size}): no room in ${this.heap.capacity} bytes of payload; free objects, or create a larger heap.`,
    );
  }

  /**
   * Has `callback` called when the domain ends, before it leaves its epochs; callbacks run in reverse order, each once. They
   * are not awaited: asynchronous clean-up belongs into a `finally` of the work itself. Throws {@link EpochClosedError}
   * after the domain has ended.
   */
  defer(callback: () => void): void {
    const [first] = this.members;
    if (first === undefined) throw this.hasEnded("defer");
    first.defer(callback);
  }

  /**
   * Ends it: runs what was {@link defer}red, then leaves its epochs. `runInDomain` does it by itself; what came from
   * `EpochRotator.open` must be ended. Ending twice has no effect. An error of a deferred callback is thrown once the
   * epochs have been left, several as one AggregateError.
   */
  end(): void {
    if (this.state !== "open") return;
    this.state = "ending";
    try {
      this.members[0]?.[Symbol.dispose]();
    } finally {
      this.state = "ended";
      for (const member of this.members) member[Symbol.dispose]();
      this.members.length = 0;
      this.host.left(this.refs);
    }
  }

  /** Same as {@link end}. */
  [Symbol.dispose](): void {
    this.end();
  }

  private enter(): EpochDomain {
    const member = this.host.enter();
    this.members.push(member);
    this.refs.push(member.epoch);
    return member;
  }

  private hasEnded(method: string): EpochClosedError {
    return new EpochClosedError(
      `AsyncDomain.${method}: ${this.describe()} has ended; allocate before the work of the domain returns, or through the heap.`,
    );
  }

  private describe(): string {
    return `domain ${JSON.stringify(this.label)} (epoch ${this.epoch.id}, era ${this.epoch.era})`;
  }
}
