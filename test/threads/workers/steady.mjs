// Lives through the whole test: keeps objects, checks them all the time, rests when asked.
import { workerData } from "node:worker_threads";
import { attach } from "./attach.mjs";
import { Keeper } from "./keeper.mjs";
import { Control, DROP, Mailbox, READY } from "./shared.mjs";

const { owner, seed, most, largest, zeroed, breather } = workerData;
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

try {
  const heap = attach(workerData);
  control.add(READY);
  let drops = 0;
  while (!control.stopped) {
    for (let i = 0; i < 50; i++) keeper.step(heap);
    // Leaves the processor to the threads this test is about.
    if (breather > 0) control.pause(breather);
    control.restIfAsked(() => {
      keeper.checkAll(heap);
      if (control.get(DROP) !== drops) {
        drops = control.get(DROP);
        keeper.freeAll(heap);
      }
      heap.poll();
    });
  }
  keeper.checkAll(heap);
  keeper.freeAll(heap);
  heap.detach();
} catch (error) {
  control.fail(`worker ${owner}: ${error?.stack ?? error}`);
}
