/**
 * Defends: every example runs as its own comment says, checks its own results, and leaves a consistent heap.
 * Method: each as a program of its runtime. Examples check what they compute and exit with 1 when it is wrong; here the
 * exit code and what they print are looked at, so that one that stops checking is noticed too.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { findRuntime, lastJson, root, run } from "./support.js";

test("every example is run by a test of this folder", () => {
  const folders = readdirSync(join(root, "examples"), { withFileTypes: true }).filter((entry) =>
    entry.isDirectory(),
  );
  expect(folders.map(({ name }) => name).sort()).toEqual([
    "bun-service",
    "deno-service",
    "http-bodies", // http-bodies.test.ts
    "session-cache", // session-cache.test.ts, and here
    "tiles",
  ]);
});

describe("tiles", () => {
  test("every tile of every frame is right, and nothing is left of any frame", async () => {
    const { code, stdout, stderr } = await run(process.execPath, ["examples/tiles/main.mjs", "6", "9", "7"]);
    expect(stderr).toBe("");
    expect(stdout).toMatch(/^6 frames of 576 x 448 in \d+\.\d\d s, 756 tiles, 0 wrong, 0 left$/m);
    expect(stdout).toContain("heap consistent");
    expect(code).toBe(0);
  });

  test("a frame with more tiles than the rings hold does not lock up", async () => {
    const { code, stdout } = await run(process.execPath, ["examples/tiles/main.mjs", "2", "40", "36"]);
    expect(stdout).toContain("5760 tiles, 0 wrong, 0 left");
    expect(code).toBe(0);
  });
});

test("session-cache prints a line per generation and its memory levels off", async () => {
  const { code, stdout, stderr } = await run(process.execPath, ["examples/session-cache/main.mjs", "12"]);
  expect(stderr).toBe("");
  const rows = stdout
    .split("\n")
    .slice(1, 13)
    .map((line) => line.trim().split(/\s+/));
  expect(rows.map(([tick]) => Number(tick))).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  const committed = rows.map((row) => Number(row.at(-1)));
  // Three generations are kept: from the fourth on, what begins is paid for by what ends.
  expect(Math.max(...committed.slice(5))).toBeLessThanOrEqual(1.25 * Math.max(...committed.slice(0, 5)));
  expect(stdout).toContain("heap consistent");
  expect(code).toBe(0);
});

describe.each([
  {
    name: "deno-service",
    runtime: findRuntime("deno", "deno@2"),
    args: ["run", "--allow-all", "--quiet", "examples/deno-service/main.ts", "--check"],
    expected: { runtime: "deno", right: 200, acquired: 200, inUse: 0, ok: true },
  },
  {
    name: "bun-service",
    runtime: findRuntime("bun", "bun@1"),
    args: ["examples/bun-service/main.ts", "--check"],
    expected: { runtime: "bun", right: 200, liveObjects: 0, ok: true },
  },
])("$name", ({ name, runtime, args, expected }) => {
  test.skipIf(runtime.command === undefined)(
    `answers 200 requests at once, every answer checked${runtime.missing === undefined ? "" : ` (SKIPPED: ${runtime.missing})`}`,
    async () => {
      const { code, stdout, stderr } = await run(runtime.command ?? name, args);
      expect({ stderr, ...lastJson(stdout) }).toMatchObject(expected);
      expect(code).toBe(0);
    },
  );
});
