/** Operations of scenarios on owner words and rings. Each runs the real sources and tells the oracle what they answered. */
import {
  CLOSED,
  ENDED,
  L_HEAD,
  L_TAIL,
  laneAt,
  R_CONSUMER,
  R_LANE_OWNERS,
  R_STATE,
  WAITING,
} from "../../../src/ring/layout.js";
import { RING_BASE, type WordActor } from "./words-world.js";
import type { Routine } from "./worker.js";

export interface WordOp {
  readonly text: string;
  /** When it may begin; without it at once. */
  ready?(actor: WordActor): boolean;
  run(actor: WordActor): Routine;
}

const word = (actor: WordActor, index: number): number => actor.world.m[index] as number;

/** Handles that everybody can see in a lane, or in all of them. */
function waiting(actor: WordActor, only = -1): number {
  const { shape } = actor.world;
  let sum = 0;
  for (let lane = 0; lane < shape.producers; lane++) {
    if (only >= 0 && lane !== only) continue;
    const at = laneAt(shape, lane);
    sum += (word(actor, at + L_TAIL) - word(actor, at + L_HEAD)) | 0;
  }
  return sum;
}

/** The lane an actor holds, as its owner word says; -1: none. */
function laneOf(actor: WordActor): number {
  const { shape } = actor.world;
  for (let lane = 0; lane < shape.producers; lane++) {
    if (word(actor, RING_BASE + R_LANE_OWNERS + lane) === actor.things.me) return lane;
  }
  return -1;
}

/** Without error: whether every lane, or the place, belongs to somebody else is for the sources to say. */
function* unlessBusy(routine: Routine): Routine {
  try {
    return yield* routine;
  } catch (error) {
    if ((error as { code?: unknown }).code !== "ERR_TSLAB_RING_BUSY") throw error;
    return "busy";
  }
}

function* trySend(actor: WordActor): Routine {
  const { world, worker, sender } = actor;
  const { oracle, machine, shape } = world;
  const handle = oracle.beginSend(worker.index, actor.count);
  const lane = laneOf(actor);
  const hadRoom = lane >= 0 && waiting(actor, lane) < shape.capacity;
  const wasClosed = actor.knowsClosed;
  const answer = yield* unlessBusy(sender.trySend(handle) as unknown as Routine);
  const sent = answer === true;
  oracle.endSend(handle, sent);
  if (sent) actor.count++;
  if (sent && wasClosed) machine.fail("O5: a send that began after the close succeeded");
  const closing = isClosed(actor);
  if (answer === false && hadRoom && !closing)
    machine.fail("O4: there was room, yet the send answered false");
  worker.see(sent ? 1 : 0);
  return answer;
}

function* tryReceive(actor: WordActor, most: number): Routine {
  const { world, worker, receiver } = actor;
  const { oracle, machine } = world;
  // Without the place, somebody else may take them meanwhile.
  const had = word(actor, RING_BASE + R_CONSUMER) === actor.things.me ? waiting(actor) : 0;
  oracle.beginReceive(worker.index, most);
  const into: number[] = [];
  let answer: unknown;
  if (most === 1) {
    answer = yield* unlessBusy(receiver.tryReceive() as unknown as Routine);
    if (typeof answer === "number" && answer !== 0) into.push(answer);
  } else {
    answer = yield* unlessBusy(receiver.tryReceiveMany(into as never, most) as unknown as Routine);
  }
  oracle.endReceive(worker.index, into);
  for (const handle of into) worker.see(handle % 2 ** 32);
  if (had > 0 && into.length === 0 && answer !== "busy" && !receiverEnded(actor))
    machine.fail(`O4: ${had} handles were there, yet the receive found none`);
  return answer === "busy" ? -1 : into.length;
}

const isClosed = (actor: WordActor): boolean => (word(actor, RING_BASE + R_STATE) & CLOSED) !== 0;
const receiverEnded = (actor: WordActor): boolean => (word(actor, RING_BASE + R_STATE) & ENDED) !== 0;

