// usage: <runtime> smoke.mjs <node|deno|bun> <major version>
// One pass over the public API on whatever runtime this is, worker threads included.
// Last line of output: a JSON object { runtime, version, steps, ms }. Exit code 0 only if everything held.
// Plain JavaScript without `using`, which Node 20 cannot parse.
import { Worker } from "node:worker_threads";
import { EpochDomain, NULL_HANDLE, SlabHeap } from "temporal-slab";
import {
  doctor,
  health,
  readStats,
  StatsReader,
  sampleSites,
  startSampling,
  stringifyStats,
} from "temporal-slab/stats";
import { everyday } from "./everyday.mjs";
import { check, fill, holds, runtime } from "./runtime.mjs";
import { telemetry } from "./telemetry.mjs";

const SIZES = [1, 16, 64, 100, 768, 4096, 30_000, 300_000];
const started = performance.now();
let steps = 0;

const [wantedName, wantedMajor] = process.argv.slice(2);
const here = runtime();
step(`running on ${wantedName} ${wantedMajor}`, () => {
  const is = `${here.name} ${here.version.split(".")[0]}`;
  if (wantedName !== undefined) check(is === `${wantedName} ${wantedMajor}`, `this is ${is}`);
});

const heap = SlabHeap.create({ capacity: 16 * 1024 * 1024 });

step("alloc, write, read, free", () => {
  const handles = SIZES.map((size) => heap.alloc(size));
  for (const [i, handle] of handles.entries()) {
    check(handle !== NULL_HANDLE && Number.isSafeInteger(handle), "a handle is a safe integer");
    check(heap.sizeOf(handle) >= SIZES[i], "an object is as large as asked for");
    fill(heap, handle, i);
  }
  handles.forEach((handle, i) => {
    check(holds(heap, handle, i), "an object keeps its content");
    heap.u8[heap.byteOffset(handle)] = 99;
    check(heap.view(handle, 1)[0] === 99, "byteOffset and view agree");
    check(heap.free(handle), "free answers true");
  });
});

step("stale handles and double frees", () => {
  const first = heap.alloc(64);
  check(heap.isLive(first) && heap.free(first), "a live object can be freed");
  check(!heap.free(first) && !heap.isLive(first), "a second free is refused");
  const second = heap.alloc(64);
  check(
    second !== first && !heap.free(first) && heap.isLive(second),
    "an old handle cannot hit its successor",
  );
  check(
    throws("ERR_TSLAB_STALE_HANDLE", () => heap.view(first)),
    "view refuses a stale handle",
  );
  check(!heap.free(NULL_HANDLE) && !heap.free(123456789) && !heap.free(-1), "forged handles are refused");
  check(heap.free(second), "the successor can be freed");
});

step("domains nest and close", () => {
  const domain = heap.openDomain({ label: "request" });
  let handle;
  try {
    domain.enter();
    check(EpochDomain.current(heap) === domain, "the entered domain is current");
    handle = domain.alloc(100);
    check(heap.epochOf(handle).era === domain.epoch.era, "a domain allocates in its epoch");
  } finally {
    domain[Symbol.dispose]();
  }
  check(EpochDomain.current(heap) === undefined, "no domain is current after dispose");
  check(heap.free(handle), "an object outlives its domain until freed");
});

const { worker, ask, hello } = await startWorker();

step("the worker is another thread with a seat of its own", () => {
  check(hello.runtime.name === here.name, "the worker runs on the same runtime");
  check(hello.seat !== heap.seat, "the worker has a seat of its own");
});

await asyncStep("objects travel both ways and are freed remotely", async () => {
  for (let round = 0; round < 20; round++) {
    const mine = SIZES.map((size) => heap.allocOrThrow(size));
    for (const handle of mine) fill(heap, handle, round);
    check((await ask("release", { handles: mine, stamp: round })) === mine.length, "the worker frees all");
    check(
      mine.every((handle) => !heap.isLive(handle) && !heap.free(handle)),
      "they are gone here too",
    );

    const theirs = await ask("make", { sizes: SIZES, stamp: round + 100 });
    for (const handle of theirs) {
      check(holds(heap, handle, round + 100), "the main thread reads what the worker wrote");
      check(heap.free(handle), "the main thread frees the worker's object");
      check(!heap.free(handle), "the main thread's second free is refused");
    }
  }
});

