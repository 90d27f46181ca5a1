/**
 * Seat word: is a thread sitting here, and which one.
 *
 *   31          16 15                2 1     0
 *   | incarnation |  who, 14 bits     | state |      FREE=0 LIVE=1 SUSPECT=2 REAPING=3
 *
 * who: while LIVE or SUSPECT the low 14 bits of the runtime's thread id + 1 (or of the ref's token), put there
 * by the same CAS that takes the seat, so that a thread killed at any later instruction can be attributed;
 * while REAPING the reaper's seat.
 *
 * Written by CAS; by its holder with a store only when giving it back. Incarnation counts up with every attach,
 * so a late reaper of an earlier holder does nothing.
 */
export const SEAT_FREE = 0;
export const SEAT_LIVE = 1;
export const SEAT_SUSPECT = 2;
export const SEAT_REAPING = 3;
/** Their names, in that order. */
export const SEAT_STATES = ["FREE", "LIVE", "SUSPECT", "REAPING"] as const;

export const WHO_MASK = 0x3fff;

export function packSeat(incarnation: number, who: number, state: number): number {
  return (incarnation << 16) | ((who & WHO_MASK) << 2) | state;
}
export function seatState(word: number): number {
  return word & 3;
}
export function seatIncarnation(word: number): number {
  return word >>> 16;
}
export function seatWho(word: number): number {
  return (word >>> 2) & WHO_MASK;
}
/**
 * Thread id of whoever holds a seat, or -1: from SEAT_THREAD, or, where its holder has not stored that yet (or died
 * before), from the 14 bits in the seat word.
 */
export function seatThreadId(word: number, thread: number): number {
  const state = seatState(word);
  if (state === SEAT_FREE) return -1;
  if (thread !== 0) return thread > 0 ? thread - 1 : -1;
  return state === SEAT_REAPING ? -1 : seatWho(word) - 1;
}
/** Never 0 again: a seat word of 0 is a seat nobody ever took. */
export function nextIncarnation(word: number): number {
  return ((word >>> 16) + 1) & 0xffff || 1;
}
