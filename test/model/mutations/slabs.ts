/** Mutations of slabs: taking and giving back, hints, bins, runs. */
import { change, drop, type Mutation, swap } from "./mutation.js";

const SLAB = "slabs/slab.ts";
const MAP = "slabs/free-map.ts";
const RUN = "slabs/large-run.ts";

const CLAIM_CAS =
  "if (!casSeq(m, record + SLAB_TAG, TAG_FREE, claimed)) {\n    count(m, bin + C_ACQUIRE_FAILS, 1);";
const STORE_ERA = "  storeSeq(m, record + SLAB_ERA, era);";
const RECYCLE_CAS = "if (!casSeq(m, record + SLAB_TAG, tag, TAG_FREE)) {";
const RECYCLE_HINT = "  setFree(m, layout, slab);\n  a.exhaustedPhase = Number.NaN;";
const COUNT_RUN = "  m[record + SLAB_COUNTS] = (m[record + SLAB_COUNTS] as number) + COUNT_ALLOC;";
const ALLOC_RUN = "  m[slotWord] = word + SLOT_ALLOC;";
const RUN_TO_CLAIMED = "  if (!casSeq(m, record + SLAB_TAG, tag, claimed)) {";
const FREE_TAILS = "  freeTails(m, layout, head, length);";
const FREE_HEAD = "  if (casSeq(m, record + SLAB_TAG, claimed, TAG_FREE)) setFree(m, layout, head);";

