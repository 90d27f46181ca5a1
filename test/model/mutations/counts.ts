/** Mutations of what is counted and named: slab counts, folds, epoch facts, labels. */
import { change, drop, type Mutation, swap } from "./mutation.js";

const COUNTS = "counters/slab-counts.ts";
const ADOPT = "slabs/adopt.ts";
const LABEL = "words/label.ts";

const CHANGES = "counters/slab-changes.ts";
const NOTE_CHANGE = "  m[seatBase + SEAT_CHANGE_RECORD] = slabs > 0 ? record : -record;";
const COMMIT_FOLDED = "  m[record + SLAB_FOLDED] = counts - ended;";
const COMMIT_WORDS = `${COMMIT_FOLDED}\n  // Atomic: both are seen before the counters, on processors that reorder stores too.\n  storeSeq(m, record + SLAB_COUNTS, counts - ended);\n`;
const COMMIT_COUNTERS =
  "  count(m, shard + C_ALLOCS, allocs);\n  count(m, shard + C_LOCAL_FREES, frees);\n  if (cell !== 0) count(m, shard + cell, ended);\n";
const COMMIT_NOTE = "  m[seatBase + SEAT_COMMIT_RECORD] = record;\n";
const NOTE_DONE = "  m[seatBase + SEAT_COMMIT_RECORD] = 0;\n}";

