/** The doctor's third section: memory that was given back, or was not, and why. */

import { toNumber } from "../document/count.js";
import type { StatsDocument } from "../document/document.js";
import type { Finding, FindingCode } from "./findings.js";
import {
  GOOD_COOPERATION_PCT,
  MIN_TELLING_BYTES,
  madviseTotals,
  type ReclamationHeuristic,
  type ReclamationHint,
  reclamationHeuristics,
} from "./reclamation-heuristics.js";
import { bytesText, plural, sum } from "./text.js";

/** `since`: the document reduced to the interval to be judged. */
export function examineReclamation(document: StatsDocument, since: StatsDocument): Finding[] {
  const hints = reclamationHeuristics(document).filter((hint) => hint.kind !== "cooperation" || isLow(hint));
  return [...failures(since), ...deadSeats(document), ...hints.map(describeHint)];
}

/** Where nothing is known of the bytes the percentage has to do. */
function isLow({ cooperation_pct: percent, bytes }: ReclamationHeuristic): boolean {
  return (percent ?? 100) < GOOD_COOPERATION_PCT && (bytes === 0 || bytes >= MIN_TELLING_BYTES);
}

function failures(since: StatsDocument): Finding[] {
  const { calls, failures: failed } = madviseTotals(since);
  if (failed === 0) return [];
  return [
    {
      section: 3,
      code: "madvise-failures",
      severity: "critical",
      origin: "kernel",
      message: `${failed} of ${plural(Math.max(calls, failed), "page-release call")} failed: the kernel or the page releaser refused. Not the application's bug.`,
      action: "check the page releaser on this platform, limits on locked memory, and kernel logs",
      data: { madvise_calls: calls, madvise_failures: failed },
    },
  ];
}

function deadSeats(document: StatsDocument): Finding[] {
  const dead = (document.workers ?? []).filter((w) => w.state === "SUSPECT" || w.state === "REAPING");
  if (dead.length === 0) return [];
  const seats = dead.map((w) => w.seat).join(", ");
  const slabs = sum(dead, (w) => w.owned_slabs);
  return [
    {
      section: 3,
      code: "dead-seat",
      severity: "warning",
      origin: "application",
      message: `seat ${seats} belongs to a thread believed dead: ${plural(slabs, "slab")} wait to be recovered.`,
      action: "let a living thread watch() its workers, or call reap(); if this stays, the reaper died too",
      data: { seats, slabs },
    },
  ];
}

interface Advice {
  readonly code: FindingCode;
  readonly severity: Finding["severity"];
  readonly origin: Finding["origin"];
  readonly action: string;
}

const ADVICE: Readonly<Record<ReclamationHint, Advice>> = {
  cooperation: {
    code: "low-cooperation",
    severity: "info",
    origin: "kernel",
    action: "watch resident memory over minutes before acting: the kernel takes pages when it wants to",
  },
  no_page_releaser: {
    code: "no-page-releaser",
    severity: "info",
    origin: "configuration",
    action:
      "if resident memory has to fall, pass a pageReleaser (temporal-slab/reclaim) when creating and attaching; with one, call trim() or see its releasePolicy",
  },
  warm_slabs: {
    code: "warm-slabs",
    severity: "info",
    origin: "configuration",
    action:
      "if resident memory has to fall, call trim() before a quiet phase, and give every thread a pageReleaser; its releasePolicy (onClose, reserveBytes, decayMs) says what stays",
  },
  pinned_slabs: {
    code: "pinned-slabs",
    severity: "warning",
    origin: "application",
    action: "keep objects that die together in one epoch, and long-lived ones in an epoch of their own",
  },
  open_epoch: { code: "open-epoch", severity: "info", origin: "allocator", action: "none needed" },
  owners_behind: {
    code: "owners-behind",
    severity: "info",
    origin: "application",
    action:
      "if this stays, these threads are blocked: let them return to their event loop, or call poll() there",
  },
  orphaned_slabs: {
    code: "orphaned-slabs",
    severity: "info",
    origin: "allocator",
    action: "none needed while any thread is attached and running",
  },
};

function describeHint(hint: ReclamationHeuristic): Finding {
  const { code, severity, origin, action } = ADVICE[hint.kind];
  const data: Record<string, number | string> = { bytes: hint.bytes };
  if (hint.cooperation_pct !== null) {
    data.epoch_id = hint.epoch_id;
    data.epoch_era = hint.epoch_era;
    data.cooperation_pct = hint.cooperation_pct;
  }
  return { section: 3, code, severity, origin, message: `${hint.verdict} [heuristic].`, action, data };
}

/** The facts the section opens with. */
export function reclamationInWords(document: StatsDocument): string {
  const slabs = toNumber(document.total_slabs_recycled) + toNumber(document.large?.slabs_recycled ?? 0);
  const { calls, bytes } = madviseTotals(document);
  const warm = toNumber(document.heap?.warm_bytes ?? 0);
  const stays = warm === 0 ? "" : ` ${bytesText(warm)} of free slabs may still be resident.`;
  return `${plural(slabs, "slab")} given back, ${bytesText(bytes)} of them released to the kernel in ${plural(calls, "call")}.${stays}`;
}
