/** One workload from start to end: heap, workers, clock, kills, and the closing checks. */
import { type HeapCounters, SlabHeap } from "../../index.js";
import { orUsageError } from "../library-errors.js";
import { ClaimMap } from "./claims.js";
import { type ClosingRecord, closeDown, foreignSeats } from "./closing.js";
import { Control, PHASE_DRAIN, PHASE_RUN, PHASE_STOP, type Tally } from "./control.js";
import { Crew, type CrewRecord } from "./crew.js";
import { createRings } from "./handoff.js";
import { mergeLeaks } from "./leaks.js";
import type { LeakSummary } from "./messages.js";
import { type PageRecord, PageWatch } from "./page-watch.js";
import { checkFits, type WorkloadSetup } from "./plan.js";
import { Random } from "./random.js";
import { type ReleaserRecord, releaseOptions, reportedReleaser } from "./release.js";

/** A worker that has not stopped by then is stuck. */
const STOP_TIMEOUT_MS = 30_000;
const SAMPLE_MS = 100;
/** Share of the time that looking at pages may take at most: a look reads every slab of the heap. */
const LOOK_SHARE = 0.2;

export type EndReason = "duration" | "repeat" | "interrupted" | "worker-error";

/** What a run looks like while it goes on. */
export interface RunProgress {
  readonly elapsedSec: number;
  readonly tally: Tally;
  readonly counters: HeapCounters;
  readonly slabSize: number;
  readonly capacity: number;
  readonly rssBytes: number;
  /** Given back to the system by the last look at it. */
  readonly releasedBytes: number;
  readonly working: number;
  readonly kills: number;
}

/** Everything that happened; report.ts turns it into the document. */
export interface RunRecord {
  readonly setup: WorkloadSetup;
  readonly endedBy: EndReason;
  readonly durationSec: number;
  readonly tally: Tally;
  readonly counters: HeapCounters;
  readonly slabSize: number;
  readonly capacity: number;
  readonly rssAtStart: number;
  readonly releaser: ReleaserRecord;
  readonly pages: PageRecord;
  readonly crew: CrewRecord;
  readonly leaked: LeakSummary;
  readonly closing: ClosingRecord;
}

export interface RunHooks {
  /** Called every `progressMs`. */
  readonly progress?: (progress: RunProgress) => void;
  readonly progressMs: number;
  /** Ends the run early, with its report. */
  readonly interrupt: AbortSignal;
  /** Called with the heap before the workers start; what it resolves to is called before the closing checks. */
  readonly opened?: (heap: SlabHeap) => Promise<() => Promise<void>>;
}

/** Runs the workload. Throws `UsageError` when the heap refuses the options. */
export async function runWorkload(setup: WorkloadSetup, hooks: RunHooks): Promise<RunRecord> {
  const { plan } = setup;
  const rssAtStart = process.memoryUsage.rss();
  // This thread's too: what killed workers leave behind goes back in its idle time, and what decays.
  const release = releaseOptions(plan.release);
  using heap = orUsageError(() => SlabHeap.create({ ...setup.heap, ...release }));
  checkFits(plan, setup.trace, heap.capacity);
  const close = await hooks.opened?.(heap);
  const control = Control.create(plan.threads);
  const crew = new Crew(heap, {
    control: control.shared,
    claims: ClaimMap.create(heap.buffer.byteLength),
    rings: createRings(plan.threads),
    plan,
    trace: setup.trace && { events: setup.trace.events, slots: setup.trace.slots },
  });
  const pages = new PageWatch(heap);
  const sampler = setInterval(() => pages.noteRss(), SAMPLE_MS);

  const ready = await crew.ready();
  const start = performance.now();
  pages.begin();
  const stopLooking = lookRegularly();
  control.enter(PHASE_RUN);
  const endedBy = ready ? await workUntilEnd() : "worker-error";
  const durationSec = (performance.now() - start) / 1000;
  control.enter(PHASE_STOP);
  await crew.stopped(STOP_TIMEOUT_MS);
  // All is freed and the threads are still there: what is gone from the resident set is the heap's.
  clearInterval(sampler);
  stopLooking();
  control.enter(PHASE_DRAIN);
  await crew.ended(STOP_TIMEOUT_MS);
  await close?.();

  const leaked = mergeLeaks(crew.record.leaked);
  const tally = control.total(plan.threads);
  pages.finish(tally.close_calls);
  const counters = heap.counters();
  crew.record.errors.push(...foreignSeats(heap));
  const closing = closeDown(heap, {
    leaked: leaked.live_objects,
    tally,
    incomplete: crew.record.kills > 0 || crew.failed,
  });
  return {
    setup,
    endedBy: crew.failed ? "worker-error" : endedBy,
    durationSec,
    tally,
    counters,
    slabSize: heap.slabSize,
    capacity: heap.capacity,
    rssAtStart,
    releaser: reportedReleaser(release.pageReleaser, crew.record.releaser),
    pages: pages.record(),
    crew: crew.record,
    leaked,
    closing,
  };

  /** Progress and kills go on until the first reason to end. */
  async function workUntilEnd(): Promise<EndReason> {
    const cleanups: (() => void)[] = [];
    const progress = setInterval(() => hooks.progress?.(snapshot()), hooks.progressMs);
    cleanups.push(() => clearInterval(progress));
    if (plan.killRate > 0) cleanups.push(killAtRandom(crew, plan.killRate, new Random(plan.seed, 1e6)));
    const endings: Promise<EndReason>[] = [
      crew.idle().then(() => (crew.failed ? "worker-error" : "repeat")),
      new Promise((resolve) => {
        if (hooks.interrupt.aborted) resolve("interrupted");
        hooks.interrupt.addEventListener("abort", () => resolve("interrupted"), { once: true });
      }),
    ];
    if (Number.isFinite(plan.durationSec)) {
      endings.push(
        new Promise((resolve) => {
          const timer = setTimeout(() => resolve("duration"), plan.durationSec * 1000);
          cleanups.push(() => clearTimeout(timer));
        }),
      );
    }
    const reason = await Promise.race(endings);
    for (const cleanup of cleanups) cleanup();
    return reason;
  }

  /** Looks at pages now and then; what this returns takes the last look. */
  function lookRegularly(): () => void {
    const look = () =>
      pages.look((performance.now() - start) / 1000, control.total(plan.threads).close_calls);
    let timer: NodeJS.Timeout;
    const later = (tookMs: number) => {
      timer = setTimeout(() => later(look()), Math.max(SAMPLE_MS, tookMs / LOOK_SHARE));
    };
    later(0);
    return () => {
      clearTimeout(timer);
      look();
    };
  }

  function snapshot(): RunProgress {
    return {
      elapsedSec: (performance.now() - start) / 1000,
      tally: control.total(plan.threads),
      counters: heap.counters(),
      slabSize: heap.slabSize,
      capacity: heap.capacity,
      rssBytes: process.memoryUsage.rss(),
      releasedBytes: pages.madviseBytes,
      working: crew.working,
      kills: crew.record.kills,
    };
  }
}

/** Kills at exponentially distributed moments, `perSecond` of them on average. Returns its end. */
function killAtRandom(crew: Crew, perSecond: number, random: Random): () => void {
  let timer: NodeJS.Timeout;
  const next = () => {
    const pause = -Math.log(1 - random.fraction()) / perSecond;
    timer = setTimeout(() => {
      crew.killOne(random);
      next();
    }, pause * 1000);
  };
  next();
  return () => clearTimeout(timer);
}
