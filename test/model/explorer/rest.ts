/**
 * The end of a run: everything is at rest, the dead are reaped, everybody has synced, and nothing may be missing.
 *
 * First what is left is looked at against what the oracle knows, then every object is freed, the eras are discarded and
 * the whole memory is taken as one object. Runs the plain version of the same sources, on the same words.
 */

import { committedSlabs } from "../../../src/allocator/counters/slab-changes.js";
import type { Attachment } from "../../../src/allocator/memory/attachment.js";
import {
  ERA,
  PHASE,
  REC_BASE,
  recordAt,
  SEAT_PHASE,
  SEAT_WORD,
  SLAB_ERA,
  SLAB_TAG,
  seatAt,
} from "../../../src/allocator/memory/layout.js";
import { hasFreeHint } from "../../../src/allocator/slabs/free-map.js";
import { EPOCH_ACTIVE, packRec } from "../../../src/allocator/words/epoch-word.js";
import { SEAT_REAPING, seatState } from "../../../src/allocator/words/seat-word.js";
import {
  describeTag,
  TAG_CLAIMED,
  TAG_FREE,
  TAG_LARGE,
  TAG_ORPHANED,
  TAG_TAIL,
  tagOwner,
  tagState,
  tailHead,
} from "../../../src/allocator/words/slab-tag.js";
import { SLOT_ALLOC, SLOT_REMOTE_FREED, slotState } from "../../../src/allocator/words/slot-word.js";
import { notHonoured } from "./honoured.js";
import type { World } from "./world.js";

/** Brings the world to rest and judges it; the first thing that is wrong, or undefined. */
export function judge(world: World): string | undefined {
  const { machine, scenario } = world;
  machine.settleAll();
  if (machine.violation !== undefined) return machine.violation;
  if (!world.isNewAtRest()) return undefined;
  try {
    return (
      checkHints(world) ??
      (nobodyDied(world) ? checkHonoured(world) : undefined) ??
      reapAll(world) ??
      checkHonoured(world) ??
      syncAndCheck(world, "after reaping and syncing") ??
      checkPages(world) ??
      checkObjects(world) ??
      checkReferences(world) ??
      scenario.check?.(world) ??
      machine.violation ??
      giveAllBack(world) ??
      machine.violation
    );
  } catch (error) {
    return `at rest: ${(error as Error).stack ?? String(error)}`;
  }
}

/** Whoever has a seat and lives, the janitor last. */
function attached(world: World): Attachment[] {
  const living = world.actors.filter((actor) => !actor.worker.dead && actor.heap !== undefined);
  return [...living.map((actor) => actor.heap._a), world.janitor._a].filter((a) => !a.detached);
}

function syncAll(world: World): void {
  for (let round = 0; round < 2; round++) {
    for (const a of attached(world)) if (!a.detached) world.plain.sync(a, false);
  }
}

function syncAndCheck(world: World, when: string): string | undefined {
  syncAll(world);
  return checkRest(world, when);
}

/** Nobody died: every FREE slab can be found without looking at all tags. */
function checkHints(world: World): string | undefined {
  const { m, scenario } = world;
  const { layout } = world.oracle;
  if (!nobodyDied(world) || scenario.unattached !== undefined) return undefined;
  for (let slab = 0; slab < layout.slabCount; slab++) {
    const free = m[recordAt(slab) + SLAB_TAG] === TAG_FREE;
    if (free && !hasFreeHint(m, layout, slab))
      return `slab ${slab} is FREE, but the free map does not say so`;
  }
  return undefined;
}

function nobodyDied({ machine }: World): boolean {
  return machine.kills === 0 && !machine.workers.some((worker) => worker.dead);
}

/**
 * Who believes to be up to date has honoured everything there is: a change comes before its PHASE bump. But for DOOMS: a
 * sync that moves a record on marks the dooms itself, and drains that ring slot in any case.
 */
function checkHonoured(world: World): string | undefined {
  const { m } = world;
  for (const a of attached(world)) {
    if (m[a.seatBase + SEAT_PHASE] !== m[PHASE]) continue;
    const old = notHonoured(a).filter((what) => what !== "DOOMS");
    if (old.length > 0) return `I4: seat ${a.seat} has honoured PHASE, but not ${old.join(", ")}`;
  }
  return undefined;
}

