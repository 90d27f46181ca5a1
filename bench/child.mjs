/**
 * One contender in one row in one process: `node child.mjs '{"row":…,"contender":…,"seconds":…}'`.
 *
 * A fresh process each time, because the engine's opinion of a call site outlives the heap that
 * formed it. Prints one line of JSON: `{ value, samples, metrics, note }`, where `value` is the
 * figure of this round and `samples` is everything it was made from.
 */
import { writeSync } from "node:fs";
import { rows } from "./rows.mjs";
import { median } from "./stats.mjs";

const job = JSON.parse(process.argv[2]);
const row = rows.find((candidate) => candidate.id === job.row);
const module = await import(row.script ? `./cases/${row.script}.mjs` : "./patterns.mjs");
const result = await module.run(job);
result.value ??= median(result.samples);
// Straight to the descriptor: process.exit() would cut a pipe that is still being written.
const line = `${JSON.stringify(result)}\n`;
for (let sent = 0; sent < line.length; ) sent += writeSync(1, line.slice(sent, sent + 65536));
process.exit(0);
