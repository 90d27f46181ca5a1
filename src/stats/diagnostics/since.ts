/** Judging an interval instead of a heap's whole life: counters never go back, so old trouble would never pass. */
import { deltaInOrder, type Rate } from "../delta.js";
import type { StatsDocument } from "../document/document.js";

/**
 * The document with its counters (those of the whole, of classes, of the heap and of large objects) reduced to what
 * happened since `previous`; undefined when `previous` is no earlier document of the same heap.
 */
export function sinceDocument(document: StatsDocument, previous: StatsDocument): StatsDocument | undefined {
  const delta = deltaInOrder(previous, document);
  if (delta === undefined || delta.restarted) return undefined;
  const { heap, large } = document;
  return {
    ...reduced(document, delta.totals),
    // Rows of the delta are in the document's order.
    classes: document.classes.map((row, i) => reduced(row, delta.classes[i])),
    ...(heap !== undefined && { heap: reduced(heap, delta.heap) }),
    ...(large !== undefined && { large: reduced(large, delta.large) }),
  };
}

function reduced<Row extends object>(row: Row, rates: object = {}): Row {
  const counters = Object.entries(rates).filter(([, rate]) => typeof rate === "object");
  return { ...row, ...Object.fromEntries(counters.map(([name, rate]) => [name, (rate as Rate).delta])) };
}
