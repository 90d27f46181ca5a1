/** From checked command-line options to the plan of one run; the plan is what workers receive. */
import { availableParallelism } from "node:os";
import type { HeapOptions } from "../../index.js";
import { badValue, checkedValue, type OptionTable, type ParsedOptions, UsageError } from "../args.js";
import { parseBytes } from "../format.js";
import { type FreePolicy, PATTERN_NAMES, PATTERNS, type PatternName } from "./patterns.js";
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
}

/** A plan with what only the main thread needs. */
export interface WorkloadSetup {
  readonly plan: WorkloadPlan;
  readonly heap: HeapOptions;
  readonly trace: Trace | undefined;
  readonly tracePath: string | undefined;
}

const GIB = 1024 ** 3;
const MAX_THREADS = 64;

export const WORKLOAD_OPTIONS: OptionTable = {
  pattern: { kind: "choice", choices: PATTERN_NAMES, help: `${PATTERN_NAMES.join(", ")} (default burst)` },
  trace: { kind: "text", value: "FILE", help: "replay a recorded allocation trace in every worker instead" },
  duration: {
    kind: "number",
    value: "SEC",
    min: 0.1,
    max: 86_400,
    aliases: ["duration-s"],
    help: "how long to run (default 3; with --repeat: no limit)",
  },
  repeat: {
    kind: "integer",
    value: "N",
    min: 1,
    max: 1e9,
    help: "end after N repetitions of the trace per worker",
  },
  threads: {
    kind: "integer",
    value: "N",
    min: 1,
    max: MAX_THREADS,
    help: "worker threads (default 2, or 1 on one core)",
  },
  "req-rate": {
    kind: "integer",
    value: "N",
    min: 0,
    max: 1e9,
    help: "requests per second of all workers; 0: as fast as possible",
  },
  "objs-min": { kind: "integer", value: "N", min: 1, max: 1e6, help: "fewest objects of a request" },
  "objs-max": { kind: "integer", value: "N", min: 1, max: 1e6, help: "most objects of a request" },
  size: { kind: "bytes", value: "BYTES", min: 1, max: 4 * GIB, help: "size of each object" },
  "epoch-policy": {
    kind: "text",
    value: "P",
    help: "close the epoch: per_req, batch:N (requests) or manual (never)",
  },
  "free-policy": {
    kind: "text",
    value: "P",
    help: "free objects: within_req, lag:N (requests later) or leak:PCT (never)",
  },
  handoff: {
    kind: "number",
    value: "PCT",
    min: 0,
    max: 100,
    help: "objects handed to another worker to free (default 10)",
  },
  capacity: {
    kind: "bytes",
    value: "BYTES",
    min: 4096,
    max: 4 * GIB,
    help: "heap payload, such as 64MiB (default by pattern)",
  },
  "slab-size": {
    kind: "bytes",
    value: "BYTES",
    min: 4096,
    max: 1024 ** 2,
    help: "bytes per slab, a power of two",
  },
  "size-classes": { kind: "text", value: "LIST", help: "default, seed or a list such as 64,128,256" },
  seed: {
    kind: "integer",
    value: "N",
    min: 0,
    max: 2 ** 32 - 1,
    help: "seed of all random choices (default 1)",
  },
  "check-every": {
    kind: "integer",
    value: "N",
    min: 1,
    max: 1e9,
    help: "check every Nth object in full, the others at both ends (default 16)",
  },
  "kill-workers": { kind: "flag", help: "terminate workers at random moments and replace them" },
  "kill-rate": {
    kind: "number",
    value: "N",
    min: 0.1,
    max: 100,
    help: "kills per second (default 2); implies --kill-workers",
  },
  "inject-damage": { kind: "flag", help: "self-test: scribble over live objects; the run must fail" },
  progress: { kind: "flag", help: "print progress even when stderr is not a terminal" },
  json: { kind: "flag", help: "print one JSON document instead of the report" },
};

/** Options that describe synthetic requests and mean nothing for a trace. */
const REQUEST_ONLY = ["pattern", "req-rate", "objs-min", "objs-max", "size", "free-policy"];

