/** Epochs that take turns by themselves while domains come and go. */
import { clearInterval, setInterval } from "node:timers";
import {
  EpochClosedError,
  type EpochRef,
  HeapDetachedError,
  HeapFormatError,
  type SlabHeap,
} from "../allocator/index.js";
import { checkHeap, checkKeys } from "../threads/index.js";
import { outside } from "./context.js";
import { AsyncDomain } from "./domain.js";
import { EpochKeeper } from "./keeper.js";
import {
  type AsyncDomainOptions,
  type CheckedDomainOptions,
  type CheckedRotatorOptions,
  DOMAIN_OPTIONS,
  type RotatorOptions,
  readDomainOptions,
  readRotatorOptions,
  refuseAborted,
} from "./options.js";

/** What a rotator has done, in its own thread. */
export interface RotatorStats {
  /** Epochs that ended since it was made, by who ended them and why. */
  readonly rotations: {
    /** By this rotator, after `everyDomains` domains. */
    readonly count: number;
    /** By this rotator, after `everyMs`. */
    readonly time: number;
    /** By `rotate()` and `stop()`. */
    readonly manual: number;
    /** By other threads, or by calls of the heap's own methods. */
    readonly otherThread: number;
  };
  /** Epochs that stayed current longer than asked for, because the ring slot that is next still had somebody inside. */
  readonly delayed: number;
  /** Epochs it has closed, or discarded, after the last domain had left. Rotators of other threads count the same epochs. */
  readonly closed: number;
  readonly discarded: number;
  /** Epochs that are over and that somebody may still be inside. */
  readonly waiting: number;
  readonly domainsOpened: number;
  readonly domainsLeft: number;
  readonly domainsOpen: number;
  /** Objects discarded, and bytes of slabs that became free, by its own closes and discards in its own thread. */
  readonly objectsGivenBack: number;
  readonly bytesGivenBack: number;
}

type Reason = "count" | "time" | "manual";

/** How often a rotator looks after its epochs, at least. */
const TICK_MS = 100;

/** A rotator lives as long as its heap, used or not, until it is stopped and done: nobody else ends its epochs. */
const kept = new WeakMap<SlabHeap, Set<EpochRotator>>();

/**
 * Opens the next epoch after so many domains, or so many milliseconds, and gives each epoch's memory back when its last
 * domain has left: a request needs no frees, and no request waits for another's.
 *
 * - Only domains hold an epoch. With "discard", what was allocated in it by other means goes with it, unless
 *   `heap.retainEpoch` holds it too. Objects older than the rotator are not touched: it begins with a new epoch.
 * - Each thread has a rotator of its own, or none; several on one heap work together, and the one that sees the last
 *   domain leave ends the epoch. Domains of threads that died hold theirs until the thread is reaped (`heap.watch`).
 * - The ring has 16 epochs. While a domain is inside the oldest one, rotators do not open the next: two eras never share a
 *   ring slot, the current epoch grows, and `stats().delayed` says so. `heap.advanceEpoch()` does not ask; leave it
 *   to the rotators.
 * - It looks at the clock when a domain opens and every 100 ms (less with a shorter `everyMs`), without keeping the
 *   process alive. An epoch that none of its own domains has been in is not replaced by its clock.
 *
 * @example
 * ```ts
 * const rotator = new EpochRotator(heap, { everyDomains: 256, everyMs: 1000, onLastExit: "discard" });
 * await runInDomain(heap, { rotator }, async (domain) => handle(domain, request));
 * rotator.stop();
 * ```
 */
export class EpochRotator implements Disposable {
  /** The heap whose epochs take turns. */
  readonly heap: SlabHeap;
  private readonly options: CheckedRotatorOptions;
  private readonly keeper: EpochKeeper;
  private readonly turns = { count: 0, time: 0, manual: 0 };
  private opened = 0;
  private delayed = 0;
  /** Era whose end was due and had to wait: counted once. */
  private overdue = 0;
  private stopped = false;

  /** Throws `InvalidTypeError` or `InvalidValueError` that name the option, the value and the allowed range. */
  constructor(heap: SlabHeap, options: RotatorOptions = {}) {
    this.heap = checkHeap("EpochRotator", heap);
    this.options = readRotatorOptions(options);
    this.keeper = new EpochKeeper(heap, this.options.discard, this.options.label);
    kept.set(heap, (kept.get(heap) ?? new Set()).add(this));
    outside(() => startTicking(this, Math.min(TICK_MS, this.options.everyMs)));
  }

