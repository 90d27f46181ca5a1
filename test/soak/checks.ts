/**
 * What must hold when all threads have left: a sound heap, exact counters, nobody's seat, and the whole memory back.
 *
 * Every check returns sentences; none means that all is well. Counters are compared with words that know nothing of
 * counters (the slots) and with what the threads themselves have counted.
 */
import { type EpochId, type Handle, NULL_HANDLE, RING_SIZE, type SlabHeap } from "temporal-slab";
import { type HeapSnapshot, health, StatsReader } from "temporal-slab/stats";
import { SLOT_ALLOC, SLOT_REMOTE_FREED, slotState } from "../../src/allocator/words/slot-word.js";
import { identitiesOf, isOfFreers } from "../stats/reader/identities.js";
import { wentBack } from "../threads/stats-counters.mjs";
import { compare } from "./documents.mjs";

/** What the threads of a lap say they did. */
export interface Account {
  readonly allocs: number;
  readonly frees: number;
  /** Allocs in domains that came to nothing: each may have allocated and freed an object on the way. */
  readonly refusals: number;
  /** Each may have lost one step of each kind. */
  readonly kills: number;
}

/** One reader for the life of a heap: its counters must not go back, over laps, deaths and discards. */
export class Observer {
  private readonly reader: StatsReader;
  private counters: Map<string, number>;

  constructor(heap: SlabHeap) {
    this.reader = StatsReader.open(heap);
    this.counters = compare(new Map(), this.reader.snapshot()).counters;
  }

  look(): { document: HeapSnapshot; problems: string[] } {
    const document = this.reader.snapshot();
    const { counters, problems } = compare(this.counters, document);
    this.counters = counters;
    const dead = health(document).live ? [] : ["health says that the heap is not live"];
    return { document, problems: [...problems, ...dead] };
  }

  /** Counters as a reader sees them that has no past. */
  fresh(heap: SlabHeap): string[] {
    return wentBack(this.counters, compare(new Map(), StatsReader.open(heap).snapshot()).counters).map(
      (text) => `a reader that starts now knows less: ${text}`,
    );
  }
}

export function checkSeats(heap: SlabHeap): string[] {
  return heap
    .seats()
    .filter(({ seat, state }) => seat !== heap.seat && state !== "FREE")
    .map(
      ({ seat, state, threadId }) => `seat ${seat} is ${state} (thread ${threadId}) with all threads gone`,
    );
}

export function checkSoundness(heap: SlabHeap): string[] {
  return heap.verify().problems.map((text) => `verify: ${text}`);
}

/** Slots in the given state, counted in the slot words themselves. The built heap has the words of the sources. */
function countSlots(heap: SlabHeap, state: number): number {
  const { m, layout } = heap._a;
  let found = 0;
  const end = layout.slotBase + (layout.slabCount << layout.slotsShift);
  for (let slot = layout.slotBase; slot < end; slot++) if (slotState(m[slot] as number) === state) found++;
  return found;
}

/** `before`: totals when the lap began. `account`: all threads of the lap, the controller included. */
export function checkCounters(
  heap: SlabHeap,
  document: HeapSnapshot,
  before: HeapSnapshot,
  account: Account,
): string[] {
  const found: string[] = [];
  const same = (what: string, actual: unknown, expected: unknown): void => {
    if (Number(actual) !== Number(expected)) found.push(`${what}: ${String(actual)} and ${String(expected)}`);
  };
  const { allocCount, freeCount, liveObjects } = heap.counters();
  const slots = countSlots(heap, SLOT_ALLOC);
  same("allocations - frees, objects in slots", allocCount - freeCount, slots);
  same("live objects, objects in slots", liveObjects, slots);
  same("verify's objects, objects in slots", heap.verify().liveObjects, slots);
  same("live objects in the document, objects in slots", document.heap.live_objects, slots);
  same("remote frees not collected", countSlots(heap, SLOT_REMOTE_FREED), 0);

  const { kills, refusals } = account;
  const within = (what: string, actual: unknown, said: number): void => {
    const more = Number(actual) - said;
    if (more < 0 || more > kills + refusals)
      found.push(`${what}: ${String(actual)}, the threads said ${said}`);
  };
  const since = (name: "alloc_count" | "free_count"): number =>
    Number(document.heap[name]) - Number(before.heap[name]);
  within("allocations", since("alloc_count"), account.allocs);
  within("frees", since("free_count"), account.frees);
  if (kills === 0) {
    // A refused alloc counts on both sides.
    same(
      "allocations and frees beyond what the threads said",
      since("alloc_count") - account.allocs,
      since("free_count") - account.frees,
    );
  }
  return found;
}

