/** Reads request bodies where they are and answers with their SHA-256 and the body in capitals. */
import { createHash } from "node:crypto";
import { workerData } from "node:worker_threads";
import { NULL_HANDLE, SlabHeap } from "temporal-slab";
import { HandleRing } from "temporal-slab/ring";
import { bytesOf, HEADER_BYTES, requestId, writeHeader } from "./protocol.mjs";

const DIGEST_BYTES = 32;

const heap = SlabHeap.attach(workerData.heap);
const requests = HandleRing.attach(heap, workerData.requests);
const replies = HandleRing.attach(heap, workerData.replies);

for await (const request of requests) {
  // The server freed it: the client is gone, or a predecessor of this worker died with it.
  if (!heap.isLive(request)) continue;
  const body = bytesOf(heap, request);
  const reply = heap.alloc(HEADER_BYTES + DIGEST_BYTES + body.length);
  // A reply without bytes says that there was no room for one.
  const answer = reply === NULL_HANDLE ? heap.allocOrThrow(HEADER_BYTES) : reply;
  writeHeader(heap, answer, requestId(heap, request), reply === NULL_HANDLE ? 0 : DIGEST_BYTES + body.length);
  if (reply !== NULL_HANDLE) {
    const bytes = bytesOf(heap, reply);
    bytes.set(createHash("sha256").update(body).digest());
    for (let i = 0; i < body.length; i++) {
      const byte = body[i];
      bytes[DIGEST_BYTES + i] = byte >= 0x61 && byte <= 0x7a ? byte - 0x20 : byte;
    }
  }
  if (!(await replies.sendAsync(answer))) heap.free(answer);
}
heap.detach();
