/**
 * Defends: released bytes read as zero on every system, or the answer is -1; what lies is found out once and never asked
 * again, what fails may be asked again; a refused range keeps its bytes; nothing outside a buffer reaches the system.
 * Method: systems made up for the purpose, each of which breaks one promise.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InvalidTypeError, InvalidValueError } from "../../src/allocator/index.js";
import { type Advice, adviceFor } from "../../src/reclaim/advice.js";
import { libcReleaser, noReleaser } from "../../src/reclaim/releaser.js";
import type { SystemPageReleaser } from "../../src/reclaim/types.js";
import { testSeed } from "../model/seed.js";
import { FakeLibc, REUSABLE, REUSE } from "./fake-libc.js";

const PAGE = 4096;
const BASE = 0x7f00_0000_0010;
/** Pages of the buffer that are whole at its unaligned address. */
const WHOLE = 7;

function world(platform: "linux" | "darwin" = "linux") {
  const libc = new FakeLibc();
  const buffer = new SharedArrayBuffer((WHOLE + 1) * PAGE);
  libc.map(buffer, BASE);
  const releaser = libcReleaser("koffi", "test.", libc, adviceFor(platform) as Advice);
  const bytes = new Uint8Array(buffer);
  const pattern = Uint8Array.from(bytes, (_, i) => (i % 251) + 1);
  bytes.set(pattern);
  return {
    libc,
    buffer,
    bytes,
    pattern,
    releaser,
    release: () => releaser.release(buffer, 0, buffer.byteLength),
  };
}

describe("the promise is proved in each buffer", () => {
  test("a system that answers 0 and keeps the bytes is refused for good", () => {
    const { libc, bytes, pattern, release, releaser } = world();
    libc.onAdvise = () => 0;
    expect(release()).toBe(-1);
    expect(bytes).toEqual(pattern);
    expect(libc.calls).toHaveLength(1);
    libc.onAdvise = ({ address, length }) => libc.drop(address, length);
    expect(release()).toBe(-1);
    expect(libc.calls, "not asked again").toHaveLength(1);

    const other = new SharedArrayBuffer(2 * PAGE);
    libc.map(other, 2 ** 40);
    expect(releaser.release(other, 0, 2 * PAGE), "another buffer is another matter").toBe(2 * PAGE);
  });

  test.each([
    ["first", 0],
    ["last", WHOLE - 1],
  ])("so is one that forgets the %s page", (_, forgotten) => {
    const { libc, bytes, pattern, release } = world();
    libc.onAdvise = ({ address, length }) => {
      const kept = libc.bytes(address + forgotten * PAGE, PAGE).slice();
      libc.drop(address, length);
      libc.bytes(address + forgotten * PAGE, PAGE).set(kept);
      return 0;
    };
    expect([release(), release()]).toEqual([-1, -1]);
    expect(libc.calls).toHaveLength(1);
    const head = PAGE - 16;
    expect(bytes[head]).toBe(pattern[head]);
    expect(bytes[head + WHOLE * PAGE - 1]).toBe(pattern[head + WHOLE * PAGE - 1]);
  });

  test.each([
    ["answers -1", () => -1],
    [
      "throws",
      () => {
        throw new Error("no");
      },
    ],
  ])("one that %s keeps the bytes, and may be asked again: memory may be unlocked", (_, refuse) => {
    const { libc, bytes, pattern, release } = world();
    libc.onAdvise = refuse;
    expect(release()).toBe(-1);
    expect(bytes).toEqual(pattern);
    libc.onAdvise = ({ address, length }) => libc.drop(address, length);
    expect(release()).toBe(WHOLE * PAGE);
    libc.onAdvise = refuse;
    bytes.set(pattern);
    expect(release(), "after the proof too").toBe(-1);
    expect(bytes).toEqual(pattern);
    expect(libc.calls).toHaveLength(3);
  });

  test("nothing is marked once it is proved: one call, no write of ours", () => {
    const { libc, bytes, release } = world();
    expect(release()).toBe(WHOLE * PAGE);
    bytes.fill(9);
    let seen = new Uint8Array();
    libc.onAdvise = ({ address, length }) => {
      seen = libc.bytes(address, length).slice();
      return libc.drop(address, length);
    };
    expect(release()).toBe(WHOLE * PAGE);
    expect(seen.every((byte) => byte === 9)).toBe(true);
  });
});

