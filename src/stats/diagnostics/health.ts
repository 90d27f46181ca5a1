/**
 * Is the heap well, part by part, against thresholds.
 *
 * Three questions that must not be mixed up:
 *   status  how well it is: "degraded" asks for a look, "unhealthy" for action
 *   ready   can it serve requests now? Only what fails requests counts: a full heap, refused allocations
 *   live    does restarting help? Only a document that cannot be made, or contradicts itself, says so; leaks never do
 */
import type { StatsDocument } from "../document/document.js";
import { contradictions } from "./consistency.js";
import { componentsOf } from "./health-components.js";
import { sinceDocument } from "./since.js";
import { documentOf, hasSnapshot, type StatsSource } from "./source.js";
import { checkThresholds, type HealthThresholds } from "./thresholds.js";

export type HealthStatus = "ok" | "degraded" | "unhealthy";
export type HealthComponentName = "heap" | "slowPath" | "epochs" | "reclamation" | "workers";

export interface HealthComponent {
  readonly status: HealthStatus;
  readonly message: string;
  /** null: not known from this document. */
  readonly metrics: Readonly<Record<string, number | null>>;
  /** The thresholds the metrics were compared with. */
  readonly thresholds: Readonly<Partial<HealthThresholds>>;
}

export interface HealthIssue {
  readonly component: HealthComponentName | "document";
  readonly status: Exclude<HealthStatus, "ok">;
  readonly message: string;
}

export interface HealthReport {
  /** Of this shape. */
  readonly version: 1;
  /** The worst of the components; unhealthy when not live. */
  readonly status: HealthStatus;
  readonly live: boolean;
  readonly ready: boolean;
  /** When the snapshot was taken, ISO 8601. */
  readonly timestamp: string;
  /** Age of the heap; null where the document does not say. */
  readonly uptime_sec: number | null;
  readonly components: Readonly<Record<HealthComponentName, HealthComponent>>;
  /** Everything that is not ok, worst first. */
  readonly issues: readonly HealthIssue[];
}

/**
 * Health of a heap. Without `previous`, an earlier snapshot, counters are those of its whole life.
 * A source whose `snapshot()` throws is reported, not thrown: that is what liveness is about.
 */
export function health(
  source: StatsSource,
  thresholds: Partial<HealthThresholds> = {},
  previous?: StatsSource,
): HealthReport {
  const limits = checkThresholds(thresholds);
  const before = previous === undefined ? undefined : documentOf(previous, "previous");
  let document: StatsDocument;
  try {
    document = documentOf(source);
  } catch (error) {
    if (!hasSnapshot(source)) throw error;
    return unavailable(error instanceof Error ? error.message : String(error));
  }
  const since = before === undefined ? undefined : sinceDocument(document, before);
  const components = componentsOf(document, since, limits);
  const wrong = contradictions(document);
  const live = wrong.length === 0;
  const issues: HealthIssue[] = wrong.map((sentence) => ({
    component: "document",
    status: "unhealthy",
    message: `The document contradicts itself: ${sentence}.`,
  }));
  for (const wanted of ["unhealthy", "degraded"] as const) {
    for (const [name, { status, message }] of Object.entries(components)) {
      if (status === wanted) issues.push({ component: name as HealthComponentName, status, message });
    }
  }
  const created = document.heap?.created_timestamp_ns ?? 0n;
  return {
    version: 1,
    status: issues[0]?.status ?? "ok",
    live,
    ready: live && components.heap.status !== "unhealthy",
    timestamp: isoTime(document.timestamp_ns),
    uptime_sec: created > 0n ? Math.max(0, Number(document.timestamp_ns - created) / 1e9) : null,
    components,
    issues,
  };
}

function unavailable(why: string): HealthReport {
  const unknown: HealthComponent = {
    status: "unhealthy",
    message: "Unknown: there is no snapshot.",
    metrics: {},
    thresholds: {},
  };
  return {
    version: 1,
    status: "unhealthy",
    live: false,
    ready: false,
    timestamp: new Date().toISOString(),
    uptime_sec: null,
    components: { heap: unknown, slowPath: unknown, epochs: unknown, reclamation: unknown, workers: unknown },
    issues: [{ component: "document", status: "unhealthy", message: `No snapshot could be taken: ${why}` }],
  };
}

/** Documents from elsewhere may hold times no Date has. */
const LAST_MS = 8_640_000_000_000_000n;

function isoTime(ns: bigint): string {
  const ms = ns / 1_000_000n;
  return new Date(Number(ms > LAST_MS ? LAST_MS : ms < -LAST_MS ? -LAST_MS : ms)).toISOString();
}
