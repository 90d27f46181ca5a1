/**
 * Defends: after any sequence of frames and sizes the screen shows exactly the last frame, as far as it fits; nothing is
 * written when nothing changed, and nothing is left half drawn.
 * Method: a strict terminal plays what is written, against the frame clipped by hand; random frames and sizes.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { clip, frameUpdate, type Size } from "../../../src/cli/screen/frame.js";
import { Vt } from "./vt.js";

const word = fc.constantFrom(
  "slow path",
  "日本語",
  "│",
  " ",
  "",
  "1,234",
  "\u001b[31mred\u001b[39m",
  "e\u0301",
  "👍",
  "x".repeat(12),
);
const frame = fc.array(
  fc.array(word, { maxLength: 4 }).map((parts) => parts.join(" ")),
  { maxLength: 8 },
);
const size = fc.record({ columns: fc.integer({ min: 1, max: 24 }), rows: fc.integer({ min: 1, max: 6 }) });

// biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with ESC.
const seen = (line: string): string => line.replace(/\u001b\[[0-9;]*m/g, "").trimEnd();

describe("redrawing", () => {
  it("shows the last frame, whatever was there before", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(frame, fc.option(size)), { minLength: 1, maxLength: 8 }), (steps) => {
        let current: Size = { columns: 20, rows: 5 };
        let vt = new Vt(current.columns, current.rows);
        let shown: string[] | undefined;
        for (const [lines, resized] of steps) {
          if (resized !== null) {
            current = resized;
            vt = new Vt(current.columns, current.rows);
            shown = undefined;
          }
          const next = clip(lines, current);
          const update = frameUpdate(shown, next, current);
          vt.write(update);
          shown = next;
          const wanted = Array.from({ length: current.rows }, (_, row) => seen(next[row] ?? ""));
          expect(vt.lines.map((line) => line.normalize("NFC"))).toEqual(
            wanted.map((line) => line.normalize("NFC")),
          );
          expect(vt.updating).toBe(false);
          expect(vt.colored).toBe(false);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("writes only lines that changed", () => {
    const at = { columns: 20, rows: 5 };
    expect(frameUpdate(["a", "b"], ["a", "b"], at)).toBe("");
    const update = frameUpdate(["a", "b", "c"], ["a", "B", "c"], at);
    expect(update).toBe("\u001b[?2026h\u001b[2;1HB\u001b[K\u001b[?2026l");
    expect(frameUpdate(["a", "b", "c"], ["a"], at)).toBe("\u001b[?2026h\u001b[2;1H\u001b[J\u001b[?2026l");
  });

  it("does not erase the character at the right margin", () => {
    const at = { columns: 3, rows: 1 };
    const vt = new Vt(3, 1);
    vt.write(frameUpdate(undefined, clip(["abcdef"], at), at));
    expect(vt.lines).toEqual(["ab…"]);
  });
});