await asyncStep("epochs advance, close and are discarded in bulk", async () => {
  const epoch = heap.currentEpoch;
  const mine = Array.from({ length: 1000 }, () => heap.allocOrThrow(64, epoch.id));
  const theirs = await ask("make", { sizes: Array(1000).fill(64), epoch: epoch.id, stamp: 1 });
  check(heap.epochOf(theirs[0]).era === epoch.era, "both threads allocate in one epoch");

  const next = heap.advanceEpoch();
  check(next.era > epoch.era && heap.currentEpoch.era === next.era, "advance opens the next epoch");
  check(heap.alloc(64, epoch.id) === NULL_HANDLE, "a closing epoch takes no allocations");
  check(heap.lastFailure === "epoch-closed", "and says why");
  check(heap.isLive(mine[0]) && heap.isLive(theirs[0]), "closing keeps objects");

  heap.closeEpoch(epoch);
  heap.discardEpoch(epoch);
  check(!mine.some((handle) => heap.isLive(handle)), "discard frees this thread's objects");
  check((await ask("poll", { handles: theirs })) === 0, "discard frees the worker's objects");
  check(!heap.free(mine[0]) && !heap.free(theirs[0]), "discarded handles are stale");
});

step("statistics and diagnostics agree with what was done", () => {
  const reader = StatsReader.open(heap.share());
  const { heap: totals, workers, epochs, latency } = reader.snapshot();
  check(totals.alloc_count >= 2000, `allocations are counted, got ${totals.alloc_count}`);
  const ended = totals.free_count + totals.discarded_count;
  check(totals.alloc_count === ended + totals.live_objects, "allocated is freed, discarded or live");
  check(workers.filter(({ state }) => state === "LIVE").length === 2, "both seats are listed");
  check(epochs.filter(({ state }) => state === "ACTIVE").length === 1, "one epoch is open");
  check(latency.epoch_close.count >= 2, "closes are timed");
  const again = readStats(stringifyStats(reader.snapshot()));
  check(again.heap.id === totals.id && typeof again.timestamp_ns === "bigint", "JSON there and back");
  check(doctor(reader).leaks === 0 && health(reader).live, "the heap is healthy");
});

step("latency and allocation sites are sampled", () => {
  const reader = StatsReader.open(heap);
  const before = reader.snapshot().latency.alloc.count;
  const sampling = startSampling(heap, { cpuTime: true });
  const sites = sampleSites(heap, { bytesPerSample: 1024 });
  const kept = Array.from({ length: 5000 }, () => heap.allocOrThrow(64));
  sampling.stop();
  check(reader.snapshot().latency.alloc.count > before, "some allocations were timed");
  check(sites.profile().head.children.length > 0, "the profile has call sites");
  sites.stop();
  for (const handle of kept) check(heap.free(handle), "sampled objects are freed like others");
});

await asyncStep("the worker leaves", async () => {
  const exited = new Promise((resolve) => worker.once("exit", resolve));
  check((await ask("leave", {})) === "left", "the worker detaches");
  await exited;
});

await asyncStep("a killed worker's seat and objects are recovered", async () => {
  const doomed = await startWorker();
  heap.watch(doomed.worker);
  const orphans = await doomed.ask("make", { sizes: SIZES, stamp: 5 });
  await doomed.worker.terminate();
  const seat = () => heap.seats().find((info) => info.seat === doomed.hello.seat);
  for (let i = 0; i < 200 && seat() !== undefined && seat().state !== "FREE"; i++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    heap.poll();
  }
  check(seat() === undefined || seat().state === "FREE", "watch gives the seat back");
  for (const handle of orphans) {
    check(holds(heap, handle, 5), "its objects keep their content");
    check(heap.free(handle), "its objects can be freed");
  }
});

await everyday(heap, asyncStep);
await telemetry(heap, asyncStep);

step("the heap is consistent and empty", () => {
  heap.discardBefore(heap.advanceEpoch());
  heap.poll();
  const report = heap.verify();
  check(report.ok, report.problems.join("; "));
  check(report.liveObjects === 0, `nothing is left, got ${report.liveObjects} objects`);
});

heap.detach();
heap.detach();

console.log(
  JSON.stringify({
    runtime: here.name,
    version: here.version,
    steps,
    ms: Math.round(performance.now() - started),
  }),
);
// A runtime that keeps the process alive after this has a handle leak: the caller's time limit reports it.

function step(name, body) {
  body();
  passed(name);
}

async function asyncStep(name, body) {
  await body();
  passed(name);
}

function passed(name) {
  steps++;
  console.log(`ok ${name}`);
}

function throws(code, body) {
  try {
    body();
  } catch (error) {
    return error.code === code;
  }
  return false;
}

async function startWorker() {
  const worker = new Worker(new URL("./smoke-worker.mjs", import.meta.url), {
    workerData: { ref: heap.share() },
  });
  const waiting = [];
  const settle = ({ value, error }) => {
    const { resolve, reject } = waiting.shift();
    if (error === undefined) resolve(value);
    else reject(new Error(`worker: ${error}`));
  };
  const answer = () => new Promise((resolve, reject) => waiting.push({ resolve, reject }));
  worker.on("message", settle);
  worker.on("error", (error) => waiting.length > 0 && settle({ error: String(error?.stack ?? error) }));
  const hello = await answer();
  const ask = (command, rest) => {
    const reply = answer();
    worker.postMessage({ command, ...rest });
    return reply;
  };
  return { worker, ask, hello };
}
