// One end of a ring, as workerData.role says. Objects hold their sender and number; whoever receives one checks both.
import { parentPort, workerData } from "node:worker_threads";

const { library, heapRef, ringRef, role, count, id = 0, timeoutMs } = workerData;
const { SlabHeap, HandleRing } = await import(library);
const heap = SlabHeap.attach(heapRef);
const ring = HandleRing.attach(heap, ringRef);
const i32 = heap.i32;

/** An object that says who made it and as which. Waits for memory: whoever receives frees. */
function make(n) {
  for (;;) {
    const handle = heap.alloc(16);
    if (handle === 0) continue;
    const at = heap.byteOffset(handle) >> 2;
    i32[at] = id;
    i32[at + 1] = n;
    return handle;
  }
}

const roles = {
  /** Singly and in batches, blocking where the lane is full. */
  produce() {
    const batch = [];
    for (let n = 0; n < count; ) {
      if (n % 3 === 0) {
        batch.length = 0;
        while (batch.length < 20 && n < count) batch.push(make(n++));
        for (let from = 0; from < batch.length; ) {
          const sent = ring.trySendMany(batch, from);
          from += sent;
          if (sent === 0 && ring.send(batch[from])) from++;
        }
      } else if (!ring.send(make(n++))) throw new Error("refused");
    }
  },
  async produceAsync() {
    for (let n = 0; n < count; n++) if (!(await ring.sendAsync(make(n)))) throw new Error("refused");
  },
  /** Until it is killed. */
  produceForever() {
    for (let n = 0; ; n++) ring.send(make(n));
  },
  sendOnce() {
    parentPort.postMessage(ring.send(make(0), { timeoutMs }));
  },
  async sendOnceAsync() {
    parentPort.postMessage(await ring.sendAsync(make(0), { timeoutMs }));
  },
  receiveOnce() {
    parentPort.postMessage(ring.receive({ timeoutMs }));
  },
  async receiveOnceAsync() {
    parentPort.postMessage(await ring.receiveAsync({ timeoutMs }));
  },
  /** So many calls at once, which wait in one line. */
  async receiveSeveral() {
    parentPort.postMessage(await Promise.all(Array.from({ length: count }, () => ring.receiveAsync())));
  },
  async sendSeveral() {
    parentPort.postMessage(
      await Promise.all(Array.from({ length: count }, (_, n) => ring.sendAsync(make(n)))),
    );
  },
  /** Counts what it has freed, until the ring ends. */
  consume() {
    let got = 0;
    for (let handle = ring.receive(); handle !== 0; handle = ring.receive()) {
      if (!heap.free(handle)) throw new Error(`handle ${handle} was stale`);
      got++;
    }
    parentPort.postMessage(got);
  },
  async iterate() {
    let got = 0;
    for await (const handle of ring) {
      if (!heap.free(handle)) throw new Error(`handle ${handle} was stale`);
      got++;
    }
    parentPort.postMessage(got);
  },
};

parentPort.postMessage("ready");
await roles[role]();
ring.leave();
heap.detach();
