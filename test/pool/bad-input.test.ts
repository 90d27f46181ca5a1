/**
 * Defends: whatever nonsense a pool is asked for, the answer is a typed error that names what was given and what is
 * allowed, and nothing has changed: no permit, object or statistic.
 * Method: one table of questions to a busy pool; statistics and live objects are compared before and after each.
 */
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  HeapDetachedError,
  HeapFormatError,
  InvalidTypeError,
  InvalidValueError,
  StaleHandleError,
} from "../../src/allocator/errors.js";
import type { SlabHeap } from "../../src/allocator/heap/heap.js";
import { BufferPool, type PooledBuffer, type PooledRef } from "../../src/pool/index.js";
import { another, expectAllBack, expectEmpty, smallHeap, thrownBy } from "./support.js";

interface World {
  readonly heap: SlabHeap;
  readonly pool: BufferPool;
  readonly free: BufferPool;
  readonly held: PooledBuffer;
  readonly ref: PooledRef;
}

let world: World;
beforeEach(() => {
  const heap = smallHeap();
  const pool = new BufferPool(heap, { label: "busy", maxBuffers: 3 });
  const held = pool.acquire(100);
  world = { heap, pool, free: new BufferPool(heap), held, ref: pool.acquire(50).detach() };
});
afterEach(() => {
  const { heap, pool, held, ref } = world;
  held.release();
  pool.adopt(ref).release();
  expectAllBack(pool);
  expectEmpty(heap);
  heap.detach();
});

type ErrorClass = new (message: string) => Error;
type Row = readonly [
  name: string,
  ask: (w: World) => unknown,
  expected: ErrorClass,
  parts: readonly string[],
];

const bad = (value: unknown): never => value as never;

const optionRows = (
  ["label", "maxBuffers", "zero", "debug", "cachedViews", "currentDomain"] as const
).flatMap((option): Row[] => {
  const values: Record<typeof option, unknown[]> = {
    label: [5, null, {}],
    maxBuffers: ["8", null, {}],
    zero: [1, "yes", null],
    debug: [1, "yes", null],
    cachedViews: ["8", null],
    currentDomain: [5, {}, null],
  };
  return values[option].map((value) => [
    `option ${option}: ${JSON.stringify(value)}`,
    ({ heap }) => new BufferPool(heap, { [option]: value }),
    InvalidTypeError,
    [`Option "${option}" must be`, "got "],
  ]);
});

