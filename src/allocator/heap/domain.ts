/** Scoped use of an epoch by one thread. */
import { enterEra, exitEra } from "../epochs/refs.js";
import { DomainOrderError, EpochClosedError, InvalidTypeError } from "../errors.js";
import { SEAT_ERA } from "../memory/offsets.js";
import { describe } from "../memory/size-classes.js";
import type { CloseReport, EpochRef, Handle } from "../types.js";
import { failClosed } from "./alloc.js";
import { checkHeap } from "./check.js";
import { finishAutoClose } from "./close.js";
import type { SlabHeap } from "./heap.js";

/**
 * One thread's stay in one epoch: while a domain is entered its epoch's refcount shows it, and nobody's
 * auto-close can close the epoch. Made by `SlabHeap.openDomain`, which enters it once.
 *
 * Domains of a thread are left in the reverse order of entering, unless they were opened as unordered. A domain belongs
 * to the thread that opened it.
 *
 * @example
 * ```ts
 * {
 *   using request = heap.openDomain({ label: "GET /users", autoClose: true });
 *   const body = request.alloc(4096);
 * } // left; the last domain out closes the epoch
 * ```
 */
export class EpochDomain implements Disposable {
  /** The heap whose epoch it is, as attached by the thread that the domain belongs to. */
  readonly heap: SlabHeap;
  /** The epoch this domain is about. */
  readonly epoch: EpochRef;
  /** Label given at opening, uncut; "" when none. */
  readonly label: string;
  /** Whether the epoch closes when its last domain is left. */
  readonly autoClose: boolean;
  /** Whether it may be left in any order; such a domain is never {@link current}. */
  readonly unordered: boolean;
  private readonly deferred: (() => void)[] = [];
  private levels = 0;

  /** @internal */
  constructor(heap: SlabHeap, epoch: EpochRef, label: string, autoClose: boolean, unordered: boolean) {
    this.heap = heap;
    this.epoch = epoch;
    this.label = label;
    this.autoClose = autoClose;
    this.unordered = unordered;
  }

  /** How often this domain is entered right now. */
  get depth(): number {
    return this.levels;
  }

  /** Enters once more. Throws {@link EpochClosedError} when the epoch is not open any more. */
  enter(): this {
    this.heap.assertAttached("EpochDomain.enter");
    if (!enterEra(this.heap._a, this.epoch.era, this.autoClose)) {
      throw new EpochClosedError(
        `EpochDomain.enter: epoch ${this.epoch.id} (era ${this.epoch.era}) is closed; open a domain on the current epoch.`,
      );
    }
    this.levels++;
    if (!this.unordered) this.heap.domains.push(this);
    return this;
  }

  /**
   * Leaves the innermost level; with the last one, what was {@link defer}red runs first, while this thread still is a
   * member. Throws {@link DomainOrderError} when this domain is not the one this thread entered last (unless it is
   * unordered), or is not entered at all; nothing changes then. An error of a deferred callback is thrown
   * once the domain has been left.
   */
  exit(): void {
    this.heap.assertAttached("EpochDomain.exit");
    this.checkOrder();
    if (this.levels > 1) this.leave();
    else this.end();
  }

  /**
   * Has `callback` called when this domain is left for good, or disposed; callbacks run in reverse order, each once. For
   * what must not outlive the domain. Throws {@link DomainOrderError} when the domain is not entered.
   */
  defer(callback: () => void): void {
    if (typeof callback !== "function") {
      throw new InvalidTypeError(
        `EpochDomain.defer: callback must be a function; got ${describe(callback)}.`,
      );
    }
    if (this.levels === 0) throw this.notEntered("defer");
    this.deferred.push(callback);
  }

  /** Allocates in this domain's epoch: NULL_HANDLE once that epoch is closing. */
  alloc(size: number): Handle {
    const { _a: a } = this.heap;
    const handle = this.heap.alloc(size, this.epoch.id);
    // The id alone would also accept a newer era in the same ring slot. An alloc never leaves this thread in
    // another era than the one it allocated in.
    if (handle === 0 || a.m[a.seatBase + SEAT_ERA] === this.epoch.era) return handle;
    this.heap.free(handle);
    failClosed(a, size);
    return 0 as Handle;
  }

  /** Closes the epoch now, whoever is still inside; the domain stays entered. */
  forceClose(): CloseReport {
    return this.heap.closeEpoch(this.epoch);
  }

  /** Leaves every level that is still entered. Once the heap is detached it only runs what was deferred. */
  [Symbol.dispose](): void {
    while (this.levels > 1 && !this.heap._a.detached) this.exit();
    if (this.levels === 0) return;
    if (!this.heap._a.detached) this.checkOrder();
    this.end();
  }

  /** Leaves the last level after running what was deferred, and throws the errors of that. */
  private end(): void {
    const errors: unknown[] = [];
    for (let callback = this.deferred.pop(); callback !== undefined; callback = this.deferred.pop()) {
      try {
        callback();
      } catch (error) {
        errors.push(error);
      }
    }
    // A callback may have left the domain itself, detached the heap (the seat may be another thread's by now), or have
    // left another domain entered.
    if (this.heap._a.detached) {
      this.levels = 0;
    } else if (this.levels > 0) {
      try {
        this.checkOrder();
        this.leave();
      } catch (error) {
        errors.push(error);
      }
    }
    throwAll(errors);
  }

  private leave(): void {
    if (!this.unordered) this.heap.domains.pop();
    this.levels--;
    if (exitEra(this.heap._a, this.epoch.era)) finishAutoClose(this.heap._a, this.epoch.era);
  }

  private checkOrder(): void {
    if (this.levels === 0) throw this.notEntered("exit");
    const { domains } = this.heap;
    const innermost = domains[domains.length - 1];
    if (this.unordered || innermost === this) return;
    throw new DomainOrderError(
      `EpochDomain.exit: leave ${innermost?.describe() ?? "the inner domain"} before ${this.describe()}; domains nest.`,
    );
  }

  private notEntered(method: string): DomainOrderError {
    return new DomainOrderError(`EpochDomain.${method}: ${this.describe()} is not entered.`);
  }

  private describe(): string {
    return `domain ${JSON.stringify(this.label)} (epoch ${this.epoch.id}, era ${this.epoch.era})`;
  }

  /** The domain this thread entered last and has not left, if any. Throws {@link InvalidTypeError} for what is no SlabHeap. */
  static current(heap: SlabHeap): EpochDomain | undefined {
    checkHeap("EpochDomain.current", heap);
    const { domains } = heap;
    // V8 takes ten times as long to read beyond the end of an array as to find it empty.
    return domains.length === 0 ? undefined : domains[domains.length - 1];
  }
}

/** Throws what callbacks threw: one error as it is, several as one AggregateError. */
function throwAll(errors: readonly unknown[]): void {
  if (errors.length === 1) throw errors[0];
  if (errors.length > 1) throw new AggregateError(errors, `${errors.length} deferred callbacks failed.`);
}
