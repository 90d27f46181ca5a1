/**
 * Whole-heap check: recomputes everything that can be derived from the truth words (tags, slot words, eras,
 * records, seats) and reports every disagreement in plain words.
 *
 * Equations it asserts (names as in memory/layout.ts):
 *   slot occupied        = ALLOC or REMOTE_FREED
 *   live count           = number of occupied slots
 *   free list            = exactly the FREE slots below SLAB_CARVED, each once
 *   seat's own lists     = exactly the slabs tagged with that seat, each once, in the ring slot of its era
 *   FREE slab            = no occupied slot, and a free-map hint
 *   slab in use          = shown in the resident map
 *   LARGE head           = followed by SLAB_RUN - 1 TAILs that name it; no other slot of the run is occupied
 *   REMOTE_FREED         = its owner's pending bit is set, or the owner has changes to honour first
 *   ORPHANED             = never left after a sync of any thread
 *   rec[ERA % 16]        = (ERA, ACTIVE); every other record CLOSING or DISCARD, and not newer
 *   doom                 = 0 or an era that was opened, and discarded if its record still stands
 *   membership           = a seat is inside an era exactly while its depth there is not 0
 *   notes of a seat      = none but in the middle of a call
 *   bin of an own slab   = that of its class, or none while draining
 */
import { HeapFormatError } from "../errors.js";
import { loadSeq } from "../memory/atomics.js";
import type { Attachment } from "../memory/attachment.js";
import { recordAt } from "../memory/layout.js";
import {
  ERA,
  FIRST_ERA,
  LARGE_CLASS,
  REC_BASE,
  SLAB_DOOM,
  SLAB_ERA,
  SLAB_RUN,
  SLAB_TAG,
  SLAB_USED,
} from "../memory/offsets.js";
import { poll } from "../seats/sync.js";
import { hasFreeHint } from "../slabs/free-map.js";
import { collect } from "../slabs/remote-free.js";
import { firstSlot } from "../slabs/slab.js";
import type { VerifyReport } from "../types.js";
import { EPOCH_DISCARD, recEra, recState, ringOf } from "../words/epoch-word.js";
import { isResident } from "../words/resident-map.js";
import {
  describeTag,
  mayHoldObjects,
  packTail,
  TAG_CLAIMED,
  TAG_FREE,
  TAG_LARGE,
  TAG_ORPHANED,
  TAG_OWNED,
  TAG_RELEASING,
  TAG_TAIL,
  tagClass,
  tagOwner,
  tagRing,
  tagState,
  tailHead,
} from "../words/slab-tag.js";
import {
  describeSlot,
  generationOf,
  isOccupied,
  LAST_GENERATION,
  SLOT_ALLOC,
  slotState,
} from "../words/slot-word.js";
import { checkOwned } from "./verify-owned.js";
import { checkFreeMap, checkHeader, checkRing, checkSeats, seatIsLive } from "./verify-words.js";

/** Collects problems; more than a page of them says nothing new. */
export class Findings {
  readonly problems: string[] = [];
  private total = 0;

  add(problem: string): void {
    this.total++;
    if (this.problems.length < 100) this.problems.push(problem);
  }

  list(): string[] {
    const hidden = this.total - this.problems.length;
    return hidden > 0 ? [...this.problems, `... and ${hidden} more problems`] : this.problems;
  }
}

/** Checks the heap. Other threads should be idle: what they do meanwhile may look like a disagreement. */
export function verifyHeap(a: Attachment): VerifyReport {
  const findings = new Findings();
  try {
    poll(a);
    if (!a.detached) collect(a, true);
  } catch (error) {
    if (!(error instanceof HeapFormatError)) throw error;
    findings.add(`this thread cannot go on: ${error.message}`);
  }
  const header = checkHeader(a, findings);
  let liveObjects = 0;
  let slabs = 0;
  if (header) {
    checkRing(a, findings);
    checkSeats(a, findings);
    checkFreeMap(a, findings);
    const owners: number[] = [];
    for (let slab = 0; slab < a.layout.slabCount; slab++) {
      const tag = loadSeq(a.m, recordAt(slab) + SLAB_TAG);
      if (tag !== TAG_FREE && tagState(tag) !== TAG_RELEASING) slabs++;
      liveObjects += checkSlab(a, slab, tag, owners, findings);
    }
    checkOwned(a, owners, findings);
  }
  return { ok: findings.problems.length === 0, problems: findings.list(), liveObjects, slabs };
}

