/** Guesses about resident memory: what the kernel did with released pages, and why memory stays although objects were freed. */

import { usualReserveBytes } from "../../allocator/memory/release-config.js";
import { cooperationPct } from "../document/cooperation.js";
import { toNumber } from "../document/count.js";
import type { EraStats, StatsDocument } from "../document/document.js";
import { isClosed, isOurs } from "./source.js";
import { bytesText, epochText, percentOf, percentText, plural, sum } from "./text.js";

export type ReclamationHint =
  | "cooperation"
  | "no_page_releaser"
  | "warm_slabs"
  | "pinned_slabs"
  | "open_epoch"
  | "owners_behind"
  | "orphaned_slabs";

/** A guess, with the sentence that says what it rests on. */
export interface ReclamationHeuristic {
  readonly heuristic: true;
  readonly kind: ReclamationHint;
  /** -1 for heuristics about the heap as a whole. */
  readonly epoch_id: number;
  readonly epoch_era: number;
  readonly label: string;
  /** Drop of resident memory around a close over the bytes released meanwhile; null where it is not about that. */
  readonly cooperation_pct: number | null;
  /** Bytes the sentence is about. */
  readonly bytes: number;
  readonly verdict: string;
}

/** Cooperation of the kernel by epoch; for our own documents also what keeps memory from going back. */
export function reclamationHeuristics(document: StatsDocument): ReclamationHeuristic[] {
  const found = cooperation(document);
  if (!isOurs(document)) return found;
  return [
    ...found,
    ...[noReleaser, warmSlabs, pinned, openEpoch, ownersBehind, orphaned].flatMap(
      (ask) => ask(document) ?? [],
    ),
  ];
}

/** Page-release calls, those for runs of large objects included. */
export function madviseTotals(document: StatsDocument): { calls: number; bytes: number; failures: number } {
  // Whether the document's own totals include runs or not, nothing is counted twice or left out.
  const total = (name: "calls" | "bytes" | "failures"): number => {
    const classes = sum(document.classes, (row) => toNumber(row[`madvise_${name}`]));
    const large = toNumber(document.large?.[`madvise_${name}`] ?? 0);
    return Math.max(toNumber(document[`total_madvise_${name}`]), classes + large);
  };
  return { calls: total("calls"), bytes: total("bytes"), failures: total("failures") };
}

const WHOLE_HEAP = { heuristic: true, epoch_id: -1, epoch_era: 0, label: "", cooperation_pct: null } as const;

/** Below this share of what was released, resident memory did not follow. */
export const GOOD_COOPERATION_PCT = 50;

/** A close that released less says nothing of the kernel: what else the process does meanwhile moves memory as much. */
export const MIN_TELLING_BYTES = 1024 * 1024;

function cooperation(document: StatsDocument): ReclamationHeuristic[] {
  const found: ReclamationHeuristic[] = [];
  for (const epoch of document.epochs) {
    const released = toNumber(epoch.close_madvise_bytes);
    const before = toNumber(epoch.rss_before_close);
    const after = toNumber(epoch.rss_after_close);
    const percent = epoch.cooperation_pct ?? cooperationPct(before, after, released);
    if (percent === null) continue;
    // Documents from before this figure have the percentage alone.
    const facts = released === 0 ? "" : ` (${bytesText(released)} released)`;
    found.push({
      heuristic: true,
      kind: "cooperation",
      epoch_id: epoch.epoch_id,
      epoch_era: epoch.epoch_era,
      label: epoch.label,
      cooperation_pct: percent,
      bytes: released,
      verdict: `${epochText(epoch.epoch_id, epoch.label)}: resident memory ${cooperationVerdict(percent, released)}${facts}`,
    });
  }
  return found;
}

function cooperationVerdict(percent: number, released: number): string {
  if (released > 0 && released < MIN_TELLING_BYTES) {
    return `changed by ${percentText(-percent)} of what was released: too little was released to tell anything`;
  }
  if (percent < 0) return "grew all the same: something else in the process took more than was released";
  const share = percentText(percent);
  if (percent < GOOD_COOPERATION_PCT) {
    return `fell by only ${share} of what was released: the kernel may take the rest later, or other memory grew meanwhile`;
  }
  return percent <= 100
    ? `fell by ${share} of what was released: the kernel cooperates`
    : `fell by ${share} of what was released: other memory was freed at the same time`;
}

/** Warm slabs of a heap that does not mean to keep them all, and what is usual; undefined where nothing is known of them. */
function warmth(document: StatsDocument): { bytes: number; reserve: number; text: string } | undefined {
  const { heap } = document;
  // A heap whose pages were touched at creation is to stay resident.
  if (heap === undefined || heap.warm_bytes === null || heap.prefault) return undefined;
  const bytes = toNumber(heap.warm_bytes);
  const reserve = usualReserveBytes(toNumber(heap.capacity_bytes));
  return { bytes, reserve, text: `${bytesText(bytes)} of free slabs may still be resident` };
}

/** Nobody can see whether a thread has a releaser: one whose reserve was never exceeded makes no calls either. */
function noReleaser(document: StatsDocument): ReclamationHeuristic | undefined {
  const warm = warmth(document);
  if (warm === undefined || warm.bytes <= warm.reserve || madviseTotals(document).calls > 0) return undefined;
  return {
    ...WHOLE_HEAP,
    kind: "no_page_releaser",
    bytes: warm.bytes,
    verdict: `no pages were ever released although ${warm.text}: a page releaser with its usual reserve would leave ${bytesText(warm.reserve)}`,
  };
}

