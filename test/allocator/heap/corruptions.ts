import { BIN_CURRENT } from "../../../src/allocator/counters/fields.js";
import {
  binAt,
  CLASS_MAP_BASE,
  DEEP,
  DUMMY_SLAB,
  LARGE_CLASS,
  PHASE,
  SEAT_OWN,
  SLAB_COUNTS,
  SLAB_DOOM,
  SLAB_ERA,
  SLAB_OWN_NEXT,
  SLAB_OWN_PREV,
  SLAB_RUN,
} from "../../../src/allocator/memory/layout.js";
import { clearFree } from "../../../src/allocator/slabs/free-map.js";
import { clearResident } from "../../../src/allocator/words/resident-map.js";
import {
  packTag,
  packTail,
  TAG_CLAIMED,
  TAG_FREE,
  TAG_LARGE,
  TAG_ORPHANED,
  TAG_OWNED,
  TAG_RELEASING,
} from "../../../src/allocator/words/slab-tag.js";
import { SLOT_ALLOC, SLOT_FREE } from "../../../src/allocator/words/slot-word.js";
import type { Corruption } from "./damage.js";

/** Damage to what all threads read of slabs: tags, eras, runs. */
export const SHARED_CORRUPTIONS: readonly Corruption[] = [
  // -- tags
  [
    "a tag of no state",
    (w) => w.tag(6, packTag(7, 0, 0, 0)),
    ["slab 6: tag INVALID(7)(seat 0, class 0, epoch 0) is no known state"],
  ],
  [
    "a release nobody finishes",
    (w) => w.tag(6, packTag(TAG_RELEASING, 2, 0, 0)),
    ["slab 6: left RELEASING by seat 2: its thread is giving pages back, or died there and was not reaped"],
  ],
  [
    "a slab in use that does not count as resident",
    (w) => clearResident(w.m, w.heap._a.layout, 13),
    ["slab 13: in use, but the resident map does not show it"],
  ],
  [
    "a claim nobody finishes",
    (w) => w.tag(6, packTag(TAG_CLAIMED, 2, 0, 0)),
    ["slab 6: left CLAIMED by seat 2: its thread is inside alloc, or died there and was not reaped"],
  ],
  [
    "a tag that is FREE and not zero",
    (w) => w.tag(6, packTag(TAG_FREE, 1, 0, 0)),
    ["slab 6: FREE, but its tag is not zero (0x8)"],
  ],
  [
    "an owner where nobody sits",
    (w) => w.tag(3, packTag(TAG_OWNED, 4, 1, 0)),
    [
      "seat 2's list of epoch 0: slab 3 is not owned by that seat",
      "seat 2, class 1: current slab 3 is not its own slab of that class",
      "slab 3: owned by seat 4, where no thread sits: reap it",
    ],
  ],
  [
    "an owner beyond the seats",
    (w) => w.tag(3, packTag(TAG_OWNED, 200, 1, 0)),
    [
      "seat 2's list of epoch 0: slab 3 is not owned by that seat",
      "seat 2, class 1: current slab 3 is not its own slab of that class",
      "slab 3: owned by seat 200, where no thread sits: reap it",
    ],
  ],
  [
    "OWNED by nobody",
    (w) => w.tag(3, packTag(TAG_OWNED, 0, 1, 0)),
    [
      "seat 2's list of epoch 0: slab 3 is not owned by that seat",
      "seat 2, class 1: current slab 3 is not its own slab of that class",
      "slab 3: OWNED(seat 0, class 1, epoch 0) has no owner, and no thread was told to adopt it",
      "slab 3: owned by seat 0, where no thread sits: reap it",
    ],
  ],
  [
    "an owner that does not know",
    (w) => w.tag(3, packTag(TAG_OWNED, 1, 1, 0)),
    ({ heap: { _a: a } }) => [
      `slab 3: its bin is ${binAt(a.layout, 2, 1)}, but that of its class and owner is ${binAt(a.layout, 1, 1)}`,
      "seat 2's list of epoch 0: slab 3 is not owned by that seat",
      "seat 2, class 1: current slab 3 is not its own slab of that class",
      "slab 3: fast owner 258 is not its owner",
    ],
  ],
  [
    "an orphan with an owner",
    (w) => w.tag(3, packTag(TAG_ORPHANED, 2, 1, 0)),
    ["slab 3: ORPHANED but names owner 2"],
  ],
  [
    "a class that does not exist",
    (w) => w.tag(3, packTag(TAG_OWNED, 2, 9, 0)),
    [
      "seat 2's list of epoch 0: slab 3 is not owned by that seat",
      "seat 2, class 1: current slab 3 is not its own slab of that class",
      "slab 3: class 9 does not exist for a OWNED(seat 2, class 9, epoch 0) slab",
    ],
  ],
  [
    "a run with a small class",
    (w) => w.tag(13, packTag(TAG_LARGE, 1, 0, 0)),
    [
      "slab 13: class 0 does not exist for a LARGE(seat 1, class 0, epoch 0) slab",
      "seat 1's list of epoch 0: slab 13 is not owned by that seat",
    ],
  ],
  [
    "the epoch of a tag",
    (w) => w.tag(3, packTag(TAG_OWNED, 2, 1, 7)),
    ["slab 3: era 16 belongs to epoch 0, but its tag says epoch 7"],
  ],
  [
    "an era",
    (w) => w.set(3, SLAB_ERA, 19),
    [
      "slab 3: era 19 belongs to epoch 3, but its tag says epoch 0",
      "seat 2's list of epoch 0: slab 3 is of era 19",
      "slab 3: era 19 is closed, but its frees still take the fast path",
      "slab 3: era 19 is closed, but it is still in a bin",
      "slab 3: era 19 was never opened",
    ],
  ],
  [
    "an era that never was",
    (w) => w.set(3, SLAB_ERA, 32),
    [
      "slab 3: era 32 was never opened",
      "slab 3: era 32 is closed, but its frees still take the fast path",
      "slab 3: era 32 is closed, but it is still in a bin",
    ],
  ],
  [
    "an orphan's era",
    (w) => {
      w.set(3, SLAB_ERA, 0);
      w.tag(3, packTag(TAG_ORPHANED, 0, 1, 0));
      w.m[DEEP]++;
      w.m[PHASE]++;
      w.seat(2, SEAT_OWN, 0);
      w.bin(2, 1, BIN_CURRENT, DUMMY_SLAB);
    },
    [
      "slab 3: ORPHANED(seat 0, class 1, epoch 0) has no owner, and no thread was told to adopt it",
      "slab 3: era 0 was never opened",
    ],
  ],
  ["a doom", (w) => w.set(3, SLAB_DOOM, -5), ["slab 3: doom -5 is not an era"]],
  ["a doom of the future", (w) => w.set(3, SLAB_DOOM, 17), ["slab 3: doom 17 is not an era"]],
  ["a FREE slab's doom", (w) => w.set(6, SLAB_DOOM, 3), ["slab 6: doom 3 is not an era"]],
  [
    "a doom of the open era",
    (w) => w.set(6, SLAB_DOOM, 16),
    ["slab 6: doomed with era 16, which was not discarded"],
  ],
  [
    "a lost hint",
    (w) => clearFree(w.m, w.heap._a.layout, 6),
    ["slab 6: FREE, but the free map does not show it"],
  ],
  [
    "an object in a free slab",
    (w) => w.setSlot(4, 3, SLOT_ALLOC),
    ["slab 4: FREE, but slot 3 is ALLOC generation 0"],
  ],

  // -- runs
  [
    "a tail of another slab",
    (w) => w.tag(14, packTail(1)),
    [
      "slab 14: TAIL of slab 1, which is OWNED(seat 1, class 2, epoch 0), not the head of a run",
      "slab 14: should be a TAIL of the run at slab 13, but is TAIL of 1",
    ],
  ],
  [
    "a tail before its head",
    (w) => w.tag(6, packTail(13)),
    ["slab 6: TAIL of slab 13, which is FREE, not the head of a run"],
  ],
  [
    "a run cut short",
    (w) => w.set(13, SLAB_RUN, 2),
    ["slab 15: TAIL of slab 13, whose run is only 2 slabs long"],
  ],
  [
    "a run too long",
    (w) => w.set(13, SLAB_RUN, 4),
    ["slab 13: head of a run of 4 slabs, which does not fit the heap"],
  ],
  [
    "a tail given away",
    (w) => w.tag(15, packTag(TAG_OWNED, 4, 0, 0)),
    [
      "slab 15: owned by seat 4, where no thread sits: reap it",
      "slab 15: should be a TAIL of the run at slab 13, but is OWNED(seat 4, class 0, epoch 0)",
    ],
  ],
  [
    "a run without object",
    (w) => w.setSlot(13, 0, SLOT_FREE),
    [
      "slab 13: head of a run whose object is FREE generation 0",
      "slab 13: live count 1 of a large run with 0 object",
    ],
  ],
  [
    "the live count of a run",
    (w) => w.set(13, SLAB_COUNTS, w.get(13, SLAB_COUNTS) + 1),
    ["slab 13: live count 2 of a large run with 1 object"],
  ],
  [
    "a run nobody lists",
    (w) => {
      const [next, previous] = [w.get(13, SLAB_OWN_NEXT), w.get(13, SLAB_OWN_PREV)];
      if (previous === 0) w.seat(1, SEAT_OWN, next);
      else w.m[previous + SLAB_OWN_NEXT] = next;
      if (next !== 0) w.m[next + SLAB_OWN_PREV] = previous;
    },
    ["slab 13: owned by seat 1, but in none of its lists"],
  ],
  [
    "a size that leads to a smaller class",
    (w) => {
      w.m[CLASS_MAP_BASE + 16] = 0;
    },
    ["header: the class map sends sizes up to 128 bytes to bin offset 0"],
  ],
  [
    "an orphan nobody was told of",
    (w) => w.tag(3, packTag(TAG_ORPHANED, 0, 1, 0)),
    [
      "seat 2's list of epoch 0: slab 3 is not owned by that seat",
      "seat 2, class 1: current slab 3 is not its own slab of that class",
      "slab 3: ORPHANED(seat 0, class 1, epoch 0) has no owner, and no thread was told to adopt it",
    ],
  ],
  [
    "a run nobody was told of",
    (w) => w.tag(13, packTag(TAG_LARGE, 0, LARGE_CLASS, 0)),
    [
      "slab 13: LARGE(seat 0, class 63, epoch 0) has no owner, and no thread was told to adopt it",
      "seat 1's list of epoch 0: slab 13 is not owned by that seat",
    ],
  ],
  [
    "an object in a tail",
    (w) => w.setSlot(15, 2, SLOT_ALLOC),
    ["slab 15: TAIL of slab 13, but slot 2 is ALLOC generation 0"],
  ],
  [
    "a second object in a run's head",
    (w) => w.setSlot(13, 2, SLOT_ALLOC),
    ["slab 13: head of a run, but slot 2 is ALLOC generation 0"],
  ],
];
