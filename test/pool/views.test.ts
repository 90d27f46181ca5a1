/**
 * Defends: a view from the cache shows the object it is handed out for, whatever sizes and places come in between; the
 * cache is bounded, serves steady loops, and is not filled by sizes that do not come again.
 * Method: random acquires and releases of many sizes with caches of all lengths, every view's place compared with what
 * the heap says; hits and misses of loops whose pattern is known; the handle's slot field compared with the allocator's.
 */
import { expect, test } from "vitest";
import { SLOT_FIELD_MASK } from "../../src/allocator/words/handle.js";
import { BufferPool, type PooledBuffer } from "../../src/pool/index.js";
import { SLOT_FIELD } from "../../src/pool/views.js";
import { expectAllBack, expectEmpty, SLAB, smallHeap, withSeed } from "./support.js";

test("the slot field is the handle's", () => {
  expect(SLOT_FIELD).toBe(SLOT_FIELD_MASK);
});

test.each([0, 1, 2, 64, 4096])("with %i cached views, each shows its object", (cachedViews) => {
  withSeed((random) => {
    const heap = smallHeap({ capacity: 256 * SLAB, sizeClasses: [16, 64, 128, 136, 1024] });
    const pool = new BufferPool(heap, { cachedViews });
    const sizes = [1, 15, 16, 17, 64, 100, 128, 130, 136, 500, 1024, 1025, 5000, 3 * SLAB];
    const held: PooledBuffer[] = [];
    for (let step = 0; step < 30_000; step++) {
      if (random() < 0.02) heap.discardEpoch(heap.currentEpoch);
      if (held.length > 0 && random() < 0.5) {
        const [buffer] = held.splice(Math.floor(random() * held.length), 1);
        buffer?.release();
        continue;
      }
      const size = sizes[Math.floor(random() * sizes.length)] as number;
      const buffer = pool.tryAcquire(size);
      if (buffer === undefined) continue;
      expect(buffer.bytes.byteOffset).toBe(heap.byteOffset(buffer.handle));
      expect(buffer.bytes.length).toBe(size);
      held.push(buffer);
    }
    for (const buffer of held) buffer.release();
    const { viewHits, viewMisses, acquired } = pool.stats();
    expect(viewHits + viewMisses).toBe(acquired);
    if (cachedViews === 0) expect(viewHits).toBe(0);
    if (cachedViews === 4096) expect(viewHits).toBeGreaterThan(1000);
    expectAllBack(pool);
    heap.advanceEpoch();
    expectEmpty(heap);
    heap.detach();
  });
});

test("a steady loop makes two views per place, sizes that never repeat leave none behind", () => {
  const heap = smallHeap({ capacity: 4096 * SLAB, sizeClasses: [64, 128, 1024] });
  const pool = new BufferPool(heap, { cachedViews: 4096 });
  const held = Array.from({ length: 1000 }, () => pool.acquire(100));
  for (let step = 0; step < 20_000; step++) {
    const place = step % held.length;
    held[place]?.release();
    held[place] = pool.acquire(100);
  }
  expect(pool.stats().viewMisses).toBe(2 * held.length);
  for (const buffer of held) buffer.release();

  const other = new BufferPool(heap, { cachedViews: 4096 });
  for (let size = 1; size <= 20_000; size++) other.acquire(size).release();
  expect(other.stats()).toMatchObject({ viewHits: 0, viewMisses: 20_000 });
  expectEmpty(heap);
  heap.detach();
});