export const SLAB_MUTATIONS: readonly Mutation[] = [
  {
    name: "claim-by-store",
    breaks: "A slab is claimed by load and store: two claimers both win.",
    edits: [
      change(
        SLAB,
        CLAIM_CAS,
        `const free = loadSeq(m, record + SLAB_TAG) === TAG_FREE;\n  if (free) storeSeq(m, record + SLAB_TAG, claimed);\n  else {\n    count(m, bin + C_ACQUIRE_FAILS, 1);`,
      ),
    ],
    scenarios: ["acquire-two"],
  },
  {
    name: "claim-loser-clears-hint",
    breaks: "Who loses a claim clears the hint: a slab given back in between is forgotten.",
    edits: [change(SLAB, CLAIM_CAS, `${CLAIM_CAS}\n    clearFree(m, layout, slab);`)],
    scenarios: ["hint-two-slabs"],
    preemptions: 2,
  },
  {
    name: "claim-era-plain",
    breaks:
      "The claimed slab's era is stored plainly: a discard that scans the tags may not see it and the claimer not see the discard.",
    edits: [change(SLAB, STORE_ERA, "  m[record + SLAB_ERA] = era;")],
    scenarios: ["discard-late-claim", "discard-late-claim-closed"],
    mode: "tso",
  },
  {
    name: "claim-era-late",
    breaks: "The slab is OWNED before it has its era: a discard of that era passes it by.",
    edits: [
      drop(SLAB, STORE_ERA),
      change(
        SLAB,
        "  m[record + SLAB_HEAD] = 0;\n  m[record + SLAB_CARVED] = 0;\n  setUpOwned",
        `${STORE_ERA}\n  m[record + SLAB_HEAD] = 0;\n  m[record + SLAB_CARVED] = 0;\n  setUpOwned`,
      ),
    ],
    scenarios: ["discard-late-claim", "death-claim"],
  },
  {
    name: "claim-no-second-look",
    breaks:
      "The claimer does not look at the record again: an object appears in an epoch that was closed or discarded before.",
    edits: [
      change(
        SLAB,
        "if (loadSeq(m, REC_BASE + ring) !== packRec(era, EPOCH_ACTIVE)) {\n    if (!casSeq(m, record + SLAB_TAG, claimed, TAG_FREE)) loseSeat(a);",
        "if (a.detached) {\n    if (!casSeq(m, record + SLAB_TAG, claimed, TAG_FREE)) loseSeat(a);",
      ),
    ],
    scenarios: ["discard-late-claim-closed", "discard-late-claim"],
  },
  {
    name: "claim-undone-without-hint",
    breaks: "A claim that is undone leaves no hint: nobody finds the slab.",
    edits: [change(SLAB, "loseSeat(a);\n    else setFree(m, layout, slab);", "loseSeat(a);")],
    scenarios: ["alloc-close", "discard-late-claim"],
  },
  {
    name: "claim-keeps-old-list",
    breaks: "A claimed slab keeps the list of its former owner.",
    edits: [
      drop(
        SLAB,
        "  m[record + SLAB_HEAD] = 0;\n  m[record + SLAB_CARVED] = 0;\n  setUpOwned(a, record, classIndex, true);",
      ),
    ],
    scenarios: ["hint-two-slabs", "hint-race"],
  },
  {
    name: "recycle-by-plain-store",
    breaks: "The tag becomes FREE by a plain store.",
    edits: [change(SLAB, RECYCLE_CAS, "m[record + SLAB_TAG] = TAG_FREE;\n  if (a.detached) {")],
    scenarios: ["hint-race", "remote-recycle"],
    mode: "weak",
    equivalent:
      "whatever was freed since the last fold is folded just before, and a fold stores the slab's counts atomically, which publishes the slots",
  },
  {
    name: "recycle-all-plain",
    breaks:
      "The tag becomes FREE by a plain store, and nothing before publishes: it overtakes the slots' stores.",
    edits: [
      change(SLAB, RECYCLE_CAS, "m[record + SLAB_TAG] = TAG_FREE;\n  if (a.detached) {"),
      change(
        "counters/slab-counts.ts",
        "storeSeq(m, record + SLAB_COUNTS, counts - ended);",
        "m[record + SLAB_COUNTS] = counts - ended;",
      ),
    ],
    scenarios: ["recycle-seen", "hint-race", "remote-recycle"],
    mode: "weak",
  },
  {
    name: "recycle-without-hint",
    breaks: "A slab is given back without a hint: nobody finds it.",
    edits: [drop(SLAB, RECYCLE_HINT)],
    scenarios: ["hint-race"],
  },
  {
    name: "draining-by-ring",
    breaks: "Only the ring slot is looked at: a slab of an older era seems to belong to the open one.",
    edits: [
      change(
        SLAB,
        "return a.rec[ringOf(era)] !== packRec(era, EPOCH_ACTIVE);",
        "return ((a.rec[ringOf(era)] as number) & 3) !== EPOCH_ACTIVE;",
      ),
    ],
    scenarios: ["wrap-undrained", "wrap-drains-late", "discard-wrap"],
  },
  {
    name: "recycle-stays-listed",
    breaks: "A slab that is given back stays in its owner's list.",
    edits: [
      drop(
        SLAB,
        "  removeFromBin(a, record);\n  unlinkOwn(a, record, tagRing(tag));\n  m[record + SLAB_FAST_OWNER] = 0;",
      ),
    ],
    scenarios: ["hint-race", "alloc-close-advance"],
  },
  {
    name: "recycle-keeps-fast-owner",
    breaks: "The word that lets the former owner free fast stays in a slab that was given back.",
    edits: [
      change(
        SLAB,
        "  unlinkOwn(a, record, tagRing(tag));\n  m[record + SLAB_FAST_OWNER] = 0;\n  const slab",
        "  unlinkOwn(a, record, tagRing(tag));\n  const slab",
      ),
    ],
    scenarios: ["remote-recycle", "hint-race", "run-free-race"],
    equivalent:
      "every later holder stores the word anew before its first object exists (setUpOwned, setUpRun), and who knows that object's handle got it by a message after that",
  },
  {
    name: "drain-keeps-fast-owner",
    breaks: "A draining slab may still be freed fast: its last free does not give it back.",
    edits: [change("slabs/drain.ts", "  m[record + SLAB_FAST_OWNER] = 0;\n", "")],
    scenarios: ["wrap-drains-late", "close-wrap", "drained-fast-free"],
  },
  {
    name: "partial-never-unlisted",
    breaks:
      "A slab taken from the waiting ones still counts as waiting: its place in the list is searched for in vain.",
    edits: [
      change(
        SLAB,
        "  m[record + SLAB_PARTIAL_NEXT] = NOT_LISTED;\n  m[bin + BIN_CURRENT] = record;\n  return record;",
        "  m[bin + BIN_CURRENT] = record;\n  return record;",
      ),
    ],
    scenarios: ["partial-slabs"],
  },
  {
    name: "room-forgotten",
    breaks: "The slab that was current is not kept when another one gets room: its free slots are nobody's.",
    edits: [drop(SLAB, "  if (hasRoom(m, current)) listIfRoom(a, current);")],
    scenarios: ["free-race-three"],
    preemptions: 2,
  },
  {
    name: "partial-not-searched",
    breaks: "Leaving a bin does not take the slab out of the waiting ones.",
    edits: [change(SLAB, "if (m[record + SLAB_PARTIAL_NEXT] !== NOT_LISTED) {", "if (a.detached) {")],
    scenarios: ["partial-slabs", "orphan-adopt-two"],
    equivalent:
      "no slab that waits leaves its bin alone: whatever gives slabs back has emptied the lists before (resetBins in useEra and leaveSeat, clearPartials in giveBackEmpty)",
  },
  {
    name: "bins-keep-old-slabs",
    breaks:
      "Neither a new era nor leaving a bin takes a waiting slab out of its list: it is allocated from in an era not its own.",
    edits: [
      change(SLAB, "if (m[record + SLAB_PARTIAL_NEXT] !== NOT_LISTED) {", "if (a.detached) {"),
      change(
        "seats/sync.ts",
        "  resetBins(a);\n  m[a.seatBase + SEAT_ERA] = era;",
        "  m[a.seatBase + SEAT_ERA] = era;",
      ),
    ],
    scenarios: ["partial-close"],
  },
  {
    name: "clear-without-second-look",
    breaks:
      "Clearing a summary bit does not look at the word below again: a hint set in between is out of reach.",
    edits: [change(MAP, "if (loadSeq(m, below) !== 0) {", "if (below < 0) {")],
    scenarios: ["free-map-levels"],
    preemptions: 2,
  },
  {
    name: "hint-one-level",
    breaks: "Only the lowest bit of the free map is set: no search gets to it.",
    edits: [change(MAP, "if (before !== 0) return;", "if (before !== 0 || level >= 0) return;")],
    scenarios: ["free-map-levels"],
  },
  {
    name: "clear-by-store",
    breaks: "A hint is cleared by load and store: another slab's hint set in between is lost.",
    edits: [
      change(
        MAP,
        "const left = andSeq(m, word, ~bit) & ~bit;",
        "const left = loadSeq(m, word) & ~bit;\n    Atomics.store(m, word, left);",
      ),
    ],
    scenarios: ["hint-two-slabs"],
    preemptions: 2,
  },
  {
    name: "run-tails-first",
    breaks:
      "A run's tails are freed before its head is unpublished: others take parts of a run that still looks whole.",
    edits: [
      change(RUN, `${RUN_TO_CLAIMED}`, `${FREE_TAILS} //\n${RUN_TO_CLAIMED}`),
      drop(RUN, `\n${FREE_TAILS}\n`),
    ],
    scenarios: ["run-under-foot"],
  },
  {
    name: "run-head-first",
    breaks: "A run's head is FREE before its tails: nobody is responsible for those.",
    edits: [swap(RUN, FREE_TAILS, FREE_HEAD)],
    scenarios: ["run-under-foot"],
  },
  {
    name: "run-alloc-before-large",
    breaks:
      "The object exists before the run does: a claim that a reaper undoes leaves an object in a FREE slab.",
    edits: [
      drop(RUN, ALLOC_RUN),
      change(
        RUN,
        "  if (!casSeq(m, record + SLAB_TAG, claimed, packTag(TAG_LARGE, a.seat, LARGE_CLASS, ring))) {",
        `${ALLOC_RUN}\n  if (!casSeq(m, record + SLAB_TAG, claimed, packTag(TAG_LARGE, a.seat, LARGE_CLASS, ring))) {`,
      ),
    ],
    scenarios: ["run-death-claim"],
  },
  {
    name: "run-no-second-look",
    breaks: "A run is taken although its epoch was closed meanwhile.",
    edits: [
      change(
        RUN,
        "const closed = !retired && taken === length && loadSeq(m, REC_BASE + ring) !== packRec(era, EPOCH_ACTIVE);",
        "const closed = a.detached;",
      ),
    ],
    scenarios: ["discard-late-run", "run-close", "discard-run"],
  },
  {
    name: "run-era-plain",
    breaks:
      "The era of a run of one slab is stored plainly: a discard may not see it, nor the claimer the discard.",
    edits: [change(RUN, STORE_ERA, "  m[record + SLAB_ERA] = era;")],
    scenarios: ["discard-late-run"],
    mode: "tso",
  },
  {
    name: "run-length-late",
    breaks:
      "The run's length is stored after its tails were taken: a reaper of the claim does not find them.",
    edits: [
      drop(RUN, "  storeSeq(m, record + SLAB_RUN, length);"),
      change(
        RUN,
        "  const closed = !retired &&",
        "  storeSeq(m, record + SLAB_RUN, length);\n  const closed = !retired &&",
      ),
    ],
    scenarios: ["run-death-claim", "run-death-again"],
  },
  {
    name: "run-undone-without-tails",
    breaks: "A run that could not be had keeps the tails it got.",
    edits: [drop(RUN, "    freeTails(m, a.layout, head, taken);")],
    scenarios: ["run-conflict-tail"],
  },
  {
    name: "run-tails-by-store",
    breaks:
      "Tails are freed without looking whose they are: a reaper with an old length frees others' slabs.",
    edits: [
      change(
        RUN,
        "if (casSeq(m, recordAt(slab) + SLAB_TAG, tail, TAG_FREE)) setFree(m, layout, slab);",
        "storeSeq(m, recordAt(slab) + SLAB_TAG, TAG_FREE);\n    setFree(m, layout, slab);",
      ),
    ],
    scenarios: ["run-conflict-death"],
  },
  {
    name: "run-retired-head",
    breaks:
      "A run begins at a slab whose first slot has used up its generations: it has no object to be named by.",
    edits: [
      change(
        RUN,
        "const retired = (word & SLOT_STATE_MASK) !== SLOT_FREE;",
        "const retired = word < SLOT_FREE;",
      ),
    ],
    scenarios: ["run-retired-head"],
  },
  {
    name: "run-counts-after-object",
    breaks: "A run's object exists before it is counted.",
    edits: [swap(RUN, COUNT_RUN, ALLOC_RUN)],
    scenarios: ["run-death-claim", "run-death-free"],
    equivalent:
      "whoever adopts the run counts an occupied slot that was not counted (countUnfinished, an excess below 0): one allocation in either case",
  },
  {
    name: "run-free-without-unlink",
    breaks: "A run that was given back stays in its owner's list.",
    edits: [drop(RUN, "  unlinkOwn(a, record, tagRing(tag));")],
    scenarios: ["run-free-race", "run-under-foot"],
  },
  {
    name: "hint-never-repaired-by-scan",
    breaks:
      "The last look at all tags before out of memory does not repair hints: a dead recycler's slab is out of reach until it is reaped.",
    edits: [drop("heap/alloc.ts", "      if (!hasFreeHint(m, layout, slab)) repairFree(m, layout, slab);")],
    scenarios: ["hint-death"],
  },
  {
    name: "no-confirming-scan",
    breaks: "Hints are trusted for out of memory.",
    edits: [
      change(
        "heap/alloc.ts",
        "    confirmTags(a);\n    found",
        "    if (a.detached) confirmTags(a);\n    found",
      ),
    ],
    scenarios: ["hint-death"],
  },
  {
    name: "hint-not-repaired-in-sync",
    breaks: "A deep sync does not repair hints.",
    edits: [
      drop(
        "seats/sync.ts",
        "    else if (tag === TAG_FREE && !hasFreeHint(m, layout, slab)) repairFree(m, layout, slab);",
      ),
    ],
    scenarios: ["death-recycle", "hint-death"],
    equivalent:
      "the look at all tags before out of memory repairs them too (confirmTags); this one only makes that rare",
  },
  {
    name: "pressure-unheard",
    breaks: "Nobody gives its empty slabs to a thread without memory.",
    edits: [
      change(
        "seats/sync.ts",
        "    a.pressureSeen = pressure;\n    giveBackEmpty(a);",
        "    a.pressureSeen = pressure;",
      ),
    ],
    scenarios: ["pressure-heard"],
  },
  {
    name: "pressure-after-phase",
    breaks: "PRESSURE is bumped after PHASE: who syncs between the two never learns of it.",
    edits: [swap("heap/alloc.ts", "  addSeq(m, PRESSURE, 1);", "  addSeq(m, PHASE, 1);")],
    scenarios: ["pressure-heard"],
  },
  {
    name: "exhausted-phase-late",
    breaks:
      "The PHASE at which nothing was free is read after the search: what changed meanwhile is not looked for.",
    edits: [
      change("heap/alloc.ts", "    a.exhaustedPhase = phase;", "    a.exhaustedPhase = loadSeq(m, PHASE);"),
    ],
    scenarios: ["orphan-adopt-two", "hint-race"],
    equivalent:
      "the next alloc finds PHASE changed, and its sync looks at all tags by itself when there is anything new",
  },
  {
    name: "closed-not-noticed",
    breaks: "An alloc that needs another slab does not look at the epoch's record first.",
    edits: [
      drop(
        "heap/alloc.ts",
        "  if (loadSeq(m, REC_BASE + ringOf(era)) !== packRec(era, EPOCH_ACTIVE)) return -CLOSED;",
      ),
    ],
    scenarios: ["alloc-close", "partial-slabs"],
    equivalent:
      "every alloc has compared PHASE, and a claim looks at the record itself; this look only bounds how long an old value of PHASE may be read",
  },
];
