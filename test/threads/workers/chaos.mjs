// Does everything a thread can do with a heap, at random and as fast as possible, until it is terminated.
import { parentPort, workerData } from "node:worker_threads";
import { attach } from "./attach.mjs";
import { isDoomedEra, Keeper } from "./keeper.mjs";
import { Control, CUSTOM, Mailbox } from "./shared.mjs";

const { owner, seed, most, largest, zeroed } = workerData;
const control = new Control(workerData.control);
const keeper = new Keeper({
  control,
  mailbox: new Mailbox(workerData.mailbox),
  owner,
  seed,
  most,
  largest,
  zeroed,
});
const { random } = keeper;
let heap;
let domains = [];

const RARE = [
  () => heap.advanceEpoch(),
  () => heap.closeEpoch(random.below(16)),
  () => heap.closeEpoch(heap.currentEpoch),
  discardSome,
  () => keeper.alloc(heap, heap.slabSize * (1 + random.below(3))),
  () => keeper.alloc(heap, 16 + random.below(200), heap.currentEpoch.id),
  () => enter(false),
  () => enter(true),
  leave,
  leave,
  () => heap.setEpochLabel(random.below(16), `label ${random.next()}`),
  () => heap.retainEpoch(random.below(16)),
  () => heap.releaseEpoch(random.below(16)),
  () => heap.poll(),
  () => heap.trim({ keepBytes: random.below(4) * heap.slabSize }),
  () => heap.epochInfo(random.below(16)),
  () => heap.free(random.next() * 2 ** 21),
  reattach,
];

function discardSome() {
  const newest = heap.currentEpoch.era;
  for (let era = newest - random.below(20); era <= newest; era++) {
    if (era >= 16 && isDoomedEra(era)) return heap.discardEpoch({ id: era % 16, era });
  }
}

function enter(autoClose) {
  if (domains.length < 5) domains.push(heap.openDomain({ autoClose, label: autoClose ? "auto" : "" }));
}

function leave() {
  domains.pop()?.exit();
}

function reattach() {
  domains = [];
  heap.detach();
  heap = attach(workerData);
}

try {
  parentPort.postMessage("starting");
  heap = attach(workerData);
  parentPort.postMessage("busy");
  for (;;) {
    control.add(CUSTOM);
    if (random.below(6) === 0) RARE[random.below(RARE.length)]();
    else keeper.step(heap);
  }
} catch (error) {
  control.fail(`worker ${owner}: ${error?.stack ?? error}`);
}
