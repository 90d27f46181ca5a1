/** One stage of the pipeline: takes tiles from one ring and puts them, or new ones, into the next. */
import { workerData } from "node:worker_threads";
import { SlabHeap } from "temporal-slab";
import { HandleRing } from "temporal-slab/ring";
import { blur, openTile, stretch, TILE_BYTES } from "./image.mjs";

const heap = SlabHeap.attach(workerData.heap);
const incoming = HandleRing.attach(heap, workerData.incoming);
const outgoing = HandleRing.attach(heap, workerData.outgoing);

const STAGES = {
  /** In place: the tile goes on as it is. */
  stretch(handle) {
    stretch(openTile(heap, handle).pixels);
    return handle;
  },
  /** Needs a second tile. The first is not freed here: the end of the frame discards it with all others. */
  blur(handle) {
    const from = openTile(heap, handle);
    const blurred = heap.allocOrThrow(TILE_BYTES);
    const to = openTile(heap, blurred);
    to.header.set(from.header);
    blur(from.pixels, to.pixels);
    return blurred;
  },
};
const stage = STAGES[workerData.stage];

for (let handle = incoming.receive(); handle !== 0; handle = incoming.receive()) {
  if (!outgoing.send(stage(handle))) break;
}
heap.detach();
