/**
 * Owner words: which attached thread holds the n-th of a few things (a lane of a ring, a cached buffer).
 *
 *   31       24 23              8 7        0
 *   |    0     |   incarnation   |   seat   |        0 = nobody
 *
 * Written by: CAS only. From 0 or from a dead owner's word by whoever takes the thing, from the owner's own word to 0 by
 *   the owner, from a named owner's word to the taker's in a transfer.
 * Read by: everybody. A word that names a seat whose incarnation has moved on, or that is FREE or being reaped, belongs
 *   to a thread that is gone.
 * Ordering: A throughout. Taking by CAS is later than the release or the death that made it possible, so the taker sees
 *   everything the former owner stored.
 * Invariant: a nonzero word names one holder, and only that holder's CAS, or one from exactly that value after its
 *   death, changes it.
 * Why a word per thing and no counters: a thread may vanish between any two steps. One word is never half changed; a
 *   count beside it could be left behind.
 *
 * Incarnations count modulo 65,536. A dead owner's word that comes to look alive because its seat was taken exactly so
 * often again is left alone until that holder has gone too: late, never wrong.
 */
import { casSeq, loadSeq, type SeatInfo } from "../allocator/index.js";

/** A thread's place in a heap; a `SlabHeap` is one. */
export interface SeatHolder {
  readonly seat: number;
  readonly incarnation: number;
}

/** Where to learn which seats are taken; a `SlabHeap` is one. */
export interface SeatSource {
  seats(): readonly SeatInfo[];
}

/** Nobody. */
export const UNOWNED = 0;

/** The owner word of a thread: seat (1..255) in the low 8 bits, incarnation modulo 65,536 above. Never 0. */
export function ownerWord({ seat, incarnation }: SeatHolder): number {
  return ((incarnation & 0xffff) << 8) | (seat & 0xff);
}

export function ownerSeat(word: number): number {
  return word & 0xff;
}

export function ownerIncarnation(word: number): number {
  return (word >>> 8) & 0xffff;
}

/**
 * Whether the thread an owner word names is gone: it detached, or was reaped. `seats` must be newer than the word: in an
 * older list the seat of a thread that has just attached still shows its predecessor. A seat that is only suspected
 * counts as alive; one that is being reaped does not, because reaping takes proof of death.
 */
export function isGone(word: number, seats: readonly SeatInfo[]): boolean {
  if (word === UNOWNED) return false;
  for (const { seat, incarnation, state } of seats) {
    if (seat !== ownerSeat(word)) continue;
    const taken = state === "LIVE" || state === "SUSPECT";
    return !taken || (incarnation & 0xffff) !== ownerIncarnation(word);
  }
  // Nobody ever sat there.
  return true;
}

/**
 * `count` owner words from word `base` of `m` on, as one thread uses them. Every method may be called while other threads
 * call theirs. Fresh words are zero: nobody's.
 */
export class OwnerWords {
  /** This thread's own word. */
  readonly me: number;
  readonly count: number;
  private readonly m: Int32Array;
  private readonly base: number;

  constructor(m: Int32Array, base: number, count: number, holder: SeatHolder) {
    this.m = m;
    this.base = base;
    this.count = count;
    this.me = ownerWord(holder);
  }

  /** Who owns the thing: an owner word, or {@link UNOWNED}. Another thread may change it at once. */
  ownerOf(index: number): number {
    return loadSeq(this.m, this.base + index);
  }

  /** Takes an unowned thing, looked for from `hint` (0..count-1) on, round to it. Its index, or -1: all are owned. */
  claim(hint = 0): number {
    const { m, base, count, me } = this;
    for (let step = 0; step < count; step++) {
      const index = (hint + step) % count;
      // The look spares the cache line a write where the thing is owned; losing the CAS means somebody was faster.
      if (loadSeq(m, base + index) === UNOWNED && casSeq(m, base + index, UNOWNED, me)) return index;
    }
    return -1;
  }

  /** Gives a thing back; false, and nothing happens, when this thread does not own it. */
  release(index: number): boolean {
    // From exactly my word: what was taken from me after my death was declared is not mine to give back.
    return casSeq(this.m, this.base + index, this.me, UNOWNED);
  }

  /**
   * Takes a thing over from the owner `from` (an owner word other than {@link UNOWNED}): one that hands it over, or one
   * that is gone. False when somebody else owns it by now.
   */
  transfer(index: number, from: number): boolean {
    return from !== UNOWNED && casSeq(this.m, this.base + index, from, this.me);
  }

  /** Takes one thing whose owner is gone, the first at or after `from`. Its index, or -1: there is none. */
  takeFromDead(source: SeatSource, from = 0): number {
    return this.replaceDead(source, from, this.me, true);
  }

  /** Makes every thing whose owner is gone unowned; returns how many. */
  freeDead(source: SeatSource): number {
    return this.replaceDead(source, 0, UNOWNED, false);
  }

  /** The index of the first one replaced, or how many were. */
  private replaceDead(source: SeatSource, from: number, next: number, one: boolean): number {
    const { m, base, count } = this;
    const words: number[] = [];
    let owned = 0;
    for (let index = from; index < count; index++) {
      const word = loadSeq(m, base + index);
      words.push(word);
      if (word !== UNOWNED && word !== this.me) owned++;
    }
    // Words first, seats second: an owner that attaches in between is in the list. The other way round its word would
    // be judged by what is known of the seat's former holder.
    const seats = owned === 0 ? [] : source.seats();
    let replaced = 0;
    // Neighbours mostly have the same owner, which is looked up once.
    let judged = UNOWNED;
    let gone = false;
    for (let index = from; owned > 0 && index < count; index++) {
      const word = words[index - from] as number;
      if (word === UNOWNED || word === this.me) continue;
      if (word !== judged) {
        judged = word;
        gone = isGone(word, seats);
      }
      if (!gone) continue;
      // From exactly the value that was judged: another thread may have taken it over meanwhile, and lives.
      if (!casSeq(m, base + index, word, next)) continue;
      if (one) return index;
      replaced++;
    }
    return one ? -1 : replaced;
  }
}
