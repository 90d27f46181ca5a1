/**
 * What users do with a heap after its words were damaged: a fixed part that touches everything, random calls, and an end
 * that asks for the whole memory back. Chosen by a seed and by answers that are the same on a sound heap, so that a
 * script can be compared step by step.
 */
import { SlabHeap } from "../../src/allocator/heap/heap.js";
import type { EpochId, EpochRef, Handle } from "../../src/allocator/types.js";
import { StatsReader, stringifyStats } from "../../src/stats.js";
import { Dice, mix } from "./dice.js";
import { SIZES } from "./heap-states.js";
import { Violation } from "./outcome.js";
import type { Session } from "./session.js";

const RANDOM_CALLS = 24;

/** Runs script `seed`. Afterwards all objects are gone and one seat is left, if the heap is sound. */
export function runContinuation(session: Session, seed: number): void {
  const { world } = session;
  lookAtAll(session);
  for (const heap of [...world.heaps]) for (const size of SIZES) alloc(session, heap, size);
  for (let n = 0; n < 4; n++) freeOne(session, new Dice(mix(seed, n)));
  // Dice of its own for each call: the next ones are the same whatever this one found.
  for (let n = 0; n < RANDOM_CALLS; n++) randomCall(session, new Dice(mix(seed, 100 + n)));
  readFigures(session);
  lookAtAll(session);
  reapDead(session);
  changeSeats(session);
  leaveDomains(session);
  lookAtAll(session);
  checkSound(session);
  giveAllBack(session);
}

/** A look, a pair of calls and a check, for words that hardly any call reads. */
export function runBriefly(session: Session): void {
  lookAtAll(session);
  for (const heap of [...session.world.heaps]) alloc(session, heap, SIZES[0]);
  freeOne(session, new Dice(1));
  checkSound(session, 1);
}

/** Every live object is what it was, and every ended one is not live. */
function lookAtAll(session: Session): void {
  const { heaps, live, stale } = session.world;
  live.list().forEach((object, i) => {
    const heap = heaps[i % heaps.length];
    session.ask("look", () => live.look(heap, object));
  });
  stale.slice(-8).forEach((handle, i) => {
    const heap = heaps[i % heaps.length];
    session.demand(
      session.ask("isLive", () => heap.isLive(handle as Handle)) !== true,
      `stale ${handle} is live`,
    );
    session.demand(
      session.ask("free", () => heap.free(handle as Handle)) !== true,
      `stale ${handle} was freed`,
    );
  });
}

function alloc(session: Session, heap: SlabHeap, size: number, epoch?: EpochId): void {
  const { live } = session.world;
  const handle = session.ask("alloc", () => heap.alloc(size, epoch)) ?? 0;
  const name = `alloc(${size}${epoch === undefined ? "" : `, ${epoch}`}) by seat ${heap.seat}`;
  // Whether there is a long enough run depends on where hints put the ones before.
  session.note(name, handle !== 0 || size > heap.slabSize);
  if (handle === 0) {
    session.ranOut ||= session.ask("lastFailure", () => heap.lastFailure) === "out-of-memory";
    return;
  }
  // Nothing is written where objects may overlap already.
  if (!session.strict) {
    session.ask("view", () => heap.view(handle as Handle));
    return;
  }
  const era = session.ask("currentEpoch", () => heap.currentEpoch.era) ?? 0;
  session.ask("a new object", () => live.add(heap, handle as Handle, size, era));
}

function free(session: Session, heap: SlabHeap, handle: Handle): void {
  const { live, stale } = session.world;
  session.demand(session.ask("free", () => heap.free(handle)) === true, `free of a live object is false`);
  if (session.strict) live.remove(handle);
  session.demand(session.ask("free", () => heap.free(handle)) === false, `an object was freed twice`);
  stale.push(handle);
}

function freeOne(session: Session, dice: Dice): void {
  const { heaps, live } = session.world;
  if (live.size > 0) free(session, dice.pick(heaps), dice.pick(live.list()).handle);
}

function randomCall(session: Session, dice: Dice): void {
  const { heaps } = session.world;
  const heap = dice.pick(heaps);
  const kind = dice.below(20);
  if (kind < 7) alloc(session, heap, dice.oneIn(6) ? 4097 + dice.below(9000) : 1 + dice.below(1360));
  else if (kind < 12) freeOne(session, dice);
  else if (kind < 13) allocInEpoch(session, heap);
  else if (kind < 14) session.ask("advanceEpoch", () => heap.advanceEpoch());
  else if (kind < 15) session.ask("poll", () => heap.poll());
  else if (kind < 16) endEpoch(session, dice, heap);
  else if (kind < 17) useDomain(session, heap);
  else if (kind < 18)
    session.ask("setEpochLabel", () => heap.setEpochLabel(dice.below(16) as EpochId, "named"));
  else if (kind < 19) retainAndRelease(session, heap, dice.below(16) as EpochId);
  else readFigures(session);
  session.note(
    "the newest era",
    session.ask("currentEpoch", () => heap.currentEpoch.era),
  );
}

