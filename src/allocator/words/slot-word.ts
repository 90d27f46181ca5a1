/**
 * Slot word: one object's generation and state.
 *
 *   31  29 28                     2 1     0
 *   |  0  |  generation index      | state |        fresh memory (0) = generation index 0, FREE
 *
 * Written by  the slab's owner with plain stores (FREE -> ALLOC -> FREE), by a foreign thread freeing the
 *             object with one CAS (ALLOC -> REMOTE_FREED).
 * Read by     anybody who holds a handle.
 * Invariant   the index grows by one with every free and never wraps: a slot at the last index is RETIRED
 *             instead, because wrapping would bring old handles back to life.
 */
export const SLOT_FREE = 0;
export const SLOT_ALLOC = 1;
export const SLOT_REMOTE_FREED = 2;
export const SLOT_RETIRED = 3;

export const SLOT_STATE_MASK = 3;

/** Handles carry index + 1 + the heap's bias in 27 bits: index 0..2^26 and a bias below 2^25 (HEAP_ID_BITS) fit. */
export const LAST_GENERATION = 2 ** 26;
/**
 * Masking a word with this leaves SLOT_ALLOC exactly when the word is ALLOC and not at the last generation:
 * one test lets the fast free refuse every other state and hand the last generation to the slow path,
 * which retires the slot.
 */
export const FAST_FREE_MASK = (LAST_GENERATION << 2) | SLOT_STATE_MASK;

export function slotState(word: number): number {
  return word & SLOT_STATE_MASK;
}

export function generationOf(word: number): number {
  return word >>> 2;
}

/** The word after a free: next generation and FREE, or RETIRED when there is no next one. */
export function nextFree(word: number): number {
  const generation = word >>> 2;
  return generation >= LAST_GENERATION ? (generation << 2) | SLOT_RETIRED : (generation + 1) << 2;
}

/** ALLOC or REMOTE_FREED: the owner counts it as live. */
export function isOccupied(word: number): boolean {
  const state = word & SLOT_STATE_MASK;
  return state === SLOT_ALLOC || state === SLOT_REMOTE_FREED;
}

const STATE_NAMES = ["FREE", "ALLOC", "REMOTE_FREED", "RETIRED"];

export function describeSlot(word: number): string {
  return `${STATE_NAMES[slotState(word)]} generation ${generationOf(word)}`;
}