function reapAll(world: World): string | undefined {
  const { plain, janitor } = world;
  for (let round = 0; round < 4; round++) {
    let busy = false;
    for (const actor of world.actors) {
      if (!actor.worker.dead) continue;
      for (const [seat, incarnation] of world.seatsOf(actor)) {
        if (plain.reapSeat(janitor._a, seat, incarnation).status === "busy") busy = true;
      }
    }
    if (!busy) return undefined;
  }
  return "I2: a dead worker's seat stays busy: nobody takes over";
}

function checkRest(world: World, when: string, verify = true): string | undefined {
  const { m, oracle, janitor } = world;
  const { layout } = oracle;
  for (let seat = 1; seat <= layout.maxWorkers; seat++) {
    const word = m[seatAt(layout, seat) + SEAT_WORD] as number;
    if (seatState(word) === SEAT_REAPING) return `I2 ${when}: seat ${seat} is left REAPING`;
  }
  const seats = new Set(attached(world).map((a) => a.seat));
  for (let slab = 0; slab < layout.slabCount; slab++) {
    const tag = m[recordAt(slab) + SLAB_TAG] as number;
    const state = tagState(tag);
    const says = `I2 ${when}: slab ${slab} is left ${describeTag(tag)}`;
    if (state === TAG_CLAIMED || state === TAG_ORPHANED || (state === TAG_LARGE && tagOwner(tag) === 0))
      return says;
    if (state === TAG_TAIL) {
      const head = m[recordAt(tailHead(tag)) + SLAB_TAG] as number;
      if (tagState(head) !== TAG_LARGE) return `${says}, whose head is ${describeTag(head)}`;
    } else if (state !== TAG_FREE && !seats.has(tagOwner(tag))) {
      return `${says}: nobody sits there`;
    }
  }
  const slots = layout.slabCount << layout.slotsShift;
  for (let slot = 0; slot < slots; slot++) {
    if (slotState(m[layout.slotBase + slot] as number) === SLOT_REMOTE_FREED) {
      return `I2 ${when}: slot ${slot} is left REMOTE_FREED`;
    }
  }
  const { problems } = verify ? janitor.verify() : { problems: [] };
  if (problems.length > 0) return `I2 ${when}: ${problems.join("; ")}`;
  return checkCounters(world, when);
}

/** The counters say how many objects there are, however many workers died. */
function checkCounters(world: World, when: string): string | undefined {
  const { m, oracle, plain, janitor } = world;
  const { layout } = oracle;
  let objects = 0;
  for (let slot = 0; slot < layout.slabCount << layout.slotsShift; slot++) {
    if (slotState(m[layout.slotBase + slot] as number) === SLOT_ALLOC) objects++;
  }
  const { allocCount, freeCount, liveObjects } = plain.heapCounters(janitor._a);
  let slabs = 0;
  for (let slab = 0; slab < layout.slabCount; slab++) if (m[recordAt(slab) + SLAB_TAG] !== TAG_FREE) slabs++;
  const committed = committedSlabs(m, layout);
  const { allocated, perhapsAllocated } = oracle.ghost;
  const outside = allocCount < allocated || allocCount > allocated + perhapsAllocated;
  if (nobodyDied(world) && when.includes("reaping") && outside) {
    return `I7 ${when}: ${allocated} objects were allocated, but ${allocCount} are counted`;
  }
  if (committed !== slabs) return `I7 ${when}: ${slabs} slabs are in use, but ${committed} are counted`;
  if (allocCount - freeCount === objects && liveObjects === objects) return undefined;
  return `I7 ${when}: ${objects} objects, but ${allocCount} allocations - ${freeCount} frees, ${liveObjects} live`;
}

/** Nobody releases pages, and nothing is forgotten; what was released is counted. */
function checkPages(world: World): string | undefined {
  const { pages, plain } = world;
  return pages.atRest() ?? (nobodyDied(world) ? pages.checkCounters(plain.readCounter) : undefined);
}

