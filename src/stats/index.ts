/** Front door of the stats layer. */
export {
  type Change,
  type ClassDelta,
  deltaInOrder,
  type EpochDelta,
  type LatencyDelta,
  type Rate,
  type SnapshotDelta,
  snapshotDelta,
  type WorkerDelta,
} from "./delta.js";
export { type Diagnosis, type DoctorOptions, doctor } from "./diagnostics/doctor.js";
export type { Finding, FindingCode, FindingOrigin } from "./diagnostics/findings.js";
export {
  type HealthComponent,
  type HealthComponentName,
  type HealthIssue,
  type HealthReport,
  type HealthStatus,
  health,
} from "./diagnostics/health.js";
export {
  detectEpochLeaks,
  type LeakCandidate,
  type LeakOptions,
  type LeakReport,
} from "./diagnostics/leaks.js";
export {
  analyzeReclamation,
  type ReclaimedEpoch,
  type ReclamationReport,
} from "./diagnostics/reclamation.js";
export type { ReclamationHeuristic, ReclamationHint } from "./diagnostics/reclamation-heuristics.js";
export {
  analyzeSlowPath,
  type SlowPathCause,
  type SlowPathClass,
  type SlowPathReport,
} from "./diagnostics/slow-path.js";
export { documentOf, type StatsSource } from "./diagnostics/source.js";
export { ageText, bytesText, printable } from "./diagnostics/text.js";
export { DEFAULT_HEALTH_THRESHOLDS, type HealthThresholds } from "./diagnostics/thresholds.js";
export type {
  ClassStats,
  CloseContext,
  EpochStats,
  EraStats,
  HeapStats,
  LabelRegistry,
  LargeStats,
  LatencyName,
  LatencyStats,
  StatsDocument,
  WorkerStats,
} from "./document/document.js";
export type { Count, Field, FieldKind, FieldType } from "./document/field.js";
export { parseJsonExact, stringifyStats } from "./document/json.js";
export { LATENCY_METRICS, type Metric, metricsOf } from "./document/metrics.js";
export { readStats } from "./document/parse.js";
export { statsSchema } from "./document/schema.js";
export { SECTIONS as STATS_SECTIONS, type Section as StatsSection } from "./document/sections.js";
export { percentileNs } from "./reader/latency.js";
export { type GlobalStats, type HeapSnapshot, StatsReader } from "./reader/reader.js";
export type { ReaderSource } from "./reader/source.js";
export type { SamplingHeapProfile } from "./sites/profile.js";
export {
  type SiteOptions,
  type SiteReport,
  type SiteSampler,
  type SiteSamplerStats,
  sampleSites,
} from "./sites/sampler.js";
