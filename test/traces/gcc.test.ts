/**
 * Defends: the allocation pattern of a real program runs without losing, overlapping or damaging an object, with its
 * memory spread over epochs or not, and leaves the heap as empty as it was.
 * Method: every malloc and free of a C compiler's run (recorded trace: about 720,000 events), each object filled from
 * its serial, and checked byte for byte when it is freed.
 */
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { SlabHeap } from "../../src/allocator/heap/heap.js";
import type { Handle, HeapOptions } from "../../src/allocator/types.js";
import { readTrace, type Trace } from "../../src/cli/workload/trace-file.js";

const TRACE = fileURLToPath(new URL("../../bench/traces/gcc-cc1.trace.gz", import.meta.url));
const MIB = 1024 * 1024;
/** Word `i` of an object. */
const word = (serial: number, i: number): number =>
  (Math.imul(serial, 0x9e3779b1) ^ Math.imul(i + 1, 0x85ebca6b)) | 0;

class Replay {
  readonly heap: SlabHeap;
  allocs = 0;
  frees = 0;
  private readonly handles: Float64Array;
  private readonly serials: Int32Array;
  private readonly sizes: Int32Array;

  /** `room`: times the bytes live at the peak. Objects die out of order, so slabs are held that are not full. */
  constructor(trace: Trace, options: HeapOptions, room: number) {
    const capacity = Math.ceil((trace.peakBytes * room) / MIB) * MIB;
    this.heap = SlabHeap.create({ capacity, maxWorkers: 1, ...options });
    this.handles = new Float64Array(trace.slots);
    this.serials = new Int32Array(trace.slots);
    this.sizes = new Int32Array(trace.slots);
  }

  event(size: number, slot: number): void {
    if (size > 0) this.allocate(size, slot);
    else this.release(slot);
  }

  /** Frees what the program left. */
  finish(): void {
    this.handles.forEach((handle, slot) => {
      if (handle !== 0) this.release(slot);
    });
  }

  private allocate(size: number, slot: number): void {
    const { heap } = this;
    const handle = heap.allocOrThrow(size);
    const serial = ++this.allocs;
    const offset = heap.byteOffset(handle);
    if (heap.sizeOf(handle) < size)
      throw new Error(`object ${serial}: ${heap.sizeOf(handle)} bytes for ${size}`);
    for (let i = 0; i < size >> 2; i++) heap.i32[(offset >> 2) + i] = word(serial, i);
    for (let i = size & ~3; i < size; i++) heap.u8[offset + i] = serial;
    this.handles[slot] = handle;
    this.serials[slot] = serial;
    this.sizes[slot] = size;
  }

  private release(slot: number): void {
    const { heap } = this;
    const [handle, serial, size] = [this.handles[slot] as Handle, this.serials[slot], this.sizes[slot]];
    this.handles[slot] = 0;
    const offset = heap.byteOffset(handle);
    let damaged = 0;
    for (let i = 0; i < size >> 2; i++) if (heap.i32[(offset >> 2) + i] !== word(serial, i)) damaged++;
    for (let i = size & ~3; i < size; i++) if (heap.u8[offset + i] !== (serial & 255)) damaged++;
    if (damaged > 0) throw new Error(`object ${serial} of ${size} bytes: ${damaged} words damaged`);
    if (!heap.free(handle) || heap.free(handle))
      throw new Error(`object ${serial} was not freed exactly once`);
    this.frees++;
  }
}

describe("a C compiler's allocations", () => {
  const trace = readTrace(TRACE);

  test.each<[string, HeapOptions, number, number]>([
    ["in one epoch", {}, 4, Number.POSITIVE_INFINITY],
    ["a new epoch every 20,000 events", {}, 20, 20_000],
    ["with the size classes of the C allocator", { sizeClasses: "seed" }, 100, 100_000],
    ["in small slabs, zeroed", { slabSize: 4096, zeroOnFree: true }, 4, 50_000],
  ])("%s", { timeout: 60_000 }, (_name, options, room, epochEvery) => {
    const { events, peakObjects } = trace;
    const replay = new Replay(trace, options, room);
    const { heap } = replay;
    const count = events.length / 2;
    expect(count).toBeGreaterThan(700_000);
    for (let i = 0; i < count; i++) {
      if (i > 0 && i % epochEvery === 0) heap.advanceEpoch();
      replay.event(events[i * 2], events[i * 2 + 1]);
      if (i % 180_000 === 0) expect(heap.verify().problems).toEqual([]);
    }
    expect(heap.verify()).toMatchObject({ ok: true, liveObjects: replay.allocs - replay.frees });
    replay.finish();
    expect(replay.frees).toBe(replay.allocs);
    expect(heap.verify()).toMatchObject({ ok: true, liveObjects: 0 });
    expect(heap.counters()).toMatchObject({
      allocCount: replay.allocs,
      freeCount: replay.allocs,
      outOfMemory: 0,
    });
    expect(replay.allocs).toBeGreaterThan(peakObjects);

    heap.advanceEpoch();
    expect(heap.verify().slabs).toBe(0);
    const all = heap.alloc(heap.capacity);
    expect(heap.free(all)).toBe(true);
    heap.detach();
  });
});
