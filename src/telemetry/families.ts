/** All metric families, in the order in which they are written. */
import { checkOptionKeys } from "../threads/index.js";
import { BENCHMARK, BUILD_INFO, JUDGEMENTS, OF_CLASSES, OF_EPOCHS, SAMPLES, TOTALS } from "./derived.js";
import { type FamilySource, type MetricFamily, publicFamily } from "./family.js";
import { sectionFamilies } from "./field-families.js";
import { HISTOGRAM_FAMILIES } from "./histograms.js";
import { prefixOption } from "./options.js";

export const FAMILIES: readonly FamilySource[] = [
  BUILD_INFO,
  ...sectionFamilies(""),
  ...TOTALS,
  ...JUDGEMENTS,
  ...sectionFamilies("heap"),
  ...sectionFamilies("large"),
  ...sectionFamilies("last_epoch_close_context"),
  ...sectionFamilies("classes"),
  ...OF_CLASSES,
  ...sectionFamilies("epochs"),
  ...OF_EPOCHS,
  ...sectionFamilies("workers"),
  ...HISTOGRAM_FAMILIES,
  ...sectionFamilies("latency"),
  ...SAMPLES,
  ...BENCHMARK,
];

/**
 * Every metric family there can be, whatever a document holds: those that have nothing to say are left out of
 * `prometheusText`. `prefix` as there. Throws `InvalidTypeError` or `InvalidValueError` for a wrong one.
 */
export function metricFamilies(options: { readonly prefix?: string } = {}): readonly MetricFamily[] {
  const given: { prefix?: unknown } = checkOptionKeys("metricFamilies", options, ["prefix"]);
  const prefix = prefixOption("metricFamilies", given.prefix);
  return FAMILIES.map((family) => publicFamily(family, prefix));
}