/** Between a free and the release that follows it slabs are warm in any heap: it takes this many reserves to be odd. */
const ODD_RESERVES = 4;

function warmSlabs(document: StatsDocument): ReclamationHeuristic | undefined {
  const warm = warmth(document);
  const { calls, bytes, failures } = madviseTotals(document);
  if (warm === undefined || warm.bytes <= ODD_RESERVES * warm.reserve || calls === 0) return undefined;
  const why =
    failures > 0
      ? `${failures} of the calls were refused, and a thread waits up to a minute before it tries again`
      : "threads that give slabs back may have no page releaser, releasePolicy.onClose false, or a large reserve";
  return {
    ...WHOLE_HEAP,
    kind: "warm_slabs",
    bytes: warm.bytes,
    verdict: `${warm.text} although pages are released (${bytesText(bytes)} in ${plural(calls, "call")} so far): ${why}`,
  };
}

function pinned(document: StatsDocument): ReclamationHeuristic | undefined {
  const slabBytes = document.slab_bytes;
  const used = document.classes.filter((row) => toNumber(row.committed_bytes) > 0);
  const held = sum(used, (row) => toNumber(row.committed_bytes) - row.empty_slabs_count * slabBytes);
  const live = sum(used, (row) => toNumber(row.live_bytes));
  // Every thread works in one slab per class, which may be as good as empty: that much is no waste.
  const atWork = used.length * Math.max(1, document.heap?.attached_workers ?? 1) * slabBytes;
  const closed = closedEras(document).filter((row) => toNumber(row.live_objects) > 0 && row.class_index >= 0);
  const closedBytes = sum(closed, (row) => toNumber(row.estimated_rss_bytes));
  const closedLive = sum(closed, (row) => toNumber(row.live_bytes));
  const closedPins = closedBytes > 0 && closedLive < closedBytes / 2;
  const heapPins = held - live > atWork && live < held / 2;
  if (!closedPins && !heapPins) return undefined;
  const share = percentText(percentOf(live, toNumber(document.heap?.committed_bytes ?? 0)));
  const where = closedPins
    ? `${bytesText(closedLive)} of live objects pin ${bytesText(closedBytes)} of slabs in closed epochs`
    : `${bytesText(live)} of live objects pin ${bytesText(held)} of slabs`;
  return {
    ...WHOLE_HEAP,
    kind: "pinned_slabs",
    bytes: closedPins ? closedBytes - closedLive : held - live,
    verdict: `${where} (fragmentation: objects are ${share} of committed bytes): a slab goes back only with its last object`,
  };
}

function openEpoch(document: StatsDocument): ReclamationHeuristic | undefined {
  const open = document.epochs.filter((epoch) => epoch.state === "ACTIVE" && epoch.opened);
  const slabs = sum(open, (epoch) => epoch.total_reclaimable_slabs);
  if (slabs === 0) return undefined;
  const bytes = slabs * document.slab_bytes;
  return {
    ...WHOLE_HEAP,
    kind: "open_epoch",
    bytes,
    verdict: `${plural(slabs, "empty slab")} (${bytesText(bytes)}) kept ready by the open epoch: normal, they go back when it closes or memory runs short`,
  };
}

function ownersBehind(document: StatsDocument): ReclamationHeuristic | undefined {
  const slabs = sum(closedEras(document), (row) => row.total_reclaimable_slabs);
  if (slabs === 0) return undefined;
  const bytes = slabs * document.slab_bytes;
  const behind = (document.workers ?? []).filter(
    (w) => w.state !== "FREE" && w.phase_lag > 0 && w.owned_slabs > 0,
  );
  const who = behind.length === 0 ? "" : ` (seat ${behind.map((w) => w.seat).join(", ")})`;
  return {
    ...WHOLE_HEAP,
    kind: "owners_behind",
    bytes,
    verdict: `${plural(slabs, "empty slab")} (${bytesText(bytes)}) of closed epochs waiting for the next operation of their owners${who}`,
  };
}

function orphaned(document: StatsDocument): ReclamationHeuristic | undefined {
  const slabs = document.heap?.orphaned_slabs ?? 0;
  if (slabs === 0) return undefined;
  const bytes = slabs * document.slab_bytes;
  return {
    ...WHOLE_HEAP,
    kind: "orphaned_slabs",
    bytes,
    verdict: `${plural(slabs, "slab")} (${bytesText(bytes)}) left behind by threads that ended, until another thread adopts them`,
  };
}

/** Slabs that nothing is allocated in any more. Objects of a discarded epoch are gone: its slabs only wait to be wiped. */
function closedEras(document: StatsDocument): EraStats[] {
  return document.epochs.flatMap((epoch) =>
    epoch.eras.flatMap((row) => {
      if (row.epoch_era !== epoch.epoch_era) return row;
      if (!isClosed(epoch)) return [];
      const slabs = row.total_partial_slabs + row.total_full_slabs;
      return epoch.discarded ? { ...row, live_objects: 0, total_reclaimable_slabs: slabs } : row;
    }),
  );
}
