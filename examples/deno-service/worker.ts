/** Counts the words of bodies where they lie; ends when the ring of requests is closed. */
import { SlabHeap } from "temporal-slab";
import { HandleRing } from "temporal-slab/ring";

const HEADER_BYTES = 16;

self.addEventListener("message", async ({ data }: MessageEvent) => {
  const heap = SlabHeap.attach(data.heap);
  const requests = HandleRing.attach(heap, data.requests);
  const replies = HandleRing.attach(heap, data.replies);
  for await (const handle of requests) {
    const header = heap.viewAs(handle, Int32Array, 3);
    const length = header[1] ?? 0;
    header[2] = countWords(heap.view(handle, HEADER_BYTES + length).subarray(HEADER_BYTES));
    await replies.sendAsync(handle);
  }
  replies.close();
  heap.detach();
  self.close();
});

function countWords(bytes: Uint8Array): number {
  let words = 0;
  let inWord = false;
  for (const byte of bytes) {
    const letter = byte > 0x20;
    if (letter && !inWord) words++;
    inWord = letter;
  }
  return words;
}
