/**
 * The document a run ends with (`--json`), and the verdict. Keys follow the stats document: snake
 * case, units in the name. The readable report prints this document, so both always agree.
 */
import type { HeapCounters } from "../../index.js";
import type { EpochRow, VerifyRecord } from "./closing.js";
import type { Damage, LeakSummary } from "./messages.js";
import { type PageReport, pageReport } from "./page-report.js";
import { describeEpochPolicy, describeFreePolicy } from "./patterns.js";
import type { WorkloadSetup } from "./plan.js";
import type { ReleaseChoice } from "./release.js";
import type { EndReason, RunRecord } from "./run.js";

export interface WorkloadReport {
  readonly report: "tslab-workload";
  readonly schema_version: 1;
  /** True when nothing was damaged and every check passed. */
  readonly ok: boolean;
  readonly ended_by: EndReason;
  readonly duration_sec: number;
  readonly parameters: Parameters;
  readonly throughput: {
    readonly requests: number;
    readonly requests_per_sec: number;
    /** Repetitions of the trace, all workers together. */
    readonly repeats: number;
    /** Allocations and frees together, every one of them checked. */
    readonly operations: number;
    readonly operations_per_sec: number;
    readonly allocs: number;
    readonly frees: number;
    /** Objects freed by another worker than the one that allocated them. */
    readonly foreign_frees: number;
    readonly handed_over: number;
    /** Objects that should have been handed over while the neighbour's ring was full. */
    readonly handoff_full: number;
  };
  readonly slow_path: {
    readonly hits: number;
    /** Of all allocations tried, failed ones included. */
    readonly share: number;
    readonly new_slabs: number;
    readonly recycled_slabs: number;
  };
  readonly alloc_failures: { readonly out_of_memory: number; readonly epoch_closed: number };
  readonly epoch_closes: {
    readonly closes: number;
    /** By the thread that closed; the other owners recycle theirs at their next operation. */
    readonly slabs_scanned: number;
    readonly slabs_recycled: number;
  };
  /** The ring when all workers had ended, before anything was discarded. */
  readonly epochs: readonly EpochRow[];
  readonly leaked: LeakSummary;
  readonly memory: {
    readonly capacity_bytes: number;
    readonly slab_bytes: number;
    readonly committed_bytes_at_end: number;
    readonly peak_committed_bytes: number;
    readonly peak_committed_slabs: number;
    readonly rss_bytes_at_start: number;
    /** When the workers had attached and work began. */
    readonly rss_bytes_at_begin: number;
    readonly peak_rss_bytes: number;
    /** When everything was freed, before the threads ended. */
    readonly rss_bytes_at_end: number;
  };
  readonly page_release: PageReport;
  readonly workers: {
    readonly started: number;
    readonly kills: number;
    readonly reaped: number;
    readonly errors: readonly string[];
  };
  readonly damage: {
    readonly count: number;
    readonly objects_checked_in_full: number;
    readonly findings: readonly Damage[];
  };
  readonly verify: VerifyRecord;
  readonly closing: {
    readonly expected_live_objects: number;
    readonly lost_live_objects: number;
    readonly objects_discarded: number;
    readonly verify_after_discard: VerifyRecord;
    readonly reallocated_bytes: number;
    readonly one_object_of_capacity: boolean;
    readonly problems: readonly string[];
  };
  readonly heap_counters: HeapCounters;
}

/** What was run, defaults filled in, in the words of the command line. */
export interface Parameters {
  readonly pattern: string;
  readonly trace: { readonly path: string; readonly events: number; readonly peak_objects: number } | null;
  readonly threads: number;
  readonly duration_sec: number | null;
  readonly repeat: number;
  readonly req_rate: number;
  readonly objs_min: number;
  readonly objs_max: number;
  readonly size: number;
  readonly epoch_policy: string;
  readonly free_policy: string;
  readonly handoff_pct: number;
  readonly check_every: number;
  readonly seed: number;
  readonly kill_rate: number;
  readonly release: ReleaseChoice;
  readonly release_on_close: boolean;
  /** null: the heap's default, by its capacity. */
  readonly reserve_bytes: number | null;
  /** 0: never. */
  readonly decay_ms: number;
}

