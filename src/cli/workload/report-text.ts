/** The readable report: the document of report.ts in sections a person can scan. */
import { formatBytes, formatCount, formatRate, formatSeconds, formatShare, plural } from "../format.js";
import { type Column, renderTable } from "../tables/index.js";
import type { EpochRow } from "./closing.js";
import type { LeakSummary } from "./messages.js";
import { pageRows, pageTable } from "./page-text.js";
import type { Parameters, WorkloadReport } from "./report.js";

const ENDED: Readonly<Record<WorkloadReport["ended_by"], string>> = {
  duration: "ran its full time",
  repeat: "all repetitions done",
  interrupted: "ended early by an interrupt",
  "worker-error": "ENDED BY A FAILED WORKER",
};
const MAX_FINDINGS_SHOWN = 10;

/** Renders the report; ends with the verdict. */
export function renderReport(report: WorkloadReport): string {
  return [
    headline(report),
    "",
    ...summary(report),
    ...pageTable(report),
    "",
    "Epochs when all workers had ended (older: objects of earlier eras in the same ring slot)",
    renderTable(EPOCH_COLUMNS, report.epochs),
    ...leakSection(report.leaked),
    "",
    ...checks(report),
    ...findings(report),
    "",
    verdict(report),
    "",
  ].join("\n");
}

function headline(report: WorkloadReport): string {
  const what = describeParameters(report.parameters);
  return `${what}\n${formatSeconds(report.duration_sec)}, ${ENDED[report.ended_by]}`;
}

/** One line that says what is run. */
export function describeParameters(p: Parameters): string {
  const threads = plural(p.threads, "thread");
  const ending = `epochs ${p.epoch_policy}, ${p.handoff_pct}% handed to another thread`;
  if (p.trace !== null) {
    return `workload trace ${p.trace.path} (${formatCount(p.trace.events)} events), ${threads}, ${ending}`;
  }
  const rate = p.req_rate === 0 ? "as fast as possible" : `${formatCount(p.req_rate)} requests/s`;
  const count = p.objs_min === p.objs_max ? `${p.objs_min}` : `${p.objs_min}-${p.objs_max}`;
  return `workload ${p.pattern}: ${rate}, ${count} x ${formatBytes(p.size)}, ${p.free_policy}, ${threads}, ${ending}`;
}

function summary(report: WorkloadReport): string[] {
  const { throughput: t, memory: m, slow_path: slow, alloc_failures: failures, workers } = report;
  const closes = report.epoch_closes;
  const rows: [string, string][] = [
    [
      report.parameters.trace === null ? "requests" : "repetitions",
      `${formatCount(t.requests)} (${formatRate(t.requests_per_sec)}/s)`,
    ],
    [
      "operations",
      `${formatRate(t.operations_per_sec)}/s checked: ${formatCount(t.allocs)} allocs, ${formatCount(t.frees)} frees, ` +
        `${formatCount(t.foreign_frees)} of them by another thread`,
    ],
    [
      "slow path",
      `${formatShare(slow.share)} of allocs (${formatCount(slow.hits)}); ${plural(slow.new_slabs, "slab")} taken, ` +
        `${formatCount(slow.recycled_slabs)} given back`,
    ],
    [
      "alloc failures",
      `${formatCount(failures.out_of_memory)} out of memory, ` +
        `${formatCount(failures.epoch_closed)} epoch closed meanwhile (retried in the next one)`,
    ],
    [
      "epoch closes",
      `${formatCount(closes.closes)}; the closing threads scanned ${plural(closes.slabs_scanned, "slab")} and ` +
        `recycled ${formatCount(closes.slabs_recycled)} at once`,
    ],
    [
      "memory peak",
      `${formatBytes(m.peak_committed_bytes)} committed (${formatCount(m.peak_committed_slabs)} x ` +
        `${formatBytes(m.slab_bytes)} of ${formatBytes(m.capacity_bytes)})`,
    ],
    ...pageRows(report),
  ];
  if (workers.kills > 0) {
    const lost = plural(report.closing.lost_live_objects, "object");
    rows.push([
      "killed",
      `${plural(workers.kills, "worker")}, ${plural(workers.reaped, "seat")} reaped, ${lost} left behind`,
    ]);
  }
  return rows.map(([name, text]) => `${name.padEnd(16)}${text}`);
}

