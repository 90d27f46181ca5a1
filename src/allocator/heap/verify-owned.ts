/** The owners' private words against the truth: lists, live counts, bins. */
import { BIN_CURRENT, BIN_PARTIAL } from "../counters/fields.js";
import { liveCount } from "../counters/slab-counts.js";
import { loadSeq } from "../memory/atomics.js";
import type { Attachment } from "../memory/attachment.js";
import { isPowerOfTwo } from "../memory/bits.js";
import { binAt, isRecord, recordAt, seatAt, slabOfRecord } from "../memory/layout.js";
import {
  DUMMY_SLAB,
  REC_BASE,
  RING_SIZE,
  SEAT_OWN,
  SEAT_WORD,
  SLAB_BIN,
  SLAB_CARVED,
  SLAB_ERA,
  SLAB_FAST_OWNER,
  SLAB_HEAD,
  SLAB_OBJECT_SIZE,
  SLAB_OWN_NEXT,
  SLAB_OWN_PREV,
  SLAB_PARTIAL_NEXT,
  SLAB_SIZE_SHIFT,
  SLAB_SLOTS,
  SLAB_TAG,
} from "../memory/offsets.js";
import { firstSlot, hasRoom, NOT_LISTED, slotCount } from "../slabs/slab.js";
import { isEraDiscarded } from "../words/epoch-table.js";
import { EPOCH_ACTIVE, packRec, ringOf } from "../words/epoch-word.js";
import { seatIncarnation } from "../words/seat-word.js";
import { TAG_LARGE, tagClass, tagState } from "../words/slab-tag.js";
import { describeSlot, isOccupied, SLOT_FREE, SLOT_REMOTE_FREED, slotState } from "../words/slot-word.js";
import type { Findings } from "./verify.js";
import { isUpToDate, seatIsLive } from "./verify-words.js";

/** `owners[slab]`: live seat that owns it, absent otherwise. */
export function checkOwned(a: Attachment, owners: readonly number[], findings: Findings): void {
  const seats = liveSeats(a);
  const listed = checkOwnLists(a, seats, owners, findings);
  owners.forEach((seat, slab) => {
    if (!listed.has(slab)) findings.add(`slab ${slab}: owned by seat ${seat}, but in none of its lists`);
    const tag = a.m[recordAt(slab) + SLAB_TAG] as number;
    if (isUpToDate(a, seat) && isEraDiscarded(a.m, recordAt(slab))) {
      findings.add(`slab ${slab}: its era was discarded, but seat ${seat} has not given it back`);
    }
    if (tagState(tag) === TAG_LARGE) checkOwnedRun(a, slab, findings);
    else checkOwnedSlab(a, seat, slab, tag, findings);
  });
  for (const seat of seats) checkBins(a, seat, owners, findings);
  if (a.m[DUMMY_SLAB + SLAB_HEAD] !== 0)
    findings.add("the dummy slab has a free list; idle classes would allocate from it");
}

/** Also those that own nothing: a wrong list or bin of theirs would make them allocate in a slab of another. */
function liveSeats(a: Attachment): number[] {
  const seats: number[] = [];
  for (let seat = 1; seat <= a.layout.maxWorkers; seat++) if (seatIsLive(a, seat)) seats.push(seat);
  return seats;
}

function checkOwnLists(
  a: Attachment,
  seats: readonly number[],
  owners: readonly number[],
  findings: Findings,
): Set<number> {
  const { m } = a;
  const listed = new Set<number>();
  for (const seat of seats) {
    for (let ring = 0; ring < RING_SIZE; ring++) {
      let previous = 0;
      let record = m[seatAt(a.layout, seat) + SEAT_OWN + ring] as number;
      while (record !== 0) {
        const slab = slabOfRecord(record);
        const list = `seat ${seat}'s list of epoch ${ring}`;
        if (!isRecord(a.layout, record)) {
          findings.add(`${list}: contains word ${record}, which is no slab record`);
          break;
        }
        if (listed.has(slab)) {
          findings.add(`${list}: slab ${slab} is listed twice`);
          break;
        }
        listed.add(slab);
        if (owners[slab] !== seat) findings.add(`${list}: slab ${slab} is not owned by that seat`);
        if (ringOf(m[record + SLAB_ERA] as number) !== ring) {
          findings.add(`${list}: slab ${slab} is of era ${m[record + SLAB_ERA]}`);
        }
        if (m[record + SLAB_OWN_PREV] !== previous) {
          findings.add(`${list}: slab ${slab} has a wrong back link`);
        }
        previous = record;
        record = m[record + SLAB_OWN_NEXT] as number;
      }
    }
  }
  return listed;
}