export const COUNT_MUTATIONS: readonly Mutation[] = [
  {
    name: "commit-counters-first",
    breaks: "A fold adds to the counters before it takes from the slab: a reader in between counts twice.",
    edits: [swap(COUNTS, COMMIT_WORDS, COMMIT_COUNTERS, "")],
    scenarios: ["fold-read"],
  },
  {
    name: "commit-without-note",
    breaks: "A fold leaves no note: a death in it loses what it was moving.",
    edits: [drop(COUNTS, COMMIT_NOTE)],
    scenarios: ["fold-death", "commit-death"],
  },
  {
    name: "commit-note-first",
    breaks:
      "The note is valid before it is complete: a reaper completes a fold with the values of an earlier one.",
    edits: [
      drop(COUNTS, COMMIT_NOTE),
      change(
        COUNTS,
        "  m[seatBase + SEAT_COMMIT_SHARD] = shard;\n",
        `${COMMIT_NOTE}  m[seatBase + SEAT_COMMIT_SHARD] = shard;\n`,
      ),
    ],
    scenarios: ["fold-death", "commit-death", "commit-discard-death"],
  },
  {
    name: "commit-note-late",
    breaks: "The note is made after the slab's words have changed: a death in between loses what they said.",
    edits: [
      drop(COUNTS, COMMIT_NOTE),
      change(
        COUNTS,
        "  count(m, shard + C_ALLOCS, allocs);\n",
        `${COMMIT_NOTE}  count(m, shard + C_ALLOCS, allocs);\n`,
      ),
    ],
    scenarios: ["fold-death", "commit-death"],
  },
  {
    name: "commit-note-stays",
    breaks: "The note is not withdrawn: the reaper of a later death takes the slab's counts back to it.",
    edits: [
      change(
        COUNTS,
        `  if (cell !== 0) count(m, shard + cell, ended);\n${NOTE_DONE}`,
        "  if (cell !== 0) count(m, shard + cell, ended);\n}",
      ),
    ],
    scenarios: ["commit-old-note"],
  },
  {
    name: "finish-forgets-note-first",
    breaks: "The reaper withdraws the note before it has done what it says: should it die, nobody does.",
    edits: [
      change(
        COUNTS,
        "  if (record === 0) return;\n",
        "  if (record === 0) return;\n  m[seatBase + SEAT_COMMIT_RECORD] = 0;\n",
      ),
    ],
    scenarios: ["commit-reaper-death"],
  },
  {
    name: "reap-without-finish",
    breaks: "A reaper does not complete the fold its victim died in.",
    edits: [drop("seats/reap.ts", "  finishCommit(m, base);")],
    scenarios: ["fold-death", "commit-death"],
  },
  {
    name: "reap-without-fold",
    breaks: "A reaper does not fold the counts of the slabs it orphans.",
    edits: [drop("seats/reap.ts", "      foldCounts(m, base, record, shard);")],
    scenarios: ["death-free", "fold-death"],
    equivalent:
      "the slab keeps its counts, every reader adds what is not folded, and its next holder folds it: only the seat that is credited differs",
  },
  {
    name: "start-half",
    breaks:
      "A claimed slab starts at another count than the one it was folded at: allocations that never were.",
    edits: [drop(COUNTS, "  m[record + SLAB_FOLDED] = start;")],
    scenarios: ["hint-two-slabs", "alloc-close-advance", "hint-race"],
  },
  {
    name: "claim-starts-anew",
    breaks:
      "A claimed slab that was used before starts at another count: who reads meanwhile counts the step.",
    edits: [drop(COUNTS, "  if (isFolded && m[record + SLAB_OPENED_SEC] !== 0) return;")],
    scenarios: ["found-counts-started-anew"],
  },
  {
    name: "claim-does-not-start",
    breaks: "A slab starts its first life at 0 like all the others.",
    edits: [drop("slabs/slab.ts", "  startCounts(m, record, bin);")],
    scenarios: ["death-recycle", "death-claim", "hint-race"],
    equivalent: "the place to start at only spreads which allocations are sampled",
  },
  {
    name: "recycle-without-fold",
    breaks:
      "A slab is given back with counts that were not moved: its next owner starts anew and they are lost.",
    edits: [drop("slabs/slab.ts", "  foldCounts(m, a.seatBase, record, shard);")],
    scenarios: ["hint-two-slabs", "hint-race", "death-recycle"],
  },
  {
    name: "run-without-fold",
    breaks: "A run is given back with counts that were not moved.",
    edits: [drop("slabs/large-run.ts", "  foldCounts(m, a.seatBase, record, shard);")],
    scenarios: ["counts-exact"],
  },
  {
    name: "slot-before-count",
    breaks: "The slow alloc makes the slot ALLOC before it counts.",
    edits: [
      drop("heap/alloc.ts", "  m[record + SLAB_COUNTS] = counts;"),
      change(
        "heap/alloc.ts",
        "  if ((counts & FOLD_MASK) === 0)",
        "  m[record + SLAB_COUNTS] = counts;\n  if ((counts & FOLD_MASK) === 0)",
      ),
    ],
    scenarios: ["death-alloc", "fold-death", "death-free"],
    equivalent:
      "whoever adopts the slab counts an occupied slot that was not counted (countUnfinished, an excess below 0): one allocation in either case",
  },
  {
    name: "count-before-free",
    breaks:
      "The fast free counts before the slot is FREE: a death in between counts an allocation that never was.",
    edits: [
      change(
        "heap/fast-path.ts",
        "      m[at] = word + 3;\n      m[at + links] = head;\n",
        "      m[record + 16] = (m[record + 16] as number) - 1;\n      m[at] = word + 3;\n      m[record + 16] = (m[record + 16] as number) + 1;\n      m[at + links] = head;\n",
      ),
      change(
        "heap/fast-path.ts",
        "    m[at] = word + 3;\n    m[at + this._links] = head;\n",
        "    m[record + 16] = (m[record + 16] as number) - 1;\n    m[at] = word + 3;\n    m[record + 16] = (m[record + 16] as number) + 1;\n    m[at + this._links] = head;\n",
      ),
    ],
    scenarios: ["fold-death", "free-count-death"],
    mode: "sc",
  },
  {
    name: "adopt-without-counting",
    breaks: "An adopter does not count what the former owner did and died before counting.",
    edits: [drop(ADOPT, "  countUnfinished(a, record, tag, first, total);")],
    scenarios: ["death-free", "death-alloc", "commit-death"],
  },
  {
    name: "adopt-run-without-counting",
    breaks: "The same for a run.",
    edits: [drop(ADOPT, "  countUnfinished(a, record, tag, slot, 1);")],
    scenarios: ["run-death-claim", "run-death-again", "run-death-free"],
  },
  {
    name: "adopt-counts-late",
    breaks:
      "An adopter counts after it has taken slots back: what it took back itself is counted as the former owner's.",
    edits: [
      drop(ADOPT, "  countUnfinished(a, record, tag, first, total);"),
      change(
        ADOPT,
        "  endCollecting(a, record, tag, collected);\n  count(",
        "  countUnfinished(a, record, tag, first, total);\n  endCollecting(a, record, tag, collected);\n  count(",
      ),
    ],
    scenarios: ["death-owner", "orphan-adopt-two", "orphan-free"],
  },
  {
    name: "excess-never-collected",
    breaks: "What a dead owner had taken back and not counted is counted as its own frees.",
    edits: [
      change(
        ADOPT,
        "if (excess > 0 && m[record + SLAB_COLLECTING] === 1) {",
        "if (excess > 0 && a.detached) {",
      ),
    ],
    scenarios: ["collect-count-death"],
    mode: "tso",
  },
  {
    name: "collecting-not-noted",
    breaks: "An owner does not say that it is taking back: should it die, those frees count as its own.",
    edits: [change("slabs/remote-free.ts", "  m[record + SLAB_COLLECTING] = 1;\n  for", "  for")],
    scenarios: ["collect-count-death"],
    mode: "tso",
  },
  {
    name: "collecting-stays",
    breaks:
      "An owner never says that it is done taking back: should it die in a free of its own, that counts as another's.",
    edits: [change("slabs/remote-free.ts", "  m[record + SLAB_COLLECTING] = 0;\n}", "}")],
    scenarios: ["collect-count-death", "own-count-death"],
    mode: "tso",
  },
  {
    name: "excess-never-discarded",
    breaks: "What a dead owner had ended by a discard and not counted is counted as its own frees.",
    edits: [
      change(
        ADOPT,
        "} else if (excess > 0 && isDiscarded(a, record)) {",
        "} else if (excess > 0 && a.detached) {",
      ),
    ],
    scenarios: ["discard-count-death"],
    mode: "tso",
  },
  {
    name: "excess-below-zero",
    breaks: "An occupied slot that was never counted is counted as a free.",
    edits: [change(ADOPT, "const each = excess > 0 ? COUNT_FREE : COUNT_ALLOC;", "const each = COUNT_FREE;")],
    scenarios: ["death-alloc", "death-free", "fold-death"],
    equivalent:
      "allocs count before the slot is ALLOC and frees after it is FREE, so no death leaves more slots occupied than counted; in the other order it is caught: slot-before-count-unrepaired",
  },
  {
    name: "slot-before-count-unrepaired",
    breaks:
      "The slow alloc makes the slot ALLOC before it counts, and an adopter counts what is missing as a free.",
    edits: [
      change(ADOPT, "const each = excess > 0 ? COUNT_FREE : COUNT_ALLOC;", "const each = COUNT_FREE;"),
      drop("heap/alloc.ts", "  m[record + SLAB_COUNTS] = counts;"),
      change(
        "heap/alloc.ts",
        "  if ((counts & FOLD_MASK) === 0)",
        "  m[record + SLAB_COUNTS] = counts;\n  if ((counts & FOLD_MASK) === 0)",
      ),
    ],
    scenarios: ["death-alloc", "death-free"],
  },
  {
    name: "facts-of-older-era",
    breaks: "A slab of an older era takes the facts about the newer one over.",
    edits: [change("counters/epoch-facts.ts", "  return era >= held;", "  return true;")],
    scenarios: ["facts-older"],
  },
  {
    name: "label-read-torn",
    breaks: "A reader does not look whether the label changed while it read.",
    edits: [drop(LABEL, "    if (loadSeq(m, seqIndex(ring)) >>> COUNT_SHIFT !== count) continue;")],
    scenarios: ["label-three"],
    preemptions: 2,
  },
  {
    name: "label-written-in-place",
    breaks: "A label is written where readers read.",
    edits: [
      change(LABEL, "const base = bufferIndex(ring, count + 1);", "const base = bufferIndex(ring, count);"),
    ],
    scenarios: ["label-two", "label-wrap"],
  },
  {
    name: "label-two-writers",
    breaks: "A second writer does not stop while one is writing.",
    edits: [change(LABEL, "if ((seq & BUSY) !== 0) return false;\n  const count", "const count")],
    scenarios: ["label-two"],
  },
  {
    name: "label-of-any-era",
    breaks: "A label outlives its epoch: the next era of the ring slot has it.",
    edits: [change(LABEL, 'return labelEra === era ? label : "";', "return label;")],
    scenarios: ["label-older"],
  },
  {
    name: "label-stays-busy",
    breaks: "A reaper does not end the writing its victim died in: no label can be set any more.",
    edits: [drop(LABEL, "      casSeq(m, seqIndex(ring), seq, seq & (-1 << COUNT_SHIFT));")],
    scenarios: ["label-death-must"],
  },
  {
    name: "label-number-lost",
    breaks: "A reaper does not give back the number its victim was taking: numbers run out.",
    edits: [
      drop(LABEL, "    if (loadSeq(m, registryEntry(id)) === -seat) casSeq(m, registryEntry(id), -seat, 0);"),
    ],
    scenarios: ["label-death-must"],
  },
  {
    name: "change-without-note",
    breaks:
      "A slab is taken or given back without a note: a death before it is counted makes the sum of slabs in use wrong.",
    edits: [drop(CHANGES, NOTE_CHANGE)],
    scenarios: ["death-claim", "death-recycle"],
  },
  {
    name: "change-note-first",
    breaks: "The note is there before it is whole: a reaper brings the counts to those of an earlier change.",
    edits: [
      drop(CHANGES, NOTE_CHANGE),
      change(
        CHANGES,
        "  m[seatBase + SEAT_CHANGE_COMMITTED] = (m[seatBase + SEAT_COMMITTED] as number) + slabs;",
        `${NOTE_CHANGE}\n  m[seatBase + SEAT_CHANGE_COMMITTED] = (m[seatBase + SEAT_COMMITTED] as number) + slabs;`,
      ),
    ],
    scenarios: ["death-recycle", "death-claim", "run-death-again"],
    equivalent:
      "a note that is not whole yet is about a tag that has not changed: the reaper finds it as it was before and leaves the counts alone",
  },
  {
    name: "change-always-counts",
    breaks: "A reaper counts what is noted without looking whether the tag was changed.",
    edits: [change(CHANGES, "if (held === noted > 0) {", "if (noted !== 0) {")],
    scenarios: ["death-claim", "death-recycle"],
  },
  {
    name: "change-not-finished",
    breaks: "A reaper does not count the slab its victim had just taken or given back.",
    edits: [drop("seats/reap.ts", "  finishChange(m, seat, base);")],
    scenarios: ["death-claim", "death-recycle"],
  },
];
