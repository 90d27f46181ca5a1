// What autoPageReleaser finds on whatever runtime this is, and whether it releases. One JSON object.
import { autoPageReleaser } from "temporal-slab/reclaim";

const { backend, reason, release } = autoPageReleaser();
const buffer = new SharedArrayBuffer(1024 * 1024);
const bytes = new Uint8Array(buffer).fill(7);
const released = release(buffer, 0, buffer.byteLength);
const zeros = bytes.reduce((sum, byte) => sum + (byte === 0 ? 1 : 0), 0);
console.log(
  JSON.stringify({ backend, reason, released: released > 1_000_000, zeros: zeros === Math.max(released, 0) }),
);
