/** What a pool holds, in the shape `@thi.ng/malloc` gives it. */
import type { SlabHeap } from "../allocator/index.js";
import type { StatsReader } from "../stats/index.js";

/** A pool's memory, for all threads together. At rest the figures agree exactly; meanwhile each may lag a little. */
export interface MemPoolStats {
  /** Blocks ready to be handed out again: free places in slabs that serve a size class now, and their bytes. */
  readonly free: { readonly count: number; readonly size: number };
  /** Live blocks, and their usable bytes: sizes are rounded up to the size class, those above it to whole slabs. */
  readonly used: { readonly count: number; readonly size: number };
  /**
   * How far the buffer would be filled if the slabs in use lay side by side: the offset of the payload plus their
   * bytes. Not an address to compare pointers with.
   */
  readonly top: number;
  /** Bytes that can still be allocated: `free.size` and all slabs not in use. What one size can get of it may be less. */
  readonly available: number;
  /** Length of the buffer, the heap's own data included. Payload is `pool.heap.capacity`. */
  readonly total: number;
}

/** Reads the statistics of `heap`. Linear in its slabs. */
export function poolStats(heap: SlabHeap, reader: StatsReader): MemPoolStats {
  const { buffer, capacity, slabSize, slotsPerSlab } = heap;
  const payloadOffset = heap.u8.byteLength - capacity;
  const free = { count: 0, size: 0 };
  const used = { count: 0, size: 0 };
  let slabsInUse = 0;
  const { era } = heap.currentEpoch;
  for (const row of reader.epochs().flatMap((epoch) => epoch.eras)) {
    const slabs = row.total_partial_slabs + row.total_full_slabs;
    const live = Number(row.live_objects);
    used.count += live;
    used.size += Number(row.live_bytes);
    const open = row.epoch_era === era && row.class_index >= 0;
    // Those of older epochs hand nothing out any more; the empty ones go back as soon as their owner looks.
    slabsInUse += open ? slabs : slabs - row.total_reclaimable_slabs;
    if (!open) continue;
    const blocks = slabs * (slotsPerSlab[row.class_index] as number) - live;
    free.count += blocks;
    free.size += blocks * row.object_size;
  }
  return {
    free,
    used,
    top: payloadOffset + slabsInUse * slabSize,
    available: free.size + capacity - slabsInUse * slabSize,
    total: buffer.byteLength,
  };
}
