// The other thread of everyday.mjs: does what it is told, one message at a time.
import { parentPort, workerData } from "node:worker_threads";
import { SlabHeap } from "temporal-slab";
import { allocText, defineRecord, readText, writeText } from "temporal-slab/data";
import { MemPool } from "temporal-slab/malloc";
import { BufferPool } from "temporal-slab/pool";
import { HandleRing } from "temporal-slab/ring";
import { check } from "./runtime.mjs";

const heap = SlabHeap.attach(workerData.heap);
const mem = MemPool.attach(workerData.mem);
const pool = BufferPool.attach(heap, workerData.pool);
const ring = HandleRing.attach(heap, workerData.ring);

const commands = {
  freePointer({ pointer, byte }) {
    check(mem.heap.u8[pointer] === byte, "the worker reads what lies at the pointer");
    return mem.free(pointer);
  },
  /** Answers the texts, and puts them in upper case. */
  upperCase({ handles }) {
    return handles.map((handle) => {
      const text = readText(heap, handle);
      writeText(heap, handle, text.toUpperCase());
      return text;
    });
  },
  changeRows({ definition, rows }) {
    const row = defineRecord(definition).at(heap, rows[0]);
    rows.forEach((handle, i) => {
      row.moveTo(handle);
      row.x += 1;
      row.hits++;
      row.seen = true;
      row.name = `row ${i}`;
      row.pos.set(2, -row.pos.get(2));
    });
  },
  /** Many more than the ring holds: blocks until they were received. */
  produce({ count }) {
    for (let i = 0; i < count; i++) {
      check(ring.send(allocText(heap, `number ${i}`), { timeoutMs: 20_000 }), `number ${i} is sent`);
    }
    return count;
  },
  /** Sends and keeps its lane. */
  produceAndStay({ count }) {
    for (let i = 0; i < count; i++) check(ring.trySend(heap.allocOrThrow(32)), "a handle is sent");
  },
  poolIsFull() {
    return pool.tryAcquire(10) === undefined;
  },
  adopt({ ref, byte }) {
    const buffer = pool.adopt(ref);
    check(
      buffer.bytes.every((b) => b === byte),
      "the worker reads an adopted buffer",
    );
    const { byteLength } = buffer;
    check(buffer.release(), "and releases it");
    return byteLength;
  },
};

parentPort.on("message", ({ command, ...rest }) => {
  try {
    parentPort.postMessage({ value: commands[command](rest) });
  } catch (error) {
    parentPort.postMessage({ error: String(error?.stack ?? error) });
  }
});
