// A thread of a shared pool: works with blocks until it is told to stop, or frees what others free at the same time.
import { parentPort, workerData } from "node:worker_threads";
import { MemPool } from "temporal-slab/malloc";
import { Control, CUSTOM, Mailbox, READY } from "../../threads/workers/shared.mjs";
import { Holder } from "./holder.mjs";

/** Control words of the race: rounds begun, freers that are done with them, pointers the round has. */
const ROUND = CUSTOM + 1;
const DONE = CUSTOM + 2;
const COUNT = CUSTOM + 3;

const control = new Control(workerData.control);
const pool = MemPool.attach(workerData.ref);

try {
  if (workerData.job === "churn") churn();
  else race(new Int32Array(workerData.pointers), new Int32Array(workerData.freed));
  pool.release();
} catch (error) {
  control.fail(`worker ${workerData.owner}: ${error?.stack ?? error}`);
}

function churn() {
  const holder = new Holder({ ...workerData, control, mailbox: new Mailbox(workerData.mailbox) });
  control.add(READY);
  parentPort.postMessage("busy");
  while (!control.stopped) {
    for (let i = 0; i < 50; i++) holder.step(pool);
    control.add(CUSTOM, 50);
    control.restIfAsked(() => {
      holder.checkAll(pool);
      pool.heap.poll();
    });
  }
  holder.dropAll(pool);
}

function race(pointers, freed) {
  control.add(READY);
  for (let round = 1; ; round++) {
    while (control.get(ROUND) < round) {
      if (control.stopped) return;
      control.pause(1);
    }
    const count = control.get(COUNT);
    for (let i = 0; i < count; i++) if (pool.free(pointers[i])) Atomics.add(freed, i, 1);
    control.add(DONE);
  }
}
