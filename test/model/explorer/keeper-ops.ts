/**
 * Operations of scenarios with a rotator's keeper in every thread, in the order in which the rotator and its domains call
 * it. What it does to epochs goes through a heap that tells the oracle.
 *
 * K1  nothing is discarded while a domain is inside, and nobody enters what is being discarded
 * K2  no epoch is opened in the ring slot of one that a domain is inside
 * K3  at rest every era that is over and has nobody inside has been discarded, by who left last or by who moved on
 *     (scenarios/keepers.ts)
 */
import { ERA, REC_BASE } from "../../../src/allocator/memory/layout.js";
import { recEra } from "../../../src/allocator/words/epoch-word.js";
import type { Op } from "./ops.js";
import { SLOT } from "./ops.js";
import type { Routine } from "./worker.js";
import type { Actor } from "./world.js";

type Keeper = NonNullable<Actor["keeper"]>;
interface Ref {
  readonly id: number;
  readonly era: number;
}

/** The worker's heap, whose calls that end epochs are noted. */
function noting(actor: Actor): object {
  const { heap, worker, world } = actor;
  const { oracle } = world;
  return Object.create(heap, {
    closeEpoch: {
      *value(ref: Ref): Routine {
        oracle.beginClosing(worker);
        const report = (yield* heap.closeEpoch(ref)) as { reason?: string };
        const next = report.reason === "never-opened" ? 0 : ref.era + 1;
        oracle.endClosing(worker, next);
        oracle.closed(worker, next);
        return report;
      },
    },
    advanceEpoch: {
      *value(): Routine {
        oracle.beginClosing(worker);
        const ref = (yield* heap.advanceEpoch()) as Ref;
        oracle.endClosing(worker, ref.era);
        oracle.closed(worker, ref.era);
        return ref;
      },
    },
    discardEpoch: {
      *value(ref: Ref): Routine {
        if (oracle.isReferenced(ref.era))
          world.fail(`K1: era ${ref.era} is discarded while a domain is inside`);
        oracle.beginClosing(worker);
        oracle.beginDiscard([ref.era]);
        const report = yield* heap.discardEpoch(ref);
        oracle.endClosing(worker, ref.era + 1);
        oracle.endDiscard([ref.era]);
        oracle.closed(worker, ref.era + 1);
        return report;
      },
    },
  });
}

function keeperOf(actor: Actor): Keeper {
  actor.keeper ??= new actor.own.EpochKeeper(noting(actor) as never, true, "") as unknown as Keeper;
  return actor.keeper;
}

/** A domain of the rotator enters the current epoch. */
export function keptEnter(name: string): Op {
  return {
    text: `rotator: enter ${name}`,
    *run(actor) {
      const { oracle } = actor.world;
      const domain = (yield* keeperOf(actor).enter()) as ReturnType<Actor["domains"]["get"]> & {};
      const { era } = domain.epoch;
      actor.domains.set(name, domain);
      actor.worker.see(era);
      oracle.entered(actor.worker, era, false);
      if (oracle.ghost.discarding.has(era))
        actor.world.fail(`K1: entered era ${era}, which is being discarded`);
    },
  };
}

/** Allocates in a domain. */
export function keptAlloc(name: string, domainName: string): Op {
  return {
    text: `alloc ${name} in ${domainName}`,
    mayLose: 1,
    *run(actor) {
      const { oracle } = actor.world;
      const domain = actor.domains.get(domainName);
      if (domain === undefined) return;
      const floor = oracle.beginAlloc(actor.worker);
      oracle.ghost.perhapsAllocated++;
      const handle = (yield* domain.alloc(SLOT)) as number;
      actor.worker.see(handle % 1e9);
      if (handle !== 0) {
        oracle.allocated(actor.worker, handle, SLOT, floor, domain.epoch.id);
        oracle.ghost.perhapsAllocated--;
      }
      actor.vars.set(name, handle);
    },
  };
}

/** The domain ends: first the membership, then the keeper is told. */
export function keptLeave(name: string): Op {
  return {
    text: `rotator: leave ${name}`,
    *run(actor) {
      const { world } = actor;
      const domain = actor.domains.get(name);
      if (domain === undefined) return;
      const { id, era } = domain.epoch;
      const holder = recEra(world.m[REC_BASE + id] as number);
      if (holder !== era)
        world.fail(`K2: era ${holder} has the ring slot of era ${era}, which a domain is inside`);
      world.oracle.leaving(actor.worker, era);
      yield* domain.exit();
      actor.domains.delete(name);
      yield* keeperOf(actor).left([domain.epoch]);
    },
  };
}

/** It is time for the next epoch. */
export const turn: Op = {
  text: "rotator: turn",
  *run(actor) {
    const keeper = keeperOf(actor);
    yield* keeper.catchUp();
    actor.worker.see((yield* keeper.moveOn()) === true ? 1 : 0);
  },
};

/** The rotator looks after its epochs. */
export const tick: Op = {
  text: "rotator: tick",
  *run(actor) {
    const keeper = keeperOf(actor);
    yield* keeper.catchUp();
    yield* keeper.sweep();
  },
};

/** Somebody closes the first era and dies as soon as ERA has moved: the record says that it is open. */
export const closeHalf: Op = {
  text: "close 2, half",
  *run(actor) {
    const { machine, oracle, m } = actor.world;
    oracle.beginClosing(actor.worker);
    if (machine.atomic(2, m, ERA, 2, 3)) yield;
    machine.rmw();
    oracle.endClosing(actor.worker, 3);
  },
};
