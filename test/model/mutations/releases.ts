/** Faults in the hand-over of slabs whose pages go back: taken, looked at, released, marked, freed. */
import { change, drop, type Mutation, swap } from "./mutation.js";

const RELEASE = "slabs/release.ts";
const SLAB = "slabs/slab.ts";
const RUN = "slabs/large-run.ts";
const USE = "slabs/use.ts";
const MAP = "words/resident-map.ts";
const REAP = "seats/reap.ts";
const ALLOC = "heap/alloc.ts";

const TAKE_CAS =
  "  if (!casSeq(m, recordAt(slab) + SLAB_TAG, TAG_FREE, packTag(TAG_RELEASING, a.seat, 0, 0))) return false;\n";
const CALL = "  const bytes = firstWhole < endWhole ? callReleaser(a, from, to - from) : 0;\n";
const WHOLLY = "if (released && slab >= firstWhole && slab < endWhole) {";
const CLEAR = "      clearResident(m, layout, slab);\n";
const GIVE_BACK = "    giveBack(a, slab);\n  }\n  return bytes >= 0;";
const USE_SLAB = "  const fresh = useSlabs(a, slab, 1, bin) === 1;\n";
const USE_RUN = "  const fresh = useSlabs(a, head, length, shard);\n";
const WAIT = "    if (!awaitReleases(a)) a.stuckPhase = phase;\n";

