/** What scenarios of page releases begin with. */
import type { Setup } from "../explorer/setup.js";

/** Every worker gives pages back, and keeps none. */
export const PAGES = { pages: {} } as const;

/** Slabs that are FREE and have pages, the lowest of the heap; era 3 is open. */
export function warm(s: Setup, slabs: number): void {
  for (let i = 0; i < 2 * slabs; i++) s.alloc(1, `w${i}`);
  for (let i = 0; i < 2 * slabs; i++) s.free(1, `w${i}`);
  s.advance();
  s.sync();
}

/** Worker 1 holds x of the closed era 2, alone in its slab; worker 2 knows it. */
export function last(s: Setup): void {
  s.alloc(1, "x");
  s.give(1, 2, "x");
  s.advance();
  s.sync();
}
