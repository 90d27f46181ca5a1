/** Header, ring and seats: the words that do not belong to a slab. */
import { loadSeq } from "../memory/atomics.js";
import type { Attachment } from "../memory/attachment.js";
import { type Layout, seatAt, slotsInSlab } from "../memory/layout.js";
import {
  CLASS_MAP_BASE,
  CLASS_SLOTS_BASE,
  ERA,
  FIRST_ERA,
  H_CHECKSUM,
  H_MAGIC,
  H_READY,
  H_VERSION,
  LAYOUT_VERSION,
  MAGIC,
  PHASE,
  REC_BASE,
  REFS_BASE,
  RING_SIZE,
  SEAT_CHANGE_RECORD,
  SEAT_COMMIT_RECORD,
  SEAT_DEPTH,
  SEAT_EPOCH,
  SEAT_ERA,
  SEAT_PHASE,
  SEAT_SREF,
  SEAT_THREAD,
  SEAT_WORD,
} from "../memory/offsets.js";
import { GRANULE_BYTES } from "../memory/size-classes.js";
import { classMap, configChecksum } from "../memory/views.js";
import { whoOf } from "../seats/seat.js";
import { levelWithTailBits } from "../slabs/free-map.js";
import {
  compareEraTag,
  describeRec,
  EPOCH_ACTIVE,
  packRec,
  REFS_CLOSED,
  recEra,
  recState,
  ringOf,
} from "../words/epoch-word.js";
import {
  SEAT_FREE,
  SEAT_LIVE,
  SEAT_REAPING,
  SEAT_SUSPECT,
  seatIncarnation,
  seatState,
  seatWho,
} from "../words/seat-word.js";
import type { Findings } from "./verify.js";

export function seatIsLive(a: Attachment, seat: number): boolean {
  const state = seatState(loadSeq(a.m, seatAt(a.layout, seat) + SEAT_WORD));
  return state === SEAT_LIVE || state === SEAT_SUSPECT;
}

/** False when the rest of the heap cannot be interpreted. */
export function checkHeader(a: Attachment, findings: Findings): boolean {
  const { m, layout } = a;
  if (m[H_MAGIC] !== MAGIC || m[H_VERSION] !== LAYOUT_VERSION || m[H_READY] !== 1) {
    findings.add("header: magic, layout version or ready flag was overwritten");
    return false;
  }
  if (m[H_CHECKSUM] !== configChecksum(m)) {
    findings.add("header: the configuration does not match its checksum");
    return false;
  }
  layout.sizeClasses.forEach((size, c) => {
    if (m[CLASS_SLOTS_BASE + c] !== slotsInSlab(layout, size)) {
      findings.add(`header: class ${c} (${size} bytes) claims ${m[CLASS_SLOTS_BASE + c]} slots per slab`);
    }
  });
  const wrong = wrongClassMapEntry(m, layout);
  if (wrong >= 0) {
    findings.add(
      `header: the class map sends sizes up to ${wrong * GRANULE_BYTES} bytes to bin offset ${m[CLASS_MAP_BASE + wrong]}`,
    );
  }
  return true;
}

function wrongClassMapEntry(m: Int32Array, layout: Layout): number {
  const map = classMap(layout);
  for (let granules = 0; granules < map.length; granules++) {
    if (m[CLASS_MAP_BASE + granules] !== map[granules]) return granules;
  }
  return -1;
}

export function checkRing(a: Attachment, findings: Findings): void {
  const { m } = a;
  const newest = loadSeq(m, ERA);
  for (let ring = 0; ring < RING_SIZE; ring++) {
    const rec = loadSeq(m, REC_BASE + ring);
    const era = newest - ((newest - ring) & (RING_SIZE - 1));
    const name = `epoch ${ring}`;
    if (recState(rec) === 0) findings.add(`${name}: its record has no state (${describeRec(rec)})`);
    if (ringOf(recEra(rec)) !== ring)
      findings.add(`${name}: its record names ${describeRec(rec)}, of another ring slot`);
    else if (recEra(rec) !== era) {
      findings.add(
        `${name}: its record names ${describeRec(rec)}, but with ERA ${newest} it should be era ${era}`,
      );
    } else if ((era === newest) !== (recState(rec) === EPOCH_ACTIVE)) {
      findings.add(`${name}: ${describeRec(rec)}, although ERA is ${newest}`);
    }
    const refs = loadSeq(m, REFS_BASE + ring);
    const age = compareEraTag(refs, recEra(rec));
    // Too old by half of what its bits can tell, it would look newer one lap on: see renewTags.
    if (age > 0 || age < -0x4000)
      findings.add(`${name}: its reference word is of a later era than its record`);
    else if (age === 0 && (refs & REFS_CLOSED) !== 0 && recState(rec) === EPOCH_ACTIVE) {
      findings.add(`${name}: its last member closed it, but ${describeRec(rec)}`);
    }
  }
  if (loadSeq(m, REC_BASE + ringOf(newest)) !== packRec(newest, EPOCH_ACTIVE)) {
    findings.add(`ring: no epoch is open for era ${newest}`);
  }
}