/** The document of a finished run. */
export function buildReport(run: RunRecord): WorkloadReport {
  const { tally, counters, closing, crew, slabSize } = run;
  // The heap's counters miss nothing when a worker is killed; a tally may lag behind by one slice.
  const operations = counters.allocCount + counters.freeCount;
  const attempts = counters.allocCount + counters.outOfMemory + counters.epochClosed;
  const perSec = (count: number) => (run.durationSec > 0 ? count / run.durationSec : 0);
  const failed = tally.damage > 0 || crew.errors.length > 0 || closing.problems.length > 0;
  return {
    report: "tslab-workload",
    schema_version: 1,
    ok: !failed,
    ended_by: run.endedBy,
    duration_sec: run.durationSec,
    parameters: parametersOf(run.setup),
    throughput: {
      requests: tally.requests,
      requests_per_sec: perSec(tally.requests),
      repeats: tally.repeats,
      operations,
      operations_per_sec: perSec(operations),
      allocs: counters.allocCount,
      frees: counters.freeCount,
      foreign_frees: tally.foreign_frees,
      handed_over: tally.handed_over,
      handoff_full: tally.handoff_full,
    },
    slow_path: {
      hits: counters.slowPathHits,
      share: attempts > 0 ? counters.slowPathHits / attempts : 0,
      new_slabs: counters.newSlabs,
      recycled_slabs: counters.recycledSlabs,
    },
    alloc_failures: { out_of_memory: counters.outOfMemory, epoch_closed: counters.epochClosed },
    epoch_closes: {
      closes: tally.advances,
      slabs_scanned: tally.slabs_scanned,
      slabs_recycled: tally.slabs_recycled,
    },
    epochs: closing.epochs,
    leaked: run.leaked,
    memory: {
      capacity_bytes: run.capacity,
      slab_bytes: slabSize,
      committed_bytes_at_end: counters.committedSlabs * slabSize,
      peak_committed_bytes: counters.peakCommittedSlabs * slabSize,
      peak_committed_slabs: counters.peakCommittedSlabs,
      rss_bytes_at_start: run.rssAtStart,
      rss_bytes_at_begin: run.pages.rssAtBegin,
      peak_rss_bytes: run.pages.peakRss,
      rss_bytes_at_end: run.pages.rssAtEnd,
    },
    page_release: pageReport(run.releaser, run.pages),
    workers: { started: crew.started, kills: crew.kills, reaped: crew.reaped, errors: crew.errors },
    damage: { count: tally.damage, objects_checked_in_full: tally.checked_full, findings: crew.damage },
    verify: closing.verify,
    closing: {
      expected_live_objects: closing.expected_live_objects,
      lost_live_objects: closing.lost_live_objects,
      objects_discarded: closing.objects_discarded,
      verify_after_discard: closing.verify_after_discard,
      reallocated_bytes: closing.reallocated_bytes,
      one_object_of_capacity: closing.one_object_of_capacity,
      problems: closing.problems,
    },
    heap_counters: counters,
  };
}

function parametersOf({ plan, trace, tracePath }: WorkloadSetup): Parameters {
  return {
    pattern: plan.pattern,
    trace:
      trace === undefined || tracePath === undefined
        ? null
        : { path: tracePath, events: trace.events.length / 2, peak_objects: trace.peakObjects },
    threads: plan.threads,
    duration_sec: Number.isFinite(plan.durationSec) ? plan.durationSec : null,
    repeat: plan.repeat,
    req_rate: plan.requestRate,
    objs_min: plan.objectsMin,
    objs_max: plan.objectsMax,
    size: plan.objectSize,
    epoch_policy: describeEpochPolicy(plan.epochEvery),
    free_policy: describeFreePolicy(plan.freePolicy),
    handoff_pct: plan.handoffPercent,
    check_every: plan.checkEvery,
    seed: plan.seed,
    kill_rate: plan.killRate,
    release: plan.release.choice,
    release_on_close: plan.release.policy.onClose ?? true,
    reserve_bytes: plan.release.policy.reserveBytes ?? null,
    decay_ms: plan.release.policy.decayMs ?? 0,
  };
}
