/** The long run refuses a command line it does not understand: exit code 2, and it says what it takes. */
import { afterEach, expect, test, vi } from "vitest";
import { damageText, runFromCommandLine } from "./fuzz-run.js";

afterEach(() => {
  vi.restoreAllMocks();
});

test.each([
  ["--kind", "sizes"],
  ["--minutes", "0"],
  ["--minutes", "long"],
  ["--seed", "1.5"],
  ["--state", "liquid"],
  ["--state", "busy", "--damage", "1,2,3"],
  ["--damage", "1,2,0,3"],
  ["--unknown"],
  ["more"],
])("%s %s", async (...args) => {
  const said = vi.spyOn(console, "error").mockReturnValue();
  expect(await runFromCommandLine(args)).toBe(2);
  expect(said).toHaveBeenCalledWith(expect.stringContaining("usage: npm run fuzz"));
});

test("a case can be named on the command line", () => {
  const damage = { word: 64, value: -1, attach: true, script: 3 };
  expect(damageText("busy", damage)).toBe("npm run fuzz -- --state busy --damage=64,-1,1,3");
});
