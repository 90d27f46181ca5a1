/** Answers each text with the same text backwards; ends when the ring of requests is closed. */
import { workerData } from "node:worker_threads";
import { SlabHeap } from "temporal-slab";
import { allocText, readText } from "temporal-slab/data";
import { HandleRing } from "temporal-slab/ring";

const heap = SlabHeap.attach(workerData.heap);
const requests = HandleRing.attach(heap, workerData.requests);
const replies = HandleRing.attach(heap, workerData.replies);

for await (const handle of requests) {
  const text = readText(heap, handle);
  heap.free(handle);
  const answer = allocText(heap, [...text].reverse().join(""));
  await replies.sendAsync(answer === 0 ? allocText(heap, "") : answer);
}
replies.close();
heap.detach();
