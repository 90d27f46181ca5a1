/** What documents say about allocations and frees: those of the C allocator not everything. */
import type { StatsDocument } from "../../stats.js";

/** Objects allocated; 0 where the document does not say. */
export function allocations(document: StatsDocument): number {
  return Number(document.heap?.alloc_count ?? document.total_bitmap_alloc_attempts);
}

/** Whether its count of frees means something: the C allocator's second shape, that of its benchmark, has none. */
export function countsFrees({ heap, benchmark, total_bitmap_free_attempts: frees }: StatsDocument): boolean {
  return heap !== undefined || benchmark === undefined || frees > 0;
}
