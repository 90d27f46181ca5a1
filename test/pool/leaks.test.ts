/**
 * Defends: in debug mode a buffer that was lost without release is reported once, with size, age, place and epoch, and not
 * freed; one that was released, detached, is held by its domain, or whose bytes are still held is not reported; released
 * bytes are overwritten, unless they are somebody else's by then.
 * Method: a process of its own, where garbage collection can be asked for, loses some buffers and keeps others.
 */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { BufferPool } from "../../src/pool/index.js";
import { expectAllBack, expectEmpty, isStamped, smallHeap, stamp } from "./support.js";

interface Report {
  readonly label: string;
  readonly byteLength: number;
  readonly ageMs: number;
  readonly stack: string;
  readonly message: string;
  readonly epoch: { readonly id: number; readonly era: number };
}

interface Findings {
  readonly reports: readonly Report[];
  readonly warnings: readonly { name: string; code: string; message: string; detail: string }[];
  readonly leaked: readonly number[];
  readonly stillLive: boolean;
  readonly keptBytes: boolean;
}

test("lost buffers are reported, and only they", { timeout: 120_000 }, async () => {
  const script = fileURLToPath(new URL("./lose-buffers.mjs", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, ["--expose-gc", "--no-warnings", script]);
  const { reports, warnings, leaked, stillLive, keptBytes } = JSON.parse(stdout) as Findings;
  expect(reports.map(({ byteLength }) => byteLength).sort((a, b) => a - b)).toEqual([101, 102, 103, 104]);
  for (const { label, stack, ageMs, message, byteLength, epoch } of reports) {
    expect(label).toBe("told");
    expect(stack).toMatch(/^\s*at (async )?(Module\.)?lose\w*.*lose-buffers\.mjs/);
    expect(ageMs).toBeGreaterThanOrEqual(0);
    expect(epoch).toEqual({ id: 0, era: 16 });
    expect(message).toContain(`Buffer of ${byteLength} bytes from pool "told" was lost without release()`);
  }
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toMatchObject({ name: "BufferLeakWarning", code: "TSLAB_BUFFER_LEAK" });
  expect(warnings[0]?.message).toContain('pool "warned"');
  expect(warnings[0]?.detail).toContain("lose-buffers.mjs");
  // The pool of the third report is gone itself.
  expect(leaked).toEqual([3, 1]);
  expect(stillLive).toBe(true);
  expect(keptBytes).toBe(true);
});

test("released bytes are overwritten", () => {
  const heap = smallHeap();
  const pool = new BufferPool(heap, { debug: true });
  const buffer = pool.acquire(200);
  const { bytes } = buffer;
  stamp(buffer, 1);
  buffer.release();
  expect(bytes.every((byte) => byte === 0xdb)).toBe(true);

  const freed = pool.acquire(200);
  heap.free(freed.handle);
  const successor = pool.acquire(200);
  expect(successor.bytes.byteOffset).toBe(bytes.byteOffset);
  expect(successor.bytes).not.toBe(bytes);
  stamp(successor, 2);
  freed.release();
  expect(isStamped(successor.bytes, 2)).toBe(true);
  const ref = successor.detach();
  expect(heap.view(ref.handle)[0]).not.toBe(0xdb);
  pool.adopt(ref).release();
  expectAllBack(pool);
  expectEmpty(heap);
  heap.detach();
});
