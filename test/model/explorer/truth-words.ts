/**
 * Every change of a truth word, as it becomes visible: who may make it, and what must hold then.
 */
import { CELL_WORDS, CLASS_SHARD_WORDS } from "../../../src/allocator/counters/fields.js";
import {
  binAt,
  type Layout,
  REC_BASE,
  recordAt,
  SEAT_COUNTERS,
  SEAT_WORD,
  SLAB_ERA,
  SLAB_TAG,
  seatAt,
} from "../../../src/allocator/memory/layout.js";
import { describeRec, EPOCH_ACTIVE, recEra, recState } from "../../../src/allocator/words/epoch-word.js";
import {
  SEAT_FREE,
  SEAT_LIVE,
  SEAT_REAPING,
  SEAT_SUSPECT,
  seatState,
  seatWho,
} from "../../../src/allocator/words/seat-word.js";
import {
  describeTag,
  TAG_CLAIMED,
  TAG_FREE,
  TAG_LARGE,
  TAG_OWNED,
  TAG_TAIL,
  tagOwner,
  tagState,
  tailHead,
} from "../../../src/allocator/words/slab-tag.js";
import { describeSlot, isOccupied } from "../../../src/allocator/words/slot-word.js";
import type { Oracle } from "./oracle.js";
import type { Pages } from "./pages.js";
import type { LogicalWorker } from "./worker.js";

const NOTHING = 0;
const TAG = 1;
const REC = 2;
const SLAB_ERA_WORD = 3;
const SEAT = 4;
const COUNTER = 5;
const RESIDENT = 6;

export class TruthWords {
  private readonly oracle: Oracle;
  private readonly pages: Pages;
  private readonly m: Int32Array;
  private readonly layout: Layout;
  private readonly kinds: Uint8Array;
  /** Slab, seat, ring slot or word of the map it is about. */
  private readonly owners: Int32Array;

  constructor(oracle: Oracle, pages: Pages, m: Int32Array, layout: Layout) {
    this.oracle = oracle;
    this.pages = pages;
    this.m = m;
    this.layout = layout;
    this.kinds = new Uint8Array(this.m.length);
    this.owners = new Int32Array(this.m.length);
    for (let slab = 0; slab < layout.slabCount; slab++) {
      this.mark(recordAt(slab) + SLAB_TAG, TAG, slab);
      this.mark(recordAt(slab) + SLAB_ERA, SLAB_ERA_WORD, slab);
    }
    const mapWords = layout.freeLevelWords[0] as number;
    for (let i = 0; i < mapWords; i++) this.mark(layout.residentBase + i, RESIDENT, i);
    for (let ring = 0; ring < 2; ring++) this.mark(REC_BASE + ring, REC, ring);
    for (let seat = 1; seat <= layout.maxWorkers; seat++) {
      const base = seatAt(layout, seat);
      this.mark(base + SEAT_WORD, SEAT, seat);
      for (let word = base + SEAT_COUNTERS; word < base + layout.seatEpochShards; word++) {
        this.mark(word, COUNTER, seat);
      }
      for (let c = 0; c <= layout.classCount; c++) {
        const bin = binAt(layout, seat, c);
        for (let cell = CELL_WORDS; cell < CLASS_SHARD_WORDS; cell++) this.mark(bin + cell, COUNTER, seat);
      }
    }
  }

  private mark(word: number, kind: number, owner: number): void {
    this.kinds[word] = kind;
    this.owners[word] = owner;
  }

  onChange(word: number, before: number, now: number, worker: LogicalWorker): void {
    const kind = this.kinds[word] as number;
    if (kind === NOTHING) return;
    const owner = this.owners[word] as number;
    if (kind === TAG) this.tagChanged(owner, before, now, worker);
    else if (kind === REC) this.recChanged(before, now);
    else if (kind === SEAT) this.seatChanged(owner, before, now, worker);
    else if (kind === RESIDENT) this.pages.bitsChanged(owner, before, now, worker);
    else if (kind === SLAB_ERA_WORD) this.slabEraChanged(owner, before, now);
    else if (now >>> 0 < before >>> 0) {
      this.oracle.fail(
        `I7: a counter of seat ${owner} (word ${word}) went back from ${before >>> 0} to ${now >>> 0}`,
      );
    }
  }