/** Nothing is in use: all pages can go. */
function trimAll(world: World): string | undefined {
  const { pages, janitor, scenario } = world;
  if (scenario.pages === undefined) return undefined;
  pages.equip(janitor._a);
  janitor.trim();
  // A page that is larger than a slab may lie between two batches.
  janitor.trim();
  pages.strip(janitor._a);
  syncAll(world);
  return pages.checkTrimmed() ?? checkRest(world, "after trimming", false);
}

function checkObjects(world: World): string | undefined {
  const { m, oracle } = world;
  const { layout, ghost } = oracle;
  const slots = new Set<number>();
  for (const held of ghost.held.values()) {
    slots.add(oracle.slotWord(held.handle));
    world.contents.check(held.handle);
    if (!world.janitor.isLive(held.handle as never)) {
      return `I1: ${oracle.name(held.handle)} is held by somebody, but not live any more`;
    }
    const era = m[recordAt(held.slab) + SLAB_ERA];
    if (era !== held.era)
      return `I4: ${oracle.name(held.handle)} of era ${held.era} is in a slab of era ${era}`;
  }
  for (const era of world.unfinishedDiscards()) repeatDiscard(world, era);
  let orphans = 0;
  for (let word = layout.slotBase; word < layout.slotBase + (layout.slabCount << layout.slotsShift); word++) {
    if (slotState(m[word] as number) === SLOT_ALLOC && !slots.has(word)) orphans++;
  }
  if (orphans > ghost.lost)
    return `I2: ${orphans} objects nobody holds; at most ${ghost.lost} may be lost with the dead`;
  for (const era of ghost.discarding) {
    for (let slab = 0; slab < layout.slabCount; slab++) {
      const tag = m[recordAt(slab) + SLAB_TAG] as number;
      const kept = tag !== TAG_FREE && tagState(tag) !== TAG_TAIL && m[recordAt(slab) + SLAB_ERA] === era;
      if (kept) return `I4: slab ${slab} of the discarded era ${era} is still ${describeTag(tag)}`;
    }
  }
  return undefined;
}

/** Its caller died in it: a discard can be asked for again. */
function repeatDiscard(world: World, era: number): void {
  const { janitor } = world;
  if (era < 2 || era >= (world.m[ERA] as number) + 1) return;
  janitor.discardEpoch({ id: world.ringOf(era) as never, era });
  syncAll(world);
}

/** Whoever wanted an epoch closed with its last member got it. */
function checkReferences({ m, oracle, ringOf }: World): string | undefined {
  for (const era of oracle.ghost.autoClose) {
    const open = m[REC_BASE + ringOf(era)] === packRec(era, EPOCH_ACTIVE);
    if (open && !oracle.isReferenced(era)) return `I10: everybody has left era ${era}, but nobody closed it`;
  }
  return undefined;
}

function giveAllBack(world: World): string | undefined {
  const { janitor, oracle, plain, scenario } = world;
  const { held } = oracle.ghost;
  for (const { handle } of held.values()) {
    if (!janitor.free(handle as never))
      return `I3: ${oracle.name(handle)}, which is held, could not be freed`;
    if (janitor.free(handle as never)) return `I3: ${oracle.name(handle)} could be freed twice`;
  }
  held.clear();
  syncAll(world);
  const counted = checkRest(world, "after freeing everything", false);
  if (counted !== undefined) return counted;
  const next = janitor.advanceEpoch();
  syncAll(world);
  janitor.discardBefore(next);
  syncAll(world);
  const rest = checkRest(world, "after discarding everything", false);
  if (rest !== undefined) return rest;
  const { slabs, problems } = janitor.verify();
  if (problems.length > 0) return `I2 after discarding everything: ${problems.join("; ")}`;
  if (slabs !== 0) return `I2: ${slabs} slabs were not given back`;
  const pages = trimAll(world);
  if (pages !== undefined || scenario.retires === true) return pages;
  const all = janitor.alloc(janitor.capacity);
  if (all === 0) return `I2: the whole memory cannot be allocated again (${janitor.lastFailure})`;
  if (!janitor.free(all)) return "I3: the last object could not be freed";
  plain.sync(janitor._a, false);
  return checkRest(world, "at the end", false);
}
