/** The defects that were found, put back: each must be caught by the scenario that was written for it. */
import type { Mutation } from "./mutation.js";

export const REGRESSIONS: readonly Mutation[] = [
  {
    name: "advance-returns-newest",
    breaks: "The era another thread has opened meanwhile is returned; the next alloc is older than that.",
    scenarios: ["found-advance-returned-later-era"],
    preemptions: 2,
    edits: [
      {
        file: "heap/heap.ts",
        find: "    poll(this._a);\n    return epochRef(era);",
        replace:
          "    poll(this._a);\n    return this.currentEpoch.era > era ? this.currentEpoch : epochRef(era);",
      },
    ],
  },
  {
    name: "fold-published-late",
    breaks: "A counter is seen before the fold that fed it, and what is folded counts twice.",
    scenarios: ["found-fold-counted-twice"],
    mode: "weak",
    edits: [
      {
        file: "counters/slab-counts.ts",
        find: "  storeSeq(m, record + SLAB_COUNTS, counts - ended);\n",
        replace: "  m[record + SLAB_COUNTS] = counts - ended;\n",
      },
    ],
  },
  {
    name: "take-back-zeroes-late",
    breaks: "The slot is FREE before it is zeroed: an adopter hands out old contents.",
    scenarios: ["found-contents-survived-death"],
    mode: "sc",
    edits: [
      {
        file: "slabs/remote-free.ts",
        find: "    if (a.layout.zeroOnFree && !large) zeroObject(a, record, slot);\n    m[slot] = next;\n",
        replace: "    m[slot] = next;\n    if (a.layout.zeroOnFree && !large) zeroObject(a, record, slot);\n",
      },
    ],
  },
  {
    name: "adopt-zeroes-late",
    breaks: "The same in an adopter that dies.",
    scenarios: ["found-contents-survived-adopter"],
    mode: "sc",
    edits: [
      {
        file: "slabs/adopt.ts",
        find: "      if (a.layout.zeroOnFree) zeroObject(a, record, slot);\n      m[slot] = word;\n",
        replace: "      m[slot] = word;\n      if (a.layout.zeroOnFree) zeroObject(a, record, slot);\n",
      },
    ],
  },
  {
    name: "committed-not-finished",
    breaks: "The reaper leaves the slab counts as the dead thread left them.",
    scenarios: ["found-committed-drifted"],
    mode: "sc",
    edits: [
      {
        file: "counters/slab-changes.ts",
        find: "    m[seatBase + SEAT_COMMITTED] = m[seatBase + SEAT_CHANGE_COMMITTED] as number;\n    reach(",
        replace: "    reach(",
      },
    ],
  },
];
