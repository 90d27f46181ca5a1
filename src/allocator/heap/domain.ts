/** Scoped use of an epoch by one thread. */
import { enterEra, exitEra } from "../epochs/refs.js";
import { DomainOrderError, EpochClosedError } from "../errors.js";
import { SEAT_ERA } from "../memory/offsets.js";
import type { CloseReport, EpochRef, Handle } from "../types.js";
import { failClosed } from "./alloc.js";
import { checkHeap } from "./check.js";
import { finishAutoClose } from "./close.js";
import type { SlabHeap } from "./heap.js";

/** What a domain needs of its heap; the heap hands it in, so that this file does not import it. */
export interface DomainHeap {
  readonly _a: Parameters<typeof enterEra>[0];
  readonly domains: EpochDomain[];
  alloc(size: number, epoch: EpochRef["id"]): Handle;
  free(handle: Handle): boolean;
  closeEpoch(epoch: EpochRef): CloseReport;
  /** @internal */ assertAttached(method: string): void;
}

/**
 * One thread's stay in one epoch: while a domain is entered its epoch's refcount shows it, and nobody's
 * auto-close can close the epoch. Made by `SlabHeap.openDomain`, which enters it once.
 *
 * Domains of a thread are left in the reverse order of entering. A domain belongs to the thread that opened it.
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
  /** The epoch this domain is about. */
  readonly epoch: EpochRef;
  /** Label given at opening, uncut; "" when none. */
  readonly label: string;
  /** Whether the epoch closes when its last domain is left. */
  readonly autoClose: boolean;
  private readonly heap: DomainHeap;
  private levels = 0;

  /** @internal */
  constructor(heap: DomainHeap, epoch: EpochRef, label: string, autoClose: boolean) {
    this.heap = heap;
    this.epoch = epoch;
    this.label = label;
    this.autoClose = autoClose;
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
    this.heap.domains.push(this);
    return this;
  }

  /**
   * Leaves the innermost level. Throws {@link DomainOrderError} when this domain is not the one this thread entered
   * last, or is not entered at all; nothing changes then.
   */
  exit(): void {
    this.heap.assertAttached("EpochDomain.exit");
    const { domains } = this.heap;
    const innermost = domains[domains.length - 1];
    if (innermost !== this) {
      throw new DomainOrderError(
        this.levels === 0
          ? `EpochDomain.exit: ${this.describe()} is not entered.`
          : `EpochDomain.exit: leave ${innermost?.describe() ?? "the inner domain"} before ${this.describe()}; domains nest.`,
      );
    }
    domains.pop();
    this.levels--;
    if (exitEra(this.heap._a, this.epoch.era)) finishAutoClose(this.heap._a, this.epoch.era);
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

  /** Leaves every level that is still entered. Does nothing after that, or once the heap is detached. */
  [Symbol.dispose](): void {
    if (this.heap._a.detached) this.levels = 0;
    while (this.levels > 0) this.exit();
  }

  private describe(): string {
    return `domain ${JSON.stringify(this.label)} (epoch ${this.epoch.id}, era ${this.epoch.era})`;
  }

  /** The domain this thread entered last and has not left, if any. Throws {@link InvalidTypeError} for what is no SlabHeap. */
  static current(heap: SlabHeap): EpochDomain | undefined {
    checkHeap("EpochDomain.current", heap);
    return heap.domains[heap.domains.length - 1];
  }
}
