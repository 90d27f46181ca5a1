/**
 * Defends: whatever sequence of operations, a pool behaves like a set of byte strings with a limit: every live buffer keeps
 * its contents, each ends exactly once and when it should, refusals are right, statistics are exact, and in the end nothing
 * is left in the heap.
 * Method: random scripts (fast-check, so that failures shrink) on pools of two seats that share a limit or have none, against
 * a model of plain arrays; every live buffer's bytes are compared after every step.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { OutOfMemoryError, PoolExhaustedError } from "../../src/allocator/errors.js";
import type { EpochDomain } from "../../src/allocator/heap/domain.js";
import type { SlabHeap } from "../../src/allocator/heap/heap.js";
import {
  BufferPool,
  type BufferPoolOptions,
  type PooledBuffer,
  type PooledRef,
} from "../../src/pool/index.js";
import { testSeed } from "../model/seed.js";
import { another, expectAllBack, expectEmpty, isStamped, SLAB, smallHeap, stamp } from "./support.js";

const SCRIPTS = 1000;

const options: fc.Arbitrary<BufferPoolOptions> = fc.record(
  {
    maxBuffers: fc.integer({ min: 1, max: 12 }),
    zero: fc.boolean(),
    debug: fc.constantFrom(false, { onLeak: () => {} }),
    cachedViews: fc.constantFrom(0, 1, 8, 4096),
  },
  { requiredKeys: [] },
);

const which = fc.nat({ max: 1000 });
const size = fc.oneof(fc.integer({ min: 1, max: 1200 }), fc.integer({ min: 1, max: 3 * SLAB }));
const command = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ op: fc.constant("acquire" as const), pool: which, size, plain: fc.boolean() }),
  },
  { weight: 5, arbitrary: fc.record({ op: fc.constant("release" as const), which }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("releaseAgain" as const), which }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("detach" as const), which, permit: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("adopt" as const), pool: which, which }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("freeBehind" as const), which }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("open" as const), pool: which }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("exit" as const), pool: which }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("epoch" as const), discard: fc.boolean() }) },
);
type Command = typeof command extends fc.Arbitrary<infer T> ? T : never;

interface Held {
  readonly buffer: PooledBuffer;
  readonly serial: number;
  readonly seat: number;
  readonly domain: EpochDomain | undefined;
  /** Its object is gone: freed or discarded by somebody. */
  gone: boolean;
}

interface Travelling {
  readonly ref: PooledRef;
  readonly serial: number;
  gone: boolean;
}

class World {
  readonly heaps: readonly SlabHeap[];
  readonly pools: readonly BufferPool[];
  readonly limit: number;
  readonly zero: boolean;
  readonly domains: EpochDomain[][] = [[], []];
  held: Held[] = [];
  ended: PooledBuffer[] = [];
  travelling: Travelling[] = [];
  serial = 0;
  refused = 0;
  outOfMemory = 0;

  constructor({ maxBuffers, ...rest }: BufferPoolOptions) {
    const heap = smallHeap();
    const other = another(heap);
    this.heaps = [heap, other];
    const limited = maxBuffers !== undefined;
    const first = new BufferPool(heap, { ...rest, ...(limited ? { maxBuffers } : {}) });
    this.pools = [
      first,
      limited ? BufferPool.attach(other, first.share(), rest) : new BufferPool(other, rest),
    ];
    this.limit = maxBuffers ?? Number.POSITIVE_INFINITY;
    this.zero = rest.zero === true;
  }

  get permitsInUse(): number {
    return this.held.length + this.travelling.filter(({ ref }) => ref.permit !== undefined).length;
  }

  run(command: Command): void {
    if (command.op === "acquire") this.acquire(command.pool % 2, command.size, command.plain);
    else if (command.op === "adopt") this.adopt(command.pool % 2, command.which);
    else if (command.op === "epoch") this.changeEpoch(command.discard);
    else if (command.op === "open") this.open(command.pool % 2);
    else if (command.op === "exit") this.exit(command.pool % 2);
    else if (command.op === "releaseAgain") this.releaseAgain(command.which);
    else if (command.op === "freeBehind") this.freeBehind(command.which);
    else {
      const [held] = this.held.splice(command.which % (this.held.length || 1), 1);
      if (held === undefined) return;
      if (command.op === "release") this.release(held);
      else this.detach(held, command.permit);
    }
  }

  releaseAgain(index: number): void {
    const old = this.ended[index % (this.ended.length || 1)];
    if (old !== undefined) expect(old.release()).toBe(false);
  }

  detach(held: Held, permit: boolean): void {
    const ref = structuredClone(held.buffer.detach({ permit }));
    expect(ref.permit !== undefined).toBe(permit && Number.isFinite(this.limit));
    this.travelling.push({ ref, serial: held.serial, gone: held.gone });
    this.ended.push(held.buffer);
  }

  freeBehind(index: number): void {
    const held = this.held[index % (this.held.length || 1)];
    if (held === undefined) return;
    expect(this.heaps[0]?.free(held.buffer.handle)).toBe(!held.gone);
    held.gone = true;
  }

  open(seat: number): void {
    this.domains[seat]?.push((this.heaps[seat] as SlabHeap).openDomain());
  }

  exit(seat: number): void {
    const domain = this.domains[seat]?.pop();
    domain?.exit();
    this.end(domain);
  }

