/** A metric family: what it is called and means, and its series for one document. */

import type { LabelSet } from "./labels.js";
import { type CheckedOptions, DEFAULT_PREFIX } from "./options.js";
import type { View } from "./view.js";

export interface MetricFamily {
  /** With the prefix. */
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  /** "bytes", "seconds", "ratio", "slabs", "objects"; "" for plain numbers. */
  readonly unit: string;
  /** Names of its labels; epochs have `era` besides where asked for. `le` of histograms is not listed. */
  readonly labels: readonly string[];
  /** Key in the stats document that it shows, such as `classes[].slow_path_hits`; or what it is made of, in words. */
  readonly from: string;
}

/** One line: `name + suffix + labels.text + " " + value`. */
export interface Series {
  readonly suffix: "" | "_bucket" | "_sum" | "_count";
  readonly labels: LabelSet;
  readonly value: string;
}

/** A family as it is declared, without the prefix; `seriesOf` answers nothing where the document has nothing to say. */
export interface FamilySource extends MetricFamily {
  seriesOf(view: View): Series[];
}

export type FamilyOptions = Pick<Partial<CheckedOptions>, "prefix">;

/** The family without its source, named in full. */
export function publicFamily(family: MetricFamily, prefix = DEFAULT_PREFIX): MetricFamily {
  const { name, type, help, unit, labels, from } = family;
  return { name: prefix + name, type, help, unit, labels, from };
}

export const series = (labels: LabelSet, value: string): Series => ({ suffix: "", labels, value });
