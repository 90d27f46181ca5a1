// Drops heap objects without giving their seats back and tells what became of them; needs --expose-gc.
// Prints one JSON line. Waits until everything is as it should be, or for so many rounds that it never will.
import { setTimeout as sleep } from "node:timers/promises";
import { SlabHeap } from "temporal-slab";

const HEAPS = 8;
const ROUNDS = 200;
const options = { capacity: 1 << 20, slabSize: 4096, maxWorkers: 4, sizeClasses: [64, 1024] };

/** Everything about a heap in a scope of its own: only what is returned survives. */
function dropHeap(withDomain) {
  const heap = SlabHeap.create(options);
  heap.view(heap.alloc(1024)).fill(1);
  heap.alloc(9000);
  if (withDomain) heap.openDomain({ autoClose: true }).alloc(64);
  return { heap: new WeakRef(heap), buffer: new WeakRef(heap.buffer) };
}

/** A second seat of a heap that lives on, inside a domain and with an object. */
function dropSeat(keeper) {
  const heap = SlabHeap.attach(keeper.share(), { sameThread: true });
  const handle = heap.alloc(1024);
  heap.view(handle).fill(7);
  const { epoch } = heap.openDomain({ autoClose: true });
  return { heap: new WeakRef(heap), handle, seat: heap.seat, epoch };
}

const dropped = Array.from({ length: HEAPS }, (_, i) => dropHeap(i % 2 === 1));
const keeper = SlabHeap.create(options);
const seat = dropSeat(keeper);

const gone = () => dropped.filter(({ heap, buffer }) => !heap.deref() && !buffer.deref()).length;
const seatState = () => keeper.seats().find((info) => info.seat === seat.seat)?.state;

for (let round = 0; round < ROUNDS && (gone() < HEAPS || seatState() !== "FREE"); round++) {
  // In this order: what deref() returned stays alive until the next turn of the event loop.
  await sleep(25);
  globalThis.gc();
}
keeper.poll();
const report = {
  heapsGone: gone(),
  seatObjectGone: seat.heap.deref() === undefined,
  seat: seatState(),
  epoch: keeper.epochInfo(seat.epoch.id).state,
  contents: keeper.view(seat.handle).every((byte) => byte === 7),
  freed: keeper.free(seat.handle),
  again: SlabHeap.attach(keeper.share(), { sameThread: true }).seat,
  problems: keeper.verify().problems,
};
console.log(JSON.stringify({ heaps: HEAPS, ...report }));
process.exit(0);
