/**
 * Defends: what the pool promises beyond `@thi.ng/malloc`: a size class each in the smallest pool, alignment, the epoch
 * followed by itself, statistics that are true, buffers of the caller's, heaps of the caller's, release.
 * Method: example by example; what stats() says is tried out by allocating it.
 */
import { describe, expect, test, vi } from "vitest";
import { HeapDetachedError, SlabHeap } from "../../src/allocator/index.js";
import { MemPool } from "../../src/malloc/index.js";
import { expectSound, expectWholePoolBack, keep, ourPool, theirPool } from "./support.js";

const KIB = 1024;

describe("size", () => {
  test.each([1, 4 * KIB, 5000, 100_000, KIB * KIB, 5_000_000])(
    "%i bytes: that much and a slab per class",
    (size) => {
      const { heap } = ourPool({ size });
      const slabs = Math.ceil(size / heap.slabSize) + heap.sizeClasses.length;
      expect(heap.capacity).toBe(slabs * heap.slabSize);
      expect(heap.slabSize).toBe(size < 512 * KIB ? 4 * KIB : size < 4_000_000 ? 16 * KIB : 64 * KIB);
    },
  );

  test("64 MiB by default", () => {
    expect(ourPool().heap.capacity).toBe(64 * KIB * KIB + 40 * 64 * KIB);
  });

  test("the smallest pool holds a block of every class at once, and its payload as one block", () => {
    const pool = ourPool({ size: 1 });
    for (const size of pool.heap.sizeClasses) expect(pool.malloc(size), `${size} bytes`).toBeGreaterThan(0);
    expectWholePoolBack(pool);
  });

  test("whatever fits a fresh 4 KiB pool of @thi.ng/malloc fits ours", () => {
    // One block of every class from the smallest size that needs it: what a slab heap finds hardest.
    const their = theirPool({ size: 4 * KIB });
    const our = ourPool({ size: 4 * KIB });
    const sizes = [1, ...our.heap.sizeClasses.map((size) => size + 1)];
    let blocks = 0;
    for (let i = 0; their.malloc(sizes[i % sizes.length] as number) !== 0; i++) {
      expect(our.malloc(sizes[i % sizes.length] as number)).toBeGreaterThan(0);
      blocks++;
    }
    expect(blocks).toBeGreaterThan(15);
  });
});

describe("align", () => {
  test.each([8, 16])("%i: the heap's own size classes", (align) => {
    const heap = SlabHeap.create({ capacity: KIB * KIB, slabSize: 16 * KIB });
    expect(ourPool({ size: KIB * KIB, align }).heap.sizeClasses).toEqual(heap.sizeClasses);
    heap.detach();
  });

  test.each([32, 64, 256, 4096])("%i: those rounded up, each once", (align) => {
    const heap = SlabHeap.create({ capacity: 4 * KIB * KIB });
    const rounded = heap.sizeClasses.map((size) => Math.ceil(size / align) * align);
    heap.detach();
    const pool = ourPool({ size: 4 * KIB * KIB, align });
    expect(pool.heap.sizeClasses).toEqual([...new Set(rounded)]);
    for (const size of [1, 100, 5000, 30_000, 70_000, 200_000]) {
      for (let i = 0; i < 3; i++) expect(pool.malloc(size) % align, `${size} bytes`).toBe(0);
    }
  });
});

describe("epochs", () => {
  test("malloc follows the epoch, however often it moves", () => {
    const pool = ourPool({ size: 64 * KIB });
    for (let i = 0; i < 100; i++) {
      const { era } = pool.heap.advanceEpoch();
      const pointer = pool.malloc(32);
      expect(pool.heap.epochOf(pool.heap.handleAt(pointer)).era).toBe(era);
      expect(pool.free(pointer)).toBe(true);
    }
    expectWholePoolBack(pool);
  });

  test("an answer of 0 for a closed epoch is asked again, one for a full heap is not", () => {
    const pool = ourPool({ size: 64 * KIB });
    const { heap } = pool;
    const real = heap.allocOffset.bind(heap);
    let failures = 3;
    let why: SlabHeap["lastFailure"] = "epoch-closed";
    const allocOffset = vi.fn((size: number) => (failures-- > 0 ? 0 : real(size)));
    Object.defineProperty(heap, "allocOffset", { value: allocOffset, configurable: true });
    Object.defineProperty(heap, "lastFailure", { get: () => why, configurable: true });
    for (const size of [100, 100.5]) {
      failures = 3;
      expect(pool.malloc(size)).toBeGreaterThan(0);
    }
    expect(allocOffset).toHaveBeenCalledTimes(8);
    failures = 1;
    why = "out-of-memory";
    expect(pool.malloc(100)).toBe(0);
    expect(allocOffset).toHaveBeenCalledTimes(9);
    Reflect.deleteProperty(heap, "allocOffset");
    Reflect.deleteProperty(heap, "lastFailure");
  });

  test("freeAll ends handles and objects of domains too, in whatever epoch, and may be repeated", () => {
    const pool = ourPool({ size: 64 * KIB });
    for (let round = 0; round < 40; round++) {
      const handle = pool.heap.alloc(100);
      pool.heap.advanceEpoch();
      const pointer = pool.malloc(100);
      pool.freeAll();
      expect(pool.heap.isLive(handle)).toBe(false);
      expect(pool.free(pointer)).toBe(false);
      expect(pool.stats().available).toBe(pool.heap.capacity);
    }
  });
});

