/** Fills an object with words derived from its serial, over its whole usable size, and checks them. */
import type { Expected } from "./oracle.js";

function wordOf(serial: number, word: number): number {
  // Never 0, so that a zeroed word is told from a filled one.
  return (Math.imul(serial, 0x9e3779b1) + Math.imul(word, 0x85ebca6b)) | 1;
}

export function fill(i32: Int32Array, object: Expected): void {
  const base = object.offset / 4;
  for (let w = 0; w < object.usable / 4; w++) i32[base + w] = wordOf(object.serial, w);
}

export function check(i32: Int32Array, object: Expected): void {
  const base = object.offset / 4;
  for (let w = 0; w < object.usable / 4; w++) {
    if (i32[base + w] !== wordOf(object.serial, w)) {
      throw new Error(
        `object ${object.serial} (${object.usable} bytes at ${object.offset}, era ${object.era}) is damaged at byte ${w * 4}: ${i32[base + w]} instead of ${wordOf(object.serial, w)}`,
      );
    }
  }
}

export function checkZero(i32: Int32Array, offset: number, usable: number): void {
  for (let w = offset / 4; w < (offset + usable) / 4; w++) {
    if (i32[w] !== 0)
      throw new Error(`zeroOnFree: byte ${w * 4 - offset} of a new object at ${offset} is not 0`);
  }
}
