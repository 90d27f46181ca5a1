// One thread of the soak: runs patterns at random until it is told to stop, or is terminated.
import { once } from "node:events";
import { setImmediate as turn } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { SlabHeap } from "temporal-slab";
import { Control, HandleRing, patternNumber, Random, Row } from "./board.mjs";
import { dieAtAccess } from "./deaths.mjs";
import { MIXTURE } from "./mixture.mjs";
import { Objects } from "./objects.mjs";
import { readMessages, serve } from "./patterns/handover.mjs";
import { PLANTED } from "./planted.mjs";

const { ref, slot, owner, seed, most, zeroed, planted, diesAt } = workerData;
const control = new Control(workerData.control);
const row = new Row(control, slot);
const random = new Random(seed);
const objects = new Objects({ control, row, random, owner, most, zeroed });
/** What patterns work with. No heap while this thread has no seat. */
const c = {
  control,
  row,
  random,
  objects,
  ref,
  ring: new HandleRing(workerData.ring),
  heap: undefined,
  inbox: [],
};

const ATTACHING = patternNumber("attaching");
const SERVING = patternNumber("serving messages");
const LEAVING = patternNumber("giving everything back");
const WAITING = patternNumber("waiting for the controller's goodbye");

/** Seats of the dead must be reaped first, by somebody who has one. */
async function attach() {
  while (c.heap === undefined) {
    row.beat(ATTACHING);
    try {
      c.heap = SlabHeap.attach(ref);
      row.add("attaches");
    } catch (error) {
      if (error.code !== "ERR_TSLAB_SEATS_EXHAUSTED") throw error;
      readMessages(c);
      serve(c);
      await turn();
    }
  }
}

async function work() {
  parentPort.postMessage("ready");
  while (!control.stopped) {
    await attach();
    const [number, pattern] = MIXTURE[random.below(MIXTURE.length)];
    row.beat(number);
    pattern(c);
    row.add("operations");
    if (c.heap === undefined) continue;
    row.beat(SERVING);
    readMessages(c);
    serve(c);
    // Timers and collections of garbage have their turn too.
    if (random.below(10) === 0) await turn();
  }
  await attach();
  row.beat(LEAVING);
  PLANTED[planted]?.(c);
  objects.freeAllKept(c.heap);
  parentPort.postMessage("done");
  row.beat(WAITING);
  // Everything sent to this thread before the goodbye is here by then.
  let bye = !readMessages(c);
  parentPort.on("message", () => {});
  while (!bye) {
    const [message] = await once(parentPort, "message");
    bye = message === "bye";
    if (!bye) c.inbox.push(message);
  }
  serve(c);
  objects.freeAllKept(c.heap);
  c.heap.detach();
  parentPort.close();
}

if (diesAt > 0) dieAtAccess(diesAt);
try {
  await work();
} catch (error) {
  control.fail(`thread ${owner} in "${row.pattern}": ${error?.stack ?? error}`);
}