  private tagChanged(slab: number, before: number, now: number, worker: LogicalWorker): void {
    const state = tagState(before);
    const seat = tagOwner(before);
    const step = `${describeTag(before)} -> ${describeTag(now)} by worker ${worker.index + 1}`;
    if (state === TAG_CLAIMED || state === TAG_OWNED || (state === TAG_LARGE && seat !== 0)) {
      if (!this.oracle.sits(worker, seat) && !this.oracle.isDead(seat))
        this.oracle.fail(`I8: slab ${slab} taken from a live owner: ${step}`);
    }
    if (state === TAG_TAIL) {
      const head = this.m[recordAt(tailHead(before)) + SLAB_TAG] as number;
      const holder = tagOwner(head);
      if (
        tagState(head) !== TAG_CLAIMED ||
        !(this.oracle.sits(worker, holder) || this.oracle.isDead(holder))
      ) {
        this.oracle.fail(
          `I2: tail ${slab} of run ${tailHead(before)} changed while its head is ${describeTag(head)}: ${step}`,
        );
      }
    }
    this.pages.tagChanged(slab, before, now, worker, step);
    if (now === TAG_FREE) this.becameFree(slab, step);
  }

  private becameFree(slab: number, step: string): void {
    const first = this.layout.slotBase + (slab << this.layout.slotsShift);
    for (let slot = first; slot <= first + this.layout.positionMask; slot++) {
      const word = this.m[slot] as number;
      if (isOccupied(word)) {
        this.oracle.fail(
          `I5: slab ${slab} is FREE but its slot ${slot - first} is ${describeSlot(word)}: ${step}`,
        );
      }
    }
    for (const held of this.oracle.ghost.held.values()) {
      if (
        held.succeeded === 0 &&
        !held.doomed &&
        held.slab <= slab &&
        slab < held.slab + held.slabs &&
        held.frees === 0
      ) {
        this.oracle.fail(`I5: slab ${slab} is FREE while ${this.oracle.name(held.handle)} is live: ${step}`);
      }
    }
  }

  private recChanged(before: number, now: number): void {
    const same = recEra(before) === recEra(now);
    if (recEra(now) < recEra(before) || (same && recState(now) < recState(before))) {
      this.oracle.fail(`I9: an epoch record went back from ${describeRec(before)} to ${describeRec(now)}`);
    }
    const era = recEra(before);
    const { closings, closedBelow } = this.oracle.ghost;
    if (closings > 0 || era < closedBelow || !same || recState(before) !== EPOCH_ACTIVE) return;
    if (this.oracle.isReferenced(era))
      this.oracle.fail(`I10: era ${era} was closed while somebody is inside`);
  }

  private seatChanged(seat: number, before: number, now: number, worker: LogicalWorker): void {
    const from = seatState(before);
    const to = seatState(now);
    const lives = from === SEAT_LIVE || from === SEAT_SUSPECT;
    if (to === SEAT_REAPING && lives && !this.oracle.isDead(seat))
      this.oracle.fail(`I8: seat ${seat} is being reaped although its holder lives`);
    if (to === SEAT_FREE && lives && !this.oracle.sits(worker, seat))
      this.oracle.fail(`I8: seat ${seat} was freed under its holder`);
    if (from === SEAT_REAPING && to === SEAT_REAPING && !this.oracle.isDead(seatWho(before))) {
      this.oracle.fail(`I8: seat ${seat} was taken from a reaper that lives`);
    }
    if (from === SEAT_REAPING && to === SEAT_FREE && !this.oracle.sits(worker, seatWho(before))) {
      this.oracle.fail(`I8: seat ${seat} was freed by worker ${worker.index + 1}, which does not reap it`);
    }
    if (lives && to === SEAT_LIVE && seatWho(before) !== seatWho(now)) {
      this.oracle.fail(`I8: seat ${seat} was taken from its holder`);
    }
    if (from === SEAT_FREE && to === SEAT_LIVE) this.oracle.seated(seat, worker.index);
  }

  private slabEraChanged(slab: number, before: number, now: number): void {
    for (const held of this.oracle.ghost.held.values()) {
      if (held.slab === slab && held.frees === 0 && !held.doomed) {
        this.oracle.fail(
          `I4: slab ${slab} went from era ${before} to ${now} under ${this.oracle.name(held.handle)}`,
        );
      }
    }
  }
}
