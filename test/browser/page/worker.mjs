/** The other thread of the page: answers texts backwards, blocking for each, and holds buffers when told to. */

import { allocText, readText } from "/dist/data.js";
import { SlabHeap } from "/dist/index.js";
import { BufferPool } from "/dist/pool.js";
import { HandleRing } from "/dist/ring.js";

const TEXTS = 6;
let pool;
let held;

self.onmessage = ({ data }) => {
  if (data.heap !== undefined) start(data);
  else if (data.command === "hold") {
    held = pool.acquire(100);
    self.postMessage({ held: !held.released });
  } else held.release();
};

function start({ heap: ref, jobs: jobsRef, answers: answersRef, pool: poolRef }) {
  const heap = SlabHeap.attach(ref);
  const jobs = HandleRing.attach(heap, jobsRef);
  const answers = HandleRing.attach(heap, answersRef);
  pool = BufferPool.attach(heap, poolRef);
  self.postMessage({ attached: heap.seat });
  for (let i = 0; i < TEXTS; i++) {
    const handle = jobs.receive({ timeoutMs: 10_000 });
    const text = readText(heap, handle);
    heap.free(handle);
    answers.send(allocText(heap, [...text].reverse().join("")));
  }
}
