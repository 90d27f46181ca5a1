/**
 * Queries, recording rules and alerts over the metrics, as dashboards and rule files use them. Several heaps may be
 * scraped: what is summed is summed per target.
 */

export interface Query {
  readonly name: string;
  readonly expr: string;
}

export interface Alert extends Query {
  /** How long the expression has to hold, as rule files have it. */
  readonly for: string;
  readonly severity: "info" | "warning" | "critical";
  readonly summary: string;
}

/** A target of Prometheus: what sums and divisions keep. */
const BY = "by (job, instance)";
const T = "temporal_slab_";
/** Below that, what else the process does moves its memory as much as a release. */
const TELLING_BYTES = 1024 * 1024;
const rate = (name: string, window = "5m"): string => `rate(${T}${name}[${window}])`;
const sumRate = (name: string): string => `sum ${BY} (${rate(name)})`;
const share = (part: string, whole: string): string => `${part} / ${whole}`;

export const SLOW_PATH_SHARE = share(rate("slow_path_hits_total"), sumRate("bitmap_alloc_attempts_total"));
const CONTENDED_SHARE = share(sumRate("lock_contended_total"), sumRate("lock_acquisitions_total"));
const RETRY_SHARE = share(sumRate("bitmap_alloc_cas_retries_total"), sumRate("bitmap_alloc_attempts_total"));
const PRESSURE = `${T}heap_committed_bytes / ${T}heap_capacity_bytes`;
const quantile = (q: number, histogram: string): string =>
  `histogram_quantile(${q}, sum by (job, instance, le) (${rate(`${histogram}_bucket`)}))`;

/** What would otherwise be computed again in each panel and alert. */
export const RECORDING_RULES: readonly Query[] = [
  {
    name: `${T}:epoch_close_yield:ratio_rate5m`,
    expr: share(
      sumRate("class_epoch_close_recycled_slabs_total"),
      `(${sumRate("class_epoch_close_scanned_slabs_total")} > 0)`,
    ),
  },
  {
    // Before minus after, over what that close released. Nothing where memory was not measured or next to nothing was
    // released: the series are absent at 0.
    name: `${T}:epoch_cooperation:percent`,
    expr: `100 * (${T}epoch_rss_before_close - ${T}epoch_rss_after_close) / (${T}epoch_close_madvise_bytes > ${TELLING_BYTES})`,
  },
  {
    // An epoch that gave everything back has no series any more; its close has.
    name: `${T}:last_epoch_close_cooperation:percent`,
    expr: `100 * (${T}last_epoch_close_rss_before_bytes - ${T}last_epoch_close_rss_after_bytes) / (${T}last_epoch_close_madvise_bytes > ${TELLING_BYTES})`,
  },
  { name: `${T}:slow_path:ratio_rate5m`, expr: SLOW_PATH_SHARE },
];

/** Those of the design that were not valid as first written, in the form that is. */
export const CORRECTED: readonly Query[] = [
  {
    name: "epochs with references, older than five minutes",
    expr: `(${T}epoch_age_seconds > 300) and on (epoch, era, state) (${T}epoch_refcount > 0)`,
  },
  {
    name: "the same by all labels, which are identical",
    expr: `(${T}epoch_age_seconds > 300) and (${T}epoch_refcount > 0)`,
  },
  {
    name: "classes with the most allocations",
    expr: `topk(5, sum by (size_class) (${rate("bitmap_alloc_attempts_total")}))`,
  },
  {
    name: "both names of an epoch's memory",
    expr: `${T}epoch_rss_bytes / (${T}epoch_estimated_rss_bytes > 0)`,
  },
  {
    name: "cooperation of the kernel",
    expr: `(${T}epoch_rss_before_close - ${T}epoch_rss_after_close) / ${T}epoch_close_madvise_bytes`,
  },
  {
    name: "cooperation in the last close",
    expr: `(${T}last_epoch_close_rss_before_bytes - ${T}last_epoch_close_rss_after_bytes) / ${T}last_epoch_close_madvise_bytes`,
  },
  { name: "yield of closes", expr: `${T}:epoch_close_yield:ratio_rate5m < 0.1` },
  { name: "the oldest epoch of a label", expr: `max by (epoch, label) (${T}epoch_age_seconds)` },
  {
    name: "eras of epochs",
    expr: `${T}epoch_info * on (job, instance, epoch, state, label) ${T}epoch_age_seconds`,
  },
];