describe("macOS, whose system may keep released pages as they are", () => {
  test("contents are zero whichever pages it takes, and when", () => {
    fc.assert(
      fc.property(
        fc.array(fc.boolean(), { minLength: WHOLE, maxLength: WHOLE }),
        fc.boolean(),
        (taken, later) => {
          const { libc, bytes, release } = world("darwin");
          const take = (address: number): number => {
            taken.forEach((yes, i) => {
              if (yes) libc.drop(address + i * PAGE, PAGE);
            });
            return 0;
          };
          libc.onAdvise = ({ address }) => (later ? 0 : take(address));
          expect(release()).toBe(WHOLE * PAGE);
          const [{ address, advice } = { address: 0, advice: 0 }] = libc.calls;
          expect(advice).toBe(REUSABLE);
          if (later) take(address);
          const head = PAGE - 16;
          expect(bytes.subarray(head, head + WHOLE * PAGE).every((byte) => byte === 0)).toBe(true);
          expect([bytes[head - 1], bytes[head + WHOLE * PAGE]]).not.toContain(0);
        },
      ),
      { seed: testSeed("whichever pages"), numRuns: 200 },
    );
  });

  test("a system that brings back what was there before the zeros is found out", () => {
    const { libc, pattern, release } = world("darwin");
    libc.onAdvise = ({ address, length }) => {
      libc.bytes(address, length).set(pattern.subarray(0, length));
      return 0;
    };
    expect([release(), release()]).toEqual([-1, -1]);
    expect(libc.calls).toHaveLength(1);
  });

  test("reuse tells the system, releasing thread or not, and what it answers is no error", () => {
    const { libc, buffer, releaser } = world("darwin");
    releaser.reuse?.(buffer, 0, buffer.byteLength);
    expect(libc.calls).toEqual([{ address: BASE + PAGE - 16, length: WHOLE * PAGE, advice: REUSE }]);
    libc.onAdvise = () => {
      throw new Error("no");
    };
    releaser.reuse?.(buffer, 0, buffer.byteLength);
    libc.onAdvise = () => -1;
    releaser.reuse?.(buffer, 0, buffer.byteLength);
    expect(libc.calls).toHaveLength(3);
    releaser.reuse?.(buffer, PAGE, 0);
    expect(libc.calls, "nothing is nothing").toHaveLength(3);
  });

  test("Linux needs none", () => {
    expect(world("linux").releaser).not.toHaveProperty("reuse");
  });
});

describe("addresses that cannot be trusted are never used", () => {
  const answers: [string, (view: Uint8Array, libc: FakeLibc) => number][] = [
    ["forgets where a view begins", () => BASE],
    ["names a copy", (view) => BASE + view.byteOffset + (view.byteOffset === 0 ? 0 : 4096)],
    ["answers 0", (view) => view.byteOffset],
    ["answers NaN", () => Number.NaN],
    ["answers a tagged pointer", (view) => 2 ** 60 + view.byteOffset],
    [
      "throws",
      () => {
        throw new Error("no");
      },
    ],
  ];
  test.each(answers)("a library that %s", (_, addressOf) => {
    const { libc, buffer, bytes, pattern, release, releaser } = world("darwin");
    libc.addressOf = (view) => addressOf(view, libc);
    expect([release(), release()]).toEqual([-1, -1]);
    expect(releaser.release(buffer, 0, PAGE - 1), "no page is no failure").toBe(0);
    releaser.reuse?.(buffer, 0, buffer.byteLength);
    expect(libc.calls).toEqual([]);
    expect(bytes).toEqual(pattern);
  });

  test("the address of a buffer is asked for once", () => {
    const { libc, release } = world();
    let asked = 0;
    const { addressOf } = libc;
    libc.addressOf = (view) => {
      asked++;
      return addressOf.call(libc, view);
    };
    for (let i = 0; i < 5; i++) release();
    expect(asked).toBe(2);
  });

  test("a growable buffer has one as soon as it has bytes", () => {
    const { libc, releaser } = world();
    const growing = new SharedArrayBuffer(0, { maxByteLength: 4 * PAGE });
    libc.map(growing, 2 ** 40);
    expect(releaser.release(growing, 0, 0)).toBe(0);
    growing.grow(2 * PAGE);
    expect(releaser.release(growing, 0, 2 * PAGE)).toBe(2 * PAGE);
    expect(() => releaser.release(growing, 0, 3 * PAGE)).toThrow(InvalidValueError);
    growing.grow(3 * PAGE);
    expect(releaser.release(growing, 0, 3 * PAGE)).toBe(3 * PAGE);
  });
});

