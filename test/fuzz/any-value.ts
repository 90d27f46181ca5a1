/** Values of every sort, and objects that are nearly right. */
import type { Dice } from "./dice.js";

/** Thrown by the caller's own getters, proxies and conversions: it may pass through. */
export class CallersOwnError extends Error {
  override readonly name = "CallersOwnError";
}

function fail(): never {
  throw new CallersOwnError("the caller's own");
}

/** None that asks for a buffer of many megabytes. */
const NUMBERS: readonly number[] = [
  0,
  -0,
  1,
  2,
  3,
  7,
  8,
  15,
  16,
  17,
  63,
  64,
  255,
  256,
  1000,
  1024,
  4096,
  65_536,
  0xffff,
  -1,
  -64,
  0.5,
  1.5,
  99.9,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  Number.MIN_VALUE,
  Number.MAX_VALUE,
  2 ** 32 + 64,
  2 ** 53 - 1,
  2 ** 53,
  -(2 ** 31),
];

const STRINGS: readonly string[] = [
  "",
  "64",
  "default",
  "seed",
  "x".repeat(10_000),
  "\u0000",
  "\ud800 half a pair",
  "__proto__",
  "constructor",
  "{}",
  "[1,2",
  '{"schema_version":1}',
  "1e999",
  "9".repeat(400),
];

type Maker = (dice: Dice, depth: number) => unknown;

const MAKERS: readonly Maker[] = [
  () => undefined,
  () => null,
  (dice) => dice.oneIn(2),
  (dice) => dice.pick(NUMBERS),
  (dice) => dice.pick(NUMBERS),
  (dice) => dice.pick(NUMBERS),
  (dice) => dice.pick(STRINGS),
  () => Symbol("any"),
  (dice) => BigInt(dice.below(100)) - 20n,
  () => () => 1,
  () => fail,
  () => class {},
  () => ({}),
  () => Object.create(null) as unknown,
  () => new Date(0),
  () => /x/,
  () => new Map([["a", 1]]),
  () => Promise.resolve(1),
  () => new Uint8Array(8),
  () => new ArrayBuffer(64),
  () => new SharedArrayBuffer(64),
  () => new Number(64),
  () => new Proxy({}, {}),
  () => failingProxy({}),
  () => failingProxy([]),
  () => revokedProxy(),
  () => ({ valueOf: fail, toString: fail }),
  () => ({ valueOf: () => ({}), toString: () => ({}) }),
  () => ({ [Symbol.toPrimitive]: fail }),
  () => ({ length: 2 ** 53, 0: 64 }),
  () => new Array<number>(3),
  () => withGetter({}, "buffer"),
  () => withGetter([64], "0"),
  () => circular(),
  (dice, depth) => Array.from({ length: dice.below(5) }, () => anyValue(dice, depth + 1)),
  (dice, depth) =>
    Object.fromEntries(
      ["label", "id", "era", "x"].slice(dice.below(3)).map((key) => [key, anyValue(dice, depth + 1)]),
    ),
];

export function anyValue(dice: Dice, depth = 0): unknown {
  return depth > 3 ? dice.pick(NUMBERS) : dice.pick(MAKERS)(dice, depth);
}

/** Every trap throws. */
function failingProxy(target: object): object {
  return new Proxy(target, {
    get: fail,
    has: fail,
    ownKeys: fail,
    getOwnPropertyDescriptor: fail,
    getPrototypeOf: fail,
  });
}

function revokedProxy(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

function withGetter(base: object, key: string): object {
  return Object.defineProperty(base, key, { get: fail, enumerable: true, configurable: true });
}

function circular(): unknown {
  const value: { self?: unknown; list: unknown[] } = { list: [] };
  value.self = value;
  value.list.push(value.list);
  return value;
}

export interface NearValue {
  readonly value: unknown;
  /** The one key that is not right, if it is a value of that key and nothing else. */
  readonly wrongKey?: string;
}

/** A right object with one thing changed. */
export function nearValue(dice: Dice, base: Readonly<Record<string, unknown>>): NearValue {
  const keys = Object.keys(base);
  const key = dice.pick(keys);
  switch (dice.below(9)) {
    case 0:
      return { value: withGetter({ ...base }, key) };
    case 1: {
      // Answers from its prototype.
      return { value: Object.create(base) as unknown };
    }
    case 2:
      return { value: { ...base, misspelt: anyValue(dice) } };
    case 3:
      return { value: Object.freeze({ ...base }) };
    case 4: {
      const { [key]: _gone, ...rest } = base;
      return { value: rest };
    }
    case 5:
      // Another answer every time it is asked.
      return {
        value: Object.defineProperty({ ...base }, key, { get: () => anyValue(dice), enumerable: true }),
      };
    default:
      return { value: { ...base, [key]: anyValue(dice) }, wrongKey: key };
  }
}

/** A copy with one value somewhere inside changed, dropped or doubled. */
export function nearDocument(dice: Dice, document: unknown): unknown {
  if (typeof document !== "object" || document === null || dice.oneIn(12)) return anyValue(dice);
  if (Array.isArray(document)) {
    const copy: unknown[] = [...document];
    if (copy.length === 0 || dice.oneIn(8)) copy.push(anyValue(dice));
    else {
      const at = dice.below(copy.length);
      if (dice.oneIn(8)) copy.splice(at, 1);
      else copy[at] = nearDocument(dice, copy[at]);
    }
    return copy;
  }
  const entries = Object.entries(document);
  if (entries.length === 0) return { x: anyValue(dice) };
  const at = dice.below(entries.length);
  const [key, value] = entries[at];
  if (dice.oneIn(10)) entries.splice(at, 1);
  else entries[at] = [key, nearDocument(dice, value)];
  return Object.fromEntries(entries);
}
