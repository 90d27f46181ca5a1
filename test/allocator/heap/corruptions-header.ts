/** Damage to header, ring, free map and seats. The heap is that of verify.test.ts. */
import {
  CLASS_SLOTS_BASE,
  H_BUFFER_PAGES,
  H_MAGIC,
  H_READY,
  H_SLAB_COUNT,
  H_VERSION,
  REC_BASE,
  REFS_BASE,
  recordAt,
  SEAT_CHANGE_RECORD,
  SEAT_COMMIT_RECORD,
  SEAT_DEPTH,
  SEAT_EPOCH,
  SEAT_ERA,
  SEAT_SREF,
  SEAT_THREAD,
  SEAT_WORD,
} from "../../../src/allocator/memory/layout.js";
import {
  EPOCH_ACTIVE,
  EPOCH_CLOSING,
  packRec,
  packRefs,
  REFS_CLOSED,
} from "../../../src/allocator/words/epoch-word.js";
import { packSeat, SEAT_FREE, SEAT_LIVE, SEAT_REAPING } from "../../../src/allocator/words/seat-word.js";
import type { Corruption } from "./damage.js";

const NOTE_LEFT =
  "seat 2: left a note of what it was counting: its thread is inside a call, or died there and was not reaped";

export const HEADER_CORRUPTIONS: readonly Corruption[] = [
  // -- header, ring, seats
  [
    "magic",
    (w) => {
      w.m[H_MAGIC] = 1;
    },
    ["header: magic, layout version or ready flag was overwritten"],
  ],
  [
    "version",
    (w) => {
      w.m[H_VERSION] = 9;
    },
    ["header: magic, layout version or ready flag was overwritten"],
  ],
  [
    "ready",
    (w) => {
      w.m[H_READY] = 0;
    },
    ["header: magic, layout version or ready flag was overwritten"],
  ],
  [
    "slab count",
    (w) => {
      w.m[H_SLAB_COUNT] = 15;
    },
    ["header: the configuration does not match its checksum"],
  ],
  [
    "pages",
    (w) => {
      w.m[H_BUFFER_PAGES]++;
    },
    ["header: the configuration does not match its checksum"],
  ],
  [
    "slots of a class",
    (w) => {
      w.m[CLASS_SLOTS_BASE + 1] = 31;
    },
    ["header: class 1 (128 bytes) claims 31 slots per slab"],
  ],
  [
    "a record without state",
    (w) => {
      w.m[REC_BASE + 3] = packRec(3, 0);
    },
    ["epoch 3: its record has no state (era 3 INVALID)"],
  ],
  [
    "a record of another ring slot",
    (w) => {
      w.m[REC_BASE + 3] = packRec(4, EPOCH_CLOSING);
    },
    ["epoch 3: its record names era 4 CLOSING, of another ring slot"],
  ],
  [
    "a record ahead of ERA",
    (w) => {
      w.m[REC_BASE + 3] = packRec(19, EPOCH_CLOSING);
    },
    ["epoch 3: its record names era 19 CLOSING, but with ERA 16 it should be era 3"],
  ],
  [
    "a second open epoch",
    (w) => {
      w.m[REC_BASE + 5] = packRec(5, EPOCH_ACTIVE);
    },
    ["epoch 5: era 5 ACTIVE, although ERA is 16"],
  ],
  [
    "references of a later era",
    (w) => {
      w.m[REFS_BASE + 2] = packRefs(18 + 16, 1, 0);
    },
    ["epoch 2: its reference word is of a later era than its record"],
  ],
  [
    "an open epoch that was closed by its last member",
    (w) => {
      w.m[REFS_BASE] = packRefs(16, 1, REFS_CLOSED);
    },
    ["epoch 0: its last member closed it, but era 16 ACTIVE"],
  ],
  [
    "references of an era that will look later soon",
    (w) => {
      w.m[REFS_BASE + 2] = packRefs(18 + 16 * 0x8001, 0, 0);
    },
    ["epoch 2: its reference word is of a later era than its record"],
  ],
  [
    "references of a later era without entries",
    (w) => {
      w.m[REFS_BASE + 2] = packRefs(18 + 16, 0, 0);
    },
    ["epoch 2: its reference word is of a later era than its record"],
  ],
  [
    "an era that a seat allocates in",
    (w) => w.seat(2, SEAT_ERA, 15),
    ["seat 2: allocates in era 15, although ERA is 16", "seat 2: takes era 15 for epoch 0"],
  ],
  [
    "no era that a seat allocates in",
    (w) => w.seat(2, SEAT_ERA, 0),
    ["seat 2: allocates in era 0, although ERA is 16"],
  ],
  [
    "the epoch that a seat allocates in",
    (w) => w.seat(2, SEAT_EPOCH, 3),
    ["seat 2: takes era 16 for epoch 3"],
  ],
  [
    "a depth without membership",
    (w) => w.seat(2, SEAT_DEPTH + 5, 2),
    ["seat 2: member of era 0 in epoch 5 with depth 2"],
  ],
  [
    "another thread in a seat word",
    (w) => w.seat(2, SEAT_WORD, packSeat(w.heap._a.incarnation, 99, SEAT_LIVE)),
    (w) => [
      `seat 2: its word names another thread than it has noted (${w.heap._a.m[w.heap._a.seatBase + SEAT_THREAD]})`,
    ],
  ],
  [
    "the incarnation in this thread's seat word",
    (w) => {
      w.m[w.heap._a.seatBase + SEAT_WORD] += 1 << 16;
    },
    [
      "seat 1: its word is of incarnation 2, but this thread sits there",
      "slab 0: fast owner 257 is not its owner",
      "slab 1: fast owner 257 is not its owner",
      "slab 2: fast owner 257 is not its owner",
    ],
  ],
  ["a note of a count", (w) => w.seat(2, SEAT_COMMIT_RECORD, recordAt(3)), [NOTE_LEFT]],
  ["a note of a slab", (w) => w.seat(2, SEAT_CHANGE_RECORD, -5), [NOTE_LEFT]],
  [
    "bits of the free map beyond the last slab",
    (w) => {
      w.m[w.heap._a.layout.freeLevels[0]] |= 1 << 16;
    },
    ["free map: level 0 has bits that stand for no slab"],
  ],
  [
    "a seat left reaping",
    (w) => w.seat(4, 0, packSeat(1, 3, SEAT_REAPING)),
    ["seat 4: left REAPING by seat 3; reap that seat, which takes this one over"],
  ],
  [
    "a seat word set free",
    (w) => w.seat(2, 0, packSeat(1, 0, SEAT_FREE)),
    ["slab 3: owned by seat 2, where no thread sits: reap it"],
  ],
  [
    "a member without a seat",
    (w) => w.seat(4, SEAT_SREF, 16),
    ["seat 4: free, but still a member of era 16"],
  ],
  [
    "a member of another ring slot's era",
    (w) => w.seat(1, SEAT_SREF + 3, 16),
    ["seat 1: member of era 16, which epoch 3 never was", "seat 1: member of era 16 in epoch 3 with depth 0"],
  ],
  [
    "a member of the future",
    (w) => w.seat(2, SEAT_SREF + 1, 33),
    ["seat 2: member of era 33, which epoch 1 never was", "seat 2: member of era 33 in epoch 1 with depth 0"],
  ],
];