/** One slab's tag against its words and neighbours; returns its live objects. */
function checkSlab(a: Attachment, slab: number, tag: number, owners: number[], findings: Findings): number {
  const { m } = a;
  const state = tagState(tag);
  checkDoom(a, slab, findings);
  checkResident(a, slab, state, findings);
  if (state === TAG_FREE) {
    checkFree(a, slab, tag, findings);
    return 0;
  }
  if (state === TAG_TAIL) {
    checkTail(a, slab, tailHead(tag), findings);
    return 0;
  }
  const name = `slab ${slab}`;
  if (state === TAG_RELEASING) {
    findings.add(
      `${name}: left RELEASING by seat ${tagOwner(tag)}: its thread is giving pages back, or died there and was not reaped`,
    );
    return 0;
  }
  if (state > TAG_RELEASING) {
    findings.add(`${name}: tag ${describeTag(tag)} is no known state`);
    return 0;
  }
  const record = recordAt(slab);
  const era = loadSeq(m, record + SLAB_ERA);
  const owner = tagOwner(tag);
  if (state === TAG_CLAIMED) {
    findings.add(
      `${name}: left CLAIMED by seat ${owner}: its thread is inside alloc, or died there and was not reaped`,
    );
    return 0;
  }
  if (era < FIRST_ERA || era > loadSeq(m, ERA)) findings.add(`${name}: era ${era} was never opened`);
  if (ringOf(era) !== tagRing(tag)) {
    findings.add(
      `${name}: era ${era} belongs to epoch ${ringOf(era)}, but its tag says epoch ${tagRing(tag)}`,
    );
  }
  const classIndex = tagClass(tag);
  const classOk = state === TAG_LARGE ? classIndex === LARGE_CLASS : classIndex < a.layout.classCount;
  if (!classOk) {
    findings.add(`${name}: class ${classIndex} does not exist for a ${describeTag(tag)} slab`);
    return 0;
  }
  if (state === TAG_OWNED || owner !== 0) {
    if (owner > a.layout.maxWorkers || !seatIsLive(a, owner)) {
      findings.add(`${name}: owned by seat ${owner}, where no thread sits: reap it`);
    } else {
      owners[slab] = owner;
    }
  }
  if (state === TAG_ORPHANED && owner !== 0) findings.add(`${name}: ORPHANED but names owner ${owner}`);
  // Everything announced was adopted by the poll at the start.
  if (owner === 0 && !a.detached)
    findings.add(`${name}: ${describeTag(tag)} has no owner, and no thread was told to adopt it`);
  return state === TAG_LARGE ? checkRun(a, slab, findings) : countSlots(a, slab, tag, findings);
}

/** FREE slabs and tails too: their next user keeps it. */
function checkDoom({ m }: Attachment, slab: number, findings: Findings): void {
  const doom = loadSeq(m, recordAt(slab) + SLAB_DOOM);
  if (doom === 0) return;
  if (doom < FIRST_ERA || doom > loadSeq(m, ERA)) {
    findings.add(`slab ${slab}: doom ${doom} is not an era`);
    return;
  }
  // Dooms are for eras whose record is gone, or about to go.
  const rec = loadSeq(m, REC_BASE + ringOf(doom));
  if (recEra(rec) === doom && recState(rec) !== EPOCH_DISCARD) {
    findings.add(`slab ${slab}: doomed with era ${doom}, which was not discarded`);
  }
}

/** A slab that somebody may write to counts as resident: otherwise its pages would never go back. */
function checkResident({ m, layout }: Attachment, slab: number, state: number, findings: Findings): void {
  if ((mayHoldObjects(state) || state === TAG_TAIL) && !isResident(m, layout, slab)) {
    findings.add(`slab ${slab}: in use, but the resident map does not show it`);
  }
}

