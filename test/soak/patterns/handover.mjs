// Patterns that pass objects to other threads, which free them: through a ring of handles and through messages.
import { parentPort, receiveMessageOnPort } from "node:worker_threads";
import { someSize } from "./objects.mjs";

/** An object to give away: a kept one, or a new one. */
function gift(c) {
  const { objects, random, heap } = c;
  if (objects.kept.length > 0 && random.below(2) === 0) return objects.takeAny();
  return objects.alloc(heap, someSize(c));
}

function accept(c, handle, era) {
  const object = c.objects.receive(c.heap, handle, era);
  if (object === undefined) return;
  if (c.random.below(4) === 0) c.objects.keep(c.heap, object);
  else c.objects.free(c.heap, object);
}

export function throughRing(c) {
  for (let n = c.random.below(60); n > 0; n--) {
    const given = gift(c);
    if (given !== undefined) {
      c.row.add("handed");
      const old = c.ring.put(given.handle);
      if (old !== 0) accept(c, old, undefined);
    }
    const taken = c.ring.take();
    if (taken !== 0) accept(c, taken, undefined);
  }
}

export function throughMessages(c) {
  const give = [];
  for (let n = 1 + c.random.below(12); n > 0; n--) {
    const object = gift(c);
    if (object !== undefined) give.push([object.handle, object.era]);
  }
  c.row.add("handed", give.length);
  parentPort.postMessage({ give });
}

/** Takes the messages that have come in meanwhile; returns false once the controller has said goodbye. */
export function readMessages(c) {
  for (
    let received = receiveMessageOnPort(parentPort);
    received !== undefined;
    received = receiveMessageOnPort(parentPort)
  ) {
    if (received.message === "bye") return false;
    c.inbox.push(received.message);
  }
  return true;
}

/** Does what the messages ask for. A thread without a seat can neither free nor reap. */
export function serve(c) {
  const kept = [];
  for (const message of c.inbox) {
    if (message.reap !== undefined)
      parentPort.postMessage({ reaped: message.reap, done: reapThread(c, message.reap) });
    else if (c.heap === undefined) kept.push(message);
    else for (const [handle, era] of message.take) accept(c, handle, era);
    c.row.beat();
  }
  c.inbox = kept;
}

/** Reaps every seat of a thread that has exited; false when that is not done and somebody else must try. */
function reapThread(c, threadId) {
  if (c.heap === undefined) return false;
  let done = true;
  for (const { seat, incarnation, state, threadId: holder } of c.heap.seats()) {
    if (holder !== threadId || state === "FREE") continue;
    const { status } = c.heap.reap(seat, incarnation);
    if (status === "reaped") c.row.add("reaps");
    done &&= status !== "busy";
  }
  return done;
}
