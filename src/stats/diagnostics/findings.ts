/** What the doctor finds: one fact each, whose matter it is, and what to do. */

/** Whose matter it is. "allocator" means: this allocator's ordinary working, nobody's fault. */
export type FindingOrigin = "application" | "configuration" | "allocator" | "kernel";

export type FindingCode =
  | "domain-leak"
  | "domain-open"
  | "object-leak"
  | "epoch-closed-allocations"
  | "out-of-memory"
  | "slow-path"
  | "madvise-failures"
  | "low-cooperation"
  | "no-page-releaser"
  | "warm-slabs"
  | "pinned-slabs"
  | "open-epoch"
  | "owners-behind"
  | "orphaned-slabs"
  | "dead-seat";

export interface Finding {
  /** Of the report: 1 epochs and leaks, 2 slow path, 3 reclamation. */
  readonly section: 1 | 2 | 3;
  readonly code: FindingCode;
  /** info: worth knowing, nothing is wrong. warning: look at it. critical: memory is lost or requests fail. */
  readonly severity: "info" | "warning" | "critical";
  readonly origin: FindingOrigin;
  readonly message: string;
  /** What to do, as an imperative. */
  readonly action: string;
  /** The figures in the message. */
  readonly data: Readonly<Record<string, number | string>>;
}
