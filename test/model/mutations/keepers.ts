/** Faults in the order of a rotator's steps. */
import { change, drop, type Mutation } from "./mutation.js";

const KEEPER = "../async/keeper.ts";

export const KEEPER_MUTATIONS: readonly Mutation[] = [
  {
    name: "keeper-advances",
    breaks:
      "Two threads that find at once that it is time open two epochs, and nobody looked at the second ring slot.",
    edits: [change(KEEPER, "this.count(this.heap.closeEpoch(from));", "this.heap.advanceEpoch();")],
    scenarios: ["keeper-two-turn"],
  },
  {
    name: "keeper-opens-unlooked",
    breaks: "The next epoch is opened whoever is inside the era that has its ring slot.",
    edits: [
      drop(KEEPER, "    if (this.inside.has(displaced.era)) return false;\n"),
      drop(KEEPER, "    if (this.heap.refcount(displaced) > 0) return false;\n"),
    ],
    scenarios: ["keeper-alloc-turn", "keeper-own-turn"],
  },
  {
    name: "keeper-looks-before-moving",
    breaks:
      "Whoever moves on looks whether anybody is inside before it does: the last one may leave in between.",
    edits: [
      change(
        KEEPER,
        "    try {\n      this.count(this.heap.closeEpoch(from));\n",
        "    const empty = this.heap.refcount(from) === 0;\n    try {\n      this.count(this.heap.closeEpoch(from));\n",
      ),
      change(
        KEEPER,
        "    this.end(from.era);\n    return true;",
        "    if (empty) this.end(from.era);\n    return true;",
      ),
    ],
    scenarios: ["keeper-leave-turn"],
  },
  {
    name: "keeper-leaves-unread",
    breaks:
      "Whoever leaves goes by the current era as it was known: of an era that is over by now it sees nothing.",
    edits: [drop(KEEPER, "    if (vacated.length === 0) return;\n    this.catchUp();\n")],
    scenarios: ["keeper-leave-turn"],
  },
  {
    name: "keeper-ends-unlooked",
    breaks: "An era that is over is discarded whoever is inside in other threads.",
    edits: [
      change(
        KEEPER,
        "if (this.inside.has(era) || this.heap.refcount(epoch) > 0) return;",
        "if (this.inside.has(era)) return;",
      ),
    ],
    scenarios: ["keeper-leave-turn"],
  },
  {
    name: "keeper-discards-unlooked",
    breaks: "Between the look and the discard somebody enters: the record was still open.",
    edits: [drop(KEEPER, "    if (!sealed && this.heap.refcount(epoch) > 0) return;\n")],
    scenarios: ["keeper-late-enter"],
    mode: "sc",
  },
  {
    name: "keeper-opens-unsealed",
    breaks:
      "Between the look and the opening somebody enters the era that is pushed out: its record was still open.",
    edits: [drop(KEEPER, "    this.seal(displaced);\n")],
    scenarios: ["keeper-late-enter-turn"],
  },
  {
    name: "keeper-enters-unlooked",
    breaks: "A thread refused by an era forgets that it was seen inside: nobody ends that era.",
    edits: [drop(KEEPER, "    if (era !== before) this.sweep();\n")],
    scenarios: ["keeper-leave-turn"],
  },
];
