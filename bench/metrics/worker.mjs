/**
 * A thread of the metrics bench: one that asks for `/metrics` at intervals and says how often it got them, or one that
 * allocates and frees for as long as it is told and says how long an operation was on a processor.
 */
import { Agent, get } from "node:http";
import { parentPort, workerData } from "node:worker_threads";
import { SlabHeap } from "../../dist/index.js";
import { mixedSizes } from "../inputs.mjs";
import { onCpuNs } from "../looks.mjs";
import { mixed } from "../loops.mjs";

if (workerData.role === "scraper") scrape(workerData.url);
else write(workerData.ref, new Int32Array(workerData.stop));

function scrape(url) {
  const agent = new Agent({ keepAlive: true });
  let timer;
  let scrapes = 0;
  let bytes = 0;
  const one = () => {
    get(url, { agent }, (response) => {
      let length = 0;
      response.on("data", (chunk) => {
        length += chunk.length;
      });
      response.on("end", () => {
        if (response.statusCode !== 200) throw new Error(`${url} answered ${response.statusCode}`);
        scrapes++;
        bytes = length;
      });
    });
  };
  parentPort.on("message", ({ everyMs }) => {
    clearInterval(timer);
    if (everyMs > 0) timer = setInterval(one, everyMs);
    else parentPort.postMessage({ scrapes, bytes });
    scrapes = 0;
  });
}

function write(ref, flags) {
  const heap = SlabHeap.attach(ref);
  const store = new Float64Array(1000);
  const sizes = mixedSizes();
  for (let i = 0; i < 200; i++) mixed(heap, store, 20, sizes);
  parentPort.on("message", (order) => {
    if (order === "end") {
      heap.detach();
      process.exit(0);
    }
    const from = onCpuNs();
    let done = 0;
    while (Atomics.load(flags, 0) === 0) {
      mixed(heap, store, 20, sizes);
      done += 20_000;
    }
    parentPort.postMessage((onCpuNs() - from) / done);
  });
  parentPort.postMessage("ready");
}
