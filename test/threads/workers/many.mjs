// Allocates, stamps, checks and frees as fast as it can, keeps a window of objects alive, and hands every eighth
// object to a neighbour, who frees it. Ends when it made its share of allocations and everything is freed.
import { workerData } from "node:worker_threads";
import { NULL_HANDLE, SlabHeap } from "temporal-slab";
import { Control, CUSTOM, endsMatch, Random, READY, stamp, stampEnds, stampProblem } from "./shared.mjs";

const { owner, seed, allocs, sizes, workers } = workerData;
const control = new Control(workerData.control);
const random = new Random(seed);
const WINDOW = 512;
/** One object in this many is stamped and checked in full. */
const SAMPLE_MASK = 63;
/** Every so many allocations look at the inbox, and at the epochs. */
const BATCH = 256;
const FINISHED = CUSTOM;
const EMPTIED = CUSTOM + 1;
const RECEIVED = CUSTOM + 9 + owner;

/** Handles on their way from one thread to one other. */
class Lane {
  constructor({ ends, cells }) {
    this.ends = new Int32Array(ends);
    this.cells = new Float64Array(cells);
  }
  /** False when it is full. */
  push(handle) {
    const tail = this.ends[1];
    if (tail - Atomics.load(this.ends, 0) === this.cells.length) return false;
    this.cells[tail % this.cells.length] = handle;
    Atomics.store(this.ends, 1, tail + 1);
    return true;
  }
  /** 0 when it is empty. */
  pop() {
    const head = this.ends[0];
    if (head === Atomics.load(this.ends, 1)) return 0;
    const handle = this.cells[head % this.cells.length];
    Atomics.store(this.ends, 0, head + 1);
    return handle;
  }
}

const inbox = new Lane(workerData.inbox);
const outbox = new Lane(workerData.outbox);
const handles = new Float64Array(WINDOW);
const serials = new Int32Array(WINDOW);
const bytesOf = new Int32Array(WINDOW);

/** The whole stamp, with words when it is wrong. */
function describeDamage(heap, handle, bytes, expectedOwner, serial) {
  const offset = heap.byteOffset(handle);
  const problem = stampProblem(heap.i32, offset, bytes, expectedOwner, serial);
  return problem === "" ? `ends of the object at ${offset} (${bytes} bytes) do not match` : problem;
}

function check(heap, handle, bytes, serial) {
  const { i32 } = heap;
  const offset = heap.byteOffset(handle);
  const at = offset >>> 2;
  const sound = i32[at] === owner && i32[at + 1] === serial && endsMatch(i32, offset, bytes);
  const full = (serial & SAMPLE_MASK) !== 0 || stampProblem(i32, offset, bytes, owner, serial) === "";
  if (!sound || !full) control.fail(describeDamage(heap, handle, bytes, owner, serial));
}

function receive(heap) {
  let received = 0;
  for (let handle = inbox.pop(); handle !== 0; handle = inbox.pop()) {
    const { i32 } = heap;
    const bytes = heap.sizeOf(handle);
    const offset = heap.byteOffset(handle);
    const [from, serial] = [i32[offset >>> 2], i32[(offset >>> 2) + 1]];
    const full = (serial & SAMPLE_MASK) !== 0 || stampProblem(i32, offset, bytes) === "";
    if (from === owner || !endsMatch(i32, offset, bytes) || !full) {
      control.fail(`received: ${describeDamage(heap, handle, bytes)}`);
    }
    if (!heap.free(handle)) control.fail(`received handle ${handle} could not be freed`);
    received++;
  }
  return received;
}

function letGo(heap, i) {
  const handle = handles[i];
  if (handle === 0) return;
  handles[i] = 0;
  check(heap, handle, bytesOf[i], serials[i]);
  if ((random.next() & 7) === 0 && outbox.push(handle)) return;
  if (!heap.free(handle)) control.fail(`object ${owner}/${serials[i]} could not be freed`);
}

function work(heap) {
  const { i32 } = heap;
  let received = 0;
  for (let serial = 1; serial <= allocs; serial++) {
    const i = random.next() & (WINDOW - 1);
    letGo(heap, i);
    // Nearly always a small one.
    const roll = random.next() >>> 8;
    const bytes = roll % 4096 === 0 ? heap.slabSize * 2 : sizes[roll % sizes.length];
    const handle = heap.alloc(bytes);
    if (handle === NULL_HANDLE) return control.fail(`alloc(${bytes}) failed: ${heap.lastFailure}`);
    const offset = heap.byteOffset(handle);
    if ((serial & SAMPLE_MASK) === 0) stamp(i32, offset, bytes, owner, serial);
    else stampEnds(i32, offset, bytes, owner, serial);
    handles[i] = handle;
    serials[i] = serial;
    bytesOf[i] = bytes;
    if (serial % BATCH === 0) {
      received += receive(heap);
      if (serial % (BATCH * 64) === 0) heap.closeEpoch(heap.currentEpoch);
      if (control.stopped) break;
    }
  }
  for (let i = 0; i < WINDOW; i++) letGo(heap, i);
  // The neighbours may still be sending.
  control.add(FINISHED);
  while (control.get(FINISHED) < workers && !control.stopped) received += receive(heap);
  received += receive(heap);
  control.set(RECEIVED, received);
  // Whoever left before would leave slabs to adopt, and frees in those are not remote ones.
  control.add(EMPTIED);
  while (control.get(EMPTIED) < workers && !control.stopped);
}

try {
  const heap = SlabHeap.attach(workerData.ref);
  control.add(READY);
  work(heap);
  heap.detach();
} catch (error) {
  control.fail(`worker ${owner}: ${error?.stack ?? error}`);
}
