/**
 * Defends: what is released are the pages that lie in the range with every byte, and no other; those of a range in use
 * again are all it touches, within the buffer's own.
 * Method: random addresses, sizes and pages against a model that looks at every page one by one.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Advice, adviceFor } from "../../src/reclaim/advice.js";
import { bytesToPage, wholePageBytes } from "../../src/reclaim/pages.js";
import { libcReleaser } from "../../src/reclaim/releaser.js";
import { testSeed } from "../model/seed.js";
import { FakeLibc, REUSE } from "./fake-libc.js";

const pageSizes = fc.constantFrom(4096, 16384, 65536);

/** Pages that begin in [from, to), as page numbers, by looking at each. */
function pagesWhere(from: number, to: number, page: number, wanted: (start: number) => boolean): number[] {
  const found: number[] = [];
  for (let start = from - (from % page); start < to; start += page) {
    if (wanted(start)) found.push(start / page);
  }
  return found;
}

const pagesOf = (start: number, bytes: number, page: number): number[] =>
  Array.from({ length: bytes / page }, (_, i) => start / page + i);

test("whole pages of any range, beyond 2^32 too", () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.integer({ min: 1, max: 2 ** 20 }), fc.integer({ min: 2 ** 44, max: 2 ** 47 })),
      fc.oneof(fc.integer({ min: 0, max: 70_000 }), fc.integer({ min: 0, max: 2 ** 22 })),
      pageSizes,
      (address, length, page) => {
        const bytes = wholePageBytes(address, length, page);
        const start = address + bytesToPage(address, page);
        const inside = pagesWhere(
          address,
          address + length,
          page,
          (at) => at >= address && at + page <= address + length,
        );
        expect(bytes === 0 ? [] : pagesOf(start, bytes, page)).toEqual(inside);
      },
    ),
    { seed: testSeed("whole pages"), numRuns: 2000 },
  );
});

test.each(["linux", "darwin"])("release and reuse on %s touch exactly those", (platform) => {
  fc.assert(
    fc.property(
      pageSizes,
      fc.integer({ min: 2 ** 32, max: 2 ** 47 }),
      fc.integer({ min: 1, max: 9 * 16384 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (page, base, size, at, share) => {
        const libc = new FakeLibc(page);
        const buffer = new SharedArrayBuffer(size);
        libc.map(buffer, base);
        const releaser = libcReleaser("koffi", "test.", libc, adviceFor(platform) as Advice);
        const all = new Uint8Array(buffer).fill(7);
        const byteOffset = Math.floor(at * size);
        const byteLength = Math.floor(share * (size - byteOffset));
        const from = base + byteOffset;
        const to = from + byteLength;

        const whole = pagesWhere(from, to, page, (start) => start >= from && start + page <= to);
        expect(releaser.release(buffer, byteOffset, byteLength)).toBe(whole.length * page);
        const zeros = new Set(whole);
        all.forEach((byte, i) => {
          const expected = zeros.has(Math.floor((base + i) / page)) ? 0 : 7;
          if (byte !== expected) throw new Error(`byte ${i} is ${byte}, not ${expected}`);
        });

        libc.calls.length = 0;
        releaser.reuse?.(buffer, byteOffset, byteLength);
        const own = pagesWhere(
          base,
          base + size,
          page,
          (start) => start >= base && start + page <= base + size,
        );
        const touched = pagesWhere(from, to, page, () => byteLength > 0).filter((p) => own.includes(p));
        const told = libc.calls.flatMap((call) => pagesOf(call.address, call.length, page));
        expect(told).toEqual(platform === "darwin" ? touched : []);
        expect(libc.calls.every((call) => call.advice === REUSE)).toBe(true);
      },
    ),
    { seed: testSeed(`exactly those on ${platform}`), numRuns: 300 },
  );
});
