/**
 * Defends: texts keep to a width in columns of a terminal, whatever is in them, and never lose more than they must.
 * Method: properties over any Unicode text, and over texts with colours.
 */
import fc from "fast-check";
import stringWidth from "string-width";
import { describe, expect, it } from "vitest";
import { displayWidth, padEnd, padStart, truncate } from "../../../src/cli/tables/index.js";

const GRAPHEMES = new Intl.Segmenter("en", { granularity: "grapheme" });
const graphemesOf = (text: string): string[] => [...GRAPHEMES.segment(text)].map(({ segment }) => segment);
// biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with ESC.
const withoutColors = (text: string): string => text.replace(/\u001b\[[0-9;]*m/g, "");

/** No control characters: those are made visible before anything is measured. */
const anyText = fc
  .array(
    fc.oneof(
      fc.string({ unit: "grapheme", maxLength: 6 }),
      fc.constantFrom(
        "日本語",
        "e\u0301",
        "👍",
        "👍🏽",
        "👩‍🚀",
        "🇩🇪",
        "한글",
        "ｆｕｌｌ",
        "a",
        " ",
        "\u0301",
        "≥",
        "…",
      ),
    ),
  )
  .map((parts) => parts.join("").replace(/\p{Cc}/gu, ""));
const width = fc.integer({ min: 0, max: 30 });

describe("truncate", () => {
  it("never exceeds the width", () => {
    fc.assert(
      fc.property(anyText, width, (text, columns) => {
        expect(stringWidth(truncate(text, columns))).toBeLessThanOrEqual(columns);
      }),
      { numRuns: 1000 },
    );
  });

  it("leaves texts alone that are short enough, and marks all others", () => {
    fc.assert(
      fc.property(anyText, width, (text, columns) => {
        const cut = truncate(text, columns);
        if (stringWidth(text) <= columns) expect(cut).toBe(text);
        else if (columns > 0) expect(cut.endsWith("…")).toBe(true);
        else expect(cut).toBe("");
      }),
    );
  });

  it("cuts between characters that people see, and as late as possible", () => {
    fc.assert(
      fc.property(anyText, fc.integer({ min: 1, max: 30 }), (text, columns) => {
        fc.pre(stringWidth(text) > columns);
        const kept = graphemesOf(text);
        const taken: string[] = [];
        while (stringWidth(taken.join("")) + stringWidth(kept[taken.length] as string) <= columns - 1) {
          taken.push(kept[taken.length] as string);
        }
        expect(truncate(text, columns)).toBe(`${taken.join("")}…`);
      }),
    );
  });

  it("keeps colours, does not count them, and switches them off where it cuts", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(anyText, fc.constantFrom(31, 1, 4))), width, (parts, columns) => {
        const colored = parts.map(([text, code]) => `\u001b[${code}m${text}\u001b[0m`).join("");
        const cut = truncate(colored, columns);
        expect(stringWidth(cut)).toBeLessThanOrEqual(columns);
        if (cut === colored || columns === 0) return;
        expect(cut.endsWith("\u001b[0m")).toBe(true);
        expect(withoutColors(cut).endsWith("…")).toBe(true);
      }),
    );
  });
});

describe("padding", () => {
  it("fills up to the width, on either side", () => {
    fc.assert(
      fc.property(anyText, width, (text, columns) => {
        // A combining accent would join the spaces put in front of it.
        fc.pre(!/^\p{M}/u.test(text));
        const missing = Math.max(0, columns - stringWidth(text));
        expect(padEnd(text, columns)).toBe(text + " ".repeat(missing));
        expect(padStart(text, columns)).toBe(" ".repeat(missing) + text);
      }),
    );
  });

  it("measures like string-width", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(displayWidth(text)).toBe(stringWidth(text));
      }),
    );
    expect(displayWidth("\u001b[31m日本\u001b[0m")).toBe(4);
  });
});