/** Sends once, without waiting. */
export const send: WordOp = { text: "send", run: trySend };

/** Sends `count` handles with one publication. */
export function sendMany(count: number): WordOp {
  return {
    text: `send ${count} at once`,
    *run(actor) {
      const { oracle } = actor.world;
      const handles = Array.from({ length: count }, (_, i) =>
        oracle.beginSend(actor.worker.index, actor.count + i),
      );
      const answer = yield* unlessBusy(actor.sender.trySendMany(handles, 0, count) as unknown as Routine);
      const taken = typeof answer === "number" ? answer : 0;
      handles.forEach((handle, i) => {
        oracle.endSend(handle, i < taken);
      });
      actor.count += taken;
      actor.worker.see(taken);
      return undefined;
    },
  };
}

/** Sends `count` handles, sleeping while the lane is full; stops where the ring is closed. */
export function sendAll(count: number): WordOp {
  return {
    text: `send ${count}, waiting for room`,
    *run(actor) {
      const { world, sender } = actor;
      let last = false;
      // A closed ring wakes everybody: nobody sleeps there.
      const isFull = (): boolean =>
        !isClosed(actor) && waiting(actor, laneOf(actor)) === world.shape.capacity;
      for (let sent = 0; sent < count; ) {
        const alone = last || world.othersEnded(actor);
        if ((yield* trySend(actor)) === true) {
          sent++;
          continue;
        }
        if (isClosed(actor) || alone) return undefined;
        const waits = yield* sender.prepareToWait() as unknown as Routine;
        if (waits === true) last = (yield* world.sleep(actor, sender.waitsAt, 1, isFull)) === false;
      }
      return undefined;
    },
  };
}

/** Receives once, without waiting. */
export const receive: WordOp = {
  text: "receive",
  *run(actor) {
    return yield* tryReceive(actor, 1);
  },
};

export function receiveMany(most: number): WordOp {
  return {
    text: `receive up to ${most}`,
    *run(actor) {
      return yield* tryReceive(actor, most);
    },
  };
}

/** Receives `count` handles, sleeping while there are none; stops at the end of the ring, or when nobody is left to send. */
export function receiveAll(count: number): WordOp {
  return {
    text: `receive ${count}, waiting for them`,
    *run(actor) {
      const { world, receiver } = actor;
      let last = false;
      for (let got = 0; got < count; ) {
        const alone = last || (world.othersEnded(actor) && world.machine.kills > 0);
        const some = (yield* tryReceive(actor, 1)) as number;
        if (some < 0) return undefined;
        got += some;
        if (some > 0) continue;
        if (alone || receiverEnded(actor)) return undefined;
        const waits = yield* receiver.prepareToWait() as unknown as Routine;
        if (waits === true)
          last = (yield* world.sleep(actor, receiver.stateAt, WAITING, () => waiting(actor) === 0)) === false;
      }
      return undefined;
    },
  };
}

export const close: WordOp = {
  text: "close",
  *run(actor) {
    yield* actor.own.closeRing(actor.world.shape) as unknown as Routine;
    actor.world.oracle.closed = true;
    actor.knowsClosed = true;
    actor.world.machine.noteGhost(0x0c105ed);
    return undefined;
  },
};

/** Gives lane and place back. */
export const leave: WordOp = {
  text: "leave",
  *run(actor) {
    yield* actor.sender.leave() as unknown as Routine;
    yield* actor.receiver.leave() as unknown as Routine;
    return undefined;
  },
};

/** Until that worker (from 1) is dead or has ended. */
export function after(worker: number, op: WordOp): WordOp {
  return {
    text: `after worker ${worker}: ${op.text}`,
    ready: ({ world }) => {
      const other = world.machine.workers[worker - 1];
      return other?.dead === true || other?.done === true;
    },
    *run(actor) {
      // Whoever learns of the other's end has its stores, and knows of a close before.
      actor.world.machine.acquire(actor.worker);
      actor.knowsClosed ||= actor.world.oracle.closed;
      return yield* op.run(actor);
    },
  };
}

