/** The doctor's first section: epochs somebody is still inside, and objects that outlived their epoch. */

import { toNumber } from "../document/count.js";
import type { EpochStats, StatsDocument } from "../document/document.js";
import type { Finding } from "./findings.js";
import { type LeakCandidate, leakCandidates } from "./leaks.js";
import { isOurs } from "./source.js";
import { ageText, bytesText, epochText, plural, printable, sum, timesText } from "./text.js";

export interface EpochExam {
  /** Candidates of `detectEpochLeaks`: one per era and class. */
  readonly leaks: number;
  readonly findings: readonly Finding[];
}

/** Findings in the order of the bytes they hold; candidates of one era are one finding. */
export function examineEpochs(document: StatsDocument, thresholdSec: number): EpochExam {
  const candidates = leakCandidates(document, thresholdSec);
  const byEra = new Map<string, LeakCandidate[]>();
  for (const candidate of candidates) {
    const key = `${candidate.epoch_id}/${candidate.epoch_era}`;
    byEra.set(key, [...(byEra.get(key) ?? []), candidate]);
  }
  const leaks = [...byEra.values()].map((rows) => describeLeak(document, rows));
  leaks.sort((a, b) => Number(b.data.estimated_rss_bytes) - Number(a.data.estimated_rss_bytes));
  const open = document.epochs.filter(
    (epoch) => epoch.state === "ACTIVE" && epoch.refcount > 0 && epoch.age_sec >= thresholdSec,
  );
  return { leaks: candidates.length, findings: [...leaks, ...open.map(describeOpen)] };
}

function describeLeak(document: StatsDocument, rows: readonly LeakCandidate[]): Finding {
  const first = rows[0] as LeakCandidate;
  return first.kind === "domain" ? domainLeak(first, rows) : objectLeak(document, first, rows);
}

/** "epoch 12 (background-worker-3) open 10 min, refcount=2: entered twice, never exited". */
function stillInside(epoch: Pick<EpochStats, "epoch_id" | "label" | "age_sec" | "refcount">): string {
  const { epoch_id, label, age_sec, refcount } = epoch;
  return `${epochText(epoch_id, label)} open ${ageText(age_sec)}, refcount=${refcount}: entered ${timesText(refcount)}, never exited`;
}

const nameOf = (label: string, id: number): string =>
  label === "" ? `epoch ${id}` : `"${printable(label)}"`;

function domainLeak(first: LeakCandidate, rows: readonly LeakCandidate[]): Finding {
  const { slabs, bytes, objects } = held(rows);
  const holds =
    slabs === 0 ? "It holds no slab yet." : `It holds ${plural(slabs, "slab")} (${bytesText(bytes)}).`;
  return {
    section: 1,
    code: "domain-leak",
    severity: "critical",
    origin: "application",
    message: `${stillInside(first)}. Application bug. ${holds}`,
    action: `find where ${nameOf(first.label, first.epoch_id)} is entered or retained, and leave it on every path (finally, using)`,
    data: {
      ...place(first),
      refcount: first.refcount,
      live_objects: objects,
      slabs,
      estimated_rss_bytes: bytes,
    },
  };
}

function objectLeak(document: StatsDocument, first: LeakCandidate, rows: readonly LeakCandidate[]): Finding {
  const { slabs, bytes, objects } = held(rows);
  const { epoch_id, epoch_era, label } = first;
  const slot = document.epochs.find((epoch) => epoch.epoch_id === epoch_id);
  const isOld = slot !== undefined && slot.epoch_era !== epoch_era;
  const named = epochText(epoch_id, label);
  const name = isOld ? `${named} of era ${epoch_era} (its ring slot was reused)` : named;
  const age = `${isOld ? "at least " : ""}${ageText(first.age_sec)}`;
  const atLeast = isOurs(document) ? "" : "at least ";
  // The C allocator's documents may not say which class it is.
  const sizes = rows
    .filter((row) => row.class_index >= 0 || isOurs(document))
    .map((row) => `${row.live_objects} ${row.class_index < 0 ? "large" : `of ${row.object_size} B`}`);
  const bySize = sizes.length === 0 ? "" : ` (${sizes.join(", ")})`;
  const orphans = sum(document.classes, (row) => toNumber(row.orphaned_live_objects));
  const lost =
    orphans > 0
      ? ` Threads that ended left ${plural(orphans, "object")} behind so far: look there first.`
      : "";
  return {
    section: 1,
    code: "object-leak",
    severity: "critical",
    origin: "application",
    message: `${name} opened ${age} ago and closed, nobody inside, but ${atLeast}${plural(objects, "object")} still live${bySize}: never freed. Application bug. It holds ${plural(slabs, "slab")} (${bytesText(bytes)}).${lost}`,
    action: isOurs(document)
      ? `free these objects, keep what has to live longer in an epoch of its own, or drop them all with discardEpoch({ id: ${epoch_id}, era: ${epoch_era} })`
      : "free these objects, or keep what has to live longer in an epoch of its own",
    data: { ...place(first), live_objects: objects, slabs, estimated_rss_bytes: bytes },
  };
}

/** An epoch that is open may have somebody inside for good reason: said, but not counted as a leak. */
function describeOpen(epoch: EpochStats): Finding {
  return {
    section: 1,
    code: "domain-open",
    severity: "warning",
    origin: "application",
    message: `${stillInside(epoch)}. Application bug, unless that work is still running: the epoch is the open one.`,
    action: `check that ${nameOf(epoch.label, epoch.epoch_id)} ends; if it is meant to run that long, raise the threshold`,
    data: {
      epoch_id: epoch.epoch_id,
      epoch_era: epoch.epoch_era,
      label: epoch.label,
      age_sec: epoch.age_sec,
      refcount: epoch.refcount,
      estimated_rss_bytes: toNumber(epoch.estimated_rss_bytes),
    },
  };
}

function place(row: LeakCandidate): Record<string, number | string> {
  return { epoch_id: row.epoch_id, epoch_era: row.epoch_era, label: row.label, age_sec: row.age_sec };
}

function held(rows: readonly LeakCandidate[]): { slabs: number; bytes: number; objects: number } {
  return {
    slabs: sum(rows, (row) => row.partial_slab_count + row.full_slab_count),
    bytes: sum(rows, (row) => row.estimated_rss_bytes),
    objects: sum(rows, (row) => row.live_objects),
  };
}

/** The facts the section opens with; `clean`: nothing was found. */
export function epochsInWords(document: StatsDocument, thresholdSec: number, clean: boolean): string {
  const counts = `${plural(document.active_epoch_count, "epoch")} open, ${document.closing_epoch_count} closed.`;
  if (!clean) return counts;
  const checked = isOurs(document) ? "nobody inside, no live objects" : "nobody inside";
  return `${counts} No leaks: ${checked} in closed epochs of ${ageText(thresholdSec)} or more.`;
}
