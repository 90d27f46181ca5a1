// Fills and releases its part of a shared buffer over and over, checking zeros each time; counts rounds in `board`.
import { parentPort, workerData } from "node:worker_threads";
import { autoPageReleaser, createPageReleaser } from "temporal-slab/reclaim";

const { buffer, board, index, from, length, rounds } = workerData;
const auto = autoPageReleaser();
const releaser = createPageReleaser("koffi");
const mine = new Uint8Array(buffer, from, length);
const counts = new Int32Array(board);
for (let round = 0; round < rounds; round++) {
  mine.fill(index + 1);
  const released = releaser.release(buffer, from, length);
  if (released < length - 2 * releaser.pageBytes) throw new Error(`released ${released} of ${length}`);
  const kept = mine.reduce((sum, byte) => sum + (byte === 0 ? 0 : 1), 0);
  if (kept !== length - released)
    throw new Error(`${kept} bytes are not zero, expected ${length - released}`);
  Atomics.add(counts, index, 1);
  Atomics.notify(counts, index);
}
parentPort.postMessage({ backend: auto.backend, reason: auto.reason });
