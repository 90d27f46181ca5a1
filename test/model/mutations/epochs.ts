/** Mutations of epochs: the ring, closing, discarding, syncing, and who is inside. */
import { change, drop, type Mutation, swap } from "./mutation.js";

const RING = "epochs/ring.ts";
const REFS = "epochs/refs.ts";
const SYNC = "seats/sync.ts";
const DRAIN = "slabs/drain.ts";

const CLOSE_CAS =
  "closed = casSeq(m, index, packRec(era, EPOCH_ACTIVE), packRec(era, EPOCH_CLOSING)) || closed;";
const CLOSE_BUMP = "  addSeq(m, PHASE, 1);\n  return closed;";
const DISCARD_CAS = "if (casSeq(m, index, rec, packRec(era, EPOCH_DISCARD))) break;";
const MARK_ON_WRAP = "      if (held < era && recState(rec) === EPOCH_DISCARD) markDoom(m, layout, held);";
const DOOM_LOOP =
  "for (let doom = loadSeq(m, record + SLAB_DOOM); doom < era; doom = loadSeq(m, record + SLAB_DOOM)) {\n      if (casSeq(m, record + SLAB_DOOM, doom, era)) break;\n    }";
const SYNC_HELPS = "  normalise(m, a.layout, newest, recNow);";
const NORMALISE_LOOP = "for (;;) {\n      const rec = loadSeq(m, REC_BASE + ring);\n      if (seen";
const ENTRIES_CAS = "if (casSeq(m, REFS_BASE + ring, refs, next)) break;";
const CLOSED_CAS = "  if (!casSeq(m, REFS_BASE + ring, refs, refs | REFS_CLOSED)) return false;";
const SCAN =
  "  for (let seat = 1; seat <= a.layout.maxWorkers; seat++) {\n    if (loadSeq(m, seatAt(a.layout, seat) + SEAT_SREF + ring) === era) return false;\n  }\n  if (retainsCount(loadSeq(m, RETAINS_BASE + ring), era) > 0) return false;";

/** Sync reads the records and brings none up. */
const NO_HELP = [
  change(
    SYNC,
    SYNC_HELPS,
    "  for (let ring = 0; ring < RING_SIZE; ring++) recNow[ring] = loadSeq(m, REC_BASE + ring);",
  ),
  change(
    SYNC,
    'import { normalise } from "../epochs/ring.js";',
    'import { REC_BASE } from "../memory/offsets.js";',
  ),
];

