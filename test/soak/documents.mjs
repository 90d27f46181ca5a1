// What may be said of two stats documents of one reader, taken one after the other while threads work and die.
import { STATS_SECTIONS } from "temporal-slab/stats";
import { countersOf, impossible, wentBack } from "../threads/stats-counters.mjs";
import { LABEL } from "./board.mjs";

/**
 * The count of committed slabs is off by what threads were taking or giving back when they died (docs/concurrency.md),
 * for good, so that what closes note of it can fall below 0. Everything else that is negative is a fault.
 */
const OFF_AFTER_DEATHS = /committed_(before|after)_close is -\d+$/;

function tornLabels(document) {
  const labels = document.epochs.flatMap((epoch) => [epoch.label, ...epoch.eras.map((era) => era.label)]);
  labels.push(...Object.values(document.label_registry.labels).filter((text) => text !== "(unlabeled)"));
  return labels.filter((text) => !LABEL.test(text)).map((text) => `label ${JSON.stringify(text)} is torn`);
}

/** `before`: the counters of the reader's last document. */
export function compare(before, document) {
  const counters = countersOf(document, STATS_SECTIONS);
  const gauges = impossible(document).filter((text) => !OFF_AFTER_DEATHS.test(text));
  return { counters, problems: [...wentBack(before, counters), ...gauges, ...tornLabels(document)] };
}
