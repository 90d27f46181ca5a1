/** When a heap counts as degraded or unhealthy. */
import { InvalidValueError } from "../../allocator/errors.js";
import { checkOptions, type NumberRange, numberOption, SECONDS, WHOLE } from "./options.js";

/**
 * A threshold is crossed when its value is reached. `Warn` makes the component degraded, `Critical` unhealthy;
 * Infinity switches a threshold off.
 */
export interface HealthThresholds {
  /** Committed bytes in percent of capacity; 85. */
  readonly heapPressureWarnPct: number;
  /** 95. Reached, the heap is not ready either. */
  readonly heapPressureCriticalPct: number;
  /** Allocations refused for lack of memory since `previous`, or ever; 1. */
  readonly allocFailuresWarn: number;
  /** 100; only with `previous`, because what once happened must not count for good. Reached, the heap is not ready. */
  readonly allocFailuresCritical: number;
  /** Allocations that left the fast path in percent of all; 5. */
  readonly slowPathWarnPct: number;
  /** 20. */
  readonly slowPathCriticalPct: number;
  /** Fewer allocations than this make no rate: a new heap's first ones are all slow; 1000. */
  readonly slowPathMinAllocations: number;
  /** Age from which on a closed epoch counts as a leak candidate, as for `detectEpochLeaks`; 60. */
  readonly leakThresholdSec: number;
  /** Leak candidates, one per era and class; 1. */
  readonly leakCandidatesWarn: number;
  /** 100. */
  readonly leakCandidatesCritical: number;
  /** Page-release calls that failed since `previous`, or ever; 1. */
  readonly madviseFailuresWarn: number;
  /** 100; only with `previous`. */
  readonly madviseFailuresCritical: number;
  /** Seats taken in percent of all; 90. Never unhealthy: those who have a seat work on. */
  readonly seatsWarnPct: number;
  /** Seats of threads believed dead (SUSPECT or REAPING); 1. */
  readonly deadSeatsWarn: number;
  /** Changes (closes, advances, ...) that a thread holding slabs has not honoured; 10 000. Such a thread is blocked. */
  readonly phaseLagWarn: number;
}

export const DEFAULT_HEALTH_THRESHOLDS: HealthThresholds = Object.freeze({
  heapPressureWarnPct: 85,
  heapPressureCriticalPct: 95,
  allocFailuresWarn: 1,
  allocFailuresCritical: 100,
  slowPathWarnPct: 5,
  slowPathCriticalPct: 20,
  slowPathMinAllocations: 1000,
  leakThresholdSec: 60,
  leakCandidatesWarn: 1,
  leakCandidatesCritical: 100,
  madviseFailuresWarn: 1,
  madviseFailuresCritical: 100,
  seatsWarnPct: 90,
  deadSeatsWarn: 1,
  phaseLagWarn: 10_000,
});

const NAMES = Object.keys(DEFAULT_HEALTH_THRESHOLDS) as (keyof HealthThresholds)[];

const PERCENT: NumberRange = { min: 0, max: 100, orNever: true };
const COUNT: NumberRange = { ...WHOLE, orNever: true };

function rangeOf(name: keyof HealthThresholds): NumberRange {
  if (name === "leakThresholdSec") return SECONDS;
  if (name === "slowPathMinAllocations") return WHOLE;
  return name.endsWith("Pct") ? PERCENT : COUNT;
}

/** Fills in the defaults. Throws on unknown names, values out of range and warnings above their critical value. */
export function checkThresholds(thresholds: unknown): HealthThresholds {
  const given = checkOptions("health thresholds", thresholds, NAMES);
  const all: Record<string, number> = {};
  for (const name of NAMES) {
    all[name] = numberOption(name, given[name], DEFAULT_HEALTH_THRESHOLDS[name], rangeOf(name));
  }
  for (const warn of NAMES.filter((name) => name.includes("Warn"))) {
    const critical = warn.replace("Warn", "Critical");
    if (critical in all && (all[warn] as number) > (all[critical] as number)) {
      throw new InvalidValueError(
        `Option "${warn}" must be at most "${critical}" (${all[critical]}); got ${all[warn]}.`,
      );
    }
  }
  return all as unknown as HealthThresholds;
}
