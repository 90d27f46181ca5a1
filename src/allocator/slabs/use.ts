/** What a claim does to slabs that are its own now, before anything is written to their payload. */
import { C_MADVISE_FAILURES } from "../counters/fields.js";
import { count } from "../counters/record.js";
import type { Attachment } from "../memory/attachment.js";
import { recordAt } from "../memory/layout.js";
import { SLAB_USED } from "../memory/offsets.js";
import { setResident } from "../words/resident-map.js";

/**
 * Marks slabs [first, first + slabs), which this thread holds, as used and resident; tells the page releaser of those
 * whose pages were released before, where it wants to know. Returns how many had never been used. `shard` counts.
 */
export function useSlabs(a: Attachment, first: number, slabs: number, shard: number): number {
  const { m, layout } = a;
  let fresh = 0;
  let released = 0;
  for (let slab = first; slab < first + slabs; slab++) {
    const used = recordAt(slab) + SLAB_USED;
    const unused = m[used] === 0;
    if (unused) {
      m[used] = 1;
      fresh++;
    }
    // Touched at creation, an unused one may have been released too.
    if (setResident(m, layout, slab) && (!unused || layout.prefault)) {
      released++;
    } else if (released > 0) {
      tellReuse(a, slab - released, released, shard);
      released = 0;
    }
  }
  if (released > 0) tellReuse(a, first + slabs - released, released, shard);
  return fresh;
}

function tellReuse(a: Attachment, first: number, slabs: number, shard: number): void {
  const { releaser } = a.rules;
  if (releaser?.reuse === undefined) return;
  const { payloadOffset, slabSize } = a.layout;
  try {
    releaser.reuse(a.buffer, payloadOffset + first * slabSize, slabs * slabSize);
  } catch {
    // The pages are there all the same; only the system's books may be wrong.
    count(a.m, shard + C_MADVISE_FAILURES, 1);
  }
}