describe("bad arguments", () => {
  const SIZE = (WHOLE + 1) * PAGE;
  const rows: [string, unknown[], typeof InvalidTypeError | typeof InvalidValueError, string][] = [
    ["no buffer", [undefined, 0, 0], InvalidTypeError, "buffer must be a SharedArrayBuffer; got undefined"],
    [
      "an ArrayBuffer",
      [new ArrayBuffer(PAGE), 0, PAGE],
      InvalidTypeError,
      "buffer must be a SharedArrayBuffer",
    ],
    ["a view", [new Uint8Array(new SharedArrayBuffer(PAGE)), 0, PAGE], InvalidTypeError, "SharedArrayBuffer"],
    [
      "something dressed up as one",
      [Object.create(SharedArrayBuffer.prototype, { byteLength: { value: PAGE } }), 0, PAGE],
      InvalidTypeError,
      "SharedArrayBuffer",
    ],
    ["an offset that is text", ["", "0", 0], InvalidTypeError, "byteOffset must be a number from 0 to 32768"],
    ["no length", ["", 0], InvalidTypeError, "byteLength must be a number"],
    [
      "a negative offset",
      ["", -PAGE, PAGE],
      InvalidValueError,
      "byteOffset must be a whole number from 0 to 32768",
    ],
    ["half an offset", ["", 0.5, PAGE], InvalidValueError, "got 0.5"],
    ["NaN", ["", Number.NaN, PAGE], InvalidValueError, "got NaN"],
    ["an offset behind the end", ["", SIZE + 1, 0], InvalidValueError, "got 32769"],
    [
      "a length beyond the end",
      ["", PAGE, SIZE],
      InvalidValueError,
      "byteLength must be a whole number from 0 to 28672",
    ],
    ["an endless length", ["", 0, Number.POSITIVE_INFINITY], InvalidValueError, "got Infinity"],
    ["a negative length", ["", PAGE, -1], InvalidValueError, "got -1"],
  ];

  describe.each(["release", "reuse", "release of none"] as const)("%s", (method) => {
    test.each(rows)("%s", (_, given, error, message) => {
      const { libc, buffer, bytes, pattern, releaser } = world("darwin");
      const target: SystemPageReleaser = method === "release of none" ? noReleaser("none.") : releaser;
      const ask = (method === "reuse" ? target.reuse : target.release) as (...args: unknown[]) => unknown;
      const args = given[0] === "" ? [buffer, ...given.slice(1)] : given;
      expect(() => ask(...args)).toThrow(error);
      expect(() => ask(...args)).toThrow(message);
      expect(libc.calls).toEqual([]);
      expect(bytes).toEqual(pattern);
    });
  });

  test("a property cannot make a buffer longer than it is", () => {
    const { libc, buffer, releaser } = world();
    Object.defineProperty(buffer, "byteLength", { value: 2 ** 30 });
    expect(() => releaser.release(buffer, 0, 2 ** 29)).toThrow(InvalidValueError);
    expect(libc.calls).toEqual([]);
  });

  test("nor widen what is in use again beyond the buffer's own pages", () => {
    const { libc, buffer, releaser } = world("darwin");
    const own = { address: BASE + PAGE - 16, length: WHOLE * PAGE, advice: REUSE };
    releaser.reuse?.(buffer, 0, SIZE);
    Object.defineProperty(buffer, "byteLength", { value: 2 ** 30 });
    releaser.reuse?.(buffer, 0, SIZE);
    expect(libc.calls).toEqual([own, own]);
  });

  test.each([0, 16, 2 ** 30])("nor mislead about where a buffer is (%d bytes)", (byteLength) => {
    const { libc, buffer, bytes, releaser } = world();
    Object.defineProperty(buffer, "byteLength", { value: byteLength });
    const asked: number[] = [];
    const { addressOf } = libc;
    libc.addressOf = (view) => {
      asked.push(view.byteOffset);
      return addressOf.call(libc, view);
    };
    expect(releaser.release(buffer, 0, SIZE)).toBe(WHOLE * PAGE);
    expect(releaser.release(buffer, 0, SIZE)).toBe(WHOLE * PAGE);
    expect(asked, "its first and its last byte, once").toEqual([0, SIZE - 1]);
    expect(bytes[PAGE]).toBe(0);
  });
});

test("a releaser cannot be changed, and its methods need no receiver", () => {
  const { buffer, releaser } = world("darwin");
  expect(Object.isFrozen(releaser)).toBe(true);
  expect(Object.isFrozen(noReleaser("none."))).toBe(true);
  const { release } = releaser;
  expect(release(buffer, 0, buffer.byteLength)).toBe(WHOLE * PAGE);
});

test("none releases nothing and says so", () => {
  const none = noReleaser("Because.");
  const buffer = new SharedArrayBuffer(2 * PAGE);
  const bytes = new Uint8Array(buffer).fill(5);
  expect(none).toMatchObject({
    backend: "none",
    reason: "Because.",
    advice: "none",
    pageBytes: 4096,
    enabled: false,
  });
  expect([none.release(buffer, 0, 2 * PAGE), none.release(buffer, 0, 100)]).toEqual([-1, 0]);
  expect(bytes.every((byte) => byte === 5)).toBe(true);
  expect(none).not.toHaveProperty("reuse");
});
