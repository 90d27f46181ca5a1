/**
 * Defends: documents written as JSON text read back as they were, whole numbers of any size included; the exact parser
 * takes what JSON.parse takes and refuses what it refuses, with a typed error that says where, however hostile the text.
 * Method: round trips of arbitrary documents, JSON.parse as the oracle on arbitrary and on damaged texts, and texts that
 * exhaust the call stack or take forever when done the obvious way.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InvalidTypeError, InvalidValueError } from "../../../src/allocator/errors.js";
import type { StatsDocument } from "../../../src/stats/document/document.js";
import { TOP_FIELDS } from "../../../src/stats/document/fields.js";
import { parseJsonExact, stringifyStats } from "../../../src/stats/document/json.js";
import { readStats } from "../../../src/stats/document/parse.js";
import { documents } from "./arbitrary.js";
import { ourDocument } from "./fixtures.js";

describe("round trips", () => {
  test("text of a document holds every digit, with and without indent", () => {
    fc.assert(
      fc.property(documents, fc.constantFrom(0, 2, "\t"), (document, indent) => {
        expect(parseJsonExact(stringifyStats(document, indent))).toEqual(document);
      }),
      { numRuns: 60 },
    );
  });

  test("readStats gives the document back, with nothing repaired", () => {
    fc.assert(
      fc.property(documents, (document) => {
        expect(readStats(stringifyStats(document))).toEqual(document);
      }),
      { numRuns: 60 },
    );
  });

  test("without bigints the text is what JSON.stringify writes, but for lists of numbers on one line", () => {
    const document = ourDocument();
    const plain = { ...document, timestamp_ns: 5, epochs: [], heap: undefined, latency: undefined };
    for (const indent of [0, 3, "--"]) {
      const text = stringifyStats({ ...plain, last_epoch_close_context: null } as never, indent);
      const source = JSON.parse(text.replaceAll("--", ""));
      expect(text).toBe(JSON.stringify(source, undefined, indent));
    }
    expect(stringifyStats(document, 2)).toContain('"buckets": [\n        [0, 1],\n        [96, 4]\n      ]');
  });
});

describe("stringifyStats", () => {
  test("writes declared keys in their order, others behind, and leaves out what is undefined", () => {
    const document = ourDocument();
    const shuffled = Object.fromEntries(Object.entries({ ...document, more: 1, gone: undefined }).reverse());
    const keys = Object.keys(JSON.parse(stringifyStats(shuffled as unknown as StatsDocument)));
    const declared = TOP_FIELDS.map((field) => field.name as string);
    expect(keys.slice(0, declared.length)).toEqual(declared);
    expect(keys.slice(declared.length)).toEqual(["more"]);
  });

  test.each([null, true, [2], {}, Object.create(null), Symbol("x"), 2n, () => 2])(
    "an indent that is neither number nor text is refused: %#",
    (indent) => {
      const write = (): unknown => stringifyStats(ourDocument(), indent as never);
      expect(write).toThrow(InvalidTypeError);
      expect(write).toThrow(/indent must be a number of spaces or a string; got [^[]+[.]$/);
    },
  );

  test.each([Number.NaN, -1, 0.5, Infinity])(
    "an indent of %s spaces is taken as JSON.stringify does",
    (n) => {
      expect(JSON.parse(stringifyStats(ourDocument(), n))).toHaveProperty("classes");
    },
  );
});

describe("parseJsonExact", () => {
  test.each([
    ["9007199254740991", Number.MAX_SAFE_INTEGER],
    ["9007199254740992", 9007199254740992n],
    ["9007199254740993", 9007199254740993n],
    ["-9007199254740991", -Number.MAX_SAFE_INTEGER],
    ["-9007199254740993", -9007199254740993n],
    ["18446744073709551615", 18446744073709551615n],
    ["1770486521361625486", 1770486521361625486n],
    ["1770486521361625486.0", Number("1770486521361625486")],
    ["1.8446744073709551615e19", 2 ** 64],
    ["1e400", Number.POSITIVE_INFINITY],
    ["-0", -0],
    ['"18446744073709551615"', "18446744073709551615"],
    ['"\\"18446744073709551615"', '"18446744073709551615'],
    ['"\\\\", 18446744073709551615', ["\\", 18446744073709551615n]],
  ])("%s", (text, expected) => {
    const read = Array.isArray(expected) ? parseJsonExact(`[${text}]`) : parseJsonExact(text);
    expect(read).toEqual(expected);
  });

  test("reads any JSON like JSON.parse does", () => {
    const indent = fc.constantFrom(undefined, 1, "\t", "\r\n");
    fc.assert(
      fc.property(fc.jsonValue(), indent, (value, space) => {
        // fc also makes whole floats beyond 2^53, which are written as integers.
        const text = JSON.stringify(value, (_key, v) => (isUnsafe(v) ? 0 : v), space);
        expect(parseJsonExact(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  test("refuses exactly the damaged texts that JSON.parse refuses", () => {
    const source = '{"a":[1,-2.5e3,true,false,null,"x\\n\\u00e9"],"b":{"":[],"c":{}},"d": 12 }';
    const noise = fc.constantFrom("", ...'{}[],:"\\0-.eE+tn \n\u0001\u00a0x');
    const place = fc.nat(source.length);
    let refused = 0;
    fc.assert(
      fc.property(place, fc.nat(2), noise, (at, removed, inserted) => {
        const text = source.slice(0, at) + inserted + source.slice(at + removed);
        let expected: unknown;
        try {
          expected = JSON.parse(text);
        } catch {
          refused++;
          expect(() => parseJsonExact(text)).toThrow(InvalidValueError);
          return;
        }
        expect(parseJsonExact(text)).toEqual(expected);
      }),
      { numRuns: 3000 },
    );
    expect(refused).toBeGreaterThan(1000);
  });

  test.each([
    ["", "position 0 (line 1, column 1): expected a value, found its end"],
    ['{"a": 1,\n "b" 2}', 'position 14 (line 2, column 6): expected ":", found "2}"'],
    ["[1 2]", 'position 3 (line 1, column 4): expected "," or "]"'],
    ['{"a":1]', 'position 6 (line 1, column 7): expected "," or "}"'],
    ["[1,]", "position 3 (line 1, column 4): expected a value"],
    ["{,}", "position 1 (line 1, column 2): expected a key in double quotes"],
    ["nul", "position 0 (line 1, column 1): expected a value"],
    ["01", "position 1 (line 1, column 2): expected the end of the text"],
    ['["ab', "position 1 (line 1, column 2): a string without an end"],
    ['"a\nb"', "position 2 (line 1, column 3): a control character in a string"],
    ['["\\x"]', "position 1 (line 1, column 2): a string with a wrong escape"],
  ])("says what is wrong with %j", (text, message) => {
    expect(() => parseJsonExact(text)).toThrow(InvalidValueError);
    expect(() => parseJsonExact(text)).toThrow(`malformed JSON at ${message}`);
  });

  test("refuses integers whose digits would take long to turn into a bigint", () => {
    const message = "position 1 (line 1, column 2): an integer of 4097 characters, at most 4096 are read";
    expect(() => parseJsonExact(`[${"9".repeat(4097)}]`)).toThrow(message);
  });

  test("takes text only", () => {
    expect(() => parseJsonExact(5 as unknown as string)).toThrow(InvalidTypeError);
  });

  test("keeps __proto__ a key", () => {
    const read = parseJsonExact('{"__proto__": {"polluted": 18446744073709551615}}') as object;
    expect(Object.getPrototypeOf(read)).toBe(Object.prototype);
    expect(Object.keys(read)).toEqual(["__proto__"]);
  });

  test("a million levels deep, a long string and many digits take their time, not more", () => {
    const depth = 1_000_000;
    let inner = parseJsonExact("[".repeat(depth) + "]".repeat(depth)) as unknown[];
    let levels = 1;
    while (inner.length > 0) {
      inner = inner[0] as unknown[];
      levels++;
    }
    expect(levels).toBe(depth);
    expect(() => parseJsonExact('{"a":'.repeat(depth))).toThrow("expected a value, found its end");

    const escapes = "\\n".repeat(2_000_000);
    expect(parseJsonExact(`"${escapes}"`)).toBe("\n".repeat(2_000_000));
    const integer = "7".repeat(4096);
    expect(parseJsonExact(`[${`${integer},`.repeat(200)}0]`)).toHaveLength(201);
    expect(() => parseJsonExact(`[${" ".repeat(5_000_000)}x`)).toThrow("position 5000001");
  });
});

const isUnsafe = (value: unknown): boolean =>
  typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value);