export const EPOCH_MUTATIONS: readonly Mutation[] = [
  {
    name: "advance-by-store",
    breaks: "ERA is read and stored: an advance held up in between takes it back.",
    edits: [
      change(
        RING,
        "const next = addSeq(a.m, ERA, 1) + 1;",
        "const next = era + 1;\n  Atomics.store(a.m, ERA, next);",
      ),
    ],
    scenarios: ["advance-three", "advance-advance"],
  },
  {
    name: "advance-without-phase",
    breaks: "An advance does not bump PHASE: the others go on allocating in the era before.",
    edits: [
      change(
        RING,
        "  normalise(a.m, a.layout, next);\n  addSeq(a.m, PHASE, 1);",
        "  normalise(a.m, a.layout, next);",
      ),
    ],
    scenarios: ["alloc-close-advance", "honest-epochs"],
  },
  {
    name: "close-without-phase",
    breaks: "A close does not bump PHASE: the others go on allocating in the closed era.",
    edits: [change(RING, CLOSE_BUMP, "  return closed;")],
    scenarios: ["alloc-close", "honest-epochs"],
  },
  {
    name: "close-bumps-if-first",
    breaks:
      "Only who closed bumps PHASE: if that thread is held up or dies before it, a second close returns early.",
    edits: [change(RING, CLOSE_BUMP, "  if (closed) addSeq(m, PHASE, 1);\n  return closed;")],
    scenarios: ["close-close", "close-three", "alloc-close-two"],
  },
  {
    name: "close-bumps-first",
    breaks: "PHASE is bumped before the record changes: who syncs in between never learns of the close.",
    edits: [
      change(
        RING,
        "  let closed = advancePast(a, era);",
        "  addSeq(m, PHASE, 1);\n  let closed = advancePast(a, era);",
      ),
      change(RING, CLOSE_BUMP, "  return closed;"),
    ],
    scenarios: ["alloc-close", "phase-race", "honest-epochs"],
  },
  {
    name: "discard-without-phase",
    breaks: "A discard does not bump PHASE: owners do not carry it out.",
    edits: [change(RING, "  addSeq(m, PHASE, 1);\n  return fresh;\n", "  return fresh;\n")],
    scenarios: ["honest-epochs", "discard-old", "discard-race"],
  },
  {
    name: "close-by-store",
    breaks: "The record is closed by a store: a late close overwrites a newer era.",
    edits: [change(RING, CLOSE_CAS, "Atomics.store(m, index, packRec(era, EPOCH_CLOSING));")],
    scenarios: ["close-wrap", "close-three"],
  },
  {
    name: "normalise-goes-back",
    breaks: "A record is written for an older era than it holds: a held-up advance undoes newer ones.",
    edits: [change(RING, "if (held > era) break;", "if (held > era + 64) break;")],
    scenarios: ["advance-three", "advance-advance", "close-wrap"],
  },
  {
    name: "normalise-tries-once",
    breaks: "A lost CAS is not repeated: the new era may get no record.",
    edits: [
      change(
        RING,
        NORMALISE_LOOP,
        NORMALISE_LOOP.replace("for (;;)", "for (let once = 0; once === 0; once++)"),
      ),
    ],
    scenarios: ["discard-wrap-race", "advance-advance"],
    equivalent:
      "every sync brings the records up, and each change of a record is followed by a bump of PHASE: the next sync repeats what was lost",
  },
  {
    name: "normalise-tries-once-unhelped",
    breaks: "A lost CAS is not repeated, by nobody: the new era has no record, and nothing can be allocated.",
    edits: [
      change(
        RING,
        NORMALISE_LOOP,
        NORMALISE_LOOP.replace("for (;;)", "for (let once = 0; once === 0; once++)"),
      ),
      ...NO_HELP,
    ],
    scenarios: ["discard-wrap-race", "advance-must", "discard-wrap"],
  },
  {
    name: "sync-does-not-help",
    breaks:
      "Nobody brings the records up for an advancer that is held up or dead: the new era cannot be used.",
    edits: NO_HELP,
    scenarios: ["advance-death-must", "death-advance"],
  },
  {
    name: "wrap-forgets-discard",
    breaks:
      "The ring slot goes on and the discard of its old era with it: owners that come later keep the objects.",
    edits: [drop(RING, MARK_ON_WRAP)],
    scenarios: ["discard-wrap", "discard-late-claim"],
  },
  {
    name: "wrap-marks-late",
    breaks: "The discard is kept in the slabs after the record has gone on: a death in between loses it.",
    edits: [
      drop(RING, MARK_ON_WRAP),
      change(RING, "        renewTags(m, ring, era);", `${MARK_ON_WRAP}\n        renewTags(m, ring, era);`),
    ],
    scenarios: ["discard-wrap-death", "discard-wrap"],
  },
  {
    name: "discard-only-in-record",
    breaks: "The dooms are not looked at: a discard is forgotten when its ring slot goes on.",
    edits: [change(DRAIN, "return loadSeq(m, record + SLAB_DOOM) === era;", "return false;")],
    scenarios: ["discard-wrap", "discard-old"],
  },
  {
    name: "discard-by-ring",
    breaks: "Only the ring slot is compared: the discard of a newer era ends an older one's objects.",
    edits: [
      change(
        DRAIN,
        "if (recEra(rec) === era) return recState(rec) === EPOCH_DISCARD;",
        "if (recEra(rec) !== 0) return recState(rec) === EPOCH_DISCARD;",
      ),
    ],
    scenarios: ["discard-other", "discard-two"],
  },
  {
    name: "stale-by-ring",
    breaks:
      "Only the ring slot is compared when a handle is looked at: a newer era's discard makes older handles stale.",
    edits: [
      change("words/epoch-table.ts", "if (recEra(rec) === era) return", "if (recEra(rec) !== 0) return"),
    ],
    scenarios: ["discard-other", "discard-old"],
  },
  {
    name: "doom-by-store",
    breaks: "A doom is stored, not raised: the late discard of an older era overwrites a newer one's.",
    edits: [change(RING, DOOM_LOOP, "Atomics.store(m, record + SLAB_DOOM, era);")],
    scenarios: ["discard-two-late", "discard-two"],
  },
  {
    name: "doom-by-ring",
    breaks: "A discard dooms slabs of other eras in the same ring slot.",
    edits: [change(RING, "(slabEra) => slabEra === era)", "(slabEra) => ringOf(slabEra) === ringOf(era))")],
    scenarios: ["discard-other", "discard-old-recycle", "discard-two-late"],
  },
  {
    name: "doom-skips-claims",
    breaks: "A slab that is being claimed is not doomed: its era's discard passes it by.",
    edits: [
      change(
        RING,
        "if (state !== TAG_CLAIMED && !mayHoldObjects(state)) continue;",
        "if (!mayHoldObjects(state)) continue;",
      ),
    ],
    scenarios: ["discard-late-claim", "discard-late-claim-closed"],
  },
  {
    name: "dooms-counted-first",
    breaks: "DOOMS is bumped before the marks: an owner that syncs in between never looks at them.",
    edits: [
      change(RING, "  let doomed = 0;\n", "  let doomed = 0;\n  addSeq(m, DOOMS, 1);\n"),
      drop(RING, "  addSeq(m, DOOMS, 1);\n  return doomed;"),
      change(
        RING,
        "      if (casSeq(m, record + SLAB_DOOM, doom, era)) break;\n    }\n  }\n",
        "      if (casSeq(m, record + SLAB_DOOM, doom, era)) break;\n    }\n  }\n  return doomed;\n",
      ),
    ],
    scenarios: ["discard-old-sync", "discard-old"],
  },
  {
    name: "dooms-unheard",
    breaks:
      "Owners drain only the ring slots whose record changed: a discard of an era whose slot went on reaches nobody.",
    edits: [change(SYNC, "dooms === a.doomsSeen ? changed : -1;", "changed;")],
    scenarios: ["discard-old", "discard-old-sync", "discard-before"],
  },
  {
    name: "late-discard-unmarked",
    breaks: "The discard of an era whose ring slot went on is not kept anywhere.",
    edits: [change(RING, "fresh = markDoom(m, a.layout, era) > 0;", "fresh = false;")],
    scenarios: ["discard-old", "discard-old-recycle"],
  },
  {
    name: "discard-before-in-ring-only",
    breaks: "Discarding everything older forgets the eras whose ring slot went on.",
    edits: [change(RING, "return slabEra < era && recEra(", "return slabEra < 0 && recEra(")],
    scenarios: ["discard-before-old"],
  },
  {
    name: "discard-tries-once",
    breaks: "A discard that loses its CAS to a close or to the ring is lost.",
    edits: [change(RING, DISCARD_CAS, "casSeq(m, index, rec, packRec(era, EPOCH_DISCARD));\n      break;")],
    scenarios: ["discard-wrap-race", "discard-close"],
  },
  {
    name: "phase-cached-late",
    breaks: "PHASE is read after what it guards: a change in between is taken for honoured.",
    edits: [
      change(SYNC, "m[a.seatBase + SEAT_PHASE] = phase;", "m[a.seatBase + SEAT_PHASE] = loadSeq(m, PHASE);"),
    ],
    scenarios: ["phase-cached", "honest-epochs", "phase-race"],
  },
  {
    name: "dooms-cached-late",
    breaks: "DOOMS is read after what it guards.",
    edits: [
      change(SYNC, "  const dooms = loadSeq(m, DOOMS);\n", ""),
      change(SYNC, "  const drain = dooms", "  const dooms = loadSeq(m, DOOMS);\n  const drain = dooms"),
    ],
    scenarios: ["discard-old-sync", "discard-wrap"],
    equivalent:
      "the marks are made before DOOMS is bumped and looked at after it is read, so a later reading only drains sooner",
  },
  {
    name: "dooms-cached-after",
    breaks:
      "The DOOMS that count as looked at are not the ones compared: marks made in between are never looked at.",
    edits: [change(SYNC, "a.doomsSeen = dooms;", "a.doomsSeen = loadSeq(m, DOOMS);")],
    scenarios: ["discard-old-late"],
  },
  {
    name: "era-without-new-bins",
    breaks: "A new era goes on allocating from the slabs of the old one.",
    edits: [
      change(SYNC, "  resetBins(a);\n  m[a.seatBase + SEAT_ERA] = era;", "  m[a.seatBase + SEAT_ERA] = era;"),
    ],
    scenarios: ["epoch-bins", "alloc-close-advance"],
    equivalent:
      "all slabs of the era before drain in the same sync, and each leaves its bin then (removeFromBin); without that too it is caught: bins-keep-old-slabs",
  },
  {
    name: "era-not-open",
    breaks: "A thread allocates in the newest era whether its record is open or not.",
    edits: [change(SYNC, "const era = open ? newest : 0;", "const era = newest;")],
    scenarios: ["alloc-close", "close-three", "phase-race"],
    equivalent:
      "an alloc that needs a slab looks at the record, and slabs of an era that is not open are drained in the same sync; PHASE is bumped after, and the next sync follows the ring",
  },
  {
    name: "wipe-forgets-remote",
    breaks: "A discarded slab keeps what others have freed and not told yet: it is not given back at once.",
    edits: [drop(DRAIN, "  if (liveCount(m, record) > 0) takeBack(a, record, tag);")],
    scenarios: ["discard-race", "discard-run"],
    equivalent:
      "a freer that lives tells the owner, whose next collect takes the slot back and gives the slab back; for one that died a deep sync does: only later",
  },
  {
    name: "exit-reads-first",
    breaks: "The entries are read before the own membership ends: two leave at once, and neither closes.",
    edits: [
      change(
        REFS,
        "  storeSeq(a.m, sref, 0);\n  return tryAutoClose(a, ring, era);",
        "  const early = loadSeq(a.m, REFS_BASE + ring);\n  storeSeq(a.m, sref, 0);\n  return tryAutoClose(a, ring, era, early);",
      ),
      change(
        REFS,
        "export function tryAutoClose(a: Attachment, ring: number, era: number): boolean {\n  const { m } = a;\n  const refs = loadSeq(m, REFS_BASE + ring);",
        "export function tryAutoClose(a: Attachment, ring: number, era: number, early?: number): boolean {\n  const { m } = a;\n  const refs = early ?? loadSeq(m, REFS_BASE + ring);",
      ),
    ],
    scenarios: ["exit-two", "exit-three"],
  },
  {
    name: "exit-scans-late",
    breaks:
      "The members are looked for after CLOSED is set: whoever is inside then stays in an epoch nobody can enter or close.",
    edits: [swap(REFS, SCAN, CLOSED_CAS)],
    scenarios: ["exit-two", "exit-three"],
  },
  {
    name: "enter-counts-first",
    breaks: "The entry is counted before the membership shows: a leaver in between sees nobody and closes.",
    edits: [
      drop(REFS, "  if (!nested) storeSeq(m, sref, era);\n"),
      change(REFS, `${ENTRIES_CAS}\n  }`, `${ENTRIES_CAS}\n  }\n  if (!nested) storeSeq(m, sref, era);`),
    ],
    scenarios: ["enter-stay"],
    preemptions: 2,
  },
  {
    name: "enter-not-counted",
    breaks:
      "An entry leaves no trace in the count: a leaver that looked for members before it closes all the same.",
    edits: [
      change(
        REFS,
        "packRefs(era, bumpEntries(refsEntries(refs)), (refs & REFS_AUTO) | flags);",
        "packRefs(era, refsEntries(refs), (refs & REFS_AUTO) | flags);",
      ),
    ],
    scenarios: ["exit-two", "exit-three"],
  },
  {
    name: "enter-forgets-auto",
    breaks: "A member that does not ask for auto-close takes back what another has asked for.",
    edits: [change(REFS, "(refs & REFS_AUTO) | flags);", "flags);")],
    scenarios: ["exit-mixed"],
  },
  {
    name: "enter-looks-once",
    breaks: "An epoch is entered although it was closed meanwhile.",
    edits: [
      change(
        REFS,
        "  if (loadSeq(m, REC_BASE + ring) !== packRec(era, EPOCH_ACTIVE)) {\n    if (!nested) {",
        "  if (a.detached) {\n    if (!nested) {",
      ),
    ],
    scenarios: ["enter-close", "exit-late", "exit-wrap"],
    equivalent:
      "a close between the two looks cannot be told from one right after the second: the member's allocs fail either way, and its exit finds the era closed or closes it",
  },
  {
    name: "enter-does-not-finish-close",
    breaks:
      "Who finds an epoch shut but not closed does not close it: nobody can enter anything until its closer goes on.",
    edits: [drop(REFS, "      if (age === 0) closeEra(a, era);")],
    scenarios: ["enter-must"],
  },
  {
    name: "exit-by-ring",
    breaks:
      "The era is not compared when the last member leaves: it shuts a newer era in the same ring slot.",
    edits: [
      change(
        REFS,
        "if (compareEraTag(refs, era) !== 0 || (refs & REFS_CLOSED) !== 0 || (refs & REFS_AUTO) === 0)",
        "if ((refs & REFS_CLOSED) !== 0 || (refs & REFS_AUTO) === 0)",
      ),
    ],
    scenarios: ["exit-wrap", "exit-late"],
  },
  {
    name: "exit-ignores-retains",
    breaks: "The last member closes although somebody holds a reference.",
    edits: [drop(REFS, "  if (retainsCount(loadSeq(m, RETAINS_BASE + ring), era) > 0) return false;")],
    scenarios: ["retain-stay"],
  },
  {
    name: "retain-does-not-interrupt",
    breaks: "A reference taken after the leaver looked for references does not stop its close.",
    edits: [drop(REFS, "if (by > 0) interruptExit(a, ring, era);")],
    scenarios: ["retain-stay"],
  },
  {
    name: "domain-alloc-by-ring",
    breaks: "A domain's alloc takes any era of its ring slot: its object belongs to a newer epoch.",
    edits: [
      change(
        "heap/domain.ts",
        "if (handle === 0 || a.m[a.seatBase + SEAT_ERA] === this.epoch.era) return handle;",
        "if (handle === 0 || a.m[a.seatBase + SEAT_ERA] !== 0) return handle;",
      ),
    ],
    scenarios: ["domain-alloc"],
  },
];
