/**
 * Defends: figures on the live page read right at every size: units, three digits, unknowns, no "1024 KiB".
 * Method: examples at the borders, and random figures of which width and value are checked.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  bytes,
  className,
  clock,
  count,
  duration,
  percent,
  plural,
  rate,
  rounded,
  share,
  short,
} from "../../src/page/format.js";

describe("figures", () => {
  test.each([
    [0, "0 B"],
    [1, "1 B"],
    [1023, "1023 B"],
    [1024, "1.00 KiB"],
    [1536, "1.50 KiB"],
    [10 * 1024, "10.0 KiB"],
    [999 * 1024, "999 KiB"],
    [1023.9 * 1024, "1.00 MiB"],
    [64 * 1024 ** 2, "64.0 MiB"],
    [5 * 1024 ** 4, "5.00 TiB"],
    [-2048, "−2.00 KiB"],
  ])("%d bytes are %s", (value, text) => expect(bytes(value)).toBe(text));

  test.each([
    [0, "0"],
    [0.25, "0.25"],
    [1.5, "1.5"],
    [950, "950"],
    [999, "999"],
    [999.6, "1.00k"],
    [1234567, "1.23M"],
    [-5000, "−5.00k"],
  ])("%d in short is %s", (value, text) => expect(short(value)).toBe(text));

  test.each([
    [0, "0%"],
    [0.001, "<0.01%"],
    [0.5, "0.5%"],
    [12.345, "12.3%"],
    [100, "100%"],
  ])("%d percent are %s", (value, text) => expect(percent(value)).toBe(text));

  test.each([
    [0, "0 s"],
    [3.9, "3 s"],
    [62, "1 min 2 s"],
    [600, "10 min"],
    [3725, "1 h 2 min"],
    [90_000, "1 d 1 h"],
    [-1, "0 s"],
  ])("%d seconds are %s", (value, text) => expect(duration(value)).toBe(text));

  test("what is not known is a dash everywhere", () => {
    for (const write of [bytes, count, short, rate, percent, duration]) {
      for (const value of [null, Number.NaN, Number.POSITIVE_INFINITY]) expect(write(value)).toBe("–");
    }
    expect(share(1, 0)).toBeNull();
  });

  test("any figure keeps its width and its first digits", () => {
    fc.assert(
      fc.property(fc.double({ min: 1, max: 1e15, noNaN: true }), (value) => {
        const text = short(value);
        expect(text.length).toBeLessThanOrEqual(5);
        const [, digits = "", scale = ""] = /^([\d.]+)([kMGT]?)$/.exec(text) ?? [];
        const back = Number(digits) * 1000 ** ["", "k", "M", "G", "T"].indexOf(scale);
        expect(Math.abs(back - value) / value).toBeLessThan(0.006);
        const [amount = "", unit = ""] = bytes(value).split(" ");
        expect(amount.length).toBeLessThanOrEqual(4);
        const size = Number(amount) * 1024 ** ["B", "KiB", "MiB", "GiB", "TiB"].indexOf(unit);
        expect(Math.abs(size - value)).toBeLessThan(Math.max(0.51, value * 0.006));
      }),
    );
  });

  test("axes drop digits that say nothing", () => {
    expect(["50.0k/s", "1.50k/s", "2.00k/s", "96.0 MiB", "100%", "0.5/s", "500/s"].map(rounded)).toEqual([
      "50k/s",
      "1.5k/s",
      "2k/s",
      "96 MiB",
      "100%",
      "0.5/s",
      "500/s",
    ]);
  });

  test("classes, clocks and nouns", () => {
    expect(
      [
        [0, 640],
        [1, 1024],
        [2, 1280],
        [-1, 0],
      ].map(([index = 0, size = 0]) => className(index, size)),
    ).toEqual(["640 B", "1 KiB", "1.25 KiB", "large"]);
    const time = new Date(2026, 0, 2, 3, 4, 5).getTime();
    expect([clock(time, true), clock(time, false)]).toEqual(["03:04:05", "03:04"]);
    expect([plural(1, "leak"), plural(1200, "leak"), plural(2, "class", "classes")]).toEqual([
      "1 leak",
      "1,200 leaks",
      "2 classes",
    ]);
  });
});
