/** The doctor's second section: allocations that were slow or refused. */

import { toNumber } from "../document/count.js";
import type { StatsDocument } from "../document/document.js";
import type { Finding } from "./findings.js";
import { analyzeSlowPath, type SlowPathClass, slowPathPercent } from "./slow-path.js";
import { isOurs } from "./source.js";
import { percentOf, percentText, plural, sum } from "./text.js";

/** Share of slow allocations from which on a class is worth a word, and how many allocations make a rate. */
export const NOTABLE_SLOW_PCT = 5;
export const ENOUGH_ALLOCATIONS = 1000;
const MOST_CLASSES = 3;
const NOTABLE_LEAK_PCT = 10;

/** `document`: of the interval to be judged. `leakedBytes`: what section 1 found. */
export function examineSlowPath(document: StatsDocument, leakedBytes: number): Finding[] {
  return [...refusals(document, leakedBytes), ...slowClasses(document)];
}

/** Refused allocations, whatever their size; documents without a heap row have them by class only. */
export function outOfMemoryCount(document: StatsDocument): number {
  const classes = sum(document.classes, (row) => toNumber(row.slow_path_out_of_memory));
  const parts = classes + toNumber(document.large?.failures ?? 0);
  return Math.max(parts, toNumber(document.heap?.alloc_failures_out_of_memory ?? 0));
}

export function epochClosedCount(document: StatsDocument): number {
  return Math.max(
    toNumber(document.total_slow_epoch_closed),
    toNumber(document.heap?.alloc_failures_epoch_closed ?? 0),
  );
}

function refusals(document: StatsDocument, leakedBytes: number): Finding[] {
  const found: Finding[] = [];
  const noMemory = outOfMemoryCount(document);
  if (noMemory > 0) {
    // A few leaked slabs do not fill a heap.
    const leaked = percentOf(leakedBytes, toNumber(document.heap?.capacity_bytes ?? 0));
    const byLeak = leaked >= NOTABLE_LEAK_PCT;
    found.push({
      section: 2,
      code: "out-of-memory",
      severity: "critical",
      origin: byLeak ? "application" : "configuration",
      message: `${plural(noMemory, "allocation")} refused: out of memory. ${byLeak ? `Application bug: leaks hold ${percentText(leaked)} of the heap.` : "Not by leaks: the heap is too small for what is alive at once."}`,
      action: byLeak ? "fix the leaks of section 1 first" : "raise capacity, or free earlier",
      data: { out_of_memory: noMemory, leaked_bytes: leakedBytes },
    });
  }
  const closed = epochClosedCount(document);
  if (closed > 0) {
    found.push({
      section: 2,
      code: "epoch-closed-allocations",
      severity: "warning",
      origin: "application",
      message: `${plural(closed, "allocation")} refused: the epoch named was closed. Application bug.`,
      action: isOurs(document)
        ? "fix epoch rotation: allocate without naming an epoch, or enter a domain of the current one"
        : "fix epoch rotation logic",
      data: { epoch_closed: closed },
    });
  }
  return found;
}

function slowClasses(document: StatsDocument): Finding[] {
  const { classes } = analyzeSlowPath(document);
  const notable = classes.filter((row) => {
    // Refusals have findings of their own.
    if (row.cause === "epoch_closed" || row.cause === "out_of_memory") return false;
    const allocations = toNumber(
      document.classes.find((c) => c.class_index === row.class_index)?.bitmap_alloc_attempts ?? 0,
    );
    return allocations >= ENOUGH_ALLOCATIONS && (row.slow_path_pct ?? 0) >= NOTABLE_SLOW_PCT;
  });
  notable.sort((a, b) => b.total_slow_path_hits - a.total_slow_path_hits);
  return notable.slice(0, MOST_CLASSES).map(describeClass);
}

function describeClass(row: SlowPathClass): Finding {
  const normal = row.cause === "cache_miss" || row.cause === "partial_full";
  return {
    section: 2,
    code: "slow-path",
    severity: normal ? "info" : "warning",
    origin: normal ? "allocator" : "application",
    message: `class ${row.class_index} (${row.object_size} B): ${percentText(row.slow_path_pct ?? 0)} of allocations slow (${row.total_slow_path_hits}), mostly ${row.cause}. ${normal ? "Normal working of the allocator." : "Depends on how the application uses epochs and threads."}`,
    action: row.recommendation,
    data: {
      class_index: row.class_index,
      object_size: row.object_size,
      slow_path_hits: row.total_slow_path_hits,
      slow_path_pct: row.slow_path_pct ?? 0,
      cause: row.cause,
    },
  };
}

/** What the section says about all allocations together. */
export function slowPathInWords(document: StatsDocument): string {
  const hits = toNumber(document.total_slow_path_hits);
  if (hits === 0) return "No slow-path hits (all allocations fast).";
  const allocations = toNumber(document.total_bitmap_alloc_attempts);
  const percent = slowPathPercent(document, hits, allocations);
  if (percent === null)
    return `${plural(hits, "allocation")} left the fast path; how many there were is not known.`;
  return `${hits} of ${plural(Math.max(hits, allocations), "allocation")} left the fast path (${percentText(percent)}).`;
}
