/** Everything at once, in words: what is wrong, whose matter it is, what to do. */
import type { StatsDocument } from "../document/document.js";
import { epochsInWords, examineEpochs } from "./doctor-epochs.js";
import { examineReclamation, reclamationInWords } from "./doctor-reclamation.js";
import { examineSlowPath, slowPathInWords } from "./doctor-slow-path.js";
import type { Finding } from "./findings.js";
import { checkOptions, numberOption, SECONDS } from "./options.js";
import { sinceDocument } from "./since.js";
import { documentOf, type StatsSource } from "./source.js";
import { plural, printable, sum } from "./text.js";

export interface DoctorOptions {
  /** Age in seconds from which on an epoch counts as left behind; default 60. */
  readonly thresholdSec?: number;
  /** An earlier snapshot of the same heap: refusals, failures and rates are judged since then instead of for good. */
  readonly previous?: StatsSource;
}

export interface Diagnosis {
  readonly version: 1;
  /** False when a finding is more than information. */
  readonly healthy: boolean;
  /** Leak candidates, as `detectEpochLeaks` counts them. Open epochs are never among them. */
  readonly leaks: number;
  readonly threshold_sec: number;
  /** What rates and failures were counted since. */
  readonly since: "creation" | "previous";
  readonly findings: readonly Finding[];
  /** The same for people: three numbered sections, each finding with its "→ ACTION" line. */
  readonly text: string;
}

const TITLES = ["Epochs and leaks", "Slow path", "Reclamation"] as const;

/** Text lists at most this many findings of a section; `findings` has all. */
const MOST_LISTED = 10;

export function doctor(source: StatsSource, options: DoctorOptions = {}): Diagnosis {
  const given = checkOptions("doctor options", options, ["thresholdSec", "previous"]);
  const thresholdSec = numberOption("thresholdSec", given.thresholdSec, 60, SECONDS);
  const previous =
    given.previous === undefined ? undefined : documentOf(given.previous as StatsSource, "previous");
  const document = documentOf(source);
  const since = previous === undefined ? undefined : sinceDocument(document, previous);
  const judged = since ?? document;

  const epochs = examineEpochs(document, thresholdSec);
  const leakedBytes = sum(epochs.findings, (finding) =>
    finding.code === "domain-open" ? 0 : Number(finding.data.estimated_rss_bytes),
  );
  const findings = [
    ...epochs.findings,
    ...examineSlowPath(judged, leakedBytes),
    ...examineReclamation(document, judged),
  ];
  const facts = [
    epochsInWords(document, thresholdSec, epochs.findings.length === 0),
    slowPathInWords(judged),
    reclamationInWords(judged),
  ];
  const healthy = findings.every((finding) => finding.severity === "info");
  const head = [headline(document, healthy, epochs.leaks, findings)];
  if (previous !== undefined && since === undefined) {
    head.push("The previous snapshot is not an earlier one of this heap: counts are since its creation.");
  }
  return {
    version: 1,
    healthy,
    leaks: epochs.leaks,
    threshold_sec: thresholdSec,
    since: since === undefined ? "creation" : "previous",
    findings,
    text: [
      ...head,
      ...TITLES.flatMap((title, i) => section(i + 1, title, facts[i] as string, findings)),
    ].join("\n"),
  };
}

function headline(
  document: StatsDocument,
  healthy: boolean,
  leaks: number,
  findings: readonly Finding[],
): string {
  const who = document.heap === undefined ? "" : ` of heap ${printable(document.heap.id)}`;
  if (healthy) return `Doctor's report${who}: healthy. No leaks, no failures, nothing that needs attention.`;
  const serious = findings.filter((finding) => finding.severity !== "info").length;
  return `Doctor's report${who}: ${plural(leaks, "leak candidate")}, ${plural(serious, "finding")} to look at.`;
}

function section(number: number, title: string, fact: string, findings: readonly Finding[]): string[] {
  const own = findings.filter((finding) => finding.section === number);
  const lines = ["", `${number}. ${title}`, `   ${fact}`];
  for (const { message, action } of own.slice(0, MOST_LISTED))
    lines.push(`   ${message}`, `   → ACTION: ${action}`);
  if (own.length > MOST_LISTED) lines.push(`   ... and ${own.length - MOST_LISTED} more.`);
  if (own.length === 0) lines.push("   → ACTION: none needed");
  return lines;
}