  /**
   * Opens a domain that follows no asynchronous work: whoever opens it ends it, with `end()` or `using`. Begins the next epoch
   * first if it is time. Throws the reason of a `signal` that is aborted already, {@link EpochClosedError} after
   * {@link stop}, `InvalidTypeError` and `InvalidValueError` for bad options.
   */
  open(options: AsyncDomainOptions = {}): AsyncDomain {
    checkKeys("EpochRotator.open", options, DOMAIN_OPTIONS);
    const checked = readDomainOptions(options);
    refuseAborted(checked.signal);
    return this.openChecked(checked);
  }

  /** @internal */
  openChecked({ label, signal, onRotate }: CheckedDomainOptions): AsyncDomain {
    this.checkRunning("open");
    const { keeper } = this;
    this.turnIfDue();
    const domain = new AsyncDomain(keeper, label, signal, onRotate ?? this.options.onRotate);
    keeper.opened++;
    this.opened++;
    return domain;
  }

  /**
   * Begins the next epoch now and returns the current one: the same as before where that had to wait (see `delayed`).
   * Throws {@link EpochClosedError} after {@link stop}.
   */
  rotate(): EpochRef {
    this.checkRunning("rotate");
    this.keeper.catchUp();
    this.turn("manual");
    return this.keeper.current;
  }

  /** What it has done so far. */
  stats(): RotatorStats {
    const { keeper, turns, opened } = this;
    return {
      rotations: { ...turns, otherThread: keeper.passed - turns.count - turns.time - turns.manual },
      delayed: this.delayed,
      closed: keeper.closed,
      discarded: keeper.discarded,
      waiting: keeper.waiting,
      domainsOpened: opened,
      domainsLeft: keeper.departed,
      domainsOpen: opened - keeper.departed,
      objectsGivenBack: keeper.objects,
      bytesGivenBack: keeper.bytes,
    };
  }

  /**
   * Opens no more domains, and begins the next epoch if its domains have used this one, so that all they used is given back.
   * Epochs that somebody is still inside are looked after until the last one has left. Idempotent.
   */
  stop(): void {
    if (this.stopped) return;
    this.stopped = true;
    this.tick();
  }

  /** Same as {@link stop}. */
  [Symbol.dispose](): void {
    this.stop();
  }

  /** @internal Returns false when there is nothing left to look after. */
  tick(): boolean {
    const { keeper } = this;
    try {
      this.turnIfDue();
      keeper.sweep();
      if (!this.stopped || keeper.usedSince >= 0 || keeper.waiting > 0 || keeper.occupied) return true;
    } catch (error) {
      // That a heap is damaged is told to the thread's next call, not to its event loop.
      if (error instanceof HeapFormatError) return true;
      if (!(error instanceof HeapDetachedError)) throw error;
    }
    kept.get(this.heap)?.delete(this);
    return false;
  }

  private turnIfDue(): void {
    const { keeper, options } = this;
    keeper.catchUp();
    if (this.stopped) {
      if (keeper.usedSince >= 0) this.turn("manual");
    } else if (keeper.opened >= options.everyDomains) {
      this.turn("count");
    } else if (
      options.everyMs !== Infinity &&
      keeper.usedSince >= 0 &&
      performance.now() - keeper.usedSince >= options.everyMs
    ) {
      this.turn("time");
    }
  }

  private turn(reason: Reason): void {
    const { keeper } = this;
    const { era } = keeper.current;
    if (keeper.moveOn()) {
      this.turns[reason]++;
    } else if (this.overdue !== era) {
      this.overdue = era;
      this.delayed++;
    }
  }

  private checkRunning(method: string): void {
    if (!this.stopped) return;
    throw new EpochClosedError(`EpochRotator.${method}: this rotator was stopped; make another one.`);
  }
}

/** Holds the rotator weakly: a forgotten heap, and its rotators with it, can go. */
function startTicking(rotator: EpochRotator, intervalMs: number): void {
  const weak = new WeakRef(rotator);
  const timer = setInterval(() => {
    if (weak.deref()?.tick() !== true) clearInterval(timer);
  }, intervalMs);
  timer.unref();
}