function checkOwnedRun(a: Attachment, slab: number, findings: Findings): void {
  const record = recordAt(slab);
  const occupied = isOccupied(a.m[firstSlot(a, record)] as number) ? 1 : 0;
  const live = liveCount(a.m, record);
  if (live !== occupied) {
    findings.add(`slab ${slab}: live count ${live} of a large run with ${occupied} object`);
  }
  if (a.m[record + SLAB_BIN] !== 0 || a.m[record + SLAB_FAST_OWNER] !== 0) {
    findings.add(`slab ${slab}: head of a run that takes itself for a small slab`);
  }
}

function checkOwnedSlab(a: Attachment, seat: number, slab: number, tag: number, findings: Findings): void {
  const { m } = a;
  const record = recordAt(slab);
  const first = firstSlot(a, record);
  const total = slotCount(a, tag);
  const carved = m[record + SLAB_CARVED] as number;
  if (carved < 0 || carved > total) {
    findings.add(`slab ${slab}: ${carved} of ${total} slots carved`);
    return;
  }
  let occupied = 0;
  let free = 0;
  for (let i = 0; i < total; i++) {
    const word = m[first + i] as number;
    if (isOccupied(word)) {
      occupied++;
      if (slotState(word) === SLOT_REMOTE_FREED && !isTold(a, seat, slab)) {
        findings.add(
          `slab ${slab}: slot ${i} is ${describeSlot(word)}, but its owner, seat ${seat}, was not told`,
        );
      }
      if (i >= carved) findings.add(`slab ${slab}: slot ${i} is ${describeSlot(word)} but was never carved`);
    } else if (i < carved && slotState(word) === SLOT_FREE) {
      free++;
    }
  }
  const live = liveCount(m, record);
  if (live !== occupied) {
    findings.add(`slab ${slab}: live count ${live}, but ${occupied} slots are occupied`);
  }
  checkClassWords(a, slab, record, tagClass(tag), findings);
  checkFreeList(a, slab, record, first, total, free, findings);
  checkTenure(a, seat, slab, record, occupied, findings);
}

/** Will the owner look for remote frees in this slab? */
function isTold(a: Attachment, seat: number, slab: number): boolean {
  const base = seatAt(a.layout, seat);
  if (!isUpToDate(a, seat)) return true;
  return ((loadSeq(a.m, base + a.layout.seatPending + (slab >> 5)) >>> (slab & 31)) & 1) === 1;
}

/** Words an owner copies from the class so that offsets need no second look-up. */
function checkClassWords(
  a: Attachment,
  slab: number,
  record: number,
  classIndex: number,
  findings: Findings,
): void {
  const { m, layout } = a;
  const size = layout.sizeClasses[classIndex] as number;
  const check = (what: string, word: number, expected: number): void => {
    if (m[record + word] !== expected)
      findings.add(
        `slab ${slab}: ${what} is ${m[record + word]}, but its class of ${size} bytes has ${expected}`,
      );
  };
  check("object size", SLAB_OBJECT_SIZE, size);
  check("size shift", SLAB_SIZE_SHIFT, isPowerOfTwo(size) ? Math.log2(size) : -1);
  check("slot count", SLAB_SLOTS, layout.classSlots[classIndex] as number);
}

function checkFreeList(
  a: Attachment,
  slab: number,
  record: number,
  first: number,
  total: number,
  free: number,
  findings: Findings,
): void {
  const { m } = a;
  const seen = new Set<number>();
  for (let at = m[record + SLAB_HEAD] as number; at !== 0; at = m[at + a.layout.linkDelta] as number) {
    if (at < first || at >= first + total) {
      findings.add(`slab ${slab}: its free list leaves the slab (word ${at})`);
      return;
    }
    if (seen.has(at)) {
      findings.add(`slab ${slab}: its free list runs in a circle at slot ${at - first}`);
      return;
    }
    seen.add(at);
    if (slotState(m[at] as number) !== SLOT_FREE) {
      findings.add(
        `slab ${slab}: slot ${at - first} is on the free list but ${describeSlot(m[at] as number)}`,
      );
    }
  }
  if (seen.size !== free) {
    findings.add(`slab ${slab}: ${free} slots are FREE, but ${seen.size} are on the free list`);
  }
}

