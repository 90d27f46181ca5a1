/** The operations scenarios are made of: a call of the heap's own method, and what it means to the oracle. */

import { REC_BASE } from "../../../src/allocator/memory/layout.js";
import type { TrimReport } from "../../../src/allocator/types.js";
import { recEra } from "../../../src/allocator/words/epoch-word.js";
import type { Routine } from "./worker.js";
import type { Actor, World } from "./world.js";

export interface Op {
  readonly text: string;
  run(actor: Actor): Routine;
  /** Whether it can begin; without it, at once. */
  ready?(world: World, actor: Actor): boolean;
  /** A worker that dies in it may take this many objects along that nobody else knows of. */
  readonly mayLose?: number;
  /** Repeated by whoever comes after a worker that died in it. */
  readonly discards?: number;
}

/** Size of a slot in most scenarios; SLAB is a whole slab, as a large object. */
export const SLOT = 2048;
export const SLAB = 4096;

export interface AllocOptions {
  readonly size?: number;
  readonly epoch?: number;
  /** It must not fail. */
  readonly must?: boolean;
}

/** Allocates and keeps the handle under a name. */
export function alloc(name: string, { size = SLOT, epoch, must = false }: AllocOptions = {}): Op {
  return {
    text: `alloc ${name}`,
    mayLose: 1,
    *run(actor) {
      const { oracle } = actor.world;
      const floor = oracle.beginAlloc(actor.worker);
      const handle = (yield* actor.heap.alloc(size, epoch)) as number;
      actor.worker.see(handle % 1e9);
      if (handle !== 0) {
        oracle.allocated(actor.worker, handle, size, floor, epoch);
        actor.world.useContents(handle, size);
      } else if (must) actor.world.fail(`alloc ${name} failed: ${actor.heap._a.lastFailure}`);
      actor.vars.set(name, handle);
    },
  };
}

/** Allocates a run of slabs. */
export const large = (name: string, slabs: number, options: AllocOptions = {}): Op =>
  alloc(name, { ...options, size: slabs * SLAB });

/** Frees what a name stands for; nothing if that alloc failed. */
export function free(name: string): Op {
  return {
    text: `free ${name}`,
    mayLose: 1,
    *run(actor) {
      const { oracle } = actor.world;
      const handle = actor.vars.get(name) ?? 0;
      if (handle === 0) return;
      actor.world.contents.check(handle);
      const claim = oracle.beginFree(actor.worker, handle);
      const freed = (yield* actor.heap.free(handle)) as boolean;
      actor.worker.see(freed ? 1 : 2);
      oracle.endFree(actor.worker, handle, claim, freed);
    },
  };
}

/** By its byte offset, which does not name a generation: only for objects nobody else may free. */
export function freeOffset(name: string): Op {
  return {
    text: `freeOffset ${name}`,
    mayLose: 1,
    *run(actor) {
      const { oracle } = actor.world;
      const handle = actor.vars.get(name) ?? 0;
      if (handle === 0) return;
      const offset = (yield* actor.heap.byteOffset(handle)) as number;
      const claim = oracle.beginFree(actor.worker, handle);
      const freed = (yield* actor.heap.freeOffset(offset)) as boolean;
      actor.worker.see(freed ? 1 : 2);
      oracle.endFree(actor.worker, handle, claim, freed);
    },
  };
}

/** Asks whether a handle is live. */
export function look(name: string): Op {
  return {
    text: `isLive ${name}`,
    *run(actor) {
      const { oracle } = actor.world;
      const handle = actor.vars.get(name) ?? 0;
      if (handle === 0) return;
      const before = oracle.isHeld(handle);
      const live = (yield* actor.heap.isLive(handle)) as boolean;
      actor.worker.see(live ? 1 : 2);
      oracle.looked(actor.worker, handle, before, live);
    },
  };
}

export const sync: Op = {
  text: "poll",
  *run(actor) {
    yield* actor.heap.poll();
  },
};

/** Opens the next era. */
export const advance: Op = {
  text: "advance",
  *run(actor) {
    // It closes the era before, whoever is inside.
    actor.world.oracle.beginClosing(actor.worker);
    const { era } = (yield* actor.heap.advanceEpoch()) as { era: number };
    actor.world.oracle.endClosing(actor.worker, era);
    actor.worker.see(era);
    actor.world.oracle.closed(actor.worker, era);
  },
};

function refOf(actor: Actor, era: number): { id: number; era: number } {
  return { id: actor.world.ringOf(era), era };
}

