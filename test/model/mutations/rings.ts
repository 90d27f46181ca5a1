/** Faults in owner words and in the ring. */
import { change, drop, type Mutation, swap } from "./mutation.js";

const OWNERS = "../threads/owners.ts";
const LAYOUT = "../ring/layout.ts";
const SENDER = "../ring/sender.ts";
const RECEIVER = "../ring/receiver.ts";

const DEAD_OWNERS = ["owner-dies", "owner-dies-freed", "owner-successor", "owner-taker-dies"];
const CLOSES = ["ring-close", "ring-close-batch", "ring-close-two", "ring-close-receiver-dies"];

export const RING_MUTATIONS: readonly Mutation[] = [
  {
    name: "owner-claim-store",
    breaks: "A claim stores instead of comparing: two owners.",
    edits: [
      change(
        OWNERS,
        "loadSeq(m, base + index) === UNOWNED && casSeq(m, base + index, UNOWNED, me)) return index;",
        "loadSeq(m, base + index) === UNOWNED) { storeSeq(m, base + index, me); return index; }",
      ),
      change(OWNERS, "import { casSeq, loadSeq,", "import { casSeq, loadSeq, storeSeq,"),
    ],
    scenarios: ["owner-claim-release"],
  },
  {
    name: "owner-release-any",
    breaks: "A release does not ask whose the thing is.",
    edits: [
      change(
        OWNERS,
        "return casSeq(this.m, this.base + index, this.me, UNOWNED);",
        "return casSeq(this.m, this.base + index, loadSeq(this.m, this.base + index), UNOWNED);",
      ),
    ],
    scenarios: ["owner-round"],
  },
  {
    name: "owner-transfer-any",
    breaks: "A thing is taken over from whoever has it by now.",
    edits: [
      change(
        OWNERS,
        "casSeq(this.m, this.base + index, from, this.me);",
        "casSeq(this.m, this.base + index, loadSeq(this.m, this.base + index), this.me);",
      ),
    ],
    scenarios: ["owner-transfer"],
  },
  {
    name: "owner-takeover-store",
    breaks: "What a dead thread held is taken without comparing: somebody else has taken it meanwhile.",
    edits: [
      change(
        OWNERS,
        "if (!casSeq(m, base + index, word, next)) continue;",
        "storeSeq(m, base + index, next);",
      ),
      change(OWNERS, "import { casSeq, loadSeq,", "import { casSeq, loadSeq, storeSeq,"),
    ],
    scenarios: DEAD_OWNERS,
  },
  {
    name: "owner-seats-first",
    breaks:
      "The seats are older than the words: a thread that has just attached is taken for its seat's former holder.",
    edits: [
      drop(OWNERS, "    const seats = owned === 0 ? [] : source.seats();\n"),
      change(
        OWNERS,
        "    const words: number[] = [];\n",
        "    const seats = source.seats();\n    const words: number[] = [];\n",
      ),
    ],
    scenarios: ["owner-successor"],
  },
  {
    name: "owner-any-incarnation",
    breaks: "The seat's next holder passes for its dead one: the thing is never taken over.",
    edits: [
      change(OWNERS, "return !taken || (incarnation & 0xffff) !== ownerIncarnation(word);", "return !taken;"),
    ],
    scenarios: ["owner-successor"],
    equivalent:
      "a thing that is left with the dead for longer is within what is promised; unit tests compare incarnations",
  },
  {
    name: "ring-publish-first",
    breaks: "The tail is moved before the handle is written.",
    edits: [
      change(
        SENDER,
        "    m[at] = low;\n    m[at + 1] = high;\n    return this.publish(tail, 1) === 1;",
        "    const sent = this.publish(tail, 1) === 1;\n    m[at] = low;\n    m[at + 1] = high;\n    return sent;",
      ),
    ],
    scenarios: ["ring-fifo"],
  },
  {
    name: "ring-publish-plain",
    breaks:
      "The tail is still on its way when the state is read: the receiver sleeps before a lane with a handle in it.",
    edits: [change(SENDER, "storeSeq(m, this.tailAt, tail);", "m[this.tailAt] = tail;")],
    scenarios: ["ring-sleep", "ring-close"],
  },
  {
    name: "ring-state-first",
    breaks: "The sender looks whether the receiver sleeps before it publishes.",
    edits: [
      swap(SENDER, "    storeSeq(m, this.tailAt, tail);", "    const state = loadSeq(m, this.stateAt);"),
    ],
    scenarios: ["ring-sleep", "ring-close"],
  },
  {
    name: "ring-never-wakes",
    breaks: "The sender does not tell a sleeping receiver.",
    edits: [drop(SENDER, "      andSeq(m, stateAt, ~WAITING);\n")],
    scenarios: ["ring-sleep"],
  },
  {
    name: "ring-look-before-announcing",
    breaks: "The receiver looks, and then announces that it sleeps.",
    edits: [
      change(
        RECEIVER,
        "    for (;;) {\n      const state = loadSeq(m, stateAt);\n      if ((state & CLOSED) !== 0) return false;",
        "    const nothing = this.head === this.limit && !this.lookForMore();\n    for (;;) {\n      const state = loadSeq(m, stateAt);\n      if ((state & CLOSED) !== 0) return false;",
      ),
      change(
        RECEIVER,
        "return this.head === this.limit && !this.lookForMore();\n  }",
        "return nothing;\n  }",
      ),
    ],
    scenarios: ["ring-sleep", "ring-sleep-two"],
  },
  {
    name: "ring-look-may-be-late",
    breaks: "After announcing, the receiver looks with plain reads only.",
    edits: [
      change(
        RECEIVER,
        "    const tail = loadSeq(this.m, at + L_TAIL);",
        "    const tail = this.m[at + L_TAIL] as number;",
      ),
    ],
    scenarios: ["ring-sleep", "ring-fifo"],
  },
  {
    name: "ring-room-before-announcing",
    breaks: "The sender looks for room, and then announces that it sleeps.",
    edits: [
      change(
        SENDER,
        "    storeSeq(this.m, this.waitsAt, 1);\n    return !this.hasRoom() &&",
        "    const full = !this.hasRoom();\n    storeSeq(this.m, this.waitsAt, 1);\n    return full &&",
      ),
    ],
    scenarios: ["ring-sleep"],
  },
  {
    name: "ring-head-plain",
    breaks: "The head is still on its way when the receiver looks whether the sender sleeps.",
    edits: [change(RECEIVER, "storeSeq(m, headAt, head);", "m[headAt] = head;")],
    scenarios: ["ring-sleep", "ring-receiver-dies"],
  },
  {
    name: "ring-waits-first",
    breaks: "The receiver looks whether the sender sleeps before it moves the head.",
    edits: [
      swap(RECEIVER, "    storeSeq(m, headAt, head);", "    wakeSender(m, headAt + L_WAITS - L_HEAD);"),
    ],
    scenarios: ["ring-last-room"],
  },
  {
    name: "ring-head-before-read",
    breaks: "The slot is given back before it was read.",
    edits: [
      change(
        RECEIVER,
        "    const handle = (m[at + 1] as number) * HIGH_UNIT + ((m[at] as number) >>> 0);\n    this.moveHead((head + 1) | 0);",
        "    this.moveHead((head + 1) | 0);\n    const handle = (m[at + 1] as number) * HIGH_UNIT + ((m[at] as number) >>> 0);",
      ),
    ],
    scenarios: ["ring-fifo"],
  },
  {
    name: "ring-overfull",
    breaks: "A lane takes one handle more than it holds.",
    edits: [
      change(
        SENDER,
        "if (((tail - this.headSeen) | 0) === this.capacity &&",
        "if (((tail - this.headSeen) | 0) > this.capacity &&",
      ),
    ],
    scenarios: ["ring-fifo"],
  },
  {
    name: "ring-lane-from-its-head",
    breaks: "Whoever takes a lane over begins at its head: what is in it is overwritten.",
    edits: [change(SENDER, "this.tail = loadSeq(m, this.tailAt);", "this.tail = loadSeq(m, this.headAt);")],
    scenarios: ["ring-lane-handed-on", "ring-sender-dies"],
  },
  {
    name: "ring-successor-from-zero",
    breaks: "The receiver's successor does not go on where the head is.",
    edits: [
      change(
        RECEIVER,
        "this.heads[lane] = loadSeq(m, laneAt(shape, lane) + L_HEAD);",
        "this.heads[lane] = 0;",
      ),
    ],
    scenarios: ["ring-receiver-dies", "ring-wraps"],
  },
  {
    name: "ring-state-after-lanes",
    breaks:
      "The receiver reads whether the ring is closed after it has looked at the lanes: it ends before what came in between.",
    edits: [
      change(
        RECEIVER,
        "      const state = loadSeq(m, stateAt);\n      for (let step",
        "      for (let step",
      ),
      change(
        RECEIVER,
        "      if ((state & CLOSED) === 0) return false;\n      // Lost",
        "      const state = loadSeq(m, stateAt);\n      if ((state & CLOSED) === 0) return false;\n      // Lost",
      ),
    ],
    scenarios: CLOSES,
  },
  {
    name: "ring-end-store",
    breaks: "The ring is ended whatever senders that ran into the close have settled.",
    edits: [
      change(
        RECEIVER,
        "if (!casSeq(m, stateAt, state, state | ENDED)) continue;",
        "casSeq(m, stateAt, loadSeq(m, stateAt), state | ENDED);",
      ),
    ],
    scenarios: CLOSES,
  },
  {
    name: "ring-settles-nothing",
    breaks: "A send that runs into a close tells nobody, and answers true.",
    edits: [
      change(
        SENDER,
        "if (casSeq(m, stateAt, state, ((state & ~WAITING) + RACE) | 0)) {",
        "if (casSeq(m, stateAt, state, state)) {",
      ),
    ],
    scenarios: CLOSES,
  },
  {
    name: "ring-not-taken-back",
    breaks: "A send that finds the ring ended answers true.",
    edits: [change(SENDER, "return this.takeBack(before, count);", "return count;")],
    scenarios: CLOSES,
  },
  {
    name: "ring-takes-back-delivered",
    breaks: "A send that finds the ring ended answers false, though its handle was received before the end.",
    edits: [
      change(
        SENDER,
        "const delivered = Math.min(count, Math.max(0, taken));",
        "const delivered = 0 * taken;",
      ),
    ],
    scenarios: CLOSES,
  },
  {
    name: "ring-close-wakes-no-sender",
    breaks: "Senders that sleep are not told of the close.",
    edits: [change(LAYOUT, "wakeSender(m, laneAt(shape, lane) + L_WAITS);", "laneAt(shape, lane);")],
    scenarios: ["ring-close-full"],
  },
  {
    name: "ring-close-wakes-first",
    breaks: "Senders are woken before the close can be seen: one that announces in between sleeps on.",
    edits: [
      drop(LAYOUT, "  orSeq(m, base + R_STATE, CLOSED);\n"),
      change(
        LAYOUT,
        "wakeSender(m, laneAt(shape, lane) + L_WAITS);\n}",
        "wakeSender(m, laneAt(shape, lane) + L_WAITS);\n  orSeq(m, base + R_STATE, CLOSED);\n}",
      ),
    ],
    scenarios: ["ring-close-full"],
  },
  {
    name: "ring-sends-when-closed",
    breaks: "A send does not look whether the ring is closed.",
    edits: [
      change(
        SENDER,
        "    if (((m[this.stateAt] as number) & CLOSED) !== 0) return false;\n    const { tail } = this;\n    if (((tail",
        "    const { tail } = this;\n    if (((tail",
      ),
    ],
    scenarios: ["ring-closed"],
  },
];