/** Attaches anew on the seat of a dead worker (from 1). */
export function sitOn(worker: number): WordOp {
  return {
    text: `take the seat of worker ${worker}`,
    ready: ({ world }) => {
      const other = world.machine.workers[worker - 1];
      return other?.dead === true || other?.done === true;
    },
    // biome-ignore lint/correctness/useYield: a step like any other, but nothing in it can be interrupted
    *run(actor) {
      const { world } = actor;
      if (world.machine.workers[worker - 1]?.dead !== true) return undefined;
      actor.sit(worker, 2);
      world.machine.noteGhost(0x51700 + worker);
      return undefined;
    },
  };
}

// -- owner words -----------------------------------------------------------------------------------------

export function claim(hint = 0): WordOp {
  return {
    text: `claim from ${hint}`,
    *run(actor) {
      const thing = (yield* actor.things.claim(hint) as unknown as Routine) as number;
      if (thing >= 0) actor.world.oracle.took(actor.worker.index, thing);
      actor.worker.see(thing);
      return undefined;
    },
  };
}

/** Gives a thing back, whether it is held or not. */
export function release(thing: number): WordOp {
  return {
    text: `release ${thing}`,
    *run(actor) {
      const { oracle, machine } = actor.world;
      const held = oracle.holds(actor.worker.index, thing);
      oracle.letGo(actor.worker.index, thing);
      const done = yield* actor.things.release(thing) as unknown as Routine;
      // What was offered and not taken is still its own.
      if (done !== held && !actor.world.offers.has(thing))
        machine.fail(`O1: release answered ${String(done)}, the thing was ${held ? "" : "not "}held`);
      actor.worker.see(done === true ? 1 : 0);
      return undefined;
    },
  };
}

/** Lets worker `to` (from 1) take the thing over. */
export function offer(thing: number, to: number): WordOp {
  return {
    text: `offer ${thing} to worker ${to}`,
    // biome-ignore lint/correctness/useYield: nothing in it can be interrupted
    *run(actor) {
      const { world, worker } = actor;
      if (!world.oracle.holds(worker.index, thing)) return undefined;
      world.oracle.letGo(worker.index, thing);
      world.offers.set(thing, to - 1);
      world.machine.publish(worker);
      world.machine.noteGhost(0x0ffe0 + thing * 16 + to);
      return undefined;
    },
  };
}

/** Takes a thing over from worker `from` (from 1), once that has offered it. */
export function transfer(thing: number, from: number): WordOp {
  return {
    text: `take ${thing} over from worker ${from}`,
    ready: ({ world, worker }) => {
      const other = world.machine.workers[from - 1];
      return world.offers.get(thing) === worker.index || other?.done === true || other?.dead === true;
    },
    *run(actor) {
      const { world, worker } = actor;
      if (world.offers.get(thing) !== worker.index) return undefined;
      const giver = world.actors[from - 1] as WordActor;
      const done = yield* actor.things.transfer(thing, giver.things.me) as unknown as Routine;
      if (done === true) world.oracle.took(worker.index, thing);
      worker.see(done === true ? 1 : 0);
      return undefined;
    },
  };
}

export const takeFromDead: WordOp = {
  text: "take one from the dead",
  *run(actor) {
    const thing = (yield* actor.things.takeFromDead({
      seats: () => actor.world.seats(actor),
    }) as unknown as Routine) as number;
    if (thing >= 0) actor.world.oracle.took(actor.worker.index, thing);
    actor.worker.see(thing);
    return undefined;
  },
};

export const freeDead: WordOp = {
  text: "free what the dead hold",
  *run(actor) {
    const freed = (yield* actor.things.freeDead({
      seats: () => actor.world.seats(actor),
    }) as unknown as Routine) as number;
    actor.worker.see(freed);
    return undefined;
  },
};
