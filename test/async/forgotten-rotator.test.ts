/**
 * Defends: a rotator keeps neither its heap nor the process alive, and goes on looking after its epochs while the heap lives,
 * also when nobody holds the rotator itself.
 * Method: a process of its own, where garbage collection can be asked for, drops heaps with rotators; it must end by itself.
 */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const script = fileURLToPath(new URL("./forgotten-rotator.mjs", import.meta.url));

test("dropped heaps are collected with their rotators, a dropped rotator goes on", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ["--expose-gc", script], {
    timeout: 55_000,
  });
  expect(JSON.parse(stdout)).toEqual({
    heaps: 9,
    heapsGone: 9,
    liveBefore: true,
    liveAfter: false,
    problems: [],
  });
});
