/**
 * Slab tag: who holds a slab, and what for, packed in one Int32.
 *
 *   31             21 20   17 16    11 10      3 2     0
 *   |     unused     | ring  | class  |  owner  | state |       FREE is the whole word 0
 *   |              head slab index              | state |       TAIL (state 5) only
 *   |             0              |  owner  | state |       RELEASING (state 6)
 *
 * Written by  any seat claiming a FREE slab; after that only its owner, until the owner gives it up or a
 *             reaper takes it from a dead owner. Always by compare-and-swap.
 * Read by     every thread, stats readers included.
 * Ordering    sequentially consistent. Plain reads only answer "is it mine", which no other thread can
 *             change for a live owner.
 * Invariant   FREE means every slot of the slab is FREE or RETIRED, and those stores were published first.
 * Why         one CAS moves ownership, so a thread may stop anywhere. A TAIL carries no owner: a run belongs
 *             to its head's owner, so moving the head moves the run.
 */
export const TAG_FREE = 0;
export const TAG_CLAIMED = 1;
export const TAG_OWNED = 2;
export const TAG_ORPHANED = 3;
export const TAG_LARGE = 4;
export const TAG_TAIL = 5;
/** Held for as long as its pages are given back to the system: as good as FREE to everybody but claimers. */
export const TAG_RELEASING = 6;

const STATE_MASK = 7;
const OWNER_SHIFT = 3;
const OWNER_MASK = 0xff;
const CLASS_SHIFT = 11;
const CLASS_MASK = 0x3f;
const RING_SHIFT = 17;
const RING_MASK = 0xf;

export function packTag(state: number, owner: number, classIndex: number, ring: number): number {
  return state | (owner << OWNER_SHIFT) | (classIndex << CLASS_SHIFT) | (ring << RING_SHIFT);
}

export function tagState(tag: number): number {
  return tag & STATE_MASK;
}

/** OWNED, ORPHANED or LARGE: there may be objects in it. */
export function mayHoldObjects(state: number): boolean {
  return state >= TAG_OWNED && state <= TAG_LARGE;
}

/** Owner seat, 0 = nobody. Meaningless for a TAIL: test the state first. */
export function tagOwner(tag: number): number {
  return (tag >>> OWNER_SHIFT) & OWNER_MASK;
}

export function tagClass(tag: number): number {
  return (tag >>> CLASS_SHIFT) & CLASS_MASK;
}

export function tagRing(tag: number): number {
  return (tag >>> RING_SHIFT) & RING_MASK;
}

/** The same slab in another state and with another owner. */
export function retag(tag: number, state: number, owner: number): number {
  return packTag(state, owner, tagClass(tag), tagRing(tag));
}

export function packTail(head: number): number {
  return (head << OWNER_SHIFT) | TAG_TAIL;
}

/** Head slab of a TAIL. */
export function tailHead(tag: number): number {
  return tag >>> OWNER_SHIFT;
}

/** OWNED or LARGE with an owner: somebody to tell about a remote free. */
export function isHeld(tag: number): boolean {
  const state = tag & STATE_MASK;
  return (state === TAG_OWNED || state === TAG_LARGE) && ((tag >>> OWNER_SHIFT) & OWNER_MASK) !== 0;
}

/** LARGE or OWNED by this seat. */
export function isHeldBy(tag: number, seat: number): boolean {
  const state = tag & STATE_MASK;
  return (state === TAG_OWNED || state === TAG_LARGE) && ((tag >>> OWNER_SHIFT) & OWNER_MASK) === seat;
}

const STATE_NAMES = ["FREE", "CLAIMED", "OWNED", "ORPHANED", "LARGE", "TAIL", "RELEASING", "INVALID(7)"];

/** The tag in words, for reports. */
export function describeTag(tag: number): string {
  const state = tagState(tag);
  const name = STATE_NAMES[state] as string;
  if (tag === TAG_FREE) return name;
  if (state === TAG_TAIL) return `TAIL of ${tailHead(tag)}`;
  if (state === TAG_RELEASING) return `${name}(seat ${tagOwner(tag)})`;
  return `${name}(seat ${tagOwner(tag)}, class ${tagClass(tag)}, epoch ${tagRing(tag)})`;
}