/** Flags that follow from whether the slab's era is open for its owner. */
function checkTenure(
  a: Attachment,
  seat: number,
  slab: number,
  record: number,
  occupied: number,
  findings: Findings,
): void {
  const { m } = a;
  const base = seatAt(a.layout, seat);
  const bin = m[record + SLAB_BIN] as number;
  const ownBin = binAt(a.layout, seat, tagClass(m[record + SLAB_TAG] as number));
  const upToDate = isUpToDate(a, seat);
  const era = m[record + SLAB_ERA] as number;
  const open = loadSeq(m, REC_BASE + ringOf(era)) === packRec(era, EPOCH_ACTIVE);
  const idle = !(upToDate && open && m[record + SLAB_FAST_OWNER] !== 0);
  // Without one its slots are idle until the epoch closes: so may a slab be that was adopted while its era opened.
  if (bin !== ownBin && !(bin === 0 && idle))
    findings.add(`slab ${slab}: its bin is ${bin}, but that of its class and owner is ${ownBin}`);
  // An owner that has not synced yet treats its slabs as before; it will at its next operation.
  if (!upToDate) return;
  const me = (seatIncarnation(loadSeq(m, base + SEAT_WORD)) << 8) | seat;
  const fast = m[record + SLAB_FAST_OWNER] as number;
  if (fast !== 0 && fast !== me) findings.add(`slab ${slab}: fast owner ${fast} is not its owner`);
  if (fast !== 0 && !open)
    findings.add(`slab ${slab}: era ${era} is closed, but its frees still take the fast path`);
  if (!open && bin !== 0) findings.add(`slab ${slab}: era ${era} is closed, but it is still in a bin`);
  if (!open && occupied === 0)
    findings.add(`slab ${slab}: empty slab of closed era ${era} was not given back`);
}

function checkBins(a: Attachment, seat: number, owners: readonly number[], findings: Findings): void {
  const { m, layout } = a;
  const large = m[binAt(layout, seat, layout.classCount) + BIN_CURRENT] as number;
  if (large !== DUMMY_SLAB)
    findings.add(`seat ${seat}: its bin of large objects has a current slab (word ${large})`);
  if (m[binAt(layout, seat, layout.classCount) + BIN_PARTIAL] !== 0)
    findings.add(`seat ${seat}: its bin of large objects lists partial slabs`);
  const waiting = new Set<number>();
  for (let c = 0; c < layout.classCount; c++) {
    const bin = binAt(layout, seat, c);
    const name = `seat ${seat}, class ${c}`;
    const current = m[bin + BIN_CURRENT] as number;
    const inBin = new Set<number>();
    const check = (record: number, role: string): boolean => {
      const slab = slabOfRecord(record);
      if (
        !isRecord(layout, record) ||
        owners[slab] !== seat ||
        tagClass(m[record + SLAB_TAG] as number) !== c
      ) {
        findings.add(`${name}: ${role} slab ${slab} is not its own slab of that class`);
        return false;
      }
      if (inBin.has(slab)) {
        findings.add(`${name}: slab ${slab} is in the bin twice`);
        return false;
      }
      inBin.add(slab);
      if (m[record + SLAB_BIN] !== bin)
        findings.add(`${name}: ${role} slab ${slab} thinks it is in another bin`);
      return true;
    };
    if (current !== DUMMY_SLAB) check(current, "current");
    for (let r = m[bin + BIN_PARTIAL] as number; r !== 0; r = m[r + SLAB_PARTIAL_NEXT] as number) {
      if (!check(r, "partial")) break;
      waiting.add(slabOfRecord(r));
      if (m[r + SLAB_HEAD] === 0) findings.add(`${name}: partial slab ${slabOfRecord(r)} has no free list`);
    }
    owners.forEach((owner, slab) => {
      const record = recordAt(slab);
      if (owner !== seat || m[record + SLAB_BIN] !== bin || inBin.has(slab)) return;
      if (hasRoom(m, record)) findings.add(`${name}: slab ${slab} has free slots that no alloc can reach`);
    });
  }
  owners.forEach((owner, slab) => {
    if (owner !== seat || waiting.has(slab) || m[recordAt(slab) + SLAB_PARTIAL_NEXT] === NOT_LISTED) return;
    findings.add(`slab ${slab}: takes itself for a partial slab, but seat ${seat} lists it in no bin`);
  });
}
