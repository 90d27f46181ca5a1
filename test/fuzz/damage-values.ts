/** Values a damaged word may have. */
import { Dice, mix } from "./dice.js";

/** How many values {@link damagedValue} tells apart. */
export const DAMAGES = 44;

/** Value number `which` for word `at`; it may happen to be what the word holds. */
export function damagedValue(words: Int32Array, at: number, which: number, seed: number): number {
  const word = words[at];
  if (which < 32) return word ^ (1 << which);
  const dice = new Dice(mix(seed, at, which));
  switch (which) {
    case 32:
      return 0;
    case 33:
      return -1;
    case 34:
      return 1;
    case 35:
      return (word + 1) | 0;
    case 36:
      return (word - 1) | 0;
    case 37:
      return words[Math.max(0, at - 1)];
    case 38:
      return words[Math.min(words.length - 1, at + 1)];
    case 39:
      return 0x7fffffff;
    case 40:
      return -0x80000000;
    case 41:
      return dice.below(words.length);
    case 42:
      // Some other word of the same heap: likely a plausible one.
      return words[dice.below(words.length)];
    default:
      return dice.bits() | 0;
  }
}