const ROWS: readonly Row[] = [
  ...optionRows,
  ...[0, -1, 1.5, 2 ** 20 + 1, Number.NaN].map(
    (maxBuffers): Row => [
      `maxBuffers ${maxBuffers}`,
      ({ heap }) => new BufferPool(heap, { maxBuffers }),
      InvalidValueError,
      ['Option "maxBuffers"', "from 1 to 1048576", `got ${maxBuffers}`],
    ],
  ),
  [
    "cachedViews 65537",
    ({ heap }) => new BufferPool(heap, { cachedViews: 65_537 }),
    InvalidValueError,
    ["from 0 to 65536", "got 65537"],
  ],
  [
    "an unknown option",
    ({ heap }) => new BufferPool(heap, bad({ size: 5 })),
    InvalidTypeError,
    ['"size"', "label"],
  ],
  [
    "an unknown debug option",
    ({ heap }) => new BufferPool(heap, { debug: bad({ x: 5 }) }),
    InvalidTypeError,
    ['"x"'],
  ],
  [
    "onLeak 5",
    ({ heap }) => new BufferPool(heap, { debug: { onLeak: bad(5) } }),
    InvalidTypeError,
    ['"onLeak"'],
  ],
  [
    "options 5",
    ({ heap }) => new BufferPool(heap, bad(5)),
    InvalidTypeError,
    ["BufferPool: options", "got 5"],
  ],
  ["no heap", () => new BufferPool(bad({})), InvalidTypeError, ["BufferPool: heap must be a SlabHeap"]],
  [
    "no heap to attach",
    ({ pool }) => BufferPool.attach(bad(1), pool.share()),
    InvalidTypeError,
    ["SlabHeap"],
  ],

  ...(["acquire", "tryAcquire"] as const).flatMap((method): Row[] => [
    ...[0, -1, 1.5, Number.NaN, Infinity, 65_537, 2 ** 32 + 64].map(
      (size): Row => [
        `${method}(${size})`,
        (w) => [w.free[method](size), w.pool[method](size)],
        InvalidValueError,
        [`${method}: size`, "from 1 to 65536", `got ${size}`],
      ],
    ),
    ...["64", undefined, null, [64], { valueOf: () => 64 }].map(
      (size): Row => [
        `${method}(${typeof size})`,
        (w) => w.free[method](bad(size)),
        InvalidTypeError,
        [`${method}: size must be a number`, "got "],
      ],
    ),
    [
      `${method} with options 5`,
      (w) => w.pool[method](64, bad(5)),
      InvalidTypeError,
      ["options must be an object"],
    ],
    [
      `${method} of nowhere`,
      (w) => w.pool[method](64, bad({ epoch: 1 })),
      InvalidTypeError,
      ['"epoch"', "domain"],
    ],
    ...[5, {}, { alloc: () => 0 }].map(
      (domain): Row => [
        `${method} in domain ${JSON.stringify(domain)}`,
        (w) => w.pool[method](64, { domain: bad(domain) }),
        InvalidTypeError,
        ['option "domain" must be a domain'],
      ],
    ),
  ]),

  ["share without a limit", ({ free }) => free.share(), InvalidValueError, ["has no maxBuffers"]],
  ...[undefined, null, 5, {}, { kind: "temporal-slab/heap" }].map(
    (ref): Row => [
      `attach to ${JSON.stringify(ref)}`,
      ({ heap }) => BufferPool.attach(heap, bad(ref)),
      HeapFormatError,
      ["expected what share() returned"],
    ],
  ),
  ...[undefined, new ArrayBuffer(4096), new SharedArrayBuffer(8), new SharedArrayBuffer(4096)].map(
    (buffer, i): Row => [
      `attach to buffer ${i}`,
      ({ heap, pool }) => BufferPool.attach(heap, { ...pool.share(), buffer: bad(buffer) }),
      HeapFormatError,
      ["ref.buffer"],
    ],
  ),
  [
    "attach to another version",
    ({ heap, pool }) => {
      const buffer = new SharedArrayBuffer(pool.share().buffer.byteLength);
      const words = new Int32Array(buffer);
      words.set(new Int32Array(pool.share().buffer));
      words[1] = 99;
      return BufferPool.attach(heap, { ...pool.share(), buffer });
    },
    HeapFormatError,
    ["version 99", "version 1"],
  ],
  [
    "attach to the pool of another heap",
    ({ pool }) => {
      const foreign = smallHeap();
      try {
        return BufferPool.attach(foreign, pool.share());
      } finally {
        foreign.detach();
      }
    },
    HeapFormatError,
    ["of another heap"],
  ],
  [
    "attach with maxBuffers",
    (w) => BufferPool.attach(w.heap, w.pool.share(), bad({ maxBuffers: 1 })),
    InvalidTypeError,
    ['"maxBuffers"'],
  ],

  ...[undefined, null, 5, "x"].map(
    (ref): Row => [
      `adopt ${String(ref)}`,
      (w) => w.pool.adopt(bad(ref)),
      InvalidTypeError,
      ["what detach() returned"],
    ],
  ),
  ["adopt {}", (w) => w.pool.adopt(bad({})), InvalidTypeError, ["adopt: handle must be a number"]],
  [
    "adopt NULL_HANDLE",
    (w) => w.pool.adopt(bad({ handle: 0, byteLength: 1 })),
    InvalidValueError,
    ["adopt: handle"],
  ],
  [
    "adopt a forgery",
    (w) => w.free.adopt(bad({ handle: 12345, byteLength: 1 })),
    StaleHandleError,
    ["12345"],
  ],
  ...[0, 1.5, 129].map(
    (byteLength): Row => [
      `adopt ${byteLength} bytes`,
      (w) => w.free.adopt({ handle: w.held.handle, byteLength }),
      InvalidValueError,
      ["adopt: byteLength", `got ${byteLength}`],
    ],
  ),
  [
    "adopt, permit 5",
    (w) => w.pool.adopt({ ...w.ref, permit: bad(5) }),
    InvalidTypeError,
    ["adopt: permit.index"],
  ],
  ["adopt a permit without a limit", (w) => w.free.adopt(w.ref), InvalidValueError, ["has no limit"]],
  [
    "adopt the permit of another limit",
    (w) => new BufferPool(w.heap, { maxBuffers: 9 }).adopt(w.ref),
    InvalidValueError,
    ["another pool's limit", "detach({ permit: false })"],
  ],
  ["adopt with options 5", (w) => w.pool.adopt(w.ref, bad(5)), InvalidTypeError, ["adopt: options"]],
  ...(["acquire", "tryAcquire"] as const).map(
    (method): Row => [
      `${method} where currentDomain returns what is no domain`,
      ({ heap }) => {
        for (const result of [{}, false, 5, "x", { alloc: () => 0 }, () => undefined]) {
          const led = new BufferPool(heap, { maxBuffers: 1, currentDomain: () => bad(result) });
          expect(thrownBy(() => led[method](64))).toBeInstanceOf(InvalidTypeError);
          expect(led.stats().inUseAllThreads).toBe(0);
        }
        return new BufferPool(heap, { currentDomain: () => bad(5) })[method](64);
      },
      InvalidTypeError,
      [`${method}: what currentDomain returns must be a domain`, "got 5"],
    ],
  ),
  [
    "adopt where currentDomain returns what is no domain",
    ({ heap, pool, ref }) =>
      BufferPool.attach(heap, pool.share(), { currentDomain: () => bad({}) }).adopt(ref),
    InvalidTypeError,
    ["adopt: what currentDomain returns must be a domain"],
  ],
  [
    "adopt in domain 5",
    (w) => w.pool.adopt(w.ref, { domain: bad(5) }),
    InvalidTypeError,
    ['option "domain" must be a domain'],
  ],
  ["detach with options 5", (w) => w.held.detach(bad(5)), InvalidTypeError, ["detach: options"]],
  ["detach with permit 5", (w) => w.held.detach({ permit: bad(5) }), InvalidTypeError, ['Option "permit"']],
];

