/** Arithmetic on counts: plain numbers as long as they are exact, bigints beyond. */
import type { Count } from "./field.js";

/** The bigint as a number where that is exact. */
export function toCount(value: bigint): Count {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** The nearest number: exact up to 2^53 - 1. */
export function toNumber(count: Count): number {
  return Number(count);
}

/** The same where a document may not say, or have no such part. */
export function numberOrNull(count: Count | null | undefined): number | null {
  return count === null || count === undefined ? null : Number(count);
}

export function add(a: Count, b: Count): Count {
  const sum = Number(a) + Number(b);
  // A safe result of two numbers is exact; two bigints may round to a safe one.
  if (Number.isSafeInteger(sum) && typeof a === "number" && typeof b === "number") return sum;
  return toCount(BigInt(a) + BigInt(b));
}

/** a - b; negative where b is larger. */
export function subtract(a: Count, b: Count): Count {
  return add(a, -b);
}

export function multiply(a: Count, b: Count): Count {
  const product = Number(a) * Number(b);
  if (Number.isSafeInteger(product) && typeof a === "number" && typeof b === "number") return product;
  return toCount(BigInt(a) * BigInt(b));
}

/** Sum over a list, 0 for an empty one. */
export function sumOf<Item>(items: readonly Item[], value: (item: Item) => Count): Count {
  return items.reduce<Count>((sum, item) => add(sum, value(item)), 0);
}

/** a / b as a number, 0 when b is 0. */
export function ratio(a: Count, b: Count): number {
  return Number(b) === 0 ? 0 : Number(a) / Number(b);
}

export function atLeastZero(a: Count): Count {
  if (a < 0) return 0;
  return a;
}