describe("stats", () => {
  test("free blocks can be had without another slab; then top rises", () => {
    const pool = ourPool({ size: KIB * KIB });
    const blocks = Array.from({ length: 1000 }, () => pool.malloc(200));
    for (const pointer of blocks.filter((_, i) => i % 3 === 0)) pool.free(pointer);
    const { free, top, available } = pool.stats();
    expect(free.count).toBeGreaterThanOrEqual(334);
    expect(free.size).toBe(free.count * 224);
    for (let i = 0; i < free.count; i++) pool.malloc(200);
    expect(pool.stats()).toMatchObject({
      top,
      free: { count: 0, size: 0 },
      available: available - free.size,
    });
    pool.malloc(200);
    expect(pool.stats().top).toBe(top + pool.heap.slabSize);
  });

  test("available can be allocated, to the last block", () => {
    const pool = ourPool({ size: 100_000 });
    const { available, top } = pool.stats();
    expect(top).toBe(pool.buf.byteLength - pool.heap.capacity);
    let blocks = 0;
    while (pool.malloc(16) !== 0) blocks++;
    expect(blocks * 16).toBe(available);
    expect(pool.stats()).toEqual({
      free: { count: 0, size: 0 },
      used: { count: blocks, size: available },
      top: pool.buf.byteLength,
      available: 0,
      total: pool.buf.byteLength,
    });
  });

  test("large blocks count as whole slabs; closed epochs have nothing free", () => {
    const pool = ourPool({ size: KIB * KIB });
    const { slabSize, capacity } = pool.heap;
    const large = pool.malloc(slabSize * 2 + 1);
    pool.malloc(1000);
    expect(pool.stats().used).toEqual({ count: 2, size: 3 * slabSize + 1024 });
    pool.heap.advanceEpoch();
    expect(pool.stats().free).toEqual({ count: 0, size: 0 });
    expect(pool.stats().available).toBe(capacity - 4 * slabSize);
    pool.free(large);
    expect(pool.stats().available).toBe(capacity - slabSize);
  });
});

describe("arrays", () => {
  test("of bigints, filled and not", () => {
    const pool = ourPool({ size: 64 * KIB });
    expect(pool.callocAs("i64", 3, -5n)).toEqual(BigInt64Array.of(-5n, -5n, -5n));
    expect(pool.callocAs("u64", 2)).toEqual(BigUint64Array.of(0n, 0n));
    expect(pool.callocAs("u64", 2, 0)).toEqual(BigUint64Array.of(0n, 0n));
    const array = pool.mallocAs("u64", 40);
    expect(array?.byteLength).toBe(320);
    expect(pool.reallocAs(array as BigUint64Array, 100)).toHaveLength(100);
  });

  test("every array begins where its pointer says and is freed by it", () => {
    const pool = ourPool({ size: 64 * KIB });
    const array = pool.callocAs("f32", 10, -0) as Float32Array;
    expect(Object.is(array[9], -0)).toBe(true);
    expect(pool.free(new DataView(pool.buf, array.byteOffset, 4))).toBe(true);
    expect(pool.free(array)).toBe(false);
  });
});

describe("realloc", () => {
  test("moves the old usable bytes, frees the old block, and gives the room of a class in place", () => {
    const pool = ourPool({ size: 64 * KIB });
    const pointer = pool.malloc(100);
    pool.heap.u8.fill(9, pointer, pointer + 112);
    expect(pool.realloc(pointer, 112)).toBe(pointer);
    const moved = pool.realloc(pointer, 113);
    expect(moved).not.toBe(pointer);
    expect([...pool.heap.u8.subarray(moved, moved + 112)]).toEqual(new Array(112).fill(9));
    expect(pool.free(pointer)).toBe(false);
    expect(pool.stats().used).toEqual({ count: 1, size: 128 });
  });

  test("without room for the new block the old one stays as it is", () => {
    const pool = ourPool({ size: 64 * KIB });
    const pointer = pool.calloc(pool.heap.slabSize * 10, 5);
    while (pool.malloc(pool.heap.slabSize) !== 0);
    const before = pool.stats();
    expect(pool.realloc(pointer, pool.heap.slabSize * 11)).toBe(0);
    expect(pool.stats()).toEqual(before);
    expect(pool.heap.u8[pointer + pool.heap.slabSize * 10 - 1]).toBe(5);
    expect(pool.free(pointer)).toBe(true);
  });

  test("a block that another thread frees meanwhile: 0, and the heap keeps nothing of it", () => {
    const pool = ourPool({ size: 64 * KIB });
    const { heap } = pool;
    for (const when of ["sizeOf", "free"] as const) {
      const pointer = pool.malloc(100);
      const real = heap[when].bind(heap) as (handle: unknown) => never;
      Object.defineProperty(heap, when, {
        configurable: true,
        value(handle: unknown) {
          expect(heap.freeOffset(pointer)).toBe(true);
          return real(handle);
        },
      });
      expect(pool.realloc(pointer, 1000)).toBe(0);
      Reflect.deleteProperty(heap, when);
      expect(pool.stats().used.count).toBe(0);
    }
  });
});

