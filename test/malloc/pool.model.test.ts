/**
 * Defends: whatever sequence of calls one or two threads' pools make on one heap, the pool behaves like a map from
 * pointers to byte strings: contents stay and move with realloc, blocks never overlap, nothing but the start of a live
 * block is freed, 0 is only said when it is true and then changes nothing, and the statistics are those of the map.
 * Method: random scripts (fast-check, so that failures shrink) run on a real pool and on plain collections; every block
 * is filled from its serial and compared in full; the pool is small, so that scripts fill it.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { SlabHeap } from "../../src/allocator/index.js";
import { MemPool, type MemPoolOptions } from "../../src/malloc/index.js";
import { testSeed } from "../model/seed.js";
import { expectSound, expectWholePoolBack } from "./support.js";

const KIB = 1024;
const SCRIPTS = 400;

const size = fc.oneof(
  fc.integer({ min: 1, max: 80 }),
  fc.integer({ min: 1, max: 3000 }),
  fc.integer({ min: 1, max: 40_000 }),
  fc.constantFrom(0, -1, 0.5, 16.25, 4 * KIB, 4 * KIB + 1, 2 ** 40),
);
const pick = fc.nat(1000);
const command = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("malloc" as const), size, by: pick }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("calloc" as const), size, by: pick }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("array" as const), size, by: pick }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant("free" as const), at: pick, by: pick }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("freeView" as const), at: pick, by: pick }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("refused" as const), at: pick, off: pick, by: pick }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant("realloc" as const), at: pick, size, by: pick }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("advance" as const), by: pick }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("stats" as const), by: pick }) },
);
const rare = fc.record({ do: fc.constant("freeAll" as const), by: pick });
const script = fc.record({
  pools: fc.integer({ min: 1, max: 2 }),
  align: fc.constantFrom(undefined, 16, 64, 256),
  size: fc.constantFrom(1, 4 * KIB, 100_000),
  parts: fc.array(fc.tuple(fc.array(command, { maxLength: 120, size: "max" }), fc.option(rare)), {
    maxLength: 3,
  }),
});
type Command = typeof command extends fc.Arbitrary<infer C> ? C : never;

interface Block {
  readonly pointer: number;
  readonly contents: Uint8Array;
  /** Usable bytes. */
  readonly room: number;
}

/** A pool, seen by one or two seats, and what it must hold. */
class Model {
  readonly live: Block[] = [];
  readonly stale: number[] = [];
  readonly effort = { mallocs: 0, frees: 0, moved: 0, stayed: 0, full: 0, freeAlls: 0 };
  private readonly pools: MemPool[];
  private serial = 0;

  constructor(options: MemPoolOptions, pools: number) {
    const first = new MemPool(options);
    this.pools = [first];
    if (pools === 2) this.pools.push(MemPool.attach(first.share(), { sameThread: true }));
    this.align = options.align ?? 8;
  }
  private readonly align: number;

  get first(): MemPool {
    return this.pools[0] as MemPool;
  }

  get heap(): SlabHeap {
    return this.first.heap;
  }

  run(step: Command): void {
    const pool = this.pools[step.by % this.pools.length] as MemPool;
    if (step.do === "malloc") this.add(pool.malloc(step.size), step.size);
    else if (step.do === "calloc") this.add(pool.calloc(step.size, 0xab), step.size, 0xab);
    else if (step.do === "array") {
      const array = pool.mallocAs("i16", step.size / 2);
      if (array !== undefined) expect(array).toHaveLength(Math.trunc(step.size / 2));
      this.add(array?.byteOffset ?? 0, step.size);
    } else if (step.do === "free" || step.do === "freeView") this.free(pool, step.at, step.do === "freeView");
    else if (step.do === "refused") this.refused(pool, step.at, step.off);
    else if (step.do === "realloc") this.realloc(pool, step.at, step.size);
    else if (step.do === "advance") pool.heap.advanceEpoch();
    else this.checkStats(pool);
  }

  freeAll(by: number): void {
    (this.pools[by % this.pools.length] as MemPool).freeAll();
    for (const { pointer } of this.live.splice(0)) this.stale.push(pointer);
    for (const pointer of this.stale) for (const pool of this.pools) expect(pool.free(pointer)).toBe(false);
    expect(this.first.stats().used).toEqual({ count: 0, size: 0 });
    this.effort.freeAlls++;
  }

  private add(pointer: number, size: number, filled?: number): void {
    const bytes = Math.ceil(size);
    if (bytes <= 0 || bytes > this.heap.capacity) {
      expect(pointer, `a block of ${size} bytes`).toBe(0);
      return;
    }
    if (pointer === 0) {
      this.expectFull(bytes);
      return;
    }
    expect(pointer % this.align).toBe(0);
    if (filled !== undefined) {
      expect(this.heap.u8.subarray(pointer, pointer + bytes).every((byte) => byte === filled)).toBe(true);
    }
    this.keep(pointer, bytes);
    this.effort.mallocs++;
  }

  /** Fills and notes a block; it must be apart from all others. */
  private keep(pointer: number, bytes: number): void {
    const room = this.heap.sizeOf(this.heap.handleAt(pointer));
    expect(room).toBeGreaterThanOrEqual(bytes);
    expect(pointer + room).toBeLessThanOrEqual(this.heap.buffer.byteLength);
    for (const other of this.live) {
      const apart = pointer + room <= other.pointer || other.pointer + other.room <= pointer;
      expect(apart, `${pointer}+${room} beside ${other.pointer}+${other.room}`).toBe(true);
    }
    this.serial++;
    const contents = Uint8Array.from({ length: bytes }, (_, i) => (this.serial * 31 + i * 7) & 0xff);
    this.heap.u8.set(contents, pointer);
    this.live.push({ pointer, contents, room });
  }