/** Closes an era, which may not be in the ring any more. */
export function close(era: number): Op {
  return {
    text: `close ${era}`,
    *run(actor) {
      actor.world.oracle.beginClosing(actor.worker);
      const report = (yield* actor.heap.closeEpoch(refOf(actor, era))) as { reason?: string };
      actor.world.oracle.endClosing(actor.worker, report.reason === "never-opened" ? 0 : era + 1);
      actor.worker.see(report.reason?.length ?? 0);
      if (report.reason !== "never-opened") actor.world.oracle.closed(actor.worker, era + 1);
    },
  };
}

export function discard(era: number): Op {
  return {
    text: `discard ${era}`,
    discards: era,
    *run(actor) {
      const { oracle } = actor.world;
      oracle.beginClosing(actor.worker);
      oracle.beginDiscard([era]);
      const report = (yield* actor.heap.discardEpoch(refOf(actor, era))) as { reason?: string };
      oracle.endClosing(actor.worker, era + 1);
      actor.worker.see(report.reason?.length ?? 0);
      oracle.endDiscard([era]);
      oracle.closed(actor.worker, era + 1);
    },
  };
}

/** Gives back what it can, and the pages of FREE slabs but for so many. */
export function trim(keepSlabs = 0): Op {
  return {
    text: `trim ${keepSlabs}`,
    *run(actor) {
      const { world, worker } = actor;
      const before = world.pages.released(worker.index);
      const report = (yield* actor.heap.trim({ keepBytes: keepSlabs * SLAB })) as TrimReport;
      const after = world.pages.released(worker.index);
      const bytes = after.bytes - before.bytes;
      const told = report.bytesReleased === bytes && report.slabsReleased * SLAB === bytes;
      if (!told || report.calls !== after.calls - before.calls)
        world.fail(`R7: ${bytes} bytes were released, but the report says ${JSON.stringify(report)}`);
      worker.see(bytes);
    },
  };
}

/** Discards everything older than an era. */
export function discardBefore(era: number): Op {
  return {
    text: `discardBefore ${era}`,
    discards: era - 1,
    *run(actor) {
      const { oracle } = actor.world;
      oracle.beginClosing(actor.worker);
      const eras = Array.from({ length: era }, (_, e) => e);
      oracle.beginDiscard(eras);
      const report = (yield* actor.heap.discardBefore(refOf(actor, era))) as { reason?: string };
      oracle.endClosing(actor.worker, era);
      actor.worker.see(report.reason?.length ?? 0);
      oracle.endDiscard(eras);
    },
  };
}

export interface EnterOptions {
  readonly auto?: boolean;
  readonly label?: string;
  readonly epoch?: number;
  readonly unordered?: boolean;
}

/** Opens a domain on the current epoch, or on a ring slot's. */
export function enter(
  name: string,
  { auto = true, label = "", epoch, unordered = false }: EnterOptions = {},
): Op {
  return {
    text: `enter ${name}`,
    *run(actor) {
      const { oracle } = actor.world;
      const common = { label, autoClose: auto, unordered };
      const options = epoch === undefined ? common : { ...common, epoch };
      try {
        const domain = (yield* actor.heap.openDomain(options)) as Actor["domains"] extends Map<
          string,
          infer D
        >
          ? D
          : never;
        actor.domains.set(name, domain);
        actor.worker.see(domain.epoch.era);
        oracle.entered(actor.worker, domain.epoch.era, auto);
      } catch (error) {
        if ((error as Error).name !== "EpochClosedError") throw error;
        actor.worker.see(-1);
      }
    },
  };
}

/** Leaves a domain. */
export function exit(name: string): Op {
  return {
    text: `exit ${name}`,
    *run(actor) {
      const domain = actor.domains.get(name);
      if (domain === undefined) return;
      actor.world.oracle.leaving(actor.worker, domain.epoch.era);
      yield* domain.exit();
      actor.domains.delete(name);
    },
  };
}

/** Adds a reference to the epoch in a ring slot. */
export function retain(ring: number): Op {
  return {
    text: `retain ${ring}`,
    *run(actor) {
      const { world } = actor;
      const era = recEra(world.m[REC_BASE + ring] as number);
      yield* actor.heap.retainEpoch(ring);
      // Only if it is still that era's: the ring may have gone on, and then nobody knows which one it was.
      if (recEra(world.m[REC_BASE + ring] as number) === era) world.oracle.retained(era, 1);
    },
  };
}

export function release(ring: number): Op {
  return {
    text: `release ${ring}`,
    *run(actor) {
      const { world } = actor;
      world.oracle.retained(recEra(world.m[REC_BASE + ring] as number), -1);
      yield* actor.heap.releaseEpoch(ring);
    },
  };
}

