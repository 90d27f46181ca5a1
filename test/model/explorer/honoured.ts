/** What a seat would have to have honoured to be up to date, and has not. */
import type { Attachment } from "../../../src/allocator/memory/attachment.js";
import { DEEP, DOOMS, PRESSURE, REC_BASE } from "../../../src/allocator/memory/layout.js";

/** Names of the words whose value the seat has not seen; `a.m` is as everybody sees it. */
export function notHonoured(a: Attachment): string[] {
  const { m } = a;
  return [
    a.deepSeen !== m[DEEP] && "DEEP",
    a.doomsSeen !== m[DOOMS] && "DOOMS",
    a.pressureSeen !== m[PRESSURE] && "PRESSURE",
    [0, 1].some((ring) => a.rec[ring] !== m[REC_BASE + ring]) && "an epoch record",
  ].filter((what) => what !== false);
}
