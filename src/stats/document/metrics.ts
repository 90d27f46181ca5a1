/**
 * Which metric a declared field becomes. The field's section, name, kind and unit decide, unless the field says otherwise
 * (`Field.metric`):
 *
 *   section     its metrics share a beginning and labels: `class_` and {class,object_size}, `epoch_` and {epoch,state,label}
 *   name        the field's, without a leading `total_`; counters end in `_total`
 *   unit        `_ns` and `_sec` become `_seconds`, `_pct` a `_ratio` of 0 to 1
 *   type        counter where the field is one, else gauge; booleans are 0 or 1; no series where the value is null
 *
 * Texts, lists and objects have no metric. What is not a field of the document (`epoch_info`, `build_info`) is declared
 * in the telemetry layer.
 */
import { HISTOGRAM_FIELDS } from "../../allocator/counters/fields.js";
import type { Field, FieldType, MetricChoice } from "./field.js";
import type { Section } from "./sections.js";

export interface Metric {
  /** Without the prefix that all metrics share. */
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  /** "bytes", "seconds", "ratio", "slabs", "objects"; "" for plain numbers. */
  readonly unit: string;
  readonly help: string;
  /** Names of the labels that tell rows apart, in the order they are written. */
  readonly labels: readonly string[];
  /** Labels of fixed value, after those. */
  readonly fixed: Readonly<Record<string, string>>;
  /** What a value of the document is divided by: 1, 100 or 10^9. */
  readonly divisor: number;
  /** No series where the value is 0: always, or where there are many rows. */
  readonly omitZero: "always" | "of many" | "never";
}

interface SectionMetrics {
  readonly beginning: string;
  readonly labels: readonly string[];
}

/** By `Section.key`. Eras have none: they come and go with every epoch, and so would their series. */
const SECTION_METRICS: Readonly<Record<string, SectionMetrics>> = {
  "": { beginning: "", labels: [] },
  classes: { beginning: "class_", labels: ["class", "object_size"] },
  epochs: { beginning: "epoch_", labels: ["epoch", "state", "label"] },
  heap: { beginning: "heap_", labels: [] },
  large: { beginning: "large_", labels: [] },
  workers: { beginning: "worker_", labels: ["seat"] },
  last_epoch_close_context: { beginning: "last_epoch_close_", labels: [] },
  latency: { beginning: "sampled_", labels: ["operation"] },
};
const SIZE_LABELS: readonly string[] = ["size_class"];

const NUMBERS: readonly FieldType[] = [
  "count",
  "count|null",
  "integer",
  "integer|null",
  "ns",
  "float",
  "float|null",
  "boolean",
];

/** The metrics of a field; none, one, or two for some counters of size classes. */
export function metricsOf(section: Section, field: Field): readonly Metric[] {
  if (skipReason(section, field) !== undefined) return [];
  const { beginning, labels } = SECTION_METRICS[section.key] as SectionMetrics;
  const choice = choiceOf(field);
  const type = field.kind === "counter" ? "counter" : "gauge";
  const { stem, unit, divisor } = stemOf(field);
  const ending = type === "counter" ? "_total" : "";
  const metric: Metric = {
    name: choice.name ?? `${beginning}${stem}${ending}`,
    type: isPartOfHistogram(choice.name) ? "histogram" : type,
    unit,
    help: choice.help ?? field.help,
    labels: isPartOfHistogram(choice.name) ? [] : labels,
    fixed: choice.labels ?? {},
    divisor,
    omitZero: choice.omitZero === true ? "always" : choice.rare === true ? "of many" : "never",
  };
  if (choice.bySize === undefined) return [metric];
  const bySize = { ...metric, name: `${stem}${ending}`, labels: SIZE_LABELS };
  return choice.bySize === "only" ? [bySize] : [metric, bySize];
}

/** Why a field has no metric; undefined when it has one. */
export function skipReason(section: Section, field: Field): string | undefined {
  if (SECTION_METRICS[section.key] === undefined) return "comes and goes with its era";
  if (field.metric !== undefined && "skip" in field.metric) return field.metric.skip;
  if (NUMBERS.includes(field.type) || isPartOfHistogram(choiceOf(field).name)) return undefined;
  return field.type === "object" ? "in parts" : "text";
}

/** The histogram of each entry of `latency`, without the prefix that all metrics share. */
export const LATENCY_METRICS = HISTOGRAM_FIELDS.map(({ name, help }) => ({
  latency: name,
  name: name === "epoch_lifetime" ? "epoch_lifetime_seconds" : `${name}_duration_seconds`,
  help,
}));

/** Fields of `latency` are parts of one histogram per operation: "*_count". */
const isPartOfHistogram = (name: string | undefined): boolean => name?.startsWith("*") === true;

type Deviation = Exclude<MetricChoice, { readonly skip: string }>;

function choiceOf({ metric }: Field): Deviation {
  return metric === undefined || "skip" in metric ? {} : metric;
}

const NS_PER_SECOND = 1e9;

function stemOf(field: Field): { stem: string; unit: string; divisor: number } {
  const stem = field.name.replace(/^total_/, "");
  switch (field.unit) {
    case "ns":
      return { stem: stem.replace(/(_total)?_ns$/, "_seconds"), unit: "seconds", divisor: NS_PER_SECOND };
    case "seconds":
      return { stem: stem.replace(/_sec$/, "_seconds"), unit: "seconds", divisor: 1 };
    case "percent":
      return { stem: stem.replace(/_pct$/, "_ratio"), unit: "ratio", divisor: 100 };
    default:
      return { stem, unit: field.unit === "1" ? "" : field.unit, divisor: 1 };
  }
}
