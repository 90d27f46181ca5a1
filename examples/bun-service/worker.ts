/** Turns each text round where it lies and sends it back; ends when the ring of requests is closed. */
import { workerData } from "node:worker_threads";
import { SlabHeap } from "temporal-slab";
import { readText, writeText } from "temporal-slab/data";
import { HandleRing } from "temporal-slab/ring";

const heap = SlabHeap.attach(workerData.heap);
const requests = HandleRing.attach(heap, workerData.requests);
const replies = HandleRing.attach(heap, workerData.replies);

for await (const handle of requests) {
  // Backwards it has as many bytes, so there always is room.
  writeText(heap, handle, [...readText(heap, handle)].reverse().join(""));
  await replies.sendAsync(handle);
}
replies.close();
heap.detach();
