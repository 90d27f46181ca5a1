/** The long fuzz run: npm run fuzz -- --minutes N [--kind handles|buffers|options] [--seed S] */
import { isMainThread, workerData } from "node:worker_threads";
import { type DamageJob, runDamageJob } from "./buffer-worker.js";
import { runFromCommandLine } from "./fuzz-run.js";

if (isMainThread) process.exitCode = await runFromCommandLine(process.argv.slice(2));
else runDamageJob(workerData as DamageJob);
