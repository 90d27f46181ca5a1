/** The image work itself, on plain typed arrays: the same functions run on shared tiles and on the reference image. */
export const TILE = 64;
/** Frame, column and row of the tile in int32 words, then its pixels, one byte each. */
export const HEADER_BYTES = 64;
export const TILE_BYTES = HEADER_BYTES + TILE * TILE;

/** A grey picture that is different in every frame. */
export function drawTile(pixels, frame, column, row) {
  for (let y = 0; y < TILE; y++) {
    for (let x = 0; x < TILE; x++) {
      const px = column * TILE + x;
      const py = row * TILE + y;
      pixels[y * TILE + x] = (px * px + py * 3 + frame * 17 + ((px ^ py) & 31)) & 255;
    }
  }
}

/** Stretches the tones, in place. */
export function stretch(pixels) {
  for (let i = 0; i < pixels.length; i++) {
    const value = pixels[i] / 255;
    pixels[i] = Math.round(255 * value * value * (3 - 2 * value));
  }
}

/** 3 x 3 mean within the tile, from one tile into another. */
export function blur(from, to) {
  for (let y = 0; y < TILE; y++) {
    for (let x = 0; x < TILE; x++) {
      let sum = 0;
      let count = 0;
      for (let ny = Math.max(0, y - 1); ny <= Math.min(TILE - 1, y + 1); ny++) {
        for (let nx = Math.max(0, x - 1); nx <= Math.min(TILE - 1, x + 1); nx++) {
          sum += from[ny * TILE + nx];
          count++;
        }
      }
      to[y * TILE + x] = Math.round(sum / count);
    }
  }
}

/** A tile in the heap: its three header words and its pixels. */
export function openTile(heap, handle) {
  const offset = heap.byteOffset(handle);
  return {
    header: new Int32Array(heap.buffer, offset, 3),
    pixels: new Uint8Array(heap.buffer, offset + HEADER_BYTES, TILE * TILE),
  };
}
