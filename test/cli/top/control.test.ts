/**
 * Defends: the keys of `top` always lead to something that can be ranked, each undoes its opposite, and switching between
 * classes and epochs keeps what was chosen.
 * Method: any sequence of keys.
 */
import fc from "fast-check";
import { createColors } from "picocolors";
import { describe, expect, it } from "vitest";
import { Control, MAX_ROWS } from "../../../src/cli/top/control.js";
import { topLines } from "../../../src/cli/top/tables.js";
import { heapAt } from "../watch/service.js";

const KEYS = [
  "c",
  "e",
  "tab",
  "<",
  ">",
  "left",
  "right",
  "+",
  "-",
  "up",
  "down",
  "r",
  " ",
  "h",
  "?",
  "x",
  "escape",
];
const DEFAULTS = { kind: "classes", by: undefined, n: 5, ascending: false } as const;

describe("keys", () => {
  it("lead from anything that can be ranked to something else that can", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...KEYS), { maxLength: 40 }), (keys) => {
        const control = new Control({ ...DEFAULTS, by: "lock_contended" });
        for (const key of keys) control.press(key);
        const { order } = control;
        expect(order.n).toBeGreaterThanOrEqual(1);
        expect(order.n).toBeLessThanOrEqual(MAX_ROWS);
        const [heading, titles] = topLines(heapAt(1), order, undefined, {
          width: Infinity,
          colors: createColors(false),
        });
        expect(heading).toContain(`top ${order.kind} by `);
        expect(titles).toMatch(/^(class|epoch) {2}/);
      }),
    );
  });

  it.each([
    ["<", ">"],
    ["left", "right"],
    ["+", "-"],
    ["r", "r"],
    ["tab", "tab"],
    [" ", " "],
    ["?", "h"],
  ])("%s and %s undo each other", (one, other) => {
    for (const kind of ["classes", "epochs"] as const) {
      const control = new Control({ ...DEFAULTS, kind });
      const before = [control.order, control.paused, control.help];
      expect(control.press(one)).toBe(true);
      expect([control.order, control.paused, control.help]).not.toEqual(before);
      expect(control.press(other)).toBe(true);
      expect([control.order, control.paused, control.help]).toEqual(before);
    }
  });

  it("keep each kind's metric", () => {
    const control = new Control({ ...DEFAULTS, by: "madvise_calls_rate" });
    expect(control.order).toMatchObject({ kind: "classes", by: { name: "madvise_calls_rate" } });
    control.press("e");
    control.press(">");
    expect(control.order).toMatchObject({ kind: "epochs", by: "age_sec" });
    control.press("tab");
    expect(control.order).toMatchObject({ kind: "classes", by: { name: "madvise_calls_rate" } });
    control.press("e");
    expect(control.order).toMatchObject({ by: "age_sec" });
  });

  it("that mean nothing change nothing", () => {
    const control = new Control(DEFAULTS);
    for (const key of ["x", "escape", "constructor", "__proto__"]) expect(control.press(key)).toBe(false);
  });
});
