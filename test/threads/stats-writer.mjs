// Allocates, frees, hands objects to the other writers, ends epochs and sets labels; says in shared words what it did.
import { workerData } from "node:worker_threads";
import { SlabHeap } from "temporal-slab";
import { Control, Mailbox, Random, READY } from "./workers/shared.mjs";

const { ref, seed, tally, rests, block } = workerData;
const control = new Control(workerData.control);
const cells = new Mailbox(workerData.mailbox);
const random = new Random(seed);
/** Seat, allocs, frees, refused frees, advances, out of memory, seat's blocked sign. */
const did = new BigInt64Array(tally);
const SIZES = [16, 60, 64, 200, 1000, 9000];
const LABELS = ["A".repeat(31), "B".repeat(30), "C".repeat(7), "D".repeat(22)];
const kept = [];

/** In local variables, published together: between two publications the words are behind. */
const counts = [0, 0, 0, 0, 0];
const publish = () => {
  counts.forEach((n, i) => {
    Atomics.store(did, 1 + i, BigInt(n));
  });
};

function free(heap, handle) {
  if (heap.free(handle)) counts[1]++;
  else counts[2]++;
}

function step(heap) {
  const roll = random.below(1000);
  if (roll < 480) {
    const handle = heap.alloc(SIZES[random.below(roll < 470 ? 5 : 6)]);
    if (handle === 0) {
      counts[4]++;
      for (let n = kept.length >> 1; n > 0; n--) free(heap, kept.pop());
      return;
    }
    counts[0]++;
    kept.push(handle);
    if (kept.length > 150) free(heap, kept.shift());
  } else if (roll < 780) {
    if (kept.length > 0) free(heap, kept.splice(random.below(kept.length), 1)[0]);
  } else if (roll < 980) {
    if (kept.length === 0) return;
    const received = cells.swap(random.next(), kept.pop());
    if (received !== 0) free(heap, received);
  } else if (roll < 990) {
    heap.setEpochLabel(heap.currentEpoch.id, LABELS[random.below(LABELS.length)]);
  } else if (roll < 996) {
    heap.advanceEpoch();
    counts[3]++;
  } else {
    // An era that is not the newest: nothing is being allocated in it but by threads that have not noticed.
    const { era } = heap.currentEpoch;
    const old = era - 1 - random.below(3);
    if (old >= 16) heap.discardEpoch({ id: old % 16, era: old });
  }
}

try {
  const heap = SlabHeap.attach(ref);
  Atomics.store(did, 0, BigInt(heap.seat));
  control.add(READY);
  for (let i = 0; !control.stopped; i++) {
    step(heap);
    if (i % 64 === 0) {
      publish();
      if (block > 0 && i >= block) {
        Atomics.store(did, 6, 1n);
        Atomics.wait(control.words, 1000, 0);
      }
      if (rests) control.restIfAsked(() => publish());
    }
  }
  // One after the other honours what the others discarded: the main thread polls in between.
  publish();
  heap.detach();
  publish();
} catch (error) {
  control.fail(`writer ${workerData.name}: ${error?.stack ?? error}`);
}
