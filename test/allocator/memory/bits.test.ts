/** Defends: the bit arithmetic that free map, lists and layout rely on. Method: compared with the obvious definition. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { alignUp, isPowerOfTwo, log2Ceil, lowestBit, popcount } from "../../../src/allocator/memory/bits.js";

test("alignUp gives the smallest multiple that is at least the value, far beyond 32 bits", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 45 }), fc.integer({ min: 1, max: 2 ** 20 }), (value, unit) => {
      const up = alignUp(value, unit);
      expect(up % unit).toBe(0);
      expect(up).toBeGreaterThanOrEqual(value);
      expect(up - value).toBeLessThan(unit);
    }),
  );
});

test("isPowerOfTwo and log2Ceil agree with powers of two and their neighbours", () => {
  for (let exponent = 0; exponent <= 30; exponent++) {
    const power = 2 ** exponent;
    expect(isPowerOfTwo(power)).toBe(true);
    expect(log2Ceil(power)).toBe(exponent);
    if (exponent > 1) {
      expect(isPowerOfTwo(power - 1)).toBe(false);
      expect(isPowerOfTwo(power + 1)).toBe(false);
      expect(log2Ceil(power - 1)).toBe(exponent);
      expect(log2Ceil(power + 1)).toBe(exponent + 1);
    }
  }
  for (const value of [0, -1, -4, 3, 0.3, Number.NaN]) expect(isPowerOfTwo(value)).toBe(false);
});

test("lowestBit and popcount agree with the binary digits", () => {
  fc.assert(
    fc.property(fc.integer(), (word) => {
      const digits = (word >>> 0).toString(2);
      expect(popcount(word)).toBe(digits.replaceAll("0", "").length);
      if (word !== 0) expect(lowestBit(word)).toBe(digits.length - 1 - digits.lastIndexOf("1"));
    }),
  );
});
