/** The five parts of a health report. */

import { numberOrNull, toNumber } from "../document/count.js";
import type { StatsDocument } from "../document/document.js";
import { outOfMemoryCount } from "./doctor-slow-path.js";
import type { HealthComponent, HealthComponentName, HealthStatus } from "./health.js";
import { leakCandidates } from "./leaks.js";
import { madviseTotals } from "./reclamation-heuristics.js";
import { slowPathPercent } from "./slow-path.js";
import { ageText, bytesText, percentOf, percentText, plural, sum } from "./text.js";
import type { HealthThresholds } from "./thresholds.js";

/** `since`: the document reduced to the interval since an earlier one, if there is one to judge it by. */
export function componentsOf(
  document: StatsDocument,
  since: StatsDocument | undefined,
  limits: HealthThresholds,
): Record<HealthComponentName, HealthComponent> {
  return {
    heap: heap(document, since, limits),
    slowPath: slowPath(since ?? document, limits),
    epochs: epochs(document, limits),
    reclamation: reclamation(document, since, limits),
    workers: workers(document, limits),
  };
}

function grade(value: number | null, warn: number, critical = Infinity): HealthStatus {
  if (value === null) return "ok";
  if (value >= critical) return "unhealthy";
  return value >= warn ? "degraded" : "ok";
}

function worst(...statuses: readonly HealthStatus[]): HealthStatus {
  if (statuses.includes("unhealthy")) return "unhealthy";
  return statuses.includes("degraded") ? "degraded" : "ok";
}

function pick<Name extends keyof HealthThresholds>(limits: HealthThresholds, ...names: readonly Name[]) {
  return Object.fromEntries(names.map((name) => [name, limits[name]])) as Pick<HealthThresholds, Name>;
}

const sinceText = (since: StatsDocument | undefined): string =>
  since === undefined ? "since the heap was created" : "since the previous snapshot";

function heap(
  document: StatsDocument,
  since: StatsDocument | undefined,
  limits: HealthThresholds,
): HealthComponent {
  const failures = outOfMemoryCount(since ?? document);
  const committed = document.heap === undefined ? null : toNumber(document.heap.committed_bytes);
  const capacity = document.heap === undefined ? null : toNumber(document.heap.capacity_bytes);
  const pressure = committed === null || capacity === null ? null : percentOf(committed, capacity);
  const use =
    pressure === null || committed === null || capacity === null
      ? "Capacity is not known from this document"
      : `${bytesText(committed)} of ${bytesText(capacity)} committed (${percentText(pressure)})`;
  const refused =
    failures === 0
      ? ""
      : `, ${plural(failures, "allocation")} refused for lack of memory ${sinceText(since)}`;
  return {
    status: worst(
      grade(pressure, limits.heapPressureWarnPct, limits.heapPressureCriticalPct),
      grade(
        failures,
        limits.allocFailuresWarn,
        since === undefined ? Infinity : limits.allocFailuresCritical,
      ),
    ),
    message: `${use}${refused}.`,
    metrics: {
      committed_bytes: committed,
      capacity_bytes: capacity,
      live_bytes: document.heap === undefined ? null : toNumber(document.heap.live_bytes),
      pressure_pct: pressure,
      alloc_failures: failures,
    },
    thresholds: pick(
      limits,
      "heapPressureWarnPct",
      "heapPressureCriticalPct",
      "allocFailuresWarn",
      "allocFailuresCritical",
    ),
  };
}

function slowPath(judged: StatsDocument, limits: HealthThresholds): HealthComponent {
  const hits = toNumber(judged.total_slow_path_hits);
  const allocations = Math.max(hits, toNumber(judged.total_bitmap_alloc_attempts));
  const percent = slowPathPercent(judged, hits, toNumber(judged.total_bitmap_alloc_attempts));
  const enough = allocations >= limits.slowPathMinAllocations;
  const rate = percent === null ? "not known" : percentText(percent);
  return {
    status: enough ? grade(percent, limits.slowPathWarnPct, limits.slowPathCriticalPct) : "ok",
    message: `${rate} of ${plural(allocations, "allocation")} left the fast path${enough ? "" : ": too few to judge"}.`,
    metrics: { slow_path_hits: hits, allocations, slow_path_pct: percent },
    thresholds: pick(limits, "slowPathWarnPct", "slowPathCriticalPct", "slowPathMinAllocations"),
  };
}

