/**
 * Defends: a buffer has exactly the bytes asked for, at its object's place, as a Buffer; it is released once and never
 * again, whatever became of its object; the pool's statistics are exact; a heap that is full or gone is said to be.
 * Method: one heap, one pool, every way a buffer can end, the heap asked each time what it holds.
 */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  HeapDetachedError,
  OutOfMemoryError,
  PoolExhaustedError,
  StaleHandleError,
  TemporalSlabError,
} from "../../src/allocator/errors.js";
import type { SlabHeap } from "../../src/allocator/heap/heap.js";
import { BufferPool } from "../../src/pool/index.js";
import { another, expectAllBack, expectEmpty, isStamped, SLAB, smallHeap, stamp } from "./support.js";

let heap: SlabHeap;
let pool: BufferPool;
beforeEach(() => {
  heap = smallHeap();
  pool = new BufferPool(heap, { label: "test" });
});
afterEach(() => {
  if (heap._a.detached) return;
  expectAllBack(pool);
  expectEmpty(heap);
  heap.detach();
});

describe("a buffer", () => {
  test.each([1, 7, 64, 65, 1024, 1025, SLAB, 3 * SLAB + 5])("of %i bytes has exactly these", (size) => {
    const buffer = pool.acquire(size);
    expect(Buffer.isBuffer(buffer.bytes)).toBe(true);
    expect(Object.getPrototypeOf(buffer.bytes)).toBe(Buffer.prototype);
    expect(buffer.bytes.length).toBe(size);
    expect(buffer.byteLength).toBe(size);
    expect(buffer.bytes.buffer).toBe(heap.buffer);
    expect(buffer.bytes.byteOffset).toBe(heap.byteOffset(buffer.handle));
    expect(buffer.bytes).toBe(buffer.bytes);
    expect(heap.sizeOf(buffer.handle)).toBeGreaterThanOrEqual(size);
    expect(buffer.released).toBe(false);
    expect(buffer.release()).toBe(true);
  });

  test("is released once, and an old one never releases its successor", () => {
    const first = pool.acquire(100);
    expect(first.release()).toBe(true);
    const second = pool.acquire(100);
    expect(heap.byteOffset(second.handle)).toBe(second.bytes.byteOffset);
    expect(first.release()).toBe(false);
    expect(first.released).toBe(true);
    expect(() => first.bytes).toThrow(StaleHandleError);
    expect(() => first.bytes).toThrow('bytes: this buffer of pool "test" was released');
    expect(first.byteLength).toBe(100);
    expect(heap.isLive(second.handle)).toBe(true);
    expect(second.release()).toBe(true);
    expect(pool.stats()).toMatchObject({ acquired: 2, released: 2, releasedStale: 0 });
  });

  test("ends with its block", () => {
    let handle = 0;
    {
      using buffer = pool.acquire(500);
      handle = buffer.handle;
      expect(heap.isLive(buffer.handle)).toBe(true);
    }
    expect(heap.isLive(handle as never)).toBe(false);
  });

  test("that was freed or discarded behind the pool's back is gone quietly, and harms no successor", () => {
    const freed = pool.acquire(100);
    heap.free(freed.handle);
    const successor = pool.acquire(100);
    stamp(successor, 1);
    expect(freed.release()).toBe(false);
    expect(isStamped(successor.bytes, 1)).toBe(true);
    const { currentEpoch } = heap;
    heap.discardEpoch(currentEpoch);
    const next = pool.acquire(100);
    stamp(next, 2);
    expect(successor.release()).toBe(false);
    expect(isStamped(next.bytes, 2)).toBe(true);
    expect(next.release()).toBe(true);
    expect(pool.stats()).toMatchObject({
      acquired: 3,
      released: 3,
      releasedStale: 2,
      inUse: 0,
      bytesInUse: 0,
    });
  });

  test("holds what was there before, or zeros where the pool is asked for them", () => {
    const zeroing = new BufferPool(heap, { zero: true });
    const dirty = pool.acquire(200);
    const { byteOffset } = dirty.bytes;
    dirty.bytes.fill(0xaa);
    dirty.release();
    const unsafe = pool.acquire(200);
    expect(unsafe.bytes.byteOffset).toBe(byteOffset);
    expect(unsafe.bytes[100]).toBe(0xaa);
    unsafe.release();
    const clean = zeroing.acquire(200);
    expect(clean.bytes.byteOffset).toBe(byteOffset);
    expect(clean.bytes.every((byte) => byte === 0)).toBe(true);
    clean.release();
  });
});