  private free(pool: MemPool, at: number, asView: boolean): void {
    if (this.live.length === 0) return;
    const [block] = this.live.splice(at % this.live.length, 1) as [Block];
    this.expectContents(block.pointer, block.contents);
    const view = new Uint8Array(pool.buf, block.pointer, 1);
    expect(pool.free(asView ? view : block.pointer)).toBe(true);
    expect(pool.free(asView ? view : block.pointer)).toBe(false);
    this.stale.push(block.pointer);
    this.effort.frees++;
  }

  private refused(pool: MemPool, at: number, off: number): void {
    const starts = new Set(this.live.map(({ pointer }) => pointer));
    const inside = this.live[at % Math.max(1, this.live.length)];
    const wrong = [0, -8, 1, this.stale[at % Math.max(1, this.stale.length)] ?? 0];
    if (inside !== undefined) wrong.push(inside.pointer + 1 + (off % inside.room));
    for (const pointer of wrong.filter((candidate) => !starts.has(candidate))) {
      expect(pool.free(pointer), `free(${pointer})`).toBe(false);
      expect(pool.realloc(pointer, 10), `realloc(${pointer})`).toBe(0);
    }
  }

  private realloc(pool: MemPool, at: number, size: number): void {
    const block = this.live[at % Math.max(1, this.live.length)];
    if (block === undefined) return;
    const bytes = Math.ceil(size);
    const pointer = pool.realloc(block.pointer, size);
    if (pointer === 0) {
      this.expectContents(block.pointer, block.contents);
      if (bytes > 0 && bytes <= this.heap.capacity) this.expectFull(bytes);
      return;
    }
    const kept = block.contents.subarray(0, Math.min(bytes, block.contents.length));
    this.expectContents(pointer, kept);
    if (bytes <= block.room) expect(pointer, "a block with room").toBe(block.pointer);
    this.live.splice(this.live.indexOf(block), 1);
    if (pointer === block.pointer) {
      this.effort.stayed++;
    } else {
      this.stale.push(block.pointer);
      this.effort.moved++;
      expect(pool.free(block.pointer)).toBe(false);
    }
    this.keep(pointer, bytes);
  }

  /**
   * 0 is true: a small block needs one free slab, and there is none. What the other seat has yet to give back does not count
   * until it has looked. A large block needs a run of slabs, and what is free may be cut up.
   */
  private expectFull(bytes: number): void {
    const { slabSize, sizeClasses } = this.heap;
    this.effort.full++;
    if (bytes > (sizeClasses[sizeClasses.length - 1] as number)) return;
    const slabs = (): number => {
      const { available, free } = this.first.stats();
      return (available - free.size) / slabSize;
    };
    if (this.pools.length === 1) {
      expect(slabs(), `slabs while ${bytes} bytes failed`).toBe(0);
      return;
    }
    // The seat that holds slabs back can have them.
    const left = slabs();
    const pointers = this.pools.map((each) => each.malloc(bytes)).filter((pointer) => pointer !== 0);
    if (left > 0) expect(pointers, `${bytes} bytes with ${left} slabs`).not.toEqual([]);
    for (const pointer of pointers) expect(this.first.free(pointer)).toBe(true);
  }

  private expectContents(pointer: number, contents: Uint8Array): void {
    const found = this.heap.u8.subarray(pointer, pointer + contents.length);
    const wrong = contents.findIndex((byte, i) => found[i] !== byte);
    expect(wrong, `first wrong byte of the block at ${pointer}`).toBe(-1);
  }

  private checkStats(pool: MemPool): void {
    const { used, free, available, total, top } = pool.stats();
    expect(used).toEqual({
      count: this.live.length,
      size: this.live.reduce((sum, { room }) => sum + room, 0),
    });
    expect(free.size).toBeGreaterThanOrEqual(16 * free.count);
    expect(total).toBe(pool.buf.byteLength);
    const payload = total - this.heap.capacity;
    expect(available - free.size).toBe(this.heap.capacity - (top - payload));
    expect(used.size + available).toBeLessThanOrEqual(this.heap.capacity);
  }

  finish(): void {
    for (const pool of this.pools) this.checkStats(pool);
    for (const { pointer, contents } of this.live) this.expectContents(pointer, contents);
    for (const { heap } of this.pools) heap.poll();
    expectSound(this.first);
    for (const pool of this.pools.slice(1)) pool.release();
    expectWholePoolBack(this.first);
    this.first.release();
  }
}

test(`${SCRIPTS} random scripts against a map`, { timeout: 300_000 }, () => {
  const seed = testSeed("malloc");
  const total = { mallocs: 0, frees: 0, moved: 0, stayed: 0, full: 0, freeAlls: 0 };
  fc.assert(
    fc.property(script, ({ pools, align, size: bytes, parts }) => {
      const model = new Model({ size: bytes, maxWorkers: 3, ...(align && { align }) }, pools);
      for (const [commands, last] of parts) {
        for (const step of commands) model.run(step);
        if (last !== null) model.freeAll(last.by);
      }
      model.finish();
      for (const key of Object.keys(total) as (keyof typeof total)[]) total[key] += model.effort[key];
    }),
    { seed, numRuns: SCRIPTS, interruptAfterTimeLimit: 240_000, markInterruptAsFailure: true },
  );
  console.log(`malloc: ${JSON.stringify(total)}`);
  // The scripts must reach what they are meant to reach.
  for (const count of Object.values(total)) expect(count).toBeGreaterThan(SCRIPTS / 10);
});
