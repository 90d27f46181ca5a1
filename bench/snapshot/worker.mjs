/**
 * A thread of the snapshot bench: a writer that allocates and frees, or a reader that takes snapshots, for as long as
 * it is told. Answers with how much it did and how long it was on a processor, so that a machine with fewer cores than
 * threads still shows what one thread costs the other.
 */
import { parentPort, workerData } from "node:worker_threads";
import { SlabHeap } from "../../dist/index.js";
import { StatsReader } from "../../dist/stats.js";
import { mixedSizes } from "../inputs.mjs";
import { onCpuNs } from "../looks.mjs";
import { mixed } from "../loops.mjs";

const { role, ref, stop } = workerData;
const flags = new Int32Array(stop);
const writer = role === "writer" ? SlabHeap.attach(ref) : undefined;
const reader = role === "reader" ? StatsReader.open(ref) : undefined;
const store = new Float64Array(1000);
const sizes = mixedSizes();

parentPort.on("message", ({ pauseMs = 0 } = {}) => {
  if (flags[0] === 2) {
    writer?.detach();
    process.exit(0);
  }
  const from = performance.now();
  const cpuFrom = onCpuNs();
  let done = 0;
  while (Atomics.load(flags, 0) === 0) {
    if (writer !== undefined) mixed(writer, store, 20, sizes);
    else reader.snapshot();
    done += writer === undefined ? 1 : 20_000;
    if (pauseMs > 0) Atomics.wait(flags, 0, 0, pauseMs);
  }
  const cpuNs = onCpuNs() - cpuFrom;
  parentPort.postMessage({ done, wallNs: (performance.now() - from) * 1e6, cpuNs });
});
// Warm: what is measured later is compiled code.
for (let i = 0; i < 200; i++) {
  if (writer !== undefined) mixed(writer, store, 20, sizes);
  else reader.snapshot();
}
parentPort.postMessage("ready");