function checkFree(a: Attachment, slab: number, tag: number, findings: Findings): void {
  if (tag !== TAG_FREE) {
    findings.add(`slab ${slab}: FREE, but its tag is not zero (0x${(tag >>> 0).toString(16)})`);
  }
  if (!hasFreeHint(a.m, a.layout, slab)) {
    findings.add(`slab ${slab}: FREE, but the free map does not show it`);
  }
  // A slab never used has never been written: looking would make its pages resident.
  if (a.m[recordAt(slab) + SLAB_USED] !== 0) checkEmpty(a, slab, 0, "FREE", findings);
}

/** No slot from `from` on may be occupied. */
function checkEmpty(a: Attachment, slab: number, from: number, what: string, findings: Findings): void {
  const first = firstSlot(a, recordAt(slab));
  for (let i = from; i <= a.layout.positionMask; i++) {
    const word = a.m[first + i] as number;
    if (isOccupied(word)) findings.add(`slab ${slab}: ${what}, but slot ${i} is ${describeSlot(word)}`);
  }
}

function checkTail(a: Attachment, slab: number, head: number, findings: Findings): void {
  checkEmpty(a, slab, 0, `TAIL of slab ${head}`, findings);
  const headTag = head < slab ? loadSeq(a.m, recordAt(head) + SLAB_TAG) : TAG_FREE;
  if (tagState(headTag) !== TAG_LARGE) {
    findings.add(
      `slab ${slab}: TAIL of slab ${head}, which is ${describeTag(headTag)}, not the head of a run`,
    );
  } else if (slab - head >= loadSeq(a.m, recordAt(head) + SLAB_RUN)) {
    findings.add(
      `slab ${slab}: TAIL of slab ${head}, whose run is only ${a.m[recordAt(head) + SLAB_RUN]} slabs long`,
    );
  }
}

function checkRun(a: Attachment, head: number, findings: Findings): number {
  const { m, layout } = a;
  const record = recordAt(head);
  const length = loadSeq(m, record + SLAB_RUN);
  if (length < 1 || head + length > layout.slabCount) {
    findings.add(`slab ${head}: head of a run of ${length} slabs, which does not fit the heap`);
    return 0;
  }
  for (let slab = head + 1; slab < head + length; slab++) {
    const tag = loadSeq(m, recordAt(slab) + SLAB_TAG);
    if (tag !== packTail(head)) {
      findings.add(`slab ${slab}: should be a TAIL of the run at slab ${head}, but is ${describeTag(tag)}`);
    }
  }
  checkEmpty(a, head, 1, "head of a run", findings);
  const word = m[firstSlot(a, record)] as number;
  if (!isOccupied(word)) findings.add(`slab ${head}: head of a run whose object is ${describeSlot(word)}`);
  return slotState(word) === SLOT_ALLOC ? 1 : 0;
}

/** Live objects of a slab; also checks that every slot word is possible. */
function countSlots(a: Attachment, slab: number, tag: number, findings: Findings): number {
  const { m, layout } = a;
  const first = firstSlot(a, recordAt(slab));
  const usable = Math.min(
    layout.positionMask + 1,
    Math.floor(layout.slabSize / (layout.sizeClasses[tagClass(tag)] as number)),
  );
  let live = 0;
  for (let i = 0; i <= layout.positionMask; i++) {
    const word = m[first + i] as number;
    if (word < 0 || generationOf(word) > LAST_GENERATION) {
      findings.add(`slab ${slab}: slot ${i} holds the impossible word 0x${(word >>> 0).toString(16)}`);
    } else if (i >= usable && isOccupied(word)) {
      findings.add(
        `slab ${slab}: slot ${i} is ${describeSlot(word)}, but the class has only ${usable} slots`,
      );
    } else if (slotState(word) === SLOT_ALLOC) {
      live++;
    }
  }
  return live;
}
