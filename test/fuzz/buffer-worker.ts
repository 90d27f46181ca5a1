/**
 * Runs damaged heaps in a thread of its own, because a call on one may never return: what it is doing stands in shared
 * words, so that whoever watches can say which word it was, and end it.
 */
import { parentPort } from "node:worker_threads";
import { type Damage, DamageTarget, STAGES, type Stage } from "./buffer-case.js";
import { casesOf, type DamagePlan, damageOf } from "./buffer-plan.js";
import { freeze, type StateName } from "./heap-states.js";
import { isKnown } from "./known-damage.js";
import { newTally, type Tally, Violation, type ViolationKind } from "./outcome.js";

/** Words of the progress: number of the next case, that of the one being run and its stage, then the tally. */
export const NEXT_CASE = 0;
export const RUNNING_CASE = 1;
/** Index in STAGES. */
export const RUNNING_STAGE = 2;
export const FIRST_SUM = 3;
export const PROGRESS_WORDS = 16;

export interface DamageJob {
  readonly role: "damage";
  readonly state: StateName;
  readonly plan: DamagePlan;
  readonly first: number;
  /** Ends before this case, or at this time (Date.now). */
  readonly end: number;
  readonly untilMs: number;
  readonly progress: SharedArrayBuffer;
  /** Instead of the plan's: one case again, and what is known is shown too. */
  readonly only?: Damage;
  /** Never return: the watchdog's canary. */
  readonly hang?: true;
}

export interface DamageFinding {
  readonly kind: ViolationKind;
  readonly message: string;
  readonly region: string;
  readonly damage: Damage;
}

export function readTally(progress: Int32Array): Tally {
  const tally = newTally();
  (Object.keys(tally) as (keyof Tally)[]).forEach((key, i) => {
    tally[key] = Atomics.load(progress, FIRST_SUM + i);
  });
  return tally;
}

function writeTally(progress: Int32Array, tally: Tally): void {
  Object.values(tally).forEach((sum, i) => {
    Atomics.store(progress, FIRST_SUM + i, sum);
  });
}

/** Asking the kernel would take a third of the time, and says nothing about the heap. */
function forgetResidentSize(): void {
  process.memoryUsage.rss = () => 2 ** 26;
}

export function runDamageJob(job: DamageJob): void {
  forgetResidentSize();
  const progress = new Int32Array(job.progress);
  const isReplay = job.only !== undefined;
  const target = new DamageTarget(freeze(job.state), undefined, !isReplay);
  const end = Math.min(job.end, casesOf(job.plan, target));
  const tally = newTally();
  for (let i = job.first; i < end && Date.now() < job.untilMs; i++) {
    const damage = job.only ?? damageOf(job.plan, target, i);
    Atomics.store(progress, RUNNING_CASE, i);
    while (job.hang);
    const finding = runOne(target, damage, tally, isReplay, (stage) => {
      Atomics.store(progress, RUNNING_STAGE, STAGES.indexOf(stage));
    });
    if (finding !== undefined) parentPort?.postMessage(finding);
    writeTally(progress, tally);
    Atomics.store(progress, NEXT_CASE, i + 1);
  }
}

function runOne(
  target: DamageTarget,
  damage: Damage,
  tally: Tally,
  isReplay: boolean,
  enter: (stage: Stage) => void,
): DamageFinding | undefined {
  tally.cases++;
  try {
    tally[target.run(damage, enter)]++;
    return undefined;
  } catch (error) {
    target.close();
    const { name: region } = target.regions[damage.word];
    const violation =
      error instanceof Violation ? error : new Violation("foreign", `outside a call: ${String(error)}`);
    if (!isReplay && isKnown(region, violation)) {
      tally.known++;
      return undefined;
    }
    tally.violations++;
    return { kind: violation.kind, message: violation.message, region, damage };
  }
}
