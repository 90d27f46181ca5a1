// Reads statistics without a seat while the others work: counters must never go back, whoever dies meanwhile, and no
// document may say what no heap can say.
import { setImmediate as turn } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import {
  analyzeReclamation,
  analyzeSlowPath,
  detectEpochLeaks,
  doctor,
  health,
  readStats,
  StatsReader,
  snapshotDelta,
  stringifyStats,
} from "temporal-slab/stats";
import { Control, patternNumber, Row } from "./board.mjs";
import { compare } from "./documents.mjs";

const { ref, slot } = workerData;
const control = new Control(workerData.control);
const row = new Row(control, slot);
const READING = patternNumber("reading statistics");
const JUDGING = patternNumber("health and doctor");

function judge(reader, document, before) {
  row.beat(JUDGING);
  const { live, issues } = health(reader, {}, before);
  if (!live) control.fail(`health: not live: ${issues.map((issue) => issue.message).join("; ")}`);
  if (doctor(reader).text === "") control.fail("the doctor said nothing");
  detectEpochLeaks(reader, { thresholdSec: 0, top: 5 });
  analyzeSlowPath(reader);
  analyzeReclamation(reader);
  snapshotDelta(before, document);
  readStats(stringifyStats(document));
  row.add("reports");
}

try {
  const reader = StatsReader.open(ref);
  let before = reader.snapshot();
  let { counters } = compare(new Map(), before);
  parentPort.postMessage("ready");
  for (let n = 1; !control.stopped; n++) {
    row.beat(READING);
    const document = reader.snapshot();
    const { counters: now, problems } = compare(counters, document);
    if (problems.length > 0) control.fail(`snapshot ${n}: ${problems.slice(0, 5).join("; ")}`);
    row.add("snapshots");
    row.add("operations");
    if (n % 25 === 0) {
      judge(reader, document, before);
      before = document;
      await turn();
    }
    counters = now;
  }
} catch (error) {
  control.fail(`watcher in "${row.pattern}": ${error?.stack ?? error}`);
}
