// Takes snapshots while others write, and checks each against the one before, until told to stop.
import { workerData } from "node:worker_threads";
import { readStats, STATS_SECTIONS, StatsReader, stringifyStats } from "temporal-slab/stats";
import { countersOf, impossible, wentBack } from "./stats-counters.mjs";
import { Control, CUSTOM, READY } from "./workers/shared.mjs";

const control = new Control(workerData.control);
const LABEL = /^(|A{31}|B{30}|C{7}|D{22}|\(other\))$/;

function check(reader, before, n) {
  const document = reader.snapshot();
  const counters = countersOf(document, STATS_SECTIONS);
  const found = [...wentBack(before, counters), ...impossible(document)];
  for (const { label, eras } of document.epochs) {
    for (const text of [label, ...eras.map((row) => row.label)]) {
      if (!LABEL.test(text)) found.push(`label ${JSON.stringify(text)} is torn`);
    }
  }
  for (const text of Object.values(document.label_registry.labels)) {
    if (text !== "(unlabeled)" && !LABEL.test(text)) found.push(`registered label ${text} is torn`);
  }
  if (n % 50 === 0) readStats(stringifyStats(document)); // throws when it is none
  if (found.length > 0) control.fail(`snapshot ${n}: ${found.slice(0, 5).join("; ")}`);
  return counters;
}

try {
  const reader = StatsReader.open(workerData.ref);
  let counters = countersOf(reader.snapshot(), STATS_SECTIONS);
  control.add(READY);
  for (let n = 0; !control.stopped; n++) {
    counters = check(reader, counters, n);
    control.add(CUSTOM);
  }
  // The writers leave. What this reader has reported must then be no more than what was done.
  while (reader.snapshot().heap.attached_workers > 1) control.pause(1);
  const last = check(reader, counters, 0);
  const truth = countersOf(StatsReader.open(workerData.ref).snapshot(), STATS_SECTIONS);
  const ahead = wentBack(last, truth);
  if (ahead.length > 0) control.fail(`a reader that starts now knows less: ${ahead.join("; ")}`);
} catch (error) {
  control.fail(`watcher: ${error?.stack ?? error}`);
}
