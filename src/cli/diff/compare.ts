/** Two documents compared: what changed, and whether it got worse. */
import { InvalidValueError, type SnapshotDelta, type StatsDocument, snapshotDelta } from "../../stats.js";
import { InputError } from "../args.js";
import { formatShare, plural, printable } from "../format.js";
import { allocations } from "../stats/allocations.js";

/** From this much more slow paths per allocation on, relative to before, something got worse. */
const MORE_SLOW_PATHS = 1.1;

export interface Regression {
  readonly code: "slow-path-rate" | "madvise-failures";
  readonly message: string;
}

/** Slow paths per allocation, from 0 up; null where nothing was allocated, or the document does not count it. */
export interface SlowPathRates {
  readonly before: number | null;
  readonly after: number | null;
  /** In percent of `before`; null where one is not known, or `before` is 0. */
  readonly change_pct: number | null;
}

export interface Comparison {
  readonly delta: SnapshotDelta;
  readonly slow_path_rate: SlowPathRates;
  readonly regressions: readonly Regression[];
}

/**
 * `before` is the older one, or the baseline. Of one heap, what happened in between is compared with what was before; of
 * two, each is taken from its start. Throws `InputError` when documents of one heap are in the wrong order.
 */
export function compare(before: StatsDocument, after: StatsDocument): Comparison {
  const delta = deltaOf(before, after);
  const rates = slowPathRates(before, after, delta);
  const failed = Number(delta.totals.total_madvise_failures.delta);
  const regressions: Regression[] = [];
  if (rates.before !== null && rates.after !== null && rates.after > rates.before * MORE_SLOW_PATHS) {
    const from = formatShare(rates.before);
    const message = `slow paths rose from ${from} to ${formatShare(rates.after)} of all allocations`;
    regressions.push({ code: "slow-path-rate", message });
  }
  if (failed > 0) {
    const message = `${plural(failed, "page-release call")} failed`;
    regressions.push({ code: "madvise-failures", message });
  }
  return { delta, slow_path_rate: rates, regressions };
}

function deltaOf(before: StatsDocument, after: StatsDocument): SnapshotDelta {
  try {
    return snapshotDelta(before, after);
  } catch (error) {
    if (error instanceof InvalidValueError) throw new InputError(printable(error.message));
    throw error;
  }
}

function slowPathRates(before: StatsDocument, after: StatsDocument, delta: SnapshotDelta): SlowPathRates {
  const hits = Number(delta.totals.total_slow_path_hits.delta);
  const allocs = allocations(after) - (delta.restarted ? 0 : allocations(before));
  const from = rate(Number(before.total_slow_path_hits), allocations(before));
  const to = rate(hits, allocs);
  const change = from === null || to === null || from === 0 ? null : (to / from - 1) * 100;
  return { before: from, after: to, change_pct: change };
}

const rate = (hits: number, allocs: number): number | null => (allocs > 0 ? hits / allocs : null);
