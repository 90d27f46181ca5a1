/** From checked command-line options to the plan of one run; the plan is what workers receive. */
import { availableParallelism } from "node:os";
import { DEFAULT_SLAB_SIZE, type HeapOptions } from "../../index.js";
import { badValue, type ParsedOptions, UsageError } from "../args.js";
import { epochPolicy, freePolicy, sizeClassList } from "./options.js";
import { type FreePolicy, PATTERNS, type PatternName } from "./patterns.js";
import { type ReleasePlan, releasePlan } from "./release.js";
import { capacityFor } from "./sizing.js";
import { readTrace, type Trace } from "./trace-file.js";

/** Everything a worker needs to know about its work. Structured-cloneable. */
export interface WorkloadPlan {
  readonly pattern: PatternName | "trace";
  readonly threads: number;
  /** Infinity when only the number of repetitions ends the run. */
  readonly durationSec: number;
  /** Trace repetitions per worker; 0: as many as the duration allows. */
  readonly repeat: number;
  /** Requests per second of all workers together; 0: as fast as possible. */
  readonly requestRate: number;
  readonly objectsMin: number;
  readonly objectsMax: number;
  readonly objectSize: number;
  /** Close the epoch after that many requests of all workers together; 0: never. */
  readonly epochEvery: number;
  readonly freePolicy: FreePolicy;
  /** Share of the objects that another worker frees. */
  readonly handoffPercent: number;
  /** Every so many objects one is stamped and checked in full. */
  readonly checkEvery: number;
  readonly seed: number;
  /** Workers terminated per second; 0: none. */
  readonly killRate: number;
  /** Self-test: scribble over a live object of every worker. */
  readonly injectDamage: boolean;
  /** How every thread gives pages back. */
  readonly release: ReleasePlan;
}

/** A plan with what only the main thread needs. */
export interface WorkloadSetup {
  readonly plan: WorkloadPlan;
  readonly heap: HeapOptions;
  readonly trace: Trace | undefined;
  readonly tracePath: string | undefined;
}

/** Options that describe synthetic requests and mean nothing for a trace. */
const REQUEST_ONLY = ["pattern", "req-rate", "objs-min", "objs-max", "size", "free-policy"];
/** So that frees from foreign threads happen in every run. */
const USUAL_HANDOFF_PERCENT = 10;
/** A leaked object keeps its whole slab: small slabs let a run leak for longer. */
const LEAK_SLAB_SIZE = 4096;

/** Builds the plan and reads the trace. Throws `UsageError`. */
export function planWorkload(options: ParsedOptions): WorkloadSetup {
  const tracePath = options.text("trace");
  if (tracePath !== undefined) refuse(options, REQUEST_ONLY, "cannot be combined with --trace");
  else refuse(options, ["repeat"], "needs --trace FILE");
  const plan = planOf(options, tracePath !== undefined);
  const trace = tracePath === undefined ? undefined : readTrace(tracePath);
  const leaks = trace === undefined && plan.freePolicy.kind === "leak";
  const slabSize = options.number("slab-size") ?? (leaks ? LEAK_SLAB_SIZE : DEFAULT_SLAB_SIZE);
  const capacity = options.number("capacity") ?? capacityFor(plan, slabSize, trace);
  checkFits(plan, trace, capacity);
  const sizeClasses = sizeClassList(options.text("size-classes"));
  return {
    plan,
    heap: {
      capacity,
      slabSize,
      maxWorkers: plan.threads + 2,
      ...(sizeClasses === undefined ? {} : { sizeClasses }),
    },
    trace,
    tracePath,
  };
}

function planOf(options: ParsedOptions, isTrace: boolean): WorkloadPlan {
  const name = (options.text("pattern") ?? "burst") as PatternName;
  const pattern = PATTERNS[name];
  const threads = options.number("threads") ?? Math.min(2, availableParallelism());
  const [objectsMin, objectsMax] = objectRange(options, pattern.objectsMin, pattern.objectsMax);
  const repeat = options.number("repeat") ?? 0;
  const kills = options.has("kill-workers") || options.has("kill-rate");
  return {
    pattern: isTrace ? "trace" : name,
    threads,
    durationSec: options.number("duration") ?? (repeat > 0 ? Infinity : 3),
    repeat,
    requestRate: isTrace ? 0 : (options.number("req-rate") ?? pattern.requestRate),
    objectsMin,
    objectsMax,
    objectSize: options.number("size") ?? pattern.objectSize,
    epochEvery: epochPolicy(options.text("epoch-policy")) ?? (isTrace ? 1 : pattern.epochEvery),
    freePolicy: freePolicy(options.text("free-policy")) ?? pattern.freePolicy,
    handoffPercent: handoff(options.number("handoff"), isTrace ? undefined : pattern.handoffPercent, threads),
    checkEvery: options.number("check-every") ?? 16,
    seed: options.number("seed") ?? 1,
    killRate: kills ? (options.number("kill-rate") ?? 2) : 0,
    injectDamage: options.has("inject-damage"),
    release: releasePlan(options, isTrace ? undefined : pattern.reserveBytes),
  };
}

/** Either end given alone moves the pattern's other end along. */
function objectRange(options: ParsedOptions, usualMin: number, usualMax: number): [min: number, max: number] {
  const givenMax = options.number("objs-max");
  const min = options.number("objs-min") ?? Math.min(usualMin, givenMax ?? Infinity);
  const max = givenMax ?? Math.max(usualMax, min);
  if (min > max) throw badValue("--objs-min", String(min), `at most --objs-max, which is ${max}`);
  return [min, max];
}

/** Also asked again when the heap is there: the runtime's limit may have made it smaller. */
export function checkFits(plan: WorkloadPlan, trace: Trace | undefined, capacity: number): void {
  if (trace === undefined && plan.objectSize > capacity) {
    throw badValue("--size", String(plan.objectSize), `at most --capacity, which is ${capacity}`);
  }
  if (trace !== undefined && trace.largest > capacity) {
    throw badValue(
      "--capacity",
      String(capacity),
      `at least ${trace.largest}, the largest object of the trace`,
    );
  }
}

function refuse(options: ParsedOptions, names: readonly string[], why: string): void {
  const given = names.find((name) => options.has(name));
  if (given !== undefined) throw new UsageError(`--${given}: ${why}; leave one of them out`);
}

function handoff(percent: number | undefined, usual: number | undefined, threads: number): number {
  if (threads > 1) return percent ?? usual ?? USUAL_HANDOFF_PERCENT;
  if (percent === undefined || percent === 0) return 0;
  throw badValue(
    "--handoff",
    String(percent),
    "0 with one thread: there is no other worker to hand objects to",
  );
}