  acquire(seat: number, bytes: number, plain: boolean): void {
    const pool = this.pools[seat] as BufferPool;
    const domain = plain ? undefined : this.domains[seat]?.at(-1);
    let buffer: PooledBuffer;
    try {
      buffer = pool.acquire(bytes, ...(plain ? [{ domain: null }] : []));
    } catch (error) {
      // A permit is asked for first, so the model always knows which error it must be.
      expect(error).toBeInstanceOf(this.permitsInUse >= this.limit ? PoolExhaustedError : OutOfMemoryError);
      if (error instanceof OutOfMemoryError) this.outOfMemory++;
      else this.refused++;
      return;
    }
    expect(this.permitsInUse).toBeLessThan(this.limit);
    expect(buffer.bytes.length).toBe(bytes);
    if (this.zero) expect(buffer.bytes.every((byte) => byte === 0)).toBe(true);
    this.hold(seat, buffer, ++this.serial, domain);
    stamp(buffer, this.serial);
  }

  hold(seat: number, buffer: PooledBuffer, serial: number, domain: EpochDomain | undefined): void {
    this.held.push({ buffer, serial, seat, domain, gone: false });
  }

  adopt(seat: number, index: number): void {
    const pool = this.pools[seat] as BufferPool;
    const at = index % (this.travelling.length || 1);
    const [travelling] = this.travelling.splice(at, 1);
    if (travelling === undefined) return;
    const { ref, serial, gone } = travelling;
    if (gone) {
      expect(() => pool.adopt(ref)).toThrow("no live object");
    } else if (ref.permit === undefined && this.permitsInUse >= this.limit) {
      expect(() => pool.adopt(ref)).toThrow(PoolExhaustedError);
      this.travelling.push(travelling);
    } else {
      this.hold(seat, pool.adopt(ref), serial, this.domains[seat]?.at(-1));
    }
  }

  release({ buffer, serial, gone }: Held): void {
    if (!gone) expect(isStamped(buffer.bytes, serial)).toBe(true);
    expect(buffer.release()).toBe(!gone);
    this.ended.push(buffer);
  }

  /** What a domain must have released. */
  end(domain: EpochDomain | undefined): void {
    if (domain === undefined) return;
    for (const { buffer } of this.held.filter((held) => held.domain === domain)) {
      expect(buffer.released).toBe(true);
      this.ended.push(buffer);
    }
    this.held = this.held.filter((held) => held.domain !== domain);
  }

  changeEpoch(discard: boolean): void {
    const [heap] = this.heaps as [SlabHeap, SlabHeap];
    if (!discard) {
      heap.advanceEpoch();
      return;
    }
    const { currentEpoch } = heap;
    for (const object of this.held) {
      if (!object.gone && heap.epochOf(object.buffer.handle).era === currentEpoch.era) object.gone = true;
    }
    for (const object of this.travelling) {
      if (!object.gone && heap.epochOf(object.ref.handle).era === currentEpoch.era) object.gone = true;
    }
    heap.discardEpoch(currentEpoch);
  }

  check(): void {
    for (const { buffer, serial, gone } of this.held) {
      expect(buffer.released).toBe(false);
      if (!gone) expect(isStamped(buffer.bytes, serial)).toBe(true);
    }
    this.pools.forEach((pool, seat) => {
      const mine = this.held.filter((held) => held.seat === seat);
      const stats = pool.stats();
      expect(stats.inUse).toBe(mine.length);
      expect(stats.bytesInUse).toBe(mine.reduce((sum, { buffer }) => sum + buffer.byteLength, 0));
      if (Number.isFinite(this.limit)) expect(stats.inUseAllThreads).toBe(this.permitsInUse);
    });
  }

  finish(): void {
    for (const seat of [0, 1]) while (this.domains[seat]?.length !== 0) this.exit(seat);
    this.check();
    for (const held of this.held.splice(0)) this.release(held);
    while (this.travelling.length > 0) {
      this.adopt(0, 0);
      for (const held of this.held.splice(0)) this.release(held);
    }
    const [heap, other] = this.heaps as [SlabHeap, SlabHeap];
    for (const pool of this.pools) expectAllBack(pool);
    expectEmpty(heap, other);
    other.detach();
    heap.detach();
  }
}

test(`${SCRIPTS} random scripts`, { timeout: 300_000 }, () => {
  const seed = testSeed("pool model");
  const effort = { acquired: 0, refused: 0, outOfMemory: 0 };
  fc.assert(
    fc.property(
      options,
      fc.array(command, { minLength: 1, maxLength: 80, size: "max" }),
      (given, commands) => {
        const world = new World(given);
        for (const each of commands) {
          world.run(each);
          world.check();
        }
        world.finish();
        effort.acquired += world.serial;
        effort.refused += world.refused;
        effort.outOfMemory += world.outOfMemory;
      },
    ),
    { seed, numRuns: SCRIPTS },
  );
  console.log(`pool model: ${JSON.stringify(effort)}`);
  // The scripts must reach what they are meant to reach.
  expect(effort.acquired).toBeGreaterThan(SCRIPTS);
  expect(effort.refused).toBeGreaterThan(SCRIPTS / 10);
  expect(effort.outOfMemory).toBeGreaterThan(SCRIPTS / 100);
});
