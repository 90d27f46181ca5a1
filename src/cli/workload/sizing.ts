/**
 * How large a heap a plan needs when the command line does not say. Generous: untouched capacity
 * costs address space, not memory.
 */
import { MAX_CAPACITY } from "../../index.js";
import type { WorkloadPlan } from "./plan.js";
import type { Trace } from "./trace-file.js";

const SMALLEST = 64 * 1024 ** 2;
/** Requests per second assumed for a run without a rate. */
const UNLIMITED_RATE = 20_000;
/** Slabs a killed worker leaves behind, beside the objects it held: those its epochs began. */
const SLABS_PER_KILL = 16;

/** A power of two from 64 MiB to the largest heap there is. */
export function capacityFor(plan: WorkloadPlan, slabSize: number, trace: Trace | undefined): number {
  const wanted = trace === undefined ? forRequests(plan, slabSize) : forTrace(plan, slabSize, trace);
  return Math.min(MAX_CAPACITY, Math.max(SMALLEST, 2 ** Math.ceil(Math.log2(wanted))));
}

function forRequests(plan: WorkloadPlan, slabSize: number): number {
  const { freePolicy, durationSec } = plan;
  const requests = freePolicy.kind === "lag" ? freePolicy.requests + 1 : 1;
  const held = requests * plan.objectsMax * plan.objectSize;
  const rate = plan.requestRate === 0 ? UNLIMITED_RATE : plan.requestRate;
  // A request's leaks sit in two slabs or so; or they are most of the request.
  const leakedPerRequest = freePolicy.kind === "leak" ? 2 * slabSize + (held * freePolicy.percent) / 100 : 0;
  return 2 * plan.threads * held + rate * durationSec * leakedPerRequest + killed(plan, held, slabSize);
}

function forTrace(plan: WorkloadPlan, slabSize: number, trace: Trace): number {
  return 2 * plan.threads * trace.peakBytes + killed(plan, 1.5 * trace.peakBytes, slabSize);
}

/** What killed workers held stays live until the end of the run. */
function killed(plan: WorkloadPlan, held: number, slabSize: number): number {
  if (plan.killRate === 0) return 0;
  return Math.min(1e6, plan.killRate * plan.durationSec) * (held + SLABS_PER_KILL * slabSize);
}
