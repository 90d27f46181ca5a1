/** What comes of a fuzz case, and the sums of a run. */
import { TemporalSlabError } from "../../src/allocator/errors.js";

/**
 * wrong      a call's answer differs from what the contract says
 * overwrite  the allocator wrote into a live object
 * late       verify() found nothing before the calls that made the damage show
 * foreign    an exception that is none of the package's
 * hang       no answer in time
 */
export type ViolationKind = "wrong" | "overwrite" | "late" | "foreign" | "hang";

/** The contract was broken. */
export class Violation extends Error {
  override readonly name = "Violation";
  readonly kind: ViolationKind;

  constructor(kind: ViolationKind, message: string) {
    super(message);
    this.kind = kind;
  }
}

/** How many cases ended how. */
export interface Tally {
  cases: number;
  /** A typed error said no. */
  refused: number;
  /** `verify()` reported the damage. */
  reported: number;
  /** Nobody could tell the difference, or the call was answered as it should. */
  harmless: number;
  /** Broken, but listed as known. */
  known: number;
  violations: number;
}

export function newTally(): Tally {
  return { cases: 0, refused: 0, reported: 0, harmless: 0, known: 0, violations: 0 };
}

export function addTally(sum: Tally, more: Tally): void {
  for (const key of Object.keys(sum) as (keyof Tally)[]) sum[key] += more[key];
}

export function tallyText(tally: Tally): string {
  return Object.entries(tally)
    .map(([name, count]) => `${count} ${name}`)
    .join(", ");
}

/** One of the classes of errors.ts. An engine's own RangeError or TypeError is not. */
export function isPackageError(error: unknown): error is Error & { code: string } {
  return error instanceof TemporalSlabError;
}

/** First line and where it came from, for a report. */
export function errorText(error: unknown): string {
  if (!(error instanceof Error)) return `threw ${typeof error}`;
  const frames = (error.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line));
  return `${error.name}: ${error.message}${frames
    .slice(0, 3)
    .map((line) => ` < ${line.trim().replace(/^at /, "")}`)
    .join("")}`;
}
