/** Repeatable random numbers, for whatever must come out the same with the same seed. Nothing secret depends on them. */

const TWO_32 = 2 ** 32;

/** Numbers from 0 to below 1 (mulberry32); `seed` counts modulo 2^32. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / TWO_32;
  };
}
