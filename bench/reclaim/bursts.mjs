/** A burst: which objects, allocated and touched, and freed again. The same sizes in the same order for every contender. */
import { xorshift } from "../inputs.mjs";

export const MIB = 2 ** 20;

/** Shares of a mixed burst's bytes by size of object: small ones, several to a slab, and runs of slabs. */
const MIX = [
  { share: 0.5, least: 16, most: 4096 },
  { share: 0.25, least: 4096, most: 65_536 },
  { share: 0.25, least: 65_536, most: 2_097_152 },
];

export const SHAPES = { "1k": "objects of 1 KiB", mixed: "objects of 16 B to 2 MiB" };

/** Sizes of the objects of one burst, `bytes` in all. */
export function burstSizes(shape, bytes) {
  if (shape === "1k") return new Int32Array(bytes / 1024).fill(1024);
  const random = xorshift(90_210);
  const sizes = [];
  for (const { share, least, most } of MIX) {
    // By logarithm: as many of 16 to 32 bytes as of 2 to 4 KiB.
    for (let left = share * bytes; left > 0; left -= sizes.at(-1)) {
      sizes.push(Math.min(left, Math.ceil(least * (most / least) ** (random() / 2 ** 32))));
    }
  }
  for (let i = sizes.length - 1; i > 0; i--) {
    const j = random() % (i + 1);
    [sizes[i], sizes[j]] = [sizes[j], sizes[i]];
  }
  return Int32Array.from(sizes);
}

/** Allocates and writes a byte to every page of every object; their places go to `offsets`. */
export function fill(heap, sizes, offsets) {
  const { u8 } = heap;
  for (let i = 0; i < sizes.length; i++) {
    const size = sizes[i];
    const at = heap.allocOffset(size);
    if (at === 0) throw new Error(`no room for object ${i} of ${size} bytes`);
    for (let byte = 0; byte < size; byte += 4096) u8[at + byte] = 1;
    u8[at + size - 1] = 1;
    offsets[i] = at;
  }
}

/** Frees all, in the order of allocation, but one in `keepEvery` (0: none is kept). */
export function empty(heap, offsets, keepEvery = 0) {
  for (let i = 0; i < offsets.length; i++) {
    if (keepEvery !== 0 && i % keepEvery === 0) continue;
    if (!heap.freeOffset(offsets[i])) throw new Error(`object ${i} could not be freed`);
  }
}

/** verify() after the timing: a figure of a damaged heap is no figure. */
export function check(heap) {
  const { ok, problems } = heap.verify();
  if (!ok) throw new Error(`verify: ${problems.join("; ")}`);
}
