/** Header, ring and seats: the words that do not belong to a slab. */
import { loadSeq } from "../memory/atomics.js";
import type { Attachment } from "../memory/attachment.js";
import { type Layout, seatAt, slotsInSlab } from "../memory/layout.js";
import {
  CLASS_MAP_BASE,
  CLASS_SLOTS_BASE,
  ERA,
  H_CHECKSUM,
  H_MAGIC,
  H_READY,
  H_VERSION,
  LAYOUT_VERSION,
  MAGIC,
  REC_BASE,
  REFS_BASE,
  RING_SIZE,
  SEAT_SREF,
  SEAT_WORD,
} from "../memory/offsets.js";
import { GRANULE_BYTES } from "../memory/size-classes.js";
import { classMap, configChecksum } from "../memory/views.js";
import {
  compareEraTag,
  describeRec,
  EPOCH_ACTIVE,
  packRec,
  recEra,
  recState,
  refsEntries,
  ringOf,
} from "../words/epoch-word.js";
import { SEAT_FREE, SEAT_LIVE, SEAT_REAPING, SEAT_SUSPECT, seatState, seatWho } from "../words/seat-word.js";
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
    if (refsEntries(refs) > 0 && compareEraTag(refs, recEra(rec)) > 0) {
      findings.add(`${name}: its reference word is of a later era than its record`);
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
    for (let ring = 0; ring < RING_SIZE; ring++) {
      const era = loadSeq(m, base + SEAT_SREF + ring);
      if (era === 0) continue;
      if (state === SEAT_FREE) findings.add(`seat ${seat}: free, but still a member of era ${era}`);
      if (era < 0 || era > newest || ringOf(era) !== ring) {
        findings.add(`seat ${seat}: member of era ${era}, which epoch ${ring} never was`);
      }
    }
  }
}