export const RELEASE_MUTATIONS: readonly Mutation[] = [
  {
    name: "release-freed-first",
    breaks: "The slabs are FREE before their pages are released: whoever takes one loses what it writes.",
    edits: [
      change(RELEASE, CALL, `    for (let slab = first; slab < end; slab++) giveBack(a, slab);\n${CALL}`),
    ],
    scenarios: ["release-trim-claim"],
  },
  {
    name: "release-frees-early-late",
    breaks: "The same, and taken once more afterwards, so that only the call itself is without a hold.",
    edits: [
      change(
        RELEASE,
        CALL,
        `    for (let slab = first; slab < end; slab++) giveBack(a, slab);\n${CALL}    for (let slab = first; slab < end; slab++) take(a, slab);\n`,
      ),
    ],
    scenarios: ["release-trim-claim"],
  },
  {
    name: "release-not-held",
    breaks: "Slabs that look FREE are released without taking them.",
    edits: [
      change(RELEASE, TAKE_CAS, "  if (loadSeq(m, recordAt(slab) + SLAB_TAG) !== TAG_FREE) return false;\n"),
    ],
    scenarios: ["release-trim-claim"],
  },
  {
    name: "release-take-by-store",
    breaks: "They are taken by load and store: a claimer in between loses its slab.",
    edits: [
      change(
        RELEASE,
        TAKE_CAS,
        "  if (loadSeq(m, recordAt(slab) + SLAB_TAG) !== TAG_FREE) return false;\n  storeSeq(m, recordAt(slab) + SLAB_TAG, packTag(TAG_RELEASING, a.seat, 0, 0));\n",
      ),
      change(
        RELEASE,
        'import { casSeq, loadSeq } from "../memory/atomics.js";',
        'import { casSeq, loadSeq, storeSeq } from "../memory/atomics.js";',
      ),
    ],
    scenarios: ["release-trim-claim", "release-trim-two"],
  },
  {
    name: "release-take-unread",
    breaks: "Whether the hold was had is not looked at: others' slabs are released.",
    edits: [change(RELEASE, TAKE_CAS, TAKE_CAS.replace("if (!", "").replace(") return false;", ";"))],
    scenarios: ["release-trim-claim", "release-trim-two"],
  },
  {
    name: "release-look-not-repeated",
    breaks:
      "The resident bit is not read again once the slab is held: what another thread has released is released and counted twice.",
    edits: [
      change(
        RELEASE,
        "  if (isResident(m, a.layout, slab)) return true;\n  giveBack(a, slab);\n  return false;",
        "  return true;",
      ),
    ],
    scenarios: ["release-late-look", "release-trim-two"],
  },
  {
    name: "release-look-before-hold",
    breaks: "The same: it is read, but before the slab is held.",
    edits: [
      change(RELEASE, TAKE_CAS, `  const resident = isResident(m, a.layout, slab);\n${TAKE_CAS}`),
      change(RELEASE, "  if (isResident(m, a.layout, slab)) return true;", "  if (resident) return true;"),
    ],
    scenarios: ["release-late-look", "release-trim-two"],
  },
  {
    name: "release-cold-kept",
    breaks: "A slab that turns out to have no pages is not given back.",
    edits: [change(RELEASE, "  giveBack(a, slab);\n  return false;", "  return false;")],
    scenarios: ["release-late-look", "release-trim-two"],
  },
  {
    name: "release-owned-empty",
    breaks: "A thread releases empty slabs that it owns: its lists and counts go on using them.",
    edits: [
      change(
        RELEASE,
        TAKE_CAS,
        "  const tag = m[recordAt(slab) + SLAB_TAG] as number;\n  const mine = (tag & 7) === 2 && ((tag >>> 3) & 255) === a.seat;\n  if (!casSeq(m, recordAt(slab) + SLAB_TAG, mine ? tag : TAG_FREE, packTag(TAG_RELEASING, a.seat, 0, 0))) return false;\n",
      ),
      change(
        MAP,
        "return (m[(layout.freeLevels[0] as number) + word] as number) & (m[layout.residentBase + word] as number);",
        "return m[layout.residentBase + word] as number;",
      ),
    ],
    scenarios: ["release-trim-empty", "release-trim-again"],
  },
  {
    name: "release-beyond-end",
    breaks: "One slab more than is held is released.",
    edits: [
      change(
        RELEASE,
        "(payloadOffset + end * slabSize) / pageBytes",
        "(payloadOffset + (end + 1) * slabSize) / pageBytes",
      ),
    ],
    scenarios: ["release-neighbours", "release-batches"],
  },
  {
    name: "release-page-too-low",
    breaks: "A page that begins in a neighbour's slab is released with it.",
    edits: [
      change(
        RELEASE,
        "const from = alignUp(payloadOffset + first * slabSize, pageBytes);",
        "const from = Math.floor((payloadOffset + first * slabSize) / pageBytes) * pageBytes;",
      ),
    ],
    scenarios: ["release-large-page-used", "release-large-pages"],
  },
  {
    name: "release-page-too-high",
    breaks: "The same with a page that ends in one.",
    edits: [
      change(
        RELEASE,
        "const to = Math.floor((payloadOffset + end * slabSize) / pageBytes) * pageBytes;",
        "const to = alignUp(payloadOffset + end * slabSize, pageBytes);",
      ),
    ],
    scenarios: ["release-large-page-used", "release-large-pages"],
  },
  {
    name: "release-part-counts-as-whole",
    breaks: "A slab of which a part was released counts as having no pages.",
    edits: [change(RELEASE, WHOLLY, "if (released) {")],
    scenarios: ["release-large-page-used", "release-large-pages"],
  },
  {
    name: "release-refused-cleared",
    breaks: "The resident bit goes off although the system refused: those pages never go back.",
    edits: [
      change(RELEASE, "const released = bytes > (to - from) * MOSTLY;", "const released = bytes !== 0;"),
    ],
    scenarios: ["release-refused", "release-refused-thrown"],
  },
  {
    name: "release-error-thrown",
    breaks: "The releaser's error leaves slabs held by nobody who would give them back.",
    edits: [change(RELEASE, "  } catch {\n    return -1;\n  }", "  } finally {\n    // Thrown on.\n  }")],
    scenarios: ["release-refused-thrown"],
  },
  {
    name: "release-cleared-before-call",
    breaks:
      "The resident bit goes off before the pages do: a thread that dies in between leaves pages that nobody releases.",
    edits: [
      drop(RELEASE, CLEAR),
      change(
        RELEASE,
        CALL,
        `    for (let slab = first; slab < end; slab++) clearResident(m, layout, slab);\n${CALL}`,
      ),
    ],
    scenarios: ["release-death", "release-trim-two"],
  },
  {
    name: "release-cleared-after-free",
    breaks: "The resident bit goes off after the slab is FREE: it wipes out the bit of whoever has taken it.",
    edits: [
      drop(RELEASE, CLEAR),
      change(
        RELEASE,
        GIVE_BACK,
        `    giveBack(a, slab);\n    if (released && slab >= firstWhole && slab < endWhole) clearResident(m, layout, slab);\n  }\n  return bytes >= 0;`,
      ),
    ],
    scenarios: ["release-trim-claim"],
  },
  {
    name: "release-never-cleared",
    breaks: "The resident bit stays on: the same pages are released again and again.",
    edits: [drop(RELEASE, CLEAR)],
    scenarios: ["release-trim-two"],
  },
  {
    name: "release-never-freed",
    breaks: "Released slabs are not given back.",
    edits: [change(RELEASE, GIVE_BACK, "  }\n  return bytes >= 0;")],
    scenarios: ["release-trim-two"],
  },
  {
    name: "release-cleared-by-store",
    breaks: "The resident bit goes off by load and store: a neighbour's that goes on in between is lost.",
    edits: [
      change(
        MAP,
        "  andSeq(m, layout.residentBase + (slab >> 5), ~(1 << (slab & 31)));",
        "  const word = layout.residentBase + (slab >> 5);\n  m[word] = (m[word] as number) & ~(1 << (slab & 31));",
      ),
    ],
    scenarios: ["release-neighbours"],
  },
  {
    name: "resident-set-by-store",
    breaks: "The resident bit goes on by load and store: a neighbour's that changes in between is undone.",
    edits: [
      change(
        MAP,
        "  orSeq(m, layout.residentBase + (slab >> 5), 1 << (slab & 31));",
        "  const word = layout.residentBase + (slab >> 5);\n  m[word] = (m[word] as number) | (1 << (slab & 31));",
      ),
    ],
    scenarios: ["release-neighbours", "release-books"],
  },
  {
    name: "resident-not-set",
    breaks: "A claim does not mark its slab: pages written to never go back.",
    edits: [
      drop(
        USE,
        "    if (setResident(m, layout, slab) && (!unused || layout.prefault)) {\n      released++;\n    } else ",
      ),
      drop(USE, "  if (released > 0) tellReuse(a, first + slabs - released, released, shard);\n"),
    ],
    scenarios: ["release-late-look"],
  },
  {
    name: "resident-first-use-only",
    breaks: "Only slabs never used before are marked: those released once never go back again.",
    edits: [
      change(
        USE,
        "if (setResident(m, layout, slab) && (!unused || layout.prefault)) {",
        "if (unused && setResident(m, layout, slab)) {",
      ),
    ],
    scenarios: ["release-late-look"],
  },
  {
    name: "resident-tails-not-set",
    breaks: "A run marks its head only.",
    edits: [change(RUN, USE_RUN, "  const fresh = useSlabs(a, head, 1, shard);\n")],
    scenarios: ["release-run-two"],
  },
  {
    name: "resident-set-after-owned",
    breaks:
      "A slab is marked after it is OWNED: whoever adopts it from a thread that died in between writes to unmarked pages.",
    edits: [
      drop(SLAB, USE_SLAB),
      change(
        SLAB,
        "  m[bin + BIN_CURRENT] = record;\n  countChange",
        `  m[bin + BIN_CURRENT] = record;\n${USE_SLAB}  countChange`,
      ),
    ],
    scenarios: ["release-death-claim"],
  },
  {
    name: "resident-set-after-object",
    breaks:
      "A run is marked after its object exists: a thread that dies in between leaves an object on unmarked pages.",
    edits: [
      drop(RUN, USE_RUN),
      change(RUN, "  m[slotWord] = word + SLOT_ALLOC;\n", `  m[slotWord] = word + SLOT_ALLOC;\n${USE_RUN}`),
    ],
    scenarios: ["release-death-run"],
  },
  {
    name: "reuse-untold",
    breaks: "A system that keeps books is not told of the last slabs of a run that are used again.",
    edits: [drop(USE, "  if (released > 0) tellReuse(a, first + slabs - released, released, shard);\n")],
    scenarios: ["release-books"],
  },
  {
    name: "release-dead-not-reaped",
    breaks: "A reaper leaves slabs RELEASING: they are nobody's.",
    edits: [change(REAP, "} else if (state === TAG_RELEASING) {", "} else if (state > TAG_RELEASING) {")],
    scenarios: ["release-death"],
  },
  {
    name: "release-reaped-alive",
    breaks: "A reaper frees all slabs that are RELEASING, whoever holds them.",
    edits: [
      change(
        REAP,
        "if (state === TAG_FREE || state === TAG_TAIL || tagOwner(tag) !== seat) continue;",
        "if (state === TAG_FREE || state === TAG_TAIL || (tagOwner(tag) !== seat && state !== TAG_RELEASING)) continue;",
      ),
    ],
    scenarios: ["release-death-alive"],
  },
  {
    name: "release-hint-cleared",
    breaks:
      "Whoever takes a slab for release clears its hint, as a claimer would: nobody finds it afterwards.",
    edits: [
      change(
        RELEASE,
        "  // What led here may be older",
        "  clearFree(m, a.layout, slab);\n  // What led here may be older",
      ),
      change(
        RELEASE,
        'import { epochShard } from "./slab.js";',
        'import { clearFree } from "./free-map.js";\nimport { epochShard } from "./slab.js";',
      ),
    ],
    scenarios: ["release-trim-two"],
  },
  {
    name: "release-room-not-awaited",
    breaks: "An alloc does not wait for slabs that are being released: the heap looks full.",
    edits: [drop(ALLOC, WAIT)],
    scenarios: ["release-room", "release-room-run"],
  },
  {
    name: "release-room-not-searched",
    breaks: "It waits, and does not look again.",
    edits: [change(ALLOC, `${WAIT}    found = attempt(a, bin, era, slabs);\n`, WAIT)],
    scenarios: ["release-room"],
  },
  {
    name: "release-room-once",
    breaks: "A thread that has found the heap full does not wait for what is released since.",
    edits: [
      change(
        ALLOC,
        "round < RELEASE_ROUNDS && a.stuckPhase",
        "round < RELEASE_ROUNDS && Number.isNaN(a.exhaustedPhase) && a.stuckPhase",
      ),
    ],
    scenarios: ["release-room-full", "release-room"],
  },
  {
    name: "release-room-unasked",
    breaks:
      "Releasers are not told that somebody waits, and it waits once only: another slab of the run is being released by then.",
    edits: [
      drop(ALLOC, "    addSeq(m, WANTED, 1);\n"),
      change(ALLOC, "const RELEASE_ROUNDS = 4;", "const RELEASE_ROUNDS = 1;"),
    ],
    scenarios: ["release-room-run"],
    preemptions: 3,
  },
  {
    name: "release-after-leaving",
    breaks:
      "Whoever leaves releases after it has given its seat back: the seat's next holder stands for its slabs.",
    edits: [
      drop(
        "seats/seat.ts",
        "  // While the seat is still ours: whoever reaps it would give back what we hold.\n  releaseGivenBack(a, newReleaseTally(), Number.POSITIVE_INFINITY);\n  a.detached = true;\n",
      ),
      change(
        "seats/seat.ts",
        "  storeSeq(m, a.seatBase + SEAT_WORD, packSeat(a.incarnation, 0, SEAT_FREE));\n}\n\nfunction giveUp",
        "  storeSeq(m, a.seatBase + SEAT_WORD, packSeat(a.incarnation, 0, SEAT_FREE));\n  releaseGivenBack(a, newReleaseTally(), Number.POSITIVE_INFINITY);\n  a.detached = true;\n}\n\nfunction giveUp",
      ),
    ],
    scenarios: ["release-detach-attach", "release-death-detach"],
  },
  {
    name: "release-failure-uncounted",
    breaks: "Calls that the system refuses do not count.",
    edits: [drop(RELEASE, "  count(a.m, shard + C_MADVISE_FAILURES, 1);\n")],
    scenarios: ["release-refused"],
  },
  {
    name: "release-counted-per-batch",
    breaks: "The bytes of a call count once for every slab of it.",
    edits: [change(RELEASE, "    rest -= share;\n", "    rest -= 0;\n")],
    scenarios: ["release-trim-two"],
  },
  {
    name: "release-refused-retried",
    breaks: "A close tries again at once what the system has refused.",
    edits: [
      change(
        RELEASE,
        "return a.releaseRetryMs === 0 || performance.now() >= a.releaseRetryAtMs;",
        "return !a.detached;",
      ),
    ],
    scenarios: ["release-refused-thrown"],
  },
  {
    name: "trim-pressure-after-phase",
    breaks: "A trim bumps PRESSURE after PHASE: who syncs between the two never gives its empty slabs back.",
    edits: [swap("heap/trim.ts", "  addSeq(a.m, PRESSURE, 1);", "  addSeq(a.m, PHASE, 1);")],
    scenarios: ["release-trim-empty"],
  },
];
