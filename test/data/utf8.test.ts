/**
 * Defends: `encodeInto`, `decode` and `textBytes` say and do what the platform's encoder and decoder do with private
 * memory, whichever memory they are given; nothing outside the given bytes changes; no other thread's write can do more
 * than mix bytes.
 * Method: random texts of all Unicode and of lone surrogates against `TextEncoder` and `TextDecoder` on plain arrays;
 * every room from 0 to too much; views of plain, shared and growable buffers; a thread that rewrites the bytes meanwhile.
 */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decode, encodeInto, InvalidTypeError, textBytes } from "../../src/data.js";
import { testSeed } from "../model/seed.js";
import { anyText, wellFormed } from "./arbitrary.js";

const RUNS = 1500;
const GUARD = 0xa5;
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

const BUFFERS: readonly [string, (bytes: number) => ArrayBuffer | SharedArrayBuffer][] = [
  ["plain memory", (bytes) => new ArrayBuffer(bytes)],
  ["shared memory", (bytes) => new SharedArrayBuffer(bytes)],
  // What V8's heaps are made of; the types do not know it on all Node versions.
  ["growable shared memory", (bytes) => growable(bytes)],
];

function growable(bytes: number): SharedArrayBuffer {
  const Growable = SharedArrayBuffer as new (
    n: number,
    options: { maxByteLength: number },
  ) => SharedArrayBuffer;
  return new Growable(bytes, { maxByteLength: bytes + 64 });
}

describe.each(BUFFERS)("in %s", (name, make) => {
  test("encodeInto writes what the platform's writes, for any room", () => {
    fc.assert(
      fc.property(anyText, fc.double({ min: 0, max: 1.2, noNaN: true }), (text, share) => {
        const room = Math.floor(textBytes(text) * share);
        const all = new Uint8Array(make(room + 16)).fill(GUARD);
        const expected = new Uint8Array(room).fill(GUARD);
        const result = encodeInto(all.subarray(8, 8 + room), text);
        expect(result).toEqual(encoder.encodeInto(text, expected));
        expect([...all.subarray(8, 8 + room)]).toEqual([...expected]);
        expect(all.subarray(0, 8).every((byte) => byte === GUARD)).toBe(true);
        expect(all.subarray(8 + room).every((byte) => byte === GUARD)).toBe(true);
      }),
      { seed: testSeed(`encodeInto ${name}`), numRuns: RUNS },
    );
  });

  test("what was encoded decodes to the same, lone surrogates replaced", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const bytes = new Uint8Array(make(textBytes(text) + 3), 1, textBytes(text));
        expect(encodeInto(bytes, text)).toEqual({ read: text.length, written: bytes.length });
        expect(decode(bytes)).toBe(wellFormed(text));
      }),
      { seed: testSeed(`round trip ${name}`), numRuns: RUNS },
    );
  });

  test("bytes that are no UTF-8 decode as the platform decodes them", () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      // Near-misses: encoded text with single bytes changed or cut off.
      fc.tuple(anyText, fc.nat(), fc.nat(255), fc.boolean()).map(([text, at, byte, cut]) => {
        const encoded = encoder.encode(text);
        if (encoded.length === 0) return encoded;
        encoded[at % encoded.length] = byte;
        return cut ? encoded.subarray(0, at % encoded.length) : encoded;
      }),
    );
    fc.assert(
      fc.property(bytes, (given) => {
        const copy = new Uint8Array(make(given.length + 2), 2, given.length);
        copy.set(given);
        expect(decode(copy)).toBe(decoder.decode(given));
      }),
      { seed: testSeed(`no UTF-8 ${name}`), numRuns: RUNS },
    );
  });
});

describe("textBytes", () => {
  test("is the length of what the platform encodes", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(textBytes(text)).toBe(encoder.encode(text).length);
      }),
      { seed: testSeed("textBytes"), numRuns: 3 * RUNS },
    );
  });
});

