/** Options of the metrics, each read once and checked before a snapshot is taken. */
import { describeValue, InvalidTypeError, InvalidValueError, integerOption } from "../allocator/index.js";
import { documentOf, type HealthThresholds, type StatsDocument } from "../stats/index.js";
import { checkOptionKeys, stringOption } from "../threads/index.js";
import { DEFAULT_MAX_LABELS, LabelSlots } from "./labels.js";

export interface PrometheusOptions {
  /** Begins every name: a letter, `_` or `:`, then digits too; may be empty. Default `temporal_slab_`. */
  readonly prefix?: string;
  /** `era` on all series of an epoch, which ends and begins them with every epoch. Default false: on `epoch_info` only. */
  readonly eraLabel?: boolean;
  /** The counters `class_..._by_label_total`, where a document has them (those of the C allocator do). Default false. */
  readonly contentionByLabel?: boolean;
  /** `lock_wait_time_seconds_total` and `lock_hold_time_seconds_total`: 0, as there are no locks. Default false. */
  readonly lockTimes?: boolean;
  /** Youngest age in seconds of a leak that `leak_candidates` counts, 0..1e9; default 60. */
  readonly leakThresholdSec?: number;
  /** Most different labels of epochs, "(unlabeled)" and "(other)" included, 2..1024; default 16. */
  readonly maxLabels?: number;
  /** Slots used instead of new ones for each text; see {@link LabelSlots}. Excludes `maxLabels`. */
  readonly labels?: LabelSlots;
  /** What `health_status` is judged by; see `health()`. */
  readonly thresholds?: Partial<HealthThresholds>;
  /** An earlier document: `health_status` is then about the time since, not about the heap's whole life. */
  readonly previous?: StatsDocument;
}

export interface CheckedOptions {
  readonly prefix: string;
  readonly eraLabel: boolean;
  readonly contentionByLabel: boolean;
  readonly lockTimes: boolean;
  readonly leakThresholdSec: number;
  readonly slots: LabelSlots;
  readonly thresholds: Partial<HealthThresholds> | undefined;
  readonly previous: StatsDocument | undefined;
}

export const PROMETHEUS_OPTIONS = [
  "prefix",
  "eraLabel",
  "contentionByLabel",
  "lockTimes",
  "leakThresholdSec",
  "maxLabels",
  "labels",
  "thresholds",
  "previous",
] as const;

export const DEFAULT_PREFIX = "temporal_slab_";
const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const MOST_LABELS = 1024;
const MOST_SECONDS = 1e9;

type Given = { readonly [Name in keyof PrometheusOptions]: unknown };

/** Thresholds are left to `health()`, which names them. */
export function checkPrometheusOptions(
  method: string,
  options: unknown,
  known: readonly string[] = PROMETHEUS_OPTIONS,
): CheckedOptions {
  const given: Given = checkOptionKeys(method, options, known);
  const { labels, maxLabels, previous, thresholds } = given;
  if (labels !== undefined && !(labels instanceof LabelSlots)) {
    throw new InvalidTypeError(
      `${method}: option "labels" must be LabelSlots; got ${describeValue(labels)}.`,
    );
  }
  const most = integerOption("maxLabels", maxLabels, DEFAULT_MAX_LABELS, 2, MOST_LABELS);
  if (labels !== undefined && maxLabels !== undefined) {
    throw new InvalidValueError(`${method}: give "labels" or "maxLabels"; slots have their own number.`);
  }
  return {
    prefix: prefixOption(method, given.prefix),
    eraLabel: flag(method, "eraLabel", given.eraLabel),
    contentionByLabel: flag(method, "contentionByLabel", given.contentionByLabel),
    lockTimes: flag(method, "lockTimes", given.lockTimes),
    leakThresholdSec: seconds(method, "leakThresholdSec", given.leakThresholdSec),
    slots: labels ?? new LabelSlots(most),
    thresholds: thresholds as Partial<HealthThresholds> | undefined,
    previous: previous === undefined ? undefined : documentOf(previous as StatsDocument, "previous"),
  };
}

export function prefixOption(method: string, value: unknown): string {
  const prefix = stringOption("prefix", value) ?? DEFAULT_PREFIX;
  if (prefix === "" || NAME.test(prefix)) return prefix;
  throw new InvalidValueError(
    `${method}: option "prefix" must begin with a letter, "_" or ":" and go on with those and digits, or be empty; got ${JSON.stringify(prefix)}.`,
  );
}

function flag(method: string, name: string, value: unknown): boolean {
  if (value === undefined || typeof value === "boolean") return value === true;
  throw new InvalidTypeError(
    `${method}: option "${name}" must be true or false; got ${describeValue(value)}.`,
  );
}

function seconds(method: string, name: string, value: unknown): number {
  if (value === undefined) return 60;
  const allowed = `${method}: option "${name}" must be a number from 0 to ${MOST_SECONDS}`;
  if (typeof value !== "number") throw new InvalidTypeError(`${allowed}; got ${describeValue(value)}.`);
  if (value >= 0 && value <= MOST_SECONDS) return value;
  throw new InvalidValueError(`${allowed}; got ${value}.`);
}
