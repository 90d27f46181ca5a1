/** The producing side of a ring: taking a lane, writing handles into it, publishing them. */
import {
  andSeq,
  casSeq,
  describeValue,
  type Handle,
  InvalidTypeError,
  InvalidValueError,
  loadSeq,
  RingBusyError,
  storeSeq,
} from "../allocator/index.js";
import { OwnerWords, type SeatHolder, type SeatSource, wake } from "../threads/index.js";
import {
  CLOSED,
  ENDED,
  L_HEAD,
  L_SLOTS,
  L_TAIL,
  L_WAITS,
  laneAt,
  R_LANE_OWNERS,
  R_STATE,
  RACE,
  type RingShape,
  WAITING,
} from "./layout.js";

const HIGH_UNIT = 4294967296;
/** The high half of the largest safe integer. */
const HIGHEST = 2097151;

export class Sender {
  readonly shape: RingShape;
  /** The word to wait at for room, while a lane is held. */
  waitsAt = 0;
  private readonly seats: SeatSource;
  private readonly owners: OwnerWords;
  private readonly m: Int32Array;
  private readonly stateAt: number;
  private readonly capacity: number;
  private readonly mask: number;
  private lane = -1;
  private tailAt = 0;
  private headAt = 0;
  private slotsAt = 0;
  /** The lane's tail; nobody else writes it. */
  private tail = 0;
  /** The lane's head when last looked at. Being old only makes the lane look fuller. */
  private headSeen = 0;

  constructor(shape: RingShape, holder: SeatHolder & SeatSource) {
    this.shape = shape;
    this.seats = holder;
    this.m = shape.m;
    this.stateAt = shape.base + R_STATE;
    this.capacity = shape.capacity;
    this.mask = shape.capacity - 1;
    this.owners = new OwnerWords(shape.m, shape.base + R_LANE_OWNERS, shape.producers, holder);
  }

  /** Sends one handle. False: the lane is full or the ring closed. Throws, having taken no lane, at what is no handle. */
  trySend(handle: number): boolean {
    const { m } = this;
    // Not for bigints either, which the arithmetic below would throw at with an error of its own.
    if (typeof handle !== "number") refuseHandle("trySend", handle);
    const low = handle | 0;
    const high = Math.floor(handle / HIGH_UNIT);
    // The first comparison refuses NaN and fractions, the others what is out of range.
    if (high * HIGH_UNIT + (low >>> 0) !== handle || handle <= 0 || high > HIGHEST)
      refuseHandle("trySend", handle);
    if (this.lane < 0 && !this.takeLane()) return false;
    // P: a close that happened before this call is seen; one that happens meanwhile is settled after publishing.
    if (((m[this.stateAt] as number) & CLOSED) !== 0) return false;
    const { tail } = this;
    if (((tail - this.headSeen) | 0) === this.capacity && !this.hasRoom()) return false;
    const at = this.slotsAt + ((tail & this.mask) << 1);
    m[at] = low;
    m[at + 1] = high;
    return this.publish(tail, 1) === 1;
  }

  /** Sends as many of `handles[from..to)` as fit, with one publication. Throws at one that is no handle: none is sent then. */
  trySendMany(handles: ArrayLike<Handle>, from: number, to: number): number {
    const { m, mask } = this;
    if (from >= to || (this.lane < 0 && !this.takeLane())) return 0;
    if (((m[this.stateAt] as number) & CLOSED) !== 0) return 0;
    const { tail } = this;
    let room = (this.headSeen + this.capacity - tail) | 0;
    // Looks anew only where what is known of the head is not enough.
    if (room < to - from && this.hasRoom()) room = (this.headSeen + this.capacity - tail) | 0;
    const count = Math.min(room, to - from);
    if (count <= 0) return 0;
    const { slotsAt } = this;
    for (let i = 0; i < count; i++) {
      const handle = handles[from + i] as number;
      if (typeof handle !== "number") refuseHandle("trySendMany", handle, from + i);
      const low = handle | 0;
      const high = Math.floor(handle / HIGH_UNIT);
      if (high * HIGH_UNIT + (low >>> 0) !== handle || handle <= 0 || high > HIGHEST)
        refuseHandle("trySendMany", handle, from + i);
      const at = slotsAt + (((tail + i) & mask) << 1);
      m[at] = low;
      m[at + 1] = high;
    }
    return this.publish(tail, count);
  }

