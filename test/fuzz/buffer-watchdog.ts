/** Watches over runs on damaged heaps: ends the ones that hang, names the word, and goes on with the next. */
import { Worker } from "node:worker_threads";
import { type Damage, DamageTarget, STAGES } from "./buffer-case.js";
import { casesOf, type DamagePlan, damageOf } from "./buffer-plan.js";
import {
  type DamageFinding,
  type DamageJob,
  NEXT_CASE,
  PROGRESS_WORDS,
  RUNNING_CASE,
  RUNNING_STAGE,
  readTally,
} from "./buffer-worker.js";
import { freeze, type StateName } from "./heap-states.js";
import { addTally, newTally, type Tally } from "./outcome.js";

export interface DamageRun {
  /** Bundle that runs `runDamageJob` when it is started as a thread. */
  readonly bundle: string;
  readonly state: StateName;
  readonly plan: DamagePlan;
  readonly untilMs?: number;
  readonly first?: number;
  readonly cases?: number;
  /** Without progress for so long: it hangs. */
  readonly stallMs?: number;
  readonly only?: Damage;
  /** The canary of this file. */
  readonly hang?: true;
  readonly onFinding: (finding: DamageFinding, state: StateName) => void;
}

export async function superviseDamage(run: DamageRun): Promise<Tally> {
  const target = new DamageTarget(freeze(run.state));
  const first = run.first ?? 0;
  const end = Math.min(first + (run.cases ?? Number.POSITIVE_INFINITY), casesOf(run.plan, target));
  const untilMs = run.untilMs ?? Number.POSITIVE_INFINITY;
  const sum = newTally();
  for (let next = first; next < end && Date.now() < untilMs; ) {
    const progress = new Int32Array(new SharedArrayBuffer(PROGRESS_WORDS * 4));
    progress[NEXT_CASE] = next;
    progress[RUNNING_CASE] = next;
    const hung = await runThread(run, { first: next, end, untilMs, progress });
    addTally(sum, readTally(progress));
    if (!hung) break;
    next = progress[RUNNING_CASE] + 1;
    sum.cases++;
    sum.violations++;
    const damage = run.only ?? damageOf(run.plan, target, next - 1);
    const region = target.regions[damage.word].name;
    const message = `did not return from: ${STAGES[progress[RUNNING_STAGE]]}`;
    run.onFinding({ kind: "hang", message, region, damage }, run.state);
  }
  return sum;
}

/** Resolves when the thread is through (false) or was ended because it made no progress (true). */
function runThread(
  run: DamageRun,
  { first, end, untilMs, progress }: { first: number; end: number; untilMs: number; progress: Int32Array },
): Promise<boolean> {
  const job: DamageJob = {
    role: "damage",
    state: run.state,
    plan: run.plan,
    first,
    end,
    untilMs,
    progress: progress.buffer as SharedArrayBuffer,
    ...(run.only !== undefined && { only: run.only }),
    ...(run.hang && { hang: run.hang }),
  };
  const stallMs = run.stallMs ?? 20_000;
  return new Promise((resolve, reject) => {
    const worker = new Worker(run.bundle, { workerData: job });
    let seen = -1;
    let seenAt = performance.now();
    let hung = false;
    const watch = setInterval(() => {
      const at = Atomics.load(progress, NEXT_CASE);
      if (at !== seen) {
        seen = at;
        seenAt = performance.now();
      } else if (performance.now() - seenAt > stallMs) {
        hung = true;
        clearInterval(watch);
        worker.terminate().then(() => resolve(true), reject);
      }
    }, 100);
    worker.on("message", (finding: DamageFinding) => run.onFinding(finding, run.state));
    worker.on("error", (error) => {
      clearInterval(watch);
      reject(error);
    });
    worker.on("exit", () => {
      clearInterval(watch);
      if (!hung) resolve(false);
    });
  });
}
