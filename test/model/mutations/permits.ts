/** Faults in the limit that threads share. */
import { change, drop, type Mutation } from "./mutation.js";

const PERMITS = "../pool/permits.ts";
const STORE = change(PERMITS, "  type SlabHeap,\n}", "  type SlabHeap,\n  storeSeq,\n}");

const DEATHS = ["permit-holder-dies", "permit-giver-dies", "permit-sender-dies"];

export const PERMIT_MUTATIONS: readonly Mutation[] = [
  {
    name: "permit-ring-before-give",
    breaks: "Waiters are called before the permit is given back: one that announces in between sleeps on.",
    edits: [
      drop(PERMITS, "    this.hint = index;\n    this.ring();\n"),
      change(
        PERMITS,
        "    if (!this.owners.release(index)) return;\n",
        "    this.ring();\n    this.owners.release(index);\n",
      ),
    ],
    scenarios: ["permit-wait"],
  },
  {
    name: "permit-give-rings-nobody",
    breaks: "Whoever gives a permit back calls nobody.",
    edits: [change(PERMITS, "    this.hint = index;\n    this.ring();\n", "    this.hint = index;\n")],
    scenarios: ["permit-wait"],
  },
  {
    name: "permit-ring-uncounted",
    breaks:
      "A call takes the bit away and counts nothing: where the next waiter sets it again, nothing has changed.",
    edits: [
      change(
        PERMITS,
        "casSeq(this.m, P_BELL, seen, (seen + 1) | 0)",
        "casSeq(this.m, P_BELL, seen, seen & ~WAITED_FOR)",
      ),
    ],
    scenarios: ["permit-two-given"],
  },
  {
    name: "permit-ring-looks-plainly",
    breaks: "Whoever gives a permit back may see the bell as it was before.",
    edits: [
      change(
        PERMITS,
        "    const seen = loadSeq(this.m, P_BELL);\n    if ((seen & WAITED_FOR) === 0) return;",
        "    const seen = this.m[P_BELL] as number;\n    if ((seen & WAITED_FOR) === 0) return;",
      ),
    ],
    scenarios: ["permit-wait"],
  },
  {
    name: "permit-announce-nothing",
    breaks: "A waiter only looks at the bell.",
    edits: [
      change(
        PERMITS,
        "if (casSeq(this.m, P_BELL, seen, seen | WAITED_FOR)) return seen | WAITED_FOR;",
        "return seen;",
      ),
    ],
    scenarios: ["permit-wait"],
  },
  {
    name: "permit-announce-plain",
    breaks: "The bit is still on its way when the waiter looks at the permits.",
    edits: [
      change(
        PERMITS,
        "if (casSeq(this.m, P_BELL, seen, seen | WAITED_FOR)) return seen | WAITED_FOR;",
        "this.m[P_BELL] = seen | WAITED_FOR;\n      return seen | WAITED_FOR;",
      ),
    ],
    scenarios: ["permit-two-given", "permit-wait"],
  },
  {
    name: "permit-announce-store",
    breaks: "A waiter stores the bell: a call in between is undone, and somebody else sleeps on.",
    edits: [
      STORE,
      change(
        PERMITS,
        "if (casSeq(this.m, P_BELL, seen, seen | WAITED_FOR)) return seen | WAITED_FOR;",
        "storeSeq(this.m, P_BELL, seen | WAITED_FOR);\n      return seen | WAITED_FOR;",
      ),
    ],
    scenarios: ["permit-two-given", "permit-wait-three"],
  },
  {
    name: "permit-never-of-the-dead",
    breaks: "Permits of the dead are never taken.",
    edits: [
      change(
        PERMITS,
        "      if (this.owners.freeDead(this.heap) === 0) return NO_PERMIT;\n",
        "      if (index < 0) return NO_PERMIT;\n",
      ),
    ],
    scenarios: DEATHS,
  },
  {
    name: "permit-of-the-living",
    breaks: "Every holder is taken for dead.",
    edits: [change(PERMITS, "this.owners.freeDead(this.heap)", "this.owners.freeDead({ seats: () => [] })")],
    scenarios: ["permit-take-give"],
  },
  {
    name: "permit-dead-told-nobody",
    breaks: "Whoever frees the permits of the dead takes one and tells nobody of the others.",
    edits: [drop(PERMITS, "      this.ring();\n")],
    scenarios: ["permit-holder-dies"],
  },
  {
    name: "permit-sent-unnumbered",
    breaks:
      "Two journeys of one sender look the same: who is late with the first message gets the permit of the second.",
    edits: [
      change(
        PERMITS,
        "const journey = me | TRAVELLING | (this.journeys << JOURNEY_SHIFT);",
        "const journey = me | TRAVELLING;",
      ),
    ],
    scenarios: ["permit-adopted-twice"],
  },
  {
    name: "permit-journey-in-incarnation",
    breaks: "The number of a journey runs into the sender's incarnation, and passes for a dead one's.",
    edits: [change(PERMITS, "const JOURNEY_SHIFT = 25;", "const JOURNEY_SHIFT = 22;")],
    scenarios: ["permit-adopted-twice"],
  },
  {
    name: "permit-sent-by-anybody",
    breaks: "A permit is sent whoever holds it.",
    edits: [
      change(
        PERMITS,
        "if (!casSeq(this.m, P_OWNERS + index, me, journey)) return undefined;",
        "casSeq(this.m, P_OWNERS + index, loadSeq(this.m, P_OWNERS + index), journey);",
      ),
    ],
    scenarios: ["permit-three"],
  },
  {
    name: "permit-received-from-anybody",
    breaks: "A permit is received from whoever has it by now.",
    edits: [
      change(
        PERMITS,
        "return this.owners.transfer(index, journey);",
        "return journey !== 0 && this.owners.transfer(index, this.owners.ownerOf(index));",
      ),
    ],
    scenarios: ["permit-adopted-twice"],
  },
  {
    name: "permit-received-once-more",
    breaks: "Whoever receives does not compare: what was taken from the dead sender is taken once more.",
    edits: [
      STORE,
      change(
        PERMITS,
        "return this.owners.transfer(index, journey);",
        "if (this.owners.ownerOf(index) !== journey) return false;\n    storeSeq(this.m, P_OWNERS + index, this.owners.me);\n    return true;",
      ),
    ],
    scenarios: ["permit-adopted-twice", "permit-sender-dies"],
  },
];
