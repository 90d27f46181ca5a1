// The other thread of smoke.mjs: does what it is told, one message at a time.
import { parentPort, workerData } from "node:worker_threads";
import { SlabHeap } from "temporal-slab";
import { check, fill, holds, runtime } from "./runtime.mjs";

const heap = SlabHeap.attach(workerData.ref);

const commands = {
  /** Allocates and fills one object per size. */
  make({ sizes, epoch, stamp }) {
    return sizes.map((size) => {
      const handle = heap.allocOrThrow(size, epoch);
      fill(heap, handle, stamp);
      return handle;
    });
  },
  /** Checks the content of foreign objects and frees them; a second free must be refused. */
  release({ handles, stamp }) {
    for (const handle of handles) {
      check(heap.isLive(handle), "the worker sees a live object");
      check(holds(heap, handle, stamp), "the worker reads what the main thread wrote");
      check(heap.free(handle), "the worker frees the main thread's object");
      check(!heap.free(handle), "the worker's second free is refused");
    }
    return handles.length;
  },
  /** Notices closes and discards of other threads; says how many of `handles` are still live. */
  poll({ handles }) {
    heap.poll();
    return handles.filter((handle) => heap.isLive(handle)).length;
  },
  leave() {
    heap.detach();
    setTimeout(() => parentPort.close(), 0);
    return "left";
  },
};

parentPort.on("message", ({ command, ...rest }) => {
  try {
    parentPort.postMessage({ value: commands[command](rest) });
  } catch (error) {
    parentPort.postMessage({ error: String(error?.stack ?? error) });
  }
});
parentPort.postMessage({ value: { seat: heap.seat, runtime: runtime() } });
