/** Damage to what a slab's owner keeps: slots, free lists, own lists, bins. The heap is that of corruptions.ts. */
import { BIN_CURRENT, BIN_PARTIAL } from "../../../src/allocator/counters/fields.js";
import {
  binAt,
  DUMMY_SLAB,
  LARGE_CLASS,
  recordAt,
  SEAT_OWN,
  SLAB_BIN,
  SLAB_CARVED,
  SLAB_COUNTS,
  SLAB_FAST_OWNER,
  SLAB_HEAD,
  SLAB_OBJECT_SIZE,
  SLAB_OWN_NEXT,
  SLAB_OWN_PREV,
  SLAB_PARTIAL_NEXT,
  SLAB_SIZE_SHIFT,
  SLAB_SLOTS,
} from "../../../src/allocator/memory/layout.js";
import { packTag, TAG_OWNED } from "../../../src/allocator/words/slab-tag.js";
import { LAST_GENERATION, SLOT_ALLOC } from "../../../src/allocator/words/slot-word.js";

import type { Corruption } from "./damage.js";

export const OWNED_CORRUPTIONS: readonly Corruption[] = [
  // -- slots and free lists
  [
    "a generation too high",
    (w) => w.setSlot(0, 40, (LAST_GENERATION + 1) << 2),
    ["slab 0: slot 40 holds the impossible word 0x10000004"],
  ],
  [
    "a negative slot word",
    (w) => w.setSlot(0, 40, -4),
    ["slab 0: slot 40 holds the impossible word 0xfffffffc"],
  ],
  [
    "an object beyond the class",
    (w) => w.setSlot(1, 9, SLOT_ALLOC),
    ["slab 1: slot 9 is ALLOC generation 0, but the class has only 4 slots"],
  ],
  [
    "an object where nothing was carved",
    (w) => w.setSlot(0, 40, SLOT_ALLOC),
    [
      "slab 0: slot 40 is ALLOC generation 0 but was never carved",
      "slab 0: live count 2, but 3 slots are occupied",
    ],
  ],
  ["carved beyond the slab", (w) => w.set(0, SLAB_CARVED, 65), ["slab 0: 65 of 64 slots carved"]],
  ["carved less than nothing", (w) => w.set(0, SLAB_CARVED, -1), ["slab 0: -1 of 64 slots carved"]],
  [
    "a live count",
    (w) => w.set(0, SLAB_COUNTS, w.get(0, SLAB_COUNTS) + 1),
    ["slab 0: live count 3, but 2 slots are occupied"],
  ],
  [
    "an object freed behind the owner's back",
    (w) => w.setSlot(0, 1, 4),
    [
      "slab 0: live count 2, but 1 slots are occupied",
      "slab 0: 31 slots are FREE, but 30 are on the free list",
    ],
  ],
  [
    "a free list that ends early",
    (w) => w.set(0, SLAB_HEAD, 0),
    ["slab 0: 30 slots are FREE, but 0 are on the free list"],
  ],
  [
    "a free list into another slab",
    (w) => {
      w.m[w.slot(0, 5) + w.heap._a.layout.linkDelta] = w.slot(1, 0);
    },
    (w) => [`slab 0: its free list leaves the slab (word ${w.slot(1, 0)})`],
  ],
  [
    "a free list in a circle",
    (w) => {
      w.m[w.slot(0, 9) + w.heap._a.layout.linkDelta] = w.slot(0, 4);
    },
    ["slab 0: its free list runs in a circle at slot 4"],
  ],
  [
    "an object on the free list",
    (w) => w.setSlot(0, 7, SLOT_ALLOC),
    [
      "slab 0: slot 7 is on the free list but ALLOC generation 0",
      "slab 0: live count 2, but 3 slots are occupied",
      "slab 0: 29 slots are FREE, but 30 are on the free list",
    ],
  ],
  [
    "the dummy slab with room",
    (w) => {
      w.m[DUMMY_SLAB + SLAB_HEAD] = w.slot(0, 5);
    },
    ["the dummy slab has a free list; idle classes would allocate from it"],
  ],

  // -- the owner's lists and bins
  [
    "a list into nowhere",
    (w) => w.set(3, SLAB_OWN_NEXT, 12345),
    ["seat 2's list of epoch 0: contains word 12345, which is no slab record"],
  ],
  [
    "a list in a circle",
    (w) => w.set(3, SLAB_OWN_NEXT, recordAt(3)),
    ["seat 2's list of epoch 0: slab 3 is listed twice"],
  ],
  [
    "a list with another seat's slab",
    (w) => w.set(3, SLAB_OWN_NEXT, recordAt(6)),
    [
      "seat 2's list of epoch 0: slab 6 is not owned by that seat",
      "seat 2's list of epoch 0: slab 6 has a wrong back link",
    ],
  ],
  [
    "a back link",
    (w) => w.set(3, SLAB_OWN_PREV, recordAt(1)),
    ["seat 2's list of epoch 0: slab 3 has a wrong back link"],
  ],
  [
    "a list of another epoch",
    (w) => {
      w.seat(2, SEAT_OWN, 0);
      w.seat(2, SEAT_OWN + 5, recordAt(3));
    },
    ["seat 2's list of epoch 5: slab 3 is of era 16"],
  ],
  ["a list forgotten", (w) => w.seat(2, SEAT_OWN, 0), ["slab 3: owned by seat 2, but in none of its lists"]],
  ["the fast owner", (w) => w.set(3, SLAB_FAST_OWNER, 77), ["slab 3: fast owner 77 is not its owner"]],
  [
    "a current slab of another class",
    (w) => w.bin(1, 0, BIN_CURRENT, recordAt(1)),
    [
      "seat 1, class 0: current slab 1 is not its own slab of that class",
      "seat 1, class 0: slab 0 has free slots that no alloc can reach",
    ],
  ],
  [
    "a current slab of another seat",
    (w) => w.bin(1, 1, BIN_CURRENT, recordAt(3)),
    ["seat 1, class 1: current slab 3 is not its own slab of that class"],
  ],
  [
    "a current slab that is none",
    (w) => w.bin(1, 1, BIN_CURRENT, 5),
    ["seat 1, class 1: current slab -194 is not its own slab of that class"],
  ],
  [
    "a current slab forgotten",
    (w) => w.bin(2, 1, BIN_CURRENT, DUMMY_SLAB),
    ["seat 2, class 1: slab 3 has free slots that no alloc can reach"],
  ],
  [
    "the current slab in the partial list too",
    (w) => {
      w.bin(1, 0, BIN_PARTIAL, recordAt(0));
      w.set(0, SLAB_PARTIAL_NEXT, 0);
    },
    [
      "slab 0: takes itself for a partial slab, but seat 1 lists it in no bin",
      "seat 1, class 0: slab 0 is in the bin twice",
    ],
  ],
  [
    "a partial list in a circle",
    (w) => w.set(2, SLAB_PARTIAL_NEXT, recordAt(2)),
    ["seat 1, class 2: slab 2 is in the bin twice"],
  ],
  [
    "a partial list forgotten",
    (w) => w.bin(1, 2, BIN_PARTIAL, 0),
    [
      "slab 2: takes itself for a partial slab, but seat 1 lists it in no bin",
      "seat 1, class 2: slab 2 has free slots that no alloc can reach",
    ],
  ],
  [
    "a partial slab of another seat",
    (w) => w.set(2, SLAB_PARTIAL_NEXT, recordAt(3)),
    ["seat 1, class 2: partial slab 3 is not its own slab of that class"],
  ],
  [
    "a partial slab without a free list",
    (w) => w.set(2, SLAB_HEAD, 0),
    [
      "slab 2: 1 slots are FREE, but 0 are on the free list",
      "seat 1, class 2: partial slab 2 has no free list",
    ],
  ],
  [
    "a bin that does not know",
    (w) => w.set(3, SLAB_BIN, binAt(w.heap._a.layout, 2, 0)),
    ({ heap: { _a: a } }) => [
      "seat 2, class 0: slab 3 has free slots that no alloc can reach",
      "seat 2, class 1: current slab 3 thinks it is in another bin",
      `slab 3: its bin is ${binAt(a.layout, 2, 0)}, but that of its class and owner is ${binAt(a.layout, 2, 1)}`,
    ],
  ],
  [
    "a run's class as a small slab's",
    (w) => w.tag(3, packTag(TAG_OWNED, 2, LARGE_CLASS, 0)),
    [
      "seat 2's list of epoch 0: slab 3 is not owned by that seat",
      "seat 2, class 1: current slab 3 is not its own slab of that class",
      "slab 3: class 63 does not exist for a OWNED(seat 2, class 63, epoch 0) slab",
    ],
  ],
  [
    "the current slab of a seat that owns none",
    (w) => w.bin(3, 0, BIN_CURRENT, recordAt(0)),
    ["seat 3, class 0: current slab 0 is not its own slab of that class"],
  ],
  [
    "the own list of a seat that owns none",
    (w) => w.seat(3, SEAT_OWN, recordAt(0)),
    ["seat 3's list of epoch 0: slab 0 is listed twice"],
  ],
  [
    "no bin",
    (w) => w.set(0, SLAB_BIN, 0),
    (w) => [
      `slab 0: its bin is 0, but that of its class and owner is ${binAt(w.heap._a.layout, 1, 0)}`,
      "seat 1, class 0: current slab 0 thinks it is in another bin",
    ],
  ],
  [
    "a bin of a run",
    (w) => w.set(13, SLAB_BIN, binAt(w.heap._a.layout, 1, 0)),
    ["slab 13: head of a run that takes itself for a small slab"],
  ],
  [
    "a run that is freed fast",
    (w) => w.set(13, SLAB_FAST_OWNER, w.heap._a.me),
    ["slab 13: head of a run that takes itself for a small slab"],
  ],
  [
    "partial slabs of large objects",
    (w) => w.bin(1, 3, BIN_PARTIAL, recordAt(0)),
    ["seat 1: its bin of large objects lists partial slabs"],
  ],
  [
    "a current slab of large objects",
    (w) => w.bin(1, 3, BIN_CURRENT, recordAt(0)),
    ["seat 1: its bin of large objects has a current slab (word 6208)"],
  ],
  [
    "a remote free its owner was never told of",
    (w) => w.setSlot(3, 0, w.m[w.slot(3, 0)] + 1),
    ["slab 3: slot 0 is REMOTE_FREED generation 0, but its owner, seat 2, was not told"],
  ],
  [
    "a slab that takes itself for a listed one",
    (w) => w.set(0, SLAB_PARTIAL_NEXT, 0),
    ["slab 0: takes itself for a partial slab, but seat 1 lists it in no bin"],
  ],
  [
    "the object size of a slab",
    (w) => w.set(0, SLAB_OBJECT_SIZE, 32),
    ["slab 0: object size is 32, but its class of 64 bytes has 64"],
  ],
  [
    "the size shift of a slab",
    (w) => w.set(0, SLAB_SIZE_SHIFT, 5),
    ["slab 0: size shift is 5, but its class of 64 bytes has 6"],
  ],
  [
    "the slots of a slab",
    (w) => w.set(0, SLAB_SLOTS, 60),
    ["slab 0: slot count is 60, but its class of 64 bytes has 64"],
  ],
];
