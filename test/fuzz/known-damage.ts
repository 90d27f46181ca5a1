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
    why: "an older era of the same ring slot, as a slab may well be of",
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
    region: /^DOOMS$/,
    kind: "late",
    message: /was discarded, but .* has not given it back/,
    why: "as above",
  },
  {
    region: /^slab\.DOOM$/,
    kind: "wrong",
    message: /^stale|isLive is false|is false|names no live object|verify counts/,
    why: "a discard of an old era stands nowhere else until the slab's owner has honoured it",
  },
  {
    region: /^seat\.WORD$/,
    kind: "wrong",
    message: /^reap of seat/,
    why: "which incarnation of a seat died stands in its word alone if it owned no slab",
  },
];

/** Defects: delete an entry when it is fixed. */
const KNOWN: readonly Known[] = [];

/** Damage that makes a call hang, all defects: such cases stop before the calls, or before verify() where that hangs. */
const HANGS: readonly { readonly region: RegExp; readonly where: Stage; readonly why: string }[] = [];

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
