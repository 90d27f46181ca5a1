/**
 * An image pipeline: tiles go from thread to thread as handles, and a frame's memory ends with the frame.
 *
 *   node examples/tiles/main.mjs [frames] [columns] [rows]
 *
 *   this thread --> 2 x stretch --> blur --> this thread         (rings of handles; pixels stay where they are)
 *
 * Every frame is an epoch: when it is complete, discardEpoch frees all its tiles at once, whichever thread made
 * them. Each frame is compared with the same work done in this thread.
 */
import { Worker } from "node:worker_threads";
import { NULL_HANDLE, SlabHeap } from "temporal-slab";
import { HandleRing } from "temporal-slab/ring";
import { blur, drawTile, openTile, stretch, TILE, TILE_BYTES } from "./image.mjs";

const [frames = 10, columns = 8, rows = 8] = process.argv.slice(2).map(Number);
const STRETCHERS = 2;
/** Tiles under way at once: fewer than a ring holds, so that sending never waits for a stage that waits for us. */
const WINDOW = 256;

const heap = SlabHeap.create({ capacity: 32 * 1024 * 1024 });
const toStretch = Array.from({ length: STRETCHERS }, () => HandleRing.create(heap));
const toBlur = HandleRing.create(heap, { producers: STRETCHERS });
const finished = HandleRing.create(heap);

const workers = [...toStretch.map((ring) => start("stretch", ring, toBlur)), start("blur", toBlur, finished)];

function start(stage, incoming, outgoing) {
  const workerData = { stage, heap: heap.share(), incoming: incoming.share(), outgoing: outgoing.share() };
  const worker = new Worker(new URL("./worker.mjs", import.meta.url), { workerData });
  heap.watch(worker);
  const exited = new Promise((resolve) => worker.once("exit", resolve));
  worker.once("error", (error) => {
    console.error(error);
    process.exit(1);
  });
  return { worker, exited };
}

let wrong = 0;
const began = performance.now();
for (let frame = 0; frame < frames; frame++) {
  const epoch = heap.currentEpoch;
  heap.setEpochLabel(epoch.id, `frame ${frame}`);
  const tiles = columns * rows;
  const seen = new Set();
  let sent = 0;
  while (seen.size < tiles) {
    while (sent < tiles && sent - seen.size < WINDOW) {
      const column = sent % columns;
      const row = Math.floor(sent / columns);
      const handle = heap.allocOrThrow(TILE_BYTES);
      const { header, pixels } = openTile(heap, handle);
      header.set([frame, column, row]);
      drawTile(pixels, frame, column, row);
      toStretch[sent % STRETCHERS].trySend(handle);
      sent++;
    }
    const handle = await finished.receiveAsync();
    if (handle === NULL_HANDLE) throw new Error("the pipeline ended early");
    const { header, pixels } = openTile(heap, handle);
    const [of, column, row] = header;
    seen.add(row * columns + column);
    if (of !== frame || !isRight(pixels, frame, column, row)) wrong++;
  }
  heap.advanceEpoch();
  const { objectsDiscarded } = heap.discardEpoch(epoch);
  if (frame === frames - 1)
    console.log(`last frame: ${objectsDiscarded} tiles of this thread discarded at once`);
}
const seconds = (performance.now() - began) / 1000;

for (const ring of toStretch) ring.close();
await Promise.all(workers.slice(0, STRETCHERS).map(({ exited }) => exited));
toBlur.close();
await Promise.all(workers.map(({ exited }) => exited));
heap.poll();

const { ok, problems } = heap.verify();
const { liveObjects, allocCount } = heap.counters();
console.log(
  `${frames} frames of ${columns * TILE} x ${rows * TILE} in ${seconds.toFixed(2)} s, ${allocCount} tiles, ${wrong} wrong, ${liveObjects} left`,
);
console.log(ok ? "heap consistent" : `heap DAMAGED: ${problems[0]}`);
process.exitCode = ok && wrong === 0 && liveObjects === 0 ? 0 : 1;
heap.detach();

/** The same work in this thread. */
function isRight(pixels, frame, column, row) {
  const from = new Uint8Array(TILE * TILE);
  const to = new Uint8Array(TILE * TILE);
  drawTile(from, frame, column, row);
  stretch(from);
  blur(from, to);
  return Buffer.compare(pixels, to) === 0;
}
