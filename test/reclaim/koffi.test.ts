/**
 * Defends: on this system, through koffi: released bytes read as zero, their neighbours keep their content, the pages are
 * gone from memory and from the process's resident set, and memory that may not be released says so.
 * Method: real buffers of every kind, the kernel's own page map and RSS. On Linux.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createPageReleaser } from "../../src/reclaim/index.js";
import { testSeed } from "../model/seed.js";
import { addressOf, koffi, residentBytes } from "./resident.js";

/** The part of WebAssembly that is used; the language's types have none of it. */
declare const WebAssembly: {
  Memory: new (size: {
    initial: number;
    maximum: number;
    shared: true;
  }) => { readonly buffer: SharedArrayBuffer };
};

const MIB = 1024 * 1024;
const KIB = 1024;

describe.skipIf(process.platform !== "linux")("on Linux", () => {
  const releaser = createPageReleaser("koffi");
  const page = releaser.pageBytes;

  const kinds: [string, () => SharedArrayBuffer][] = [
    ["a plain buffer, which begins 16 bytes behind a page", () => new SharedArrayBuffer(64 * MIB)],
    ["a growable buffer", () => new SharedArrayBuffer(32 * MIB, { maxByteLength: 128 * MIB })],
    [
      "a growable buffer that grew",
      () => {
        const buffer = new SharedArrayBuffer(1 * MIB, { maxByteLength: 64 * MIB });
        releaser.release(buffer, 0, 1 * MIB);
        buffer.grow(64 * MIB);
        return buffer;
      },
    ],
    [
      "the memory of a WebAssembly module",
      () => new WebAssembly.Memory({ initial: 1024, maximum: 2048, shared: true }).buffer,
    ],
  ];

  test.each(kinds)("%s: zeros inside, content outside, pages gone", (_, make) => {
    const buffer = make();
    const bytes = new Uint8Array(buffer);
    for (let i = 0; i < bytes.length; i += 1) bytes[i] = (i % 255) + 1;
    const whole = Math.floor(bytes.length / page) * page;
    expect(residentBytes(buffer, page)).toBeGreaterThanOrEqual(whole - page);
    const rss = process.memoryUsage.rss();

    const from = 100_000;
    const length = bytes.length - 200_000;
    const released = releaser.release(buffer, from, length);
    const rssAfter = process.memoryUsage.rss();
    expect(released).toBeGreaterThan(length - 2 * page);
    expect(released % page).toBe(0);
    expect(residentBytes(buffer, page)).toBeLessThanOrEqual(0.05 * bytes.length);
    expect(rss - rssAfter, `RSS was ${rss}, is ${rssAfter}`).toBeGreaterThanOrEqual(0.95 * released);

    const head = (page - ((addressOf(buffer) + from) % page)) % page;
    const start = from + head;
    const end = start + released;
    const outside = (i: number): boolean => bytes[i] === (i % 255) + 1;
    for (let i = 0; i < start; i++) if (!outside(i)) throw new Error(`byte ${i} before the range changed`);
    for (let i = end; i < bytes.length; i++) if (!outside(i)) throw new Error(`byte ${i} behind it changed`);
    expect(bytes.subarray(start, end).every((byte) => byte === 0)).toBe(true);

    bytes.fill(1, start, end);
    expect(bytes[start], "what was released can be used again").toBe(1);
    expect(releaser.release(buffer, from, length)).toBe(released);
    expect(bytes[start]).toBe(0);
  });

  test("small buffers lie among others' memory, and only theirs is touched", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 200 * KIB }), { minLength: 3, maxLength: 12 }),
        fc.array(fc.tuple(fc.nat(), fc.nat(), fc.nat()), { maxLength: 20 }),
        (sizes, steps) => {
          const buffers = sizes.map((size) => new SharedArrayBuffer(size));
          const mirrors = sizes.map((size, i) => new Uint8Array(size).fill(i + 1));
          buffers.forEach((buffer, i) => {
            new Uint8Array(buffer).fill(i + 1);
          });
          for (const [which, at, share] of steps) {
            const i = which % buffers.length;
            const buffer = buffers[i] as SharedArrayBuffer;
            const from = at % buffer.byteLength;
            const length = share % (buffer.byteLength - from + 1);
            const released = releaser.release(buffer, from, length);
            const start = from + ((page - ((addressOf(buffer) + from) % page)) % page);
            (mirrors[i] as Uint8Array).fill(0, start, start + released);
          }
          buffers.forEach((buffer, i) => {
            expect(Buffer.compare(new Uint8Array(buffer), mirrors[i] as Uint8Array)).toBe(0);
          });
        },
      ),
      { seed: testSeed("small buffers"), numRuns: 150 },
    );
  });

  test("locked memory is refused and keeps its bytes; unlocked it is released", () => {
    const libc = koffi.load(null);
    const mlock = libc.func("mlock", "int", ["uintptr_t", "size_t"]);
    const munlock = libc.func("munlock", "int", ["uintptr_t", "size_t"]);
    const buffer = new SharedArrayBuffer(64 * KIB, { maxByteLength: 128 * KIB });
    const bytes = new Uint8Array(buffer).fill(6);
    expect(mlock(addressOf(buffer), 64 * KIB)).toBe(0);
    expect([releaser.release(buffer, 0, 64 * KIB), releaser.release(buffer, 0, 64 * KIB)]).toEqual([-1, -1]);
    expect(bytes.every((byte) => byte === 6)).toBe(true);
    expect(munlock(addressOf(buffer), 64 * KIB)).toBe(0);
    expect(releaser.release(buffer, 0, 64 * KIB)).toBe(64 * KIB);
    expect(bytes.every((byte) => byte === 0)).toBe(true);
  });

  test("memory that another process could share keeps its bytes: the proof finds out", () => {
    // The pages of a plain buffer are replaced by a shared mapping, which MADV_DONTNEED does not empty.
    const buffer = new SharedArrayBuffer(64 * KIB, { maxByteLength: 128 * KIB });
    const mmap = koffi
      .load(null)
      .func("mmap", "intptr_t", ["uintptr_t", "size_t", "int", "int", "int", "int64_t"]);
    const [readWrite, sharedFixedAnonymous] = [3, 0x31];
    const at = addressOf(buffer);
    expect(Number(mmap(at, 64 * KIB, readWrite, sharedFixedAnonymous, -1, 0))).toBe(at);
    const bytes = new Uint8Array(buffer).fill(6);
    expect([releaser.release(buffer, 0, 64 * KIB), releaser.release(buffer, 0, 64 * KIB)]).toEqual([-1, -1]);
    expect(bytes.every((byte) => byte === 6)).toBe(true);
  });
});
