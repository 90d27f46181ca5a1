/** How the threads of a run give pages back to the system: from the command line to a thread's heap options. */
import { isMainThread } from "node:worker_threads";
import type { PageReleaser, ReleasePolicy } from "../../index.js";
import { autoPageReleaser, createPageReleaser, type SystemPageReleaser } from "../../reclaim.js";
import { type ParsedOptions, UsageError } from "../args.js";

export const RELEASE_CHOICES = ["auto", "none"] as const;
export type ReleaseChoice = (typeof RELEASE_CHOICES)[number];

/** The part of a plan about pages. Structured-cloneable: every thread makes a releaser of its own from it. */
export interface ReleasePlan {
  readonly choice: ReleaseChoice;
  readonly policy: ReleasePolicy;
}

/** What a thread's releaser says of itself, for messages and the report. */
export type ReleaserRecord = Pick<SystemPageReleaser, "backend" | "reason" | "advice">;

const POLICY_OPTIONS = ["reserve", "decay", "no-release-on-close"] as const;

/** Reads `--release` and what belongs to it; `usualReserve` is the pattern's, undefined: the heap's own. */
export function releasePlan(options: ParsedOptions, usualReserve: number | undefined): ReleasePlan {
  const choice = (options.text("release") ?? "auto") as ReleaseChoice;
  const useless = POLICY_OPTIONS.find((name) => options.has(name));
  if (choice === "none" && useless !== undefined) {
    throw new UsageError(`--${useless}: means nothing with --release none; leave one of them out`);
  }
  const reserveBytes = options.number("reserve") ?? usualReserve;
  const decayMs = options.number("decay");
  return {
    choice,
    policy: {
      onClose: !options.has("no-release-on-close"),
      ...(reserveBytes === undefined ? {} : { reserveBytes }),
      ...(decayMs === undefined ? {} : { decayMs }),
    },
  };
}

/** Heap options of the calling thread, with its own releaser. */
export function releaseOptions({ choice, policy }: ReleasePlan): {
  readonly pageReleaser: PageReleaser & ReleaserRecord;
  readonly releasePolicy: ReleasePolicy;
} {
  const pageReleaser = choice === "auto" ? anyReleaser() : createPageReleaser("none");
  return { pageReleaser, releasePolicy: policy };
}

/** Workers load koffi too: a crew terminates none that has not said it is ready. */
function anyReleaser(): SystemPageReleaser {
  const usual = autoPageReleaser();
  if (usual.enabled || isMainThread) return usual;
  try {
    return createPageReleaser("koffi");
  } catch {
    return usual;
  }
}

/**
 * What the report says of a run: the main thread looked for a releaser as any program does, and its reason says what it
 * found. A worker's says how workers get around not loading koffi; it is told only where they have something else.
 */
export function reportedReleaser(main: ReleaserRecord, worker: ReleaserRecord | undefined): ReleaserRecord {
  return describeReleaser(worker === undefined || worker.backend === main.backend ? main : worker);
}

export function describeReleaser({ backend, reason, advice }: ReleaserRecord): ReleaserRecord {
  return { backend, reason, advice };
}