/** Builds the plan and reads the trace. Throws `UsageError`. */
export function planWorkload(options: ParsedOptions): WorkloadSetup {
  const tracePath = options.text("trace");
  if (tracePath !== undefined) refuse(options, REQUEST_ONLY, "cannot be combined with --trace");
  else refuse(options, ["repeat"], "needs --trace FILE");

  const threads = options.number("threads") ?? Math.min(2, availableParallelism());
  const trace = tracePath === undefined ? undefined : readTrace(tracePath);
  const name = (options.text("pattern") ?? "burst") as PatternName;
  const pattern = PATTERNS[name];
  const objectsMin =
    options.number("objs-min") ?? Math.min(pattern.objectsMin, options.number("objs-max") ?? Infinity);
  const objectsMax = options.number("objs-max") ?? Math.max(pattern.objectsMax, objectsMin);
  if (objectsMin > objectsMax) {
    throw badValue("--objs-min", String(objectsMin), `at most --objs-max, which is ${objectsMax}`);
  }
  const capacity =
    options.number("capacity") ?? (trace === undefined ? pattern.capacity : roomFor(trace, threads));
  const objectSize = options.number("size") ?? pattern.objectSize;
  if (trace === undefined && objectSize > capacity) {
    throw badValue("--size", String(objectSize), `at most --capacity, which is ${capacity}`);
  }
  if (trace !== undefined && trace.largest > capacity) {
    throw badValue(
      "--capacity",
      String(capacity),
      `at least ${trace.largest}, the largest object of the trace`,
    );
  }
  const repeat = options.number("repeat") ?? 0;
  const kills = options.has("kill-workers") || options.has("kill-rate");
  return {
    plan: {
      pattern: trace === undefined ? name : "trace",
      threads,
      durationSec: options.number("duration") ?? (repeat > 0 ? Infinity : 3),
      repeat,
      requestRate: trace === undefined ? (options.number("req-rate") ?? pattern.requestRate) : 0,
      objectsMin,
      objectsMax,
      objectSize,
      epochEvery: epochPolicy(options.text("epoch-policy")) ?? (trace === undefined ? pattern.epochEvery : 1),
      freePolicy: freePolicy(options.text("free-policy")) ?? pattern.freePolicy,
      handoffPercent: handoff(options.number("handoff"), threads),
      checkEvery: options.number("check-every") ?? 16,
      seed: options.number("seed") ?? 1,
      killRate: kills ? (options.number("kill-rate") ?? 2) : 0,
      injectDamage: options.has("inject-damage"),
    },
    heap: heapOptions(options, capacity, threads, trace === undefined ? pattern.slabSize : undefined),
    trace,
    tracePath,
  };
}

function refuse(options: ParsedOptions, names: readonly string[], why: string): void {
  const given = names.find((name) => options.has(name));
  if (given !== undefined) throw new UsageError(`--${given}: ${why}; leave one of them out`);
}

function heapOptions(
  options: ParsedOptions,
  capacity: number,
  threads: number,
  patternSlabSize: number | undefined,
): HeapOptions {
  const slabSize = options.number("slab-size") ?? patternSlabSize;
  const sizeClasses = sizeClassList(options.text("size-classes"));
  return {
    capacity,
    maxWorkers: threads + 2,
    ...(slabSize === undefined ? {} : { slabSize }),
    ...(sizeClasses === undefined ? {} : { sizeClasses }),
  };
}

function sizeClassList(text: string | undefined): HeapOptions["sizeClasses"] {
  if (text === undefined || text === "default" || text === "seed") return text;
  const sizes = text.split(",").map((part) => parseBytes(part) ?? Number.NaN);
  if (sizes.some(Number.isNaN)) {
    throw badValue(
      "--size-classes",
      text,
      'default, seed or sizes with commas between, such as "64,128,256"',
    );
  }
  return sizes;
}

function epochPolicy(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const [word, count] = policyParts(text);
  if (word === "manual" && count === undefined) return 0;
  if (word === "per_req" && count === undefined) return 1;
  if (word === "batch") return countIn("--epoch-policy", text, "batch:N with N", count, 1, 1e6, true);
  throw badValue("--epoch-policy", text, "per_req, batch:N or manual");
}

function freePolicy(text: string | undefined): FreePolicy | undefined {
  if (text === undefined) return undefined;
  const [word, count] = policyParts(text);
  if (word === "within_req" && count === undefined) return { kind: "within_req" };
  if (word === "lag") {
    return { kind: "lag", requests: countIn("--free-policy", text, "lag:N with N", count, 1, 1e5, true) };
  }
  if (word === "leak") {
    return {
      kind: "leak",
      percent: countIn("--free-policy", text, "leak:PCT with PCT", count, 0, 100, false),
    };
  }
  throw badValue("--free-policy", text, "within_req, lag:N or leak:PCT");
}

function policyParts(text: string): [word: string, count: string | undefined] {
  const colon = text.indexOf(":");
  const word = (colon < 0 ? text : text.slice(0, colon)).toLowerCase().replaceAll("-", "_");
  return [word, colon < 0 ? undefined : text.slice(colon + 1)];
}

function countIn(
  option: string,
  text: string,
  what: string,
  count: string | undefined,
  min: number,
  max: number,
  whole: boolean,
): number {
  const kind = whole ? "integer" : "number";
  try {
    return checkedValue(option, { kind, value: "N", min, max, help: "" }, count) as number;
  } catch {
    throw badValue(option, text, `${what} ${whole ? "a whole number " : ""}from ${min} to ${max}`);
  }
}

function handoff(percent: number | undefined, threads: number): number {
  if (threads > 1) return percent ?? 10;
  if (percent === undefined || percent === 0) return 0;
  throw badValue(
    "--handoff",
    String(percent),
    "0 with one thread: there is no other worker to hand objects to",
  );
}

/** Twice the live peak of all workers, so that size-class waste and remote frees fit as well. */
function roomFor(trace: Trace, threads: number): number {
  const wanted = trace.peakBytes * threads * 2;
  return Math.min(4 * GIB, Math.max(64 * 1024 ** 2, 2 ** Math.ceil(Math.log2(wanted))));
}