function epochs(document: StatsDocument, limits: HealthThresholds): HealthComponent {
  const leaks = leakCandidates(document, limits.leakThresholdSec);
  const bytes = sum(leaks, (leak) => leak.estimated_rss_bytes);
  const oldest = leaks.reduce((age, leak) => Math.max(age, leak.age_sec), 0);
  return {
    status: grade(leaks.length, limits.leakCandidatesWarn, limits.leakCandidatesCritical),
    message:
      leaks.length === 0
        ? `No leak candidates of ${ageText(limits.leakThresholdSec)} or more.`
        : `${plural(leaks.length, "leak candidate")} ${leaks.length === 1 ? "holds" : "hold"} ${bytesText(bytes)}, the oldest for ${ageText(oldest)}.`,
    metrics: {
      leak_candidates: leaks.length,
      domain_leaks: leaks.filter((leak) => leak.kind === "domain").length,
      object_leaks: leaks.filter((leak) => leak.kind === "object").length,
      leaked_bytes: bytes,
      oldest_age_sec: oldest,
      active_epochs: document.active_epoch_count,
      closing_epochs: document.closing_epoch_count,
    },
    thresholds: pick(limits, "leakThresholdSec", "leakCandidatesWarn", "leakCandidatesCritical"),
  };
}

function reclamation(
  document: StatsDocument,
  since: StatsDocument | undefined,
  limits: HealthThresholds,
): HealthComponent {
  const { calls, bytes, failures } = madviseTotals(since ?? document);
  const done = calls === 0 ? "No pages released" : `${bytesText(bytes)} released in ${plural(calls, "call")}`;
  return {
    status: grade(
      failures,
      limits.madviseFailuresWarn,
      since === undefined ? Infinity : limits.madviseFailuresCritical,
    ),
    message: `${done}${failures === 0 ? "" : `, ${failures} failed`} ${sinceText(since)}.`,
    metrics: {
      madvise_calls: calls,
      madvise_bytes: bytes,
      madvise_failures: failures,
      warm_bytes: numberOrNull(document.heap?.warm_bytes),
    },
    thresholds: pick(limits, "madviseFailuresWarn", "madviseFailuresCritical"),
  };
}

function workers(document: StatsDocument, limits: HealthThresholds): HealthComponent {
  const thresholds = pick(limits, "seatsWarnPct", "deadSeatsWarn", "phaseLagWarn");
  if (document.heap === undefined) {
    const metrics = { attached_workers: null, max_workers: null, dead_seats: null, phase_lag: null };
    return { status: "ok", message: "Threads are not known from this document.", metrics, thresholds };
  }
  const { attached_workers, max_workers } = document.heap;
  const rows = document.workers ?? [];
  const dead = rows.filter((row) => row.state === "SUSPECT" || row.state === "REAPING");
  // A thread without slabs holds nobody up, however long it sleeps.
  const working = rows.filter((row) => row.state === "LIVE" && row.owned_slabs > 0);
  const lag = working.reduce((most, row) => Math.max(most, row.phase_lag), 0);
  const blocked = working.filter((row) => row.phase_lag >= limits.phaseLagWarn);
  const notes = [
    `${attached_workers} of ${plural(max_workers, "seat")} taken`,
    ...dead.map((row) => `seat ${row.seat} is ${row.state}: its thread is believed dead`),
    ...blocked.map((row) => `seat ${row.seat} has ${row.phase_lag} changes to honour: its thread is blocked`),
  ];
  return {
    status: worst(
      grade(percentOf(attached_workers, max_workers), limits.seatsWarnPct),
      grade(dead.length, limits.deadSeatsWarn),
      grade(lag, limits.phaseLagWarn),
    ),
    message: `${notes.join("; ")}.`,
    metrics: {
      attached_workers,
      max_workers,
      seats_pct: percentOf(attached_workers, max_workers),
      dead_seats: dead.length,
      phase_lag: lag,
    },
    thresholds,
  };
}