/** Identities inside one document; `kills`: since the heap was created, because the counters are. */
export function checkIdentities(document: HeapSnapshot, kills: number): string[] {
  const found = identitiesOf(document).filter((text) => !isOfFreers(text));
  // docs/stats.md: these may miss the one step a thread died in.
  const exact = kills === 0 ? found : found.filter((text) => !/claimed|given back|attempts/.test(text));
  let ahead = 0;
  for (const row of document.classes)
    ahead += Number(row.remote_free_collected) - Number(row.remote_free_count);
  if (ahead > kills) exact.push(`${ahead} more remote frees were collected than made, with ${kills} deaths`);
  return exact.map((text) => `document: ${text}`);
}

/** In a lap without deaths every object was given back by somebody. */
export function checkNothingLeft(heap: SlabHeap): string[] {
  const { liveObjects } = heap.verify();
  return liveObjects === 0 ? [] : [`${liveObjects} objects were not given back, though nobody died`];
}

/** Nobody is inside an epoch; references of the dead go when they are released. */
export function checkReferences(heap: SlabHeap, deaths: number): string[] {
  const found: string[] = [];
  for (let id = 0; id < RING_SIZE; id++) {
    const before = heap.epochInfo(id as EpochId).refcount;
    for (let n = 0; n < before && heap.releaseEpoch(id as EpochId) > 0; n++);
    const { refcount } = heap.epochInfo(id as EpochId);
    if (refcount !== 0) found.push(`epoch ${id} has ${refcount} references with all threads gone`);
    if (before > deaths) found.push(`epoch ${id} had ${before} references left by ${deaths} deaths`);
  }
  return found;
}

/** Discards everything and takes the whole payload as one object; `zeroed`: every byte of it must be 0 then. */
export function checkWholeMemory(heap: SlabHeap, zeroed: boolean): string[] {
  const found: string[] = [];
  heap.discardBefore(heap.advanceEpoch());
  const report = heap.verify();
  found.push(...report.problems.map((text) => `verify after the discard: ${text}`));
  if (report.liveObjects !== 0) found.push(`${report.liveObjects} objects outlived the discard`);
  if (report.slabs !== 0) found.push(`${report.slabs} slabs are in use after the discard`);
  const { committedSlabs, allocCount, freeCount } = heap.counters();
  if (committedSlabs !== 0) found.push(`${committedSlabs} slabs are committed after the discard`);
  if (allocCount !== freeCount)
    found.push(`${allocCount} allocations and ${freeCount} ends after the discard`);
  const whole: Handle = heap.alloc(heap.capacity);
  if (whole === NULL_HANDLE) found.push(`no object of the whole ${heap.capacity} bytes: ${heap.lastFailure}`);
  else if (heap.sizeOf(whole) !== heap.capacity) found.push(`the whole is ${heap.sizeOf(whole)} bytes`);
  else {
    const dirty = zeroed ? heap.view(whole).findIndex((byte) => byte !== 0) : -1;
    if (dirty >= 0) found.push(`byte ${dirty} of the payload was not overwritten, in a heap with zeroOnFree`);
    if (!heap.free(whole)) found.push("the whole could not be freed");
  }
  return [...found, ...heap.verify().problems.map((text) => `verify at the end: ${text}`)];
}
