/** Mutations of seats: attaching, leaving, reaping, adopting. */
import { change, drop, type Mutation, swap } from "./mutation.js";

const REAP = "seats/reap.ts";
const SEAT = "seats/seat.ts";
const SYNC = "seats/sync.ts";
const ADOPT = "slabs/adopt.ts";

const SEAT_LAST = "  storeSeq(m, index, packSeat(held, 0, SEAT_FREE));";
const ORPHAN = "  orphanSlabs(a, seat, work);";
const ADOPT_CAS =
  "if (!casSeq(m, record + SLAB_TAG, tag, retag(tag, large ? TAG_LARGE : TAG_OWNED, a.seat))) {";
const ADOPT_ERA = "const era = loadSeq(m, record + SLAB_ERA);\n  const first";
const ADOPT_SLOT = "let word = loadSeq(m, slot);";
const LEAVE_FREE = "  storeSeq(m, a.seatBase + SEAT_WORD, packSeat(a.incarnation, 0, SEAT_FREE));";
const GIVE_UP_TAG = "  casSeq(m, record + SLAB_TAG, tag, retag(tag, large ? TAG_LARGE : TAG_ORPHANED, 0));";

export const SEAT_MUTATIONS: readonly Mutation[] = [
  {
    name: "seat-by-store",
    breaks: "A seat is taken by a store: two threads take the same one.",
    edits: [change(SEAT, "if (!casSeq(m, index, word, taken)) continue;", "storeSeq(m, index, taken);")],
    scenarios: ["attach-both"],
  },
  {
    name: "seat-keeps-old-lists",
    breaks: "A new holder of a seat believes the lists of the former one.",
    edits: [drop(SEAT, "    m[a.seatBase + SEAT_OWN + ring] = 0;")],
    scenarios: ["detach-attach-lists"],
  },
  {
    name: "leave-seat-first",
    breaks: "The seat is free before its slabs are given up: a successor finds them under its own number.",
    edits: [
      drop(SEAT, LEAVE_FREE),
      change(SEAT, "  resetBins(a);\n  forEachOwn", `${LEAVE_FREE}\n  resetBins(a);\n  forEachOwn`),
    ],
    scenarios: ["detach-attach", "detach-free"],
  },
  {
    name: "leave-without-deep",
    breaks: "Who leaves tells nobody of the slabs it leaves: they stay ORPHANED.",
    edits: [change(SEAT, "  a.detached = true;\n  addSeq(m, DEEP, 1);", "  a.detached = true;")],
    scenarios: ["detach-free", "detach-death"],
  },
  {
    name: "leave-unlinks-late",
    breaks: "A slab is given up before it is out of the lists: its adopter's words are written to.",
    edits: [
      drop(SEAT, GIVE_UP_TAG),
      change(
        SEAT,
        "  m[record + SLAB_FAST_OWNER] = 0;\n  removeFromBin(a, record);",
        `${GIVE_UP_TAG}\n  m[record + SLAB_FAST_OWNER] = 0;\n  removeFromBin(a, record);`,
      ),
    ],
    scenarios: ["detach-late-adopt", "detach-free"],
  },
  {
    name: "leave-others-slabs",
    breaks: "Leaving does not look whether a slab is still its own after its remote frees were taken back.",
    edits: [drop(SEAT, "  if (!isHeldBy(tag, a.seat)) return;")],
    scenarios: ["detach-closed", "detach-free", "detach-death"],
  },
  {
    name: "reap-any-incarnation",
    breaks: "A late reaper does not compare incarnations: it reaps the seat's next, living holder.",
    edits: [drop(REAP, '    if (incarnation !== undefined && held !== incarnation) return "stale";')],
    scenarios: ["reapers-two", "reapers-two-busy"],
  },
  {
    name: "reap-together",
    breaks: "Two reap one seat at once: one of them goes on when the seat is free or taken again.",
    edits: [
      drop(REAP, '    if (seatState(word) === SEAT_REAPING && seatWho(word) !== deadReaper) return "busy";'),
    ],
    scenarios: ["reapers-two", "death-owner"],
  },
  {
    name: "reap-without-takeover",
    breaks: "Nobody goes on with the seats a dead reaper was reaping.",
    edits: [
      change(REAP, "if (seatState(word) === SEAT_REAPING && seatWho(word) === seat) {", "if (a.detached) {"),
    ],
    scenarios: ["death-reap", "reap-chain"],
  },
  {
    name: "reap-frees-seat-early",
    breaks: "The seat is free before its slabs are orphaned: a successor's slabs are orphaned with them.",
    edits: [drop(REAP, SEAT_LAST), change(REAP, ORPHAN, `${SEAT_LAST}\n${ORPHAN}`)],
    scenarios: ["reapers-two-busy", "reapers-two", "reap-death-attach"],
  },
  {
    name: "reap-clears-pending-late",
    breaks:
      "The reaper clears the pending words after the seat is free: a successor is not told of its remote frees.",
    edits: [
      change(
        REAP,
        SEAT_LAST,
        `${SEAT_LAST}\n  for (let w = 0; w < layout.pendingWords; w++) storeSeq(m, seatAt(layout, seat) + layout.seatPending + w, 0);`,
      ),
    ],
    scenarios: ["reap-pending-late"],
  },
  {
    name: "reap-clears-pending-early",
    breaks: "The reaper clears the pending words while it has the seat.",
    edits: [
      change(
        REAP,
        SEAT_LAST,
        `  for (let w = 0; w < layout.pendingWords; w++) storeSeq(m, seatAt(layout, seat) + layout.seatPending + w, 0);\n${SEAT_LAST}`,
      ),
    ],
    scenarios: ["reap-pending-late", "reap-pending"],
    equivalent:
      "as long as the seat is REAPING all its bits are about slabs that have been orphaned, whose adopter looks at every slot",
  },
  {
    name: "reap-leaves-claims",
    breaks: "A slab the dead thread was claiming stays CLAIMED.",
    edits: [change(REAP, "if (state === TAG_CLAIMED) {", "if (state === TAG_CLAIMED && a.detached) {")],
    scenarios: ["death-claim", "death-alloc"],
  },
  {
    name: "reap-leaves-tails",
    breaks: "A run the dead thread was claiming or freeing leaves its tails.",
    edits: [drop(REAP, "      freeTails(m, layout, slab, loadSeq(m, record + SLAB_RUN));")],
    scenarios: ["run-death-claim", "run-death-free"],
  },
  {
    name: "reap-without-deep",
    breaks: "Nobody looks for what the dead thread left: orphans, and frees it told nobody of.",
    edits: [drop(REAP, "  addSeq(m, DEEP, 1);")],
    scenarios: ["death-remote", "orphan-free"],
  },
  {
    name: "reap-without-phase",
    breaks: "The others do not learn of a death: a free that died untold stays until something else happens.",
    edits: [drop(REAP, "  addSeq(m, PHASE, 1);")],
    scenarios: ["honest-reap"],
  },
  {
    name: "reap-deep-after-phase",
    breaks: "DEEP is bumped after PHASE: who syncs between the two never looks.",
    edits: [swap(REAP, "  addSeq(m, DEEP, 1);", "  addSeq(m, PHASE, 1);")],
    scenarios: ["honest-reap"],
  },
  {
    name: "reap-keeps-memberships",
    breaks: "A dead member stays inside: its epoch is never closed.",
    edits: [
      drop(
        REAP,
        "    if (loadSeq(m, base + SEAT_SREF + ring) !== 0) storeSeq(m, base + SEAT_SREF + ring, 0);",
      ),
    ],
    scenarios: ["exit-death", "enter-death"],
  },
  {
    name: "reap-does-not-exit",
    breaks: "The dead thread was the last one inside, and its reaper does not close in its place.",
    edits: [
      change(
        REAP,
        "if ((refs & REFS_CLOSED) === 0) tryAutoClose(a, ring, era);\n    else if",
        "if ((refs & REFS_CLOSED) !== 0 &&",
      ),
      change(
        REAP,
        "(rec === packRec(era, EPOCH_ACTIVE)) closeEra",
        "rec === packRec(era, EPOCH_ACTIVE)) closeEra",
      ),
    ],
    scenarios: ["exit-death", "enter-death"],
  },
  {
    name: "reap-does-not-finish-close",
    breaks: "The dead thread shut an epoch and did not close it; its reaper does not either.",
    edits: [drop(REAP, "    else if (rec === packRec(era, EPOCH_ACTIVE)) closeEra(a, era);")],
    scenarios: ["exit-death", "enter-death"],
  },
  {
    name: "deep-skips-own",
    breaks:
      "A deep sync does not look at the own slabs: what a dead freer freed without telling is not found.",
    edits: [drop(SYNC, "  forEachOwn(a, (record) => collectSlab(a, record));")],
    scenarios: ["death-remote", "death-remote-close"],
  },
  {
    name: "deep-skips-orphans",
    breaks: "A deep sync adopts nothing: a dead thread's slabs stay ORPHANED.",
    edits: [change(SYNC, "if (isAdoptable(tag)) adoptSlab(a, record, tag);\n    else if", "if")],
    scenarios: ["orphan-free", "death-owner"],
  },
  {
    name: "deep-cached-late",
    breaks: "DEEP is read after the scan it asks for: a death in between is taken for looked after.",
    edits: [change(SYNC, "a.deepSeen = deepNow;", "a.deepSeen = loadSeq(m, DEEP);")],
    scenarios: ["deep-cached"],
  },
  {
    name: "suspicion-unanswered",
    breaks: "A suspected thread that lives gives its seat up.",
    edits: [
      drop(SYNC, "  if (suspected && casSeq(m, a.seatBase + SEAT_WORD, word, a.seatWord)) return true;"),
    ],
    scenarios: ["suspect", "suspect-two"],
  },
  {
    name: "suspicion-answered-by-store",
    breaks: "A suspected thread answers with a store, whatever stands in its seat meanwhile.",
    edits: [
      change(
        SYNC,
        "if (suspected && casSeq(m, a.seatBase + SEAT_WORD, word, a.seatWord)) return true;",
        "if (suspected) {\n    Atomics.store(m, a.seatBase + SEAT_WORD, a.seatWord);\n    return true;\n  }",
      ),
    ],
    scenarios: ["suspect", "suspect-two"],
    equivalent:
      "as long as it lives nobody but itself changes a SUSPECT seat: reaping takes proof of death, and a second suspicion leaves the word as it is",
  },
  {
    name: "adopt-by-store",
    breaks: "A slab is adopted by load and store: two adopters both have it.",
    edits: [
      change(
        ADOPT,
        ADOPT_CAS,
        "const same = loadSeq(m, record + SLAB_TAG) === tag;\n  if (same) Atomics.store(m, record + SLAB_TAG, retag(tag, large ? TAG_LARGE : TAG_OWNED, a.seat));\n  else {",
      ),
    ],
    scenarios: ["orphan-adopt-two", "orphan-late"],
  },
  {
    name: "adopt-slots-plain",
    breaks: "An adopter reads the slots plainly.",
    edits: [change(ADOPT, ADOPT_SLOT, "let word = m[slot] as number;")],
    scenarios: ["orphan-adopt-two", "orphan-free", "detach-free"],
    mode: "weak",
    equivalent:
      "the slab's era is read atomically between the CAS and the slots, which keeps the plain reads behind it",
  },
  {
    name: "adopt-all-plain",
    breaks:
      "An adopter reads era and slots plainly: they may precede its CAS, and a remote free that read the tag before it is missed.",
    edits: [
      change(ADOPT, ADOPT_SLOT, "let word = m[slot] as number;"),
      change(ADOPT, ADOPT_ERA, "const era = m[record + SLAB_ERA] as number;\n  const first"),
    ],
    scenarios: ["orphan-adopt-two", "orphan-free", "detach-free"],
    mode: "weak",
  },
  {
    name: "adopt-any-era",
    breaks: "An adopted slab is allocated from although its era is not the one the thread allocates in.",
    edits: [
      change(
        ADOPT,
        "if (isDraining(a, record) || era !== m[a.seatBase + SEAT_ERA]) {",
        "if (isDraining(a, record) || era < 0) {",
      ),
    ],
    scenarios: ["adopt-newer-era"],
  },
  {
    name: "adopt-without-draining",
    breaks: "An adopted slab is not asked whether its era is closed.",
    edits: [
      change(
        ADOPT,
        "if (isDraining(a, record) || era !== m[a.seatBase + SEAT_ERA]) {",
        "if (era !== m[a.seatBase + SEAT_ERA]) {",
      ),
    ],
    scenarios: ["orphan-free", "discard-orphan", "detach-free"],
    equivalent:
      "a thread allocates in an era only if that is open for it (useEra), so a draining slab's era differs",
  },
  {
    name: "adopt-keeps-freed-run",
    breaks: "An adopted run whose object was freed is kept.",
    edits: [change(ADOPT, "if ((word & SLOT_STATE_MASK) !== SLOT_ALLOC) {", "if (a.detached) {")],
    scenarios: ["run-orphan", "run-death-free"],
  },
  {
    name: "orphaned-runs-unseen",
    breaks: "A run whose owner is gone is not adopted.",
    edits: [
      change(
        ADOPT,
        "return state === TAG_ORPHANED || (state === TAG_LARGE && tagOwner(tag) === 0);",
        "return state === TAG_ORPHANED;",
      ),
    ],
    scenarios: ["run-orphan"],
  },
  {
    name: "adopt-forgets-frees",
    breaks: "An adopter leaves REMOTE_FREED slots to be collected: nobody is told of those any more.",
    edits: [
      change(
        ADOPT,
        "if ((word & SLOT_STATE_MASK) === SLOT_REMOTE_FREED) {\n      word",
        "if (a.detached) {\n      word",
      ),
    ],
    scenarios: ["orphan-free", "orphan-adopt-two"],
  },
];