describe("every single character", () => {
  test("goes through and back, alone and among others", () => {
    const bytes = new Uint8Array(new SharedArrayBuffer(64));
    let different = 0;
    for (let code = 0; code <= 0x10ffff; code++) {
      const character = String.fromCodePoint(code);
      const wanted = code >= 0xd800 && code <= 0xdfff ? "\ufffd" : character;
      const { read, written } = encodeInto(bytes, character);
      if (read !== character.length || written !== textBytes(character)) different++;
      if (decode(bytes.subarray(0, written)) !== wanted) different++;
    }
    expect(different).toBe(0);
  });

  test("a pair of surrogates is never parted, wherever it lies in a long text", () => {
    const pair = "\u{1f600}";
    for (let before = 5_440; before < 5_480; before++) {
      for (const text of [
        "a".repeat(before) + pair.repeat(3_000),
        "€".repeat(before) + pair + "€".repeat(9),
      ]) {
        const bytes = new Uint8Array(new SharedArrayBuffer(textBytes(text)));
        expect(encodeInto(bytes, text)).toEqual({ read: text.length, written: encoder.encode(text).length });
        expect(decode(bytes) === text).toBe(true);
      }
    }
  });

  test("U+FEFF at the start is kept", () => {
    const bytes = new Uint8Array(new SharedArrayBuffer(32));
    const { written } = encodeInto(bytes, "\ufeffsome text");
    expect(decode(bytes.subarray(0, written))).toBe("\ufeffsome text");
  });
});

test("a Buffer is as good as any Uint8Array", () => {
  const long = "ä€𝄞".repeat(10_000);
  const buffer = Buffer.alloc(textBytes(long));
  expect(encodeInto(buffer, long).written).toBe(buffer.length);
  expect(decode(buffer) === long).toBe(true);
  expect(buffer.toString("utf8") === long).toBe(true);
});

test("bad arguments are refused with their name and value", () => {
  const wrong = (call: () => unknown, message: RegExp): void => {
    expect(call).toThrow(InvalidTypeError);
    expect(call).toThrow(message);
  };
  const bytes = new Uint8Array(4);
  wrong(() => encodeInto([] as never, "a"), /encodeInto: bytes must be a Uint8Array; got an array/);
  wrong(() => encodeInto(bytes, 5 as never), /encodeInto: text must be a string; got 5/);
  wrong(() => encodeInto(bytes, undefined as never), /text must be a string; got undefined/);
  wrong(
    () => decode(new ArrayBuffer(4) as never),
    /decode: bytes must be a Uint8Array; got an ArrayBuffer of \d+ bytes/,
  );
  wrong(() => decode(null as never), /got null/);
  wrong(() => textBytes(Symbol("s") as never), /textBytes: text must be a string; got Symbol\(s\)/);
  expect([...bytes]).toEqual([0, 0, 0, 0]);
});

/**
 * The reason for this file's existence: `TextDecoder` on the shared bytes themselves ends Node 20 and 22 with a
 * segmentation fault here. One length for each way of copying.
 */
test.each([9, 30, 300, 30_000])(
  "decoding %i bytes while another thread rewrites them mixes bytes and does nothing worse",
  async (length) => {
    const buffer = growable(length + 8);
    const running = new Int32Array(buffer, length + 3 - ((length + 3) % 4), 1);
    const worker = new Worker(
      `const { workerData: { buffer, length, at } } = require("node:worker_threads");
     const bytes = new Uint8Array(buffer, 0, length);
     const running = new Int32Array(buffer, at, 1);
     const texts = ["a", "€", "ÿ"].map((c) => new TextEncoder().encode(c.repeat(length)).slice(0, length));
     bytes.set(texts[0]);
     Atomics.store(running, 0, 1);
     Atomics.notify(running, 0);
     while (Atomics.load(running, 0) === 1) for (const text of texts) bytes.set(text);`,
      { eval: true, workerData: { buffer, length, at: running.byteOffset } },
    );
    const exit = once(worker, "exit");
    await Atomics.waitAsync(running, 0, 0).value;
    // Bytes 61, E2 82 AC and C3 BF, in any mixture, make these characters and no others.
    const possible = /^[a\ufffd\u00c2\u00ec\u00ff\u2080-\u2fff]*$/;
    const strange = new Set<string>();
    const bytes = new Uint8Array(buffer, 0, length);
    const seen = new Set<string>();
    const until = performance.now() + 1_500;
    for (let i = 0; i < 300 || performance.now() < until; i++) {
      const text = decode(bytes);
      if (!possible.test(text) || text.length > length) strange.add(text.slice(0, 400));
      if (seen.size < 1_000) seen.add(text);
    }
    Atomics.store(running, 0, 2);
    expect(await exit).toEqual([0]);
    expect([...strange]).toEqual([]);
    console.log(`${length} bytes: ${seen.size} different texts seen`);
  },
);
