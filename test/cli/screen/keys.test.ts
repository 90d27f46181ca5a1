/**
 * Defends: every key arrives as itself, and no part of a function key or of a terminal's report is taken for a letter.
 * Method: the sequences terminals send, alone and run together.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { keysIn } from "../../../src/cli/screen/keys.js";

const SEQUENCES: readonly (readonly [sent: string, keys: readonly string[]])[] = [
  ["q", ["q"]],
  ["ä", ["ä"]],
  ["👍", ["👍"]],
  [" ", [" "]],
  ["\u0003", ["ctrl-c"]],
  ["\u001a", ["ctrl-z"]],
  ["\t", ["tab"]],
  ["\r", ["enter"]],
  ["\u001b[A", ["up"]],
  ["\u001bOC", ["right"]],
  ["\u001b[1;5D", []],
  ["\u001b[15~", []],
  ["\u001b[200~", []],
  ["\u001b[?62;22c", []],
  ["\u0007", []],
];

describe("keys", () => {
  it.each(SEQUENCES)("%j", (sent, keys) => expect(keysIn(sent)).toEqual(keys));

  it("come one by one when a terminal sends several at once", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...SEQUENCES)), (pressed) => {
        expect(keysIn(pressed.map(([sent]) => sent).join(""))).toEqual(pressed.flatMap(([, keys]) => keys));
      }),
    );
  });

  it("an escape key alone is one", () => expect(keysIn("\u001b")).toEqual(["escape"]));
});
