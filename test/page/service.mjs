// A service with a busy heap of two threads, and its telemetry server, as a process of its own: tests of the live page
// kill it and start it again. Argument: the options of the server as JSON. Told over IPC: { leak: { label, objects } },
// { label } for the requests from then on, { rest: true } to stop allocating, { keep: { requests, turns } } to free some
// objects only so many requests later and close an epoch every so many turns of 20 ms.
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { SlabHeap } from "temporal-slab";
import { createTelemetryServer } from "temporal-slab/http";
import { StatsReader } from "temporal-slab/stats";

if (isMainThread) await serve(JSON.parse(process.argv[2] ?? "{}"));
else freeForOthers();

async function serve(options) {
  const heap = SlabHeap.create({ capacity: 64 * 1024 * 1024 });
  const worker = new Worker(new URL(import.meta.url), { workerData: heap.share() });
  heap.watch(worker);
  const labels = ["GET /users", "POST /orders", "GET /search", "import batch"];
  let turn = 0;
  let resting = false;
  /** Objects of a request that so many later requests outlive. */
  let lag = 0;
  let every = 20;

  /** One request: objects of several sizes, a quarter of them freed by the other thread. */
  const held = [];
  const request = () => {
    const domain = heap.openDomain({ label: labels[turn % labels.length] });
    const handles = Array.from({ length: 120 }, (_, i) => domain.alloc(64 << ((turn + i) % 6)));
    worker.postMessage(handles.splice(0, 30));
    if (lag > 0) held.push(handles.splice(0, 24));
    while (held.length > lag) handles.push(...held.shift());
    for (const handle of handles) heap.free(handle);
    domain.exit();
  };
  const rotate = () => {
    const domain = heap.openDomain();
    domain.exit();
    heap.advanceEpoch();
    heap.closeEpoch(domain.epoch);
  };
  setInterval(() => {
    if (resting) return;
    for (let i = 0; i < 4 + 3 * Math.sin(turn / 60); i++) request();
    if (++turn % every === 0) rotate();
  }, 20);

  process.on("message", ({ leak, label, rest, keep }) => {
    if (label !== undefined) labels.splice(0, labels.length, label);
    if (rest === true) resting = true;
    if (keep !== undefined) [lag, every] = [keep.requests, keep.turns];
    if (leak === undefined) return;
    // As the leak pattern does: a request that frees most of its objects and forgets the others.
    const domain = heap.openDomain({ label: leak.label });
    const handles = Array.from({ length: leak.objects * 2 }, () => domain.alloc(128));
    for (const handle of handles.slice(leak.objects)) heap.free(handle);
    domain.exit();
    heap.advanceEpoch();
    heap.closeEpoch(domain.epoch);
  });
  process.on("disconnect", () => process.exit());

  const server = createTelemetryServer(StatsReader.open(heap), options);
  const { url, port } = await server.listen();
  process.send({ url, port });
}

function freeForOthers() {
  const heap = SlabHeap.attach(workerData);
  parentPort.on("message", (handles) => {
    for (const handle of handles) heap.free(handle);
  });
}