  /**
   * Announces that this thread is going to wait for room. True: there is none, wait at `waitsAt` while it is 1. The
   * consumer moves the head first and looks for the announcement second; announcing first and looking second, one of
   * the two sees the other. The other way round it could move the last handle out between the look and the announcement,
   * and nobody would wake this thread.
   */
  prepareToWait(): boolean {
    if (this.lane < 0) return false;
    storeSeq(this.m, this.waitsAt, 1);
    return !this.hasRoom() && (loadSeq(this.m, this.stateAt) & CLOSED) === 0;
  }

  /** Gives the lane back; what is in it is still delivered. */
  leave(): void {
    if (this.lane >= 0) this.owners.release(this.lane);
    this.lane = -1;
  }

  private hasRoom(): boolean {
    // A: the consumer's reads of the slots it gave back are over.
    this.headSeen = loadSeq(this.m, this.headAt);
    return ((this.tail - this.headSeen) | 0) < this.capacity;
  }

  /** Makes `count` handles from `before` on visible; how many of them the ring has taken. */
  private publish(before: number, count: number): number {
    const { m } = this;
    const tail = (before + count) | 0;
    this.tail = tail;
    // First the tail, then the state. The consumer announces that it waits, or somebody closes, first and looks at the
    // tails second: one of the two sees the other. A plain store could still be on its way when the state is read.
    storeSeq(m, this.tailAt, tail);
    const state = loadSeq(m, this.stateAt);
    return state === 0 ? count : this.settle(before, count, state);
  }

  /** After publishing: somebody waits, or has closed the ring. */
  private settle(before: number, count: number, seen: number): number {
    const { m, stateAt } = this;
    let state = seen;
    if ((state & CLOSED) === 0) {
      andSeq(m, stateAt, ~WAITING);
      wake(m, stateAt);
      return count;
    }
    // Closed between the look before writing and now. The consumer ends the ring by a CAS of the state it read before it
    // looked at the lanes: either this change makes that fail and it looks again, or the ring has ended without us.
    while ((state & ENDED) === 0) {
      if (casSeq(m, stateAt, state, ((state & ~WAITING) + RACE) | 0)) {
        wake(m, stateAt);
        return count;
      }
      state = loadSeq(m, stateAt);
    }
    return this.takeBack(before, count);
  }

  /** The ring has ended: nobody moves the head any more, and what lies behind it was never delivered. */
  private takeBack(before: number, count: number): number {
    const taken = (loadSeq(this.m, this.headAt) - before) | 0;
    const delivered = Math.min(count, Math.max(0, taken));
    this.tail = (before + delivered) | 0;
    storeSeq(this.m, this.tailAt, this.tail);
    return delivered;
  }

  /** Takes a lane: a free one, or that of a thread that is gone. False: the ring is closed. */
  private takeLane(): boolean {
    const { owners, shape, m } = this;
    if ((loadSeq(m, this.stateAt) & CLOSED) !== 0) return false;
    let lane = owners.claim();
    if (lane < 0) lane = owners.takeFromDead(this.seats);
    if (lane < 0) {
      throw new RingBusyError(
        `send: each of the ring's ${shape.producers} lanes is held by a living thread; create the ring with more producers (up to 64), or have one of them leave().`,
      );
    }
    const at = laneAt(shape, lane);
    this.tailAt = at + L_TAIL;
    this.headAt = at + L_HEAD;
    this.waitsAt = at + L_WAITS;
    this.slotsAt = at + L_SLOTS;
    // Where the former owner left it. What it wrote beyond and did not publish is overwritten.
    this.tail = loadSeq(m, this.tailAt);
    this.headSeen = loadSeq(m, this.headAt);
    this.lane = lane;
    return true;
  }
}

/** Throws the error for a value that is no handle; `index` where it is one of many. */
export function refuseHandle(method: string, value: unknown, index = -1): never {
  const what = index < 0 ? "handle" : `handles[${index}]`;
  const message = `${method}: ${what} must be a handle, a safe integer above 0 (NULL_HANDLE cannot be sent); got ${describeValue(value)}.`;
  throw typeof value === "number" ? new InvalidValueError(message) : new InvalidTypeError(message);
}
