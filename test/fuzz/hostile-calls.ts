/** Calls with a hostile value in a handle's, an offset's or a length's place, and what each must answer. */
import { S_FREE_NULL, S_FREE_STALE } from "../../src/allocator/counters/fields.js";
import type { SlabHeap } from "../../src/allocator/heap/heap.js";
import { SEAT_COUNTERS, seatAt } from "../../src/allocator/memory/layout.js";
import type { Handle } from "../../src/allocator/types.js";
import type { Dice } from "./dice.js";
import { forgedNumber, notNumber, ODD_NUMBERS } from "./forged-handles.js";
import type { LiveObjects } from "./live-objects.js";
import { errorText, isPackageError, Violation } from "./outcome.js";

export interface HostileCall {
  readonly name: string;
  readonly ask: () => unknown;
  /** "false", or the code of an error. */
  readonly expected: readonly string[];
}

const TYPE = "ERR_TSLAB_INVALID_TYPE";
const STALE = "ERR_TSLAB_STALE_HANDLE";
const RANGE = "ERR_TSLAB_OUT_OF_RANGE";
/** The fast paths do arithmetic before they look at types: what no number can be made of is refused by the language. */
const BY_LANGUAGE = "TypeError";

type Method = readonly [name: string, ask: (heap: SlabHeap, value: Handle) => unknown, forNumbers: string];

const METHODS: readonly Method[] = [
  ["free", (heap, value) => heap.free(value), "false"],
  ["isLive", (heap, value) => heap.isLive(value), "false"],
  ["byteOffset", (heap, value) => heap.byteOffset(value), STALE],
  ["sizeOf", (heap, value) => heap.sizeOf(value), STALE],
  ["view", (heap, value) => heap.view(value), STALE],
  ["view of 1", (heap, value) => heap.view(value, 1), STALE],
  ["viewAs", (heap, value) => heap.viewAs(value, Float64Array), STALE],
  ["epochOf", (heap, value) => heap.epochOf(value), STALE],
];

/** The next hostile call; undefined where chance made a legal one. */
export function hostileCall(
  dice: Dice,
  heap: SlabHeap,
  live: LiveObjects,
  stale: readonly number[],
  foreign: readonly number[],
): HostileCall | undefined {
  const kind = dice.below(10);
  if (kind === 0) return hostileLength(dice, heap, live);
  if (kind <= 2) return hostileOffset(dice, heap, live);
  const known = dice.oneIn(3) ? stale : live.list().map(({ handle }) => handle);
  const [name, ask, forNumbers] = dice.pick(METHODS);
  const { layout } = heap._a;
  const value: unknown = dice.oneIn(6)
    ? notNumber(dice, dice.pick([...known, 1]))
    : forgedNumber(dice, known, foreign, layout.slabCount << layout.slotsShift);
  if (typeof value === "number" && live.has(value)) return undefined;
  const forOthers = name === "free" ? [TYPE, BY_LANGUAGE] : [TYPE];
  return {
    name: `${name}(${textOf(value)})`,
    ask: () => ask(heap, value as Handle),
    expected: typeof value === "number" ? [forNumbers] : forOthers,
  };
}

/** Offsets beside objects, inside them, at the heap's ends, and far away. */
function hostileOffset(dice: Dice, heap: SlabHeap, live: LiveObjects): HostileCall | undefined {
  const { payloadOffset, capacityBytes } = heap._a.layout;
  const near = [payloadOffset, payloadOffset + capacityBytes, ...live.list().map(({ offset }) => offset)];
  const value: unknown = dice.oneIn(5)
    ? notNumber(dice, dice.pick(near))
    : dice.oneIn(4)
      ? dice.pick(ODD_NUMBERS)
      : dice.pick(near) +
        dice.pick([-4096, -64, -8, -1, -0.5, 0.5, 1, 8, 64, 4096, 2 ** 32, -(2 ** 32), 2 ** 53]);
  if (live.list().some(({ offset }) => offset === value)) return undefined;
  const expected = [typeof value === "number" ? "false" : TYPE];
  if (dice.oneIn(3)) {
    return { name: `handleAt(${textOf(value)})`, ask: () => heap.handleAt(value as number) !== 0, expected };
  }
  return { name: `freeOffset(${textOf(value)})`, ask: () => heap.freeOffset(value as number), expected };
}

function hostileLength(dice: Dice, heap: SlabHeap, live: LiveObjects): HostileCall | undefined {
  if (live.size === 0) return undefined;
  const { handle, room } = dice.pick(live.list());
  const value: unknown = dice.oneIn(3)
    ? notNumber(dice, room)
    : dice.pick([...ODD_NUMBERS, room + 1, room + 0.5, -room, room + 2 ** 32]);
  if (value === undefined || (Number.isInteger(value) && Number(value) >= 0 && Number(value) <= room)) {
    return undefined;
  }
  return {
    name: `view(live, ${textOf(value)})`,
    ask: () => heap.view(handle, value as number),
    expected: typeof value === "number" ? [RANGE] : [TYPE],
  };
}

function textOf(value: unknown): string {
  if (Object.is(value, -0)) return "-0";
  return typeof value === "object" && value !== null ? `an object {${Object.keys(value)}}` : String(value);
}

/** What a call gave: its answer, the code of a typed error, or "TypeError" of the language where no number can be made. */
export function answerOf(call: () => unknown): string {
  try {
    return String(call());
  } catch (error) {
    if (isPackageError(error)) return error.code;
    if (error instanceof TypeError && /BigInt|Symbol|primitive value/.test(error.message)) return BY_LANGUAGE;
    throw new Violation("foreign", errorText(error));
  }
}

/** The whole buffer but the counters of refused frees. */
export function bytesOf(heap: SlabHeap): Buffer {
  const { u8, layout } = heap._a;
  const copy = Buffer.from(u8);
  for (let seat = 1; seat <= layout.maxWorkers; seat++) {
    for (const cell of [S_FREE_NULL, S_FREE_STALE]) {
      const at = (seatAt(layout, seat) + SEAT_COUNTERS + cell) * 4;
      copy.fill(0, at, at + 12);
    }
  }
  return copy;
}
