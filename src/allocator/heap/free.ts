/** Freeing off the fast path, and finding the object a handle or an offset names. */
import { S_FREE_NULL, S_FREE_STALE } from "../counters/fields.js";
import { count } from "../counters/record.js";
import { InvalidTypeError, StaleHandleError } from "../errors.js";
import type { Attachment } from "../memory/attachment.js";
import { damaged } from "../memory/damage.js";
import { recordAt } from "../memory/layout.js";
import { SEAT_COUNTERS, SLAB_RUN, SLAB_TAG } from "../memory/offsets.js";
import { describe } from "../memory/size-classes.js";
import { poll } from "../seats/sync.js";
import { freeOwnSlow } from "../slabs/remote-free.js";
import type { Handle } from "../types.js";
import { isEraDiscarded } from "../words/epoch-table.js";
import { handleSlot, NEGATIVE_UNIT, NULL_HANDLE, packHandle } from "../words/handle.js";
import { isHeldBy, mayHoldObjects, TAG_LARGE, tagClass, tagState } from "../words/slab-tag.js";
import { SLOT_ALLOC, slotState } from "../words/slot-word.js";
import { freeRemoteMaybeTimed } from "./sampling.js";

/** Frees whatever `handle` names; false when it names nothing. Throws only on a non-number. */
export function freeSlow(a: Attachment, handle: unknown): boolean {
  if (typeof handle !== "number") {
    throw new InvalidTypeError(`free: handle must be a number; got ${describe(handle)}.`);
  }
  const slotWord = namedSlot(a, handle);
  if (slotWord !== 0) return freeNamed(a, slotWord, namedWord(a, handle));
  poll(a);
  if (!a.detached) count(a.m, a.seatBase + SEAT_COUNTERS + (handle === 0 ? S_FREE_NULL : S_FREE_STALE), 1);
  return false;
}

/**
 * Frees the object whose ALLOC word is `word`, by whichever way its slab asks for; false when it ended meanwhile. `word`
 * comes from the handle and is never read again: the slot may hold another object by now, and then the
 * compare-and-swap of a remote free must fail. Takes integers: a handle passed here would go through the JS heap.
 */
export function freeNamed(a: Attachment, slotWord: number, word: number): boolean {
  poll(a);
  if (a.detached) return false;
  const { m } = a;
  const slab = slabOfSlot(a, slotWord);
  const record = recordAt(slab);
  if (m[slotWord] !== word || isEraDiscarded(m, record)) {
    count(m, a.seatBase + SEAT_COUNTERS + S_FREE_STALE, 1);
    return false;
  }
  // Exact for "is it mine": only a live owner changes its tag.
  if (isHeldBy(m[record + SLAB_TAG] as number, a.seat)) {
    freeOwnSlow(a, record, slotWord, word);
    return true;
  }
  return freeRemoteMaybeTimed(a, slab, slotWord, word);
}

/** Frees the object that starts at `offset`; false for anything else, a pointer into its middle included. */
export function freeOffsetSlow(a: Attachment, offset: unknown): boolean {
  if (typeof offset !== "number") {
    throw new InvalidTypeError(`freeOffset: offset must be a number; got ${describe(offset)}.`);
  }
  poll(a);
  if (a.detached) return false;
  const slotWord = slotAtOffset(a, offset);
  const word = slotWord === 0 ? 0 : (a.m[slotWord] as number);
  if (slotState(word) !== SLOT_ALLOC) {
    count(a.m, a.seatBase + SEAT_COUNTERS + (offset === 0 ? S_FREE_NULL : S_FREE_STALE), 1);
    return false;
  }
  return freeNamed(a, slotWord, word);
}

/** Word index of the slot whose live object `handle` names, or 0. Safe for any number. */
export function liveSlot(a: Attachment, handle: number): number {
  const slotWord = namedSlot(a, handle);
  // An owner that has not synced yet (it may be blocked) has not made the discarded objects' words stale.
  return slotWord === 0 || isEraDiscarded(a.m, recordAt(slabOfSlot(a, slotWord))) ? 0 : slotWord;
}

/** Word index of the slot that is ALLOC for exactly this handle, its epoch discarded or not; or 0. */
function namedSlot(a: Attachment, handle: number): number {
  const { m, layout } = a;
  const slot = handleSlot(handle);
  if (slot > layout.slotMask) return 0;
  const word = m[layout.slotBase + slot] as number;
  const named = slotState(word) === SLOT_ALLOC && packHandle(slot, word, a.handleBias) === handle;
  return named ? layout.slotBase + slot : 0;
}

/** The ALLOC word that a valid handle stands for. */
function namedWord(a: Attachment, handle: number): number {
  return (handle - handleSlot(handle)) / -NEGATIVE_UNIT - a.handleBias;
}

