/**
 * One request, in every way it can get its memory: about ten objects of mixed sizes, written and read, over four awaits of
 * the event loop, one request in eight also over a timer. Half of the objects are freed as soon as they have been used.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import { EpochRotator, runInDomain } from "../../dist/async.js";
import { SlabHeap } from "../../dist/index.js";
import { xorshift } from "../inputs.mjs";

const OBJECTS = 10;
const AWAITS = 4;
export const EVERY_DOMAINS = 256;
export const EVERY_MS = 100;

/** Sizes: most are headers and rows, every eighth is a body. */
const random = xorshift(987);
const SIZES = Int32Array.from({ length: 4096 }, (_, i) => 1 + (random() % (i % 8 === 0 ? 16_384 : 768)));
let next = 0;
let sum = 0;

/** Bytes read back; a program that does not look at them could leave out the work. */
export const checksum = () => sum;

async function pause(serial, step) {
  if (step === 2 && serial % 8 === 0) await sleep(1);
  else await turn();
}

/** `alloc(size)` answers a byte offset into `u8` by a handle; `free` may be none. */
async function withHeap(heap, alloc, serial, freeRest) {
  const handles = [];
  for (let step = 0; step < AWAITS; step++) {
    for (let i = step; i < OBJECTS; i += AWAITS) {
      const handle = alloc(SIZES[next++ & 4095]);
      if (handle === 0) throw new Error(`request ${serial}: ${heap.lastFailure}`);
      heap.u8[heap.byteOffset(handle)] = serial;
      handles.push(handle);
    }
    await pause(serial, step);
    const last = handles.at(-1);
    if (heap.u8[heap.byteOffset(last)] !== (serial & 255)) throw new Error(`request ${serial}: damaged`);
    sum += last & 1;
    if (step % 2 === 1) while (handles.length > step) heap.free(handles.pop());
  }
  if (freeRest) for (const handle of handles) if (!heap.free(handle)) throw new Error("freed twice");
}

async function withBuffers(serial) {
  const buffers = [];
  for (let step = 0; step < AWAITS; step++) {
    for (let i = step; i < OBJECTS; i += AWAITS) {
      const buffer = Buffer.allocUnsafe(SIZES[next++ & 4095]);
      buffer[0] = serial;
      buffers.push(buffer);
    }
    await pause(serial, step);
    const last = buffers.at(-1);
    if (last[0] !== (serial & 255)) throw new Error(`request ${serial}: damaged`);
    sum += last.length & 1;
    if (step % 2 === 1) buffers.length = Math.min(buffers.length, step);
  }
}

const makeHeap = () => SlabHeap.create({ capacity: 512 << 20 });

/** The ways, by name: each makes its world and answers how a request is run and what there is to say at the end. */
export const WAYS = {
  "no domain, every object freed by hand": () => {
    const heap = makeHeap();
    return { heap, request: (serial) => withHeap(heap, (size) => heap.alloc(size), serial, true) };
  },
  "AsyncLocalStorage.run, every object freed by hand": () => {
    const heap = makeHeap();
    const storage = new AsyncLocalStorage();
    const alloc = (size) => heap.alloc(size);
    return {
      heap,
      request: (serial) => storage.run({ serial }, () => withHeap(heap, alloc, serial, true)),
    };
  },
  "runInDomain, every object freed by hand": () => {
    const heap = makeHeap();
    return {
      heap,
      request: (serial) =>
        runInDomain(heap, {}, (domain) => withHeap(heap, (size) => domain.alloc(size), serial, true)),
    };
  },
  "runInDomain and EpochRotator, the rest discarded": () => {
    const heap = makeHeap();
    const rotator = new EpochRotator(heap, {
      everyDomains: EVERY_DOMAINS,
      everyMs: EVERY_MS,
      onLastExit: "discard",
    });
    return {
      heap,
      rotator,
      request: (serial) =>
        runInDomain(heap, { rotator }, (domain) =>
          withHeap(heap, (size) => domain.alloc(size), serial, false),
        ),
    };
  },
  "AsyncLocalStorage.run and Buffer.allocUnsafe": () => {
    const storage = new AsyncLocalStorage();
    return { request: (serial) => storage.run({ serial }, () => withBuffers(serial)) };
  },
};
