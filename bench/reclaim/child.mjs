/**
 * One measurement in one process, on whatever runtime runs this: `child.mjs '{"case":"burst",…}'`. Prints one line of JSON.
 *
 * A fresh process each time: memory that the measurement before has left behind would be in every figure.
 */
import { writeSync } from "node:fs";
import process from "node:process";

const job = JSON.parse(process.argv[2]);
const { run } = await import(`./cases/${job.case}.mjs`);
const line = `${JSON.stringify(await run(job))}\n`;
// Straight to the descriptor: process.exit() would cut a pipe that is still being written.
const bytes = new TextEncoder().encode(line);
for (let sent = 0; sent < bytes.length; ) sent += writeSync(1, bytes.subarray(sent, sent + 65_536));
process.exit(0);