const EPOCH_COLUMNS: readonly Column<EpochRow>[] = [
  { title: "epoch", cell: (row) => String(row.epoch_id) },
  { title: "era", cell: (row) => String(row.epoch_era) },
  { title: "state", align: "left", cell: (row) => row.state },
  { title: "age", cell: (row) => formatSeconds(row.age_sec) },
  { title: "refcount", cell: (row) => String(row.refcount) },
  { title: "live", cell: (row) => formatCount(row.live_objects) },
  { title: "slabs", cell: (row) => String(row.slabs) },
  { title: "older live", cell: (row) => formatCount(row.older_live_objects) },
  { title: "oldest era", cell: (row) => (row.older_live_objects > 0 ? String(row.oldest_era) : "-") },
  { title: "label", align: "left", cell: (row) => row.label },
];

const LEAK_COLUMNS: readonly Column<LeakSummary["oldest"][number]>[] = [
  { title: "epoch", cell: (row) => String(row.epoch_id) },
  { title: "era", cell: (row) => String(row.epoch_era) },
  { title: "age", cell: (row) => formatSeconds(row.age_sec) },
  { title: "leaked", cell: (row) => formatCount(row.live_objects) },
  { title: "bytes", cell: (row) => formatBytes(row.bytes) },
  { title: "label", align: "left", cell: (row) => row.label },
];

function leakSection(leaked: LeakSummary): string[] {
  if (leaked.live_objects === 0) return [];
  return [
    "",
    `Leaked on purpose: ${plural(leaked.live_objects, "object")}, ${formatBytes(leaked.bytes)}; ` +
      "the oldest epochs that hold them",
    renderTable(LEAK_COLUMNS, leaked.oldest),
  ];
}

function checks(report: WorkloadReport): string[] {
  const { closing, verify, memory } = report;
  const rows: [string, string][] = [
    [
      "verify",
      `${verdictOf(verify.ok)}: ${plural(verify.live_objects, "live object")} in ${plural(verify.slabs, "slab")}`,
    ],
    [
      "after discard",
      `${verdictOf(closing.verify_after_discard.ok)}: ${plural(closing.objects_discarded, "object")} discarded, ` +
        `${formatCount(closing.verify_after_discard.live_objects)} live`,
    ],
    [
      "whole capacity",
      `${formatBytes(closing.reallocated_bytes)} of ${formatBytes(memory.capacity_bytes)} allocated again slab by slab, ` +
        `${closing.one_object_of_capacity ? "and" : "but NOT"} as one object`,
    ],
    [
      "contents",
      `${plural(report.damage.count, "damaged object")}; ${formatCount(report.damage.objects_checked_in_full)} objects ` +
        "checked in full, all others at both ends",
    ],
  ];
  return rows.map(([name, text]) => `${name.padEnd(16)}${text}`);
}

function verdictOf(ok: boolean): string {
  return ok ? "ok" : "FAILED";
}

function findings(report: WorkloadReport): string[] {
  const damage = report.damage.findings.map((finding) =>
    [
      `${finding.kind}: handle ${finding.handle} at offset ${finding.offset}, ${plural(finding.length, "byte")}`,
      `    byte ${finding.at}: expected ${finding.expected}`,
      `    ${" ".repeat(`byte ${finding.at}:`.length)} found    ${finding.found} (noticed by worker ${finding.noticed_by})`,
    ].join("\n"),
  );
  const all = [...report.workers.errors, ...report.closing.problems, ...damage];
  if (all.length === 0) return [];
  const shown = all.slice(0, MAX_FINDINGS_SHOWN).map((text) => `  - ${text}`);
  const rest = all.length - shown.length;
  return ["", "Found wrong:", ...shown, ...(rest > 0 ? [`  and ${rest} more; --json lists them`] : [])];
}

function verdict(report: WorkloadReport): string {
  if (report.ok) {
    const full = report.alloc_failures.out_of_memory > 0;
    const hint = full ? " The heap ran full: raise --capacity to serve every request." : "";
    return `OK: nothing damaged, every check passed.${hint}`;
  }
  const problems = report.damage.count + report.workers.errors.length + report.closing.problems.length;
  return `FAILED: ${plural(problems, "problem")}.`;
}
