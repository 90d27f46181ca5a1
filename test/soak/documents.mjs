// What may be said of two stats documents of one reader, taken one after the other while threads work and die.
import { STATS_SECTIONS } from "temporal-slab/stats";
import { countersOf, impossible, wentBack } from "../threads/stats-counters.mjs";
import { LABEL } from "./board.mjs";

function tornLabels(document) {
  const labels = document.epochs.flatMap((epoch) => [epoch.label, ...epoch.eras.map((era) => era.label)]);
  labels.push(...Object.values(document.label_registry.labels).filter((text) => text !== "(unlabeled)"));
  return labels.filter((text) => !LABEL.test(text)).map((text) => `label ${JSON.stringify(text)} is torn`);
}

/** `before`: the counters of the reader's last document. */
export function compare(before, document) {
  const counters = countersOf(document, STATS_SECTIONS);
  const problems = [...wentBack(before, counters), ...impossible(document), ...tornLabels(document)];
  return { counters, problems };
}