/** The open epoch by its id, and one that cannot be open. */
function allocInEpoch(session: Session, heap: SlabHeap): void {
  const id = session.ask("currentEpoch", () => heap.currentEpoch.id) ?? (0 as EpochId);
  alloc(session, heap, 96, id);
  const closed = session.ask("alloc", () => heap.alloc(96, ((id + 5) % 16) as EpochId)) ?? 0;
  session.demand(closed === 0, "alloc in a closed epoch gave an object");
}

function endEpoch(session: Session, dice: Dice, heap: SlabHeap): void {
  const { live, stale } = session.world;
  if (live.size === 0) return;
  const { era } = dice.pick(live.list());
  const ref: EpochRef = { id: (era % 16) as EpochId, era };
  if (dice.oneIn(2)) {
    session.ask("closeEpoch", () => heap.closeEpoch(ref));
    return;
  }
  session.ask("discardEpoch", () => heap.discardEpoch(ref));
  if (session.strict) stale.push(...live.discard((other) => other === era));
}

function useDomain(session: Session, heap: SlabHeap): void {
  const domain = session.ask("openDomain", () => heap.openDomain({ label: "more", autoClose: true }));
  if (domain === undefined) return;
  const handle = session.ask("EpochDomain.alloc", () => domain.alloc(90)) ?? 0;
  session.note("alloc in a domain", handle !== 0);
  if (handle !== 0) session.ask("free", () => heap.free(handle as Handle));
  session.ask("EpochDomain.exit", () => domain.exit());
}

function retainAndRelease(session: Session, heap: SlabHeap, id: EpochId): void {
  const count = session.ask("retainEpoch", () => heap.retainEpoch(id)) ?? 1;
  session.demand(count > 0, `retainEpoch gave ${count}`);
  session.ask("releaseEpoch", () => heap.releaseEpoch(id));
}

/** Whatever the figures are, reading them works. */
function readFigures(session: Session): void {
  const heap = session.world.heaps[0];
  session.ask("snapshot", () => stringifyStats(StatsReader.open(heap.buffer).snapshot()));
  session.ask("counters", () => heap.counters());
  session.ask("seats", () => heap.seats());
  for (let id = 0; id < 16; id += 5) session.ask("epochInfo", () => heap.epochInfo(id as EpochId));
}

function reapDead(session: Session): void {
  const { heaps, dead } = session.world;
  for (const { seat, incarnation } of dead.splice(0)) {
    const report = session.ask("reap", () => heaps[0].reap(seat, incarnation));
    session.note(`reap of seat ${seat}`, report?.status === "reaped");
  }
}

/** The last seat is given back and another taken. */
function changeSeats(session: Session): void {
  const { heaps } = session.world;
  if (heaps.length > 1) {
    const gone = heaps.pop() as SlabHeap;
    session.ask("detach", () => gone.detach());
    session.demandLeft(gone);
  }
  for (const heap of [...heaps]) session.ask("poll", () => heap.poll());
  const ref = heaps[0].share();
  const next = session.ask("attach", () => SlabHeap.attach(ref, { sameThread: true }));
  if (next !== undefined) session.join(next);
}

function leaveDomains(session: Session): void {
  for (const heap of session.world.heaps) {
    for (const domain of [...heap.domains].reverse()) session.ask("EpochDomain.exit", () => domain.exit());
  }
}

/** Sound before, sound after; as some or all of the seats see it. */
function checkSound(session: Session, seats = Number.POSITIVE_INFINITY): void {
  const { heaps, live } = session.world;
  for (const heap of heaps) session.ask("poll", () => heap.poll());
  for (const heap of heaps.slice(0, seats)) {
    const report = session.ask("verify", () => heap.verify());
    if (!session.strict || report === undefined) continue;
    if (!report.ok) throw new Violation("late", report.problems.slice(0, 3).join(" | "));
    session.demand(
      report.liveObjects === live.size,
      `verify counts ${report.liveObjects} of ${live.size} objects`,
    );
  }
}

function giveAllBack(session: Session): void {
  const { heaps, live } = session.world;
  const objects = live.list();
  objects.slice(0, objects.length / 2).forEach(({ handle }, i) => {
    free(session, heaps[i % heaps.length], handle);
  });
  const [heap] = heaps;
  const next = session.ask("advanceEpoch", () => heap.advanceEpoch());
  if (next !== undefined) session.ask("discardBefore", () => heap.discardBefore(next));
  live.discard(() => session.strict);
  for (const other of heaps) session.ask("poll", () => other.poll());
  const all = session.ask("alloc", () => heap.alloc(heap.capacity)) ?? 0;
  session.demand(all !== 0, "memory was lost: the whole payload cannot be allocated");
  if (all !== 0)
    session.demand(session.ask("free", () => heap.free(all as Handle)) === true, "free is false");
  checkSound(session);
}