describe("a full heap", () => {
  test("is an error, undefined, or a wait; the room is there again after a release", () => {
    const all = pool.acquire(heap.capacity);
    expect(() => pool.acquire(64)).toThrow(OutOfMemoryError);
    expect(() => pool.acquire(64)).toThrow('acquire(64): pool "test" has no room');
    expect(pool.tryAcquire(64)).toBeUndefined();
    expect(pool.stats()).toMatchObject({ outOfMemory: 3, exhausted: 0, inUse: 1, bytesInUse: heap.capacity });
    all.release();
    const buffer = pool.tryAcquire(64);
    expect(buffer?.bytes.length).toBe(64);
    buffer?.release();
  });
});

describe("statistics", () => {
  test("are exact", () => {
    const held = [10, 20, 30].map((size) => pool.acquire(size));
    held[1]?.release();
    held.push(pool.acquire(1));
    expect(pool.stats()).toEqual({
      label: "test",
      acquired: 4,
      adopted: 0,
      detached: 0,
      released: 1,
      releasedStale: 0,
      inUse: 3,
      peakInUse: 3,
      bytesInUse: 41,
      waiting: 0,
      waits: 0,
      exhausted: 0,
      outOfMemory: 0,
      leaked: 0,
      maxBuffers: undefined,
      inUseAllThreads: undefined,
      viewHits: 0,
      viewMisses: 4,
    });
    for (const buffer of held) buffer.release();
  });
});

describe("the end", () => {
  test("of a pool: nothing more is handed out, what is out stays valid", () => {
    const buffer = pool.acquire(64);
    pool.dispose();
    pool[Symbol.dispose]();
    for (const ask of [
      () => pool.acquire(64),
      () => pool.tryAcquire(64),
      () => pool.adopt({ handle: buffer.handle, byteLength: 64 }),
    ]) {
      expect(ask).toThrow(PoolExhaustedError);
      expect(ask).toThrow('pool "test" was disposed');
    }
    stamp(buffer, 5);
    expect(isStamped(buffer.bytes, 5)).toBe(true);
    expect(buffer.release()).toBe(true);
  });

  test("of the heap's attachment: release is quiet, acquiring says so", async () => {
    const other = another(heap);
    const limited = new BufferPool(other, { maxBuffers: 2, debug: true });
    const simple = new BufferPool(other);
    const held = [limited.acquire(64), simple.acquire(64)];
    other.detach();
    for (const buffer of held) {
      expect(buffer.bytes.length).toBe(64);
      expect(buffer.release()).toBe(false);
      expect(buffer.release()).toBe(false);
    }
    for (const gone of [limited, simple]) {
      expect(() => gone.acquire(64)).toThrow(HeapDetachedError);
      expect(() => gone.tryAcquire(64)).toThrow(HeapDetachedError);
      await expect(gone.acquireAsync(64)).rejects.toThrow(HeapDetachedError);
      expect(gone.stats().inUse).toBe(0);
    }
    for (const { handle } of held) expect(heap.free(handle)).toBe(true);
  });
});

test("errors are of the package and carry a code", () => {
  expect(new PoolExhaustedError("x")).toBeInstanceOf(TemporalSlabError);
  expect(new PoolExhaustedError("x").code).toBe("ERR_TSLAB_POOL_EXHAUSTED");
});

/** In a process of its own, because the runtime's Buffer must be missing before anything looks for it. */
async function bytesWithBuffer(replacement: string): Promise<unknown> {
  const script = `
    const { Buffer } = globalThis;
    globalThis.Buffer = ${replacement};
    const { SlabHeap } = await import("temporal-slab");
    const { BufferPool } = await import("temporal-slab/pool");
    const heap = SlabHeap.create({ capacity: 1 << 20 });
    const pool = new BufferPool(heap);
    const { bytes, handle } = pool.acquire(100);
    bytes.fill(7);
    const sum = heap.view(handle, 100).reduce((a, b) => a + b);
    const kind = Buffer.isBuffer(bytes) ? "Buffer" : Object.getPrototypeOf(bytes) === Uint8Array.prototype && "Uint8Array";
    console.log(JSON.stringify([kind, bytes.length, sum]));
    process.exit(0);`;
  const cwd = fileURLToPath(new URL(".", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script], {
    cwd,
  });
  return JSON.parse(stdout);
}

test("bytes are a Uint8Array without Buffer, and a Buffer where its species is of no use", async () => {
  expect(await bytesWithBuffer("undefined")).toEqual(["Uint8Array", 100, 700]);
  const withoutSpecies =
    "Object.assign(Object.create(null), { prototype: Buffer.prototype, from: Buffer.from })";
  expect(await bytesWithBuffer(withoutSpecies)).toEqual(["Buffer", 100, 700]);
  const failing = `Object.assign(Object.create(null), { prototype: Buffer.prototype, from: Buffer.from, [Symbol.species]: class { constructor() { throw new Error("no"); } } })`;
  expect(await bytesWithBuffer(failing)).toEqual(["Buffer", 100, 700]);
});
