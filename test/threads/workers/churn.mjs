// Takes a seat, leaves objects behind, gives the seat back, again and again.
import { workerData } from "node:worker_threads";
import { SlabHeap } from "temporal-slab";
import { Keeper } from "./keeper.mjs";
import { Control, CUSTOM, DROP, Mailbox, READY } from "./shared.mjs";

const control = new Control(workerData.control);
const keeper = new Keeper({ ...workerData, control, mailbox: new Mailbox(workerData.mailbox) });
const { random } = keeper;

try {
  control.add(READY);
  let drops = 0;
  while (!control.stopped) {
    const heap = SlabHeap.attach(workerData.ref);
    const steps = random.below(120);
    for (let i = 0; i < steps; i++) {
      keeper.step(heap);
      if (random.below(40) === 0) heap.closeEpoch(heap.currentEpoch);
    }
    control.restIfAsked(() => {
      keeper.checkAll(heap);
      if (control.get(DROP) !== drops) {
        drops = control.get(DROP);
        keeper.freeAll(heap);
      }
      heap.poll();
    });
    heap.detach();
    control.add(CUSTOM);
  }
  const heap = SlabHeap.attach(workerData.ref);
  keeper.checkAll(heap);
  keeper.freeAll(heap);
  heap.detach();
} catch (error) {
  control.fail(`worker ${workerData.owner}: ${error?.stack ?? error}`);
}
