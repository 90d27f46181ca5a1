/** Damage that is known not to be noticed, or to be answered badly. Every entry lets less be found: keep them narrow. */
import type { Stage } from "./buffer-case.js";
import type { Violation, ViolationKind } from "./outcome.js";

interface Known {
  readonly region: RegExp;
  readonly kind: ViolationKind;
  readonly message?: RegExp;
  readonly why: string;
}

/** No check can tell. */
const IMPOSSIBLE: readonly Known[] = [
  {
    region: /^slot$/,
    kind: "wrong",
    message: /isLive is false|is false|names no live object|^stale|verify counts/,
    why: "the generation of a live object stands nowhere but in its slot word and in its users' handles",
  },
  {
    region: /^slot$/,
    kind: "wrong",
    message: /memory was lost/,
    why: "a slot of a slab that was never used, which is not read, made to look retired: the slab can head no run",
  },
  {
    region: /^slot$/,
    kind: "late",
    why: "slots of a slab that was never used, and those beyond its class's, are not read: it would touch their pages",
  },
  {
    region: /^slab\.ERA$/,
    kind: "wrong",
    message: /epochOf says/,
    why: "an older era of the same ring slot, as a slab may well be of (see KNOWN for what is none)",
  },
  {
    region: /^REC$/,
    kind: "wrong",
    message: /isLive is false|is false|names no live object|verify counts/,
    why: "CLOSING made DISCARD is a discard, which seats have not honoured yet",
  },
  {
    region: /^(RETAINS|REFS)$/,
    kind: "wrong",
    message: /newest era/,
    why: "references belong to nobody, and who wants an epoch closed with the last one out is known to that thread alone",
  },
  {
    region: /^slab\.TAG$/,
    kind: "wrong",
    message: /bytes: now/,
    why: "the class of an orphaned slab stands in its tag alone: what else its dead owner wrote may be half-done",
  },
  {
    region: /^(DOOMS|PHASE|DEEP)$/,
    kind: "wrong",
    message: /verify counts|memory was lost|^stale/,
    why: "set back to what a seat has seen, a change word takes back an announcement that is still on its way",
  },
  {
    region: /^seat\.WORD$/,
    kind: "wrong",
    message: /^reap of seat/,
    why: "which incarnation of a seat died stands in its word alone if it owned no slab",
  },
];

/** Defects: delete an entry when it is fixed. */
const KNOWN: readonly Known[] = [
  {
    region: /./,
    kind: "foreign",
    message: /RangeError: (Invalid typed array length|Start offset).* < _?SlabHeap\.view /,
    why: "view() takes place and size of an object from the buffer: an engine's RangeError (CLASS_SIZE, slab.RUN, ...)",
  },
  {
    region: /^CLASS_SLOTS$/,
    kind: "foreign",
    message: /atomic access index/,
    why: "adopting reads as many slots as the buffer says",
  },
  {
    region: /^slab\.TAG$/,
    kind: "foreign",
    message: /atomic access index/,
    why: "countRemoteFreed looks into the pending words of a seat that does not exist",
  },
  {
    region: /^seat\.(EPOCH|ERA)$/,
    kind: "wrong",
    why: "verify() does not compare a seat's era with the ring",
  },
  {
    region: /^REFS$/,
    kind: "wrong",
    message: /alloc/,
    why: "verify() takes a CLOSED bit although the record is ACTIVE: whoever enters next closes the epoch",
  },
  {
    region: /^seat\.SREF$/,
    kind: "wrong",
    message: /alloc|newest era/,
    why: "verify() takes a membership in an era that never was, or none where SEAT_DEPTH says the seat is inside: the epoch closes early",
  },
  {
    region: /^slab\.ERA$/,
    kind: "wrong",
    why: "verify() takes any era of the right ring slot, also those that never were",
  },
  {
    region: /^slab\.DOOM$/,
    kind: "wrong",
    why: "verify() takes any doom, also of eras that never were, and of a slab whose owner should have wiped it",
  },
  {
    region: /^slab\.DOOM$/,
    kind: "late",
    message: /is not an era/,
    why: "the doom of a FREE slab is not checked, and is kept by its next user",
  },
  {
    region: /^seat\.(COMMIT|CHANGE)_RECORD$/,
    kind: "foreign",
    message: /finish|atomic access index/,
    why: "as below",
  },
  {
    region: /^seat\.(COMMIT|CHANGE)_RECORD$/,
    kind: "late",
    why: "reaping a seat completes whatever its note says, wherever that points: the header's slab count becomes 0",
  },
  {
    region: /^bin\.PARTIAL$/,
    kind: "late",
    why: "the partial list of the bin of large objects is not checked, and clearPartials writes through it",
  },
  {
    region: /^free map$/,
    kind: "wrong",
    why: "a bit beyond the last slab is claimed as a slab: metadata behind the records becomes one, payload is left",
  },
  {
    region: /^free map$/,
    kind: "late",
    why: "as above",
  },
  {
    region: /^seat\.WORD$/,
    kind: "wrong",
    message: /memory was lost/,
    why: "detach() of a seat whose word was changed returns as if it had given its slabs up",
  },
];

/** Damage that makes a call hang, all defects: such cases stop before the calls, or before verify() where that hangs. */
const HANGS: readonly { readonly region: RegExp; readonly where: Stage; readonly why: string }[] = [
  {
    region: /^(CLASS_SLOTS|slab\.(OWN_NEXT|CARVED)|seat\.OWN)$/,
    where: "verify",
    why: "poll adopts or drains before anything is checked: circles in own lists, 2^31 slots or carved ones",
  },
  {
    region: /^bin\.PARTIAL$/,
    where: "calls",
    why: "the bin of large objects is not checked: clearPartials goes round in what it has overwritten",
  },
  {
    region: /^epoch table$/,
    where: "calls",
    why: "an opening time of 1970 makes the close count 55 years of nanoseconds, 2^30 at a time: 25 seconds",
  },
  {
    region: /^slab\.BIN$/,
    where: "calls",
    why: "the bin of a full slab is not checked: removeFromBin searches it for good",
  },
  {
    region: /^(slab\.(HEAD|OWN_PREV|PARTIAL_NEXT|BIN|TAG)|bin\.(PARTIAL|CURRENT)|link)$/,
    where: "calls after the report",
    why: "circles in lists, lists that do not hold what removeFromBin looks for, 2^31 carved slots, objects in metadata",
  },
];

export function isKnown(region: string, violation: Violation): boolean {
  return [...IMPOSSIBLE, ...KNOWN].some(
    (known) =>
      known.kind === violation.kind &&
      known.region.test(region) &&
      (known.message === undefined || known.message.test(violation.message)),
  );
}

export function knownHang(region: string, where: Stage): boolean {
  return HANGS.some((known) => known.where === where && known.region.test(region));
}
