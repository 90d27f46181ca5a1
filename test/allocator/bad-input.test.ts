/**
 * Defends: whatever nonsense a heap is asked for, the answer is an error of the documented class and code that names
 * what was given and what is allowed, and the heap is exactly as it was: no object lost, no word changed, sound.
 * Method: one table over all error codes, run against a busy heap (objects of two seats, domains, a closed and a wrapped
 * epoch) whose metadata is compared before and after. Details of single arguments: memory/config.test.ts (options),
 * memory/views.test.ts (buffers and refs), epochs/ring.test.ts (epochs), seats/reap.test.ts, heap/free.test.ts.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  AlreadyAttachedError,
  AlreadySampledError,
  BufferUnavailableError,
  DomainOrderError,
  HeapDetachedError,
  HeapFormatError,
  InvalidTypeError,
  InvalidValueError,
  PageReleaserUnavailableError,
  SeatAliveError,
  StaleHandleError,
  TemporalSlabError,
} from "../../src/allocator/errors.js";
import { SlabHeap } from "../../src/allocator/heap/heap.js";
import { interceptAllocs } from "../../src/allocator/heap/intercept.js";
import { H_VERSION, LABEL_MAX_BYTES, LAYOUT_VERSION, RING_SIZE } from "../../src/allocator/memory/layout.js";
import { createPageReleaser } from "../../src/reclaim/index.js";
import { COUNTED, type Row, type World } from "./bad-input-rows.js";
import {
  another,
  epochId,
  expectHealthy,
  expectMetadata,
  expectWholeMemoryBack,
  fill,
  forged,
  metadata,
  SLAB,
  smallHeap,
} from "./support.js";

const twice = (h: SlabHeap): unknown => [interceptAllocs(h, Number), interceptAllocs(h, Number)];

let world: World;
beforeEach(() => {
  const heap = smallHeap();
  const other = another(heap);
  const gone = another(heap);
  heap.poll();
  const live = [heap.alloc(64), other.alloc(128), heap.alloc(3 * SLAB), gone.alloc(1000)];
  for (let i = 0; i < RING_SIZE + 1; i++) heap.advanceEpoch();
  live.push(heap.alloc(100), heap.alloc(2000));
  const outer = heap.openDomain({ label: "outer" });
  const inner = heap.openDomain({ label: "inner" });
  live.push(inner.alloc(64));
  live.forEach((handle, i) => {
    heap.view(handle).fill(i + 1);
  });
  const dead = heap.alloc(64);
  heap.free(dead);
  gone.detach();
  world = { heap, other, gone, outer, inner, live, dead };
  expectHealthy(heap, other);
});
afterEach(() => {
  vi.unstubAllGlobals();
  const { heap, other, outer, inner } = world;
  inner.exit();
  outer.exit();
  expectWholeMemoryBack(heap, ...(other._a.detached ? [] : [other]));
  other.detach();
  heap.detach();
});

function expectNothingLost(): void {
  const { heap, other, live } = world;
  expectHealthy(heap, other);
  live.forEach((handle, i) => {
    expect(heap.view(handle).every((byte) => byte === i + 1)).toBe(true);
  });
  expect(heap.verify().liveObjects).toBe(live.length);
}

/** A copy of the heap's buffer with one header word changed, as a ref. */
function damagedRef({ heap }: World, word: number, value: number, bytes = heap.buffer.byteLength): never {
  const buffer = new SharedArrayBuffer(bytes);
  new Uint8Array(buffer).set(heap.u8.subarray(0, bytes));
  new Int32Array(buffer)[word] = value;
  return { ...heap.share(), buffer } as never;
}

