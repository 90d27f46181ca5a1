/** Damage that is known not to be noticed, or to be answered badly. */
import type { Stage } from "./buffer-case.js";
import type { Violation, ViolationKind } from "./outcome.js";

interface Known {
  readonly region: RegExp;
  readonly kind: ViolationKind;
  readonly message?: RegExp;
  readonly why: string;
}

/** No check can tell: for good. */
const IMPOSSIBLE: readonly Known[] = [];

/** Defects. Delete an entry when it is fixed. */
const KNOWN: readonly Known[] = [];

/** Damage that makes a call hang: such cases stop before the calls, or before verify() where that hangs. */
const HANGS: readonly { readonly region: RegExp; readonly where: Stage; readonly why: string }[] = [
  { region: /^(slab\.(CARVED|OWN_NEXT|OWN_PREV|PARTIAL_NEXT|TAG)|bin\.(PARTIAL|CURRENT)|seat\.OWN|CLASS_SLOTS)$/, where: "calls after the report", why: "tmp"},
  { region: /^(CLASS_SLOTS)$/, where: "verify", why: "tmp"},
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
