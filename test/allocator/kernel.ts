/** A page releaser for tests: does what a kernel does, and looks at who holds the slabs it is given. */
import { expect } from "vitest";
import type { SlabHeap } from "../../src/allocator/heap/heap.js";
import type { HeapOptions, PageReleaser, ReleasePolicy } from "../../src/allocator/types.js";
import { isResident } from "../../src/allocator/words/resident-map.js";
import { TAG_RELEASING, tagOwner, tagState } from "../../src/allocator/words/slab-tag.js";
import { smallHeap, tagAt } from "./support.js";

/** Zeroes what it is given, as a kernel would, after looking at who holds it. */
export class Kernel implements PageReleaser {
  heap: SlabHeap | undefined;
  readonly calls: [first: number, slabs: number][] = [];
  readonly reused: [first: number, slabs: number][] = [];
  pageBytes = 4096;
  answer: (bytes: number) => number = (bytes) => bytes;

  release(buffer: SharedArrayBuffer, byteOffset: number, byteLength: number): number {
    const heap = this.heap as SlabHeap;
    const { payloadOffset, slabSize } = heap._a.layout;
    expect(buffer).toBe(heap.buffer);
    expect([byteOffset % this.pageBytes, byteLength % this.pageBytes]).toEqual([0, 0]);
    const first = (byteOffset - payloadOffset) / slabSize;
    const slabs = byteLength / slabSize;
    for (let slab = Math.floor(first); slab < first + slabs; slab++) {
      expect(tagState(tagAt(heap, slab)), `tag of slab ${slab}`).toBe(TAG_RELEASING);
      expect(tagOwner(tagAt(heap, slab))).not.toBe(0);
    }
    this.calls.push([first, slabs]);
    const bytes = this.answer(byteLength);
    if (bytes > 0) heap.u8.fill(0, byteOffset, byteOffset + byteLength);
    return bytes;
  }

  reuse(_buffer: SharedArrayBuffer, byteOffset: number, byteLength: number): void {
    const { payloadOffset, slabSize } = (this.heap as SlabHeap)._a.layout;
    this.reused.push([(byteOffset - payloadOffset) / slabSize, byteLength / slabSize]);
  }
}

/** How many slabs count as resident. */
export function residentSlabs({ _a: { m, layout } }: SlabHeap): number {
  return Array.from({ length: layout.slabCount }, (_, slab) => isResident(m, layout, slab)).filter(Boolean)
    .length;
}

/** A small heap that releases through a kernel of its own. */
export function releasingHeap(releasePolicy: ReleasePolicy, options: HeapOptions = {}): [SlabHeap, Kernel] {
  const kernel = new Kernel();
  const heap = smallHeap({ pageReleaser: kernel, releasePolicy, ...options });
  kernel.heap = heap;
  return [heap, kernel];
}
