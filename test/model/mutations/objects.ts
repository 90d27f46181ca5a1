/** Mutations of allocating and freeing objects: generations, remote frees, taking them back. */
import { change, drop, type Mutation } from "./mutation.js";

const REMOTE = "slabs/remote-free.ts";
const FAST = "heap/fast-path.ts";
const FREE = "heap/free.ts";

const TAG_AFTER_CAS = "  const tag = loadSeq(m, record + SLAB_TAG);\n  if (isHeld(tag)) {";
const SET_PENDING =
  "if (((m[pending + (slab >> 5)] as number) & bit) === 0) orSeq(m, pending + (slab >> 5), bit);";
const SWAP_PENDING = "let bits = exchangeSeq(a.m, pendingWord, 0);";

export const OBJECT_MUTATIONS: readonly Mutation[] = [
  {
    name: "fast-free-any-generation",
    breaks: "The fast free does not compare generations: a stale handle frees the slot's next object.",
    edits: [
      change(
        FAST,
        "(word & 268435459) /* FAST_FREE_MASK */ !== 1 ||\n        slot - (word + bias) * -16777216 /* NEGATIVE_UNIT */ !== handle",
        "(word & 268435459) /* FAST_FREE_MASK */ !== 1",
      ),
      change(
        FAST,
        "(word & 268435459) /* FAST_FREE_MASK */ !== 1 ||\n      slot - (word + this._bias) * -16777216 /* NEGATIVE_UNIT */ !== handle",
        "(word & 268435459) /* FAST_FREE_MASK */ !== 1",
      ),
    ],
    scenarios: ["stale-reuse", "stale-local"],
  },
  {
    name: "slow-free-any-generation",
    breaks: "The slow free does not compare generations: a stale handle frees the slot's next object.",
    edits: [
      change(
        FREE,
        "slotState(word) === SLOT_ALLOC && packHandle(slot, word, a.handleBias) === handle;",
        "slotState(word) === SLOT_ALLOC;",
      ),
    ],
    scenarios: ["stale-local", "stale-reuse"],
  },
  {
    name: "remote-free-reads-slot-again",
    breaks:
      "The remote free compares with the slot as it is now, not with the handle: it frees a later object.",
    edits: [
      change(
        FREE,
        "return freeRemoteMaybeTimed(a, slab, slotWord, word);",
        "return freeRemoteMaybeTimed(a, slab, slotWord, m[slotWord] as number);",
      ),
    ],
    scenarios: ["stale-reuse-race", "free-race-three"],
  },
  {
    name: "no-next-generation",
    breaks: "A freed slot keeps its generation: the old handle names the next object.",
    edits: [
      change("words/slot-word.ts", "(generation + 1) << 2;", "generation << 2;"),
      change(
        FAST,
        "m[at] = word + 3;\n      m[at + links] = head;",
        "m[at] = word - 1;\n      m[at + links] = head;",
      ),
      change(
        FAST,
        "m[at] = word + 3;\n    m[at + this._links] = head;",
        "m[at] = word - 1;\n    m[at + this._links] = head;",
      ),
    ],
    scenarios: ["free-race"],
  },
  {
    name: "generations-wrap",
    breaks:
      "After its last generation a slot begins again with the first: handles of long ago come back to life.",
    edits: [
      change(
        "words/slot-word.ts",
        "generation >= LAST_GENERATION ? (generation << 2) | SLOT_RETIRED : (generation + 1) << 2;",
        "generation >= LAST_GENERATION ? 0 : (generation + 1) << 2;",
      ),
    ],
    scenarios: ["generations-end"],
  },
  {
    name: "fast-free-without-phase",
    breaks: "The fast free does not look at PHASE: it frees what another thread has discarded before.",
    edits: [
      change(
        FAST,
        "!== me || m[64 /* PHASE */] !== m[phase]) {\n        return freeNamed(a, at, word);",
        "!== me) {\n        return freeNamed(a, at, word);",
      ),
      change(
        FAST,
        "!== this._me || m[64 /* PHASE */] !== m[this._phase]) {\n      return freeNamed(this._a, at, word);",
        "!== this._me) {\n      return freeNamed(this._a, at, word);",
      ),
    ],
    scenarios: ["discard-told"],
  },
  {
    name: "fast-alloc-without-phase",
    breaks: "The fast alloc does not look at PHASE: it allocates in an epoch that was closed before.",
    edits: [
      change(
        FAST,
        "m[64 /* PHASE */] !== m[phase] ||\n        (size | 0) !== size ||\n        (size - 1) >>> 0 >= 32768 /* FAST_SIZE_LIMIT */ ||\n        (epoch !== undefined && epoch !== m[epochWord])",
        "(size | 0) !== size ||\n        (size - 1) >>> 0 >= 32768 /* FAST_SIZE_LIMIT */ ||\n        (epoch !== undefined && epoch !== m[epochWord])",
      ),
      change(
        FAST,
        "m[64 /* PHASE */] !== m[this._phase] ||\n      (size | 0) !== size ||\n      (size - 1) >>> 0 >= 32768 /* FAST_SIZE_LIMIT */ ||\n      (epoch",
        "(size | 0) !== size ||\n      (size - 1) >>> 0 >= 32768 /* FAST_SIZE_LIMIT */ ||\n      (epoch",
      ),
    ],
    scenarios: ["close-told"],
  },
  {
    name: "free-ignores-discard",
    breaks: "A free of an object whose owner has not carried out the discard yet returns true.",
    edits: [change(FREE, "m[slotWord] !== word || isEraDiscarded(m, record)", "m[slotWord] !== word")],
    scenarios: ["discard-wrap-free", "discard-run"],
  },
  {
    name: "look-ignores-discard",
    breaks: "A handle looks live although its epoch was discarded, as long as the owner has not synced.",
    edits: [
      change(
        FREE,
        "slotWord === 0 || isEraDiscarded(a.m, recordAt(slabOfSlot(a, slotWord))) ? 0 : slotWord",
        "slotWord",
      ),
    ],
    scenarios: ["discard-look"],
  },
  {
    name: "remote-tag-before-slot",
    breaks:
      "The freer reads the tag before its slot CAS: the owner it tells may be dead or gone, and nobody looks.",
    edits: [
      change(REMOTE, TAG_AFTER_CAS, "  if (isHeld(tag)) {"),
      change(
        REMOTE,
        "  if (!casSeq(m, slotWord, word, word - SLOT_ALLOC + SLOT_REMOTE_FREED)) {",
        "  const tag = loadSeq(m, record + SLAB_TAG);\n  if (!casSeq(m, slotWord, word, word - SLOT_ALLOC + SLOT_REMOTE_FREED)) {",
      ),
    ],
    scenarios: ["orphan-adopt-two", "detach-free", "death-owner-two"],
  },
  {
    name: "remote-tag-plain",
    breaks: "The freer reads the tag plainly: that may be early, and then it tells a former owner.",
    edits: [
      change(REMOTE, TAG_AFTER_CAS, "  const tag = m[record + SLAB_TAG] as number;\n  if (isHeld(tag)) {"),
    ],
    scenarios: ["orphan-adopt-two", "detach-free", "orphan-free"],
    mode: "weak",
  },
  {
    name: "remote-slot-by-store",
    breaks: "A remote free stores instead of comparing: two frees of one object both end it.",
    edits: [
      change(
        REMOTE,
        "if (!casSeq(m, slotWord, word, word - SLOT_ALLOC + SLOT_REMOTE_FREED)) {",
        "if (loadSeq(m, slotWord) === word) Atomics.store(m, slotWord, word - SLOT_ALLOC + SLOT_REMOTE_FREED);\n  else {",
      ),
    ],
    scenarios: ["free-race", "free-race-three", "stale-reuse-race"],
  },
  {
    name: "remote-no-pending",
    breaks: "The freer tells nobody: the slot is never taken back.",
    edits: [change(REMOTE, SET_PENDING, "")],
    scenarios: ["remote-collect"],
  },
  {
    name: "remote-owner-only-owned",
    breaks: "The freer tells owners of small slabs only: a large object freed remotely is never taken back.",
    edits: [change(REMOTE, "  if (isHeld(tag)) {", "  if (isHeld(tag) && tagState(tag) !== TAG_LARGE) {")],
    scenarios: ["run-remote", "discard-run"],
  },
  {
    name: "pending-by-store",
    breaks:
      "The pending bit is set by load and store: another freer's bit, or the collector's swap, is undone.",
    edits: [
      change(
        REMOTE,
        SET_PENDING,
        "const told = loadSeq(m, pending + (slab >> 5));\n    if ((told & bit) === 0) Atomics.store(m, pending + (slab >> 5), told | bit);",
      ),
    ],
    scenarios: ["two-pending", "remote-collect"],
  },
  {
    name: "collect-clears-after-scan",
    breaks: "The pending word is cleared after the scan: a bit set meanwhile is lost.",
    edits: [
      change(REMOTE, SWAP_PENDING, "let bits = loadSeq(a.m, pendingWord);"),
      change(
        REMOTE,
        "if (isHeldBy(a.m[record + SLAB_TAG] as number, a.seat)) collected += collectSlab(a, record);\n  }",
        "if (isHeldBy(a.m[record + SLAB_TAG] as number, a.seat)) collected += collectSlab(a, record);\n  }\n  exchangeSeq(a.m, pendingWord, 0);",
      ),
    ],
    scenarios: ["two-pending", "remote-collect"],
  },
  {
    name: "collect-clears-by-store",
    breaks: "The pending word is read and then cleared by a store: a bit set between the two is lost.",
    edits: [
      change(
        REMOTE,
        SWAP_PENDING,
        "let bits = loadSeq(a.m, pendingWord);\n  Atomics.store(a.m, pendingWord, 0);",
      ),
    ],
    scenarios: ["two-pending", "remote-collect-two"],
  },
  {
    name: "collect-without-second-read",
    breaks:
      "Nothing keeps the scan behind the swap of the pending word: its plain reads may precede the freer's CAS.",
    edits: [drop(REMOTE, "loadSeq(a.m, pendingWord); // for its ordering alone: see the head of this file")],
    scenarios: ["collect-stale", "remote-collect-two"],
    mode: "weak",
  },
  {
    name: "collect-of-others",
    breaks: "A pending bit is believed without looking whose slab it is: it may be a former holder's.",
    edits: [
      change(
        REMOTE,
        "if (isHeldBy(a.m[record + SLAB_TAG] as number, a.seat)) collected += collectSlab(a, record);",
        "collected += collectSlab(a, record);",
      ),
    ],
    scenarios: ["reap-pending", "remote-recycle", "detach-free"],
  },
  {
    name: "collect-keeps-drained",
    breaks: "Taking the last object of a closed epoch back does not give its slab back.",
    edits: [
      change(
        REMOTE,
        "  else if (liveCount(m, record) === 0 && isDraining(a, record)) recycleSlab(a, record);\n  else if (wasFull && m[record + SLAB_HEAD] !== 0) noteRoom(a, record);\n  return collected;",
        "  else if (wasFull && m[record + SLAB_HEAD] !== 0) noteRoom(a, record);\n  return collected;",
      ),
    ],
    scenarios: ["close-close", "wrap-undrained", "death-remote-close"],
  },
  {
    name: "free-keeps-drained",
    breaks: "Freeing the last object of a closed epoch does not give its slab back.",
    edits: [
      change(
        REMOTE,
        "- COUNT_FREE;\n  if (liveCount(m, record) === 0 && isDraining(a, record)) recycleSlab(a, record);\n  else if (wasFull",
        "- COUNT_FREE;\n  if (wasFull",
      ),
    ],
    scenarios: ["close-wrap", "wrap-drains-late", "alloc-close-advance"],
  },
  {
    name: "take-back-plain",
    breaks:
      "The slot is read plainly before it is reused: the former holder may still be writing to the object.",
    edits: [change(REMOTE, "const word = loadSeq(m, slot);\n    if", "const word = seen;\n    if")],
    scenarios: ["remote-collect", "free-remote-race"],
    equivalent:
      "the load orders what the freer did to the object's bytes, which the machine does not hold; no word depends on it, as only the owner changes a REMOTE_FREED slot",
  },
  {
    name: "hint-before-free",
    breaks: "The hint is set before the tag says FREE.",
    edits: [
      change(
        "slabs/slab.ts",
        "  setFree(m, layout, slab);\n  a.exhaustedPhase = Number.NaN;",
        "  a.exhaustedPhase = Number.NaN;",
      ),
      change(
        "slabs/slab.ts",
        "  noteChange(m, a.seatBase, record, -1, shard + C_RECYCLED);",
        "  setFree(m, layout, slab);\n  noteChange(m, a.seatBase, record, -1, shard + C_RECYCLED);",
      ),
    ],
    scenarios: ["hint-lost", "hint-race", "hint-two-slabs"],
    equivalent:
      "a claimer that comes too early loses and leaves the hint, so it is there once the tag is FREE; nobody but the winner of a claim clears it",
  },
];
