/**
 * The single-producer single-consumer ring of the cross-thread rows, in a buffer of its own.
 *
 *   word 0 PHASE | word 16 TAIL | word 32 HEAD | word 48 DONE | byte 256 RESULTS | byte 512 slots
 *
 * TAIL counts items published by the producer, HEAD items taken by the consumer; each has a cache
 * line to itself and one writer. PHASE, DONE and RESULTS serve the rows that run workers in phases.
 *
 * Users copy these into constants of their own: imported ones are loaded at every use (see loops.mjs).
 */
export const PHASE = 0;
export const TAIL = 16;
export const HEAD = 32;
export const DONE = 48;
export const RESULTS = 256;
export const SLOTS = 512;
export const SLOT_COUNT = 1024;

/** Mixed into the item's number and written as the object's first word. */
export const STAMP = 0x5ab5ab;

export const makeRing = () => new SharedArrayBuffer(SLOTS + SLOT_COUNT * 8);