export function label(ring: number, text: string): Op {
  return {
    text: `label ${ring} ${text}`,
    *run(actor) {
      actor.world.labels.add(text);
      yield* actor.heap.setEpochLabel(ring, text);
    },
  };
}

/** Gives the handle to another worker, as postMessage would: everything stored before is visible to whoever takes it. */
export function give(name: string): Op {
  return {
    text: `give ${name}`,
    // biome-ignore lint/correctness/useYield: a message is sent at once
    *run(actor) {
      actor.world.machine.publish(actor.worker);
      actor.world.mail.set(name, actor.vars.get(name) ?? 0);
      actor.world.machine.noteGhost(0x7700 + name.charCodeAt(0));
    },
  };
}

export function take(name: string): Op {
  return {
    text: `take ${name}`,
    ready: (world) => world.mail.has(name),
    // biome-ignore lint/correctness/useYield: a message is taken at once
    *run(actor) {
      const handle = actor.world.mail.get(name) ?? 0;
      actor.world.machine.acquire(actor.worker);
      actor.worker.see(handle % 1e9);
      actor.vars.set(name, handle);
    },
  };
}

/** Waits until `signal(name)` was done by somebody. */
export const signal = (name: string): Op => give(name);
export const wait = (name: string): Op => take(name);

/** Reaps worker `number` (from 1) once it is dead; nothing if it finished. */
export function reap(number: number): Op {
  return {
    text: `reap worker ${number}`,
    ready(world) {
      const target = world.actors[number - 1] as Actor;
      return target.worker.dead || target.worker.done;
    },
    *run(actor) {
      const target = actor.world.actors[number - 1] as Actor;
      if (!target.worker.dead) return;
      // Knowing of a death comes by a message.
      actor.world.machine.acquire(actor.worker);
      for (const [seat, incarnation] of actor.world.seatsOf(target)) {
        const report = (yield* actor.reapSeat(actor.heap._a, seat, incarnation)) as { status: string };
        actor.worker.see(report.status.length);
      }
    },
  };
}

/** Gives the seat back. */
export const detach: Op = {
  text: "detach",
  *run(actor) {
    const { world } = actor;
    for (const era of [...(world.oracle.ghost.inside[actor.worker.index] as number[])]) {
      world.oracle.leaving(actor.worker, era);
    }
    yield* actor.leaveSeat(actor.heap._a);
  },
};

/** Takes a seat, in a worker that has none yet. */
export const attach: Op = {
  text: "attach",
  *run(actor) {
    try {
      const a = yield* actor.takeSeat();
      actor.world.attached(actor, a as Actor["heap"]["_a"]);
      actor.worker.see(actor.heap._a.seat);
    } catch (error) {
      if ((error as Error).name !== "SeatsExhaustedError") throw error;
      actor.worker.see(-1);
    }
  },
};

/** Suspects a seat's holder, as a watchdog might: a live one answers at its next sync. */
export function suspect(number: number): Op {
  return {
    text: `suspect worker ${number}`,
    *run(actor) {
      yield* actor.world.suspect(actor, actor.world.actors[number - 1] as Actor);
    },
  };
}

/** Reads the heap's totals, as any thread may at any moment. */
export const readCounters: Op = {
  text: "counters",
  *run(actor) {
    const totals = (yield* actor.heap.counters()) as { allocCount: number; freeCount: number };
    actor.worker.see(totals.allocCount * 1024 + totals.freeCount);
    actor.world.oracle.counted(totals.allocCount, totals.freeCount);
  },
};

/** Reads an epoch's label: whole or not at all. */
export function readLabel(era: number): Op {
  return {
    text: `readLabel ${era}`,
    *run(actor) {
      const { world } = actor;
      const text = (yield* actor.readLabel(world.ringOf(era), era)) as string;
      actor.worker.see(text.length === 0 ? 0 : text.charCodeAt(0) * 256 + text.length);
      if (text !== "" && !world.labels.has(text))
        world.fail(`a torn label was read: ${JSON.stringify(text)}`);
    },
  };
}

/** From here on this worker measures its slow paths. */
export const sample: Op = {
  text: "sample",
  // biome-ignore lint/correctness/useYield: touches no shared word
  *run(actor) {
    actor.own.startSampling(actor.heap as never, { slowPathInterval: 1, remoteFreeInterval: 1 });
  },
};

/** Any other call. */
export function call(text: string, run: (actor: Actor) => Routine, more: Partial<Op> = {}): Op {
  return { ...more, text, run };
}
