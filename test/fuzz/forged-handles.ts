/** Values that are no live handle: near ones, far ones, and what is no number at all. */
import type { Dice } from "./dice.js";

const SLOT_UNIT = 2 ** 26;

/** Numbers on which arithmetic, shifts and masks disagree. */
export const ODD_NUMBERS: readonly number[] = [
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  0,
  -0,
  -1,
  0.5,
  -0.5,
  1 / 3,
  Number.MIN_VALUE,
  Number.EPSILON,
  Number.MAX_VALUE,
  -Number.MAX_VALUE,
  2 ** 26,
  2 ** 31 - 1,
  2 ** 31,
  -(2 ** 31),
  2 ** 32,
  2 ** 32 - 1,
  2 ** 53 - 2,
  2 ** 53 - 1,
  2 ** 53,
  2 ** 53 + 2,
  -(2 ** 53),
  2 ** 54,
  2 ** 63,
  2 ** 64,
];

/** A number that may or may not be a handle; the caller knows which are live. */
export function forgedNumber(
  dice: Dice,
  known: readonly number[],
  foreign: readonly number[],
  slots: number,
): number {
  const kind = dice.below(12);
  if (kind === 0 || known.length === 0) return dice.pick(ODD_NUMBERS);
  const handle = dice.pick(known);
  const slot = handle % SLOT_UNIT;
  switch (kind) {
    case 1:
    case 2:
    case 3:
      return flipBit(handle, dice.below(56));
    case 4:
      return flipFloatBit(handle, dice.below(64));
    case 5:
      // A slot beyond the heap's, of a generation that exists.
      return handle - slot + slots + dice.below(SLOT_UNIT - slots);
    case 6:
      return handle + dice.pick([-2, -1, 1, 2, 3, 1000]) * SLOT_UNIT;
    case 7:
      return dice.pick(foreign);
    case 8:
      return dice.pick([-handle, handle + 0.5, handle - 0.5, handle / 2, handle * 2, handle + 2 ** 53, slot]);
    case 9:
      // The slot bits of one handle, the generation of another.
      return handle - slot + (dice.pick(known) % SLOT_UNIT);
    case 10:
      return dice.bits() * 2 ** 21 + dice.below(2 ** 21);
    default:
      return handle;
  }
}

/** All 53 bits, and those just above, which a double loses or keeps. */
function flipBit(handle: number, bit: number): number {
  return Number(BigInt(handle) ^ (1n << BigInt(bit)));
}

const float = new DataView(new ArrayBuffer(8));

function flipFloatBit(handle: number, bit: number): number {
  float.setFloat64(0, handle);
  const at = bit >> 3;
  float.setUint8(at, float.getUint8(at) ^ (1 << (bit & 7)));
  return float.getFloat64(0);
}

/** No number; some turn into a live handle when asked to. */
export function notNumber(dice: Dice, handle: number): unknown {
  return dice.pick<() => unknown>([
    () => undefined,
    () => null,
    () => String(handle),
    () => true,
    () => [handle],
    () => ({}),
    () => ({ valueOf: () => handle }),
    () => new Number(handle),
    () => () => handle,
    () => new Date(handle % 1e15),
    () => BigInt(handle),
    () => Symbol("handle"),
    () => Object.create(null) as unknown,
  ])();
}