const ROWS: readonly Row[] = [
  ...[
    0,
    -0,
    -1,
    1.5,
    Number.NaN,
    Infinity,
    -Infinity,
    16 * SLAB + 1,
    2 ** 31,
    2 ** 32 + 64,
    -(2 ** 32),
    2 ** 53,
  ].map(
    (size): Row => [
      `alloc(${size})`,
      ({ heap }) => heap.alloc(size),
      InvalidValueError,
      "ERR_TSLAB_OUT_OF_RANGE",
      ["alloc: size", "from 1 to 65536", `got ${size}`],
    ],
  ),
  ...[undefined, null, "64", true, {}, [64], { valueOf: () => 64 }, () => 64].map(
    (size): Row => [
      `alloc(${typeof size} ${String(size)})`,
      ({ heap }) => heap.alloc(size as never),
      InvalidTypeError,
      "ERR_TSLAB_INVALID_TYPE",
      ["alloc: size must be a number", "from 1 to 65536", "got "],
    ],
  ),
  ...(["allocOrThrow", "allocOffset"] as const).flatMap((method): Row[] => [
    [`${method}(0)`, ({ heap }) => heap[method](0), InvalidValueError, "ERR_TSLAB_OUT_OF_RANGE", ["got 0"]],
    ...["8", [8], { valueOf: () => 8 }, true].map((size): Row => {
      const ask: Row[1] = ({ heap }) => heap[method](size as never);
      return [
        `${method}(${typeof size})`,
        ask,
        InvalidTypeError,
        "ERR_TSLAB_INVALID_TYPE",
        ["number", "got "],
      ];
    }),
  ]),
  [
    "a domain's alloc(-8)",
    ({ inner }) => inner.alloc(-8),
    InvalidValueError,
    "ERR_TSLAB_OUT_OF_RANGE",
    ["got -8"],
  ],
  [
    "alloc in epoch 16",
    ({ heap }) => heap.alloc(64, epochId(16)),
    InvalidValueError,
    "ERR_TSLAB_OUT_OF_RANGE",
    ["0 to 15", "got 16"],
  ],
  ...[undefined, null, 5, {}, ["x"]].map(
    (label): Row => [
      `label ${JSON.stringify(label)}`,
      ({ heap }) => heap.setEpochLabel(epochId(1), label as never),
      InvalidTypeError,
      "ERR_TSLAB_INVALID_TYPE",
      ["setEpochLabel: label must be a string; got "],
    ],
  ),
  [
    "the label of epoch -1",
    ({ heap }) => heap.setEpochLabel(epochId(-1), "x"),
    InvalidValueError,
    "ERR_TSLAB_OUT_OF_RANGE",
    ["got -1"],
  ],
  [
    "create with seats for 256",
    () => SlabHeap.create({ maxWorkers: 256 }),
    InvalidValueError,
    "ERR_TSLAB_OUT_OF_RANGE",
    ['"maxWorkers"', "1 to 255", "256"],
  ],
  [
    "create of a buffer the runtime refuses",
    () => {
      vi.stubGlobal(
        "SharedArrayBuffer",
        class {
          constructor() {
            throw new RangeError("too large");
          }
        },
      );
      return SlabHeap.create({ capacity: 2 ** 30 });
    },
    BufferUnavailableError,
    "ERR_TSLAB_BUFFER_UNAVAILABLE",
    ["gave no SharedArrayBuffer of", `capacity ${2 ** 30}`, "ask for less"],
  ],
  [
    "create without SharedArrayBuffer",
    () => {
      vi.stubGlobal("SharedArrayBuffer", undefined);
      return SlabHeap.create();
    },
    BufferUnavailableError,
    "ERR_TSLAB_BUFFER_UNAVAILABLE",
    ["cross-origin isolated"],
  ],
  [
    "attach to a later version",
    (w) => SlabHeap.attach(damagedRef(w, H_VERSION, LAYOUT_VERSION + 1)),
    HeapFormatError,
    "ERR_TSLAB_FORMAT",
    [`layout version ${LAYOUT_VERSION + 1}`, `version ${LAYOUT_VERSION}`],
  ],
  [
    "attach to a buffer cut short",
    (w) => SlabHeap.attach(damagedRef(w, 40, 0, w.heap.buffer.byteLength - SLAB)),
    HeapFormatError,
    "ERR_TSLAB_FORMAT",
    ["truncated"],
  ],
  [
    "attach to something else",
    () => SlabHeap.attach({ buffer: 1 } as never),
    HeapFormatError,
    "ERR_TSLAB_FORMAT",
    ["what share() returned"],
  ],
  [
    "attach twice",
    ({ heap }) => SlabHeap.attach(heap.share()),
    AlreadyAttachedError,
    "ERR_TSLAB_ALREADY_ATTACHED",
    ["already holds seat 1", "sameThread"],
  ],
  [
    "a method after detach",
    ({ gone }) => gone.alloc(64),
    HeapDetachedError,
    "ERR_TSLAB_DETACHED",
    ["gave its seat 3 back", "attach again"],
  ],
  [
    "a look at a freed object",
    ({ heap, dead }) => heap.view(dead),
    StaleHandleError,
    "ERR_TSLAB_STALE_HANDLE",
    ["names no live object"],
  ],
  [
    "a look at nothing",
    ({ heap }) => heap.sizeOf(forged(0)),
    StaleHandleError,
    "ERR_TSLAB_STALE_HANDLE",
    ["NULL_HANDLE"],
  ],
  [
    "leaving the outer domain first",
    ({ outer }) => outer.exit(),
    DomainOrderError,
    "ERR_TSLAB_DOMAIN_ORDER",
    ['leave domain "inner"', 'before domain "outer"'],
  ],
  [
    "reaping a seat of this thread",
    ({ heap, other }) => heap.reap(other.seat, other.incarnation),
    SeatAliveError,
    "ERR_TSLAB_SEAT_ALIVE",
    ["seat 2", "use detach()"],
  ],
  ["sampling twice", ({ other }) => twice(other), AlreadySampledError, "ERR_TSLAB_ALREADY_SAMPLED", ["stop"]],
  [
    "reaping seat 0",
    ({ heap }) => heap.reap(0, 1),
    InvalidValueError,
    "ERR_TSLAB_OUT_OF_RANGE",
    ["reap: seat", "1 to 4", "got 0"],
  ],
  [
    "watching what is no worker",
    ({ heap }) => heap.watch(5 as never),
    InvalidTypeError,
    "ERR_TSLAB_INVALID_TYPE",
    ["expected a Worker", "got 5"],
  ],
  [
    "a page releaser of another runtime",
    () => createPageReleaser("bun"),
    PageReleaserUnavailableError,
    "ERR_TSLAB_PAGE_RELEASER_UNAVAILABLE",
    ["bun"],
  ],
  [
    "a view longer than its object",
    ({ heap, live }) => heap.view(live[0], 65),
    InvalidValueError,
    "ERR_TSLAB_OUT_OF_RANGE",
    ["0 to 64", "got 65"],
  ],
];