/** As {@link liveSlot}, with an error that says what is wrong. */
export function liveSlotOrThrow(a: Attachment, handle: unknown, method: string): number {
  if (typeof handle !== "number") {
    throw new InvalidTypeError(`${method}: handle must be a number; got ${describe(handle)}.`);
  }
  poll(a);
  const slotWord = liveSlot(a, handle);
  if (slotWord !== 0) return slotWord;
  throw staleHandle(handle, method);
}

/**
 * Call after reading anything else about the object: throws when it ended meanwhile, because what was read may then
 * belong to its successor.
 */
export function confirmLive(a: Attachment, slotWord: number, handle: number, method: string): void {
  if (a.m[slotWord] !== namedWord(a, handle)) throw staleHandle(handle, method);
}

function staleHandle(handle: number, method: string): StaleHandleError {
  return new StaleHandleError(
    handle === 0
      ? `${method}: NULL_HANDLE names no object; check the result of alloc.`
      : `${method}: handle ${handle} names no live object (freed, discarded with its epoch, of another heap, or never issued).`,
  );
}

export function slabOfSlot(a: Attachment, slotWord: number): number {
  return (slotWord - a.layout.slotBase) >> a.layout.slotsShift;
}

/** Usable bytes of the live object in `slotWord`; 0 where its slab's words are such as no slab has. */
export function objectSize(a: Attachment, slotWord: number): number {
  const { m, layout } = a;
  const slab = slabOfSlot(a, slotWord);
  const tag = m[recordAt(slab) + SLAB_TAG] as number;
  if (tagState(tag) !== TAG_LARGE) return layout.sizeClasses[tagClass(tag)] ?? 0;
  const slabs = m[recordAt(slab) + SLAB_RUN] as number;
  return slabs > 0 && slabs <= layout.slabCount - slab ? slabs * layout.slabSize : 0;
}

/** Byte offset into the buffer of the live object in `slotWord`; 0 where its slab's words are such as no slab has. */
export function objectOffset(a: Attachment, slotWord: number): number {
  const { m, layout } = a;
  const slab = slabOfSlot(a, slotWord);
  const start = layout.payloadOffset + slab * layout.slabSize;
  const position = (slotWord - layout.slotBase) & layout.positionMask;
  if (position === 0) return start;
  const classIndex = tagClass(m[recordAt(slab) + SLAB_TAG] as number);
  if (position >= (layout.classSlots[classIndex] ?? 0)) return 0;
  return start + position * (layout.sizeClasses[classIndex] as number);
}

/**
 * Size and place of the object that `handle` names, whose slot is `slotWord`. Confirmed before they are judged: those of
 * an object that ended meanwhile may be anything.
 */
export function confirmedSize(a: Attachment, slotWord: number, handle: number, method: string): number {
  const size = objectSize(a, slotWord);
  confirmLive(a, slotWord, handle, method);
  if (size === 0) damaged(`${method}: size of an object in slab ${slabOfSlot(a, slotWord)}`);
  return size;
}

export function confirmedOffset(a: Attachment, slotWord: number, handle: number, method: string): number {
  const offset = objectOffset(a, slotWord);
  confirmLive(a, slotWord, handle, method);
  if (offset === 0) damaged(`${method}: place of an object in slab ${slabOfSlot(a, slotWord)}`);
  return offset;
}

/** Slot word of the object that could start at `offset`, or 0. Safe for any number. */
export function slotAtOffset(a: Attachment, offset: number): number {
  const { m, layout } = a;
  const inPayload = offset - layout.payloadOffset;
  if (!(inPayload >= 0 && inPayload < layout.capacityBytes) || !Number.isInteger(inPayload)) return 0;
  const slab = Math.floor(inPayload / layout.slabSize);
  const inSlab = inPayload - slab * layout.slabSize;
  const tag = m[recordAt(slab) + SLAB_TAG] as number;
  const state = tagState(tag);
  if (!mayHoldObjects(state)) return 0;
  const first = layout.slotBase + (slab << layout.slotsShift);
  if (inSlab === 0) return first;
  if (state === TAG_LARGE) return 0;
  const position = inSlab / (layout.sizeClasses[tagClass(tag)] ?? 0);
  return Number.isInteger(position) && position <= layout.positionMask ? first + position : 0;
}

/** Handle of the live object that begins at `offset`, or NULL_HANDLE. Safe for any number. */
export function handleAtOffset(a: Attachment, offset: number): Handle {
  const slotWord = slotAtOffset(a, offset);
  if (slotWord === 0) return NULL_HANDLE;
  const word = a.m[slotWord] as number;
  const live = slotState(word) === SLOT_ALLOC && !isEraDiscarded(a.m, recordAt(slabOfSlot(a, slotWord)));
  return live ? packHandle(slotWord - a.layout.slotBase, word, a.handleBias) : NULL_HANDLE;
}
