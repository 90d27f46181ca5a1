/** Operations of scenarios on a limit that threads share, as a pool makes them. */
import type { PermitRef } from "../../../src/pool/permits.js";
import type { WordOp } from "./words-ops.js";
import type { WordActor } from "./words-world.js";
import type { Routine } from "./worker.js";

function* tryTake(actor: WordActor): Routine {
  const { worker, world } = actor;
  world.permits.beginTake(worker.index);
  const index = (yield* actor.permits.take() as unknown as Routine) as number;
  world.permits.endTake(worker.index, index);
  worker.see(index);
  return index >= 0;
}

/** Takes a permit if there is one. */
export const take: WordOp = { text: "take", run: tryTake };

/** Gives a permit back: the lowest that is held, or this one, held or not. */
export function give(only?: number): WordOp {
  return {
    text: only === undefined ? "give" : `give ${only}`,
    *run(actor) {
      const { worker, world } = actor;
      const index = only ?? world.permits.heldBy(worker.index);
      if (index < 0) return;
      world.permits.beginGive(worker.index, index);
      yield* actor.permits.give(index) as unknown as Routine;
      world.permits.endGive(worker.index);
    },
  };
}

/** Takes a permit, sleeping while there is none; gives up when nobody is left to give one back. */
export const takeWaiting: WordOp = {
  text: "take, waiting for one",
  *run(actor) {
    const { worker, world } = actor;
    for (;;) {
      if ((yield* tryTake(actor)) === true) return;
      const seen = (yield* actor.permits.announce() as unknown as Routine) as number;
      if ((yield* tryTake(actor)) === true) return;
      // To go to sleep is to compare the bell with what was seen, atomically.
      world.machine.publish(worker);
      world.permits.sleeps(worker.index, seen);
      const awake = (): boolean => world.permits.isAwake(worker);
      while (!awake()) {
        worker.waitsFor = awake;
        yield;
      }
      worker.waitsFor = undefined;
      const more = world.permits.wakes(worker);
      worker.see(more ? 1 : 0);
      if (!more) return;
    }
  },
};

/** Sends a permit in a message of this name: the lowest that is held, or this one, held or not. */
export function send(message: string, only?: number): WordOp {
  return {
    text: `send ${message}${only === undefined ? "" : ` with permit ${only}`}`,
    *run(actor) {
      const { worker, world } = actor;
      const index = only ?? world.permits.heldBy(worker.index);
      if (index < 0) return;
      const held = world.permits.holds(worker.index, index);
      const ref = (yield* actor.permits.send(index) as unknown as Routine) as PermitRef | undefined;
      if ((ref !== undefined) !== held)
        world.machine.fail(`P1: send answered ${String(ref)}, permit ${index} was ${held ? "" : "not "}held`);
      if (ref === undefined) return;
      world.permits.sent(worker.index, ref);
      world.machine.publish(worker);
      world.mail.set(message, ref);
      world.machine.noteGhost(0x3a110000 + message.charCodeAt(0));
    },
  };
}

/** Receives the permit of a message, unless worker `from` (from 1) has ended without sending it. */
export function receive(message: string, from: number): WordOp {
  return {
    text: `receive ${message}`,
    ready: ({ world }) => {
      const sender = world.machine.workers[from - 1];
      return world.mail.has(message) || sender?.done === true || sender?.dead === true;
    },
    *run(actor) {
      const { worker, world } = actor;
      const ref = world.mail.get(message);
      if (ref === undefined) return;
      world.machine.acquire(worker);
      world.permits.beginReceive(worker.index, ref);
      const got = yield* actor.permits.receive(ref) as unknown as Routine;
      world.permits.endReceive(worker.index, ref, got === true);
      worker.see(got === true ? 1 : 0);
    },
  };
}
