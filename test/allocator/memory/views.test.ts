/**
 * Defends: nobody attaches to anything but a whole heap of this layout version; each refusal is a HeapFormatError
 * whose words say what is wrong. The header of a good heap recomputes to the layout it was made with.
 * Method: a heap's buffer is copied and one thing is damaged at a time.
 */
import { describe, expect, test } from "vitest";
import { HeapFormatError, InvalidTypeError, TemporalSlabError } from "../../../src/allocator/errors.js";
import { SlabHeap } from "../../../src/allocator/heap/heap.js";
import {
  CLASS_SIZE_BASE,
  H_BUFFER_PAGES,
  H_CHECKSUM,
  H_CLASS_COUNT,
  H_HEAP_ID,
  H_MAGIC,
  H_MAX_WORKERS,
  H_READY,
  H_SLAB_COUNT,
  H_SLAB_SIZE,
  H_SLOTS_SHIFT,
  H_VERSION,
  LAYOUT_VERSION,
  MAGIC,
  SLAB_BASE,
} from "../../../src/allocator/memory/layout.js";
import { configChecksum, heapKey, openBuffer } from "../../../src/allocator/memory/views.js";
import type { HeapRef } from "../../../src/allocator/types.js";
import { another, expectHealthy, smallHeap } from "../support.js";

const original = smallHeap();

function copyOf(heap: SlabHeap, bytes = heap.buffer.byteLength): SharedArrayBuffer {
  const copy = new SharedArrayBuffer(bytes);
  const from = new Uint8Array(heap.buffer, 0, Math.min(bytes, heap.buffer.byteLength));
  new Uint8Array(copy).set(from);
  return copy;
}

function refOf(buffer: unknown, changes: object = {}): HeapRef {
  return { ...original.share(), buffer, ...changes } as HeapRef;
}

function refusalOf(ref: unknown): Error & { code?: string } {
  try {
    SlabHeap.attach(ref as HeapRef, { sameThread: true }).detach();
  } catch (error) {
    return error as Error;
  }
  throw new Error("was accepted");
}

/** A copy with some header words changed; `reseal` makes the checksum match again. */
function damaged(changes: Record<number, number>, reseal = false): SharedArrayBuffer {
  const buffer = copyOf(original);
  const m = new Int32Array(buffer);
  for (const [word, value] of Object.entries(changes)) m[Number(word)] = value;
  if (reseal) m[H_CHECKSUM] = configChecksum(m);
  return buffer;
}

test("an undamaged copy is accepted: the table below fails for its damage alone", () => {
  const heap = SlabHeap.attach(refOf(copyOf(original)), { sameThread: true });
  expect(heap.capacity).toBe(original.capacity);
  expect(heap.sizeClasses).toEqual(original.sizeClasses);
  heap.detach();
});

test("a copy with bytes behind its end is accepted: a buffer of the caller's may be longer", () => {
  const heap = SlabHeap.attach(refOf(copyOf(original, original.buffer.byteLength + 1)), { sameThread: true });
  expect(heap.u8.byteLength).toBe(original.u8.byteLength);
  expect(heap.verify().problems).toEqual([]);
  heap.detach();
});

describe("buffers that are refused", () => {
  test.each<[string, () => SharedArrayBuffer, string[]]>([
    ["an empty one", () => new SharedArrayBuffer(0), ["0 bytes", `at least ${SLAB_BASE * 4}`]],
    ["one smaller than a header", () => new SharedArrayBuffer(8191), ["8191 bytes", "share()"]],
    ["one of zeros", () => new SharedArrayBuffer(65536), ["header", "0x0", MAGIC.toString(16)]],
    ["a foreign one", () => damaged({ [H_MAGIC]: 0x12345678 }), ["0x12345678", "header"]],
    [
      "an older version",
      () => damaged({ [H_VERSION]: LAYOUT_VERSION - 1 }),
      [`layout version ${LAYOUT_VERSION - 1}`, `version ${LAYOUT_VERSION}`],
    ],
    [
      "a newer version",
      () => damaged({ [H_VERSION]: LAYOUT_VERSION + 1 }),
      [`layout version ${LAYOUT_VERSION + 1}`, "same package"],
    ],
    ["one not finished", () => damaged({ [H_READY]: 0 }), ["not finished"]],
    ["one with a damaged slab count", () => damaged({ [H_SLAB_COUNT]: 17 }), ["checksum"]],
    ["one with a damaged class size", () => damaged({ [CLASS_SIZE_BASE + 1]: 136 }), ["checksum"]],
    ["one with a damaged id", () => damaged({ [H_HEAP_ID]: -1 }), ["checksum"]],
    ["one with a damaged checksum", () => damaged({ [H_CHECKSUM]: 1 }), ["checksum"]],
    ["one cut by a page", () => copyOf(original, original.buffer.byteLength - 4096), ["truncated"]],
    ["one cut to half", () => copyOf(original, original.buffer.byteLength / 2), ["truncated"]],
  ])("%s", (_name, make, parts) => {
    const error = refusalOf(refOf(make()));
    expect(error).toBeInstanceOf(HeapFormatError);
    expect(error).toBeInstanceOf(TemporalSlabError);
    expect(error.code).toBe("ERR_TSLAB_FORMAT");
    for (const part of parts) expect(error.message).toContain(part);
  });

  test.each<[string, Record<number, number>]>([
    ["no slabs", { [H_SLAB_COUNT]: 0 }],
    ["negative slabs", { [H_SLAB_COUNT]: -1 }],
    ["too many slabs", { [H_SLAB_COUNT]: 2 ** 20 + 1 }],
    ["slab size that is no power of two", { [H_SLAB_SIZE]: 5000 }],
    ["slab size below a page", { [H_SLAB_SIZE]: 2048 }],
    ["no classes", { [H_CLASS_COUNT]: 0 }],
    ["too many classes", { [H_CLASS_COUNT]: 64 }],
    ["classes that do not ascend", { [CLASS_SIZE_BASE + 1]: 64 }],
    ["a class that is no multiple of 8", { [CLASS_SIZE_BASE]: 63 }],
    ["a class above the slab", { [CLASS_SIZE_BASE + 2]: 8192 }],
    ["no seats", { [H_MAX_WORKERS]: 0 }],
    ["too many seats", { [H_MAX_WORKERS]: 256 }],
  ])("impossible header with a matching checksum: %s", (_name, changes) => {
    const error = refusalOf(refOf(damaged(changes, true)));
    expect(error).toBeInstanceOf(HeapFormatError);
    expect(error.message).toContain("impossible values");
  });

  test.each<[string, Record<number, number>]>([
    ["sizes of another build", { [H_BUFFER_PAGES]: 1 }],
    ["slots of another build", { [H_SLOTS_SHIFT]: 3 }],
  ])("%s", (_name, changes) => {
    expect(refusalOf(refOf(damaged(changes, true))).message).toContain("another build");
  });
});

