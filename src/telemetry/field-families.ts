/** Families that fields of the stats document declare, section by section. */
import { type Metric, metricsOf, STATS_SECTIONS, type StatsSection } from "../stats/index.js";
import { type FamilySource, type Series, series } from "./family.js";
import { type LabelSet, labelSet, NO_LABELS } from "./labels.js";
import { counterText, plus, valueText } from "./values.js";
import type { View } from "./view.js";

/** A field and the metric it feeds. */
interface Part {
  readonly key: string;
  readonly metric: Metric;
  /** Labels of fixed value; several fields with different ones make one family. */
  readonly fixed: LabelSet;
}

/** The families of one section, in the order of its fields. Histograms are apart: `histograms.ts`. */
export function sectionFamilies(key: string): FamilySource[] {
  const section = STATS_SECTIONS.find((candidate) => candidate.key === key) as StatsSection;
  const families = new Map<string, Part[]>();
  for (const field of section.fields) {
    for (const metric of metricsOf(section, field)) {
      if (metric.type === "histogram") continue;
      const part = { key: field.name, metric, fixed: labelSet(metric.fixed) };
      const parts = families.get(metric.name);
      if (parts === undefined) families.set(metric.name, [part]);
      else parts.push(part);
    }
  }
  return [...families.values()].map((parts) => familyOf(section, parts));
}

function familyOf(section: StatsSection, parts: readonly Part[]): FamilySource {
  const { name, type, help, unit, labels, fixed } = (parts[0] as Part).metric;
  const path = (part: Part): string => `${section.path === "" ? "" : `${section.path}.`}${part.key}`;
  const bySize = labels.includes("size_class");
  return {
    name,
    type,
    help,
    unit,
    labels: [...labels, ...Object.keys(fixed)],
    from: parts.map(path).join(", "),
    seriesOf: (view) =>
      parts.flatMap((part) => (bySize ? seriesBySize(view, part) : seriesByRow(view, section.key, part))),
  };
}

function seriesByRow(view: View, section: string, { key, metric, fixed }: Part): Series[] {
  const text = metric.type === "counter" ? counterText : valueText;
  const omitZero = metric.omitZero === "always" || (metric.omitZero === "of many" && view.hasManyClasses);
  const found: Series[] = [];
  for (const { row, labels } of view.rowsOf(section)) {
    const value = (row as Readonly<Record<string, unknown>>)[key];
    if (omitZero && !value) continue;
    const written = text(value, metric.divisor);
    // Sections have labels of their own or fields with fixed ones, never both.
    if (written !== undefined) found.push(series(fixed === NO_LABELS ? labels : fixed, written));
  }
  return found;
}

/** Two classes of one object size, which a custom list may have, add up. */
function seriesBySize(view: View, { key, metric }: Part): Series[] {
  return view.sizes.flatMap(({ rows, labels }) => {
    const values = rows.map((row) => (row as unknown as Readonly<Record<string, unknown>>)[key]);
    const [first, ...others] = values;
    const total = others.length === 0 ? first : values.reduce<number | bigint>(plus, 0);
    const written = counterText(total, metric.divisor);
    return written === undefined ? [] : [series(labels, written)];
  });
}