export function checkSeats(a: Attachment, findings: Findings): void {
  const { m, layout } = a;
  const newest = loadSeq(m, ERA);
  for (let seat = 1; seat <= layout.maxWorkers; seat++) {
    const base = seatAt(layout, seat);
    const word = loadSeq(m, base + SEAT_WORD);
    const state = seatState(word);
    if (state === SEAT_REAPING) {
      findings.add(
        `seat ${seat}: left REAPING by seat ${seatWho(word)}; reap that seat, which takes this one over`,
      );
    }
    if (m[base + SEAT_COMMIT_RECORD] !== 0 || m[base + SEAT_CHANGE_RECORD] !== 0) {
      findings.add(
        `seat ${seat}: left a note of what it was counting: its thread is inside a call, or died there and was not reaped`,
      );
    }
    if (seatIsLive(a, seat)) checkSeated(a, seat, word, newest, findings);
    for (let ring = 0; ring < RING_SIZE; ring++) {
      const era = loadSeq(m, base + SEAT_SREF + ring);
      const depth = loadSeq(m, base + SEAT_DEPTH + ring);
      if (seatIsLive(a, seat) && (era !== 0) !== depth > 0) {
        findings.add(`seat ${seat}: member of era ${era} in epoch ${ring} with depth ${depth}`);
      }
      if (era === 0) continue;
      if (state === SEAT_FREE) findings.add(`seat ${seat}: free, but still a member of era ${era}`);
      if (era < FIRST_ERA || era > newest || ringOf(era) !== ring) {
        findings.add(`seat ${seat}: member of era ${era}, which epoch ${ring} never was`);
      }
    }
  }
}

/** Who sits there, and in which era it allocates. */
function checkSeated(a: Attachment, seat: number, word: number, newest: number, findings: Findings): void {
  const { m, layout } = a;
  const base = seatAt(layout, seat);
  const thread = loadSeq(m, base + SEAT_THREAD);
  if (thread !== 0 && whoOf(thread) !== seatWho(word)) {
    findings.add(`seat ${seat}: its word names another thread than it has noted (${thread})`);
  }
  if (seat === a.seat && !a.detached && seatIncarnation(word) !== a.incarnation) {
    findings.add(
      `seat ${seat}: its word is of incarnation ${seatIncarnation(word)}, but this thread sits there`,
    );
  }
  const era = m[base + SEAT_ERA] as number;
  if (era !== 0 && m[base + SEAT_EPOCH] !== ringOf(era)) {
    findings.add(`seat ${seat}: takes era ${era} for epoch ${m[base + SEAT_EPOCH]}`);
  }
  if (!isUpToDate(a, seat)) return;
  const open = loadSeq(m, REC_BASE + ringOf(newest)) === packRec(newest, EPOCH_ACTIVE);
  if (era !== newest && (era !== 0 || open)) {
    findings.add(`seat ${seat}: allocates in era ${era}, although ERA is ${newest}`);
  }
}

/** Has the seat honoured every change? */
export function isUpToDate({ m, layout }: Attachment, seat: number): boolean {
  return m[seatAt(layout, seat) + SEAT_PHASE] === loadSeq(m, PHASE);
}

export function checkFreeMap({ m, layout }: Attachment, findings: Findings): void {
  const level = levelWithTailBits(m, layout);
  if (level >= 0) findings.add(`free map: level ${level} has bits that stand for no slab`);
}