function expectError([, ask, expected, code, parts]: Row): void {
  let error: (Error & { code?: string }) | undefined;
  try {
    ask(world);
  } catch (thrown) {
    error = thrown as Error;
  }
  vi.unstubAllGlobals();
  expect(error).toBeInstanceOf(expected);
  expect(error).toBeInstanceOf(TemporalSlabError);
  expect(error).toBeInstanceOf(Error);
  expect(error instanceof RangeError).toBe(expected === InvalidValueError);
  expect(error instanceof TypeError).toBe(expected === InvalidTypeError);
  expect([error?.name, error?.code]).toEqual([expected.name, code]);
  for (const part of parts) expect(error?.message).toContain(part);
  // It says what is wrong in a sentence, and never an object's "[object Object]".
  expect(error?.message).toMatch(/[.]$/);
  expect(error?.message).not.toContain("[object");
}

test.each(ROWS)("%s: a typed error, and not a word changed", (...row) => {
  const before = metadata(world.heap);
  for (let n = 0; n < 2; n++) expectError(row);
  expectMetadata(world.heap, before);
  expectNothingLost();
});

test.each(COUNTED)("%s: a typed error, and nothing lost", (...row) => {
  for (let n = 0; n < 2; n++) expectError(row);
  expectNothingLost();
});

test("every code there is has a row above", () => {
  const url = new URL("../../src/allocator/errors.ts", import.meta.url);
  const codes = readFileSync(fileURLToPath(url), "utf8").match(/ERR_TSLAB_[A-Z_]+/g) ?? [];
  expect([...new Set([...ROWS, ...COUNTED].map(([, , , code]) => code))].sort()).toEqual(
    [...new Set(codes)].sort(),
  );
});

test.each([1n, Symbol("64"), Object.create(null)])(
  "what no number can be made of is refused by the language: %#",
  (value) => {
    const { heap, inner } = world;
    const before = metadata(heap);
    for (const ask of [
      () => heap.alloc(value as never),
      () => heap.allocOffset(value as never),
      () => inner.alloc(value as never),
    ]) {
      expect(ask).toThrow(TypeError);
    }
    expectMetadata(heap, before);
    expectNothingLost();
  },
);

describe("answered without an error", () => {
  test.each<[string, string, string]>([
    ["31 bytes stay", "x".repeat(31), "x".repeat(31)],
    ["the 32nd byte goes", "x".repeat(32), "x".repeat(31)],
    ["a character is cut whole", `${"x".repeat(30)}ä`, "x".repeat(30)],
    ["four-byte characters too", "😀".repeat(8), "😀".repeat(7)],
    ["empty", "", ""],
  ])("a label: %s", (_name, label, kept) => {
    const { heap } = world;
    heap.setEpochLabel(epochId(1), label);
    expect(heap.epochInfo(epochId(1)).label).toBe(kept);
    expect(new TextEncoder().encode(kept).length).toBeLessThanOrEqual(LABEL_MAX_BYTES);
    expectNothingLost();
  });

  test("reaping a free seat, a stale incarnation: reported, nothing done", () => {
    const { heap, gone, other } = world;
    const live = heap.verify();
    expect(heap.reap(gone.seat, gone.incarnation)).toMatchObject({ status: "free", slabsOrphaned: 0 });
    expect(heap.reap(4, 0)).toMatchObject({ status: "free" });
    expect(heap.reap(other.seat, other.incarnation + 1)).toMatchObject({ status: "stale" });
    expect(heap.verify()).toEqual(live);
    expectNothingLost();
  });

  test("detaching with objects live and domains entered: the objects stay", () => {
    const { heap, other } = world;
    const domain = other.openDomain({ autoClose: true });
    domain.alloc(64);
    other.detach();
    heap.poll();
    expect(heap.verify()).toMatchObject({ ok: true, liveObjects: world.live.length + 1 });
    expect(heap.currentEpoch).toEqual(domain.epoch);
    other.detach();
  });

  test("a full heap: NULL_HANDLE, the reason, and all objects as they were", () => {
    const { heap } = world;
    const more = fill(heap, 64);
    expect([heap.alloc(64), heap.lastFailure]).toEqual([0, "out-of-memory"]);
    for (const handle of more) expect(heap.free(handle)).toBe(true);
    expectNothingLost();
  });
});
