/** The request patterns: how many requests, how many objects each, when they are freed. */

/** When a request's objects are freed. */
export type FreePolicy =
  /** All of them at the end of the request. */
  | { readonly kind: "within_req" }
  /** That many requests of the same worker later. */
  | { readonly kind: "lag"; readonly requests: number }
  /** At the end of the request, but `percent` of them never: they stay live until the run ends. */
  | { readonly kind: "leak"; readonly percent: number };

export interface Pattern {
  /** What one sees when running it. */
  readonly shows: string;
  /** Requests per second, all workers together. */
  readonly requestRate: number;
  readonly objectsMin: number;
  readonly objectsMax: number;
  readonly objectSize: number;
  /** The epoch is closed after that many requests of all workers together. */
  readonly epochEvery: number;
  readonly freePolicy: FreePolicy;
  /** Share of the objects that another thread frees; absent: 10. */
  readonly handoffPercent?: number;
  /** Bytes of free slabs that a close leaves resident; absent: the heap's default. */
  readonly reserveBytes?: number;
}

const WITHIN_REQUEST: FreePolicy = { kind: "within_req" };

export type PatternName = "burst" | "steady" | "leak" | "hotspot" | "kernel";

/** The five patterns of the C program's workload driver, with its parameters. */
export const PATTERNS: Readonly<Record<PatternName, Pattern>> = {
  burst: {
    shows: "sawtooth of committed memory, few slow paths",
    requestRate: 2000,
    objectsMin: 80,
    objectsMax: 200,
    objectSize: 128,
    epochEvery: 1,
    freePolicy: WITHIN_REQUEST,
  },
  steady: {
    shows: "a plateau of slabs: objects outlive their request by 8 requests",
    requestRate: 5000,
    objectsMin: 50,
    objectsMax: 50,
    objectSize: 128,
    epochEvery: 16,
    freePolicy: { kind: "lag", requests: 8 },
  },
  leak: {
    shows: "old epochs that hold a few leaked objects each, and the slabs under them",
    requestRate: 2000,
    objectsMin: 80,
    objectsMax: 200,
    objectSize: 128,
    epochEvery: 1,
    freePolicy: { kind: "leak", percent: 1 },
  },
  hotspot: {
    shows: "one size class under load",
    requestRate: 4000,
    objectsMin: 120,
    objectsMax: 120,
    objectSize: 128,
    epochEvery: 1,
    freePolicy: WITHIN_REQUEST,
  },
  kernel: {
    shows: "slabs filled and given back, their pages to the system at once: no reserve stays",
    requestRate: 2000,
    objectsMin: 300,
    objectsMax: 300,
    objectSize: 256,
    epochEvery: 1,
    freePolicy: WITHIN_REQUEST,
    // As there: what a request took is empty when it is closed, and goes back to the system there and then.
    handoffPercent: 0,
    reserveBytes: 0,
  },
};

export const PATTERN_NAMES = Object.keys(PATTERNS) as readonly PatternName[];

/** Epoch policy of a plan in the words of the command line. */
export function describeEpochPolicy(epochEvery: number): string {
  if (epochEvery === 0) return "manual";
  return epochEvery === 1 ? "per_req" : `batch:${epochEvery}`;
}

/** Free policy in the words of the command line. */
export function describeFreePolicy(policy: FreePolicy): string {
  if (policy.kind === "lag") return `lag:${policy.requests}`;
  return policy.kind === "leak" ? `leak:${policy.percent}` : "within_req";
}