describe("buffers and heaps of the caller's", () => {
  test("a pool in a given buffer, and another attached to it by skipInitialization", () => {
    const buf = new SharedArrayBuffer(KIB * KIB);
    const pool = ourPool({ buf, end: buf.byteLength, start: 0, size: 77, align: 64 });
    expect(pool.buf).toBe(buf);
    expect(pool.heap.capacity).toBeGreaterThan(500 * KIB);
    expect(pool.heap.capacity).toBeLessThan(buf.byteLength);
    const other = keep(new MemPool({ buf, skipInitialization: true, sameThread: true, align: 64 }));
    const pointer = pool.malloc(100);
    expect(other.free(pointer)).toBe(true);
    expect(other.release()).toBe(true);
    expect(pool.heap.seats().filter(({ state }) => state === "LIVE")).toHaveLength(1);
    expectWholePoolBack(pool);
  });

  test("seats by the size of the buffer, or as asked for", () => {
    const seats = (bytes: number, maxWorkers?: number): number => {
      const buf = new SharedArrayBuffer(bytes);
      const pool = ourPool({ buf, ...(maxWorkers && { maxWorkers }) });
      const others: MemPool[] = [];
      try {
        for (;;) others.push(MemPool.attach(pool.share(), { sameThread: true }));
      } catch (error) {
        expect((error as { code: string }).code).toBe("ERR_TSLAB_SEATS_EXHAUSTED");
      }
      for (const other of others) other.release();
      return others.length + 1;
    };
    expect(seats(512 * KIB)).toBe(4);
    expect(seats(128 * KIB, 1)).toBe(1);
    expect(seats(4096 * KIB)).toBe(12);
  });

  test("a pool on a heap shares its objects and leaves it attached", () => {
    const heap = SlabHeap.create({ capacity: 64 * KIB, slabSize: 4 * KIB });
    const [pool, second] = [keep(new MemPool({ heap })), keep(new MemPool({ heap, align: 16 }))];
    const handle = heap.alloc(100);
    expect(pool.free(heap.byteOffset(handle))).toBe(true);
    expect(heap.isLive(handle)).toBe(false);
    expect(second.stats().used.count).toBe(0);
    expect(pool.release()).toBe(true);
    expect(() => pool.malloc(8)).toThrow(HeapDetachedError);
    expect(second.malloc(8)).toBeGreaterThan(0);
    second.release();
    expect(heap.alloc(8)).toBeGreaterThan(0);
    heap.detach();
  });

  test("a heap smaller than the fast path's sizes: 0 for what it cannot hold", () => {
    const pool = keep(new MemPool({ heap: SlabHeap.create({ capacity: 4 * KIB, slabSize: 4 * KIB }) }));
    expect([pool.malloc(5000), pool.malloc(4096.5), pool.malloc(33_000)]).toEqual([0, 0, 0]);
    expect(pool.malloc(4096)).toBeGreaterThan(0);
    pool.heap.detach();
    pool.release();
  });
});

describe("release", () => {
  test("gives the seat back, once; blocks live on; every later call throws", () => {
    const pool = ourPool({ size: 64 * KIB });
    const other = MemPool.attach(pool.share(), { sameThread: true });
    const pointer = other.malloc(100);
    const { seat } = other.heap;
    expect([other.release(), other.release()]).toEqual([true, true]);
    expect(pool.heap.seats().find((info) => info.seat === seat)?.state).toBe("FREE");
    const calls: (() => unknown)[] = [
      () => other.malloc(8),
      () => other.malloc(0),
      () => other.free(8),
      () => other.calloc(8),
      () => other.realloc(8, 8),
      () => other.mallocAs("u8", 8),
      () => other.callocAs("u8", 8),
      () => other.reallocAs(new Uint8Array(1), 8),
      () => other.reallocArray(new Uint8Array(1), 8),
      () => other.stats(),
      () => other.freeAll(),
    ];
    for (const call of calls) expect(call).toThrow(HeapDetachedError);
    expect(other.share().buffer).toBe(pool.buf);
    expect(pool.free(pointer)).toBe(true);
    expectSound(pool);
  });

  test("by using", () => {
    let seen: MemPool;
    {
      using pool = new MemPool({ size: 4 * KIB });
      expect(pool.malloc(8)).toBeGreaterThan(0);
      seen = pool;
    }
    expect(() => seen.malloc(8)).toThrow(HeapDetachedError);
  });

  test("a heap that is detached under a pool says so itself", () => {
    const pool = ourPool({ size: 4 * KIB });
    pool.heap.detach();
    expect(() => pool.malloc(8)).toThrow(HeapDetachedError);
    expect(() => pool.free(8)).toThrow(HeapDetachedError);
    expect(pool.release()).toBe(true);
  });
});
