/** The consuming side of a ring: taking the place, visiting the lanes, waiting, and ending a closed ring. */
import { casSeq, type Handle, loadSeq, NULL_HANDLE, RingBusyError, storeSeq } from "../allocator/index.js";
import { OwnerWords, type SeatHolder, type SeatSource } from "../threads/index.js";
import {
  CLOSED,
  ENDED,
  L_HEAD,
  L_SLOTS,
  L_TAIL,
  L_WAITS,
  laneAt,
  R_CONSUMER,
  R_STATE,
  type RingShape,
  WAITING,
  wakeSender,
} from "./layout.js";

const HIGH_UNIT = 4294967296;

export class Receiver {
  readonly shape: RingShape;
  /** The word to wait at, while it is WAITING. */
  readonly stateAt: number;
  private readonly seats: SeatSource;
  private readonly place: OwnerWords;
  private readonly m: Int32Array;
  private readonly mask: number;
  private holds = false;
  /** The head of every lane: what this thread's predecessor left, and since then its own to write. */
  private readonly heads: number[] = [];
  /** The lane being visited: handles head..limit of it are known to be there. */
  private lane = 0;
  private headAt = 0;
  private slotsAt = 0;
  private head = 0;
  private limit = 0;
  /** The ring was found empty after it was closed. */
  private ended = false;

  constructor(shape: RingShape, holder: SeatHolder & SeatSource) {
    this.shape = shape;
    this.seats = holder;
    this.m = shape.m;
    this.mask = shape.capacity - 1;
    this.stateAt = shape.base + R_STATE;
    this.place = new OwnerWords(shape.m, shape.base + R_CONSUMER, 1, holder);
  }

  /** The next handle; NULL_HANDLE: there is none now or, where the ring was closed before, none ever again. */
  tryReceive(): Handle {
    if (!this.holds) this.takePlace();
    if (this.head === this.limit && !this.findMore()) return NULL_HANDLE;
    const { m, head } = this;
    const at = this.slotsAt + ((head & this.mask) << 1);
    const handle = (m[at + 1] as number) * HIGH_UNIT + ((m[at] as number) >>> 0);
    this.moveHead((head + 1) | 0);
    return handle as Handle;
  }

  /** Up to `max` handles into `into[0..]`, one move of the head per lane visited; how many. */
  tryReceiveMany(into: Float64Array | Handle[], max: number): number {
    if (!this.holds) this.takePlace();
    const { m, mask } = this;
    let count = 0;
    while (count < max && (this.head !== this.limit || this.findMore())) {
      const { head, slotsAt } = this;
      const some = Math.min(max - count, (this.limit - head) | 0);
      for (let i = 0; i < some; i++) {
        const at = slotsAt + (((head + i) & mask) << 1);
        into[count + i] = ((m[at + 1] as number) * HIGH_UNIT + ((m[at] as number) >>> 0)) as Handle;
      }
      this.moveHead((head + some) | 0);
      count += some;
    }
    return count;
  }

  /**
   * Announces that this thread is going to wait. True: nothing has come, wait at `stateAt` while it is WAITING. A sender
   * publishes first and reads the state second; announcing first and looking second, one of the two sees the other. The
   * other way round a handle could come between the look and the announcement, and nobody would wake this thread.
   */
  prepareToWait(): boolean {
    const { m, stateAt } = this;
    for (;;) {
      const state = loadSeq(m, stateAt);
      if ((state & CLOSED) !== 0) return false;
      if (state === WAITING || casSeq(m, stateAt, state, state | WAITING)) break;
    }
    return this.head === this.limit && !this.lookForMore();
  }

  /** Whether the ring was closed and found empty: nothing comes any more. */
  hasEnded(): boolean {
    return this.ended;
  }

  /** Gives the consumer's place back. */
  leave(): void {
    if (this.holds) this.place.release(0);
    this.holds = false;
  }

  private moveHead(head: number): void {
    const { m, headAt } = this;
    this.head = head;
    this.heads[this.lane] = head;
    // First the head, then the announcement: see Sender.prepareToWait. The slots were read before; from here on the
    // lane's owner may overwrite them, and a successor of this thread does not deliver them again.
    storeSeq(m, headAt, head);
    wakeSender(m, headAt + L_WAITS - L_HEAD);
  }

  /** Goes to the next lane that holds something. False: none does. A closed ring that is empty ends here. */
  private findMore(): boolean {
    if (this.ended) return false;
    const { m, shape, heads } = this;
    const { producers } = shape;
    for (let step = 1; step <= producers; step++) {
      const lane = (this.lane + step) % producers;
      // P: late at worst, and then the look below is not. An A load costs ten times as much.
      if ((m[laneAt(shape, lane) + L_TAIL] as number) !== heads[lane] && this.visit(lane)) return true;
    }
    return this.lookForMore();
  }

  /** The same with nothing missed that was published before, or while the state was as it is read here. */
  private lookForMore(): boolean {
    const { m, stateAt, shape } = this;
    const { producers } = shape;
    for (;;) {
      // The state before the lanes: what is published after this look and not seen in its lane changes the state, or
      // was sent before the close.
      const state = loadSeq(m, stateAt);
      for (let step = 1; step <= producers; step++) {
        if (this.visit((this.lane + step) % producers)) return true;
      }
      if ((state & CLOSED) === 0) return false;
      // Lost: a send that ran into the close has got its handle in (see Sender.settle). Look again.
      if (!casSeq(m, stateAt, state, state | ENDED)) continue;
      this.ended = true;
      return false;
    }
  }

  /** Goes to a lane, if there is something in it. */
  private visit(lane: number): boolean {
    const at = laneAt(this.shape, lane);
    const head = this.heads[lane] as number;
    // A: whoever sees this tail sees every slot before it.
    const tail = loadSeq(this.m, at + L_TAIL);
    if (head === tail) return false;
    this.lane = lane;
    this.headAt = at + L_HEAD;
    this.slotsAt = at + L_SLOTS;
    this.head = head;
    this.limit = tail;
    return true;
  }

  private takePlace(): void {
    const { place } = this;
    if (place.claim() < 0 && place.takeFromDead(this.seats) < 0) {
      throw new RingBusyError(
        "receive: the consumer's place of the ring is held by a living thread; have that leave(), or use a ring of its own for each consumer.",
      );
    }
    const { m, shape } = this;
    const { producers } = shape;
    // A: what a predecessor that is gone wrote last.
    for (let lane = 0; lane < producers; lane++) this.heads[lane] = loadSeq(m, laneAt(shape, lane) + L_HEAD);
    this.ended = (loadSeq(m, this.stateAt) & ENDED) !== 0;
    this.lane = producers - 1;
    this.head = 0;
    this.limit = 0;
    this.holds = true;
  }
}
