/**
 * Defends: a heap object that is dropped without detach() is collected with its buffer, and its seat is given back as
 * detach() would: live objects stay, domains are left, the seat can be taken again. The registry of seats this thread
 * holds, and the timer, kept every heap ever made.
 * Method: a process of its own, where garbage collection can be asked for, drops heaps and a second seat of a heap it
 * keeps; weak references tell what is gone.
 */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const script = fileURLToPath(new URL("./forgotten-heap.mjs", import.meta.url));

test("dropped heaps are collected, a dropped seat is given back", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ["--expose-gc", script]);
  const report: unknown = JSON.parse(stdout);
  expect(report).toEqual({
    heaps: 8,
    heapsGone: 8,
    seatObjectGone: true,
    seat: "FREE",
    epoch: "CLOSING",
    contents: true,
    freed: true,
    again: 2,
    problems: [],
  });
});
