/** Arguments that are known to be answered badly. Defects: delete an entry when it is fixed. */
import type { Violation, ViolationKind } from "./outcome.js";

const KNOWN: readonly {
  readonly target: RegExp;
  readonly kind: ViolationKind;
  readonly message: RegExp;
  readonly why: string;
}[] = [];

export function isKnownOption(target: string, violation: Violation): boolean {
  return KNOWN.some(
    (known) =>
      known.kind === violation.kind && known.target.test(target) && known.message.test(violation.message),
  );
}
