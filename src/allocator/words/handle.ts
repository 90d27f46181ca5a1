/**
 * Handle: slot index and generation in one safe integer.
 *
 *   52                        26 25                      0
 *   |        generation         |       slot index       |        0 = NULL_HANDLE
 *
 *   generation = generation index of the slot word + 1 + the heap's bias
 *
 * The bias is a random number fixed at creation: a handle of one heap shown to another is refused like any
 * stale handle (up to a chance of one in some ten millions).
 *
 * With w the ALLOC word (4 * index + 1) it takes one multiplication:
 *
 *   handle = slot + (w + 3 + 4 * bias) * 2^24
 *
 * `free` tests that the slot word is ALLOC, recomputes its handle and compares: that refuses null, stale,
 * forged, fractional, NaN and out-of-range values at once.
 *
 * V8: `slot - x * -2^24` keeps the sum in doubles; with a positive factor newer versions try checked 64-bit
 * integer adds, which is slower.
 */

import { SLOT_BITS } from "../memory/offsets.js";
import type { Handle } from "../types.js";

export const NULL_HANDLE = 0 as Handle;

export const SLOT_FIELD_MASK = 2 ** SLOT_BITS - 1;
export const NEGATIVE_UNIT = -(2 ** (SLOT_BITS - 2));

/** Constant added to an ALLOC word before scaling. */
export function handleBias(heapBias: number): number {
  return 3 + 4 * heapBias;
}

/** Handle of the object whose slot word is the ALLOC word `word`. */
export function packHandle(slot: number, word: number, bias: number): Handle {
  return (slot - (word + bias) * NEGATIVE_UNIT) as Handle;
}

/** Slot bits of any number; safe for NaN and fractions, which comparing the recomputed handle refuses. */
export function handleSlot(handle: number): number {
  return handle & SLOT_FIELD_MASK;
}