test.each(ROWS)("%s", (_, ask, expected, parts) => {
  const { heap, pool, free } = world;
  const state = (): unknown => {
    const { outOfMemory: _o, ...stats } = pool.stats();
    return [stats, { ...free.stats(), viewMisses: 0 }, heap.verify().liveObjects];
  };
  const before = state();
  const error = thrownBy(() => ask(world));
  expect(error).toBeInstanceOf(expected);
  for (const part of parts) expect(error.message).toContain(part);
  expect(state()).toEqual(before);
});

const ASYNC_ROWS: readonly Row[] = [
  ...[0, 1.5, 65_537].map(
    (size): Row => [
      `acquireAsync(${size})`,
      (w) => w.pool.acquireAsync(size),
      InvalidValueError,
      ["acquireAsync: size", "from 1 to 65536", `got ${size}`],
    ],
  ),
  ["a size in words", (w) => w.pool.acquireAsync(bad("64")), InvalidTypeError, ["acquireAsync: size"]],
  ["options 5", (w) => w.pool.acquireAsync(64, bad(5)), InvalidTypeError, ["acquireAsync: options"]],
  [
    "an unknown option",
    (w) => w.pool.acquireAsync(64, bad({ ms: 5 })),
    InvalidTypeError,
    ['"ms"', "timeoutMs"],
  ],
  [
    "timeoutMs -1",
    (w) => w.pool.acquireAsync(64, { timeoutMs: -1 }),
    InvalidValueError,
    ["timeoutMs", "got -1"],
  ],
  ["signal 5", (w) => w.pool.acquireAsync(64, { signal: bad(5) }), InvalidTypeError, ["AbortSignal"]],
  [
    "a currentDomain that returns what is no domain",
    ({ heap }) => new BufferPool(heap, { currentDomain: () => bad({}) }).acquireAsync(64),
    InvalidTypeError,
    ["acquireAsync: what currentDomain returns must be a domain"],
  ],
  ["domain 5", (w) => w.pool.acquireAsync(64, { domain: bad(5) }), InvalidTypeError, ['"domain"']],
];

test.each(ASYNC_ROWS)("rejects: %s", async (_, ask, expected, parts) => {
  const before = world.pool.stats();
  const error = await (ask(world) as Promise<unknown>).then(
    () => new Error("resolved"),
    (reason: Error) => reason,
  );
  expect(error).toBeInstanceOf(expected);
  for (const part of parts) expect(error.message).toContain(part);
  expect(world.pool.stats()).toEqual(before);
});

test("what is no number never reaches arithmetic, and other seats' pools are as strict", () => {
  const other = another(world.heap);
  const pool = BufferPool.attach(other, world.pool.share());
  expect(pool.label).toBe("busy");
  expect(() => pool.adopt(bad({ handle: String(world.held.handle), byteLength: 5 }))).toThrow(
    InvalidTypeError,
  );
  other.detach();
});

test("currentDomain may return null, which is no domain", () => {
  const led = new BufferPool(world.heap, { currentDomain: () => null });
  for (const buffer of [led.acquire(64), led.tryAcquire(64)]) expect(buffer?.release()).toBe(true);
  expectAllBack(led);
});

test("a pool is neither made on a heap that was detached nor attached to it", () => {
  const other = another(world.heap);
  other.detach();
  for (const make of [
    () => new BufferPool(other),
    () => new BufferPool(other, { maxBuffers: 2 }),
    () => BufferPool.attach(other, world.pool.share()),
  ]) {
    expect(make).toThrow(HeapDetachedError);
  }
  expect(() => BufferPool.attach(other, world.pool.share())).toThrow("BufferPool.attach");
});