export const ALERTS: readonly Alert[] = [
  alert(
    "EpochLeak",
    `max(${T}epoch_age_seconds{state="CLOSING"}) > 300`,
    "1m",
    "warning",
    "An epoch is stuck",
  ),
  alert(
    "EpochLeakNamed",
    `max by (epoch, label) (${T}epoch_age_seconds{state="CLOSING"}) > 300`,
    "1m",
    "warning",
    "Epoch {{ $labels.epoch }} ({{ $labels.label }}) is stuck",
  ),
  alert(
    "EpochMemoryLeak",
    `(${T}epoch_age_seconds{state="CLOSING"} > 300) and (${T}epoch_rss_bytes > 0)`,
    "1m",
    "warning",
    "Epoch {{ $labels.epoch }} ({{ $labels.label }}) holds memory although it was closed",
  ),
  alert(
    "EpochRefcountLeak",
    `(${T}epoch_age_seconds > 300) and on (epoch, era, state) (${T}epoch_refcount > 0)`,
    "1m",
    "critical",
    "Somebody never left epoch {{ $labels.epoch }} ({{ $labels.label }})",
  ),
  alert(
    "StragglerEpoch",
    `(${T}epoch_age_seconds{state="CLOSING"} > 300) and (${T}epoch_rss_bytes > 1048576)`,
    "1m",
    "warning",
    "Epoch {{ $labels.epoch }} holds more than 1 MiB",
  ),
  ...graded(
    "ClosingBacklog",
    `count ${BY} (${T}epoch_rss_bytes{state="CLOSING"} > 0)`,
    [10, "5m"],
    [14, "5m"],
    "Closed epochs do not drain",
  ),
  ...graded("SlowPath", SLOW_PATH_SHARE, [0.05, "10m"], [0.2, "5m"], "Allocations leave the fast path"),
  alert(
    "EpochClosedAllocs",
    `increase(${T}slow_epoch_closed_total[5m]) > 0`,
    "0m",
    "warning",
    "Somebody allocates in a closed epoch",
  ),
  alert(
    "MadviseFailures",
    `increase(${T}madvise_failures_total[5m]) > 0`,
    "0m",
    "critical",
    "Page release fails",
  ),
  alert(
    "RSSGrowth",
    `(deriv(${T}net_slabs[15m]) > 0) and (deriv(${T}rss_bytes[15m]) > 65536)`,
    "30m",
    "warning",
    "Memory grows and grows",
  ),
  alert(
    "LowReclaimYield",
    `${T}:epoch_close_yield:ratio_rate5m < 0.1`,
    "10m",
    "warning",
    "Closes free little",
  ),
  alert(
    "LowCooperation",
    `avg_over_time(${T}:last_epoch_close_cooperation:percent[10m]) < 50`,
    "10m",
    "info",
    "The kernel takes little back",
  ),
  ...graded(
    "LockContention",
    CONTENDED_SHARE,
    [0.2, "5m"],
    [0.3, "5m"],
    "Threads get in each other's way",
    ` and (${sumRate("lock_acquisitions_total")} > 100)`,
  ),
  ...graded("CASRetry", RETRY_SHARE, [0.05, "5m"], [0.2, "5m"], "Threads take each other's slabs"),
  alert("LowCacheHitRate", `1 - (${SLOW_PATH_SHARE}) < 0.95`, "10m", "info", "Too few allocations are fast"),
  alert(
    "CacheOverflows",
    `${rate("cache_overflows_total")} / (${rate("slabs_recycled_total")} > 0) > 0.1`,
    "5m",
    "warning",
    "Slabs are given back for lack of memory",
  ),
  alert(
    "SlowEpochClose",
    `${rate("epoch_close_duration_seconds_sum")} / ${rate("epoch_close_duration_seconds_count")} > 0.01`,
    "5m",
    "warning",
    "Closing an epoch takes long",
  ),
  alert("AllocatorDown", "up == 0", "1m", "critical", "A service does not answer"),
  ...graded("HeapPressure", PRESSURE, [0.85, "5m"], [0.95, "5m"], "The heap is nearly full"),
  alert(
    "AllocFailures",
    `sum by (job, instance, reason) (${rate("alloc_failures_total")}) > 0`,
    "5m",
    "critical",
    "Allocations are refused",
  ),
  alert(
    "InvalidFrees",
    `sum by (job, instance, reason) (${rate("invalid_frees_total")}) > 0`,
    "5m",
    "warning",
    "Stale or null handles are freed",
  ),
  alert(
    "HighAllocLatency",
    `${quantile(0.95, "alloc_duration_seconds")} > 0.0005`,
    "10m",
    "warning",
    "Allocating is slow",
  ),
  alert(
    "ClassImbalance",
    `max ${BY} (${T}class_committed_bytes) / sum ${BY} (${T}class_committed_bytes) > 0.5`,
    "15m",
    "info",
    "One size class has more than half of the memory",
  ),
  alert("DeadMansSwitch", "vector(1)", "0m", "info", "Alerting works"),
];

