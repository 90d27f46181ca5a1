// A service with every trouble the alerts are about, for `scrape.test.ts`: real threads, real allocations, and a server
// from the built package. Prints { service, altered } (ports) and works until its standard input ends.
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { SlabHeap } from "../../dist/index.js";

const TICK_MS = 20;
/** Until then epochs are closed at every tick; then they stay. */
const CLOSING_MS = 12_000;
const BIG = 8000;
/** More than 1 MiB of them: enough for the rules to speak of cooperation. */
const RELEASED_OBJECTS = 200;

if (isMainThread) await serve();
else if (workerData.role === "producer") produce();
else consume();

async function serve() {
  const { createTelemetryServer } = await import("../../dist/http.js");
  const { StatsReader } = await import("../../dist/stats.js");
  const heap = SlabHeap.create({
    capacity: 48 * 1024 * 1024,
    slabSize: 16_384,
    sizeClasses: [128, 1024, 8192],
  });
  const worker = (data) =>
    new Worker(new URL(import.meta.url), { workerData: { ref: heap.share(), ...data } });
  const { port1, port2 } = new MessageChannel();
  const consumer = worker({ role: "consumer" });
  const producer = worker({ role: "producer" });
  consumer.postMessage({ port: port1 }, [port1]);
  producer.postMessage({ port: port2 }, [port2]);
  for (const thread of [consumer, producer]) heap.watch(thread);

  const reader = StatsReader.open(heap);
  const service = createTelemetryServer(reader);
  const altered = createTelemetryServer(alter(reader));
  const [a, b] = await Promise.all([service.listen(), altered.listen()]);
  console.log(JSON.stringify({ service: a.port, altered: b.port }));
  process.stdin.resume().once("end", () => process.exit(0));
}

/**
 * The same heap ten minutes older, on a machine where threads get in each other's way: what cannot be waited for or
 * brought about within a minute on two processors.
 */
function alter(reader) {
  const startedMs = performance.now();
  return () => {
    const document = reader.snapshot();
    const so = (perSecond) => Math.floor((perSecond * (performance.now() - startedMs)) / 1000);
    const older = (row) => ({
      ...row,
      age_sec: row.age_sec + 600,
      oldest_age_sec: row.oldest_age_sec > 0 ? row.oldest_age_sec + 600 : 0,
    });
    const slower = (row, startNs, perSecond) => ({
      ...row,
      count: row.count + so(perSecond),
      sum_ns: row.sum_ns + so(perSecond) * startNs,
      buckets: [...row.buckets.filter(([start]) => start < startNs), [startNs, so(perSecond)]],
    });
    const classes = document.classes.map((row) => ({
      ...row,
      lock_contended: row.lock_contended + so(5000),
      bitmap_alloc_cas_retries: row.bitmap_alloc_cas_retries + so(20_000),
      empty_slab_overflowed: row.empty_slab_overflowed + so(5000),
    }));
    const total = (name) => classes.reduce((sum, row) => sum + row[name], 0);
    return {
      ...document,
      classes,
      total_bitmap_alloc_cas_retries: total("bitmap_alloc_cas_retries"),
      total_cache_overflows: total("empty_slab_overflowed"),
      epochs: document.epochs.map((row) => (row.state === "CLOSING" && row.opened ? older(row) : row)),
      latency: {
        ...document.latency,
        alloc: slower(document.latency.alloc, 2 ** 20, 1e6),
        epoch_close: slower(document.latency.epoch_close, 2 ** 27, 1000),
      },
    };
  };
}

/** Says that it released everything, and releases nothing: no cooperation at all. Refuses when it is told to. */
function idleReleaser() {
  const releaser = { refuses: false, release };
  function release(_buffer, _offset, byteLength) {
    return releaser.refuses ? -1 : byteLength;
  }
  return releaser;
}

async function produce() {
  const { startSampling } = await import("../../dist/stats.js");
  const pageReleaser = idleReleaser();
  const heap = SlabHeap.attach(workerData.ref, { pageReleaser, releasePolicy: { reserveBytes: 0 } });
  startSampling(heap);
  const [port] = await new Promise((resolve) => parentPort.once("message", (m) => resolve([m.port])));
  const startedMs = performance.now();
  const batches = [];
  let stale = 0;
  let closed;

  /** Kept for good, and written to, so that it is resident. */
  const grow = (objects) => {
    for (let i = 0; i < objects; i++) {
      const handle = heap.alloc(BIG);
      if (handle !== 0) heap.view(handle).fill(i + 1);
    }
  };

  const work = () => {
    const request = heap.openDomain({ label: "request" });
    const batch = [];
    for (let i = 0; i < 16; i++) {
      for (const handle of [request.alloc(BIG), request.alloc(100)]) if (handle !== 0) batch.push(handle);
    }
    request.exit();
    batches.push(batch);
    if (batches.length <= 8) return;
    const old = batches.shift();
    stale = old[0] ?? stale;
    // Half of it is freed by another thread.
    port.postMessage(old.filter((_, i) => i % 2 === 0));
    for (const [i, handle] of old.entries()) if (i % 2 === 1) heap.free(handle);
  };

  /** Fifteen epochs that are closed, gave some back and hold something, one of them with somebody inside. */
  const leaveBehind = () => {
    for (let i = 0; i < 15; i++) {
      closed = heap.currentEpoch;
      if (i === 5) {
        const domain = heap.openDomain({ label: "leaky-handler" });
        for (let j = 0; j < 200; j++) domain.alloc(BIG);
      } else heap.alloc(BIG);
      const brief = Array.from({ length: RELEASED_OBJECTS }, () => heap.alloc(BIG));
      for (const handle of brief) heap.free(handle);
      heap.closeEpoch(closed);
    }
  };

  /** A slab of a class that nothing else uses becomes free, and the system refuses to take its pages. */
  const beRefused = () => {
    const handle = heap.alloc(1000);
    if (handle === 0) return;
    heap.free(handle);
    pageReleaser.refuses = true;
    heap.trim();
    pageReleaser.refuses = false;
  };

  let ticks = 0;
  setInterval(() => {
    work();
    grow(3);
    // Between two closes, and again and again: a rule sees an increase only between two scrapes.
    if (++ticks % 200 === 0) beRefused();
    if (performance.now() - startedMs < CLOSING_MS) heap.closeEpoch(heap.currentEpoch);
    else if (closed === undefined) leaveBehind();
    else {
      heap.alloc(64, closed.id);
      heap.free(stale);
    }
  }, TICK_MS);
}

async function consume() {
  const { startSampling } = await import("../../dist/stats.js");
  const heap = SlabHeap.attach(workerData.ref);
  startSampling(heap, { remoteFreeInterval: 64 });
  parentPort.once("message", ({ port }) => {
    port.on("message", (handles) => {
      for (const handle of handles) heap.free(handle);
    });
  });
}
