// Drops heaps with rotators in every state, and a rotator of a heap that lives on; tells what became of them. Needs
// --expose-gc. Prints one JSON line. Waits until everything is as it should be, or for so many rounds that it never will.
import { setTimeout as sleep } from "node:timers/promises";
import { SlabHeap } from "temporal-slab";
import { EpochRotator, runInDomain } from "temporal-slab/async";

const HEAPS = 9;
const ROUNDS = 200;
const options = { capacity: 1 << 20, slabSize: 4096, maxWorkers: 4, sizeClasses: [64, 1024] };
const rules = { everyMs: 5, onLastExit: "discard" };

/** Everything about a heap in a scope of its own: only what is returned survives. */
async function dropHeap(state) {
  const heap = SlabHeap.create(options);
  const rotator = new EpochRotator(heap, rules);
  await runInDomain(heap, { rotator }, async (domain) => {
    domain.allocOrThrow(64);
    await sleep(1);
  });
  if (state === 1) rotator.stop();
  if (state === 2) rotator.open().allocOrThrow(64);
  return new WeakRef(heap);
}

/** A rotator nobody holds, with an epoch that somebody else is still inside. */
function dropRotator(heap, other) {
  const rotator = new EpochRotator(heap, rules);
  const outside = other.openDomain();
  const domain = rotator.open();
  const handle = domain.allocOrThrow(64);
  domain.end();
  rotator.rotate();
  return { handle, outside };
}

const dropped = await Promise.all(Array.from({ length: HEAPS }, (_, i) => dropHeap(i % 3)));
const keeper = SlabHeap.create(options);
const other = SlabHeap.attach(keeper.share(), { sameThread: true });
const { handle, outside } = dropRotator(keeper, other);
const gone = () => dropped.filter((heap) => heap.deref() === undefined).length;

for (let round = 0; round < ROUNDS && gone() < HEAPS; round++) {
  // In this order: what deref() returned stays alive until the next turn of the event loop.
  await sleep(25);
  globalThis.gc();
}
const liveBefore = keeper.isLive(handle);
outside.exit();
for (let round = 0; round < ROUNDS && keeper.isLive(handle); round++) await sleep(25);
console.log(
  JSON.stringify({
    heaps: HEAPS,
    heapsGone: gone(),
    liveBefore,
    liveAfter: keeper.isLive(handle),
    problems: keeper.verify().problems,
  }),
);
// And the process ends by itself: no timer keeps it.
