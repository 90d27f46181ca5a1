/**
 * Defends: figures read as people write them, ages never claim more than has passed, and a label cannot break a line or
 * send control sequences to a terminal.
 * Method: tables around every change of unit.
 */
import { expect, test } from "vitest";
import {
  ageText,
  bytesText,
  epochText,
  percentOf,
  percentText,
  printable,
  timesText,
} from "../../../src/stats/diagnostics/text.js";

test.each([
  [0, "0 s"],
  [59.9, "59 s"],
  [119.9, "119 s"],
  [120, "2 min"],
  [600, "10 min"],
  [7199, "119 min"],
  [7200, "2 h"],
  [172_799, "47 h"],
  [172_800, "2 days"],
])("%d seconds: %s", (seconds, text) => {
  expect(ageText(seconds)).toBe(text);
});

test.each([
  [0, "0 B"],
  [1023, "1023 B"],
  [1024, "1 KiB"],
  [1536, "1.50 KiB"],
  [3 * 65_536, "192 KiB"],
  [2 ** 50, "1024 TiB"],
])("%d bytes: %s", (bytes, text) => {
  expect(bytesText(bytes)).toBe(text);
});

test.each([
  [0, "0%"],
  [0.01234, "0.012%"],
  [12.34, "12.3%"],
  [100, "100%"],
])("%d percent: %s", (percent, text) => {
  expect(percentText(percent)).toBe(text);
});

test("times", () => {
  expect([1, 2, 3].map(timesText)).toEqual(["once", "twice", "3 times"]);
});

test("a share of nothing, of less and of more", () => {
  expect([percentOf(1, 0), percentOf(1, 4), percentOf(9, 4), percentOf(-1, 4)]).toEqual([0, 25, 100, 0]);
});

test("labels", () => {
  expect(epochText(12, "background-worker-3")).toBe("epoch 12 (background-worker-3)");
  expect(epochText(12, "")).toBe("epoch 12");
  expect(printable("a\n\u001b[31m\u202eä🚀")).toBe("a\\u{a}\\u{1b}[31m\\u{202e}ä🚀");
});
