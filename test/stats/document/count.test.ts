/**
 * Defends: sums, differences and products of counts are exact at any size, and plain numbers whenever those are exact.
 * Method: bigint arithmetic is the oracle, with values around 2^53 on purpose.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  add,
  atLeastZero,
  multiply,
  ratio,
  subtract,
  sumOf,
  toCount,
  toNumber,
} from "../../../src/stats/document/count.js";
import type { Count } from "../../../src/stats/document/field.js";

const EDGE = 2n ** 53n;
const counts = fc
  .oneof(
    fc.bigInt({ min: 0n, max: 1000n }),
    fc.bigInt({ min: EDGE - 4n, max: EDGE + 4n }),
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  )
  .map(toCount);

const isCanonical = (value: Count): boolean =>
  typeof value === "number" ? Number.isSafeInteger(value) : !Number.isSafeInteger(Number(value));

test.each([
  ["add", add, (a: bigint, b: bigint) => a + b],
  ["subtract", subtract, (a: bigint, b: bigint) => a - b],
  ["multiply", multiply, (a: bigint, b: bigint) => a * b],
] as const)("%s", (_name, operation, oracle) => {
  fc.assert(
    fc.property(counts, counts, (a, b) => {
      const result = operation(a, b);
      expect(BigInt(result)).toBe(oracle(BigInt(a), BigInt(b)));
      expect(isCanonical(result)).toBe(true);
    }),
    { numRuns: 1000 },
  );
});

test("the rest", () => {
  expect(sumOf([], () => 1)).toBe(0);
  expect(sumOf([2n ** 53n, 1], (value) => value)).toBe(2n ** 53n + 1n);
  expect(toNumber(2n ** 64n)).toBe(2 ** 64);
  expect(toCount(5n)).toBe(5);
  expect([atLeastZero(-1), atLeastZero(-(2n ** 60n)), atLeastZero(7)]).toEqual([0, 0, 7]);
  expect([ratio(1, 4), ratio(1, 0), ratio(2n ** 60n, 2n ** 61n)]).toEqual([0.25, 0, 0.5]);
});
