/**
 * Sync: a thread honours everything that changed since its last one.
 *
 * Called when PHASE differs from the value last honoured: by alloc and free on their own, by poll, by the timer.
 * PHASE and the other change words are read before anything they guard: a change made later bumps them
 * again, so nothing is missed; cached after, it would be.
 */
import { C_OVERFLOWED, S_DEEP_SYNCS, S_SYNCS } from "../counters/fields.js";
import { count } from "../counters/record.js";
import { liveCount } from "../counters/slab-counts.js";
import { normalise } from "../epochs/ring.js";
import { HeapFormatError } from "../errors.js";
import { casSeq, loadSeq } from "../memory/atomics.js";
import { type Attachment, loseSeat } from "../memory/attachment.js";
import { recordAt } from "../memory/layout.js";
import {
  DEEP,
  DOOMS,
  ERA,
  PHASE,
  PRESSURE,
  RING_SIZE,
  SEAT_COUNTERS,
  SEAT_EPOCH,
  SEAT_ERA,
  SEAT_PHASE,
  SEAT_WORD,
  SLAB_TAG,
} from "../memory/offsets.js";
import { adoptSlab, isAdoptable } from "../slabs/adopt.js";
import { type DrainTally, drainRing, newTally } from "../slabs/drain.js";
import { clearTailBits, hasFreeHint, repairFree } from "../slabs/free-map.js";
import { collect, collectSlab } from "../slabs/remote-free.js";
import {
  classShard,
  clearPartials,
  forEachOwnIn,
  listIfRoom,
  recycleSlab,
  resetBins,
} from "../slabs/slab.js";
import { EPOCH_ACTIVE, packRec, ringOf } from "../words/epoch-word.js";
import { SEAT_SUSPECT, seatIncarnation, seatState } from "../words/seat-word.js";
import { TAG_FREE, TAG_LARGE, tagState } from "../words/slab-tag.js";

const recNow = new Int32Array(RING_SIZE);

/**
 * Honours all changes; `deep` also looks for orphans and lost hints although nobody asked. Throws
 * {@link HeapFormatError} where this thread's lists cannot be followed.
 */
export function sync(a: Attachment, deep: boolean, tally: DrainTally = newTally()): void {
  try {
    honour(a, deep, tally);
  } catch (error) {
    // Nothing counts as honoured: the next call does not go on as if the heap were sound.
    a.m[a.seatBase + SEAT_PHASE] = ((a.m[PHASE] as number) - 1) | 0;
    a.doomsSeen = Number.NaN;
    throw error;
  }
}

function honour(a: Attachment, deep: boolean, tally: DrainTally): void {
  const { m } = a;
  const phase = loadSeq(m, PHASE);
  const deepNow = loadSeq(m, DEEP);
  const dooms = loadSeq(m, DOOMS);
  const pressure = loadSeq(m, PRESSURE);
  if (!stillSeated(a)) return;
  count(m, a.seatBase + SEAT_COUNTERS + S_SYNCS, 1);

  const newest = loadSeq(m, ERA);
  normalise(m, a.layout, newest, recNow);
  let changed = 0;
  for (let ring = 0; ring < RING_SIZE; ring++) {
    if (a.rec[ring] !== recNow[ring]) changed |= 1 << ring;
    a.rec[ring] = recNow[ring] as number;
  }
  useEra(a, newest);
  collect(a, true);
  if (deep || deepNow !== a.deepSeen) scanDeep(a);
  if (a.detached) return;
  a.deepSeen = deepNow;
  m[a.seatBase + SEAT_PHASE] = phase;

  // Only the ring slots whose record changed can have slabs that drain for the first time; dooms of reused
  // ring slots may be anywhere.
  const drain = dooms === a.doomsSeen ? changed : -1;
  a.doomsSeen = dooms;
  for (let ring = 0; ring < RING_SIZE; ring++) {
    if ((drain & (1 << ring)) !== 0) drainRing(a, ring, tally);
  }
  if (pressure !== a.pressureSeen) {
    a.pressureSeen = pressure;
    giveBackEmpty(a);
  }
}

/** Syncs only when something changed. One plain read when nothing did. */
export function poll(a: Attachment): void {
  if (a.m[PHASE] !== a.m[a.seatBase + SEAT_PHASE]) sync(a, false);
}

/** Work of a timer: that a heap is damaged is told to the thread's next call, not to its event loop. */
export function idly(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof HeapFormatError)) throw error;
  }
}

function stillSeated(a: Attachment): boolean {
  const { m } = a;
  const word = loadSeq(m, a.seatBase + SEAT_WORD);
  if (word === a.seatWord) return true;
  const suspected = seatState(word) === SEAT_SUSPECT && seatIncarnation(word) === a.incarnation;
  // Answering a suspicion: if the CAS fails, a reaper was faster.
  if (suspected && casSeq(m, a.seatBase + SEAT_WORD, word, a.seatWord)) return true;
  loseSeat(a);
  return false;
}

/** Makes the newest era the one this thread allocates in. */
function useEra(a: Attachment, newest: number): void {
  const { m } = a;
  const ring = ringOf(newest);
  const open = a.rec[ring] === packRec(newest, EPOCH_ACTIVE);
  const era = open ? newest : 0;
  if (m[a.seatBase + SEAT_ERA] === era) return;
  resetBins(a);
  m[a.seatBase + SEAT_ERA] = era;
  m[a.seatBase + SEAT_EPOCH] = ring;
}

/** Finds what dead or detached threads left: frees nobody was told of, orphans, hints. Linear in the heap's slabs. */
function scanDeep(a: Attachment): void {
  const { m, layout } = a;
  count(m, a.seatBase + SEAT_COUNTERS + S_DEEP_SYNCS, 1);
  forEachOwn(a, (record) => collectSlab(a, record));
  clearTailBits(m, layout);
  for (let slab = 0; slab < layout.slabCount && !a.detached; slab++) {
    const record = recordAt(slab);
    const tag = loadSeq(m, record + SLAB_TAG);
    if (isAdoptable(tag)) adoptSlab(a, record, tag);
    else if (tag === TAG_FREE && !hasFreeHint(m, layout, slab)) repairFree(m, layout, slab);
  }
}

/** Gives back empty slabs of the open epoch: another thread is out of memory. */
export function giveBackEmpty(a: Attachment): void {
  const { m } = a;
  // Emptied and filled again: taking slabs out of the partial lists one by one would walk each list every time.
  clearPartials(a);
  forEachOwn(a, (record) => {
    const tag = m[record + SLAB_TAG] as number;
    if (tagState(tag) === TAG_LARGE) return;
    if (liveCount(m, record) === 0) {
      count(m, classShard(a, tag) + C_OVERFLOWED, 1);
      recycleSlab(a, record);
    } else {
      listIfRoom(a, record);
    }
  });
}

/** Visits every own slab; the visitor may give it back. */
export function forEachOwn(a: Attachment, visit: (record: number) => void): void {
  for (let ring = 0; ring < RING_SIZE; ring++) forEachOwnIn(a, ring, visit);
}