describe("refs that are refused", () => {
  test.each<[string, unknown, string]>([
    ["undefined", undefined, "share()"],
    ["null", null, "share()"],
    ["a number", 5, "share()"],
    ["a string", "heap", "share()"],
    ["the buffer itself", original.buffer, "share()"],
    ["the heap itself", original, "share()"],
    ["an object without kind", { buffer: original.buffer }, "share()"],
    ["another kind", refOf(original.buffer, { kind: "temporal-slab/pool" }), "share()"],
    ["no buffer", refOf(undefined), "SharedArrayBuffer"],
    ["an ArrayBuffer", refOf(new ArrayBuffer(65536)), "SharedArrayBuffer"],
    ["a view", refOf(new Uint8Array(8)), "SharedArrayBuffer"],
    ["another layout version", refOf(original.buffer, { layoutVersion: 99 }), "version 99"],
    ["no layout version", refOf(original.buffer, { layoutVersion: undefined }), "undefined"],
    ["no token", refOf(original.buffer, { token: undefined }), "token"],
    ["token 0", refOf(original.buffer, { token: 0 }), "token"],
    ["a fractional token", refOf(original.buffer, { token: 1.5 }), "token"],
  ])("%s", (_name, ref, part) => {
    const error = refusalOf(ref);
    expect(error).toBeInstanceOf(HeapFormatError);
    expect(error.message).toContain(part);
  });

  test("options of attach are checked", () => {
    const attach = (options: unknown) => () => SlabHeap.attach(original.share(), options as never);
    expect(attach(null)).toThrow(InvalidTypeError);
    expect(attach(5)).toThrow(InvalidTypeError);
    expect(attach({ sameThread: 1 })).toThrow('"sameThread" must be true or false; got 1');
    expect(attach({ sameThread: true, pageReleaser: {} })).toThrow('"pageReleaser"');
  });
});

test("a refused attach leaves the heap as it was", () => {
  expect(original.seats()).toHaveLength(1);
  expectHealthy(original);
});

test("the header recomputes to the layout it was made with", () => {
  for (const options of [
    {},
    { slabSize: 65536, capacity: 2 ** 24, sizeClasses: "default" as const },
    { zeroOnFree: true },
  ]) {
    const heap = smallHeap(options);
    expect(openBuffer(heap.buffer)).toEqual(heap._a.layout);
    heap.detach();
  }
});

test("a ref survives structured cloning, and differs only in its token", () => {
  const ref = original.share();
  const clone = structuredClone(ref);
  expect(clone).toMatchObject({
    kind: "temporal-slab/heap",
    layoutVersion: LAYOUT_VERSION,
    token: ref.token,
  });
  const heap = SlabHeap.attach(clone, { sameThread: true });
  expect(heap.seat).toBe(2);
  heap.detach();
  expect(original.share().token).not.toBe(ref.token);
});

test("the key of a heap is the same through every attachment, and differs between heaps", () => {
  const second = another(original);
  const other = smallHeap();
  expect(heapKey(second._a.m)).toBe(heapKey(original._a.m));
  expect(heapKey(other._a.m)).not.toBe(heapKey(original._a.m));
  second.detach();
  other.detach();
});

test("a buffer can be opened whatever its heap holds", () => {
  const heap = smallHeap({ capacity: 4096 });
  const handle = heap.alloc(64);
  heap.view(handle).fill(7);
  const copy = SlabHeap.attach(refOf(copyOf(heap)), { sameThread: true });
  expect([...copy.view(handle)]).toEqual(new Array(64).fill(7));
  copy.detach();
  heap.detach();
});

test("prefault writes zeros only, and the heap is usable", () => {
  const heap = smallHeap({ prefault: true });
  const { layout } = heap._a;
  expect(new Uint8Array(heap.buffer, layout.payloadOffset).every((byte) => byte === 0)).toBe(true);
  heap.view(heap.alloc(1024)).fill(1);
  expectHealthy(heap);
  heap.detach();
});