/** What boards draw. */
export const PANELS: readonly Query[] = [
  { name: "RSS", expr: `${T}rss_bytes` },
  { name: "Estimated slab RSS", expr: `${T}estimated_slab_rss_bytes` },
  { name: "Net slabs", expr: `${T}net_slabs` },
  { name: "Active epochs", expr: `${T}active_epoch_count` },
  { name: "Closing epochs", expr: `${T}closing_epoch_count` },
  { name: "Slow-path rate", expr: rate("slow_path_hits_total", "1m") },
  { name: "Slow path: cache miss", expr: rate("slow_cache_miss_total", "1m") },
  { name: "Slow path: epoch closed", expr: rate("slow_epoch_closed_total", "1m") },
  { name: "Cache overflows", expr: rate("cache_overflows_total", "1m") },
  { name: "madvise throughput", expr: rate("madvise_bytes_total", "1m") },
  { name: "madvise calls", expr: rate("madvise_calls_total", "1m") },
  { name: "madvise failures", expr: rate("madvise_failures_total", "1m") },
  { name: "Resident slabs", expr: `${T}heap_resident_bytes` },
  { name: "Warm slabs", expr: `${T}heap_warm_bytes` },
  { name: "Released in the last close", expr: `${T}last_epoch_close_madvise_bytes` },
  { name: "Slabs allocated", expr: rate("slabs_allocated_total", "1m") },
  { name: "Slabs recycled", expr: rate("slabs_recycled_total", "1m") },
  { name: "Top classes by slow-path rate", expr: `topk(5, ${rate("class_slow_path_hits_total", "1m")})` },
  { name: "Top classes by madvise throughput", expr: `topk(5, ${rate("class_madvise_bytes_total", "1m")})` },
  { name: "Cache size", expr: `${T}class_cache_size` },
  { name: "Per-class table", expr: `${T}class_partial_slabs + ${T}class_full_slabs` },
  { name: "Epoch age", expr: `${T}epoch_age_seconds` },
  { name: "Top epochs by RSS", expr: `topk(10, ${T}epoch_rss_bytes)` },
  { name: "Refcount of closed epochs", expr: `${T}epoch_refcount{state="CLOSING"}` },
  { name: "Reclaimable slabs", expr: `${T}epoch_reclaimable_slabs` },
  { name: "Reclaimable bytes", expr: `sum ${BY} (${T}epoch_reclaimable_bytes)` },
  { name: "Close rate", expr: rate("epoch_close_duration_seconds_count", "1m") },
  { name: "Close latency", expr: quantile(0.99, "epoch_close_duration_seconds") },
  { name: "Lifetime of epochs", expr: quantile(0.5, "epoch_lifetime_seconds") },
  { name: "Allocations", expr: rate("heap_alloc_count_total", "1m") },
  { name: "Frees", expr: rate("heap_free_count_total", "1m") },
  { name: "Remote frees", expr: `sum ${BY} (${rate("class_remote_free_count_total", "1m")})` },
  { name: "Remote frees by thread", expr: rate("worker_remote_free_count_total", "1m") },
  { name: "Failures", expr: rate("alloc_failures_total", "1m") },
  { name: "Live against committed", expr: `${T}heap_live_bytes / ${T}heap_committed_bytes` },
  { name: "RSS by class", expr: `${T}class_estimated_rss_bytes` },
  { name: "RSS by label", expr: `sum by (job, instance, label) (${T}epoch_rss_bytes)` },
  { name: "Live epochs", expr: `count ${BY} (${T}epoch_state)` },
  { name: "Workers", expr: `${T}attached_workers` },
  { name: "Uptime", expr: `time() - ${T}heap_created_timestamp_seconds` },
  ...[0.5, 0.95, 0.99].map((q) => ({
    name: `Allocation P${q * 100}`,
    expr: quantile(q, "alloc_duration_seconds"),
  })),
  { name: "Remote free P95", expr: quantile(0.95, "remote_free_duration_seconds") },
  { name: "Contention", expr: CONTENDED_SHARE },
  { name: "CAS retries", expr: RETRY_SHARE },
  {
    name: "Current slab",
    expr: share(
      sumRate("current_partial_cas_failures_total"),
      `(${sumRate("current_partial_cas_attempts_total")} > 0)`,
    ),
  },
  { name: "Health", expr: `${T}health_status` },
  { name: "Leak candidates", expr: `${T}leak_candidates` },
  { name: "Versions", expr: `${T}build_info` },
  { name: "Age of the snapshot", expr: `time() - ${T}snapshot_timestamp_seconds` },
];

function alert(
  name: string,
  expr: string,
  forTime: string,
  severity: Alert["severity"],
  summary: string,
): Alert {
  return { name, expr, for: forTime, severity, summary };
}

/** The same expression against two limits; `besides`: what has to hold too. */
function graded(
  name: string,
  value: string,
  warning: readonly [limit: number, forTime: string],
  critical: readonly [limit: number, forTime: string],
  summary: string,
  besides = "",
): Alert[] {
  const over = (limit: number): string =>
    besides === "" ? `${value} > ${limit}` : `(${value} > ${limit})${besides}`;
  return [
    alert(name, over(warning[0]), warning[1], "warning", summary),
    alert(`${name}Critical`, over(critical[0]), critical[1], "critical", summary),
  ];
}

/** A rule file with all recording rules and alerts. JSON is YAML too. */
export function ruleFile(): string {
  const recording = RECORDING_RULES.map(({ name, expr }) => ({ record: name, expr }));
  const alerts = ALERTS.map(({ name, expr, severity, summary, ...rest }) => ({
    alert: name,
    expr,
    for: rest.for,
    labels: { severity },
    annotations: { summary },
  }));
  const groups = [
    { name: "temporal-slab-recording", rules: recording },
    { name: "temporal-slab-alerts", rules: alerts },
  ];
  return JSON.stringify({ groups }, null, 2);
}
